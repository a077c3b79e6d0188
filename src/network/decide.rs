//! The verdict on one connection, rule by rule: the plain reading of the semantics, one pair at a time.
//!
//! This is what `explain` shows and what the symbolic engine is tested against.

use super::model::Model;
use super::party::{Bound, Party, is_peer};
use super::policy::{Action, Direction, Entity, Ports, Rule};
use super::ports::PortSet;

/// What one pod's policies say of its connections with one party.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    /// The policies that make the pod refuse what nothing allows.
    pub isolating: Vec<u32>,
    /// Rules that allow something.
    pub allowing: Vec<Contribution>,
    /// Rules that deny something.
    pub denying: Vec<Contribution>,
    /// What is left.
    pub flow: PortSet,
    pub reason: Reason,
}

/// A rule and the part of it that applies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Contribution {
    pub policy: u32,
    pub direction: Direction,
    /// Position in the section's list of rules.
    pub rule: u32,
    pub ports: PortSet,
}

/// Why a side is as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The pod uses its node's network: no policy holds it.
    HostNetwork,
    /// The other end is not a pod of the cluster: nothing decides there.
    NotAPod,
    /// The other end is a node from which, or to which, traffic is always let through.
    NodeTraffic,
    /// No policy selects the pod for this direction.
    NotIsolated,
    /// Policies select the pod and their rules decide.
    Policies,
}

/// Everything that a connection can carry under the profile.
pub(crate) fn everything(model: &Model) -> PortSet {
    if model.settings.is_cilium() { PortSet::all() } else { PortSet::transport() }
}

/// What flows from one pod to another: egress of the source and ingress of the destination both have to allow it.
/// Source: Kubernetes, *The two sorts of pod isolation*.
pub(crate) fn flow(model: &Model, from: u32, to: u32, bound: Bound) -> PortSet {
    let egress = side(model, from, Direction::Egress, &Party::Pod(to), bound).flow;
    if egress.is_none() {
        return egress;
    }
    egress.intersection(&side(model, to, Direction::Ingress, &Party::Pod(from), bound).flow)
}

/// What a pod's policies allow in one direction with one party.
pub(crate) fn side(model: &Model, pod: u32, direction: Direction, party: &Party, bound: Bound) -> Side {
    if model.pods[pod as usize].host_network {
        return open(model, Reason::HostNetwork);
    }
    if let Party::Pod(other) = party
        && model.pods[*other as usize].host_network
    {
        return node_side(model, pod, direction, *other, bound);
    }
    // Kubernetes: traffic of the pod's own node is always let through. Cilium: ingress from it.
    let is_open_to_host = direction == Direction::Ingress || !model.settings.is_cilium();
    if *party == Party::Entity(Entity::Host) && is_open_to_host {
        return open(model, Reason::NodeTraffic);
    }
    by_policies(model, pod, direction, party, bound)
}

fn open(model: &Model, reason: Reason) -> Side {
    Side { isolating: Vec::new(), allowing: Vec::new(), denying: Vec::new(), flow: everything(model), reason }
}

/// A pod on its node's network is that node, the pod's own or another one, which the manifests do not tell.
fn node_side(model: &Model, pod: u32, direction: Direction, node_pod: u32, bound: Bound) -> Side {
    let own = side(model, pod, direction, &Party::Entity(Entity::Host), bound);
    let mut other = by_policies(model, pod, direction, &Party::Entity(Entity::RemoteNode), bound);
    other.flow = node_flow(model, pod, direction, bound);
    // Plain Kubernetes leaves it to the network plugin whether selectors match such pods.
    if bound == Bound::Possible && !model.settings.is_cilium() {
        let as_pod = by_policies(model, pod, direction, &Party::Pod(node_pod), bound);
        other.flow = other.flow.union(&as_pod.flow);
    }
    if other.flow == own.flow {
        other.reason = own.reason;
    }
    other
}

/// What a pod exchanges with the nodes, whichever of them the other end is on.
pub(crate) fn node_flow(model: &Model, pod: u32, direction: Direction, bound: Bound) -> PortSet {
    let own = side(model, pod, direction, &Party::Entity(Entity::Host), bound).flow;
    let other = by_policies(model, pod, direction, &Party::Entity(Entity::RemoteNode), bound).flow;
    match bound {
        Bound::Certain => own.intersection(&other),
        Bound::Possible => own.union(&other),
    }
}

/// Policies are a union: any of them isolates, any allow counts, and every deny beats every allow.
fn by_policies(model: &Model, pod: u32, direction: Direction, party: &Party, bound: Bound) -> Side {
    let mut side = Side {
        isolating: Vec::new(),
        allowing: Vec::new(),
        denying: Vec::new(),
        flow: PortSet::none(),
        reason: Reason::Policies,
    };
    // Named ports are resolved on the destination.
    let destination = match (direction, party) {
        (Direction::Ingress, _) => Some(pod),
        (Direction::Egress, Party::Pod(other)) => Some(*other),
        (Direction::Egress, _) => None,
    };
    for (index, policy) in model.deciding(pod, direction) {
        let section = policy.section(direction);
        if section.isolates {
            side.isolating.push(index);
        }
        for (position, rule) in (0u32..).zip(&section.rules) {
            let bound = if rule.action == Action::Allow { bound } else { bound.opposite() };
            if !rule.peers.iter().any(|item| is_peer(model, &item.peer, policy.namespace, pod, party, bound)) {
                continue;
            }
            let ports = resolve(model, rule, destination);
            if ports.is_none() {
                continue;
            }
            let contribution = Contribution { policy: index, direction, rule: position, ports };
            match rule.action {
                Action::Allow => side.allowing.push(contribution),
                Action::Deny => side.denying.push(contribution),
            }
        }
    }
    if side.isolating.is_empty() {
        side.flow = everything(model);
        side.reason = Reason::NotIsolated;
    } else {
        side.flow = union(&side.allowing);
    }
    side.flow = side.flow.difference(&union(&side.denying));
    side
}

fn union(contributions: &[Contribution]) -> PortSet {
    contributions.iter().fold(PortSet::none(), |all, one| all.union(&one.ports))
}

/// The ports of a rule at a destination. A name that the destination lacks matches nothing, nor does one whose protocol
/// differs. Source: Kubernetes API reference, `NetworkPolicyPort`.
pub(crate) fn resolve(model: &Model, rule: &Rule, destination: Option<u32>) -> PortSet {
    match &rule.ports {
        Ports::All => everything(model),
        Ports::Listed { numbered, named } => {
            let mut ports = numbered.clone();
            let own = destination.map(|pod| model.pods[pod as usize].ports.as_slice()).unwrap_or_default();
            for (protocol, name) in named {
                for port in own.iter().filter(|port| port.name == Some(*name) && port.protocol == *protocol) {
                    ports = ports.union(&PortSet::one(*protocol, port.port));
                }
            }
            ports
        }
    }
}
