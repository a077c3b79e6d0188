//! Which line of the fleet decides a field of a manifest.
//!
//! Nothing is guessed from names: each value of a file is changed in turn, the unit is rendered again in memory, and what
//! changes in it is what that value decides. Where several do, the one that decides the least else is the nearest.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde_json::Value;

use crate::config::tenant::Tenant;
use crate::config::{self, Fleet, Install, Kind};
use crate::drift::builtin;
use crate::drift::diff;
use crate::drift::kind::Gvk;
use crate::drift::node::Node;
use crate::finding::Location;
use crate::manifest::{Digest, ObjectId};
use crate::memo::Memo;
use crate::plan::{self, ClusterPlan, Plan, Silent, names};
use crate::render::{self, Before, Made, Templates};
use crate::source::Source;
use crate::yaml::{self, Limits};

/// A fleet whose values are traced.
#[derive(Clone, Copy)]
pub struct Tracer<'a> {
    /// The fleet.
    pub fleet: &'a Fleet,
    /// Its files.
    pub source: &'a Source,
    /// Its templates.
    pub templates: &'a Templates,
    /// Version of the program.
    pub version: &'a str,
}

/// A unit of the fleet: the control plane of a cluster, or a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit<'a> {
    /// The cluster.
    pub cluster: &'a str,
    /// The tenant; none for the control plane.
    pub tenant: Option<&'a str>,
}

/// What each value of a file decides in a unit.
#[derive(Debug, Clone, Default)]
pub struct Influence(Vec<Decider>);

#[derive(Debug, Clone)]
struct Decider {
    file: String,
    pointer: String,
    /// Fields that change with it; an empty path is an object that comes or goes.
    fields: BTreeSet<(ObjectId, String)>,
}

/// The objects of a unit.
type Objects = BTreeMap<ObjectId, Value>;

impl Tracer<'_> {
    /// Whether a unit would be rendered from the same inputs again. None if the fleet does not render it.
    pub fn is_current(&self, unit: Unit<'_>, recorded: Digest) -> Option<bool> {
        self.made(self.fleet, unit, None, Some(recorded)).map(|made| matches!(made, Made::Kept(_)))
    }

    /// What each value of the tenant's own file decides in its unit.
    pub fn tenant(&self, unit: Unit<'_>) -> Influence {
        let Some(slug) = unit.tenant else { return Influence::default() };
        let file = config::tenant_file(slug);
        self.influence(unit, &file, |text| {
            let tenant: Tenant = config::read(&file, text, Kind::Tenant).ok()?;
            self.objects(self.fleet, unit, Some(&tenant))
        })
    }

    /// What each value of `install.yaml` decides in a unit.
    pub fn install(&self, unit: Unit<'_>) -> Influence {
        self.influence(unit, "install.yaml", |text| {
            let install: Install = config::read("install.yaml", text, Kind::Install).ok()?;
            // Of a large fleet, no more is copied than the unit is rendered from.
            let tenants = self.fleet.tenants.iter().filter(|(slug, _)| unit.tenant.is_none_or(|unit| unit == *slug));
            let fleet = Fleet {
                install,
                tenants: tenants.map(|(slug, tenant)| (slug.clone(), tenant.clone())).collect(),
                compatibility: self.fleet.compatibility.clone(),
                rotation: self.fleet.rotation.clone(),
                policies: self.fleet.policies.clone(),
                schemas: self.fleet.schemas,
                claims: self.fleet.claims.clone(),
                texts: Default::default(),
            };
            self.objects(&fleet, unit, None)
        })
    }

    /// The place of a field in a file.
    pub fn locate(&self, file: &str, pointer: &str) -> Location {
        config::locate(self.source, file, pointer)
    }

    fn influence(&self, unit: Unit<'_>, file: &str, render: impl Fn(&str) -> Option<Objects> + Sync) -> Influence {
        let text = self.source.text(file).unwrap_or_default();
        let documents = yaml::parse(text, Limits::CONFIG).unwrap_or_default();
        let (Some(root), Some(base)) =
            (documents.first().map(|document| document.root.to_json()), self.objects(self.fleet, unit, None))
        else {
            return Influence::default();
        };
        let mut leaves = Vec::new();
        collect_leaves(&root, String::new(), &mut leaves);
        let words = words_of(file);
        let decider = |pointer: &String| {
            let value = root.pointer(pointer)?;
            let changed = others(value, &words).into_iter().find_map(|other| {
                let mut root = root.clone();
                *root.pointer_mut(pointer)? = other;
                render(&root.to_string())
            })?;
            let fields = changes(&base, &changed);
            Some(Decider { file: file.to_owned(), pointer: pointer.clone(), fields })
        };
        Influence(leaves.par_iter().filter_map(decider).collect())
    }

    /// The objects of a unit, with another file of its tenant if one is given.
    fn objects(&self, fleet: &Fleet, unit: Unit<'_>, tenant: Option<&Tenant>) -> Option<Objects> {
        let Made::Rendered(unit) = self.made(fleet, unit, tenant, None)? else { return None };
        let objects = unit.files.values().flat_map(|file| file.objects());
        Some(objects.filter_map(|object| Some((ObjectId::of(&object).ok()?, object))).collect())
    }

    fn made(&self, fleet: &Fleet, unit: Unit<'_>, tenant: Option<&Tenant>, recorded: Option<Digest>) -> Option<Made> {
        let plan = match unit.tenant {
            None => plan::plan(fleet, self.source).0?,
            Some(slug) => {
                let tenant = tenant.or_else(|| fleet.tenants.get(slug))?;
                let cluster = fleet.install.clusters.iter().find(|cluster| cluster.name.as_str() == unit.cluster)?;
                let system_version = cluster.system_version.as_ref().unwrap_or(&fleet.install.charts.system_version);
                let resolved = plan::resolve(fleet, cluster, system_version, tenant, &mut Silent).0?;
                let tenants = BTreeMap::from([(slug, resolved)]);
                let clusters = vec![ClusterPlan { cluster, system_version, tenants }];
                Plan { install: &fleet.install, fleet, clusters }
            }
        };
        let path = match unit.tenant {
            None => names::system_unit(unit.cluster),
            Some(slug) => names::tenant_unit(unit.cluster, slug),
        };
        // What is tried here is not to be remembered.
        let memo = Memo::default();
        let before = Before { recorded, memo: &memo, rest: Digest::of(b"") };
        let jobs = render::jobs(&plan, self.version);
        jobs.iter().find(|job| job.path == path)?.make(self.templates, before).ok()
    }
}

