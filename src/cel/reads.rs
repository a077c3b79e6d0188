//! What an expression reads of its variables. Two objects that agree in those parts have the same verdict, so that it
//! is enough to ask once for all of them.
//!
//! Where it cannot be told, more is taken to be read than is: never less.

use std::collections::BTreeMap;

use kube_cel::cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use serde_json::{Map, Value};

use super::value::escaped;

/// Parts of a value that are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// All of it.
    whole: bool,
    /// How much of it there is: items, keys, characters.
    sized: bool,
    /// Which keys there are, or how many items.
    keys: bool,
    /// Whether it holds what is only known when it runs: which keys there are, or every item.
    sought: bool,
    /// Whether it holds these texts, as key or as item.
    members: Vec<String>,
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

    fn at(&mut self, path: &[Part]) -> &mut Self {
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

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Field(String),
    /// What a loop runs over: the items of a list, the keys of a mapping.
    Item,
    /// What stands at some index or key.
    Each,
}

/// A part of a variable to which an expression may lead.
type Lead = (String, Vec<Part>);

/// The variables whose reads are told, and what is read of them.
#[derive(Debug, Default)]
pub struct Roots {
    reads: BTreeMap<String, Reads>,
    /// Where variables lead that stand for parts of others: those of comprehensions, `variables.name` of policies.
    scopes: Vec<(String, Vec<Lead>)>,
    composed: BTreeMap<String, Vec<Lead>>,
}

impl Roots {
    /// Tells of these variables.
    pub fn new(names: &[&str]) -> Self {
        Self { reads: names.iter().map(|name| ((*name).to_owned(), Reads::default())).collect(), ..Self::default() }
    }

    /// Runs over an expression whose value is used.
    pub fn run(&mut self, expression: &IdedExpr) {
        let leads = self.visit(expression);
        self.using(&leads);
    }

    /// Runs over the expression of `variables.name`; what it leads to is read only as far as others use it.
    pub fn compose(&mut self, name: &str, expression: &IdedExpr) {
        let leads = self.visit(expression);
        self.composed.insert(name.to_owned(), leads);
    }

    /// What is read of a variable.
    pub fn reads(&self, name: &str) -> Reads {
        self.reads.get(name).cloned().unwrap_or_default()
    }

    fn read(&mut self, lead: &Lead) -> Option<&mut Reads> {
        self.reads.get_mut(&lead.0).map(|reads| reads.at(&lead.1))
    }

    fn using(&mut self, leads: &[Lead]) {
        leads.iter().for_each(|lead| {
            if let Some(reads) = self.read(lead) {
                reads.whole = true;
            }
        });
    }

    fn visit(&mut self, expression: &IdedExpr) -> Vec<Lead> {
        match &expression.expr {
            Expr::Ident(name) => self.ident(name),
            Expr::Select(select) => {
                if let Expr::Ident(name) = &select.operand.expr
                    && name == "variables"
                    && let Some(leads) = self.composed.get(&select.field)
                {
                    return leads.clone();
                }
                let leads = self.visit(&select.operand);
                let leads = further(&leads, &Part::Field(select.field.clone()));
                if !select.test {
                    return leads;
                }
                leads.iter().for_each(|lead| self.note(lead, |_| ()));
                Vec::new()
            }
            Expr::Call(call) => {
                let arguments: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
                self.call(&call.func_name, &arguments)
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::List(list) => self.all(&list.elements),
            Expr::Map(map) => self.entries(map.entries.iter().map(|entry| &entry.expr)),
            Expr::Struct(fields) => self.entries(fields.entries.iter().map(|entry| &entry.expr)),
            Expr::Literal(_) | Expr::Unspecified => Vec::new(),
        }
    }

    fn ident(&self, name: &str) -> Vec<Lead> {
        if let Some((_, leads)) = self.scopes.iter().rev().find(|(own, _)| own == name) {
            return leads.clone();
        }
        if self.reads.contains_key(name) { vec![(name.to_owned(), Vec::new())] } else { Vec::new() }
    }

    fn all<'a>(&mut self, expressions: impl IntoIterator<Item = &'a IdedExpr>) -> Vec<Lead> {
        expressions.into_iter().for_each(|expression| self.run(expression));
        Vec::new()
    }

