//! The shape of `tenants/<slug>.yaml`: what a person decides about one customer, nothing derived.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::install::Amounts;
use super::types::{Address, Cidr, Colour, Day, HttpsUrl, Id, Label, Quantity, Slug, Text, Version};

/// `tenants/<slug>.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tenant {
    /// `tenantry.io/v1`.
    pub api_version: String,
    /// `Tenant`.
    pub kind: String,
    /// Who the tenant is and where it runs.
    pub tenant: Identity,
    /// Where it stands in its life.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// How its pages look.
    #[serde(default)]
    pub branding: Branding,
    /// Its language model, where it differs from the install's.
    #[serde(default)]
    pub llm: LlmOverride,
    /// Its external systems.
    #[serde(default)]
    pub integrations: Integrations,
    /// Sizing profile and overrides.
    #[serde(default)]
    pub sizing: Sizing,
    /// Overrides of single components.
    #[serde(default)]
    pub components: Components,
    /// Quota, where the derived one does not suit; never below what the components need.
    #[serde(default)]
    pub resource_quota: Option<QuotaOverride>,
    /// How its Wazuh agents come in.
    #[serde(default)]
    pub wazuh_ingress: WazuhIngress,
    /// Versions of rotated secrets, written by `tenantry rotate`.
    #[serde(default)]
    pub secrets: BTreeMap<Label, SecretVersion>,
}

/// Who the tenant is and where it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// Id; written once, never changed.
    pub id: Id,
    /// Short name; the file is named after it.
    pub slug: Slug,
    /// Name for people.
    pub display_name: Text,
    /// Cluster it runs in.
    pub cluster: Label,
    /// Tier; the install's default if absent.
    #[serde(default)]
    pub tier: Option<Tier>,
    /// Version of soctalk-tenant; the install's default if absent.
    #[serde(default)]
    pub chart_version: Option<Version>,
}

/// Tier of service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The ordinary one.
    #[default]
    Standard,
    /// Under a regulator: stricter rotation, security officers review.
    Regulated,
}

/// Where the tenant stands in its life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifecycle {
    /// State.
    #[serde(default)]
    pub state: State,
    /// Day on which it entered the state; needed for `decommissioning` and `retired`.
    #[serde(default)]
    pub since: Option<Day>,
    /// Whether agents may still come in while decommissioning.
    #[serde(default)]
    pub keep_agent_ingress: bool,
}

/// States of a tenant (R0's lifecycle).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Announced: its id and ports are reserved, nothing is rendered yet.
    Pending,
    /// First install under way.
    Provisioning,
    /// In service.
    #[default]
    Active,
    /// Stopped: no pods run, data stays.
    Suspended,
    /// In its grace period.
    Decommissioning,
    /// A tombstone: nothing is rendered; slug, id and ports stay reserved.
    Retired,
}

impl State {
    /// Whether manifests are rendered in this state.
    pub fn is_rendered(self) -> bool {
        !matches!(self, Self::Pending | Self::Retired)
    }

    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Decommissioning => "decommissioning",
            Self::Retired => "retired",
        }
    }
}

/// How the tenant's pages look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Branding {
    /// Name of the application; `<displayName> SOC` if absent.
    #[serde(default)]
    pub app_name: Option<Text>,
    /// Logo.
    #[serde(default)]
    pub logo_url: Option<HttpsUrl>,
    /// First colour.
    #[serde(default)]
    pub primary_color: Option<Colour>,
    /// Second colour.
    #[serde(default)]
    pub secondary_color: Option<Colour>,
    /// Icon.
    #[serde(default)]
    pub favicon: Option<HttpsUrl>,
}

/// A language model, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Llm {
    /// Protocol that the endpoint speaks.
    pub provider: LlmProvider,
    /// Endpoint.
    pub base_url: HttpsUrl,
    /// Model.
    pub model: Text,
}

/// Protocols of language models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LlmProvider {
    /// The protocol of OpenAI.
    OpenaiCompatible,
    /// The protocol of Anthropic.
    Anthropic,
    /// The protocol of Azure OpenAI.
    AzureOpenai,
}

impl LlmProvider {
    /// The word in the file and in the chart's values.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiCompatible => "openai-compatible",
            Self::Anthropic => "anthropic",
            Self::AzureOpenai => "azure-openai",
        }
    }
}

/// A tenant's language model, where it differs from the install's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LlmOverride {
    /// Protocol that the endpoint speaks.
    #[serde(default)]
    pub provider: Option<LlmProvider>,
    /// Endpoint.
    #[serde(default)]
    pub base_url: Option<HttpsUrl>,
    /// Model.
    #[serde(default)]
    pub model: Option<Text>,
}

/// The tenant's external systems.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Integrations {
    /// A Cortex outside, instead of the one in the namespace.
    #[serde(default)]
    pub external_cortex_url: Option<HttpsUrl>,
}

/// Sizing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sizing {
    /// Profile; the install's default if absent.
    #[serde(default)]
    pub profile: Option<Profile>,
}

/// Sizing profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// A trial on a small cluster.
    SmallDev,
    /// Production of a pilot customer.
    PilotProd,
}

impl Profile {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SmallDev => "small-dev",
            Self::PilotProd => "pilot-prod",
        }
    }
}

