//! Ports of rules: names that nobody has or that mean several numbers, and ports of Services taken for those of pods.

use std::collections::{BTreeMap, BTreeSet};

use super::super::connections::{behind, target_ports};
use super::super::label::Sym;
use super::super::policy::{Direction, Peer, Policy, Ports, Rule};
use super::super::ports::{PortSet, Protocol};
use super::super::settings::CiliumVersion;
use super::{Lint, Severity, Violation};

pub(super) fn find(lint: &Lint<'_, '_>, found: &mut Vec<Violation>) {
    let numbers = numbers_by_name(lint);
    let translated = translated(lint);
    for (index, policy, direction, rule) in lint.rules() {
        let Ports::Listed { numbered, named } = &rule.ports else { continue };
        if !named.is_empty() {
            names(
                lint,
                policy,
                direction,
                rule,
                named,
                &numbers,
                &destinations(lint, index, policy, direction, rule),
                found,
            );
        }
        if !numbered.is_none() && !translated.is_empty() {
            service_ports(lint, index, policy, direction, rule, &translated, found);
        }
    }
    doubled(lint, found);
}

/// The pods whose ports a rule speaks of: its subject's for ingress, its peers' for egress.
fn destinations(lint: &Lint<'_, '_>, index: u32, policy: &Policy, direction: Direction, rule: &Rule) -> Vec<u32> {
    if direction == Direction::Ingress {
        return lint.subjects[index as usize].clone();
    }
    let mut pods = BTreeSet::new();
    for item in &rule.peers {
        match &item.peer {
            Peer::Pods(term) => pods.extend(
                lint.namespaces(policy, term)
                    .into_iter()
                    .flat_map(|namespace| lint.model.namespaces[namespace as usize].pods.clone())
                    .filter(|pod| term.pods.matches(&lint.model.pods[*pod as usize].identity)),
            ),
            Peer::Any => pods.extend(lint.model.pod_ids()),
            _ => {}
        }
    }
    pods.into_iter().collect()
}

/// For each name and protocol the numbers that pods give it.
fn numbers_by_name(lint: &Lint<'_, '_>) -> BTreeMap<(Sym, Protocol), BTreeSet<u16>> {
    let mut numbers: BTreeMap<(Sym, Protocol), BTreeSet<u16>> = BTreeMap::new();
    for port in lint.model.pods.iter().flat_map(|pod| &pod.ports) {
        if let Some(name) = port.name {
            numbers.entry((name, port.protocol)).or_default().insert(port.port);
        }
    }
    numbers
}

#[expect(clippy::too_many_arguments, reason = "a rule and where it stands")]
fn names(
    lint: &Lint<'_, '_>,
    policy: &Policy,
    direction: Direction,
    rule: &Rule,
    named: &[(Protocol, Sym)],
    numbers: &BTreeMap<(Sym, Protocol), BTreeSet<u16>>,
    destinations: &[u32],
    found: &mut Vec<Violation>,
) {
    for (protocol, name) in named {
        let text = lint.model.text(*name);
        let has = |pod: &&u32| {
            let ports = &lint.model.pods[**pod as usize].ports;
            ports.iter().any(|port| port.name == Some(*name) && port.protocol == *protocol)
        };
        if destinations.iter().find(has).is_none() {
            let message = format!("no pod that the rule speaks of has a {protocol} port named `{text}`");
            found.push(lint.at_rule(policy, rule, "named-port-missing", Severity::Warning, message));
        }
        let is_old = lint.model.settings.cilium < CiliumVersion::NAMED_PORTS_BY_PEER;
        let several = numbers.get(&(*name, *protocol)).filter(|numbers| numbers.len() > 1);
        if let (true, true, Direction::Egress, Some(numbers)) =
            (lint.model.settings.is_cilium(), is_old, direction, several)
        {
            let list: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            let message = format!(
                "pods of the cluster give `{text}` different numbers ({}): Cilium ignores the rule",
                list.join(", ")
            );
            found.push(lint.at_rule(policy, rule, "named-port-conflict", Severity::Error, message));
        }
    }
}

/// For each pod the ports of Services before it that lead to other ports, with the ports that they lead to.
type Translated = BTreeMap<u32, Vec<(PortSet, PortSet, String)>>;

fn translated(lint: &Lint<'_, '_>) -> Translated {
    let mut translated = Translated::new();
    for service in &lint.model.services {
        for pod in behind(lint.model, service) {
            for port in &service.ports {
                let (front, back) =
                    (PortSet::one(port.protocol, port.port), target_ports(lint.model, pod, port.protocol, port.target));
                if front != back && !back.is_none() {
                    let name = lint.model.text(service.identity.name).to_owned();
                    translated.entry(pod).or_default().push((front, back, name));
                }
            }
        }
    }
    translated
}

/// Policies see ports after translation: the port of a Service is not that of its pods.
fn service_ports(
    lint: &Lint<'_, '_>,
    index: u32,
    policy: &Policy,
    direction: Direction,
    rule: &Rule,
    translated: &Translated,
    found: &mut Vec<Violation>,
) {
    let Ports::Listed { numbered, .. } = &rule.ports else { return };
    for pod in destinations(lint, index, policy, direction, rule) {
        for (front, back, service) in translated.get(&pod).into_iter().flatten() {
            let own = &lint.model.pods[pod as usize].ports;
            let is_own = own.iter().any(|port| front.of(port.protocol).contains(port.port));
            if front.is_subset(numbered) && !back.is_subset(numbered) && !is_own {
                let message = format!(
                    "{front} is a port of Service {service}; the pods listen on {back}, which is what policies see ({})",
                    lint.model.pod_name(pod)
                );
                found.push(lint.at_rule(policy, rule, "service-port", Severity::Error, message));
                return;
            }
        }
    }
}

/// One pod that gives a name two numbers: which of them a policy opens is not defined.
fn doubled(lint: &Lint<'_, '_>, found: &mut Vec<Violation>) {
    for pod in lint.model.pod_ids() {
        let ports = &lint.model.pods[pod as usize].ports;
        let clash = ports.windows(2).find(|pair| {
            pair[0].name.is_some()
                && pair[0].name == pair[1].name
                && pair[0].protocol == pair[1].protocol
                && pair[0].port != pair[1].port
        });
        // The place is looked up last: it costs more than the rest.
        if let Some(pair) = clash
            && let Some(place) = super::super::witness::pod_place(lint.model, pod)
        {
            let name = pair[0].name.map(|name| lint.model.text(name)).unwrap_or_default();
            let message = format!("the port name `{name}` stands for {} and {}", pair[0].port, pair[1].port);
            let object = lint.model.pod_name(pod);
            found.push(Violation { place, rule: "named-port-conflict", severity: Severity::Error, object, message });
        }
    }
}
