//! The line that a person edits when a field of a rendered manifest is wrong.
//!
//! A policy has the line of its own file. Everything else comes from a value of the tenant's file or of `install.yaml`
//! ([`crate::trace`] finds out which), else from a template. Tracing renders a unit anew for every value of a file, so
//! only the first units with faults are traced; for the others the same field is looked up in their own files.

pub mod departure;

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};

use crate::config::{self, Fleet, tenant_file};
use crate::finding::Location;
use crate::manifest::ObjectId;
use crate::render::Templates;
use crate::schemas::{Place, Step};
use crate::source::Source;
use crate::trace::{Influence, Tracer, Unit};
use crate::yaml::{self, Limits};

/// Units that are traced; of more, what was learned from these is used.
const TRACED: usize = 2;

/// A place in a rendered tree.
#[derive(Debug, Clone, Copy)]
pub struct Spot<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// The tenant; none for the control plane.
    pub tenant: Option<&'a str>,
    /// Name of the template below `templates/`; none for what is shipped as it is.
    pub template: Option<&'static str>,
    /// The object.
    pub object: &'a ObjectId,
    /// The field; the root for the object as a whole.
    pub place: &'a Place,
    /// Whether the field has the same value in every unit, whatever their files say.
    pub fixed: bool,
}

/// Finds lines to edit.
pub struct Blame<'a> {
    fleet: &'a Fleet,
    source: &'a Source,
    version: &'a str,
    templates: OnceLock<Option<Templates>>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    units: BTreeMap<(String, Option<String>), Traced>,
    /// Kind and field without the numbers of items → whether the tenant's file decides it, and the JSON pointer.
    fields: BTreeMap<(String, String), (bool, String)>,
}

/// What the values of the two files decide in a unit; that of `install.yaml` is asked for only where the tenant's own
/// file decides nothing.
#[derive(Default)]
struct Traced {
    own: Influence,
    install: Option<Influence>,
}

impl<'a> Blame<'a> {
    /// For a fleet that is rendered by a version of the program.
    pub fn new(fleet: &'a Fleet, source: &'a Source, version: &'a str) -> Self {
        Self { fleet, source, version, templates: OnceLock::new(), known: Mutex::default() }
    }

    /// The line.
    pub fn locate(&self, spot: &Spot<'_>) -> Location {
        let Some(template) = spot.template else { return self.in_policy(spot) };
        let template = format!("templates/{template}");
        // A fleet's own template is the likelier culprit for what no value changes.
        if let Some(text) = self.source.text(&template).filter(|_| spot.fixed) {
            return in_template(&template, text, spot);
        }
        if let Some(place) = self.traced(spot) {
            return place;
        }
        match (self.source.text(&template), spot.tenant) {
            (Some(text), _) => in_template(&template, text, spot),
            (None, Some(slug)) => config::locate(self.source, &tenant_file(slug), "/tenant/slug"),
            (None, None) => Location::file("install.yaml"),
        }
    }

    fn traced(&self, spot: &Spot<'_>) -> Option<Location> {
        let own_file = spot.tenant.map(tenant_file);
        let field = (spot.object.kind.clone(), general(spot.place));
        let mut known = self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let at = |is_tenants: bool, pointer: &str| {
            let file = own_file.as_deref().filter(|_| is_tenants).unwrap_or("install.yaml");
            config::locate(self.source, file, pointer)
        };
        let unit = (spot.cluster.to_owned(), spot.tenant.map(str::to_owned));
        if !known.units.contains_key(&unit) {
            if known.units.len() >= TRACED {
                return known.fields.get(&field).map(|(is_tenants, pointer)| at(*is_tenants, pointer));
            }
            let own = self.tracer()?.tenant(unit_of(spot));
            known.units.insert(unit.clone(), Traced { own, install: None });
        }
        let traced = known.units.get_mut(&unit)?;
        let paths = paths(spot.place);
        let by = |influence: &Influence| {
            paths.iter().find_map(|path| influence.decider(spot.object, path).map(|(_, pointer)| pointer.to_owned()))
        };
        let decided = match by(&traced.own) {
            Some(pointer) => (true, pointer),
            None => {
                let tracer = self.tracer()?;
                (false, by(traced.install.get_or_insert_with(|| tracer.install(unit_of(spot))))?)
            }
        };
        let place = at(decided.0, &decided.1);
        known.fields.insert(field, decided);
        Some(place)
    }

