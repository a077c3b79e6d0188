//! Whether a cluster can hold the policies: Cilium's identities and the policy map of each endpoint.
//!
//! Source: Cilium documentation, *Limits and Configuration Options* (identities 256 to 65,535 of a cluster; policy map
//! entries of an endpoint, `bpf-policy-map-max`, at most 65,536, by default 16,384).

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::label::{Labels, Selector};
use super::model::Model;
use super::outside::Outside;
use super::policy::{Direction, Entity, NamespaceTerm, Peer, Ports};
use super::ports::{PortSet, Protocol};

/// Identities that a cluster has for its pods.
pub const MOST_IDENTITIES: u64 = 65_535 - 256 + 1;
/// Entries that the policy map of an endpoint can be given at most.
pub const MOST_ENTRIES: u64 = 65_536;
/// Entries that it has without configuration.
pub const DEFAULT_ENTRIES: u64 = 16_384;
/// Addresses that Cilium keeps for one name and endpoint (`tofqdns-endpoint-max-ip-per-hostname`).
const ADDRESSES_PER_NAME: u64 = 50;

/// What the policies ask of a cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// Identities of pods.
    pub identities: u64,
    /// How many there can be.
    pub most_identities: u64,
    /// Policy map entries of the endpoint that has most.
    pub entries: u64,
    /// That endpoint.
    pub largest_endpoint: String,
    /// How many there can be.
    pub most_entries: u64,
    /// How many there are by default.
    pub default_entries: u64,
}

impl Capacity {
    /// Whether a cluster can hold the policies at all.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.identities <= self.most_identities && self.entries <= self.most_entries
    }

    /// What has to be done, if anything.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        if self.identities > self.most_identities {
            return Some(format!(
                "{} identities do not fit a cluster ({}): spread the namespaces over {} clusters",
                self.identities,
                self.most_identities,
                self.identities.div_ceil(self.most_identities)
            ));
        }
        if self.entries > self.most_entries {
            return Some(format!(
                "{} needs {} policy map entries, and no endpoint can have more than {}: spread the namespaces over clusters",
                self.largest_endpoint, self.entries, self.most_entries
            ));
        }
        (self.entries > self.default_entries).then(|| {
            format!(
                "{} needs {} policy map entries: set bpf.policyMapMax above Cilium's default of {}",
                self.largest_endpoint, self.entries, self.default_entries
            )
        })
    }
}

/// Counts identities and policy map entries.
pub(crate) fn capacity(outside: &Outside<'_>, model: &Model) -> Capacity {
    let mut counter = Counter { model, terms: HashMap::new() };
    let identities: HashSet<(u32, &Labels)> = model
        .pods
        .iter()
        .filter(|pod| !pod.host_network && !pod.is_stand_in)
        .map(|pod| (pod.namespace, &pod.identity))
        .collect();
    let mut largest = (0, None);
    for pod in &outside.representative {
        let entries = counter.entries(*pod);
        if entries > largest.0 {
            largest = (entries, Some(*pod));
        }
    }
    Capacity {
        identities: identities.len() as u64,
        most_identities: MOST_IDENTITIES,
        entries: largest.0,
        largest_endpoint: largest.1.map(|pod| model.pod_name(pod)).unwrap_or_default(),
        most_entries: MOST_ENTRIES,
        default_entries: DEFAULT_ENTRIES,
    }
}

struct Counter<'m> {
    model: &'m Model,
    /// How many identities a selector on namespaces and pods matches.
    terms: HashMap<(&'m Selector, &'m Selector), u64>,
}

impl<'m> Counter<'m> {
    /// One entry for each identity and port of each rule; equal entries of several rules are counted once for each.
    fn entries(&mut self, pod: u32) -> u64 {
        let mut entries = 0;
        for direction in Direction::BOTH {
            for (_, policy) in self.model.deciding(pod, direction) {
                for rule in &policy.section(direction).rules {
                    let ports = port_entries(&rule.ports);
                    let peers: u64 = rule.peers.iter().map(|item| self.identities(&item.peer, pod)).sum();
                    entries += peers * ports;
                }
            }
        }
        entries
    }

