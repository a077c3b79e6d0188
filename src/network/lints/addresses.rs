//! Address blocks: too wide, aimed at what they never match, shared by namespaces that have nothing in common.

use std::net::{IpAddr, Ipv4Addr};

use super::super::addresses::IpSet;
use super::super::connections::{behind, target_ports};
use super::super::decide;
use super::super::party::{Bound, Party};
use super::super::policy::{Action, Direction, Entity, Peer, PeerItem, Policy, Rule};
use super::super::ports::PortSet;
use super::{Lint, Severity, Violation};

/// Where clouds serve credentials to whoever asks.
const METADATA: &str = "169.254.169.254/32";
/// Addresses that are not the internet.
const PRIVATE: &[&str] = &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", METADATA, "fc00::/7"];

pub(super) fn find(lint: &Lint<'_, '_>, found: &mut Vec<Violation>) {
    let private = nets(PRIVATE);
    for (_, policy, direction, rule) in lint.rules().filter(|(.., rule)| rule.action == Action::Allow) {
        for item in &rule.peers {
            let block = match &item.peer {
                Peer::Addresses(block) => block.clone(),
                Peer::Entity(Entity::World | Entity::All) => IpSet::all(),
                _ => continue,
            };
            if direction == Direction::Egress && is_the_internet(&block) && block.meets(&private) {
                let open = block.intersection(&private);
                let what = if open.meets(&nets(&[METADATA])) {
                    "the metadata service and private addresses"
                } else {
                    "private addresses"
                };
                let message = format!("the rule opens the whole internet without an exception for {what}");
                found.push(lint.at_peer(policy, rule, item, "open-internet", Severity::Error, message));
            }
            if matches!(item.peer, Peer::Addresses(_)) {
                aimed(lint, policy, rule, item, &block, found);
            }
        }
    }
    rewritten_sources(lint, found);
    shared(lint, found);
}

fn nets(texts: &[&str]) -> IpSet {
    // Constants of this file: each of them parses, as the test below shows.
    IpSet::of_all(&texts.iter().filter_map(|text| text.parse().ok()).collect::<Vec<_>>())
}

/// Whether a block has public addresses far apart: nobody lists those by hand.
fn is_the_internet(block: &IpSet) -> bool {
    [[1, 1, 1, 1], [93, 184, 216, 34], [203, 1, 1, 1]]
        .iter()
        .all(|bytes| IpSet::one(IpAddr::V4(Ipv4Addr::from(*bytes))).is_subset(block))
}

/// Blocks aimed at pods, Services, nodes or the API server, which are none of an address's business.
fn aimed(
    lint: &Lint<'_, '_>,
    policy: &Policy,
    rule: &Rule,
    item: &PeerItem,
    block: &IpSet,
    found: &mut Vec<Violation>,
) {
    let settings = &lint.model.settings;
    let set = |nets: &[ipnet::IpNet]| IpSet::of_all(nets);
    let mut push =
        |id, message: &str| found.push(lint.at_peer(policy, rule, item, id, Severity::Error, message.to_owned()));
    let (pods, services) = (set(&settings.pod_cidrs), set(&settings.service_cidrs));
    let (nodes, api_server) = (set(&settings.node_cidrs), set(&settings.api_server));
    if !services.is_none() && block.is_subset(&services) {
        push("cluster-ip-block", "the block has addresses of Services, which are translated before policy sees them");
    } else if settings.is_cilium() && !pods.is_none() && block.is_subset(&pods) {
        push("pod-block", "on Cilium a block never matches pods, whatever their addresses");
    } else if !settings.is_cilium() && block.meets(&pods) {
        push("pod-block", "the block has addresses of pods: it may match pods of every namespace");
    } else if settings.is_cilium() && !api_server.is_none() && block.is_subset(&api_server) {
        push(
            "api-server-block",
            "on Cilium the API server is an entity: a block does not match it where it runs on a node",
        );
    } else if settings.is_cilium() && !settings.cidr_matches_nodes && !nodes.is_none() && block.is_subset(&nodes) {
        push("node-block", "on Cilium a block does not match nodes unless policyCIDRMatchMode says so");
    }
}

