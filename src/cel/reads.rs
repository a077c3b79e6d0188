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

/// What an expression may have for a value: a part of a variable, or a list that it puts together itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Leads {
    parts: Vec<Lead>,
    /// What the items of such a list may be.
    items: Option<Box<Leads>>,
}

impl Leads {
    fn list(items: Self) -> Self {
        Self { parts: Vec::new(), items: Some(Box::new(items)) }
    }

    /// What is this or the other.
    fn or(mut self, other: Self) -> Self {
        for part in other.parts {
            if !self.parts.contains(&part) {
                self.parts.push(part);
            }
        }
        self.items = match (self.items, other.items) {
            (Some(one), Some(other)) => Some(Box::new(one.or(*other))),
            (one, other) => one.or(other),
        };
        self
    }

    /// What stands there in it.
    fn further(&self, part: &Part) -> Self {
        let one = |(name, path): &Lead| {
            let mut path = path.clone();
            path.push(part.clone());
            (name.clone(), path)
        };
        let parts = Self { parts: self.parts.iter().map(one).collect(), items: None };
        match (&self.items, part) {
            (Some(items), Part::Item | Part::Each) => parts.or(Self::clone(items)),
            _ => parts,
        }
    }
}

/// How often a loop is run over until what it gathers is known; `map` and `filter` take two rounds.
const ROUNDS: usize = 4;

/// The variables whose reads are told, and what is read of them.
#[derive(Debug, Default)]
pub struct Roots {
    reads: BTreeMap<String, Reads>,
    /// Where variables lead that stand for parts of others: those of comprehensions, `variables.name` of policies.
    scopes: Vec<(String, Leads)>,
    composed: BTreeMap<String, Leads>,
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

    fn using(&mut self, leads: &Leads) {
        self.note(leads, |reads| reads.whole = true);
        if let Some(items) = &leads.items {
            self.using(items);
        }
    }

    fn visit(&mut self, expression: &IdedExpr) -> Leads {
        match &expression.expr {
            Expr::Ident(name) => self.ident(name),
            Expr::Select(select) => {
                if let Expr::Ident(name) = &select.operand.expr
                    && name == "variables"
                    && let Some(leads) = self.composed.get(&select.field)
                {
                    return leads.clone();
                }
                let leads = self.visit(&select.operand).further(&Part::Field(select.field.clone()));
                if !select.test {
                    return leads;
                }
                self.note(&leads, |_| ());
                Leads::default()
            }
            Expr::Call(call) => {
                let arguments: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
                self.call(&call.func_name, &arguments)
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::List(list) => {
                let items = list.elements.iter().map(|item| self.present(item));
                Leads::list(items.fold(Leads::default(), Leads::or))
            }
            Expr::Map(map) => self.entries(map.entries.iter().map(|entry| &entry.expr)),
            Expr::Struct(fields) => self.entries(fields.entries.iter().map(|entry| &entry.expr)),
            Expr::Literal(_) | Expr::Unspecified => Leads::default(),
        }
    }

    /// What an expression leads to, which must be there for the whole to have a value.
    fn present(&mut self, expression: &IdedExpr) -> Leads {
        let leads = self.visit(expression);
        self.note(&leads, |_| ());
        leads
    }

    fn ident(&self, name: &str) -> Leads {
        if let Some((_, leads)) = self.scopes.iter().rev().find(|(own, _)| own == name) {
            return leads.clone();
        }
        let parts = self.reads.contains_key(name).then(|| (name.to_owned(), Vec::new()));
        Leads { parts: parts.into_iter().collect(), items: None }
    }

    fn all<'a>(&mut self, expressions: impl IntoIterator<Item = &'a IdedExpr>) -> Leads {
        expressions.into_iter().for_each(|expression| self.run(expression));
        Leads::default()
    }

