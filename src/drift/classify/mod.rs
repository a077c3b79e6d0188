//! What a difference opens or closes, and how much it matters.
//!
//! When in doubt a difference is called widening: a false alarm about the direction costs a look, the other mistake a tenant.

mod access;
mod admission;
mod capacity;
mod delivery;
mod network;

use super::change::{Class, Severity, Verdict};
use super::diff::Change;
use super::kind::Known;
use super::node::Node;

/// What a difference does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Which way it goes.
    pub class: Class,
    /// How much it matters.
    pub severity: Severity,
    /// What it opens or closes, in one line.
    pub effect: String,
}

impl Judgement {
    fn new(class: Class, severity: Severity, effect: impl Into<String>) -> Self {
        Judgement { class, severity, effect: effect.into() }
    }

    /// Neither opens nor closes.
    fn neutral(severity: Severity, effect: impl Into<String>) -> Self {
        Self::new(Class::Neutral, severity, effect)
    }

    /// One of two texts by direction; tightening matters one step less than the given severity.
    fn either(class: Class, severity: Severity, opens: &str, closes: &str) -> Self {
        match class {
            Class::Tightening => Self::new(class, lower(severity), closes),
            _ => Self::new(class, severity, opens),
        }
    }
}

fn lower(severity: Severity) -> Severity {
    match severity {
        Severity::Critical => Severity::High,
        Severity::High => Severity::Medium,
        Severity::Medium | Severity::Low => Severity::Low,
        Severity::Info => Severity::Info,
    }
}

/// Judges one difference inside an object.
pub fn field(kind: Known, change: &Change<'_>, desired: &Node<'_>, live: &Node<'_>) -> Judgement {
    let path = Tokens::of(change);
    if change.verdict == Verdict::Reordered {
        return Judgement::neutral(Severity::Info, "another order; the order has no meaning");
    }
    let mut judgement = match path.as_slice() {
        ["metadata", rest @ ..] => metadata(kind, rest, change),
        path => match kind {
            Known::NetworkPolicy => network::policy(path, change),
            Known::CiliumPolicy => network::cilium(path, change, desired),
            Known::Role | Known::ClusterRole => access::role(path, change),
            Known::RoleBinding | Known::ClusterRoleBinding => access::binding(path, change),
            Known::ServiceAccount => access::service_account(path, change),
            Known::ResourceQuota => capacity::quota(path, change),
            Known::LimitRange => capacity::limits(path, change),
            Known::AdmissionPolicy
            | Known::AdmissionPolicyBinding
            | Known::ValidatingWebhook
            | Known::MutatingWebhook => admission::policy(path, change),
            Known::Service => delivery::service(path, change, desired),
            Known::Deployment | Known::StatefulSet | Known::DaemonSet | Known::Job | Known::CronJob => {
                delivery::workload(path, change)
            }
            Known::HelmRelease | Known::Kustomization | Known::Source | Known::Application => {
                delivery::flux(path, change)
            }
            Known::ExternalSecret | Known::PushSecret | Known::SecretStore | Known::Secret => {
                delivery::secret(kind, path, change)
            }
            Known::Certificate => delivery::certificate(path),
            _ => Judgement::neutral(Severity::Medium, "it is not as Git says"),
        },
    };
    if is_immutable(kind, path.as_slice(), live) {
        judgement.class = Class::ImmutableMismatch;
        judgement.effect.push_str("; the field cannot change, so the object must be deleted and applied again");
    }
    judgement
}

/// Judges an object that Git has and the cluster lacks.
pub fn missing(kind: Known) -> Judgement {
    let (severity, effect) = match kind {
        Known::Namespace => (Severity::Critical, "the namespace and everything in it is gone"),
        Known::NetworkPolicy | Known::CiliumPolicy => {
            (Severity::High, "what it allowed is closed, and pods that no other policy selects are open to everybody")
        }
        Known::AdmissionPolicy | Known::AdmissionPolicyBinding | Known::ValidatingWebhook => {
            (Severity::High, "requests that it refused are admitted")
        }
        Known::ResourceQuota => (Severity::High, "nothing bounds what the namespace uses"),
        Known::LimitRange => (Severity::Medium, "containers without limits get none"),
        Known::Role | Known::ClusterRole | Known::RoleBinding | Known::ClusterRoleBinding => {
            (Severity::Medium, "accounts lose what it granted")
        }
        Known::ServiceAccount => (Severity::High, "pods that run as it cannot start"),
        Known::ExternalSecret => (Severity::High, "the secret is not refreshed any more"),
        Known::PushSecret => (Severity::High, "the secret does not reach the backend"),
        Known::SecretStore => (Severity::High, "no secret of this store can be read"),
        Known::Certificate => (Severity::High, "the certificate is not renewed any more"),
        Known::HelmRelease | Known::Kustomization | Known::Source | Known::Application => {
            (Severity::High, "what it deploys is not kept up any more")
        }
        _ => (Severity::Medium, "it is not there"),
    };
    Judgement::new(Class::Missing, severity, effect)
}

