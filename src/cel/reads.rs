//! What an expression reads of its variables. Two objects that agree in those parts have the same verdict, so that it
//! is enough to ask once for all of them.
//!
//! Where it cannot be told, more is taken to be read than is: never less.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::leads::Part;
use super::value::escaped;

/// Parts of a value that are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// All of it.
    pub(super) whole: bool,
    /// How much of it there is: items, keys, characters.
    pub(super) sized: bool,
    /// Which keys there are, or how many items.
    pub(super) keys: bool,
    /// Whether it holds what is only known when it runs: which keys there are, or every item.
    pub(super) sought: bool,
    /// Whether it holds these texts, as key or as item.
    pub(super) members: Vec<String>,
    fields: BTreeMap<String, Reads>,
    /// Of every item of a list; of a mapping, nothing but its keys.
    items: Option<Box<Reads>>,
    /// Of every item or field.
    each: Option<Box<Reads>>,
}

impl Reads {
    /// Whether nothing but presence is read.
    pub fn is_presence(&self) -> bool {
        *self == Self::default()
    }

    /// The parts of a value that are read, and nothing else of it. What only must be there keeps its type. A text may
    /// stand for a value that is not known yet.
    pub fn of(&self, value: &Value) -> Value {
        self.parts(value, false)
    }

    /// As [`Reads::of`], of a value in which every text is one.
    pub fn of_settled(&self, value: &Value) -> Value {
        self.parts(value, true)
    }

    fn parts(&self, value: &Value, settled: bool) -> Value {
        if self.whole {
            return value.clone();
        }
        match value {
            Value::Object(fields) => self.of_fields(fields, settled).into(),
            Value::Array(_) if self.sought || !self.members.is_empty() || !self.fields.is_empty() => value.clone(),
            Value::Array(items) => match (&self.items, &self.each) {
                (Some(_), Some(_)) => value.clone(),
                (Some(one), None) | (None, Some(one)) => items.iter().map(|item| one.parts(item, settled)).collect(),
                (None, None) if self.sized || self.keys => items.iter().map(stub).collect(),
                (None, None) => Value::Array(Vec::new()),
            },
            // Of a scalar, nothing can be read but itself: what looks into it fails, whatever it is.
            other if settled && !self.sized => stub(other),
            other if !self.is_presence() => other.clone(),
            other => stub(other),
        }
    }

    fn of_fields(&self, fields: &Map<String, Value>, settled: bool) -> Map<String, Value> {
        let all = self.sized || self.keys || self.sought;
        let one = |(name, value): (&String, &Value)| {
            let named = self.fields.get(name).or_else(|| self.fields.get(&escaped(name)));
            let value = match (named, &self.each) {
                (Some(_), Some(_)) => value.clone(),
                (Some(reads), None) => reads.parts(value, settled),
                (None, Some(each)) => each.parts(value, settled),
                (None, None) if all || self.members.contains(name) => stub(value),
                (None, None) => return None,
            };
            Some((name.clone(), value))
        };
        fields.iter().filter_map(one).collect()
    }

    pub(super) fn at(&mut self, path: &[Part]) -> &mut Self {
        path.iter().fold(self, |reads, part| match part {
            Part::Field(name) => reads.fields.entry(name.clone()).or_default(),
            Part::Item => reads.items.get_or_insert_default(),
            Part::Each => reads.each.get_or_insert_default(),
        })
    }
}

