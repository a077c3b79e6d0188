//! `diff --live`: a saved dump of a cluster as the side before.
//!
//! Of the cluster, those objects count that the fleet renders, and those that this program labelled once: what Helm, operators
//! and people made is theirs. Live objects are brought into the form in which drift compares them, so that what the API server
//! adds is no difference.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use serde_json::Value;

use super::owner::Owners;
use super::side::Side;
use crate::cluster::dump::Dump;
use crate::drift::catalog::Catalog;
use crate::drift::kind::Gvk;
use crate::drift::node::Node;
use crate::finding::Finding;
use crate::manifest::{Digest, IdRef};
use crate::plan::names::cluster_of;
use crate::plan::{ClusterPlan, Plan};
use crate::render::{FileContent, RenderedUnit, gitops_unit};

/// The file in which a live object stands that the fleet renders no more.
const LEFT: &str = "(live)";
/// What this program puts on everything that it renders.
const OWNER: (&str, &str) = ("app.kubernetes.io/managed-by", "tenantry");

/// What names an object whatever version it is served at: group, kind, namespace, name.
type Key = (String, String, String, String);

/// A cluster as it was dumped.
pub struct Live<'a> {
    after: &'a dyn Side,
    cluster: &'a str,
    catalog: Catalog,
    objects: HashMap<Key, Node<'static>>,
    /// Kinds of which the dump has objects: group and kind.
    kinds: BTreeSet<(String, String)>,
    /// Objects that were rendered once and are no more, by unit.
    left: BTreeMap<String, Vec<Value>>,
    paths: Vec<String>,
    /// Kinds with fields in the cluster that may be defaults of a definition that the dump lacks.
    unjudged: Mutex<BTreeSet<String>>,
    /// Kinds that are rendered and that the dump has none of.
    absent: BTreeSet<String>,
}

