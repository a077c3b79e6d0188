//! Holds a manifest against the schema of its kind.
//!
//! A manifest may hold texts that stand for values which are not known yet (holes). Everything but those is decided at
//! once; what depends on one is told as [`Todo`], so that of ten thousand manifests of one shape only the values are
//! looked at.

use serde_json::{Map, Value};

use super::catalog::{Catalog, SchemaOf};
use super::fault::{Fault, FaultKind};
use super::metadata::{self, Names};
use super::node::{Node, NodeId, Type};
use super::place::{Place, Step};
use super::{lists, rules, scalar};

/// What a manifest is worth.
#[derive(Debug, Default)]
pub struct Verdict<'c> {
    /// What is wrong, whatever the values of the holes are.
    pub faults: Vec<Fault>,
    /// What depends on them.
    pub todo: Vec<Todo<'c>>,
}

/// Something to check once the values of holes are known.
#[derive(Debug, Clone)]
pub struct Todo<'c> {
    /// Where.
    pub place: Place,
    /// What.
    pub open: Open<'c>,
}

/// What is to be checked at a place.
#[derive(Debug, Clone, Copy)]
pub enum Open<'c> {
    /// The value of the hole itself.
    Hole(SchemaOf<'c>, Fields),
    /// Alternatives of a schema.
    Alternatives(SchemaOf<'c>),
    /// Whether an item is there twice.
    Items(SchemaOf<'c>),
    /// A rule in CEL, by its number.
    Rule(SchemaOf<'c>, usize),
    /// Labels or annotations, all of them.
    Names(Names),
    /// The value of a label.
    Label(Names),
}

/// What becomes of fields that a schema does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fields {
    /// They are faults.
    Known,
    /// They are another schema's matter.
    Any,
}

/// Holds a manifest against its schema. `is_hole` tells texts that stand for values; none if the kind is unknown.
pub fn whole<'c>(catalog: &'c Catalog, object: &Value, is_hole: fn(&str) -> bool) -> Option<Verdict<'c>> {
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let schema = catalog.schema(text("apiVersion"), text("kind"))?;
    let mut walk = Walk::new(catalog, is_hole, Fields::Known);
    walk.object(schema, object);
    Some(walk.verdict)
}

impl<'c> Todo<'c> {
    /// Checks it with the value that stands at its place now.
    pub fn check(&self, catalog: &'c Catalog, value: &Value, faults: &mut Vec<Fault>) {
        if let Open::Hole(schema, _) = &self.open
            && scalar::is_plainly_right(schema.node(), value)
        {
            return;
        }
        let mut walk = Walk::new(catalog, |_| false, Fields::Known);
        walk.place = self.place.clone();
        match self.open {
            Open::Hole(schema, fields) => {
                walk.fields = fields;
                walk.value(schema, value);
            }
            Open::Alternatives(schema) => walk.alternatives(schema, value),
            Open::Items(schema) => walk.items_once(schema, value),
            Open::Rule(schema, number) => walk.rule(schema, number, value),
            Open::Names(names) => metadata::check(names, value, &walk.place, &mut walk.verdict.faults),
            Open::Label(names) => metadata::label_value(names, value, &walk.place, &mut walk.verdict.faults),
        }
        faults.append(&mut walk.verdict.faults);
    }
}

struct Walk<'c> {
    catalog: &'c Catalog,
    is_hole: fn(&str) -> bool,
    fields: Fields,
    place: Place,
    verdict: Verdict<'c>,
}

/// What every object has beside what its schema says.
const EVERY: [(&str, &str); 2] = [("apiVersion", "the version of an API"), ("kind", "a kind")];

impl<'c> Walk<'c> {
    fn new(catalog: &'c Catalog, is_hole: fn(&str) -> bool, fields: Fields) -> Self {
        Self { catalog, is_hole, fields, place: Place::default(), verdict: Verdict::default() }
    }

    fn is_hole(&self, value: &Value) -> bool {
        value.as_str().is_some_and(self.is_hole)
    }

