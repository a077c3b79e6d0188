//! Proof of claims over a whole fleet.
//!
//! Pairs are never listed: a claim is checked once for every two classes of pods and each relation of their namespaces,
//! and for the few pairs that classes do not decide one by one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::addresses::{IpSet, partition};
use super::claims::{Claim, Claims, Class, Flow, Isolation, NamesClass, OutsideClass, Powerless, Quantity};
use super::decide;
use super::model::Model;
use super::outside::{self, Outside};
use super::party::{Bound, Party};
use super::policy::Direction;
use super::ports::PortSet;
use super::reach::{Reach, Relation, Sides};
use super::witness::{Witness, pod_place};

/// How a claim fares.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// It cannot be told; this never passes.
    NotCheckable,
}

/// The verdict on one claim.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimVerdict {
    /// The claim's id.
    pub id: String,
    /// The claim.
    pub text: String,
    /// How it fares.
    pub verdict: Verdict,
    /// Why it is not checkable, or in what way it holds trivially.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many pairs of ends the verdict is about.
    pub pairs: u64,
    /// How many of them had to be looked at.
    pub examined: u64,
    /// Counterexamples, at most three.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<Witness>,
    /// How many different counterexamples there are.
    pub failures: u64,
}

impl ClaimVerdict {
    /// Adds the verdict on another part of the same claim. The worse of the two counts.
    fn join(&mut self, part: Self) {
        let rank = |verdict| match verdict {
            Verdict::Holds => 0,
            Verdict::NotCheckable => 1,
            Verdict::Fails => 2,
        };
        if rank(part.verdict) > rank(self.verdict) {
            self.verdict = part.verdict;
        }
        self.reason = self.reason.take().or(part.reason);
        self.pairs += part.pairs;
        self.examined += part.examined;
        self.failures += part.failures;
        let room = SHOWN.saturating_sub(self.witnesses.len());
        self.witnesses.extend(part.witnesses.into_iter().take(room));
    }
}

/// Counterexamples that a verdict shows.
const SHOWN: usize = 3;

/// Proves claims over one model.
pub(crate) struct Prover<'m> {
    model: &'m Model,
    claims: &'m Claims,
    pub reach: Reach<'m>,
    pub outside: Outside<'m>,
    /// Whether each namespace is in each group.
    groups: BTreeMap<&'m str, Vec<bool>>,
}

/// What has been found about a claim so far.
#[derive(Default)]
struct Tally {
    pairs: u64,
    examined: u64,
    failures: u64,
    witnesses: Vec<Witness>,
    /// Set where only the count matters: a witness costs more than the verdict.
    is_silent: bool,
    missing: Option<String>,
}

impl Tally {
    fn fail(&mut self, witness: impl FnOnce() -> Witness) {
        self.failures += 1;
        if !self.is_silent && self.witnesses.len() < SHOWN {
            self.witnesses.push(witness());
        }
    }
}

impl<'m> Prover<'m> {
    pub fn new(model: &'m Model, claims: &'m Claims) -> Self {
        let reach = Reach::new(model);
        let outside = Outside::new(&reach);
        let meant = |group: &super::claims::Group| -> Vec<bool> {
            let all = members(model, &group.labels).into_iter().zip(&model.namespaces);
            all.map(|(member, namespace)| member && !group.except.contains(model.text(namespace.name))).collect()
        };
        let groups = claims.groups.iter().map(|(name, group)| (name.as_str(), meant(group))).collect();
        Self { model, claims, reach, outside, groups }
    }

    /// The verdicts in the order of the claims.
    pub fn verdicts(&self) -> Vec<ClaimVerdict> {
        let profile = self.model.settings.profile;
        let meant = self.claims.claims.iter().filter(|claim| claim.profile.is_none_or(|own| own == profile));
        let mut verdicts: Vec<ClaimVerdict> = Vec::new();
        for verdict in meant.map(|claim| self.verdict(claim)) {
            match verdicts.last_mut() {
                // One claim may be made in parts, such as one for each customer.
                Some(last) if last.id == verdict.id => last.join(verdict),
                _ => verdicts.push(verdict),
            }
        }
        verdicts
    }