    fn entries<'a>(&mut self, entries: impl Iterator<Item = &'a EntryExpr>) -> Leads {
        for entry in entries {
            match entry {
                EntryExpr::StructField(field) => self.run(&field.value),
                EntryExpr::MapEntry(entry) => drop(self.all([&entry.key, &entry.value])),
            }
        }
        Leads::default()
    }

    fn call(&mut self, name: &str, arguments: &[&IdedExpr]) -> Leads {
        match (name, arguments) {
            (operators::CONDITIONAL, [condition, one, other]) => {
                self.run(condition);
                self.visit(one).or(self.visit(other))
            }
            (operators::ADD, [one, other]) => {
                let (one, other) = (self.visit(one), self.visit(other));
                self.sum(&one, &other)
            }
            (operators::INDEX, [of, index]) => {
                let leads = self.visit(of);
                if let Some(key) = literal(index) {
                    return leads.further(&Part::Field(key));
                }
                self.run(index);
                self.note(&leads, |reads| reads.keys = true);
                leads.further(&Part::Each)
            }
            (operators::IN, [what, of]) => {
                let leads = self.visit(of);
                if let Some(items) = &leads.items {
                    self.using(items);
                }
                match literal(what) {
                    Some(key) => self.note(&leads, |reads| reads.members.push(key.clone())),
                    None => {
                        self.run(what);
                        self.note(&leads, |reads| reads.sought = true);
                    }
                }
                Leads::default()
            }
            // Whether it is null is told by what kind of value it is.
            (operators::EQUALS | operators::NOT_EQUALS, [of, other]) if is_null(of) || is_null(other) => {
                self.sized(if is_null(of) { other } else { of })
            }
            ("size", [of]) => self.sized(of),
            _ => self.all(arguments.iter().copied()),
        }
    }

    /// A sum; of two lists, if one of them is put together here. (Of texts, all that is added is read.)
    fn sum(&mut self, one: &Leads, other: &Leads) -> Leads {
        if one.items.is_none() && other.items.is_none() {
            self.using(one);
            self.using(other);
            return Leads::default();
        }
        for leads in [one, other] {
            self.note(leads, |reads| reads.sized = true);
        }
        Leads::list(one.further(&Part::Item).or(other.further(&Part::Item)))
    }

    /// Of a list or mapping, no more is read than how many items or which keys it has.
    fn sized(&mut self, of: &IdedExpr) -> Leads {
        let leads = self.visit(of);
        self.note(&leads, |reads| reads.sized = true);
        Leads::default()
    }

    fn note(&mut self, leads: &Leads, note: impl Fn(&mut Reads)) {
        for (name, path) in &leads.parts {
            if let Some(reads) = self.reads.get_mut(name) {
                note(reads.at(path));
            }
        }
    }

    fn comprehension(&mut self, of: &ComprehensionExpr) -> Leads {
        let range = self.visit(&of.iter_range);
        self.note(&range, |reads| reads.keys = true);
        let mut gathered = self.present(&of.accu_init);
        for round in 1.. {
            let next = self.within(of, &range, &gathered, |own| {
                own.run(&of.loop_cond);
                own.present(&of.loop_step)
            });
            let next = gathered.clone().or(next);
            if next == gathered {
                break;
            }
            gathered = next;
            if round == ROUNDS {
                self.using(&gathered);
                gathered = Leads::default();
                break;
            }
        }
        self.within(of, &range, &gathered, |own| own.visit(&of.result))
    }

    /// Inside a loop.
    fn within(
        &mut self,
        of: &ComprehensionExpr,
        range: &Leads,
        gathered: &Leads,
        then: impl FnOnce(&mut Self) -> Leads,
    ) -> Leads {
        let before = self.scopes.len();
        self.scopes.push((of.accu_var.clone(), gathered.clone()));
        self.scopes.extend(of.iter_var2.iter().map(|name| (name.clone(), range.further(&Part::Each))));
        self.scopes.push((of.iter_var.clone(), range.further(&Part::Item)));
        let leads = then(self);
        self.scopes.truncate(before);
        leads
    }
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