    fn tracer(&self) -> Option<Tracer<'_>> {
        let load = || Templates::load(self.source.below("templates/")).ok();
        let templates = self.templates.get_or_init(load).as_ref()?;
        Some(Tracer { fleet: self.fleet, source: self.source, templates, version: self.version })
    }

    /// The place of a field in the file of a policy.
    fn in_policy(&self, spot: &Spot<'_>) -> Location {
        let is_it = |policy: &&config::PolicyObject| ObjectId::of(&policy.value).is_ok_and(|id| id == *spot.object);
        let Some(policy) = self.fleet.policies.iter().find(is_it) else { return Location::file("policies/admission") };
        let documents = self.source.text(&policy.file).and_then(|text| yaml::parse(text, Limits::MANIFEST).ok());
        let document = documents.into_iter().flatten().find(|document| document.root.span == policy.span);
        match document {
            Some(document) => Location::new(&policy.file, document.root.locate(&spot.place.pointer())),
            None => Location { line: policy.span.line, ..Location::file(&policy.file) },
        }
    }
}

fn unit_of<'s>(spot: &Spot<'s>) -> Unit<'s> {
    Unit { cluster: spot.cluster, tenant: spot.tenant }
}

/// The field, then the lists around it: what decides an item may be told of its list only.
fn paths(place: &Place) -> Vec<String> {
    let mut paths = vec![place.dotted()];
    let mut around = Place::default();
    let mut lists = Vec::new();
    for step in place.steps() {
        if matches!(step, Step::Item(_)) {
            lists.push(around.dotted());
        }
        around.push(step.clone());
    }
    paths.extend(lists.into_iter().rev());
    paths
}

/// The field without the numbers of items.
fn general(place: &Place) -> String {
    let mut text = String::new();
    for step in place.steps() {
        match step {
            Step::Field(name) => text.push_str(name),
            Step::Item(_) => text.push_str("[]"),
        }
        text.push('.');
    }
    text
}

/// The line of a template that writes the field: the last key on the way to it that the template has, below the name of
/// the kind.
fn in_template(template: &str, text: &str, spot: &Spot<'_>) -> Location {
    let lines: Vec<&str> = text.lines().collect();
    let kind = format!("kind: {}", spot.object.kind);
    let start = lines.iter().position(|line| line.trim() == kind).unwrap_or(0);
    let end = lines[start..].iter().position(|line| line.trim() == "---").map_or(lines.len(), |at| start + at);
    let (mut found, mut from, mut until) = (start, start, end);
    for step in spot.place.steps() {
        let Step::Field(name) = step else { continue };
        let begins = |line: &&str| {
            let line = line.trim_start().trim_start_matches("- ");
            let rest = line.strip_prefix(name.as_str()).or_else(|| line.strip_prefix(&format!("\"{name}\"")));
            rest.is_some_and(|rest| rest.starts_with(':'))
        };
        let Some(at) = lines[from..until].iter().position(begins) else { continue };
        found = from + at;
        from = found + 1;
        // What stands below a key is further in.
        let outside =
            |line: &&str| !line.trim().is_empty() && !line.contains("{%") && column(line) <= column(lines[found]);
        until = lines[from..until].iter().position(outside).map_or(until, |at| from + at);
    }
    let line = u32::try_from(found + 1).unwrap_or(1);
    Location { line, ..Location::file(template) }
}

/// Where the key of a line begins.
fn column(line: &str) -> usize {
    line.len() - line.trim_start().trim_start_matches("- ").len()
}