/// A Service for clients outside that does not keep their addresses shows them as nodes: blocks do not match those.
fn rewritten_sources(lint: &Lint<'_, '_>, found: &mut Vec<Violation>) {
    for service in lint.model.services.iter().filter(|service| service.is_external && !service.keeps_source) {
        for pod in behind(lint.model, service) {
            let ports = service.ports.iter().fold(PortSet::none(), |all, port| {
                all.union(&target_ports(lint.model, pod, port.protocol, port.target))
            });
            let as_node =
                decide::side(lint.model, pod, Direction::Ingress, &Party::Entity(Entity::RemoteNode), Bound::Certain);
            let refused = ports.difference(&as_node.flow);
            if refused.is_none() {
                continue;
            }
            for (_, policy) in lint.model.deciding(pod, Direction::Ingress) {
                for rule in &policy.ingress.rules {
                    let blocks = rule.peers.iter().find(|item| matches!(item.peer, Peer::Addresses(_)));
                    let meant = decide::resolve(lint.model, rule, Some(pod)).intersection(&refused);
                    let (Some(item), false) = (blocks, meant.is_none()) else { continue };
                    let message = format!(
                        "clients come through Service {}, which rewrites their addresses to a node's; the block does not match those ({meant})",
                        lint.model.text(service.identity.name)
                    );
                    found.push(lint.at_peer(policy, rule, item, "rewritten-source", Severity::Error, message));
                }
            }
        }
    }
}

/// The same outside addresses in policies of two namespaces of a group: one of them may be the other's.
fn shared(lint: &Lint<'_, '_>, found: &mut Vec<Violation>) {
    let own: Vec<ipnet::IpNet> = lint.model.settings.resolver.node_local.iter().map(|ip| (*ip).into()).collect();
    let resolver = IpSet::of_all(&own);
    for (_, members) in &lint.groups {
        let mut blocks: Vec<(u32, u32, u32, &Policy, &Rule, &PeerItem)> = Vec::new();
        for (_, policy, _, rule) in lint.rules().filter(|(.., rule)| rule.action == Action::Allow) {
            let home = policy.namespace.and_then(|name| lint.model.find_namespace(lint.model.text(name)));
            let Some(home) = home.filter(|home| members[*home as usize]) else { continue };
            for item in &rule.peers {
                let Peer::Addresses(block) = &item.peer else { continue };
                if !is_the_internet(block) && !block.is_subset(&resolver) {
                    blocks.extend(
                        block.v4().intervals().iter().map(|(first, last)| (*first, *last, home, policy, rule, item)),
                    );
                }
            }
        }
        blocks.sort_by_key(|(first, last, home, ..)| (*first, *last, *home));
        // The widest block that is still open, and the widest of another namespace.
        let mut open: Vec<(u32, u32)> = Vec::new();
        for (first, last, home, policy, rule, item) in blocks {
            open.retain(|(end, _)| *end >= first);
            if let Some((_, other)) = open.iter().find(|(_, other)| *other != home) {
                let other = lint.model.text(lint.model.namespaces[*other as usize].name);
                let message =
                    format!("{other} has addresses of this block in a policy of its own: one of them may be a mistake");
                found.push(lint.at_peer(policy, rule, item, "shared-block", Severity::Warning, message));
            }
            if !open.iter().any(|(end, other)| *other == home && *end >= last) {
                open.push((last, home));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_parse() {
        assert!(PRIVATE.iter().all(|net| net.parse::<ipnet::IpNet>().is_ok()));
        assert!(is_the_internet(&IpSet::all_v4()) && !is_the_internet(&nets(PRIVATE)));
    }
}