impl<'a> Live<'a> {
    /// The side of a cluster, of which `after` is what the fleet renders.
    ///
    /// # Errors
    /// What is wrong with the fleet.
    pub fn new(dump: &Dump, after: &'a dyn Side, cluster: &'a str) -> Result<Self, Vec<Finding>> {
        let mut objects = HashMap::new();
        for (gvk, list) in dump.objects() {
            for object in list {
                objects.insert(key_of(gvk, object), object.clone());
            }
        }
        let kinds: BTreeSet<(String, String)> =
            dump.objects().keys().map(|gvk| (gvk.group.clone(), gvk.kind.clone())).collect();
        let own: Vec<&str> = after.paths().into_iter().filter(|path| cluster_of(path) == cluster).collect();
        let rendered: Vec<(&str, Vec<Key>)> = own
            .par_iter()
            .map(|path| {
                let unit = after.unit(path)?;
                let ids = unit.iter().flat_map(|unit| unit.files.values()).flat_map(FileContent::identities);
                Ok((*path, ids.map(|id| key(&id)).collect()))
            })
            .collect::<Result<_, Vec<Finding>>>()?;
        let (mut claimed, mut absent, mut paths) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (path, ids) in rendered {
            for id in ids {
                if !kinds.contains(&(id.0.clone(), id.1.clone())) {
                    absent.insert(id.1.clone());
                }
                if objects.contains_key(&id) {
                    paths.insert(path.to_owned());
                    claimed.insert(id);
                }
            }
        }
        let mut left: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let mut rest: Vec<(&Key, &Node<'static>)> =
            objects.iter().filter(|(key, object)| !claimed.contains(*key) && is_own(object)).collect();
        rest.sort_by(|a, b| a.0.cmp(b.0));
        let delivery = after.cluster(cluster).map(|(plan, _)| gitops_unit(plan.fleet, cluster));
        let mut owners = Owners::new(cluster, known(after, cluster), delivery);
        rest.iter().for_each(|((_, kind, ..), object)| owners.learn(kind, object));
        for ((group, kind, ..), object) in rest {
            let gvk = Gvk { group: group.clone(), version: String::new(), kind: kind.clone() };
            let unit = owners.unit_of(&gvk, object);
            paths.insert(unit.clone());
            left.entry(unit).or_default().push(value_of(object));
        }
        Ok(Self {
            after,
            cluster,
            catalog: dump.catalog(),
            objects,
            kinds,
            left,
            paths: paths.into_iter().collect(),
            unjudged: Mutex::default(),
            absent,
        })
    }

    /// What is known of the dump's kinds.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What the dump does not tell.
    pub fn incomplete(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .absent
            .iter()
            .map(|kind| format!("the dump has no {kind}: those that are rendered were not compared"))
            .collect();
        let unjudged = self.unjudged.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend(unjudged.iter().map(|kind| {
            format!(
                "the cluster's {kind} has fields that may be defaults: add its CustomResourceDefinition to the dump"
            )
        }));
        lines
    }

    fn is_dumped(&self, api_version: &str, kind: &str) -> bool {
        let gvk = Gvk::new(api_version, kind);
        self.kinds.contains(&(gvk.group, gvk.kind))
    }

    /// The live object that a rendered one became, in comparable form.
    fn became(&self, rendered: &Value) -> Option<Value> {
        let id = IdRef::of(rendered).ok()?;
        let live = self.objects.get(&key(&id))?;
        let gvk = Gvk::new(id.api_version, id.kind);
        let Some(info) = self.catalog.get(&gvk) else { return Some(value_of(live)) };
        let text = rendered.to_string();
        let mut wanted = Node::from_json(text.as_bytes()).ok()?;
        let silenced = info.canonical_desired(id.name, &mut wanted);
        let mut node = live.clone();
        info.canonical_live(&mut node, silenced);
        let mut value = value_of(&node);
        if !info.exact {
            let known: Value = value_of(&wanted);
            if narrow(&mut value, &known) {
                let mut unjudged = self.unjudged.lock().unwrap_or_else(PoisonError::into_inner);
                unjudged.insert(gvk.kind.clone());
            }
        }
        value["apiVersion"] = id.api_version.into();
        value["kind"] = id.kind.into();
        if !value["metadata"].is_object() {
            value["metadata"] = serde_json::json!({});
        }
        value["metadata"]["name"] = id.name.into();
        if let Some(namespace) = id.namespace {
            value["metadata"]["namespace"] = namespace.into();
        }
        Some(value)
    }

    fn unit_with(&self, path: &str, rendered: Option<RenderedUnit>) -> Option<RenderedUnit> {
        if !self.paths.iter().any(|own| own == path) {
            return None;
        }
        let mut files = BTreeMap::new();
        for (name, content) in rendered.iter().flat_map(|unit| &unit.files) {
            let objects: Vec<Value> = content.objects().iter().filter_map(|object| self.became(object)).collect();
            files.insert(name.clone(), FileContent::Objects(objects));
        }
        if let Some(left) = self.left.get(path) {
            files.insert(LEFT.to_owned(), FileContent::Objects(left.clone()));
        }
        let tenant = path.split_once("/tenants/").map(|(_, slug)| slug.to_owned());
        Some(RenderedUnit { path: path.to_owned(), tenant, inputs: Digest::of(b""), files })
    }
}

impl Side for Live<'_> {
    fn paths(&self) -> Vec<&str> {
        self.paths.iter().map(String::as_str).collect()
    }

    fn inputs(&self, _path: &str) -> Option<Digest> {
        None
    }

    fn text(&self, _path: &str) -> Option<(Digest, Digest)> {
        None
    }

    fn unit(&self, path: &str) -> Result<Option<RenderedUnit>, Vec<Finding>> {
        Ok(self.unit_with(path, self.after.unit(path)?))
    }

    fn part(&self, path: &str) -> Result<Option<RenderedUnit>, Vec<Finding>> {
        Ok(self.unit_with(path, self.after.part(path)?))
    }

    fn cluster(&self, _name: &str) -> Option<(&Plan<'_>, &ClusterPlan<'_>)> {
        None
    }
}

/// The fleet's side of such a comparison: one cluster, and of it the kinds that the dump tells of.
pub struct Told<'a> {
    /// The fleet.
    pub fleet: &'a dyn Side,
    /// The dump.
    pub live: &'a Live<'a>,
}

