//! What is known about the fields of a kind: defaults, quantities, durations, and which lists are maps or sets in truth.
//!
//! A shape of a built-in kind comes from a table ([`super::builtin`]), that of a custom resource from its live
//! CustomResourceDefinition ([`super::crd`]). One walk then serves both.

use std::collections::BTreeMap;

use super::node::{Map, Node};
use super::{duration, quantity};

/// What is known about one field and everything below it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape {
    /// Fields by name.
    pub fields: BTreeMap<String, Shape>,
    /// Values of a map whose keys are free.
    pub rest: Option<Box<Shape>>,
    /// Items of a list.
    pub items: Option<Box<Shape>>,
    /// What kind of list it is.
    pub list: List,
    /// What kind of scalar it is.
    pub scalar: Scalar,
    /// The value that the API server sets when the field is absent.
    pub default: Option<Node<'static>>,
    /// A value that the API server does not keep: absent means the same.
    pub zero: Option<Node<'static>>,
    /// Whether the API server keeps a null (custom resources).
    pub nullable: bool,
    /// A map with free keys: an empty one is as good as none (built-ins), and its values are kept as they are.
    pub free_map: bool,
    /// Whether live values below need work too: lists to sort, quantities, durations.
    pub normalises: bool,
}

/// How the items of a list relate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum List {
    /// The list is one value; its order counts.
    #[default]
    Atomic,
    /// The API server keeps the order, but the order has no meaning (rules that are added up).
    Commutative,
    /// Each scalar at most once; the order does not count.
    Set,
    /// Each key at most once; the order does not count.
    Keyed(Vec<String>),
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scalar {
    /// As it stands.
    #[default]
    Plain,
    /// A quantity of a built-in kind.
    Quantity,
    /// A duration that a controller rewrites.
    Duration,
}

/// One thing to know about the field at a path, for tables.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// JSON that is set when the field is absent and its parent is there.
    Default(&'static str),
    /// JSON that the API server drops.
    Zero(&'static str),
    /// A quantity.
    Quantity,
    /// A duration that a controller rewrites.
    Duration,
    /// A list whose items are told apart by these fields.
    Keyed(&'static [&'static str]),
    /// A list that is a set.
    Set,
    /// An atomic list whose order has no meaning.
    Commutative,
    /// A map with free keys.
    FreeMap,
}

/// Whose conventions hold for what is absent, empty or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Typed in Go: null, `[]` and `""` are absent.
    Builtin,
    /// Kept as JSON by the API server.
    Custom,
}

impl Shape {
    /// A shape from paths such as `spec.ports[].protocol` or `spec.hard.*`.
    pub fn from_rules(rules: &[(&str, Rule)]) -> Self {
        let mut shape = Shape::default();
        for (path, rule) in rules {
            shape.add(path, *rule);
        }
        shape.settle();
        shape
    }

    /// Adds a rule at a path; [`Shape::settle`] must follow.
    pub fn add(&mut self, path: &str, rule: Rule) {
        let target = steps(path).fold(self, |shape, step| match step {
            "[]" => shape.items.get_or_insert_default(),
            "*" => shape.rest.get_or_insert_default(),
            field => shape.fields.entry(field.to_owned()).or_default(),
        });
        let json = |text: &'static str| Node::from_json(text.as_bytes()).ok();
        match rule {
            Rule::Default(text) => target.default = json(text),
            Rule::Zero(text) => target.zero = json(text),
            Rule::Quantity => target.scalar = Scalar::Quantity,
            Rule::Duration => target.scalar = Scalar::Duration,
            Rule::Keyed(keys) => target.list = List::Keyed(keys.iter().map(|key| (*key).to_owned()).collect()),
            Rule::Set => target.list = List::Set,
            Rule::Commutative => target.list = List::Commutative,
            Rule::FreeMap => target.free_map = true,
        }
    }