    fn has_hole(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => (self.is_hole)(text),
            Value::Array(items) => items.iter().any(|item| self.has_hole(item)),
            Value::Object(fields) => fields.values().any(|value| self.has_hole(value)),
            _ => false,
        }
    }

    fn fault(&mut self, kind: FaultKind, message: impl Into<String>, expected: impl Into<String>) {
        self.verdict.faults.push(Fault::new(&self.place, kind, message).expected(expected));
    }

    fn later(&mut self, open: Open<'c>) {
        self.verdict.todo.push(Todo { place: self.place.clone(), open });
    }

    fn below(&mut self, step: Step, look: impl FnOnce(&mut Self)) {
        self.place.push(step);
        look(self);
        self.place.pop();
    }

    /// An object with a kind of its own: a manifest, or one inside another.
    fn object(&mut self, schema: SchemaOf<'c>, value: &Value) {
        let Value::Object(fields) = value else { return self.value(schema, value) };
        for (name, what) in EVERY {
            match fields.get(name) {
                Some(Value::String(_)) => {}
                Some(_) => self.below(Step::Field(name.into()), |walk| walk.fault(FaultKind::Type, "not text", what)),
                None => self.fault(FaultKind::MissingField, format!("{name} is missing"), what),
            }
        }
        match fields.get("metadata") {
            Some(found) => self.below(Step::Field("metadata".into()), |walk| {
                walk.metadata(found);
                if let Some(own) = schema.node().properties.get("metadata") {
                    let before = std::mem::replace(&mut walk.fields, Fields::Any);
                    walk.value(schema.at(*own), found);
                    walk.fields = before;
                }
            }),
            None => self.fault(FaultKind::MissingField, "metadata is missing", "metadata with a name"),
        }
        let is_own = |name: &String| !matches!(name.as_str(), "apiVersion" | "kind" | "metadata");
        let rest: Map<String, Value> = fields.iter().filter(|(name, _)| is_own(name)).map(owned).collect();
        self.node(schema, &Value::Object(rest), Some(value));
    }

    fn metadata(&mut self, value: &Value) {
        if let Some(schema) = self.catalog.metadata() {
            self.value(schema, value);
        }
        if !metadata::names_its_object(value) {
            self.fault(FaultKind::MissingField, "name is missing", "name: text");
        }
        for (name, names) in metadata::NAMES {
            let Some(map) = value.get(name) else { continue };
            self.below(Step::Field(name.into()), |walk| walk.names(names, map));
        }
    }

    fn names(&mut self, names: Names, map: &Value) {
        if self.is_hole(map) {
            return self.later(Open::Names(names));
        }
        for (key, value) in map.as_object().into_iter().flatten() {
            self.below(Step::Field(key.clone()), |walk| {
                let known = (!walk.is_hole(value)).then_some(value);
                metadata::key_and_value(names, key, known, &walk.place, &mut walk.verdict.faults);
                if known.is_none() && names == Names::Labels {
                    walk.later(Open::Label(names));
                }
            });
        }
    }

    fn value(&mut self, schema: SchemaOf<'c>, value: &Value) {
        if self.is_hole(value) {
            if !schema.node().is_free() {
                self.later(Open::Hole(schema, self.fields));
            }
            return;
        }
        if schema.node().embedded && value.is_object() {
            return self.object(schema, value);
        }
        self.node(schema, value, None);
    }

    /// `whole` is the value with what every object has, for rules that read it.
    fn node(&mut self, schema: SchemaOf<'c>, value: &Value, whole: Option<&Value>) {
        let node = schema.node();
        if value.is_null() && (node.nullable || !schema.custom || node.is_free()) {
            return; // Go reads null as what is not given
        }
        if !scalar::type_holds(node, value) {
            let found = scalar::type_of(value);
            let fault =
                Fault::new(&self.place, FaultKind::Type, format!("{found} where {} belongs", scalar::wanted(node)));
            return self
                .verdict
                .faults
                .push(fault.expected(scalar::wanted(node)).found(scalar::shown(&self.place, value)));
        }
        scalar::check(node, value, &self.place, &mut self.verdict.faults);
        match value {
            Value::Object(fields) => self.fields(schema, node, fields),
            Value::Array(items) => self.items(schema, node, items, value),
            _ => {}
        }
        let judged = whole.unwrap_or(value);
        if node.has_junctors() {
            if self.has_hole(judged) {
                self.later(Open::Alternatives(schema));
            } else {
                self.alternatives(schema, judged);
            }
        }
        for number in 0..node.rules.len() {
            if rules::reads(node, number, judged).is_some_and(|read| self.has_hole(&read)) {
                self.later(Open::Rule(schema, number));
            } else {
                self.rule(schema, number, judged);
            }
        }
    }

    fn fields(&mut self, schema: SchemaOf<'c>, node: &'c Node, fields: &Map<String, Value>) {
        for (name, value) in fields {
            let below = node.properties.get(name).or(node.additional_properties.as_ref());
            match below {
                Some(id) => self.below(Step::Field(name.clone()), |walk| walk.value(schema.at(*id), value)),
                None if node.preserve || self.fields == Fields::Any => {}
                None => self.unknown(node, name),
            }
        }
        for name in node.required.iter().filter(|name| !fields.contains_key(*name)) {
            let id = node.properties.get(name);
            // What the server fills in need not be given.
            if id.is_none_or(|id| schema.at(*id).node().default.is_none()) {
                let wanted = id.map_or("a value", |id| scalar::wanted(schema.at(*id).node()));
                self.fault(FaultKind::MissingField, format!("{name} is missing"), format!("{name}: {wanted}"));
            }
        }
    }

    fn unknown(&mut self, node: &Node, name: &str) {
        let known: Vec<String> = node.properties.keys().cloned().collect();
        let near = crate::config::schema::nearest(name, &known);
        let expected = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "no fields at all".to_owned(),
            None => format!("one of {}", known.join(", ")),
        };
        self.below(Step::Field(name.to_owned()), |walk| {
            walk.fault(FaultKind::UnknownField, format!("there is no field {name}"), expected);
        });
    }

    fn items(&mut self, schema: SchemaOf<'c>, node: &'c Node, items: &[Value], value: &Value) {
        if let Some(id) = node.items {
            for (index, item) in items.iter().enumerate() {
                self.below(Step::Item(index), |walk| walk.value(schema.at(id), item));
            }
        }
        if lists::tells_apart(node) && items.len() > 1 {
            if lists::decisive(schema, value).iter().any(|part| self.has_hole(part)) {
                self.later(Open::Items(schema));
            } else {
                self.items_once(schema, value);
            }
        }
    }

    fn items_once(&mut self, schema: SchemaOf<'c>, value: &Value) {
        for (index, twin) in lists::twins(schema, value) {
            let message = format!("it says the same as item {twin} of the list");
            self.below(Step::Item(index), |walk| walk.fault(FaultKind::Duplicate, message, "items that differ"));
        }
    }

    fn alternatives(&mut self, schema: SchemaOf<'c>, value: &Value) {
        let node = schema.node();
        for id in &node.all_of {
            let faults = self.faults_of(schema.at(*id), value);
            self.verdict.faults.extend(faults);
        }
        let count = |walk: &Self, ids: &[NodeId]| ids.iter().filter(|id| walk.holds(schema.at(**id), value)).count();
        let words = |ids: &[NodeId]| ids.iter().map(|id| words(schema.at(*id))).collect::<Vec<_>>().join("; or ");
        if !node.any_of.is_empty() && count(self, &node.any_of) == 0 {
            self.fault(FaultKind::Value, "none of the alternatives holds", words(&node.any_of));
        }
        if !node.one_of.is_empty() {
            let held = count(self, &node.one_of);
            if held != 1 {
                let message = format!("{held} of the alternatives hold, not exactly one");
                self.fault(FaultKind::Value, message, words(&node.one_of));
            }
        }
        if let Some(id) = node.not
            && self.holds(schema.at(id), value)
        {
            self.fault(FaultKind::Value, "it is what the schema forbids", format!("not: {}", words(&[id])));
        }
    }

    fn holds(&self, schema: SchemaOf<'c>, value: &Value) -> bool {
        self.faults_of(schema, value).is_empty()
    }

    fn faults_of(&self, schema: SchemaOf<'c>, value: &Value) -> Vec<Fault> {
        let mut walk = Walk::new(self.catalog, self.is_hole, Fields::Any);
        walk.place = self.place.clone();
        walk.value(schema, value);
        walk.verdict.faults
    }

    fn rule(&mut self, schema: SchemaOf<'c>, number: usize, value: &Value) {
        self.verdict.faults.extend(rules::check(schema, number, value, &self.place));
    }
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// A schema of an alternative in words.
fn words(schema: SchemaOf<'_>) -> String {
    let node = schema.node();
    let required = (!node.required.is_empty()).then(|| format!("with {}", node.required.join(" and ")));
    let of = node.of.map(|of| Type::name(of).to_owned());
    let fields = node.properties.iter().filter_map(|(name, id)| {
        let below = schema.at(*id).node();
        (!below.choices.is_empty() || below.pattern.is_some()).then(|| format!("{name} {}", scalar::wanted(below)))
    });
    let parts: Vec<String> = required.into_iter().chain(fields).collect();
    if parts.is_empty() { of.unwrap_or_else(|| "something else".into()) } else { parts.join(", ") }
}
