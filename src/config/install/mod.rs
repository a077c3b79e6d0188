//! The shape of `install.yaml`: one MSSP's SocTalk on one or more clusters.
//!
//! Section names are those of the two-chart contract where it has them (`install`, `image`, `postgres`, `ingress`, …).

mod network;
mod operations;
mod product;
mod secrets;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::types::{Address, Cidr, Fqdn, Label, Version};
pub use network::{
    Dns, Edge, Hostnames, Ingress, IngressTls, LoadBalancer, Network, NetworkMode, NodeLocal, PortRange, TrafficPolicy,
    WazuhIngress, WazuhTls,
};
pub use operations::{
    Admission, AdmissionEngine, Drift, Gitops, GitopsEngine, Guard, Lifecycle, MaxDeleteObjects, Monitoring, Review,
    Switch,
};
pub use product::{
    Amounts, Auth, AuthMode, ChartName, Charts, ControlPlaneWorkload, Cosign, Defaults, ExternalPostgres, Identity,
    Image, ImageDigests, Oidc, Postgres, PullPolicy, Resources, Storage,
};
pub use secrets::{Aws, Azure, DynamicDatabase, Gcp, Secrets, Vault};

/// `install.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Install {
    /// `tenantry.io/v1`.
    pub api_version: String,
    /// `Install`.
    pub kind: String,
    /// Who the install is.
    pub install: Identity,
    /// Domain below which tenants' names lie: `<slug>.soc.<domain>`, or `<slug>.soc.<region>.<domain>` with several regions.
    pub domain: Fqdn,
    /// Where the charts come from and which versions run.
    pub charts: Charts,
    /// Where SocTalk's images come from.
    pub image: Image,
    /// The control plane's database.
    pub postgres: Postgres,
    /// How the MSSP's and the customers' web pages are reached.
    pub ingress: Ingress,
    /// Who logs users in.
    #[serde(default)]
    pub auth: Auth,
    /// Trusted identity headers; consulted with `auth.mode: proxy` only.
    #[serde(default)]
    pub oidc: Option<Oidc>,
    /// What tenants get that do not say otherwise.
    pub defaults: Defaults,
    /// Requests and limits of the control plane's workloads, by workload; what is missing has the chart's defaults.
    #[serde(default)]
    pub resources: BTreeMap<ControlPlaneWorkload, Resources>,
    /// Admission guard.
    #[serde(default)]
    pub admission: Admission,
    /// Licensing (off in this release of SocTalk).
    #[serde(default)]
    pub licensing: Switch,
    /// Telemetry (off in this release of SocTalk).
    #[serde(default)]
    pub telemetry: Switch,
    /// Container network and what policies need to know of it.
    #[serde(default)]
    pub network: Network,
    /// How Wazuh agents come in.
    pub wazuh_ingress: WazuhIngress,
    /// Where secret values live.
    pub secrets: Secrets,
    /// Who applies the rendered tree.
    pub gitops: Gitops,
    /// Scraping of the drift checker.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// The drift checker in the cluster.
    #[serde(default)]
    pub drift: Drift,
    /// Spans of the lifecycle.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// What the renderer refuses to do in one step.
    #[serde(default)]
    pub guard: Guard,
    /// Who reviews.
    #[serde(default)]
    pub review: Review,
    /// The clusters, each with its own `soctalk-system`.
    #[schemars(length(min = 1))]
    pub clusters: Vec<Cluster>,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// Name; also a folder of the rendered tree.
    pub name: Label,
    /// Region; names the backend's endpoint and, with several regions, a part of the host names.
    pub region: Label,
    /// Version of soctalk-system here, where it differs.
    #[serde(default)]
    pub system_version: Option<Version>,
    /// Address of the edge, for tenants in `edge-haproxy` mode.
    #[serde(default)]
    pub edge_address: Option<Address>,
    /// Addresses of the API server; needed where policies cannot name it (`calico-egress-proxy`).
    #[serde(default, rename = "apiServerCIDRs")]
    pub api_server_cidrs: Vec<Cidr>,
    /// Cores and memory that tenants may request in all, for the capacity check.
    #[serde(default)]
    pub capacity: Option<Amounts>,
}

/// A label that is a constant of this program.
fn constant<T: TryFrom<String>>(text: &str) -> T {
    T::try_from(text.to_owned()).unwrap_or_else(|_| unreachable!("a constant of this program"))
}
