//! What pods exchange with the world: address ranges, machines of the cluster, DNS names.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::addresses::{IpSet, partition};
use super::decide;
use super::fqdn::Pattern;
use super::model::Model;
use super::party::{Bound, Party};
use super::policy::{Action, Direction, Entity, Peer, Ports};
use super::ports::PortSet;
use super::reach::Reach;

/// The pods that no policy tells apart in their traffic with the world.
pub(crate) struct Outside<'m> {
    model: &'m Model,
    /// The kind of each pod; pods of a kind are alike, and the first of them answers for all.
    pub kind_of: Vec<u32>,
    pub representative: Vec<u32>,
    worlds: RefCell<HashMap<(u32, Direction), Rc<World>>>,
    names: RefCell<HashMap<u32, Rc<HashMap<String, PortSet>>>>,
}

/// What a pod exchanges with outside addresses in one direction.
pub(crate) struct World {
    /// Disjoint sets of addresses that together are all of them, with what flows; no two have the same flow.
    pub parts: Vec<(IpSet, PortSet)>,
}

impl World {
    /// Everything that flows with any of the given addresses.
    pub fn any_of(&self, addresses: &IpSet) -> PortSet {
        let meeting = self.parts.iter().filter(|(part, _)| !part.intersection(addresses).is_none());
        meeting.fold(PortSet::none(), |all, (_, flow)| all.union(flow))
    }
}

/// What one rule says to the outside.
type Term<'m> = (Direction, Action, &'m Peer, &'m Ports, Option<&'m [Pattern]>);

#[derive(PartialEq, Eq, Hash)]
struct KindKey<'m> {
    class: u32,
    /// A pod that exceptions are about is of its own kind.
    apart: Option<u32>,
    terms: Vec<Term<'m>>,
}

impl<'m> Outside<'m> {
    pub fn new(reach: &Reach<'m>) -> Self {
        let model = reach.model;
        let mut ids: HashMap<KindKey<'m>, u32> = HashMap::new();
        let (mut kind_of, mut representative) = (Vec::new(), Vec::new());
        for pod in model.pod_ids() {
            let next = u32::try_from(representative.len()).unwrap_or(u32::MAX);
            let kind = *ids.entry(kind_key(reach, pod)).or_insert(next);
            if kind == next {
                representative.push(pod);
            }
            kind_of.push(kind);
        }
        Self { model, kind_of, representative, worlds: RefCell::default(), names: RefCell::default() }
    }

    /// The names that a pod's policies speak of, with what the pod may send there.
    pub fn names(&self, pod: u32) -> Rc<HashMap<String, PortSet>> {
        if let Some(names) = self.names.borrow().get(&pod) {
            return names.clone();
        }
        let exact = names(self.model, pod).into_iter().filter(|(pattern, _)| !matches!(pattern, Pattern::Glob(_)));
        let names: Rc<HashMap<_, _>> = Rc::new(exact.map(|(name, flow)| (name.text().to_owned(), flow)).collect());
        self.names.borrow_mut().insert(pod, names.clone());
        names
    }

    /// What a pod exchanges with outside addresses.
    pub fn world(&self, pod: u32, direction: Direction) -> Rc<World> {
        let kind = self.kind_of[pod as usize];
        if let Some(world) = self.worlds.borrow().get(&(kind, direction)) {
            return world.clone();
        }
        let world = Rc::new(world(self.model, self.representative[kind as usize], direction));
        self.worlds.borrow_mut().insert((kind, direction), world.clone());
        world
    }
}

fn kind_key<'m>(reach: &Reach<'m>, pod: u32) -> KindKey<'m> {
    let model = reach.model;
    let mut terms = Vec::new();
    for direction in Direction::BOTH {
        for (_, policy) in model.deciding(pod, direction) {
            for rule in &policy.section(direction).rules {
                for item in rule.peers.iter().filter(|item| !matches!(item.peer, Peer::Pods(_))) {
                    terms.push((direction, rule.action, &item.peer, &rule.ports, rule.dns.as_deref()));
                }
                // DNS rules have pods for peers, and decide which names are learnt.
                if let Some(dns) = &rule.dns {
                    terms.push((direction, rule.action, &Peer::Any, &rule.ports, Some(dns.as_slice())));
                }
            }
        }
    }
    let apart = reach.classes.exceptions_from.contains_key(&pod).then_some(pod);
    KindKey { class: reach.classes.class_of[pod as usize], apart, terms }
}

