//! Which pods a claim speaks of.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::Tally;
use crate::network::claims::{Claims, Class, Flow, Group, OneOrMore};
use crate::network::label::Sym;
use crate::network::model::{Model, Pod};

/// Pods, ascending.
pub(super) type Pods = Rc<[u32]>;

/// The pods of classes. What many claims speak of, such as every pod of every customer, is looked for once.
pub(super) struct Subjects<'m> {
    model: &'m Model,
    /// Whether each namespace is in each group.
    groups: BTreeMap<&'m str, Vec<bool>>,
    found: RefCell<HashMap<String, Pods>>,
}

/// Labels that a class wants, each with the values that it may have; a key or value that no object has is absent.
struct Labels(Vec<(Option<Sym>, Vec<Sym>)>);

impl Labels {
    fn of(model: &Model, wanted: &BTreeMap<String, OneOrMore>) -> Self {
        let one = |(key, values): (&String, &OneOrMore)| {
            let values: &[String] = match values {
                OneOrMore::One(value) => std::slice::from_ref(value),
                OneOrMore::More(values) => values,
            };
            (model.interner.find(key), values.iter().filter_map(|value| model.interner.find(value)).collect())
        };
        Self(wanted.iter().map(one).collect())
    }

    fn are_on(&self, pod: &Pod) -> bool {
        self.0
            .iter()
            .all(|(key, values)| key.and_then(|key| pod.labels.get(key)).is_some_and(|value| values.contains(&value)))
    }
}

impl<'m> Subjects<'m> {
    pub(super) fn new(model: &'m Model, claims: &'m Claims) -> Self {
        let meant = |group: &Group| -> Vec<bool> {
            let all = members(model, &group.labels).into_iter().zip(&model.namespaces);
            all.map(|(member, namespace)| member && !group.except.contains(model.text(namespace.name))).collect()
        };
        let groups = claims.groups.iter().map(|(name, group)| (name.as_str(), meant(group))).collect();
        Self { model, groups, found: RefCell::default() }
    }

    /// Whether each namespace is in a group.
    pub(super) fn group(&self, name: &str) -> Option<&[bool]> {
        self.groups.get(name).map(Vec::as_slice)
    }

    /// The pods of a class, ascending. `other` is the class at the other end.
    pub(super) fn pods(&self, class: &Class, other: &Class) -> Pods {
        let other = class.namespace.as_deref().filter(|name| *name == "$other").and(other.namespace.as_deref());
        let key = format!("{:?} {:?} {:?} {other:?}", class.namespace, class.pods, class.except_pods);
        if let Some(known) = self.found.borrow().get(&key) {
            return Rc::clone(known);
        }
        let found: Pods = self.search(class, other).into();
        self.found.borrow_mut().insert(key, Rc::clone(&found));
        found
    }

    fn search(&self, class: &Class, other: Option<&str>) -> Vec<u32> {
        let model = self.model;
        let (wanted, except) = (Labels::of(model, &class.pods), Labels::of(model, &class.except_pods));
        let fits = |pod: &u32| {
            let pod = &model.pods[*pod as usize];
            wanted.are_on(pod) && (except.0.is_empty() || !except.are_on(pod))
        };
        if let Some(name) = class.namespace.as_deref().filter(|name| *name != "*" && !name.starts_with('$')) {
            let found = model.find_namespace(name).map(|at| model.namespaces[at as usize].pods.clone());
            return found.into_iter().flatten().filter(fits).collect();
        }
        let namespaces = self.namespaces(class.namespace.as_deref(), other);
        let inside = |at: usize| namespaces.as_ref().is_none_or(|wanted| wanted[at]);
        let all = model.namespaces.iter().enumerate().filter(|(at, _)| inside(*at));
        all.flat_map(|(_, namespace)| namespace.pods.clone()).filter(fits).collect()
    }

    /// Which namespaces a name of the claims speaks of; all of them if absent.
    pub(super) fn namespaces(&self, name: Option<&str>, other: Option<&str>) -> Option<Vec<bool>> {
        let none = || vec![false; self.model.namespaces.len()];
        let group = |name: &str| Some(self.group(name).map_or_else(none, <[bool]>::to_vec));
        match name? {
            "*" | "$elsewhere" => None,
            "$other" => other.and_then(|name| name.strip_prefix('$')).and_then(group),
            name => match name.strip_prefix('$') {
                Some(name) => group(name),
                None => {
                    let mut one = none();
                    if let Some(found) = self.model.find_namespace(name) {
                        one[found as usize] = true;
                    }
                    Some(one)
                }
            },
        }
    }

    /// A claim about what does not exist proves nothing.
    pub(super) fn note_missing(&self, flow: &Flow, from: &[u32], to: &[u32], tally: &mut Tally) {
        for (class, pods) in [(&flow.from, from), (&flow.to, to)] {
            let Some(name) = class.namespace.as_deref() else { continue };
            let other = if std::ptr::eq(class, &flow.from) { &flow.to } else { &flow.from };
            let name = if name == "$other" { other.namespace.as_deref().unwrap_or(name) } else { name };
            let group = name.strip_prefix('$').and_then(|name| self.groups.get(name));
            let is_empty_group = group.is_some_and(|members| !members.contains(&true)) || name == "$elsewhere";
            if pods.is_empty() && !is_empty_group {
                tally.missing = Some(format!("no workload is {}", describe(class)));
                return;
            }
            let lacking = group.into_iter().flatten().zip(&self.model.namespaces);
            for (_, namespace) in lacking.filter(|(member, _)| **member) {
                if within(pods, &namespace.pods).is_empty() {
                    tally.missing = Some(format!(
                        "{} has no workload that is {}",
                        self.model.text(namespace.name),
                        describe(class)
                    ));
                    return;
                }
            }
        }
    }
}

/// The part of an ascending list of pods that lies in a namespace.
pub(super) fn within<'p>(pods: &'p [u32], namespace: &std::ops::Range<u32>) -> &'p [u32] {
    let first = pods.partition_point(|pod| *pod < namespace.start);
    let last = pods.partition_point(|pod| *pod < namespace.end);
    &pods[first..last.max(first)]
}

/// Which namespaces have all of the labels.
pub(crate) fn members(model: &Model, labels: &BTreeMap<String, String>) -> Vec<bool> {
    let wanted: Option<Vec<_>> =
        labels.iter().map(|(key, value)| Some((model.interner.find(key)?, model.interner.find(value)?))).collect();
    let has = |namespace: &crate::network::model::Namespace| {
        wanted
            .as_ref()
            .is_some_and(|wanted| wanted.iter().all(|(key, value)| namespace.declared.get(*key) == Some(*value)))
    };
    model.namespaces.iter().map(has).collect()
}

/// A class in words.
fn describe(class: &Class) -> String {
    let mut words = format!("in {}", class.namespace.as_deref().unwrap_or("*"));
    for (key, values) in &class.pods {
        let values = match values {
            crate::network::claims::OneOrMore::One(value) => value.clone(),
            crate::network::claims::OneOrMore::More(values) => values.join("|"),
        };
        words += &format!(" with {key}={values}");
    }
    words
}
