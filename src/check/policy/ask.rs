//! Asks every policy about every object of a unit: once for all objects that agree in what the policy reads.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, RwLock};

use serde_json::{Map, Value};

use super::{Namespaces, resource};
use crate::admission::{self, Asked, Policy, Resource, Subject, Verdict};
use crate::manifest::{IdRef, ObjectId};
use crate::render::{FileContent, Held, RenderedUnit, Shape, fill, hole};
use crate::schemas::{Catalog, Place, Step};

/// Where an object was rendered.
struct Where<'u> {
    unit: usize,
    cluster: &'u str,
    template: Option<&'static str>,
    manifest: Manifest,
}

/// A shape, and the number of a manifest in it.
pub(super) type Manifest = (usize, usize);

/// All policies, and what they said of shapes.
pub(super) struct Guard<'a> {
    catalog: &'a Catalog,
    asked: Vec<&'a Policy>,
    namespaces: &'a Namespaces,
    user: &'static str,
    shapes: RwLock<HashMap<usize, Arc<Vec<Vec<Known>>>>>,
}

/// What a policy reads of a manifest of a shape, and what it said so far.
struct Known {
    policy: usize,
    resource: Resource,
    read: Value,
    labels: Value,
    /// Whether values stand in its labels.
    open_labels: bool,
    /// Where the values are that it reads, and their numbers.
    holes: Vec<(Place, usize)>,
    /// Whether every object of the shape has the same verdict.
    fixed: bool,
    /// What it said, by what it reads.
    said: Mutex<HashMap<String, Asked>>,
    /// The same by where the values are held that it reads: tenants hold in common what they have in common.
    held: Mutex<HashMap<Vec<usize>, Asked>>,
}

/// Verdicts that are remembered of one policy and shape; most have one, or one a tenant.
const REMEMBERED: usize = 4096;

/// An object that a policy does not let pass.
pub(super) struct Refusal<'a> {
    pub policy: &'a Policy,
    pub unit: usize,
    pub template: Option<&'static str>,
    pub object: ObjectId,
    pub place: Place,
    pub shared: Option<Manifest>,
    pub verdict: Verdict,
}

impl<'a> Guard<'a> {
    /// For the namespaces that are rendered, and who applies what is.
    pub fn new(catalog: &'a Catalog, asked: Vec<&'a Policy>, namespaces: &'a Namespaces, user: &'static str) -> Self {
        Self { catalog, asked, namespaces, user, shapes: RwLock::default() }
    }