/// A value of the same type that says nothing.
fn stub(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => false.into(),
        Value::Number(_) => 0.into(),
        Value::String(_) => "".into(),
        Value::Array(_) => Value::Array(Vec::new()),
        Value::Object(_) => Map::new().into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Compiled, Roots};
    use super::*;

    fn read(expression: &str, value: &Value) -> Value {
        let mut roots = Roots::new(&["object"]);
        Compiled::new(expression).unwrap().reads(&mut roots);
        roots.reads("object").of(value)
    }

    #[test]
    fn only_what_is_read_is_kept() {
        let object = json!({"kind": "Role", "metadata": {"name": "a", "labels": {"x": "1", "y": "2"}},
            "rules": [{"verbs": ["get"], "resourceNames": ["b"]}, {"verbs": ["list"]}]});
        for (expression, expected) in [
            ("object.kind == 'Role'", json!({"kind": "Role"})),
            ("has(object.metadata.labels)", json!({"metadata": {"labels": {}}})),
            ("object.rules.all(r, !('*' in r.verbs))", json!({"rules": [{"verbs": ["get"]}, {"verbs": ["list"]}]})),
            ("object.rules.size() > 1", json!({"rules": [{}, {}]})),
            (
                "has(object.metadata.labels) && 'x' in object.metadata.labels",
                json!({"metadata": {"labels": {"x": ""}}}),
            ),
            ("object.metadata.labels['x'] == '1'", json!({"metadata": {"labels": {"x": "1"}}})),
            (
                "(has(object.rules) ? object.rules : []).exists(r, has(r.resourceNames))",
                json!({"rules": [{"resourceNames": []}, {}]}),
            ),
            ("object.metadata.labels.all(k, k.startsWith('x'))", json!({"metadata": {"labels": {"x": "", "y": ""}}})),
            (
                "object.metadata.labels.all(k, object.metadata.labels[k] != '')",
                json!({"metadata": {"labels": {"x": "1", "y": "2"}}}),
            ),
            ("['x', 'z'].exists(k, k in object.metadata.labels)", json!({"metadata": {"labels": {"x": "", "y": ""}}})),
            ("[object.metadata].all(m, m.name == 'a')", json!({"metadata": {"name": "a"}})),
            (
                "((has(object.rules) ? object.rules : []) + []).filter(r, has(r.resourceNames)).map(r, r.verbs)\
                 .all(verbs, verbs.size() > 0)",
                json!({"rules": [{"verbs": [""], "resourceNames": []}, {"verbs": [""]}]}),
            ),
            ("true", json!({})),
        ] {
            assert_eq!(read(expression, &object), expected, "{expression}");
        }
    }

    #[test]
    fn a_text_that_is_one_is_not_looked_into() {
        let mut roots = Roots::new(&["object"]);
        Compiled::new("object.a.all(k, k != 'x') && object.b.size() > 0").unwrap().reads(&mut roots);
        let (reads, object) = (roots.reads("object"), json!({"a": "may stand for a mapping", "b": "long", "c": 1}));
        assert_eq!(reads.of(&object), json!({"a": "may stand for a mapping", "b": "long"}));
        assert_eq!(reads.of_settled(&object), json!({"a": "", "b": "long"}));
    }

    /// The law on which everything rests: the verdict on the parts is the verdict on the whole.
    #[test]
    fn verdicts_do_not_depend_on_what_is_left_out() {
        let objects = [
            json!({"a": {"b": [1, 2], "c": "x"}, "d": [{"e": "f"}, {"g": {"h": true}}]}),
            json!({"a": {"b": []}, "d": []}),
            json!({"a": {"c": ""}}),
            json!({"d": [{"e": "x", "g": {}}]}),
            json!({"a": {"b": "text", "c": ["c", "e"]}, "d": [{"e": "e"}]}),
            json!({"a": "text", "d": {"e": {"g": 1}, "x": {"h": 2}}}),
        ];
        let expressions = [
            "has(object.a) && has(object.a.b) && object.a.b.size() > 1",
            "!has(object.d) || object.d.all(d, !has(d.g) || has(d.g.h))",
            "has(object.d) && object.d.exists(d, has(d.e) && d.e == object.a.c)",
            "(has(object.a) ? object.a : {'c': 'y'}).c == 'x'",
            "has(object.d) && object.d.filter(d, has(d.e)).size() == 1",
            "object.d.map(d, d).size() == 2",
            "object.a.b[0] == 1",
            "has(object.a) && object.a != null && null != object.d",
            "has(object.a) && 'b' in object.a && object.a['b'].size() == 0",
            "object.a.all(key, key in ['b', 'c'])",
            "object.a.exists(key, object.a[key] == 'x')",
            "object.d.all(one, one in object.a.c)",
            "object.d.all(one, one.e in object.a.c)",
            "['b', 'e'].filter(key, key in object.a).size() == 1",
            "['e', 'x'].all(key, key in object.d && object.d[key].all(inner, inner.matches('^[gh]$')))",
            "object.d.map(key, key).size() == 2 && object.d.exists(key, key == 'e')",
            "object.a.b.size() == 4",
            "([object.a] + object.d).filter(one, has(one.e)).map(one, one.e).exists(e, e == 'f' || 'e' in [e])",
            "(has(object.d) ? object.d : []).map(one, [one, object.a]).all(pair, pair[0] != pair[1])",
            "[object.a, object.d].exists(one, one.size() == 2) || [object.a][0].b.size() == 0",
            "(object.a.c + object.d).size() == 3 || (object.a.b + [object.a.c])[0] == 1",
            "('x' + object.a.c).size() == 2 || object.d.map(one, one.e + object.a.c).exists(text, text == 'ex')",
            "[object.a].map(one, one.c).filter(c, c != '').map(c, [c]).exists(list, 'x' in list)",
            "object.d.map(one, one.g).map(g, g.h).size() == 2",
        ];
        for expression in expressions {
            for object in &objects {
                let run =
                    |value: &Value| Compiled::new(expression).unwrap().run(&[("object", super::super::plain(value))]);
                assert_eq!(run(object), run(&read(expression, object)), "{expression} of {object}");
                let mut roots = Roots::new(&["object"]);
                Compiled::new(expression).unwrap().reads(&mut roots);
                let settled = roots.reads("object").of_settled(object);
                assert_eq!(run(object), run(&settled), "{expression} of {object} settled");
            }
        }
    }
}
