//! The shape of `install.yaml`: one MSSP's SocTalk on one or more clusters.
//!
//! Section names are those of the two-chart contract where it has them (`install`, `image`, `postgres`, `ingress`, …).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capacity::{Capacity, Provided};
use super::tenant::{Llm, Profile, Tier, WazuhMode};
use super::types::{
    Address, Cidr, Day, Fqdn, HttpsUrl, Id, ImageDigest, Label, OciUrl, Quantity, Span, Text, Version, WildcardFqdn,
};

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
    /// What the platform brings and nothing here renders, so that manifests may refer to it: storage classes, issuers, …
    #[serde(default)]
    pub provided: Vec<Provided>,
    /// The clusters, each with its own `soctalk-system`.
    #[schemars(length(min = 1))]
    pub clusters: Vec<Cluster>,
}

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

/// How web pages are reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ingress {
    /// Whether the chart makes Ingress objects.
    pub enabled: bool,
    /// Ingress class.
    pub class_name: Label,
    /// Namespace of the ingress controller.
    #[serde(default = "ingress_namespace")]
    pub namespace: Label,
    /// Certificate of both host names.
    pub tls: IngressTls,
    /// The host names.
    pub hostnames: Hostnames,
}

fn ingress_namespace() -> Label {
    constant("ingress-system")
}

/// Certificate of the web pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IngressTls {
    /// Secret that holds it.
    pub secret_name: Label,
    /// cert-manager ClusterIssuer.
    pub issuer_ref: Label,
}

/// Host names of the web pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hostnames {
    /// The MSSP's.
    pub mssp: Fqdn,
    /// The customers', one subdomain a tenant.
    pub customer: WildcardFqdn,
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

/// Container network and what policies need to know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// Mode.
    #[serde(default)]
    pub mode: NetworkMode,
    /// Version of Cilium on the clusters: 1.16 or newer.
    #[serde(default = "cilium_version")]
    pub cilium_version: Version,
    /// The resolver.
    #[serde(default)]
    pub dns: Dns,
}

impl Default for Network {
    fn default() -> Self {
        Self { mode: NetworkMode::default(), cilium_version: cilium_version(), dns: Dns::default() }
    }
}

fn cilium_version() -> Version {
    constant("1.16.0")
}

/// How traffic is policed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkMode {
    /// NetworkPolicy and CiliumNetworkPolicy.
    #[default]
    Cilium,
    /// NetworkPolicy only; an egress proxy keeps the list of hosts.
    CalicoEgressProxy,
}

/// The cluster's resolver.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dns {
    /// Whether NodeLocal DNSCache answers before kube-dns, and how.
    #[serde(default)]
    pub node_local: NodeLocal,
}

/// NodeLocal DNSCache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NodeLocal {
    /// Not there.
    #[default]
    None,
    /// Pods `k8s-app: node-local-dns`, by a local redirect policy.
    Redirect,
    /// At 169.254.20.10 on the host network.
    Host,
}

/// How Wazuh agents come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WazuhIngress {
    /// Certificates of the enrolment channel.
    pub tls: WazuhTls,
    /// One LoadBalancer Service a tenant.
    #[serde(default)]
    pub load_balancer: LoadBalancer,
    /// One edge address a cluster with a pair of ports a tenant.
    #[serde(default)]
    pub edge: Option<Edge>,
}

/// Issuers of the enrolment channel's certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WazuhTls {
    /// Which of the three a tenant gets that does not say otherwise.
    #[serde(default)]
    pub mode: super::tenant::TlsMode,
    /// ClusterIssuer of per-tenant and wildcard certificates.
    pub issuer_ref: Label,
    /// ClusterIssuer backed by the MSSP's own CA, for `mode: msspCa`.
    #[serde(default)]
    pub mssp_ca_issuer_ref: Option<Label>,
    /// Whether the issuer solves HTTP-01 in the tenant's namespace (then the solver's pods need their policy).
    #[serde(default)]
    pub http01: bool,
}

/// Settings of the LoadBalancer Services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadBalancer {
    /// Annotations that choose the pool: `metallb.universe.tf/address-pool: wazuh-agents`. In a value `<address>` stands
    /// for the tenant's reserved address; an annotation that holds it is left out for tenants without one.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Class of the load balancer.
    #[serde(default)]
    pub class: Option<String>,
    /// `Local` keeps the customer's address (needed for customer CIDRs), `Cluster` does not.
    #[serde(default)]
    pub external_traffic_policy: TrafficPolicy,
    /// Addresses in the pool of each cluster that does not say otherwise, for the capacity check.
    #[serde(default)]
    pub pool_size: Option<u32>,
}