/// Judges an object that the cluster has and Git lacks.
pub fn extra(kind: Known, live: &Node<'_>) -> Judgement {
    match kind {
        Known::NetworkPolicy => network::extra_policy(live),
        Known::CiliumPolicy => network::extra_cilium(live),
        Known::Role | Known::RoleBinding | Known::ClusterRoleBinding | Known::ClusterRole => access::extra(live),
        Known::ResourceQuota | Known::LimitRange => {
            Judgement::new(Class::Tightening, Severity::Medium, "it bounds the namespace more than Git does")
        }
        Known::ExternalSecret => Judgement::neutral(Severity::High, "it brings a secret into the namespace"),
        Known::PushSecret => Judgement::new(Class::Widening, Severity::High, "it sends a secret of the namespace out"),
        Known::SecretStore => Judgement::new(Class::Widening, Severity::High, "it opens another source of secrets"),
        Known::Certificate => Judgement::neutral(Severity::Medium, "it orders a certificate"),
        Known::Namespace => Judgement::new(Class::Widening, Severity::High, "a namespace passes for a tenant's"),
        _ => Judgement::neutral(Severity::Medium, "Git does not have it"),
    }
}

/// Judges an object that is being deleted.
pub fn terminating(kind: Known) -> Judgement {
    let severity = if kind == Known::Namespace { Severity::Critical } else { Severity::High };
    Judgement::new(Class::Terminating, severity, "it is being deleted")
}

/// A path as field names, with `[]` for every item of a list.
struct Tokens<'c>(Vec<&'c str>);

impl<'c> Tokens<'c> {
    fn of(change: &'c Change<'_>) -> Self {
        use super::diff::Step;
        let tokens = change.path.0.iter().map(|step| match step {
            Step::Field(name) => name.as_str(),
            Step::Index(_) | Step::Key(_) => "[]",
        });
        Tokens(tokens.collect())
    }

    fn as_slice(&self) -> &[&'c str] {
        &self.0
    }
}

/// The direction of a list of permissions: more is wider.
fn grants(verdict: Verdict) -> Class {
    match verdict {
        Verdict::Missing => Class::Tightening,
        Verdict::Added | Verdict::Changed | Verdict::Reordered => Class::Widening,
    }
}

/// The direction of a restriction: more is narrower. A changed one restricts other things than it did.
fn restricts(verdict: Verdict) -> Class {
    match verdict {
        Verdict::Added => Class::Tightening,
        Verdict::Missing | Verdict::Changed | Verdict::Reordered => Class::Widening,
    }
}

fn opposite(class: Class) -> Class {
    match class {
        Class::Widening => Class::Tightening,
        Class::Tightening => Class::Widening,
        other => other,
    }
}

/// Labels by which policies, admission and the controller know a tenant's namespace.
const TENANT_LABELS: [&str; 6] =
    ["tenant", "managed-by", "mssp-id", "install-id", "tenant-id", "kubernetes.io/metadata.name"];

fn metadata(kind: Known, path: &[&str], change: &Change<'_>) -> Judgement {
    match path {
        ["labels", key] if kind == Known::Namespace => namespace_label(key, change),
        ["labels"] if kind == Known::Namespace => {
            Judgement::new(Class::Widening, Severity::High, "policies and admission select the namespace by its labels")
        }
        ["annotations", key] => annotation(kind, key, change),
        ["ownerReferences", ..] => Judgement::neutral(Severity::Medium, "it goes when its owner goes"),
        ["finalizers", ..] => Judgement::neutral(Severity::Low, "it cannot be deleted until somebody clears it"),
        _ => Judgement::neutral(Severity::Low, "selectors may match it differently"),
    }
}

fn namespace_label(key: &str, change: &Change<'_>) -> Judgement {
    if let Some(mode) = key.strip_prefix("pod-security.kubernetes.io/") {
        return pod_security(mode, change);
    }
    if TENANT_LABELS.contains(&key) {
        let effect = "network policies and admission know the tenant by this label";
        return Judgement::new(Class::Widening, Severity::High, effect);
    }
    Judgement::neutral(Severity::Low, "namespace selectors may match it differently")
}

fn pod_security(mode: &str, change: &Change<'_>) -> Judgement {
    if mode != "enforce" {
        return Judgement::neutral(Severity::Low, "pods are reported differently, not refused differently");
    }
    let level = |node: Option<&Node<'_>>| match node.and_then(Node::as_text) {
        Some("restricted") => 3,
        Some("baseline") => 2,
        Some("privileged") => 1,
        // Without a label the cluster's default holds, which is privileged unless configured.
        _ => 0,
    };
    let (before, after) = (level(change.expected), level(change.found));
    if after > before && !(before == 0 && after == 1) {
        return Judgement::new(Class::Tightening, Severity::Medium, "fewer pods are admitted");
    }
    let severity = if after <= 1 { Severity::Critical } else { Severity::High };
    Judgement::new(Class::Widening, severity, "pods with more privileges are admitted")
}

