//! What is suspicious in a set of policies by itself, without any claim.
//!
//! One file a family of rules. Every finding names the line to look at.

mod addresses;
mod dns;
mod peers;
mod ports;
mod sides;
mod subjects;

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;

use super::index::Index;
use super::input::Place;
use super::model::{Model, Note};
use super::outside::Outside;
use super::policy::{Direction, NamespaceTerm, PeerItem, PodTerm, Policy, Rule};
use super::prove::members;
use super::reach::Reach;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Certainly a mistake: a policy does not do what it says.
    Error,
    /// Probably a mistake, or wider than it should be.
    Warning,
}

/// Something that is wrong with a policy or an object, whatever the claims.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// A stable id.
    pub rule: &'static str,
    /// How bad.
    pub severity: Severity,
    /// The object, as `Kind namespace/name`.
    pub object: String,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {}: {}: {}", self.place, self.rule, self.object, self.message)
    }
}

/// Everything that the rules below find, by place.
#[must_use]
pub fn lints(model: &Model) -> Vec<Violation> {
    let reach = Reach::new(model);
    let outside = Outside::new(&reach);
    lints_with(&reach, &outside, &BTreeMap::new())
}

/// As [`lints`], with groups of namespaces that have nothing to do with each other.
pub(crate) fn lints_with(
    reach: &Reach<'_>,
    outside: &Outside<'_>,
    groups: &BTreeMap<String, BTreeMap<String, String>>,
) -> Vec<Violation> {
    let lint = Lint::new(reach, outside, groups);
    let mut found = lint.parsed();
    subjects::find(&lint, &mut found);
    peers::find(&lint, &mut found);
    addresses::find(&lint, &mut found);
    dns::find(&lint, &mut found);
    ports::find(&lint, &mut found);
    sides::find(&lint, &mut found);
    found.sort();
    found.dedup();
    found
}

fn noticed(model: &Model, note: &Note) -> Violation {
    Violation {
        place: model.place(&note.at),
        rule: note.rule,
        severity: if note.rule == "unknown-workload" { Severity::Warning } else { Severity::Error },
        object: note.object.clone(),
        message: note.message.clone(),
    }
}

impl Model {
    /// Objects that are declared more than once: it is not known which of them is in force.
    #[must_use]
    pub fn ambiguities(&self) -> Vec<Violation> {
        let duplicates = self.notes.iter().filter(|note| note.rule.starts_with("duplicate-"));
        duplicates.map(|note| noticed(self, note)).collect()
    }
}

/// What the rules look at.
struct Lint<'l, 'm> {
    model: &'m Model,
    reach: &'l Reach<'m>,
    outside: &'l Outside<'m>,
    /// The pods that each policy selects.
    subjects: Vec<Vec<u32>>,
    /// Whether each namespace is in each group.
    groups: Vec<(&'l str, Vec<bool>)>,
    index: RefCell<Index<'m>>,
}

impl<'l, 'm> Lint<'l, 'm> {
    fn new(
        reach: &'l Reach<'m>,
        outside: &'l Outside<'m>,
        groups: &'l BTreeMap<String, BTreeMap<String, String>>,
    ) -> Self {
        let model = reach.model;
        let mut subjects = vec![Vec::new(); model.policies.len()];
        for (pod, policies) in (0u32..).zip(&model.selected_by) {
            for policy in policies {
                subjects[*policy as usize].push(pod);
            }
        }
        let groups = groups.iter().map(|(name, labels)| (name.as_str(), members(model, labels))).collect();
        Self { model, reach, outside, subjects, groups, index: RefCell::new(Index::new(model)) }
    }

    /// What parsing noticed, and the policies that are not in force.
    fn parsed(&self) -> Vec<Violation> {
        let notes = self.model.notes.iter().map(|note| noticed(self.model, note));
        let void = self.model.void.iter().map(|refusal| Violation {
            place: refusal.place.clone(),
            rule: "policy-void",
            severity: Severity::Error,
            object: refusal.object.clone(),
            message: format!("the policy is not in force: {}: {}", refusal.field, refusal.message),
        });
        notes.chain(void).collect()
    }

    /// All rules, with the policies that they belong to.
    fn rules(&self) -> impl Iterator<Item = (u32, &'m Policy, Direction, &'m Rule)> {
        (0u32..).zip(&self.model.policies).flat_map(|(index, policy)| {
            Direction::BOTH.into_iter().flat_map(move |direction| {
                policy.section(direction).rules.iter().map(move |rule| (index, policy, direction, rule))
            })
        })
    }

    fn at_policy(&self, policy: &Policy, rule: &'static str, severity: Severity, message: String) -> Violation {
        let place = self.model.place(&self.model.policy_at(policy));
        Violation { place, rule, severity, object: self.model.policy_name(policy), message }
    }

    fn at_rule(
        &self,
        policy: &Policy,
        own: &Rule,
        rule: &'static str,
        severity: Severity,
        message: String,
    ) -> Violation {
        let place = self.model.rule_place(policy, own);
        Violation { place, rule, severity, object: self.model.policy_name(policy), message }
    }

    fn at_peer(
        &self,
        policy: &Policy,
        own: &Rule,
        item: &PeerItem,
        rule: &'static str,
        severity: Severity,
        message: String,
    ) -> Violation {
        let pointer = format!("{}/{}/{}", own.pointer(policy), item.field, item.index);
        let place = self.model.place(&super::objects::At { document: policy.document, pointer: pointer.into() });
        Violation { place, rule, severity, object: self.model.policy_name(policy), message }
    }

    /// The namespaces that a term of a policy reaches.
    fn namespaces(&self, policy: &Policy, term: &PodTerm) -> Vec<u32> {
        match &term.namespaces {
            NamespaceTerm::Own => {
                let home = policy.namespace.and_then(|name| self.model.find_namespace(self.model.text(name)));
                home.into_iter().collect()
            }
            NamespaceTerm::Matching(selector) => self.index.borrow_mut().namespaces(selector).to_vec(),
        }
    }

    /// The pods that a term of a policy matches, those made to fit a selector left out, one after the other.
    fn matched<'t>(&self, policy: &Policy, term: &'t PodTerm) -> impl Iterator<Item = u32> + use<'t, 'l, 'm> {
        let model = self.model;
        let namespaces = self.namespaces(policy, term).into_iter();
        let pods = namespaces.flat_map(move |namespace| model.namespaces[namespace as usize].pods.clone());
        pods.filter(move |pod| {
            let own = &model.pods[*pod as usize];
            !own.host_network && !own.fits_a_selector && term.pods.matches(&own.identity)
        })
    }
}