/// Whether the client's address survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TrafficPolicy {
    /// It does.
    #[default]
    Local,
    /// It does not.
    Cluster,
}

/// Port pairs at the edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Edge {
    /// Ports that may be given out, both ends included: even ones for events, the next for enrolment.
    pub ports: PortRange,
    /// Annotations of the edge's Service.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Ports from–to, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PortRange {
    /// First port.
    #[schemars(range(min = 1024, max = 65534))]
    pub from: u16,
    /// Last port.
    #[schemars(range(min = 1025, max = 65535))]
    pub to: u16,
}

/// Where secret values live. Exactly one backend is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secrets {
    /// OpenBao or Vault.
    #[serde(default)]
    pub vault: Option<Vault>,
    /// AWS Secrets Manager.
    #[serde(default)]
    pub aws: Option<Aws>,
    /// Azure Key Vault.
    #[serde(default)]
    pub azure: Option<Azure>,
    /// Google Secret Manager.
    #[serde(default)]
    pub gcp: Option<Gcp>,
    /// Short-lived database users from the backend (Vault and OpenBao only) instead of the app role's fixed password.
    #[serde(default)]
    pub dynamic_database: Option<DynamicDatabase>,
    /// Days on which the install's own secrets were rotated last, by name; `tenantry secrets due` counts from them.
    #[serde(default)]
    pub rotated: BTreeMap<Label, Day>,
}

/// OpenBao or Vault, KV version 2, one independent cluster a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vault {
    /// Mount of the KV engine.
    pub mount: Label,
    /// Endpoint of each region; reads go to the region's own.
    pub endpoints: BTreeMap<Label, HttpsUrl>,
    /// Region that takes writes.
    pub primary: Label,
    /// Mount of the Kubernetes auth method; `<cluster>` stands for the cluster's name.
    #[serde(default = "auth_mount")]
    pub auth_mount: String,
    /// ConfigMap in each namespace that holds the CA of the endpoints under `ca.crt`; the system's CAs if absent.
    #[serde(default)]
    pub ca_config_map: Option<Label>,
}

fn auth_mount() -> String {
    "kubernetes-<cluster>".into()
}

/// AWS Secrets Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Aws {
    /// AWS region of each region.
    pub regions: BTreeMap<Label, Label>,
    /// Region that takes writes.
    pub primary: Label,
    /// Account that holds the roles `<prefix><namespace>` which the namespaces' accounts assume.
    pub account_id: String,
    /// Prefix of the roles.
    #[serde(default = "role_prefix")]
    pub role_prefix: String,
}

fn role_prefix() -> String {
    "soctalk-".into()
}

/// Azure Key Vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Azure {
    /// Vault of each region.
    pub vaults: BTreeMap<Label, HttpsUrl>,
    /// Region that takes writes.
    pub primary: Label,
    /// Azure AD tenant.
    pub azure_tenant_id: Id,
    /// Workload identity that every namespace's account is federated with.
    pub client_id: Id,
}

/// Google Secret Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gcp {
    /// Project of each region.
    pub projects: BTreeMap<Label, Label>,
    /// Region that takes writes.
    pub primary: Label,
}

/// Short-lived database users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DynamicDatabase {
    /// Mount of the database engine.
    pub mount: Label,
    /// Role of the application's users.
    pub app_role: Label,
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
    /// Addresses of the pods here: no customer's may overlap them.
    #[serde(default, rename = "podCIDRs")]
    pub pod_cidrs: Vec<Cidr>,
    /// Addresses of the Services here: no customer's may overlap them.
    #[serde(default, rename = "serviceCIDRs")]
    pub service_cidrs: Vec<Cidr>,
    /// Addresses of the nodes here: no customer's may overlap them.
    #[serde(default, rename = "nodeCIDRs")]
    pub node_cidrs: Vec<Cidr>,
    /// What tenants may ask of the cluster in all, for the capacity check.
    #[serde(default)]
    pub capacity: Option<Capacity>,
}

/// A label that is a constant of this program.
fn constant<T: TryFrom<String>>(text: &str) -> T {
    T::try_from(text.to_owned()).unwrap_or_else(|_| unreachable!("a constant of this program"))
}