impl Influence {
    /// The file and the JSON pointer of the value that decides a field; an empty path asks for the object as a whole.
    pub fn decider(&self, object: &ObjectId, path: &str) -> Option<(&str, &str)> {
        let decides = |decider: &&Decider| {
            let mut of_object = decider.fields.iter().filter(|(other, _)| other == object);
            if path.is_empty() {
                of_object.any(|(_, field)| field.is_empty())
            } else {
                of_object.any(|(_, field)| related(field, path))
            }
        };
        let nearest = self.0.iter().filter(decides).min_by_key(|decider| (decider.fields.len(), &decider.pointer))?;
        Some((&nearest.file, &nearest.pointer))
    }
}

/// Whether one of two paths lies on the way to the other.
fn related(one: &str, other: &str) -> bool {
    let begins = |long: &str, short: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    !one.is_empty() && (begins(one, other) || begins(other, one))
}

/// JSON pointers of all values that hold no others, but for those that say what the file is.
fn collect_leaves(value: &Value, pointer: String, leaves: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect_leaves(value, format!("{pointer}/{key}"), leaves);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                collect_leaves(value, format!("{pointer}/{index}"), leaves);
            }
        }
        Value::Null => {}
        _ if matches!(pointer.as_str(), "/apiVersion" | "/kind" | "/tenant/slug" | "/tenant/cluster") => {}
        _ => leaves.push(pointer),
    }
}

/// Words that the schema of a file knows: other choices for a value that is one of them.
fn words_of(file: &str) -> Vec<String> {
    fn collect(schema: &Value, words: &mut BTreeSet<String>) {
        match schema {
            Value::Object(map) => {
                let choices = map.get("enum").and_then(Value::as_array).into_iter().flatten().chain(map.get("const"));
                words.extend(choices.filter_map(Value::as_str).map(str::to_owned));
                map.values().for_each(|value| collect(value, words));
            }
            Value::Array(items) => items.iter().for_each(|value| collect(value, words)),
            _ => {}
        }
    }
    let kind = if file == "install.yaml" { Kind::Install } else { Kind::Tenant };
    let mut words = BTreeSet::new();
    collect(kind.schema(), &mut words);
    words.into_iter().collect()
}

