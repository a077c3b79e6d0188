//! What the control plane is: its charts and images, its database, its users, and the defaults of tenants.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::tenant::{Llm, Profile, Tier, WazuhMode};
use crate::config::types::{Cidr, Fqdn, Id, ImageDigest, Label, OciUrl, Quantity, Text, Version};

/// Who the install is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// Id of the MSSP.
    pub mssp_id: Id,
    /// Name of the MSSP.
    pub mssp_name: Text,
    /// Id of the install, stable across upgrades.
    pub install_id: Id,
    /// Human-readable label.
    pub install_label: Label,
}

/// Where the charts come from and which versions run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Charts {
    /// Version of soctalk-system on every cluster that does not name its own.
    pub system_version: Version,
    /// Version of soctalk-tenant for tenants that do not name their own.
    pub tenant_version: Version,
    /// OCI registry path that holds both charts.
    pub repository: OciUrl,
    /// Digest of each published chart: chart name → version → digest. A version that is listed is pinned by it.
    #[serde(default)]
    pub digests: BTreeMap<ChartName, BTreeMap<Version, ImageDigest>>,
    /// Signature check by Flux's source controller.
    #[serde(default)]
    pub verify: Option<Cosign>,
}

/// The charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ChartName {
    /// The control plane.
    #[serde(rename = "soctalk-system")]
    System,
    /// A tenant's data plane.
    #[serde(rename = "soctalk-tenant")]
    Tenant,
}

/// Keyless cosign verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cosign {
    /// Regular expression of the OIDC issuer.
    pub issuer: String,
    /// Regular expression of the signing identity.
    pub subject: String,
}

/// Where SocTalk's images come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// Registry and path, without scheme: `ghcr.io/gbrigandi`.
    pub registry: String,
    /// Tag, informational where a digest is given.
    pub tag: String,
    /// When to pull.
    #[serde(default)]
    pub pull_policy: PullPolicy,
    /// Digest of each SocTalk image.
    pub digests: ImageDigests,
}

/// Digest of each SocTalk image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageDigests {
    /// soctalk-api (runs the migration as well).
    pub api: ImageDigest,
    /// soctalk-controller.
    pub controller: ImageDigest,
    /// soctalk-orchestrator.
    pub orchestrator: ImageDigest,
    /// soctalk-adapter.
    pub adapter: ImageDigest,
}

/// When the kubelet pulls an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// If it is not there.
    #[default]
    IfNotPresent,
    /// Each time.
    Always,
    /// Never.
    Never,
}

/// The control plane's database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Postgres {
    /// Whether the chart runs it; false needs `external`.
    pub enabled: bool,
    /// Disk of the chart's own Postgres.
    #[serde(default)]
    pub storage: Option<Storage>,
    /// An external Postgres.
    #[serde(default)]
    pub external: Option<ExternalPostgres>,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Storage {
    /// Size.
    pub size: Quantity,
    /// Storage class; the cluster's default if empty.
    #[serde(default)]
    pub storage_class_name: String,
}

/// An external Postgres.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalPostgres {
    /// Host name.
    pub host: Fqdn,
    /// Port.
    #[serde(default = "postgres_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Database.
    pub database: Label,
    /// Address ranges of the server, for network modes without host names.
    #[serde(default, rename = "cidrs")]
    pub cidrs: Vec<Cidr>,
}

fn postgres_port() -> u16 {
    5432
}

/// Who logs users in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Auth {
    /// Mode.
    #[serde(default)]
    pub mode: AuthMode,
}

/// Who logs users in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// SocTalk itself.
    #[default]
    Internal,
    /// An OIDC proxy before it.
    Proxy,
}

/// Trusted identity headers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Oidc {
    /// Header with the user.
    pub trusted_header_user: String,
    /// Header with the mail address.
    pub trusted_header_email: String,
    /// Header with the groups.
    pub trusted_header_groups: String,
    /// Addresses from which the headers are believed.
    #[serde(rename = "trustedProxyCIDRs")]
    #[schemars(length(min = 1))]
    pub trusted_proxy_cidrs: Vec<Cidr>,
}

/// What tenants get that do not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Defaults {
    /// Language model.
    pub llm: Llm,
    /// Sizing profile.
    pub profile: Profile,
    /// Tier.
    #[serde(default)]
    pub tier: Tier,
    /// Ingress mode of agents.
    #[serde(default)]
    pub wazuh_ingress_mode: WazuhMode,
    /// Storage class of every disk; the cluster's default if empty.
    #[serde(default)]
    pub storage_class_name: String,
}

/// Workloads of the control plane that can be sized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ControlPlaneWorkload {
    /// soctalk-api.
    Api,
    /// soctalk-controller.
    Controller,
    /// soctalk-orchestrator.
    Orchestrator,
    /// soctalk-postgres.
    Postgres,
    /// soctalk-migrate.
    Migration,
    /// wazuh-edge-haproxy.
    Edge,
    /// soctalk-egress-proxy.
    EgressProxy,
}

/// Requests and limits of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// What it is promised.
    pub requests: Amounts,
    /// What it may use.
    pub limits: Amounts,
}

/// CPU and memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Amounts {
    /// Cores.
    pub cpu: Quantity,
    /// Bytes.
    pub memory: Quantity,
}