    /// Works out where live values need work.
    pub fn settle(&mut self) -> bool {
        let mut below = false;
        for shape in self.fields.values_mut() {
            below |= shape.settle();
        }
        for shape in [&mut self.rest, &mut self.items].into_iter().flatten() {
            below |= shape.settle();
        }
        let here = self.scalar != Scalar::Plain || matches!(self.list, List::Set | List::Keyed(_));
        self.normalises = below || here;
        self.normalises
    }

    /// The shape of a field of a map.
    pub fn field(&self, name: &str) -> Option<&Shape> {
        self.fields.get(name).or(self.rest.as_deref())
    }

    /// Sets defaults: those of the parent first, then those inside it.
    pub fn apply_defaults(&self, node: &mut Node<'_>) {
        match node {
            Node::Map(map) => self.apply_defaults_to_map(map),
            Node::List(items) => {
                if let Some(shape) = &self.items {
                    for item in items {
                        if *item == Node::Null && !shape.nullable {
                            *item = shape.default.clone().unwrap_or_default();
                        }
                        shape.apply_defaults(item);
                    }
                }
            }
            _ => {}
        }
    }

    fn apply_defaults_to_map(&self, map: &mut Map<'_>) {
        for (name, shape) in &self.fields {
            let Some(default) = &shape.default else { continue };
            match map.get_mut(name) {
                Some(value) if *value == Node::Null && !shape.nullable => *value = default.clone(),
                Some(_) => {}
                None => map.insert(name.clone(), default.clone()),
            }
        }
        for (name, value) in map.iter_mut() {
            if let Some(shape) = self.field(name) {
                shape.apply_defaults(value);
            }
        }
    }

    /// Takes out what the API server would not keep. `self` may be empty: nothing is known of the fields.
    pub fn prune(&self, node: &mut Node<'_>, origin: Origin) {
        const UNKNOWN: &Shape = &EMPTY;
        match node {
            Node::Map(map) => map.retain(|name, value| {
                let known = self.field(name);
                let shape = known.unwrap_or(UNKNOWN);
                shape.prune(value, origin);
                match origin {
                    Origin::Builtin => !shape.vanishes(value, self.free_map),
                    Origin::Custom => *value != Node::Null || shape.nullable || known.is_none(),
                }
            }),
            Node::List(items) => {
                let shape = self.items.as_deref().unwrap_or(UNKNOWN);
                items.iter_mut().for_each(|item| shape.prune(item, origin));
            }
            _ => {}
        }
    }

    /// Whether a built-in field with this value is as good as absent.
    fn vanishes(&self, value: &Node<'_>, in_free_map: bool) -> bool {
        match value {
            Node::Null => true,
            Node::Text(text) => text.is_empty() && !in_free_map && self.zero.as_ref() != Some(&Node::Null),
            Node::List(items) => items.is_empty(),
            Node::Map(map) => map.is_empty() && self.free_map,
            value => self.zero.as_ref() == Some(value),
        }
    }

    /// Puts quantities, durations, keyed lists and sets into their one form.
    pub fn normalise(&self, node: &mut Node<'_>) {
        if !self.normalises {
            return;
        }
        match node {
            Node::Map(map) => {
                for (name, value) in map.iter_mut() {
                    if let Some(shape) = self.field(name) {
                        shape.normalise(value);
                    }
                }
            }
            Node::List(items) => {
                if let Some(shape) = &self.items {
                    items.iter_mut().for_each(|item| shape.normalise(item));
                }
                self.sort(items);
            }
            scalar => match self.scalar {
                Scalar::Quantity => quantity::canonicalise(scalar),
                Scalar::Duration => duration::canonicalise(scalar),
                Scalar::Plain => {}
            },
        }
    }

