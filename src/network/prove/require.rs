//! Flows that have to work.

use std::collections::BTreeSet;

use super::pairs::{Ends, ends, is_absent, relations};
use super::subjects::{Pods, within};
use super::{Prover, SHOWN, Tally};
use crate::network::addresses::IpSet;
use crate::network::claims::{Class, Flow, OutsideClass, Quantity};
use crate::network::decide;
use crate::network::model::Model;
use crate::network::outside;
use crate::network::party::{Bound, Party};
use crate::network::policy::Direction;
use crate::network::ports::PortSet;
use crate::network::witness::Witness;

impl Prover<'_> {
    pub(super) fn require(&self, flow: &Flow, tally: &mut Tally) {
        let (from, to) = (self.subjects.pods(&flow.from, &flow.to), self.subjects.pods(&flow.to, &flow.from));
        self.subjects.note_missing(flow, &from, &to, tally);
        self.require_between(flow, &from, &to, tally);
    }

    /// In each namespace of the group that the flows speak of, one of them has to work.
    pub(super) fn require_any(&self, flows: &[Flow], tally: &mut Tally) {
        let group = flows.iter().flat_map(|flow| [&flow.from, &flow.to]).find_map(|class| {
            class
                .namespace
                .as_deref()
                .and_then(|name| name.strip_prefix('$'))
                .and_then(|name| self.subjects.group(name))
        });
        let ends: Vec<(Pods, Pods)> = flows
            .iter()
            .map(|flow| (self.subjects.pods(&flow.from, &flow.to), self.subjects.pods(&flow.to, &flow.from)))
            .collect();
        let Some(group) = group else {
            tally.missing = Some("no flow speaks of a group".to_owned());
            return;
        };
        for (namespace, _) in self.model.namespaces.iter().zip(group).filter(|(_, member)| **member) {
            let own = |class: &Class, pods: &[u32]| match class.namespace.as_deref() {
                Some(name) if name.starts_with('$') => within(pods, &namespace.pods).to_vec(),
                _ => pods.to_vec(),
            };
            let mut present = Vec::new();
            for (flow, (from, to)) in flows.iter().zip(&ends) {
                let (from, to) = (own(&flow.from, from), own(&flow.to, to));
                if !is_absent(&flow.from, &from) && !is_absent(&flow.to, &to) {
                    present.push((flow, from, to));
                }
            }
            let works = present.iter().any(|(flow, from, to)| {
                let mut attempt = Tally { is_silent: true, ..Tally::default() };
                self.require_between(flow, from, to, &mut attempt);
                tally.examined += attempt.examined;
                tally.pairs += attempt.pairs;
                attempt.failures == 0
            });
            if present.is_empty() {
                tally.missing = Some(format!("no such workload in {}", self.model.text(namespace.name)));
            } else if !works {
                tally.failures += 1;
                self.show_alternatives(&present, tally);
            }
        }
    }

    /// Each alternative shows why it does not work.
    pub(super) fn show_alternatives(&self, flows: &[(&Flow, Vec<u32>, Vec<u32>)], tally: &mut Tally) {
        for (flow, from, to) in flows {
            if tally.witnesses.len() < SHOWN {
                let mut attempt = Tally::default();
                self.require_between(flow, from, to, &mut attempt);
                tally.witnesses.extend(attempt.witnesses.into_iter().next());
            }
        }
    }

    pub(super) fn require_between(&self, flow: &Flow, from: &[u32], to: &[u32], tally: &mut Tally) {
        let ports = flow.port_set().intersection(&decide::everything(self.model));
        match (ends(&flow.from), ends(&flow.to)) {
            (Ends::Pods, Ends::Pods) => {
                let relations = relations(&flow.from, &flow.to);
                self.each_pair(
                    from,
                    to,
                    relations,
                    Bound::Certain,
                    tally,
                    |sides| lacking(flow, &ports, &sides.flow()),
                    Witness::closed,
                );
            }
            (Ends::Pods, other) => self.require_outside(flow, from, Direction::Egress, &other, &ports, tally),
            (other, Ends::Pods) => self.require_outside(flow, to, Direction::Ingress, &other, &ports, tally),
            _ => {}
        }
    }

    pub(super) fn require_outside(
        &self,
        flow: &Flow,
        pods: &[u32],
        direction: Direction,
        other: &Ends<'_>,
        ports: &PortSet,
        tally: &mut Tally,
    ) {
        tally.pairs += pods.len() as u64;
        for pod in self.kinds(pods) {
            tally.examined += 1;
            match other {
                Ends::Pods => {}
                Ends::Outside(class) => self.require_addresses(flow, pod, direction, class, ports, tally),
                Ends::Machine(party) => {
                    let found = decide::side(self.model, pod, direction, party, Bound::Certain).flow;
                    if let Some(missing) = lacking(flow, ports, &found) {
                        tally.fail(|| self.witness(pod, direction, party.clone(), &missing, Witness::closed));
                    }
                }
                Ends::Names(_) => self.require_names(pod, ports, tally),
                Ends::Hosts(hosts) => self.require_hosts(pod, hosts, ports, tally),
            }
        }
    }

    /// The first pod of each kind among the given ones: pods of a kind are alike in their traffic with the world.
    pub(super) fn kinds(&self, pods: &[u32]) -> Vec<u32> {
        let mut seen = BTreeSet::new();
        pods.iter().copied().filter(|pod| seen.insert(self.outside.kind_of[*pod as usize])).collect()
    }

    pub(super) fn require_addresses(
        &self,
        flow: &Flow,
        pod: u32,
        direction: Direction,
        class: &OutsideClass,
        ports: &PortSet,
        tally: &mut Tally,
    ) {
        let (wanted, world) = (self.addresses(class), self.outside.world(pod, direction));
        let missing = |found: &PortSet| lacking(flow, ports, found).unwrap_or_default();
        let parts = world.parts.iter().map(|(part, found)| (part.intersection(&wanted), missing(found)));
        let (open, closed): (Vec<_>, Vec<_>) =
            parts.filter(|(part, _)| !part.is_none()).partition(|(_, missing)| missing.is_none());
        let is_met = match class.quantity {
            Quantity::Every => closed.is_empty(),
            Quantity::Some => !open.is_empty(),
        };
        if let (false, Some((part, missing))) = (is_met, closed.first())
            && let Some(address) = part.example()
        {
            let party = Party::Addresses(IpSet::one(address));
            tally.fail(|| self.witness(pod, direction, party, missing, Witness::closed));
        }
    }

    pub(super) fn require_names(&self, pod: u32, ports: &PortSet, tally: &mut Tally) {
        let names = outside::names(self.model, pod);
        if names.is_empty() {
            tally.missing = Some(format!("no policy of {} names a DNS name", self.model.pod_name(pod)));
        }
        for (pattern, flow) in names {
            let missing = ports.difference(&flow);
            // A name that is open on other ports only was meant for those.
            if !missing.is_none() && flow.is_none() {
                let name = pattern.text().replace('*', "any");
                tally.fail(|| Witness::closed(self.model, Party::Pod(pod), Party::Name(name.into()), &missing));
            }
        }
    }

    /// Each of these hosts has to be reachable, by its name.
    pub(super) fn require_hosts(&self, pod: u32, hosts: &[String], ports: &PortSet, tally: &mut Tally) {
        let names = self.outside.names(pod);
        for host in hosts {
            let party = Party::Name(host.as_str().into());
            let open = match names.get(host.as_str()) {
                Some(flow) => flow.clone(),
                None => decide::side(self.model, pod, Direction::Egress, &party, Bound::Certain).flow,
            };
            let missing = ports.difference(&open);
            if !missing.is_none() {
                tally.fail(|| Witness::closed(self.model, Party::Pod(pod), party, &missing));
            }
        }
    }

    /// The addresses of a class. Those that are known to be in the cluster are not outside of it.
    pub(super) fn addresses(&self, class: &OutsideClass) -> IpSet {
        let all = if class.cidrs.is_empty() {
            IpSet::all().difference(&self.model.settings.inside())
        } else {
            IpSet::of_all(&class.cidrs)
        };
        all.difference(&IpSet::of_all(&class.except))
    }

    pub(super) fn witness(
        &self,
        pod: u32,
        direction: Direction,
        party: Party,
        ports: &PortSet,
        make: fn(&Model, Party, Party, &PortSet) -> Witness,
    ) -> Witness {
        match direction {
            Direction::Egress => make(self.model, Party::Pod(pod), party, ports),
            Direction::Ingress => make(self.model, party, Party::Pod(pod), ports),
        }
    }
}

/// What a required flow lacks.
fn lacking(flow: &Flow, ports: &PortSet, found: &PortSet) -> Option<PortSet> {
    if flow.any_port && !found.intersection(ports).is_none() {
        return None;
    }
    Some(ports.difference(found)).filter(|missing| !missing.is_none())
}
