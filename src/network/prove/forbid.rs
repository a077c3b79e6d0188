//! Flows that must not work.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::pairs::{Ends, ends, relations};
use super::subjects::Pods;
use super::{Prover, Tally};
use crate::network::addresses::{IpSet, partition};
use crate::network::claims::{Claim, Flow, OutsideClass};
use crate::network::decide;
use crate::network::outside;
use crate::network::party::{Bound, Party};
use crate::network::policy::Direction;
use crate::network::ports::PortSet;
use crate::network::reach::{Relation, Sides};
use crate::network::witness::Witness;

impl Prover<'_> {
    pub(super) fn forbid(&self, flow: &Flow, claim: &Claim, tally: &mut Tally) {
        let unless = claim.unless.as_slice();
        let (from, to) = (self.subjects.pods(&flow.from, &flow.to), self.subjects.pods(&flow.to, &flow.from));
        self.subjects.note_missing(flow, &from, &to, tally);
        let ports = flow.port_set();
        match (ends(&flow.from), ends(&flow.to)) {
            (Ends::Pods, Ends::Pods) => self.forbid_pods(flow, claim, &from, &to, tally),
            (Ends::Pods, other) => self.forbid_outside(&from, Direction::Egress, &other, &ports, unless, tally),
            (other, Ends::Pods) => self.forbid_outside(&to, Direction::Ingress, &other, &ports, unless, tally),
            _ => {}
        }
    }

    /// Pods are told apart by the exemptions that they are part of, so that a pair of parts is exempt as a whole.
    pub(super) fn forbid_pods(&self, flow: &Flow, claim: &Claim, from: &[u32], to: &[u32], tally: &mut Tally) {
        let each_side = claim.each_side;
        let exempt: Vec<Exemption> = claim
            .unless
            .iter()
            .map(|one| Exemption {
                from: self.subjects.pods(&one.from, &one.to),
                to: self.subjects.pods(&one.to, &one.from),
                relations: relations(&one.from, &one.to),
                ports: one.port_set(),
            })
            .collect();
        let split = |pods: &[u32], side: fn(&Exemption) -> &[u32]| {
            let mut parts: BTreeMap<Vec<bool>, Vec<u32>> = BTreeMap::new();
            for pod in pods {
                let key = exempt.iter().map(|one| side(one).binary_search(pod).is_ok()).collect();
                parts.entry(key).or_default().push(*pod);
            }
            parts
        };
        let ports = flow.port_set();
        for (source_key, sources) in split(from, |one| &one.from) {
            for (target_key, targets) in split(to, |one| &one.to) {
                for relation in relations(&flow.from, &flow.to) {
                    let free = exempt.iter().zip(source_key.iter().zip(&target_key)).fold(
                        PortSet::none(),
                        |free, (one, (from, to))| {
                            if *from && *to && one.relations.contains(relation) { free.union(&one.ports) } else { free }
                        },
                    );
                    let meant = ports.difference(&free);
                    let judge = |sides: &Sides| {
                        let open = if each_side { sides.egress.union(&sides.ingress) } else { sides.flow() };
                        Some(open.intersection(&meant)).filter(|open| !open.is_none())
                    };
                    let witness = if each_side { Witness::half_open } else { Witness::open };
                    self.each_pair(&sources, &targets, &[*relation], Bound::Possible, tally, judge, witness);
                }
            }
        }
    }

    pub(super) fn forbid_outside(
        &self,
        pods: &[u32],
        direction: Direction,
        other: &Ends<'_>,
        ports: &PortSet,
        unless: &[Flow],
        tally: &mut Tally,
    ) {
        tally.pairs += pods.len() as u64;
        let exempt: Vec<(Pods, &Flow)> = unless
            .iter()
            .map(|one| match direction {
                Direction::Egress => (self.subjects.pods(&one.from, &one.to), one),
                Direction::Ingress => (self.subjects.pods(&one.to, &one.from), one),
            })
            .collect();
        // Pods of a kind may differ in the exemptions that are made for them.
        let mut seen = BTreeSet::new();
        for pod in pods {
            let key: Vec<bool> = exempt.iter().map(|(pods, _)| pods.binary_search(pod).is_ok()).collect();
            if !seen.insert((self.outside.kind_of[*pod as usize], key)) {
                continue;
            }
            tally.examined += 1;
            let own: Vec<&Flow> =
                exempt.iter().filter(|(pods, _)| pods.binary_search(pod).is_ok()).map(|(_, flow)| *flow).collect();
            match other {
                Ends::Pods => {}
                Ends::Outside(class) => self.forbid_addresses(*pod, direction, class, ports, &own, tally),
                Ends::Machine(party) => {
                    let far = |flow: &Flow| {
                        ends(if direction == Direction::Egress { &flow.to } else { &flow.from }) == *other
                    };
                    let free = own
                        .iter()
                        .filter(|flow| far(flow))
                        .fold(PortSet::none(), |free, flow| free.union(&flow.port_set()));
                    let flow = decide::side(self.model, *pod, direction, party, Bound::Possible).flow;
                    let open = flow.intersection(ports).difference(&free);
                    if !open.is_none() {
                        tally.fail(|| self.witness(*pod, direction, party.clone(), &open, Witness::open));
                    }
                }
                Ends::Names(_) | Ends::Hosts(_) => self.forbid_names(*pod, ports, &own, tally),
            }
        }
    }

    pub(super) fn forbid_addresses(
        &self,
        pod: u32,
        direction: Direction,
        class: &OutsideClass,
        ports: &PortSet,
        unless: &[&Flow],
        tally: &mut Tally,
    ) {
        let exempt: Vec<(IpSet, PortSet)> = unless
            .iter()
            .filter_map(|flow| {
                let far = if direction == Direction::Egress { &flow.to } else { &flow.from };
                Some((self.addresses(far.outside.as_ref()?), flow.port_set()))
            })
            .collect();
        let cuts: Vec<&IpSet> = exempt.iter().map(|(set, _)| set).collect();
        let wanted = self.addresses(class);
        for (part, flow) in &self.outside.world(pod, direction).parts {
            for piece in partition(&cuts) {
                let piece = piece.intersection(part).intersection(&wanted);
                let free = exempt
                    .iter()
                    .filter(|(set, _)| piece.is_subset(set))
                    .fold(PortSet::none(), |all, (_, ports)| all.union(ports));
                let open = flow.intersection(ports).difference(&free);
                let Some(address) = piece.example().filter(|_| !open.is_none()) else { continue };
                let party = Party::Addresses(IpSet::one(address));
                tally.fail(|| self.witness(pod, direction, party, &open, Witness::open));
                return;
            }
        }
    }

    pub(super) fn forbid_names(&self, pod: u32, ports: &PortSet, unless: &[&Flow], tally: &mut Tally) {
        let exempt = unless.iter().filter(|flow| flow.to.names.is_some());
        let free = exempt.fold(PortSet::none(), |free, flow| free.union(&flow.port_set()));
        let mut hosts: HashMap<&str, PortSet> = HashMap::new();
        for flow in unless {
            for host in &flow.to.hosts {
                let own = hosts.entry(host).or_default();
                *own = own.union(&flow.port_set());
            }
        }
        for (pattern, flow) in outside::names(self.model, pod) {
            let own = hosts.get(pattern.text()).cloned().unwrap_or_default();
            let open = flow.intersection(ports).difference(&free).difference(&own);
            if !open.is_none() {
                let name = pattern.text().replace('*', "any");
                tally.fail(|| Witness::open(self.model, Party::Pod(pod), Party::Name(name.into()), &open));
            }
        }
    }
}

struct Exemption {
    from: Pods,
    to: Pods,
    relations: &'static [Relation],
    ports: PortSet,
}
