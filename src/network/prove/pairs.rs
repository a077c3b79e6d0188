//! Pairs of pods, by the classes that they belong to.

use std::collections::HashMap;

use super::subjects::within;
use super::{Prover, Tally};
use crate::network::claims::{Class, NamesClass, OutsideClass};
use crate::network::model::Model;
use crate::network::party::{Bound, Party};
use crate::network::ports::PortSet;
use crate::network::reach::{Relation, Sides};
use crate::network::witness::Witness;

impl Prover<'_> {
    /// Visits every two classes of the given pods, and every exception, and lets `judge` say what is wrong with a flow.
    #[expect(clippy::too_many_arguments, reason = "the parts of one question")]
    pub(super) fn each_pair(
        &self,
        from: &[u32],
        to: &[u32],
        relations: &[Relation],
        bound: Bound,
        tally: &mut Tally,
        judge: impl Fn(&Sides) -> Option<PortSet>,
        witness: fn(&Model, Party, Party, &PortSet) -> Witness,
    ) {
        let (sources, targets) = (self.by_class(from), self.by_class(to));
        for relation in relations {
            tally.pairs += self.count(from, to, *relation);
            for (a, sources) in &sources {
                for (b, targets) in &targets {
                    tally.examined += 1;
                    let Some(wrong) = judge(&self.reach.class_sides(*a, *b, *relation, bound)) else { continue };
                    if let Some((p, q)) = self.some_pair(sources, targets, *relation) {
                        tally.fail(|| witness(self.model, Party::Pod(p), Party::Pod(q), &wrong));
                    }
                }
            }
        }
        for (p, q) in self.exceptions_between(from, to) {
            tally.examined += 1;
            if relations.contains(&self.reach.relation(p, q))
                && let Some(wrong) = judge(&self.reach.sides(p, q, bound))
            {
                tally.fail(|| witness(self.model, Party::Pod(p), Party::Pod(q), &wrong));
            }
        }
    }

    pub(super) fn by_class(&self, pods: &[u32]) -> Vec<(u32, Vec<u32>)> {
        // Sorted by the first member, so that reports do not depend on how classes are numbered.
        let mut order: Vec<(u32, Vec<u32>)> = Vec::new();
        let mut position: HashMap<u32, usize> = HashMap::new();
        for pod in pods {
            let class = self.reach.classes.class_of[*pod as usize];
            let at = *position.entry(class).or_insert_with(|| {
                order.push((class, Vec::new()));
                order.len() - 1
            });
            order[at].1.push(*pod);
        }
        order
    }

    /// A pair in that relation that the classes decide. The pairs passed over on the way are those of one namespace and
    /// the exceptions, so the search is short.
    pub(super) fn some_pair(&self, sources: &[u32], targets: &[u32], relation: Relation) -> Option<(u32, u32)> {
        let exceptions = &self.reach.classes.exceptions;
        for p in sources {
            let candidates = match relation {
                Relation::Same => within(targets, &self.model.namespace_of(*p).pods),
                Relation::Different => targets,
            };
            let found = candidates
                .iter()
                .find(|q| p != *q && self.reach.relation(*p, **q) == relation && !exceptions.contains(&(*p, **q)));
            if let Some(q) = found {
                return Some((*p, *q));
            }
        }
        None
    }

    pub(super) fn exceptions_between(&self, from: &[u32], to: &[u32]) -> Vec<(u32, u32)> {
        let lists = &self.reach.classes.exceptions_from;
        let of = |p: &u32| lists.get(p).into_iter().flatten().map(|q| (*p, *q)).collect::<Vec<_>>();
        let mut pairs: Vec<(u32, u32)> = match from.len() < lists.len() {
            true => from.iter().flat_map(of).collect(),
            false => lists.keys().filter(|p| from.binary_search(p).is_ok()).flat_map(of).collect(),
        };
        pairs.retain(|(_, q)| to.binary_search(q).is_ok());
        pairs.sort_unstable();
        pairs
    }

    pub(super) fn count(&self, from: &[u32], to: &[u32], relation: Relation) -> u64 {
        let per_namespace = |pods: &[u32]| {
            let mut counts: HashMap<u32, u64> = HashMap::new();
            for pod in pods {
                *counts.entry(self.model.pods[*pod as usize].namespace).or_default() += 1;
            }
            counts
        };
        let (left, right) = (per_namespace(from), per_namespace(to));
        let same: u64 = left.iter().map(|(namespace, count)| count * right.get(namespace).copied().unwrap_or(0)).sum();
        match relation {
            Relation::Same => same,
            Relation::Different => from.len() as u64 * to.len() as u64 - same,
        }
    }
}

/// What kind of end a class is.
#[derive(PartialEq)]
pub(super) enum Ends<'c> {
    Pods,
    Outside(&'c OutsideClass),
    Machine(Party),
    Names(NamesClass),
    Hosts(&'c [String]),
}

pub(super) fn ends(class: &Class) -> Ends<'_> {
    if !class.hosts.is_empty() {
        return Ends::Hosts(&class.hosts);
    }
    match (&class.outside, &class.entity, class.names) {
        (Some(outside), _, _) => Ends::Outside(outside),
        (None, Some(entity), _) => Ends::Machine(Party::Entity(entity.0)),
        (None, None, Some(names)) => Ends::Names(names),
        (None, None, None) => Ends::Pods,
    }
}

pub(super) fn is_absent(class: &Class, pods: &[u32]) -> bool {
    ends(class) == Ends::Pods && pods.is_empty()
}

/// Which relations of namespaces two classes are about.
pub(super) fn relations(from: &Class, to: &Class) -> &'static [Relation] {
    let names = [from.namespace.as_deref(), to.namespace.as_deref()];
    if names.iter().flatten().any(|name| matches!(*name, "$other" | "$elsewhere")) {
        return &[Relation::Different];
    }
    match names {
        [Some(a), Some(b)] if a == b && a.starts_with('$') => &[Relation::Same],
        _ => &Relation::BOTH,
    }
}
