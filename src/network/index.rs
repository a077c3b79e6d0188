//! Which namespaces and pods a selector matches, found through the labels that it asks for.

use std::collections::HashMap;

use super::label::{Selector, Sym, Test};
use super::model::Model;

/// Postings of labels.
pub(crate) struct Index<'m> {
    model: &'m Model,
    /// Namespaces by label, ascending.
    namespaces: HashMap<(Sym, Sym), Vec<u32>>,
    /// The namespace whose pods alone have a label; absent if pods of several have it.
    pod_label_home: HashMap<(Sym, Sym), Option<u32>>,
    matched: HashMap<Selector, Vec<u32>>,
}

impl<'m> Index<'m> {
    pub fn new(model: &'m Model) -> Self {
        let mut namespaces: HashMap<(Sym, Sym), Vec<u32>> = HashMap::new();
        for (position, namespace) in (0u32..).zip(&model.namespaces) {
            for label in namespace.labels.iter() {
                namespaces.entry(label).or_default().push(position);
            }
        }
        let mut pod_label_home = HashMap::new();
        for pod in &model.pods {
            for label in pod.identity.iter() {
                let home = pod_label_home.entry(label).or_insert(Some(pod.namespace));
                if *home != Some(pod.namespace) {
                    *home = None;
                }
            }
        }
        Self { model, namespaces, pod_label_home, matched: HashMap::new() }
    }

    /// The namespaces that a selector matches, ascending.
    pub fn namespaces(&mut self, selector: &Selector) -> &[u32] {
        if !self.matched.contains_key(selector) {
            let found = self.search(selector);
            self.matched.insert(selector.clone(), found);
        }
        &self.matched[selector]
    }

    fn search(&self, selector: &Selector) -> Vec<u32> {
        let matches = |namespace: &u32| selector.matches(&self.model.namespaces[*namespace as usize].labels);
        let candidates = selector.requirements().iter().filter_map(|requirement| match &requirement.test {
            Test::In(values) => Some(self.having(requirement.key, values)),
            _ => None,
        });
        match candidates.min_by_key(Vec::len) {
            Some(candidates) => candidates.into_iter().filter(matches).collect(),
            None => (0..u32::try_from(self.model.namespaces.len()).unwrap_or(u32::MAX)).filter(matches).collect(),
        }
    }

    fn having(&self, key: Sym, values: &[Sym]) -> Vec<u32> {
        let postings = values.iter().filter_map(|value| self.namespaces.get(&(key, *value)));
        let mut found: Vec<u32> = postings.flatten().copied().collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// What is left of a namespace selector when it is asked about other namespaces than `home`; `None` if nothing can
    /// match. A value that `home` alone has is a constant of that namespace: without it, selectors of congruent
    /// namespaces are equal.
    pub fn for_others(&self, selector: &Selector, home: u32) -> Option<Selector> {
        let labels = &self.model.namespaces[home as usize].labels;
        strip(selector, |key, value| {
            labels.get(key) == Some(value)
                && self.namespaces.get(&(key, value)).is_some_and(|all| all.as_slice() == [home])
        })
    }

    /// The same for a selector on pods outside of `home`.
    pub fn for_other_pods(&self, selector: &Selector, home: u32) -> Option<Selector> {
        strip(selector, |key, value| self.pod_label_home.get(&(key, value)) == Some(&Some(home)))
    }
}

/// Takes values out of a selector that no candidate has.
fn strip(selector: &Selector, is_absent: impl Fn(Sym, Sym) -> bool) -> Option<Selector> {
    let mut left = Vec::with_capacity(selector.requirements().len());
    for requirement in selector.requirements() {
        let mut requirement = requirement.clone();
        let key = requirement.key;
        match &mut requirement.test {
            Test::In(values) => {
                values.retain(|value| !is_absent(key, *value));
                if values.is_empty() {
                    return None;
                }
            }
            Test::NotIn(values) => {
                values.retain(|value| !is_absent(key, *value));
                if values.is_empty() {
                    continue;
                }
            }
            Test::Exists | Test::DoesNotExist => {}
        }
        left.push(requirement);
    }
    Some(Selector::new(left))
}