/// Other values of the same type; which of them are valid is for the schema to say.
fn others(value: &Value, words: &[String]) -> Vec<Value> {
    match value {
        Value::Bool(value) => vec![(!value).into()],
        Value::Number(number) => {
            let number = number.as_i64().unwrap_or_default();
            vec![(number + 2).into(), (number + 1).into(), (number - 1).into()]
        }
        Value::String(text) if words.contains(text) => {
            words.iter().filter(|word| *word != text).cloned().map(Value::from).collect()
        }
        Value::String(text) => {
            let digit = text.char_indices().rev().find(|(_, c)| c.is_ascii_digit()).map(|(at, digit)| {
                let other = if digit == '9' { "8".to_owned() } else { ((digit as u8 + 1) as char).to_string() };
                format!("{}{other}{}", &text[..at], &text[at + 1..])
            });
            let host = text.contains("//").then(|| text.replacen("//", "//x", 1));
            let longer = [format!("{text}x"), format!("x{text}")];
            host.into_iter().chain(digit).chain(longer).map(Value::from).collect()
        }
        _ => Vec::new(),
    }
}

/// The fields in which two renders of a unit differ.
fn changes(base: &Objects, changed: &Objects) -> BTreeSet<(ObjectId, String)> {
    let mut fields = BTreeSet::new();
    for id in base.keys().chain(changed.keys()) {
        match (base.get(id), changed.get(id)) {
            (Some(one), Some(other)) if one == other => {}
            (Some(one), Some(other)) => {
                let (one, other) = (one.to_string(), other.to_string());
                let (Ok(one), Ok(other)) = (Node::from_json(one.as_bytes()), Node::from_json(other.as_bytes())) else {
                    continue;
                };
                let shape = builtin::shape(Gvk::new(&id.api_version, &id.kind).known());
                let found = diff::diff(&one, &other, &shape);
                fields.extend(found.into_iter().map(|change| (id.clone(), change.path.to_string())));
            }
            _ => drop(fields.insert((id.clone(), String::new()))),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_traced_to_the_values_that_decide_them() {
        let (fleet, source) = (crate::render::tests::fleet(), crate::render::tests::source());
        let templates = Templates::load([]).unwrap();
        let tracer = Tracer { fleet: &fleet, source: &source, templates: &templates, version: "0" };
        let unit = Unit { cluster: "us-1", tenant: Some("dunmore") };
        let own = tracer.tenant(unit);
        let release =
            ObjectId::namespaced("helm.toolkit.fluxcd.io/v2", "HelmRelease", "tenant-dunmore", "soctalk-tenant");
        let decides = |object: &ObjectId, path: &str| own.decider(object, path).map(|(_, pointer)| pointer.to_owned());
        assert_eq!(decides(&release, "spec.values.llm.model").as_deref(), Some("/llm/model"), "{own:#?}");
        assert_eq!(decides(&release, "spec.values.nothing"), None);
        let namespace = ObjectId::cluster("v1", "Namespace", "tenant-dunmore");
        assert_eq!(decides(&namespace, "metadata.labels[\"tenant-id\"]"), None);
        assert_eq!(decides(&namespace, "metadata.labels.tenant-id").as_deref(), Some("/tenant/id"));
        assert_eq!(decides(&namespace, "metadata.labels.mssp-id"), None);
        let install = tracer.install(unit);
        let found = install.decider(&namespace, "metadata.labels.mssp-id");
        assert_eq!(found, Some(("install.yaml", "/install/msspId")));
        let place = tracer.locate("tenants/dunmore.yaml", "/llm/model");
        let text = source.text("tenants/dunmore.yaml").unwrap();
        assert!(text.lines().nth(place.line as usize - 1).unwrap().contains("model:"));
    }

    #[test]
    fn paths_are_related_along_the_way_only() {
        for (one, other, expected) in [
            ("spec.a", "spec.a", true),
            ("spec.a[0].b", "spec.a", true),
            ("spec", "spec.a", true),
            ("spec.ab", "spec.a", false),
            ("", "spec", false),
        ] {
            assert_eq!(related(one, other), expected, "{one} {other}");
        }
    }
}