    fn verdict(&self, claim: &Claim) -> ClaimVerdict {
        let mut tally = Tally::default();
        if let Some(flow) = &claim.require {
            self.require(flow, &mut tally);
        } else if !claim.require_any.is_empty() {
            self.require_any(&claim.require_any, &mut tally);
        } else if let Some(flow) = &claim.forbid {
            self.forbid(flow, claim, &mut tally);
        } else if let Some(isolation) = &claim.isolate {
            self.isolate(isolation, &mut tally);
        } else if let Some(powerless) = &claim.powerless {
            self.powerless(powerless, &mut tally);
        }
        let verdict = match (&tally.missing, tally.failures) {
            (_, 1..) => Verdict::Fails,
            (Some(_), 0) if !claim.when_present => Verdict::NotCheckable,
            _ => Verdict::Holds,
        };
        ClaimVerdict {
            id: claim.id.clone(),
            text: claim.text.clone(),
            verdict,
            reason: tally.missing,
            pairs: tally.pairs,
            examined: tally.examined,
            witnesses: tally.witnesses,
            failures: tally.failures,
        }
    }

    /// The pods of a class, ascending. `other` is the class at the other end.
    fn pods(&self, class: &Class, other: &Class) -> Vec<u32> {
        let model = self.model;
        if let Some(name) = class.namespace.as_deref().filter(|name| *name != "*" && !name.starts_with('$')) {
            let found = model.find_namespace(name).map(|at| model.namespaces[at as usize].pods.clone());
            return found.into_iter().flatten().filter(|pod| self.fits(*pod, class)).collect();
        }
        let namespaces = self.namespaces(class, other);
        let inside = |namespace: &u32| namespaces.as_ref().is_none_or(|wanted| wanted[*namespace as usize]);
        let all = 0..u32::try_from(model.namespaces.len()).unwrap_or(u32::MAX);
        let pods = all.filter(inside).flat_map(|namespace| model.namespaces[namespace as usize].pods.clone());
        pods.filter(|pod| self.fits(*pod, class)).collect()
    }

    /// Which namespaces a class speaks of; all of them if absent.
    fn namespaces(&self, class: &Class, other: &Class) -> Option<Vec<bool>> {
        let none = || vec![false; self.model.namespaces.len()];
        let group = |name: &str| Some(self.groups.get(name).cloned().unwrap_or_else(none));
        match class.namespace.as_deref()? {
            "*" | "$elsewhere" => None,
            "$other" => other.namespace.as_deref().and_then(|name| name.strip_prefix('$')).and_then(group),
            name => match name.strip_prefix('$') {
                Some(name) => group(name),
                None => {
                    let mut one = none();
                    if let Some(found) = self.model.find_namespace(name) {
                        one[found as usize] = true;
                    }
                    Some(one)
                }
            },
        }
    }

    fn fits(&self, pod: u32, class: &Class) -> bool {
        let pod = &self.model.pods[pod as usize];
        let has = |(key, values): (&String, &super::claims::OneOrMore)| {
            let value = self.model.interner.find(key).and_then(|key| pod.labels.get(key));
            value.is_some_and(|value| values.contains(self.model.text(value)))
        };
        class.pods.iter().all(has) && (class.except_pods.is_empty() || !class.except_pods.iter().all(has))
    }

    fn require(&self, flow: &Flow, tally: &mut Tally) {
        let (from, to) = (self.pods(&flow.from, &flow.to), self.pods(&flow.to, &flow.from));
        self.note_missing(flow, &from, &to, tally);
        self.require_between(flow, &from, &to, tally);
    }

