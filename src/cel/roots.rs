//! Runs over expressions and tells what they read of their variables: through fields, loops, lists that are put together, and
//! the variables of a policy, which stand for parts of others.

use std::collections::BTreeMap;

use kube_cel::cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use super::leads::{Leads, Part};
use super::reads::Reads;

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
