//! A policy in the one form that both APIs are parsed into.

use super::addresses::IpSet;
use super::fqdn::Pattern;
use super::label::{Selector, Sym};
use super::ports::{PortSet, Protocol};

/// The kinds of policy that are understood.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum PolicyKind {
    Network,
    Cilium,
    CiliumClusterwide,
}

impl PolicyKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "NetworkPolicy",
            Self::Cilium => "CiliumNetworkPolicy",
            Self::CiliumClusterwide => "CiliumClusterwideNetworkPolicy",
        }
    }
}

/// The two directions, seen from the pod that a policy selects.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Connections that the selected pod accepts.
    Ingress,
    /// Connections that the selected pod opens.
    Egress,
}

impl Direction {
    /// Both directions.
    pub const BOTH: [Self; 2] = [Self::Ingress, Self::Egress];

    /// The name as Kubernetes writes it in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

/// One policy: one `spec` of an object (Cilium's `specs` gives several).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Policy {
    pub kind: PolicyKind,
    /// Absent for clusterwide policies.
    pub namespace: Option<Sym>,
    pub name: Sym,
    /// The document, and the JSON pointer of the spec in it.
    pub document: u32,
    pub spec: Box<str>,
    /// The pods whose traffic the policy decides.
    pub subject: PodTerm,
    pub ingress: Section,
    pub egress: Section,
}

impl Policy {
    pub fn section(&self, direction: Direction) -> &Section {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

/// What a policy says of one direction.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Section {
    /// Whether the policy makes its pods refuse, in this direction, what nothing allows.
    pub isolates: bool,
    pub rules: Vec<Rule>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Action {
    Allow,
    Deny,
}

/// One rule: connections with any of the peers on any of the ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rule {
    pub action: Action,
    /// No peer at all: the rule matches nothing.
    pub peers: Vec<PeerItem>,
    pub ports: Ports,
    /// The names that a `rules.dns` part lets pods ask for; absent if the rule has none.
    pub dns: Option<Vec<Pattern>>,
    /// The field and index under the spec, such as `egress` and 2.
    pub field: &'static str,
    pub index: u32,
}

impl Rule {
    /// The JSON pointer of the rule in its document.
    pub fn pointer(&self, policy: &Policy) -> String {
        format!("{}/{}/{}", policy.spec, self.field, self.index)
    }
}

/// A peer, with the field and index under its rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PeerItem {
    pub peer: Peer,
    pub field: &'static str,
    pub index: u32,
}

/// Who may be at the other end.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Peer {
    /// Everyone, outside addresses and nodes included.
    Any,
    Pods(PodTerm),
    Addresses(IpSet),
    Entity(Entity),
    /// Outside addresses that DNS gave for a matching name.
    Names(Pattern),
}

/// Pods by their namespace and their own labels.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct PodTerm {
    pub namespaces: NamespaceTerm,
    pub pods: Selector,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum NamespaceTerm {
    /// The namespace of the policy.
    Own,
    /// Namespaces by label; [`super::model::NAME_KEY`] is the key of the name. The empty selector means all.
    Matching(Selector),
}

/// Ports of a rule.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Ports {
    /// No restriction, ICMP included.
    All,
    Listed {
        numbered: PortSet,
        /// Resolved on the destination pod; the protocol must match.
        named: Vec<(Protocol, Sym)>,
    },
}

/// A peer of Cilium that is not a pod.
/// Source: Cilium documentation, *Entities based*; `pkg/policy/api/entity.go`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entity {
    /// Everything.
    All,
    /// Everything inside the cluster.
    Cluster,
    /// Every address outside the cluster.
    World,
    /// Every IPv4 address outside the cluster.
    WorldIpv4,
    /// Every IPv6 address outside the cluster.
    WorldIpv6,
    /// The node of the selected pod.
    Host,
    /// Every other node.
    RemoteNode,
    /// The API server, wherever it runs.
    KubeApiserver,
    /// Cilium's own Envoy for Ingress and Gateway.
    Ingress,
    /// Cilium's health endpoints.
    Health,
    /// Pods without an identity yet.
    Init,
    /// Pods that Cilium does not manage.
    Unmanaged,
    /// Nothing.
    None,
}

impl Entity {
    /// Every entity, in the order of the documentation.
    pub const EVERY: [Self; 13] = [
        Self::All,
        Self::Cluster,
        Self::World,
        Self::WorldIpv4,
        Self::WorldIpv6,
        Self::Host,
        Self::RemoteNode,
        Self::KubeApiserver,
        Self::Ingress,
        Self::Health,
        Self::Init,
        Self::Unmanaged,
        Self::None,
    ];

    /// The name in policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Cluster => "cluster",
            Self::World => "world",
            Self::WorldIpv4 => "world-ipv4",
            Self::WorldIpv6 => "world-ipv6",
            Self::Host => "host",
            Self::RemoteNode => "remote-node",
            Self::KubeApiserver => "kube-apiserver",
            Self::Ingress => "ingress",
            Self::Health => "health",
            Self::Init => "init",
            Self::Unmanaged => "unmanaged",
            Self::None => "none",
        }
    }

    /// The entity of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|entity| entity.name() == name)
    }

    /// Whether the entity stands for single machines that can be one end of a connection, rather than for a set.
    pub(crate) const fn is_machine(self) -> bool {
        matches!(self, Self::Host | Self::RemoteNode | Self::KubeApiserver | Self::Ingress | Self::Health)
    }
}
