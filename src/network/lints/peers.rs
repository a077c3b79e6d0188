//! Whom rules let in or out: nobody, everybody, what cannot be, and namespaces that are none of the policy's business.

use super::super::label::{Selector, Test};
use super::super::model::NAME_KEY;
use super::super::policy::{
    Action, Direction, Entity, NamespaceTerm, Peer, PeerItem, PodTerm, Policy, PolicyKind, Rule,
};
use super::super::settings::CiliumVersion;
use super::{Lint, Severity, Violation};

pub(super) fn find(lint: &Lint<'_, '_>, found: &mut Vec<Violation>) {
    for (_, policy, direction, rule) in lint.rules() {
        for item in &rule.peers {
            match &item.peer {
                Peer::Pods(term) => pods(lint, policy, rule, item, term, found),
                Peer::Any if rule.action == Action::Allow && direction == Direction::Egress => {
                    let message = "the rule names no peer: it opens every destination, the world included".to_owned();
                    found.push(lint.at_rule(policy, rule, "any-peer", Severity::Warning, message));
                }
                Peer::Entity(entity @ (Entity::All | Entity::Cluster)) if rule.action == Action::Allow => {
                    let message = format!("the entity `{}` is every pod of every namespace", entity.name());
                    found.push(lint.at_peer(policy, rule, item, "wide-entity", Severity::Warning, message));
                }
                Peer::Names(pattern) if pattern.is_in_cluster() => {
                    let message =
                        format!("toFQDNs never matches addresses in the cluster, which `{pattern}` stands for");
                    found.push(lint.at_peer(policy, rule, item, "fqdn-in-cluster", Severity::Error, message));
                }
                Peer::Names(pattern) if pattern.is_too_wide() => {
                    let message = format!("`{pattern}` stands for names of anybody");
                    found.push(lint.at_peer(policy, rule, item, "wide-fqdn", Severity::Warning, message));
                }
                _ => {}
            }
        }
    }
}

fn pods(
    lint: &Lint<'_, '_>,
    policy: &Policy,
    rule: &Rule,
    item: &PeerItem,
    term: &PodTerm,
    found: &mut Vec<Violation>,
) {
    let mut push =
        |id, severity, message: &str| found.push(lint.at_peer(policy, rule, item, id, severity, message.to_owned()));
    let namespaces_contradict =
        matches!(&term.namespaces, NamespaceTerm::Matching(selector) if selector.is_contradictory());
    if namespaces_contradict || term.pods.is_contradictory() {
        push("impossible-peer", Severity::Error, "the selector contradicts itself: no pod can be this peer");
        return;
    }
    if is_held_below_1_16(lint, policy, term) {
        let version = lint.model.settings.cilium;
        let message = format!(
            "Cilium {version} holds a selector on namespace labels to the policy's own namespace; from {} on it reaches others",
            CiliumVersion::NAMESPACE_LABELS_LIFT_SCOPE
        );
        push("namespace-label-scope", Severity::Error, &message);
        return;
    }
    if let Some(name) = foreign(lint, policy, term) {
        push(
            "foreign-namespace",
            Severity::Error,
            &format!("the peer is in {name}, which is another one of the same group"),
        );
        return;
    }
    if !exists(lint, policy, term) {
        push("dead-peer", Severity::Warning, "the selector matches no pod of the input");
    }
}

/// A selector on namespace labels without a namespace, in a release that still adds the policy's own.
fn is_held_below_1_16(lint: &Lint<'_, '_>, policy: &Policy, term: &PodTerm) -> bool {
    let NamespaceTerm::Matching(selector) = &term.namespaces else { return false };
    policy.kind == PolicyKind::Cilium
        && lint.model.settings.cilium < CiliumVersion::NAMESPACE_LABELS_LIFT_SCOPE
        && selector.requirements().len() > 1
        && names_only(lint, selector, policy)
}

fn names_only(lint: &Lint<'_, '_>, selector: &Selector, policy: &Policy) -> bool {
    let key = lint.model.interner.find(NAME_KEY);
    selector.requirements().iter().any(|requirement| {
        Some(requirement.key) == key
            && matches!((&requirement.test, policy.namespace), (Test::In(values), Some(own)) if values.as_slice() == [own])
    })
}

fn exists(lint: &Lint<'_, '_>, policy: &Policy, term: &PodTerm) -> bool {
    let pods = lint
        .namespaces(policy, term)
        .into_iter()
        .flat_map(|namespace| lint.model.namespaces[namespace as usize].pods.clone());
    pods.into_iter().any(|pod| {
        let own = &lint.model.pods[pod as usize];
        !own.host_network && !own.fits_a_selector && term.pods.matches(&own.identity)
    })
}

/// A namespace of the same group as the policy's own that the term reaches.
fn foreign<'l>(lint: &'l Lint<'_, '_>, policy: &Policy, term: &PodTerm) -> Option<&'l str> {
    let NamespaceTerm::Matching(_) = &term.namespaces else { return None };
    let own = lint.model.find_namespace(lint.model.text(policy.namespace?))?;
    let group = lint.groups.iter().find(|(_, members)| members[own as usize])?;
    // One foreign namespace is enough; the list is short or found after two steps.
    let reached = lint.namespaces(policy, term);
    let other = reached.iter().find(|namespace| **namespace != own && group.1[**namespace as usize])?;
    Some(lint.model.text(lint.model.namespaces[*other as usize].name))
}
