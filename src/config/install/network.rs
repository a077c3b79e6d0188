//! How a cluster is reached and what may reach what: ingress, the network plugin, the agents of customers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::constant;
use crate::config::types::{Fqdn, Label, Version, WildcardFqdn};

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
    pub mode: crate::config::tenant::TlsMode,
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
    /// Addresses in the pool, for the capacity check.
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
