//! What a change does, by the same tables that weigh drift: before is Git, after is the cluster.

use super::change::{Action, Area, Direction};
use super::workload;
use crate::drift::change::{Class, Severity};
use crate::drift::classify::{self, Judgement};
use crate::drift::diff;
use crate::drift::kind::Known;
use crate::drift::node::Node;

/// What a change does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Weight {
    pub direction: Direction,
    pub area: Area,
    pub severity: Severity,
    pub effect: String,
    pub restarts: bool,
}

/// Weighs a change of a field.
pub(super) fn field(kind: Known, change: &diff::Change<'_>, before: &Node<'_>, after: &Node<'_>) -> Weight {
    let judged = classify::field(kind, change, before, after);
    let area = match kind {
        Known::Namespace if change.path.fields().last().is_some_and(|name| name.starts_with("pod-security.")) => {
            Area::Admission
        }
        _ => area(kind),
    };
    let restarts = restarts(kind, &change.path.fields());
    let immutable = judged.class == Class::ImmutableMismatch;
    let inner = area == Area::Network && is_inside(change, before);
    let direction = if inner { Direction::Neutral } else { direction(judged.class) };
    let effect = match () {
        () if inner => "the block lies inside of one that was listed".to_owned(),
        () if immutable => "the field cannot change: the object must be deleted and applied again".to_owned(),
        () if restarts => restart_words(kind).to_owned(),
        () => words(area, direction, judged.effect),
    };
    let severity = if immutable { Severity::High } else { judged.severity };
    Weight { direction, area, severity, effect, restarts }
}

/// Whether a block of addresses is added to a list that held a larger one: that opens nothing.
fn is_inside(change: &diff::Change<'_>, before: &Node<'_>) -> bool {
    use crate::drift::change::Verdict;
    let net = |node: &Node<'_>| node.as_text().and_then(|text| text.parse::<ipnet::IpNet>().ok());
    let Some(added) = change.found.filter(|_| change.verdict == Verdict::Added).and_then(net) else { return false };
    let exception = change.path.fields().iter().any(|name| *name == "except" || name.ends_with("Deny"));
    let list = change.path.0.iter().try_fold(before, |node, step| match step {
        diff::Step::Field(name) => node.get(name),
        diff::Step::Index(index) => node.as_list()?.get(*index),
        diff::Step::Key(_) => None,
    });
    let listed = list.and_then(Node::as_list).unwrap_or_default();
    !exception && listed.iter().filter_map(net).any(|old| old.contains(&added))
}

/// Weighs an object that goes.
pub(super) fn removed(kind: Known, before: &Node<'_>) -> Weight {
    let Judgement { severity, .. } = classify::missing(kind);
    let direction = match kind {
        // What only allowed closes with it; what selected pods or requests held others back.
        Known::NetworkPolicy
        | Known::CiliumPolicy
        | Known::AdmissionPolicy
        | Known::AdmissionPolicyBinding
        | Known::ValidatingWebhook
        | Known::ResourceQuota
        | Known::LimitRange => Direction::Opens,
        Known::Role | Known::ClusterRole | Known::RoleBinding | Known::ClusterRoleBinding => Direction::Closes,
        _ => Direction::Neutral,
    };
    let effect = match kind {
        Known::Namespace => "the namespace and everything in it is deleted",
        Known::NetworkPolicy | Known::CiliumPolicy => {
            "what it allowed is closed, and pods that no other policy selects are open"
        }
        Known::AdmissionPolicy | Known::AdmissionPolicyBinding | Known::ValidatingWebhook => {
            "requests that it refused are admitted"
        }
        Known::ResourceQuota | Known::LimitRange => "nothing bounds what the namespace uses",
        Known::Role | Known::ClusterRole | Known::RoleBinding | Known::ClusterRoleBinding => {
            "accounts lose what it granted"
        }
        Known::HelmRelease | Known::Application => "what it deploys is uninstalled",
        Known::ExternalSecret => "the Secret that it makes is deleted",
        Known::Certificate => "the certificate is not renewed any more",
        Known::Deployment | Known::StatefulSet | Known::DaemonSet => "its pods are deleted",
        Known::PersistentVolumeClaim => "the volume goes, and its data unless the class retains it",
        _ => "it is deleted",
    };
    let effect = match workload::words(kind, before) {
        Some(words) => format!("{effect}: {words}"),
        None => effect.to_owned(),
    };
    let restarts = matches!(kind, Known::HelmRelease | Known::Application) && before.get("spec").is_some();
    Weight { direction, area: area(kind), severity, effect, restarts }
}