    fn sort(&self, items: &mut [Node<'_>]) {
        match &self.list {
            List::Atomic | List::Commutative => {}
            List::Set => items.sort_by_cached_key(ToString::to_string),
            List::Keyed(keys) if items.len() > 1 => items.sort_by_cached_key(|item| item_key(item, keys)),
            List::Keyed(_) => {}
        }
    }
}

static EMPTY: Shape = Shape {
    fields: BTreeMap::new(),
    rest: None,
    items: None,
    list: List::Atomic,
    scalar: Scalar::Plain,
    default: None,
    zero: None,
    nullable: false,
    free_map: false,
    normalises: false,
};

/// What tells an item of a keyed list from the others, as text: `port=80,protocol=TCP`.
pub fn item_key(item: &Node<'_>, keys: &[String]) -> String {
    let mut text = String::new();
    for key in keys {
        let Some(value) = item.get(key) else { continue };
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(key);
        text.push('=');
        match value {
            Node::Text(value) => text.push_str(value),
            other => text.push_str(&other.to_string()),
        }
    }
    text
}

/// `a.b[].c` → `a`, `b`, `[]`, `c`.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split('.').flat_map(|part| {
        let (name, list) = match part.strip_suffix("[]") {
            Some(name) => (name, Some("[]")),
            None => (part, None),
        };
        Some(name).filter(|name| !name.is_empty()).into_iter().chain(list)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worked(shape: &Shape, json: &str, origin: Origin) -> String {
        let mut node = Node::from_json(json.as_bytes()).unwrap();
        shape.apply_defaults(&mut node);
        shape.prune(&mut node, origin);
        shape.normalise(&mut node);
        node.to_string()
    }

    #[test]
    fn defaults_are_set_where_the_parent_is() {
        let shape = Shape::from_rules(&[
            ("a.b", Rule::Default("{}")),
            ("a.b.c", Rule::Default("1")),
            ("l[].p", Rule::Default("\"TCP\"")),
        ]);
        for (from, to) in [
            ("{}", "{}"),
            (r#"{"a":{}}"#, r#"{"a":{"b":{"c":1}}}"#),
            (r#"{"a":{"b":{"c":2}}}"#, r#"{"a":{"b":{"c":2}}}"#),
            (r#"{"l":[{},{"p":"UDP"}]}"#, r#"{"l":[{"p":"TCP"},{"p":"UDP"}]}"#),
        ] {
            assert_eq!(worked(&shape, from, Origin::Builtin), to);
        }
    }

    #[test]
    fn built_ins_drop_what_go_omits_and_custom_resources_do_not() {
        let shape = Shape::from_rules(&[("labels", Rule::FreeMap), ("flag", Rule::Zero("false"))]);
        let json = r#"{"empty":{},"flag":false,"labels":{},"list":[],"null":null,"other":false,"text":""}"#;
        assert_eq!(worked(&shape, json, Origin::Builtin), r#"{"empty":{},"other":false}"#);
        assert_eq!(worked(&shape, json, Origin::Custom), json);
        let labels = r#"{"labels":{"a":""}}"#;
        assert_eq!(worked(&shape, labels, Origin::Builtin), labels);
    }

    #[test]
    fn nulls_in_custom_resources_follow_the_schema() {
        let mut shape = Shape::from_rules(&[("plain", Rule::Quantity), ("defaulted", Rule::Default("3"))]);
        shape.fields.insert("nullable".into(), Shape { nullable: true, ..Shape::default() });
        let json = r#"{"defaulted":null,"nullable":null,"plain":null,"unknown":null}"#;
        assert_eq!(worked(&shape, json, Origin::Custom), r#"{"defaulted":3,"nullable":null,"unknown":null}"#);
    }

    #[test]
    fn sets_and_keyed_lists_have_one_order_and_atomic_lists_keep_theirs() {
        let shape = Shape::from_rules(&[
            ("ports", Rule::Keyed(&["port", "protocol"])),
            ("set", Rule::Set),
            ("sum", Rule::Commutative),
            ("ports[].size", Rule::Quantity),
        ]);
        let json = r#"{"ports":[{"port":53,"protocol":"UDP"},{"port":53,"protocol":"TCP","size":"1000m"}],"set":["b","a"],"sum":[2,1]}"#;
        let sorted = r#"{"ports":[{"port":53,"protocol":"TCP","size":"1"},{"port":53,"protocol":"UDP"}],"set":["a","b"],"sum":[2,1]}"#;
        assert_eq!(worked(&shape, json, Origin::Builtin), sorted);
    }
}
