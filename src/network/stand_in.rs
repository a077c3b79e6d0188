//! Pods that no manifest contains: those that the settings assume, and for namespaces whose pods nobody knows one pod
//! for whatever labels a policy asks for.

use std::collections::BTreeSet;

use super::builder::{WORKLOADS, identity_labels};
use super::label::{Interner, Labels, Selector, Sym};
use super::model::{Pod, SERVICE_ACCOUNT_KEY};
use super::objects::{NamespaceObject, PodPort};
use super::policy::{Direction, Peer, Policy};
use super::ports::Protocol;
use super::settings::{Settings, StandIn};

/// The stand-ins with the names of their namespaces.
pub(crate) fn pods(
    settings: &Settings,
    interner: &mut Interner,
    policies: &[Policy],
    namespaces: &[NamespaceObject],
) -> Vec<(Sym, Pod)> {
    let any_labels = settings.stand_ins.iter().any(|one| one.any_labels);
    let wanted = if any_labels { peer_selectors(policies) } else { BTreeSet::new() };
    let mut pods = Vec::new();
    for stand_in in &settings.stand_ins {
        let labels = Labels::new(
            stand_in.labels.iter().map(|(key, value)| (interner.intern(key), interner.intern(value))).collect(),
        );
        for namespace in homes(stand_in, settings, interner, namespaces) {
            pods.push((namespace, pod(stand_in, &stand_in.name, &labels, settings, interner)));
            if stand_in.any_labels {
                let fitting = fitting(stand_in, &labels, &wanted, settings, interner);
                pods.extend(fitting.into_iter().map(|pod| (namespace, pod)));
            }
        }
    }
    pods
}

/// The namespace that a stand-in names, or those of its group.
fn homes(stand_in: &StandIn, settings: &Settings, interner: &mut Interner, namespaces: &[NamespaceObject]) -> Vec<Sym> {
    let Some(group) = stand_in.namespace.strip_prefix('$') else {
        return vec![interner.intern(&stand_in.namespace)];
    };
    let Some(labels) = settings.groups.get(group) else { return Vec::new() };
    let wanted: Vec<(Sym, Sym)> =
        labels.iter().map(|(key, value)| (interner.intern(key), interner.intern(value))).collect();
    let members =
        namespaces.iter().filter(|one| wanted.iter().all(|(key, value)| one.labels.get(*key) == Some(*value)));
    members.map(|one| one.identity.name).collect()
}

/// One pod for each selector that a policy puts on its peers, unless the stand-in itself fits.
fn fitting(
    stand_in: &StandIn,
    labels: &Labels,
    wanted: &BTreeSet<Selector>,
    settings: &Settings,
    interner: &mut Interner,
) -> Vec<Pod> {
    let fresh = interner.intern("any-value");
    let mut pods = Vec::new();
    for selector in wanted {
        let Some(fitting) = selector.witness(fresh) else { continue };
        if fitting.iter().next().is_none() || selector.matches(labels) {
            continue;
        }
        let name = format!("{}({})", stand_in.name, describe(&fitting, interner));
        let mut fitted = pod(stand_in, &name, &fitting, settings, interner);
        fitted.fits_a_selector = true;
        pods.push(fitted);
    }
    pods
}

/// The distinct selectors on pods that occur as peers.
fn peer_selectors(policies: &[Policy]) -> BTreeSet<Selector> {
    let mut selectors = BTreeSet::new();
    for policy in policies {
        for direction in Direction::BOTH {
            for item in policy.section(direction).rules.iter().flat_map(|rule| &rule.peers) {
                if let Peer::Pods(term) = &item.peer
                    && !term.pods.is_empty()
                {
                    selectors.insert(term.pods.clone());
                }
            }
        }
    }
    selectors
}

fn describe(labels: &Labels, interner: &Interner) -> String {
    let mut pairs: Vec<String> =
        labels.iter().map(|(key, value)| format!("{}={}", interner.text(key), interner.text(value))).collect();
    pairs.sort();
    pairs.join(",")
}

fn pod(stand_in: &StandIn, name: &str, labels: &Labels, settings: &Settings, interner: &mut Interner) -> Pod {
    // A selector may have asked for a service account, which is no label of the pod's own.
    let account_key = interner.intern(SERVICE_ACCOUNT_KEY);
    let account = labels.get(account_key).unwrap_or_else(|| interner.intern("default"));
    let labels = &Labels::new(labels.iter().filter(|(key, _)| !interner.text(*key).starts_with('@')).collect());
    let mut ports: Vec<PodPort> = Vec::new();
    for port in &stand_in.ports {
        let protocol = Protocol::transport(&port.protocol).unwrap_or(Protocol::Tcp);
        let name = (!port.name.is_empty()).then(|| interner.intern(&port.name));
        ports.push(PodPort { name, protocol, port: port.port });
    }
    ports.sort_unstable();
    Pod {
        namespace: 0,
        name: interner.intern(name),
        kind: WORKLOADS.iter().copied().find(|known| stand_in.kind.as_deref() == Some(*known)).unwrap_or("Assumed"),
        owner: None,
        labels: labels.clone(),
        identity: identity_labels(labels, account, settings, interner),
        ports,
        host_network: stand_in.host_network,
        at: None,
        is_stand_in: true,
        fits_a_selector: false,
    }
}
