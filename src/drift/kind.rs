//! Kinds of objects: which API they belong to, and which of them the checker knows by heart.

use std::fmt;

use serde::Serialize;

/// A kind of object at a version, as `apiVersion` and `kind` name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Gvk {
    /// API group, empty for the core group.
    pub group: String,
    /// API version: `v1`.
    pub version: String,
    /// Kind: `NetworkPolicy`.
    pub kind: String,
}

impl Gvk {
    /// From `apiVersion` (`v1`, `apps/v1`) and `kind`.
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Gvk { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }

    /// `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether a CustomResourceDefinition defines it (or an aggregated API server, whose defaults nobody can know).
    pub fn is_custom(&self) -> bool {
        // Kubernetes' own groups are bare words or end in .k8s.io, which is protected; external-dns has the exception.
        self.group.contains('.') && (!self.group.ends_with(".k8s.io") || self.group == "externaldns.k8s.io")
            || self.group == "gateway.networking.k8s.io"
    }

    /// Which of the kinds known by heart it is.
    pub fn known(&self) -> Known {
        Known::of(&self.group, &self.kind)
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.api_version(), self.kind)
    }
}

/// The kinds about which something special is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum Known {
    Namespace,
    ResourceQuota,
    LimitRange,
    ServiceAccount,
    Service,
    ConfigMap,
    Secret,
    PersistentVolumeClaim,
    Role,
    ClusterRole,
    RoleBinding,
    ClusterRoleBinding,
    NetworkPolicy,
    Ingress,
    AdmissionPolicy,
    AdmissionPolicyBinding,
    ValidatingWebhook,
    MutatingWebhook,
    Deployment,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
    PodDisruptionBudget,
    PriorityClass,
    CiliumPolicy,
    ExternalSecret,
    PushSecret,
    SecretStore,
    Certificate,
    HelmRelease,
    Kustomization,
    Source,
    Application,
    CustomResourceDefinition,
    Other,
}

impl Known {
    fn of(group: &str, kind: &str) -> Self {
        match (group, kind) {
            ("", "Namespace") => Known::Namespace,
            ("", "ResourceQuota") => Known::ResourceQuota,
            ("", "LimitRange") => Known::LimitRange,
            ("", "ServiceAccount") => Known::ServiceAccount,
            ("", "Service") => Known::Service,
            ("", "ConfigMap") => Known::ConfigMap,
            ("", "Secret") => Known::Secret,
            ("", "PersistentVolumeClaim") => Known::PersistentVolumeClaim,
            ("rbac.authorization.k8s.io", "Role") => Known::Role,
            ("rbac.authorization.k8s.io", "ClusterRole") => Known::ClusterRole,
            ("rbac.authorization.k8s.io", "RoleBinding") => Known::RoleBinding,
            ("rbac.authorization.k8s.io", "ClusterRoleBinding") => Known::ClusterRoleBinding,
            ("networking.k8s.io", "NetworkPolicy") => Known::NetworkPolicy,
            ("networking.k8s.io", "Ingress") => Known::Ingress,
            ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy") => Known::AdmissionPolicy,
            ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding") => Known::AdmissionPolicyBinding,
            ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration") => Known::ValidatingWebhook,
            ("admissionregistration.k8s.io", "MutatingWebhookConfiguration") => Known::MutatingWebhook,
            ("apps", "Deployment") => Known::Deployment,
            ("apps", "StatefulSet") => Known::StatefulSet,
            ("apps", "DaemonSet") => Known::DaemonSet,
            ("batch", "Job") => Known::Job,
            ("batch", "CronJob") => Known::CronJob,
            ("policy", "PodDisruptionBudget") => Known::PodDisruptionBudget,
            ("scheduling.k8s.io", "PriorityClass") => Known::PriorityClass,
            ("cilium.io", "CiliumNetworkPolicy" | "CiliumClusterwideNetworkPolicy") => Known::CiliumPolicy,
            ("external-secrets.io", "ExternalSecret") => Known::ExternalSecret,
            ("external-secrets.io", "PushSecret") => Known::PushSecret,
            ("external-secrets.io", "SecretStore" | "ClusterSecretStore") => Known::SecretStore,
            ("cert-manager.io", "Certificate") => Known::Certificate,
            ("helm.toolkit.fluxcd.io", "HelmRelease") => Known::HelmRelease,
            ("kustomize.toolkit.fluxcd.io", "Kustomization") => Known::Kustomization,
            ("source.toolkit.fluxcd.io", _) => Known::Source,
            ("argoproj.io", "Application" | "ApplicationSet") => Known::Application,
            ("apiextensions.k8s.io", "CustomResourceDefinition") => Known::CustomResourceDefinition,
            _ => Known::Other,
        }
    }

    /// Whether every default of this built-in kind is in [`super::builtin`]'s tables.
    pub fn has_table(self) -> bool {
        !matches!(
            self,
            Known::Other
                | Known::CustomResourceDefinition
                | Known::CiliumPolicy
                | Known::ExternalSecret
                | Known::PushSecret
                | Known::SecretStore
                | Known::Certificate
                | Known::HelmRelease
                | Known::Kustomization
                | Known::Source
                | Known::Application
        )
    }
}

/// The kinds whose every object in a managed namespace comes from Git: one that Git lacks is drift.
pub const EXCLUSIVE: &[(&str, &str)] = &[
    ("networking.k8s.io", "NetworkPolicy"),
    ("cilium.io", "CiliumNetworkPolicy"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
    ("", "ResourceQuota"),
    ("", "LimitRange"),
    ("external-secrets.io", "ExternalSecret"),
    ("external-secrets.io", "PushSecret"),
    ("external-secrets.io", "SecretStore"),
    ("cert-manager.io", "Certificate"),
];

/// The kinds of the cluster that are read for objects which Git lacks.
pub const WATCHED_CLUSTER_WIDE: &[(&str, &str)] =
    &[("", "Namespace"), ("rbac.authorization.k8s.io", "ClusterRoleBinding")];

/// An object, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectRef {
    /// What it is.
    pub gvk: Gvk,
    /// Namespace, none for objects of the cluster.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.gvk.kind, self.name),
            None => write!(f, "{} {}", self.gvk.kind, self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_tell_custom_resources_from_built_ins() {
        for (api_version, custom) in [
            ("v1", false),
            ("apps/v1", false),
            ("networking.k8s.io/v1", false),
            ("cilium.io/v2", true),
            ("externaldns.k8s.io/v1alpha1", true),
            ("gateway.networking.k8s.io/v1", true),
        ] {
            let gvk = Gvk::new(api_version, "X");
            assert_eq!((gvk.is_custom(), gvk.api_version().as_str()), (custom, api_version));
        }
    }
}