/// Overrides of single components.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Components {
    /// Wazuh.
    #[serde(default)]
    pub wazuh: Wazuh,
    /// TheHive.
    #[serde(default)]
    pub thehive: Component,
    /// Cassandra of TheHive.
    #[serde(default)]
    pub cassandra: Component,
    /// Cortex.
    #[serde(default)]
    pub cortex: Cortex,
    /// Elasticsearch of Cortex.
    #[serde(default)]
    pub elasticsearch: Component,
    /// The SocTalk adapter.
    #[serde(default)]
    pub adapter: Component,
    /// MISP.
    #[serde(default)]
    pub misp: super::install::Switch,
}

/// Wazuh's components.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wazuh {
    /// Manager.
    #[serde(default)]
    pub manager: Component,
    /// Indexer.
    #[serde(default)]
    pub indexer: Indexer,
    /// Dashboard.
    #[serde(default)]
    pub dashboard: Dashboard,
}

/// Overrides of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Component {
    /// Requests and limits.
    #[serde(default)]
    pub resources: ResourcesOverride,
    /// Disk.
    #[serde(default)]
    pub persistence: Persistence,
}

/// Overrides of the indexer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Indexer {
    /// Requests and limits.
    #[serde(default)]
    pub resources: ResourcesOverride,
    /// Disk.
    #[serde(default)]
    pub persistence: Persistence,
    /// Java.
    #[serde(default)]
    pub jvm: Jvm,
}

/// Java.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Jvm {
    /// Heap, such as `1g`.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[1-9][0-9]{0,4}[mg]$"))]
    pub heap: Option<String>,
}

/// Overrides of the dashboard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dashboard {
    /// Whether it runs; it does if not said.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Requests and limits.
    #[serde(default)]
    pub resources: ResourcesOverride,
}

/// Overrides of Cortex.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cortex {
    /// Requests and limits.
    #[serde(default)]
    pub resources: ResourcesOverride,
    /// Analyzers that may run; none listed means the safe defaults.
    #[serde(default)]
    pub analyzers: Vec<Text>,
}

/// Requests and limits, where they differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourcesOverride {
    /// What it is promised.
    #[serde(default)]
    pub requests: AmountsOverride,
    /// What it may use.
    #[serde(default)]
    pub limits: AmountsOverride,
}

/// CPU and memory, where they differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AmountsOverride {
    /// Cores.
    #[serde(default)]
    pub cpu: Option<Quantity>,
    /// Bytes.
    #[serde(default)]
    pub memory: Option<Quantity>,
}

/// A disk, where it differs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Persistence {
    /// Size.
    #[serde(default)]
    pub size: Option<Quantity>,
    /// Storage class.
    #[serde(default)]
    pub storage_class_name: Option<Label>,
}

/// Quota, where the derived one does not suit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuotaOverride {
    /// Requests in all.
    #[serde(default)]
    pub requests: Option<Amounts>,
    /// Limits in all.
    #[serde(default)]
    pub limits: Option<Amounts>,
    /// Disk in all.
    #[serde(default)]
    pub storage: Option<Quantity>,
    /// Number of disks.
    #[serde(default)]
    pub persistent_volume_claims: Option<u32>,
    /// Number of pods.
    #[serde(default)]
    pub pods: Option<u32>,
}

/// How the tenant's Wazuh agents come in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WazuhIngress {
    /// Mode; the install's default if absent.
    #[serde(default)]
    pub mode: Option<WazuhMode>,
    /// Ports at the edge; written once, never changed. Needed in `edge-haproxy` mode.
    #[serde(default)]
    pub edge_ports: Option<EdgePorts>,
    /// Address ranges that agents come from; anywhere if empty.
    #[serde(default, rename = "customerCIDRs")]
    pub customer_cidrs: Vec<Cidr>,
    /// Address that is reserved for the tenant's LoadBalancer Service; the load balancer chooses one if absent.
    #[serde(default)]
    pub load_balancer_address: Option<Address>,
    /// Certificate of the enrolment channel.
    #[serde(default)]
    pub tls: Tls,
}

/// Ways in for agents (R4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WazuhMode {
    /// A LoadBalancer Service with its own address.
    #[default]
    #[serde(rename = "loadbalancer")]
    LoadBalancer,
    /// A pair of ports at the cluster's edge address.
    EdgeHaproxy,
}

impl WazuhMode {
    /// The word in the file and in the chart's values.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoadBalancer => "loadbalancer",
            Self::EdgeHaproxy => "edge-haproxy",
        }
    }
}

/// A pair of ports at the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EdgePorts {
    /// Events: an even port.
    #[schemars(range(min = 1024, max = 65534))]
    pub events: u16,
    /// Enrolment: the next one.
    #[schemars(range(min = 1025, max = 65535))]
    pub enrollment: u16,
}

/// Certificate of the enrolment channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// Which of the three; the install's default if absent.
    #[serde(default)]
    pub mode: Option<TlsMode>,
}

/// Certificates of the enrolment channel (R4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TlsMode {
    /// One a tenant, from the public issuer.
    #[default]
    PerTenant,
    /// One for all tenants of a region, issued in soctalk-system and handed out through the backend.
    Wildcard,
    /// One a tenant, from the MSSP's own CA.
    MsspCa,
}

impl TlsMode {
    /// The word in the file and in the chart's values.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PerTenant => "perTenant",
            Self::Wildcard => "wildcard",
            Self::MsspCa => "msspCa",
        }
    }
}

/// A rotated secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretVersion {
    /// Version, from 1.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub version: u32,
    /// Day of the rotation.
    pub rotated: Day,
}
