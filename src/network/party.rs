//! The other end of a connection, and which peers of a rule it is.

use super::addresses::IpSet;
use super::fqdn::Pattern;
use super::label::{Labels, Sym};
use super::model::Model;
use super::names;
use super::policy::{Entity, NamespaceTerm, Peer};
use super::settings::Profile;

/// One end of a connection, seen from a pod at the other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Party {
    Pod(u32),
    /// Addresses outside of the cluster.
    Addresses(IpSet),
    /// A node, the API server or another machine that Cilium has a name for.
    Entity(Entity),
    /// The addresses behind a DNS name, which nobody knows beforehand.
    Name(Box<str>),
    /// A pod of the cluster without labels in a namespace of which nothing is known.
    Stranger,
}

/// Where the manifests leave something open (the addresses of nodes, of the API server, behind a name), a flow is
/// either possible or certain. What is forbidden must not be possible; what is required must be certain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Bound {
    Possible,
    Certain,
}

impl Bound {
    pub fn opposite(self) -> Self {
        match self {
            Self::Possible => Self::Certain,
            Self::Certain => Self::Possible,
        }
    }

    /// Decides with what may hold and what must hold.
    fn pick(self, may: bool, must: bool) -> bool {
        match self {
            Self::Possible => may,
            Self::Certain => must,
        }
    }
}

/// Whether a peer of a rule matches a party that is not a pod on its node's network.
///
/// `home` is the namespace of the policy, `subject` the pod that the policy selects.
pub(crate) fn is_peer(
    model: &Model,
    peer: &Peer,
    home: Option<Sym>,
    subject: u32,
    party: &Party,
    bound: Bound,
) -> bool {
    match (peer, party) {
        (Peer::Any, _) => true,
        (Peer::Pods(term), Party::Pod(pod)) => model.term_matches(term, home, *pod),
        (Peer::Pods(term), Party::Stranger) => match &term.namespaces {
            NamespaceTerm::Own => false,
            NamespaceTerm::Matching(selector) => {
                selector.matches(&Labels::default()) && term.pods.matches(&Labels::default())
            }
        },
        (Peer::Pods(_), _) => false,
        (Peer::Entity(entity), _) => is_entity(*entity, party, bound),
        (Peer::Addresses(block), _) => is_inside(model, block, party, bound),
        (Peer::Names(pattern), Party::Name(name)) => is_name(model, pattern, subject, name, bound),
        // The addresses behind names are reported as names, never as addresses.
        (Peer::Names(_), _) => false,
    }
}

/// Source: Cilium documentation, *Entities based*; `InitEntities` for the members of `cluster`. The API server is a node
/// or an outside address, depending on the cluster: only its own entity and `all` are certain.
fn is_entity(entity: Entity, party: &Party, bound: Bound) -> bool {
    use Entity as E;
    match party {
        _ if entity == E::All => true,
        Party::Pod(_) | Party::Stranger => entity == E::Cluster,
        Party::Addresses(set) => match entity {
            E::World => true,
            E::WorldIpv4 => bound.pick(!set.v4().is_empty(), set.v6().is_empty()),
            E::WorldIpv6 => bound.pick(!set.v6().is_empty(), set.v4().is_empty()),
            _ => false,
        },
        Party::Name(_) => match entity {
            E::World => true,
            E::WorldIpv4 | E::WorldIpv6 => bound == Bound::Possible,
            _ => false,
        },
        Party::Entity(E::KubeApiserver) => match entity {
            E::KubeApiserver => true,
            E::Host | E::RemoteNode | E::Cluster | E::World | E::WorldIpv4 | E::WorldIpv6 => bound == Bound::Possible,
            _ => false,
        },
        Party::Entity(machine) => match entity {
            E::Cluster => true,
            // One of the nodes may be where the API server runs.
            E::KubeApiserver => matches!(machine, E::Host | E::RemoteNode) && bound == Bound::Possible,
            _ => entity == *machine,
        },
    }
}

/// Address blocks. On Cilium they never match pods and, by default, no nodes either; in plain Kubernetes they may match
/// the addresses of pods. Source: Cilium, *IP/CIDR based*, *Selecting nodes with CIDR*; Kubernetes, *Behavior of to and
/// from selectors*.
fn is_inside(model: &Model, block: &IpSet, party: &Party, bound: Bound) -> bool {
    let settings = &model.settings;
    let is_cilium = settings.profile == Profile::Cilium;
    let against = |known: &[ipnet::IpNet], unknown: bool| {
        if known.is_empty() {
            return (bound == Bound::Possible && unknown && !block.is_none()) || block_is_whole(block);
        }
        let known = IpSet::of_all(known);
        bound.pick(known.meets(block), known.is_subset(block))
    };
    match party {
        Party::Pod(_) | Party::Stranger if is_cilium || settings.pod_cidrs.is_empty() => false,
        Party::Pod(_) | Party::Stranger => against(&settings.pod_cidrs, false),
        Party::Addresses(set) => bound.pick(set.meets(block), set.is_subset(block)),
        Party::Entity(Entity::Host | Entity::RemoteNode) => {
            (!is_cilium || settings.cidr_matches_nodes) && against(&settings.node_cidrs, true)
        }
        // On Cilium an API server that runs on a node is no address but a node.
        Party::Entity(Entity::KubeApiserver) if is_cilium => {
            bound == Bound::Possible && against(&settings.api_server, true)
        }
        Party::Entity(Entity::KubeApiserver) => against(&settings.api_server, true),
        Party::Entity(_) => false,
        Party::Name(_) => bound.pick(!block.is_none(), block_is_whole(block)),
    }
}

/// Whether a block has every IPv4 address: then it has whatever address a machine of an IPv4 cluster may get.
fn block_is_whole(block: &IpSet) -> bool {
    IpSet::all_v4().is_subset(block)
}

/// `toFQDNs` matches outside names only, and only if the pod's DNS queries for them go through Cilium's proxy.
fn is_name(model: &Model, pattern: &Pattern, subject: u32, name: &str, bound: Bound) -> bool {
    let is_named = pattern.matches(name) && Pattern::name(name).is_some_and(|name| !name.is_in_cluster());
    is_named && (bound == Bound::Possible || names::resolution(model, subject).learns(name))
}
