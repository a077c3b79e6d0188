//! Name resolution: what `toFQDNs` rules need, what widens DNS rules, and what every client needs.

use std::collections::BTreeSet;

use super::super::decide::{self, Contribution};
use super::super::names::{self, Resolution};
use super::super::policy::{Direction, Peer, Policy, Rule};
use super::super::ports::{PortSet, Protocol};
use super::{Lint, Severity, Violation};

pub(super) fn find(lint: &Lint<'_, '_>, found: &mut Vec<Violation>) {
    if names::resolvers(lint.model).is_empty() {
        return;
    }
    // Pods of a kind resolve alike, under policies of their own namespaces: if nothing is wrong with one of them,
    // nothing is wrong with the others.
    let mut sound = BTreeSet::new();
    for pod in lint.model.pod_ids() {
        let kind = lint.outside.kind_of[pod as usize];
        if sound.contains(&kind) {
            continue;
        }
        let (resolution, before) = (names::resolution(lint.model, pod), found.len());
        if resolution.is_isolated {
            unlearnt_names(lint, pod, &resolution, found);
            widened(lint, &resolution, found);
            incomplete(lint, pod, &resolution, found);
        }
        if found.len() == before {
            sound.insert(kind);
        }
    }
}

/// A name whose queries do not pass Cilium's DNS proxy never matches.
fn unlearnt_names(lint: &Lint<'_, '_>, pod: u32, resolution: &Resolution, found: &mut Vec<Violation>) {
    for (_, policy) in lint.model.deciding(pod, Direction::Egress) {
        for rule in &policy.egress.rules {
            for item in &rule.peers {
                let Peer::Names(pattern) = &item.peer else { continue };
                if pattern.is_in_cluster() || resolution.learns_all(pattern) {
                    continue;
                }
                let why = if !resolution.udp {
                    "its queries do not reach the cluster's DNS"
                } else if resolution.proxied.is_empty() {
                    "no rule with rules.dns lets its queries through Cilium's proxy; bare port 53 does not intercept"
                } else {
                    "its DNS rules do not cover this name"
                };
                let message = format!("`{pattern}` never matches for {}: {why}", lint.model.pod_name(pod));
                found.push(lint.at_peer(policy, rule, item, "fqdn-without-dns", Severity::Error, message));
            }
        }
    }
}

/// A rule without names beside one with names lets every name through.
fn widened(lint: &Lint<'_, '_>, resolution: &Resolution, found: &mut Vec<Violation>) {
    let restricts =
        !resolution.proxied.is_empty() && !resolution.proxied.iter().any(|(pattern, _)| pattern.is_every_name());
    if !restricts {
        return;
    }
    for plain in &resolution.plain {
        let (policy, rule) = rule_of(lint, plain);
        let message =
            "this rule opens DNS without naming names: the DNS rules beside it no longer restrict anything".to_owned();
        found.push(lint.at_rule(policy, rule, "dns-widened", Severity::Error, message));
    }
}

/// DNS is UDP and TCP, and goes to wherever the pods' resolver really is.
fn incomplete(lint: &Lint<'_, '_>, pod: u32, resolution: &Resolution, found: &mut Vec<Violation>) {
    let resolver = &lint.model.settings.resolver;
    let (udp, tcp) = (PortSet::one(Protocol::Udp, resolver.port), PortSet::one(Protocol::Tcp, resolver.port));
    if resolution.udp && !resolution.tcp {
        let proxied = resolution.proxied.iter().map(|(_, one)| one);
        for one in proxied.chain(&resolution.plain) {
            let (policy, rule) = rule_of(lint, one);
            let message =
                "DNS is opened for UDP only: answers that do not fit into a packet are asked for again over TCP"
                    .to_owned();
            found.push(lint.at_rule(policy, rule, "dns-without-tcp", Severity::Error, message));
        }
    }
    if resolver.node_local.is_empty() || resolution.udp {
        return;
    }
    for (_, policy) in lint.model.deciding(pod, Direction::Egress) {
        for rule in &policy.egress.rules {
            let ports = decide::resolve(lint.model, rule, None);
            let is_dns = (udp.is_subset(&ports) || tcp.is_subset(&ports)) && ports != decide::everything(lint.model);
            if is_dns {
                let message = "pods ask the node-local cache, whose address this rule does not open".to_owned();
                found.push(lint.at_rule(policy, rule, "dns-misses-node-local", Severity::Error, message));
            }
        }
    }
}

fn rule_of<'m>(lint: &Lint<'_, 'm>, one: &Contribution) -> (&'m Policy, &'m Rule) {
    let policy = &lint.model.policies[one.policy as usize];
    (policy, &policy.section(one.direction).rules[one.rule as usize])
}
