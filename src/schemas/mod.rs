//! Structural schemas of Kubernetes kinds: a compact bundle, where it comes from, and objects held against it offline.
//!
//! ```text
//! import    CustomResourceDefinitions and OpenAPI documents → Bundle
//! bundle    Bundle ↔ text, one line a kind and a node
//! catalog   bundles → Catalog: which kind has which schema
//! validate  Catalog, manifest → faults, and what is left to check where a value is not known yet
//! ```
//!
//! The program's own bundle is made by `tenantry schemas import`; a fleet adds its own in `policies/schemas/`.

mod bundle;
mod catalog;
mod fault;
mod fleet;
mod format;
mod import;
mod intern;
mod lists;
mod metadata;
mod node;
mod openapi;
mod pattern;
mod place;
mod rules;
mod scalar;
mod validate;

pub use bundle::{Bundle, KindEntry};
pub use catalog::{Catalog, KIND_OF_METADATA, SchemaOf};
pub use fault::{Fault, FaultKind};
pub use fleet::of_fleet;
pub use import::{CRD_API_VERSION, Import, ImportError};
pub use metadata::Names;
pub use node::{Node, NodeId, Rule};
pub use place::{Place, Step};
pub use validate::{Open, Todo, Verdict, whole};

/// The API group `policy`, which is no family of rules.
const POLICY: &str = concat!("policy", "/v1");

/// Kinds that Kubernetes itself defines and that the program or its charts render, and workloads that charts may add.
pub const BUILT_IN: [(&str, &str); 26] = [
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("batch/v1", "CronJob"),
    ("batch/v1", "Job"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "IngressClass"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    (POLICY, "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("v1", "ConfigMap"),
    ("v1", "LimitRange"),
    ("v1", "Namespace"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Pod"),
    ("v1", "ResourceQuota"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("scheduling.k8s.io/v1", "PriorityClass"),
];