/// Weighs an object that comes.
pub(super) fn added(kind: Known, after: &Node<'_>) -> Weight {
    let judged = classify::extra(kind, after);
    let area = area(kind);
    let direction = match kind {
        // A namespace of its own opens nothing that was closed.
        Known::Namespace => Direction::Neutral,
        _ => direction(judged.class),
    };
    let severity = if direction == Direction::Neutral { Severity::Low } else { judged.severity };
    let effect = match (kind, direction) {
        (Known::Namespace, _) => "a new namespace".to_owned(),
        (Known::PushSecret, _) => "it sends a secret of the namespace to the backend".to_owned(),
        (Known::SecretStore, _) => "another source of secrets".to_owned(),
        (_, Direction::Neutral) => match workload::words(kind, after) {
            Some(words) => format!("it is new: {words}"),
            None => "it is new".to_owned(),
        },
        _ => words(area, direction, judged.effect),
    };
    Weight { direction, area, severity, effect, restarts: false }
}

/// Weighs an object that goes while one like it comes.
pub(super) fn renamed(kind: Known) -> Weight {
    let loses = matches!(kind, Known::Namespace | Known::PersistentVolumeClaim | Known::StatefulSet);
    let severity = if loses { Severity::Critical } else { Severity::Medium };
    let effect = if loses { "one is deleted with its data, another made" } else { "one is deleted, another made" };
    Weight { direction: Direction::Neutral, area: area(kind), severity, effect: effect.to_owned(), restarts: false }
}

/// Whether a removed object counts in the list of what is deleted: all do.
pub(super) fn action(verdict: crate::drift::change::Verdict) -> Action {
    use crate::drift::change::Verdict;
    match verdict {
        Verdict::Changed => Action::Changed,
        Verdict::Missing => Action::Removed,
        Verdict::Added => Action::Added,
        Verdict::Reordered => Action::Reordered,
    }
}

fn direction(class: Class) -> Direction {
    match class {
        Class::Widening => Direction::Opens,
        Class::Tightening => Direction::Closes,
        Class::Neutral | Class::Missing | Class::Terminating | Class::ImmutableMismatch => Direction::Neutral,
    }
}

fn area(kind: Known) -> Area {
    match kind {
        Known::NetworkPolicy | Known::CiliumPolicy | Known::Service | Known::Ingress => Area::Network,
        Known::Role
        | Known::ClusterRole
        | Known::RoleBinding
        | Known::ClusterRoleBinding
        | Known::ServiceAccount
        | Known::Namespace => Area::Access,
        Known::AdmissionPolicy | Known::AdmissionPolicyBinding | Known::ValidatingWebhook | Known::MutatingWebhook => {
            Area::Admission
        }
        Known::ResourceQuota | Known::LimitRange => Area::Quota,
        Known::Secret | Known::ExternalSecret | Known::PushSecret | Known::SecretStore | Known::Certificate => {
            Area::Secrets
        }
        Known::Deployment
        | Known::StatefulSet
        | Known::DaemonSet
        | Known::Job
        | Known::CronJob
        | Known::HelmRelease
        | Known::Application
        | Known::PersistentVolumeClaim
        | Known::ConfigMap
        | Known::PodDisruptionBudget
        | Known::PriorityClass => Area::Workload,
        Known::Kustomization | Known::Source => Area::Delivery,
        Known::CustomResourceDefinition | Known::Other => Area::Other,
    }
}

fn words(area: Area, direction: Direction, judged: String) -> String {
    let text = match (area, direction) {
        (Area::Network, Direction::Opens) => "lets more traffic pass",
        (Area::Network, Direction::Closes) => "lets less traffic pass",
        (Area::Access, Direction::Opens) => "grants more",
        (Area::Access, Direction::Closes) => "grants less",
        (Area::Admission, Direction::Opens) => "admits more",
        (Area::Admission, Direction::Closes) => "admits less",
        (Area::Quota, Direction::Opens) => "lets the namespace use more",
        (Area::Quota, Direction::Closes) => "lets the namespace use less",
        (_, Direction::Opens) => "permits more",
        (_, Direction::Closes) => "permits less",
        // The tables speak of Git and the cluster where they compare the two.
        (_, Direction::Neutral) if judged.contains("Git") => "another value",
        (_, Direction::Neutral) => return judged,
    };
    text.to_owned()
}

/// Whether a field decides what pods are, as far as the manifest tells.
fn restarts(kind: Known, path: &[&str]) -> bool {
    match kind {
        Known::Deployment | Known::StatefulSet | Known::DaemonSet => path.starts_with(&["spec", "template"]),
        Known::HelmRelease => {
            matches!(path, ["spec", "values" | "valuesFrom" | "chart" | "chartRef" | "postRenderers", ..])
        }
        Known::Application => matches!(path, ["spec", "source" | "sources", ..]),
        _ => false,
    }
}

fn restart_words(kind: Known) -> &'static str {
    match kind {
        Known::HelmRelease | Known::Application => "the release is upgraded: pods whose template it changes restart",
        _ => "its pods restart",
    }
}