    fn identities(&mut self, peer: &'m Peer, pod: u32) -> u64 {
        match peer {
            // A wildcard is one entry.
            Peer::Any | Peer::Entity(Entity::All) => 1,
            Peer::Entity(Entity::Cluster) => 7,
            Peer::Entity(_) => 1,
            Peer::Addresses(block) => (block.v4().intervals().len() + block.v6().intervals().len()) as u64,
            Peer::Names(_) => ADDRESSES_PER_NAME,
            Peer::Pods(term) => match &term.namespaces {
                NamespaceTerm::Own => {
                    let namespace = self.model.pods[pod as usize].namespace;
                    self.distinct(namespace, &term.pods)
                }
                NamespaceTerm::Matching(selector) => {
                    if let Some(known) = self.terms.get(&(selector, &term.pods)) {
                        return *known;
                    }
                    let namespaces = (0u32..).zip(&self.model.namespaces);
                    let matching = namespaces.filter(|(_, namespace)| selector.matches(&namespace.labels));
                    let count = matching.map(|(index, _)| self.distinct(index, &term.pods)).sum();
                    self.terms.insert((selector, &term.pods), count);
                    count
                }
            },
        }
    }

    fn distinct(&self, namespace: u32, pods: &Selector) -> u64 {
        let range = self.model.namespaces[namespace as usize].pods.clone();
        let own = range.map(|pod| &self.model.pods[pod as usize]).filter(|pod| !pod.host_network && !pod.is_stand_in);
        let identities: HashSet<&Labels> = own.map(|pod| &pod.identity).filter(|labels| pods.matches(labels)).collect();
        identities.len() as u64
    }
}

/// A port is an entry; a range is as many as it has prefixes; every port of a protocol, and no restriction, is one.
fn port_entries(ports: &Ports) -> u64 {
    match ports {
        Ports::All => 1,
        Ports::Listed { numbered, named } => prefixes(numbered) + named.iter().collect::<BTreeSet<_>>().len() as u64,
    }
}

fn prefixes(ports: &PortSet) -> u64 {
    let mut count = 0;
    for protocol in Protocol::ALL {
        if ports.of(protocol) == PortSet::whole(protocol).of(protocol) {
            count += 1;
            continue;
        }
        for (first, last) in ports.of(protocol).intervals() {
            let (mut next, last) = (u32::from(*first), u32::from(*last));
            while next <= last {
                let aligned = if next == 0 { 16 } else { next.trailing_zeros() };
                let size = (0..=aligned).rev().find(|bits| next + (1 << bits) - 1 <= last).unwrap_or(0);
                next += 1 << size;
                count += 1;
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::super::reach::Reach;
    use super::super::settings::Profile;
    use super::super::testing::model;
    use super::*;

    #[test]
    fn ranges_cost_their_prefixes() {
        for (first, last, expected) in
            [(80, 80, 1), (80, 81, 1), (81, 82, 2), (0, 65535, 1), (32000, 32768, 3), (1, 3, 2)]
        {
            assert_eq!(prefixes(&PortSet::range(Protocol::Tcp, first, last)), expected, "{first}-{last}");
        }
    }

    #[test]
    fn identities_and_entries_are_counted() {
        let pod = |namespace: &str, name: &str, app: &str| {
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{app: {app}}}}}\nspec: {{containers: []}}\n---\n"
            )
        };
        let yaml = [
            pod("a", "x1", "x"), pod("a", "x2", "x"), pod("a", "y", "y"), pod("b", "x", "x"), pod("b", "z", "z"),
            "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p, namespace: a}\nspec:\n  endpointSelector: {matchLabels: {app: y}}\n  egress:\n    - toEndpoints: [{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: Exists}]}]\n      toPorts: [{ports: [{port: '80', protocol: TCP}, {port: '443', protocol: TCP}]}]\n    - toFQDNs: [{matchName: a.example}]\n".to_owned(),
        ].concat();
        let model = model(&yaml, Profile::Cilium);
        let reach = Reach::new(&model);
        let capacity = capacity(&Outside::new(&reach), &model);
        assert_eq!(capacity.identities, 4, "two pods of one kind share an identity; a namespace is part of it");
        assert_eq!(capacity.entries, 4 * 2 + 50);
        assert_eq!(capacity.largest_endpoint, "a/y[Pod]");
        assert!(capacity.fits() && capacity.advice().is_none());
    }

    #[test]
    fn limits_are_told_with_numbers() {
        let capacity = |identities, entries| Capacity {
            identities,
            most_identities: MOST_IDENTITIES,
            entries,
            largest_endpoint: "a/b[Pod]".to_owned(),
            most_entries: MOST_ENTRIES,
            default_entries: DEFAULT_ENTRIES,
        };
        assert!(!capacity(80_000, 1).fits() && capacity(80_000, 1).advice().unwrap().contains("over 2 clusters"));
        assert!(!capacity(1, 70_000).fits());
        assert!(capacity(1, 20_000).fits() && capacity(1, 20_000).advice().unwrap().contains("bpf.policyMapMax"));
        assert_eq!(capacity(65_280, 16_384).advice(), None);
    }
}