fn world(model: &Model, pod: u32, direction: Direction) -> World {
    let (v4, v6) = (IpSet::all_v4(), IpSet::all_v6());
    let mut cuts: Vec<&IpSet> = vec![&v4, &v6];
    for (_, policy) in model.deciding(pod, direction) {
        for item in policy.section(direction).rules.iter().flat_map(|rule| &rule.peers) {
            if let Peer::Addresses(set) = &item.peer {
                cuts.push(set);
            }
        }
    }
    let mut parts: Vec<(IpSet, PortSet)> = Vec::new();
    for part in partition(&cuts) {
        let flow = decide::side(model, pod, direction, &Party::Addresses(part.clone()), Bound::Certain).flow;
        match parts.iter_mut().find(|(_, known)| *known == flow) {
            Some((set, _)) => *set = set.union(&part),
            None => parts.push((part, flow)),
        }
    }
    World { parts }
}

/// Machines that a pod's policies speak of in one direction.
pub(crate) fn mentioned_machines(model: &Model, pod: u32, direction: Direction) -> BTreeSet<Entity> {
    peers(model, pod, direction)
        .filter_map(|peer| match peer {
            Peer::Entity(entity) if entity.is_machine() => Some(*entity),
            _ => None,
        })
        .collect()
}

/// Whether a pod's policies speak of DNS names.
pub(crate) fn mentions_names(model: &Model, pod: u32) -> bool {
    peers(model, pod, Direction::Egress).any(|peer| matches!(peer, Peer::Names(_)))
}

fn peers(model: &Model, pod: u32, direction: Direction) -> impl Iterator<Item = &Peer> {
    let rules = model.deciding(pod, direction).flat_map(move |(_, policy)| &policy.section(direction).rules);
    rules.flat_map(|rule| rule.peers.iter().map(|item| &item.peer))
}

/// The names that a pod's policies speak of, with what the pod may send to the addresses behind them. A name that the pod
/// cannot resolve through Cilium's proxy opens nothing.
pub(crate) fn names(model: &Model, pod: u32) -> BTreeMap<Pattern, PortSet> {
    let mut written: BTreeMap<&Pattern, PortSet> = BTreeMap::new();
    for (_, policy) in model.deciding(pod, Direction::Egress) {
        for rule in policy.egress.rules.iter().filter(|rule| rule.action == Action::Allow) {
            for item in &rule.peers {
                if let Peer::Names(pattern) = &item.peer {
                    let ports = written.entry(pattern).or_default();
                    *ports = ports.union(&decide::resolve(model, rule, None));
                }
            }
        }
    }
    if written.is_empty() {
        return BTreeMap::new();
    }
    let resolution = super::names::resolution(model, pod);
    let globs: Vec<(&Pattern, PortSet)> = written
        .iter()
        .filter(|(pattern, _)| matches!(pattern, Pattern::Glob(_)))
        .map(|(pattern, ports)| (*pattern, ports.clone()))
        .collect();
    // Whatever is open to every address is open to those behind a name; a deny on the world closes both.
    let anonymous = decide::side(model, pod, Direction::Egress, &Party::Name("name.invalid".into()), Bound::Certain);
    let denied = anonymous.denying.iter().fold(PortSet::none(), |all, one| all.union(&one.ports));
    let open = |(pattern, own): (&Pattern, PortSet)| {
        let is_learnt = !pattern.is_in_cluster() && resolution.learns_all(pattern);
        let covering = globs.iter().filter(|(glob, _)| glob.covers(pattern));
        let named = if is_learnt { covering.fold(own, |all, (_, ports)| all.union(ports)) } else { PortSet::none() };
        let flow = if pattern.is_in_cluster() { PortSet::none() } else { anonymous.flow.clone() };
        (pattern.clone(), named.difference(&denied).union(&flow))
    };
    written.into_iter().map(open).collect()
}
