//! How the fleet is run: admission, GitOps, monitoring, drift, life cycle, guards, review.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::constant;
use crate::config::types::{HttpsUrl, ImageDigest, Label, Span, Text};

/// Admission guard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Admission {
    /// Engine.
    #[serde(default)]
    pub engine: AdmissionEngine,
}

/// What guards admission.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AdmissionEngine {
    /// ValidatingAdmissionPolicies.
    #[default]
    Vap,
    /// Nothing.
    None,
}

/// On or off; off if not said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// Whether it is on.
    #[serde(default)]
    pub enabled: bool,
}

/// Who applies the rendered tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gitops {
    /// Engine.
    pub engine: GitopsEngine,
    /// Repository that holds the rendered tree, as the cluster reaches it.
    pub repository: HttpsUrl,
    /// Branch.
    pub branch: String,
    /// Folder in the repository under which `clusters/` lies; the root if empty.
    #[serde(default)]
    pub path: String,
    /// Namespace of the engine: `flux-system` or `argocd` if not said.
    #[serde(default)]
    pub namespace: Option<Label>,
    /// Service account in that namespace that Flux impersonates (its rights come with the bootstrap).
    #[serde(default = "deployer")]
    pub service_account: Label,
    /// Secret in that namespace with the credentials of the repository; none if it is public.
    #[serde(default)]
    pub credentials_secret: Option<Label>,
    /// How often to look.
    #[serde(default = "interval")]
    pub interval: Span,
    /// Flux controllers among which tenants are spread by the label `sharding.fluxcd.io/key`; none if empty.
    #[serde(default)]
    pub shards: Vec<Label>,
}

fn deployer() -> Label {
    constant("tenantry-deployer")
}

fn interval() -> Span {
    Span::parse("10m").unwrap_or_else(|_| unreachable!("a constant of this program"))
}

/// Who applies the rendered tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GitopsEngine {
    /// Flux.
    Flux,
    /// Argo CD.
    Argocd,
}

/// Scraping of the drift checker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Monitoring {
    /// Whether to render a ServiceMonitor.
    #[serde(default)]
    pub service_monitor: bool,
    /// Namespace of Prometheus.
    #[serde(default = "monitoring_namespace")]
    pub namespace: Label,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self { service_monitor: false, namespace: monitoring_namespace() }
    }
}

fn monitoring_namespace() -> Label {
    constant("monitoring")
}

/// The drift checker in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Drift {
    /// Whether to render it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Image repository.
    #[serde(default = "drift_image")]
    pub image: String,
    /// Digest of the image; without it the checker is not rendered.
    #[serde(default)]
    pub digest: Option<ImageDigest>,
    /// Secret in `soctalk-system` with `username` and `password` for the output repository; none if it is public. The kubelet
    /// mounts it: the checker itself reads no Secret.
    #[serde(default)]
    pub git_credentials_secret: Option<Label>,
    /// Whether it writes an Event where drift begins and ends. With `reports` off as well it only reads.
    #[serde(default = "yes")]
    pub events: bool,
    /// Whether it writes OpenReports Reports, where the cluster has them.
    #[serde(default = "yes")]
    pub reports: bool,
}

impl Default for Drift {
    fn default() -> Self {
        Self {
            enabled: true,
            image: drift_image(),
            digest: None,
            git_credentials_secret: None,
            events: true,
            reports: true,
        }
    }
}

fn yes() -> bool {
    true
}

fn drift_image() -> String {
    "ghcr.io/gbrigandi/tenantry".into()
}

/// Spans of the lifecycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifecycle {
    /// From decommissioning to the first day on which a tenant may be retired.
    #[serde(default = "grace")]
    pub grace_period: Span,
    /// From retirement to the first day on which the tombstone may be removed.
    #[serde(default = "retention")]
    pub retention: Span,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self { grace_period: grace(), retention: retention() }
    }
}

fn grace() -> Span {
    Span::parse("30d").unwrap_or_else(|_| unreachable!("a constant of this program"))
}

fn retention() -> Span {
    Span::parse("365d").unwrap_or_else(|_| unreachable!("a constant of this program"))
}

/// What the renderer refuses to do in one step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Guard {
    /// Most tenants that one run may delete: a number, or a share such as `5%`. One if absent.
    #[serde(default)]
    #[schemars(regex(pattern = r"^([0-9]{1,5}|[0-9]{1,2}%|100%)$"))]
    pub max_delete: Option<String>,
    /// Most objects that may vanish from units that stay, in one run.
    #[serde(default)]
    pub max_delete_objects: MaxDeleteObjects,
}

/// Most objects that may vanish from units that stay: numbers, or shares of what the units that change held before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MaxDeleteObjects {
    /// In all; 50 if absent.
    #[serde(default)]
    #[schemars(regex(pattern = r"^([0-9]{1,7}|[0-9]{1,2}%|100%)$"))]
    pub overall: Option<String>,
    /// Of one kind; 25 if absent.
    #[serde(default)]
    #[schemars(regex(pattern = r"^([0-9]{1,7}|[0-9]{1,2}%|100%)$"))]
    pub kind: Option<String>,
    /// Of one unit, such as a tenant; `25%` if absent.
    #[serde(default)]
    #[schemars(regex(pattern = r"^([0-9]{1,7}|[0-9]{1,2}%|100%)$"))]
    pub unit: Option<String>,
}

/// Who reviews changes of the fleet, as the forge names people and teams (`@org/team`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Review {
    /// Who reviews everything that nobody else must.
    #[serde(default)]
    pub owners: Vec<Text>,
    /// Who must review regulated tenants, policies, templates and the install itself.
    #[serde(default)]
    pub security_officers: Vec<Text>,
}