fn annotation(kind: Known, key: &str, change: &Change<'_>) -> Judgement {
    const STOPS: [&str; 6] = [
        "kustomize.toolkit.fluxcd.io/reconcile",
        "kustomize.toolkit.fluxcd.io/ssa",
        "kustomize.toolkit.fluxcd.io/prune",
        "helm.toolkit.fluxcd.io/driftDetection",
        "argocd.argoproj.io/sync-options",
        "argocd.argoproj.io/compare-options",
    ];
    const IDENTITIES: [&str; 3] =
        ["eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account", "azure.workload.identity/client-id"];
    if STOPS.contains(&key) {
        return Judgement::neutral(Severity::High, "it decides whether the applier mends or prunes the object");
    }
    if kind == Known::ServiceAccount && IDENTITIES.contains(&key) {
        let class = grants(change.verdict);
        return Judgement::either(
            class,
            Severity::High,
            "its pods act as this cloud identity",
            "its pods lose a cloud identity",
        );
    }
    Judgement::neutral(Severity::Low, "tools that read the annotation act differently")
}

fn is_immutable(kind: Known, path: &[&str], live: &Node<'_>) -> bool {
    match (kind, path) {
        (Known::RoleBinding | Known::ClusterRoleBinding, ["roleRef", ..])
        | (Known::Deployment | Known::StatefulSet | Known::DaemonSet, ["spec", "selector", ..])
        | (Known::StatefulSet, ["spec", "serviceName" | "podManagementPolicy" | "volumeClaimTemplates", ..])
        | (Known::Job, ["spec", "selector" | "template" | "completionMode", ..])
        | (Known::Service, ["spec", "clusterIP" | "clusterIPs", ..])
        | (Known::Secret, ["type"])
        | (Known::PriorityClass, ["value" | "preemptionPolicy"]) => true,
        (Known::PersistentVolumeClaim, ["spec", field, ..]) => *field != "resources",
        (Known::ConfigMap | Known::Secret, ["data" | "binaryData", ..]) => {
            live.get("immutable") == Some(&Node::Bool(true))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::builtin;
    use super::super::diff::diff;
    use super::*;

    /// The first difference of two objects, judged.
    pub(super) fn judged(kind: Known, desired: &str, live: &str) -> (Class, Severity) {
        let (a, b) = (Node::from_json(desired.as_bytes()).unwrap(), Node::from_json(live.as_bytes()).unwrap());
        let changes = diff(&a, &b, &builtin::shape(kind));
        assert_eq!(changes.len(), 1, "{changes:?}");
        let judgement = field(kind, &changes[0], &a, &b);
        assert!(!judgement.effect.is_empty());
        (judgement.class, judgement.severity)
    }

    #[test]
    fn namespace_labels_decide_isolation_and_pod_security() {
        let label = |key: &str, value: &str| format!(r#"{{"metadata":{{"labels":{{"a":"b","{key}":"{value}"}}}}}}"#);
        let bare = r#"{"metadata":{"labels":{"a":"b"}}}"#;
        let enforce = "pod-security.kubernetes.io/enforce";
        for (desired, live, class, severity) in [
            (bare.to_owned(), label(enforce, "privileged"), Class::Widening, Severity::Critical),
            (label(enforce, "restricted"), label(enforce, "baseline"), Class::Widening, Severity::High),
            (label(enforce, "restricted"), bare.to_owned(), Class::Widening, Severity::Critical),
            (label(enforce, "baseline"), label(enforce, "restricted"), Class::Tightening, Severity::Medium),
            (label("tenant", "true"), bare.to_owned(), Class::Widening, Severity::High),
            (label("tenant-id", "1"), label("tenant-id", "2"), Class::Widening, Severity::High),
            (bare.to_owned(), label("team", "x"), Class::Neutral, Severity::Low),
        ] {
            assert_eq!(judged(Known::Namespace, &desired, &live), (class, severity), "{desired} {live}");
        }
    }

    #[test]
    fn role_references_cannot_be_put_back() {
        let binding = |name: &str| format!(r#"{{"roleRef":{{"kind":"Role","name":"{name}"}}}}"#);
        let (class, severity) = judged(Known::RoleBinding, &binding("a"), &binding("b"));
        assert_eq!((class, severity), (Class::ImmutableMismatch, Severity::High));
    }

    #[test]
    fn an_annotation_that_stops_the_applier_is_no_cosmetics() {
        let live = r#"{"metadata":{"annotations":{"kustomize.toolkit.fluxcd.io/reconcile":"disabled"}}}"#;
        let desired = r#"{"metadata":{"annotations":{}}}"#;
        assert_eq!(judged(Known::ConfigMap, desired, live), (Class::Neutral, Severity::High));
    }
}