    /// What the policies refuse of a unit.
    pub fn of_unit(&self, number: usize, unit: &RenderedUnit) -> Vec<Refusal<'a>> {
        let mut refused = Vec::new();
        for content in unit.files.values() {
            match content {
                FileContent::Template(rendered) => {
                    let shape = Arc::as_ptr(rendered.shape()) as usize;
                    let known = self.known(rendered.shape());
                    for (at, (known, id)) in known.iter().zip(rendered.identities()).enumerate() {
                        let Ok(id) = id else { continue };
                        let at = Where {
                            unit: number,
                            cluster: unit.cluster(),
                            template: Some(rendered.template()),
                            manifest: (shape, at),
                        };
                        refused
                            .extend(known.iter().filter_map(|known| self.refusal(known, id, &at, rendered.values())));
                    }
                }
                FileContent::Objects(objects) => {
                    let at = Where { unit: number, cluster: unit.cluster(), template: None, manifest: (0, 0) };
                    for object in objects {
                        let Ok(id) = IdRef::of(object) else { continue };
                        refused.extend(self.learn(object).iter().filter_map(|known| self.refusal(known, id, &at, &[])));
                    }
                }
            }
        }
        refused
    }

    fn refusal(&self, known: &Known, id: IdRef<'_>, at: &Where<'_>, values: &[Held]) -> Option<Refusal<'a>> {
        let Asked::Yes(verdict) = self.verdict(known, id, at.cluster, values) else { return None };
        (verdict != Verdict::Allowed).then(|| Refusal {
            policy: self.asked[known.policy],
            unit: at.unit,
            template: at.template,
            object: ObjectId::from(id),
            place: self.guilty(known, id, at.cluster, values),
            shared: (known.fixed && at.template.is_some()).then_some(at.manifest),
            verdict,
        })
    }

    fn known(&self, shape: &Arc<Shape>) -> Arc<Vec<Vec<Known>>> {
        let key = Arc::as_ptr(shape) as usize;
        if let Ok(shapes) = self.shapes.read()
            && let Some(known) = shapes.get(&key)
        {
            return Arc::clone(known);
        }
        let known = Arc::new(shape.manifests().map(|manifest| self.learn(manifest)).collect::<Vec<_>>());
        match self.shapes.write() {
            Ok(mut shapes) => Arc::clone(shapes.entry(key).or_insert(known)),
            Err(_) => known,
        }
    }

    /// The policies that could be about a manifest, with what they read of it.
    fn learn(&self, manifest: &Value) -> Vec<Known> {
        let text = |field: &str| manifest[field].as_str().unwrap_or_default();
        let Some(resource) = resource(self.catalog, text("apiVersion"), text("kind")) else { return Vec::new() };
        let of = |(policy, asked): (usize, &&Policy)| {
            asked.knows(&resource).then(|| {
                let read = asked.of_object(manifest);
                let labels = manifest["metadata"]["labels"].clone();
                let mut holes = Vec::new();
                find_holes(&read, &mut Place::default(), &mut holes);
                let open_labels = has_hole(&labels);
                let fixed = holes.is_empty() && !asked.reads_around() && !open_labels;
                let (resource, said, held) = (resource.clone(), Mutex::default(), Mutex::default());
                Known { policy, resource, read, labels, open_labels, holes, fixed, said, held }
            })
        };
        self.asked.iter().enumerate().filter_map(of).collect()
    }

    /// The place of the value without which the object would pass; the object as a whole if no single one decides.
    fn guilty(&self, known: &Known, id: IdRef<'_>, cluster: &str, values: &[Held]) -> Place {
        if let [(only, _)] = known.holes.as_slice() {
            return only.clone();
        }
        let passes_without = |number: usize| {
            let mut values = values.to_vec();
            if let Some(value) = values.get_mut(number) {
                *value = Held::new(Value::String(String::new()));
            }
            self.ask(known, id, cluster, &values) == Asked::Yes(Verdict::Allowed)
        };
        let decides = known.holes.iter().find(|(_, number)| passes_without(*number));
        decides.map(|(place, _)| place.clone()).unwrap_or_default()
    }

    /// What a policy says of an object whose values are held as long as the units are.
    fn verdict(&self, known: &Known, id: IdRef<'_>, cluster: &str, values: &[Held]) -> Asked {
        self.with_subject(known, id, cluster, values, |policy, subject| {
            if policy.reads_around() || known.holes.is_empty() {
                return self.say(known, policy, subject, cluster, values);
            }
            let held = |(_, number): &(Place, usize)| values.get(*number).map_or(0, |held| Held::as_ptr(held) as usize);
            let key: Vec<usize> = known.holes.iter().map(held).collect();
            remembered(&known.held, key, || self.say(known, policy, subject, cluster, values))
        })
    }

    /// What a policy says of an object.
    fn ask(&self, known: &Known, id: IdRef<'_>, cluster: &str, values: &[Held]) -> Asked {
        self.with_subject(known, id, cluster, values, |policy, subject| {
            self.say(known, policy, subject, cluster, values)
        })
    }

    /// Asks about an object, all but what the policy reads of it, if the policy is about such objects at all.
    fn with_subject(
        &self,
        known: &Known,
        id: IdRef<'_>,
        cluster: &str,
        values: &[Held],
        then: impl FnOnce(&Policy, &Subject<'_>) -> Asked,
    ) -> Asked {
        let policy = self.asked[known.policy];
        let is_namespace = known.resource.plural == "namespaces" && known.resource.group.is_empty();
        let of_namespace = id.namespace.or(is_namespace.then_some(id.name));
        let namespace = of_namespace.and_then(|name| self.namespaces.get(cluster)?.get(name));
        let labels =
            if known.open_labels { Cow::Owned(fill(&known.labels, values)) } else { Cow::Borrowed(&known.labels) };
        let none = Map::new();
        let elsewhere =
            of_namespace.filter(|_| namespace.is_none()).map(|name| admission::labels_of_namespace(&Value::Null, name));
        let subject = Subject {
            resource: &known.resource,
            object: &known.read,
            old: None,
            name: id.name,
            namespace: namespace.map(|(object, _)| object),
            namespace_name: of_namespace,
            namespace_labels: namespace.map(|(_, labels)| labels).or(elsewhere.as_ref()),
            labels: labels.as_object().unwrap_or(&none),
            user: self.user,
        };
        if policy.is_met(&subject) { then(policy, &subject) } else { Asked::No }
    }

    /// Asks a policy, unless it was asked about an object that agrees with this one in all that it reads.
    fn say(&self, known: &Known, policy: &Policy, subject: &Subject<'_>, cluster: &str, values: &[Held]) -> Asked {
        let around = || format!("{cluster} {} {} ", subject.namespace_name.unwrap_or_default(), subject.name);
        let around = if policy.reads_around() { around() } else { String::new() };
        if known.holes.is_empty() {
            return remembered(&known.said, around, || policy.ask_all(subject));
        }
        let object = policy.of_settled(&fill(&known.read, values));
        let key = format!("{around}{object}");
        remembered(&known.said, key, || policy.ask_all(&Subject { object: &object, ..subject.clone() }))
    }
}

fn remembered<K: Eq + Hash>(said: &Mutex<HashMap<K, Asked>>, key: K, ask: impl FnOnce() -> Asked) -> Asked {
    if let Ok(said) = said.lock()
        && let Some(asked) = said.get(&key)
    {
        return asked.clone();
    }
    let asked = ask();
    if let Ok(mut said) = said.lock()
        && said.len() < REMEMBERED
    {
        said.insert(key, asked.clone());
    }
    asked
}

fn has_hole(value: &Value) -> bool {
    let mut holes = Vec::new();
    find_holes(value, &mut Place::default(), &mut holes);
    !holes.is_empty()
}

/// The places of values in a part of a manifest, with their numbers.
fn find_holes(value: &Value, place: &mut Place, holes: &mut Vec<(Place, usize)>) {
    match value {
        Value::String(text) => holes.extend(hole(text).map(|number| (place.clone(), number))),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                place.push(Step::Item(index));
                find_holes(item, place, holes);
                place.pop();
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                place.push(Step::Field(name.clone()));
                find_holes(value, place, holes);
                place.pop();
            }
        }
        _ => {}
    }
}