    fn entries<'a>(&mut self, entries: impl Iterator<Item = &'a EntryExpr>) -> Vec<Lead> {
        for entry in entries {
            match entry {
                EntryExpr::StructField(field) => self.run(&field.value),
                EntryExpr::MapEntry(entry) => drop(self.all([&entry.key, &entry.value])),
            }
        }
        Vec::new()
    }

    fn call(&mut self, name: &str, arguments: &[&IdedExpr]) -> Vec<Lead> {
        match (name, arguments) {
            (operators::CONDITIONAL, [condition, one, other]) => {
                self.run(condition);
                let mut leads = self.visit(one);
                leads.extend(self.visit(other));
                leads
            }
            (operators::INDEX, [of, index]) => {
                let leads = self.visit(of);
                if let Some(key) = literal(index) {
                    return further(&leads, &Part::Field(key));
                }
                self.run(index);
                leads.iter().for_each(|lead| self.note(lead, |reads| reads.keys = true));
                further(&leads, &Part::Each)
            }
            (operators::IN, [what, of]) => {
                let leads = self.visit(of);
                match literal(what) {
                    Some(key) => leads.iter().for_each(|lead| self.note(lead, |reads| reads.members.push(key.clone()))),
                    None => {
                        self.run(what);
                        leads.iter().for_each(|lead| self.note(lead, |reads| reads.sought = true));
                    }
                }
                Vec::new()
            }
            // Whether it is null is told by what kind of value it is.
            (operators::EQUALS | operators::NOT_EQUALS, [of, other]) if is_null(of) || is_null(other) => {
                self.sized(if is_null(of) { other } else { of })
            }
            ("size", [of]) => self.sized(of),
            _ => self.all(arguments.iter().copied()),
        }
    }

    /// Of a list or mapping, no more is read than how many items or which keys it has.
    fn sized(&mut self, of: &IdedExpr) -> Vec<Lead> {
        let leads = self.visit(of);
        leads.iter().for_each(|lead| self.note(lead, |reads| reads.sized = true));
        Vec::new()
    }

    fn note(&mut self, lead: &Lead, note: impl FnOnce(&mut Reads)) {
        if let Some(reads) = self.read(lead) {
            note(reads);
        }
    }

    fn comprehension(&mut self, of: &ComprehensionExpr) -> Vec<Lead> {
        let range = self.visit(&of.iter_range);
        range.iter().for_each(|lead| self.note(lead, |reads| reads.keys = true));
        self.run(&of.accu_init);
        let before = self.scopes.len();
        let (items, values) = (further(&range, &Part::Item), further(&range, &Part::Each));
        self.scopes.push((of.accu_var.clone(), Vec::new()));
        self.scopes.extend(of.iter_var2.iter().map(|name| (name.clone(), values.clone())));
        self.scopes.push((of.iter_var.clone(), items));
        self.all([&of.loop_cond, &of.loop_step]);
        self.run(&of.result);
        self.scopes.truncate(before);
        Vec::new()
    }
}

fn further(leads: &[Lead], part: &Part) -> Vec<Lead> {
    let one = |(name, path): &Lead| {
        let mut path = path.clone();
        path.push(part.clone());
        (name.clone(), path)
    };
    leads.iter().map(one).collect()
}

fn is_null(expression: &IdedExpr) -> bool {
    matches!(expression.expr, Expr::Literal(LiteralValue::Null))
}

fn literal(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Compiled;
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
            ("[object.metadata].all(m, m.name == 'a')", json!({"metadata": object["metadata"]})),
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
