//! What the proof cannot read from the manifests: the network plugin, its configuration, addresses of the cluster.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::addresses::IpSet;
use super::identity::LabelFilter;
use super::ports::Protocol;

/// Whose semantics hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// NetworkPolicy v1 as the Kubernetes documentation defines it; Cilium's own kinds are enforced by nobody.
    Kubernetes,
    /// NetworkPolicy v1 as Cilium implements it, CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy.
    Cilium,
}

impl fmt::Display for Profile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Kubernetes => "kubernetes",
            Self::Cilium => "cilium",
        })
    }
}

/// A Cilium release line: major and minor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CiliumVersion(pub u16, pub u16);

impl CiliumVersion {
    /// From this release on, a selector on a namespace's labels lifts the scoping to the policy's own namespace.
    /// Source: cilium/cilium#30149 and its fix, `getEndpointSelector` of `pkg/k8s/apis/cilium.io/utils`.
    pub const NAMESPACE_LABELS_LIFT_SCOPE: Self = Self(1, 16);
    /// From this release on, an explicitly empty list of peers selects nothing instead of everything.
    /// Source: cilium/cilium#29608.
    pub const EMPTY_LIST_SELECTS_NOTHING: Self = Self(1, 15);
    /// From this release on, a named port in an egress rule is looked up among the selected peers only.
    /// Source: cilium/cilium#44429.
    pub const NAMED_PORTS_BY_PEER: Self = Self(1, 20);
}

impl fmt::Display for CiliumVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.0, self.1)
    }
}

/// A string that is not a version such as `1.16`, `v1.16.3` or `1.17.x`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotAVersion(pub String);

impl fmt::Display for NotAVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` is not a Cilium version such as 1.16 or v1.16.3", self.0)
    }
}

impl std::error::Error for NotAVersion {}

impl FromStr for CiliumVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        let mut number = || parts.next().and_then(|part| part.parse().ok());
        match (number(), number()) {
            (Some(major), Some(minor)) => Ok(Self(major, minor)),
            _ => Err(NotAVersion(text.to_owned())),
        }
    }
}

/// A pod that the manifests do not contain but that the answers need: cluster DNS, an ingress controller, a stranger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StandIn {
    /// Its namespace, created if the manifests have none of that name; `$group` means one such pod in each namespace
    /// of the group.
    pub namespace: String,
    /// Its name in reports.
    pub name: String,
    /// The kind of workload that makes it, for reports; `Assumed` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Also stand for pods with whatever labels a policy of the input asks for in that namespace. A proof over such a
    /// stand-in holds for every pod that the namespace may ever get.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_labels: bool,
    /// Its named ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<StandInPort>,
    /// Whether it uses the network of its node.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub host_network: bool,
}

/// A container port of a [`StandIn`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StandInPort {
    /// The name that a policy may use.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The number.
    pub port: u16,
    /// TCP, UDP or SCTP.
    #[serde(default = "tcp")]
    pub protocol: String,
}

fn tcp() -> String {
    Protocol::Tcp.name().to_owned()
}

/// The cluster's DNS resolver, which `toFQDNs` rules depend on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resolver {
    /// The namespace of the resolver's pods.
    pub namespace: String,
    /// Labels of the resolver's pods.
    pub labels: BTreeMap<String, String>,
    /// The port of the **pods** (after Service translation).
    #[serde(default = "dns_port")]
    pub port: u16,
    /// Addresses of a node-local cache (NodeLocal DNSCache) that pods ask instead of the resolver's pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_local: Vec<std::net::IpAddr>,
}

fn dns_port() -> u16 {
    53
}

impl Default for Resolver {
    fn default() -> Self {
        Self {
            namespace: "kube-system".to_owned(),
            labels: BTreeMap::from([("k8s-app".to_owned(), "kube-dns".to_owned())]),
            port: dns_port(),
            node_local: Vec::new(),
        }
    }
}

/// Everything that the answers depend on besides the manifests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Whose semantics hold.
    pub profile: Profile,
    /// The Cilium release line (profile `cilium`).
    pub cilium: CiliumVersion,
    /// Cilium's identity-relevant labels (profile `cilium`).
    pub label_filter: LabelFilter,
    /// Cilium's cluster name, the value of `io.cilium.k8s.policy.cluster`.
    pub cluster_name: String,
    /// Whether Cilium's CIDR rules also match nodes (`policyCIDRMatchMode: nodes`).
    pub cidr_matches_nodes: bool,
    /// Addresses that pods get, if known.
    pub pod_cidrs: Vec<IpNet>,
    /// Addresses that Services get (ClusterIPs), if known.
    pub service_cidrs: Vec<IpNet>,
    /// Addresses of the nodes, if known.
    pub node_cidrs: Vec<IpNet>,
    /// Addresses of the API server, if known.
    pub api_server: Vec<IpNet>,
    /// The cluster's DNS.
    pub resolver: Resolver,
    /// Pods that the manifests do not contain.
    pub stand_ins: Vec<StandIn>,
    /// Groups of namespaces that stand-ins speak of: all of these labels.
    pub groups: BTreeMap<String, BTreeMap<String, String>>,
}

impl Settings {
    /// The defaults of a profile: Cilium 1.16 with its default label filter, no known address, kube-dns.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            cilium: CiliumVersion(1, 16),
            label_filter: LabelFilter::default(),
            cluster_name: "default".to_owned(),
            cidr_matches_nodes: false,
            pod_cidrs: Vec::new(),
            service_cidrs: Vec::new(),
            node_cidrs: Vec::new(),
            api_server: Vec::new(),
            resolver: Resolver::default(),
            stand_ins: Vec::new(),
            groups: BTreeMap::new(),
        }
    }

    /// Addresses that are known to be in the cluster, and so not outside of it.
    pub(crate) fn inside(&self) -> IpSet {
        let known = [&self.pod_cidrs, &self.service_cidrs, &self.node_cidrs, &self.api_server];
        IpSet::of_all(known.into_iter().flatten())
    }

    pub(crate) fn is_cilium(&self) -> bool {
        self.profile == Profile::Cilium
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_with_or_without_patch_level() {
        for (text, expected) in [("1.16", (1, 16)), ("v1.16.3", (1, 16)), ("1.15.x", (1, 15)), ("1.20.0-rc.1", (1, 20))]
        {
            assert_eq!(text.parse(), Ok(CiliumVersion(expected.0, expected.1)));
        }
        assert_eq!("latest".parse::<CiliumVersion>(), Err(NotAVersion("latest".to_owned())));
        assert!(CiliumVersion(1, 9) < CiliumVersion(1, 16));
    }
}
