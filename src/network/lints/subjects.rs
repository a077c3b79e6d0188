//! Whom policies select: nobody, what cannot be, what Cilium cannot see; pods that no policy can hold.

use super::super::label::{Requirement, Selector};
use super::super::model::NAME_KEY;
use super::super::policy::{NamespaceTerm, Peer};
use super::{Lint, Severity, Violation};

pub(super) fn find(lint: &Lint<'_, '_>, found: &mut Vec<Violation>) {
    for (index, policy) in lint.model.policies.iter().enumerate() {
        let is_impossible = match &policy.subject.namespaces {
            NamespaceTerm::Own => policy.subject.pods.is_contradictory(),
            NamespaceTerm::Matching(selector) => selector.is_contradictory() || policy.subject.pods.is_contradictory(),
        };
        if is_impossible {
            let message = "the subject contradicts itself: no pod can be selected".to_owned();
            found.push(lint.at_policy(policy, "contradictory-subject", Severity::Error, message));
        } else if lint.subjects[index].is_empty() {
            let place = match policy.namespace.map(|name| lint.model.text(name)) {
                Some(name) if is_undeclared(lint, name) => format!("; the namespace {name} is declared by no manifest"),
                _ => String::new(),
            };
            let message = format!("the subject selects no pod{place}");
            found.push(lint.at_policy(policy, "dead-subject", Severity::Warning, message));
        }
        for key in unseen(lint, &policy.subject.pods) {
            let message =
                format!("the subject asks for the label {key}, which is no part of a pod's identity in Cilium");
            found.push(lint.at_policy(policy, "filtered-label", Severity::Error, message));
        }
    }
    for (_, policy, _, rule) in lint.rules() {
        for item in &rule.peers {
            let Peer::Pods(term) = &item.peer else { continue };
            for key in unseen(lint, &term.pods) {
                let message =
                    format!("the peer asks for the label {key}, which is no part of a pod's identity in Cilium");
                found.push(lint.at_peer(policy, rule, item, "filtered-label", Severity::Error, message));
            }
        }
    }
    for pod in lint.model.pod_ids().filter(|pod| lint.model.pods[*pod as usize].host_network) {
        if let Some(place) = super::super::witness::pod_place(lint.model, pod) {
            let message = "the pod uses its node's network: no policy holds it".to_owned();
            let object = lint.model.pod_name(pod);
            found.push(Violation { place, rule: "host-network", severity: Severity::Warning, object, message });
        }
    }
}

/// Whether nothing but policies says that a namespace exists.
fn is_undeclared(lint: &Lint<'_, '_>, name: &str) -> bool {
    let found = lint.model.find_namespace(name);
    found.is_none_or(|at| {
        let namespace = &lint.model.namespaces[at as usize];
        namespace.at.is_none() && namespace.pods.is_empty()
    })
}

/// Keys of a selector on pods that Cilium's label filter takes away.
fn unseen<'l>(lint: &'l Lint<'_, '_>, selector: &'l Selector) -> impl Iterator<Item = &'l str> {
    let settings = &lint.model.settings;
    let keys = selector.requirements().iter().map(|Requirement { key, .. }| lint.model.text(*key));
    keys.filter(move |key| settings.is_cilium() && !key.starts_with('@') && !settings.label_filter.keeps(key))
        .filter(|key| *key != NAME_KEY)
}