    /// In each namespace of the group that the flows speak of, one of them has to work.
    fn require_any(&self, flows: &[Flow], tally: &mut Tally) {
        let group = flows.iter().flat_map(|flow| [&flow.from, &flow.to]).find_map(|class| {
            class.namespace.as_deref().and_then(|name| name.strip_prefix('$')).and_then(|name| self.groups.get(name))
        });
        let ends: Vec<(Vec<u32>, Vec<u32>)> =
            flows.iter().map(|flow| (self.pods(&flow.from, &flow.to), self.pods(&flow.to, &flow.from))).collect();
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
    fn show_alternatives(&self, flows: &[(&Flow, Vec<u32>, Vec<u32>)], tally: &mut Tally) {
        for (flow, from, to) in flows {
            if tally.witnesses.len() < SHOWN {
                let mut attempt = Tally::default();
                self.require_between(flow, from, to, &mut attempt);
                tally.witnesses.extend(attempt.witnesses.into_iter().next());
            }
        }
    }

    fn require_between(&self, flow: &Flow, from: &[u32], to: &[u32], tally: &mut Tally) {
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

    /// Visits every two classes of the given pods, and every exception, and lets `judge` say what is wrong with a flow.
    #[expect(clippy::too_many_arguments, reason = "the parts of one question")]
    fn each_pair(
        &self,
        from: &[u32],
        to: &[u32],
        relations: &[Relation],
        bound: Bound,
        tally: &mut Tally,
        judge: impl Fn(&Sides) -> Option<PortSet>,
        witness: fn(&Model, Party, Party, &PortSet) -> Witness,
    ) {
        let (sources, targets) = (self.by_class(from), self.by_class(to));
        for relation in relations {
            tally.pairs += self.count(from, to, *relation);
            for (a, sources) in &sources {
                for (b, targets) in &targets {
                    tally.examined += 1;
                    let Some(wrong) = judge(&self.reach.class_sides(*a, *b, *relation, bound)) else { continue };
                    if let Some((p, q)) = self.some_pair(sources, targets, *relation) {
                        tally.fail(|| witness(self.model, Party::Pod(p), Party::Pod(q), &wrong));
                    }
                }
            }
        }
        for (p, q) in self.exceptions_between(from, to) {
            tally.examined += 1;
            if relations.contains(&self.reach.relation(p, q))
                && let Some(wrong) = judge(&self.reach.sides(p, q, bound))
            {
                tally.fail(|| witness(self.model, Party::Pod(p), Party::Pod(q), &wrong));
            }
        }
    }

    fn by_class(&self, pods: &[u32]) -> Vec<(u32, Vec<u32>)> {
        // Sorted by the first member, so that reports do not depend on how classes are numbered.
        let mut order: Vec<(u32, Vec<u32>)> = Vec::new();
        let mut position: HashMap<u32, usize> = HashMap::new();
        for pod in pods {
            let class = self.reach.classes.class_of[*pod as usize];
            let at = *position.entry(class).or_insert_with(|| {
                order.push((class, Vec::new()));
                order.len() - 1
            });
            order[at].1.push(*pod);
        }
        order
    }

    /// A pair in that relation that the classes decide. The pairs passed over on the way are those of one namespace and
    /// the exceptions, so the search is short.
    fn some_pair(&self, sources: &[u32], targets: &[u32], relation: Relation) -> Option<(u32, u32)> {
        let exceptions = &self.reach.classes.exceptions;
        for p in sources {
            let candidates = match relation {
                Relation::Same => within(targets, &self.model.namespace_of(*p).pods),
                Relation::Different => targets,
            };
            let found = candidates
                .iter()
                .find(|q| p != *q && self.reach.relation(*p, **q) == relation && !exceptions.contains(&(*p, **q)));
            if let Some(q) = found {
                return Some((*p, *q));
            }
        }
        None
    }

    fn exceptions_between(&self, from: &[u32], to: &[u32]) -> Vec<(u32, u32)> {
        let lists = self.reach.classes.exceptions_from.iter().filter(|(p, _)| from.binary_search(p).is_ok());
        let mut pairs: Vec<(u32, u32)> = lists.flat_map(|(p, list)| list.iter().map(|q| (*p, *q))).collect();
        pairs.retain(|(_, q)| to.binary_search(q).is_ok());
        pairs.sort_unstable();
        pairs
    }

    fn count(&self, from: &[u32], to: &[u32], relation: Relation) -> u64 {
        let per_namespace = |pods: &[u32]| {
            let mut counts: HashMap<u32, u64> = HashMap::new();
            for pod in pods {
                *counts.entry(self.model.pods[*pod as usize].namespace).or_default() += 1;
            }
            counts
        };
        let (left, right) = (per_namespace(from), per_namespace(to));
        let same: u64 = left.iter().map(|(namespace, count)| count * right.get(namespace).copied().unwrap_or(0)).sum();
        match relation {
            Relation::Same => same,
            Relation::Different => from.len() as u64 * to.len() as u64 - same,
        }
    }

    /// The first pod of each kind among the given ones: pods of a kind are alike in their traffic with the world.
    fn kinds(&self, pods: &[u32]) -> Vec<u32> {
        let mut seen = BTreeSet::new();
        pods.iter().copied().filter(|pod| seen.insert(self.outside.kind_of[*pod as usize])).collect()
    }

    fn require_outside(
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

    fn witness(
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

    fn require_addresses(
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

    /// The addresses of a class. Those that are known to be in the cluster are not outside of it.
    fn addresses(&self, class: &OutsideClass) -> IpSet {
        let all = if class.cidrs.is_empty() {
            IpSet::all().difference(&self.model.settings.inside())
        } else {
            IpSet::of_all(&class.cidrs)
        };
        all.difference(&IpSet::of_all(&class.except))
    }

    fn require_names(&self, pod: u32, ports: &PortSet, tally: &mut Tally) {
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
    fn require_hosts(&self, pod: u32, hosts: &[String], ports: &PortSet, tally: &mut Tally) {
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

    fn forbid(&self, flow: &Flow, claim: &Claim, tally: &mut Tally) {
        let unless = claim.unless.as_slice();
        let (from, to) = (self.pods(&flow.from, &flow.to), self.pods(&flow.to, &flow.from));
        self.note_missing(flow, &from, &to, tally);
        let ports = flow.port_set();
        match (ends(&flow.from), ends(&flow.to)) {
            (Ends::Pods, Ends::Pods) => self.forbid_pods(flow, claim, &from, &to, tally),
            (Ends::Pods, other) => self.forbid_outside(&from, Direction::Egress, &other, &ports, unless, tally),
            (other, Ends::Pods) => self.forbid_outside(&to, Direction::Ingress, &other, &ports, unless, tally),
            _ => {}
        }
    }

    /// Pods are told apart by the exemptions that they are part of, so that a pair of parts is exempt as a whole.
    fn forbid_pods(&self, flow: &Flow, claim: &Claim, from: &[u32], to: &[u32], tally: &mut Tally) {
        let each_side = claim.each_side;
        let exempt: Vec<Exemption> = claim
            .unless
            .iter()
            .map(|one| Exemption {
                from: self.pods(&one.from, &one.to),
                to: self.pods(&one.to, &one.from),
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

    fn forbid_outside(
        &self,
        pods: &[u32],
        direction: Direction,
        other: &Ends<'_>,
        ports: &PortSet,
        unless: &[Flow],
        tally: &mut Tally,
    ) {
        tally.pairs += pods.len() as u64;
        let exempt: Vec<(Vec<u32>, &Flow)> = unless
            .iter()
            .map(|one| match direction {
                Direction::Egress => (self.pods(&one.from, &one.to), one),
                Direction::Ingress => (self.pods(&one.to, &one.from), one),
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

    fn forbid_addresses(
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

    fn forbid_names(&self, pod: u32, ports: &PortSet, unless: &[&Flow], tally: &mut Tally) {
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

    /// A claim about what does not exist proves nothing.
    fn note_missing(&self, flow: &Flow, from: &[u32], to: &[u32], tally: &mut Tally) {
        for (class, pods) in [(&flow.from, from), (&flow.to, to)] {
            let Some(name) = class.namespace.as_deref() else { continue };
            let other = if std::ptr::eq(class, &flow.from) { &flow.to } else { &flow.from };
            let name = if name == "$other" { other.namespace.as_deref().unwrap_or(name) } else { name };
            let group = name.strip_prefix('$').and_then(|name| self.groups.get(name));
            let is_empty_group = group.is_some_and(|members| !members.contains(&true)) || name == "$elsewhere";
            if pods.is_empty() && !is_empty_group {
                tally.missing = Some(format!("no workload is {}", describe(class)));
                return;
            }
            let lacking = group.into_iter().flatten().zip(&self.model.namespaces);
            for (_, namespace) in lacking.filter(|(member, _)| **member) {
                if within(pods, &namespace.pods).is_empty() {
                    tally.missing = Some(format!(
                        "{} has no workload that is {}",
                        self.model.text(namespace.name),
                        describe(class)
                    ));
                    return;
                }
            }
        }
    }

    fn isolate(&self, isolation: &Isolation, tally: &mut Tally) {
        let pods = self.pods(&isolation.class, &Class::default());
        let flow = Flow { from: isolation.class.clone(), to: Class::default(), ports: Vec::new(), any_port: false };
        self.note_missing(&flow, &pods, &[], tally);
        tally.pairs += pods.len() as u64;
        for pod in pods {
            tally.examined += 1;
            for direction in &isolation.directions {
                let own = &self.model.pods[pod as usize];
                let is_isolated =
                    self.model.deciding(pod, *direction).any(|(_, policy)| policy.section(*direction).isolates);
                let why = match (own.host_network, is_isolated) {
                    (true, _) => "uses its node's network and is outside of policy",
                    (false, false) => "is not isolated: no policy that selects it refuses anything by default",
                    (false, true) => continue,
                };
                let message = format!("{} {why} ({})", self.model.pod_name(pod), direction.name());
                let selecting = self.model.deciding(pod, *direction);
                let mut guilty: Vec<_> =
                    selecting.map(|(_, policy)| self.model.place(&self.model.policy_at(policy))).collect();
                guilty.extend(pod_place(self.model, pod));
                tally.fail(|| Witness::about(message, guilty));
            }
        }
    }

    fn powerless(&self, claim: &Powerless, tally: &mut Tally) {
        let class = Class { namespace: Some(claim.namespace.clone()), ..Class::default() };
        let namespaces = self.namespaces(&class, &Class::default());
        let is_meant = |name: super::label::Sym| match (&namespaces, self.model.find_namespace(self.model.text(name))) {
            (None, _) => true,
            (Some(wanted), Some(at)) => wanted[at as usize],
            (Some(_), None) => false,
        };
        for holder in self.model.grants.holders() {
            tally.examined += 1;
            if !claim.powers.contains(&holder.power) || !holder.namespace.is_none_or(is_meant) {
                continue;
            }
            let text = |part: Option<super::label::Sym>| part.map_or("*", |part| self.model.text(part)).to_owned();
            let (namespace, account) = (text(holder.namespace), text(holder.account));
            let power = match holder.power {
                super::rbac::Power::WriteNamespaces => {
                    "write namespaces, and so give any of them any label that policies select"
                }
                super::rbac::Power::WritePolicies => "write network policies",
            };
            let guilty = vec![self.model.place(&holder.rule), self.model.place(&holder.binding)];
            tally.fail(|| Witness::about(format!("service account {namespace}/{account} may {power}"), guilty));
        }
    }
}

struct Exemption {
    from: Vec<u32>,
    to: Vec<u32>,
    relations: &'static [Relation],
    ports: PortSet,
}

/// What kind of end a class is.
#[derive(PartialEq)]
enum Ends<'c> {
    Pods,
    Outside(&'c OutsideClass),
    Machine(Party),
    Names(NamesClass),
    Hosts(&'c [String]),
}

fn ends(class: &Class) -> Ends<'_> {
    if !class.hosts.is_empty() {
        return Ends::Hosts(&class.hosts);
    }
    match (&class.outside, &class.entity, class.names) {
        (Some(outside), _, _) => Ends::Outside(outside),
        (None, Some(entity), _) => Ends::Machine(Party::Entity(entity.0)),
        (None, None, Some(names)) => Ends::Names(names),
        (None, None, None) => Ends::Pods,
    }
}

fn is_absent(class: &Class, pods: &[u32]) -> bool {
    ends(class) == Ends::Pods && pods.is_empty()
}

/// Which relations of namespaces two classes are about.
fn relations(from: &Class, to: &Class) -> &'static [Relation] {
    let names = [from.namespace.as_deref(), to.namespace.as_deref()];
    if names.iter().flatten().any(|name| matches!(*name, "$other" | "$elsewhere")) {
        return &[Relation::Different];
    }
    match names {
        [Some(a), Some(b)] if a == b && a.starts_with('$') => &[Relation::Same],
        _ => &Relation::BOTH,
    }
}

/// What a required flow lacks.
fn lacking(flow: &Flow, ports: &PortSet, found: &PortSet) -> Option<PortSet> {
    if flow.any_port && !found.intersection(ports).is_none() {
        return None;
    }
    Some(ports.difference(found)).filter(|missing| !missing.is_none())
}

/// The part of an ascending list of pods that lies in a namespace.
fn within<'p>(pods: &'p [u32], namespace: &std::ops::Range<u32>) -> &'p [u32] {
    let first = pods.partition_point(|pod| *pod < namespace.start);
    let last = pods.partition_point(|pod| *pod < namespace.end);
    &pods[first..last.max(first)]
}

/// Which namespaces have all of the labels.
pub(crate) fn members(model: &Model, labels: &BTreeMap<String, String>) -> Vec<bool> {
    let wanted: Option<Vec<_>> =
        labels.iter().map(|(key, value)| Some((model.interner.find(key)?, model.interner.find(value)?))).collect();
    let has = |namespace: &super::model::Namespace| {
        wanted
            .as_ref()
            .is_some_and(|wanted| wanted.iter().all(|(key, value)| namespace.declared.get(*key) == Some(*value)))
    };
    model.namespaces.iter().map(has).collect()
}

/// A class in words.
fn describe(class: &Class) -> String {
    let mut words = format!("in {}", class.namespace.as_deref().unwrap_or("*"));
    for (key, values) in &class.pods {
        let values = match values {
            super::claims::OneOrMore::One(value) => value.clone(),
            super::claims::OneOrMore::More(values) => values.join("|"),
        };
        words += &format!(" with {key}={values}");
    }
    words
}