impl Told<'_> {
    fn told(&self, unit: Option<RenderedUnit>) -> Option<RenderedUnit> {
        let mut unit = unit?;
        for content in unit.files.values_mut() {
            let is_told = |id: &IdRef<'_>| self.live.is_dumped(id.api_version, id.kind);
            if !content.identities().iter().all(is_told) {
                let told = |object: &Value| IdRef::of(object).is_ok_and(|id| is_told(&id));
                *content = FileContent::Objects(content.objects().into_iter().filter(told).collect());
            }
        }
        unit.files.retain(|_, content| !content.identities().is_empty());
        (!unit.files.is_empty()).then_some(unit)
    }
}

impl Side for Told<'_> {
    fn paths(&self) -> Vec<&str> {
        self.fleet.paths().into_iter().filter(|path| cluster_of(path) == self.live.cluster).collect()
    }

    fn inputs(&self, _path: &str) -> Option<Digest> {
        None
    }

    fn text(&self, _path: &str) -> Option<(Digest, Digest)> {
        None
    }

    fn unit(&self, path: &str) -> Result<Option<RenderedUnit>, Vec<Finding>> {
        Ok(self.told(self.fleet.unit(path)?))
    }

    fn part(&self, path: &str) -> Result<Option<RenderedUnit>, Vec<Finding>> {
        Ok(self.told(self.fleet.part(path)?))
    }

    fn cluster(&self, name: &str) -> Option<(&Plan<'_>, &ClusterPlan<'_>)> {
        self.fleet.cluster(name)
    }

    fn source(&self) -> Option<&crate::source::Source> {
        self.fleet.source()
    }
}

fn key(id: &IdRef<'_>) -> Key {
    let Gvk { group, kind, .. } = Gvk::new(id.api_version, id.kind);
    (group, kind, id.namespace.unwrap_or_default().to_owned(), id.name.to_owned())
}

fn key_of(gvk: &Gvk, object: &Node<'_>) -> Key {
    let text = |field: &str| object.at(&["metadata", field]).and_then(Node::as_text).unwrap_or_default().to_owned();
    (gvk.group.clone(), gvk.kind.clone(), text("namespace"), text("name"))
}

fn is_own(object: &Node<'_>) -> bool {
    object.at(&["metadata", "labels", OWNER.0]).and_then(Node::as_text) == Some(OWNER.1)
}

/// Ids and slugs of the fleet's tenants.
fn known<'a>(after: &'a dyn Side, cluster: &str) -> impl Iterator<Item = (String, String)> + use<'a> {
    let tenants = after.cluster(cluster).map(|(plan, _)| plan.fleet.tenants.iter());
    tenants.into_iter().flatten().map(|(slug, tenant)| (tenant.tenant.id.to_string(), slug.clone()))
}

/// A node writes itself as JSON.
fn value_of(node: &Node<'_>) -> Value {
    serde_json::from_str(&node.to_string()).unwrap_or_default()
}

/// Takes out of `value` the keys of maps that `known` lacks; whether there were any.
fn narrow(value: &mut Value, known: &Value) -> bool {
    match (value, known) {
        (Value::Object(map), Value::Object(known)) => {
            let count = map.len();
            map.retain(|key, _| known.contains_key(key));
            let mut cut = map.len() < count;
            for (key, value) in map {
                cut |= narrow(value, &known[key]);
            }
            cut
        }
        (Value::Array(items), Value::Array(known)) if items.len() == known.len() => {
            items.iter_mut().zip(known).fold(false, |cut, (item, known)| narrow(item, known) | cut)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_be_a_default_is_left_out_and_what_differs_stays() {
        let mut live = json!({"spec": {"a": 2, "b": [{"c": 1, "new": 1}], "d": [1, 2]}, "extra": {}});
        assert!(narrow(&mut live, &json!({"spec": {"a": 1, "b": [{"c": 1}], "d": [1]}})));
        assert_eq!(live, json!({"spec": {"a": 2, "b": [{"c": 1}], "d": [1, 2]}}));
        assert!(!narrow(&mut live, &json!({"spec": {"a": 1, "b": [{"c": 1}], "d": [1]}})));
    }
}
