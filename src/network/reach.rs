//! What flows between classes, and so between any two pods, without looking at pairs of pods.

use std::cell::RefCell;
use std::collections::HashMap;

use super::classes::{Class, Classes, Profile, Rarity, Term, Who, node_flow};
use super::decide;
use super::model::Model;
use super::party::Bound;
use super::policy::{Action, Direction, Ports};
use super::ports::PortSet;

/// How the namespaces of two pods relate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Relation {
    /// Both are in one namespace.
    Same,
    /// They are in two different ones.
    Different,
}

impl Relation {
    pub const BOTH: [Self; 2] = [Self::Same, Self::Different];
}

/// The symbolic engine over a model.
pub(crate) struct Reach<'m> {
    pub model: &'m Model,
    pub classes: Classes,
    everything: PortSet,
    memo: RefCell<HashMap<(u32, u32, Relation, Bound), PortSet>>,
}

impl<'m> Reach<'m> {
    pub fn new(model: &'m Model) -> Self {
        Self::with(model, Rarity::DEFAULT)
    }

    pub fn with(model: &'m Model, rarity: Rarity) -> Self {
        let classes = Classes::of(model, rarity);
        Self { model, classes, everything: decide::everything(model), memo: RefCell::default() }
    }

    /// What flows from one pod to another. A pod and itself stand for two replicas.
    pub fn flow(&self, from: u32, to: u32, bound: Bound) -> PortSet {
        if self.classes.exceptions.contains(&(from, to)) {
            return decide::flow(self.model, from, to, bound);
        }
        let (a, b) = (self.classes.class_of[from as usize], self.classes.class_of[to as usize]);
        self.class_flow(a, b, self.relation(from, to), bound)
    }

    pub fn relation(&self, from: u32, to: u32) -> Relation {
        let namespace = |pod: u32| self.model.pods[pod as usize].namespace;
        if namespace(from) == namespace(to) { Relation::Same } else { Relation::Different }
    }

    /// What flows from any pod of class `a` to any pod of class `b` in that relation, exceptions aside.
    pub fn class_flow(&self, a: u32, b: u32, relation: Relation, bound: Bound) -> PortSet {
        if let Some(flow) = self.memo.borrow().get(&(a, b, relation, bound)) {
            return flow.clone();
        }
        let flow = self.compute(a, b, relation, bound);
        self.memo.borrow_mut().insert((a, b, relation, bound), flow.clone());
        flow
    }

    /// As [`Reach::class_flow`], without remembering the answer.
    pub fn compute(&self, a: u32, b: u32, relation: Relation, bound: Bound) -> PortSet {
        let (source, destination) = (&self.classes.classes[a as usize], &self.classes.classes[b as usize]);
        let egress = self.side(source, Direction::Egress, destination, destination, relation, bound);
        if egress.is_none() {
            return egress;
        }
        egress.intersection(&self.side(destination, Direction::Ingress, source, destination, relation, bound))
    }

    fn side(
        &self,
        subject: &Class,
        direction: Direction,
        other: &Class,
        destination: &Class,
        relation: Relation,
        bound: Bound,
    ) -> PortSet {
        if subject.host_network {
            return self.everything.clone();
        }
        if !other.host_network {
            return self.by_terms(subject, direction, other, destination, relation, bound);
        }
        let nodes = subject.nodes[node_flow(direction, bound)].clone();
        if bound == Bound::Possible && !self.model.settings.is_cilium() {
            return nodes.union(&self.by_terms(subject, direction, other, destination, relation, bound));
        }
        nodes
    }

    fn by_terms(
        &self,
        subject: &Class,
        direction: Direction,
        other: &Class,
        destination: &Class,
        relation: Relation,
        bound: Bound,
    ) -> PortSet {
        let profile = match direction {
            Direction::Ingress => &subject.ingress,
            Direction::Egress => &subject.egress,
        };
        let allowed = if profile.isolated {
            self.ports_of(profile, Action::Allow, other, destination, relation, bound)
        } else {
            self.everything.clone()
        };
        if allowed.is_none() {
            return allowed;
        }
        allowed.difference(&self.ports_of(profile, Action::Deny, other, destination, relation, bound.opposite()))
    }

    fn ports_of(
        &self,
        profile: &Profile,
        action: Action,
        other: &Class,
        destination: &Class,
        relation: Relation,
        bound: Bound,
    ) -> PortSet {
        let mut ports = PortSet::none();
        for term in profile.terms.iter().filter(|term| term.action == action) {
            if (term.is_certain || bound == Bound::Possible) && is_met(term, other, relation) {
                ports = ports.union(&self.resolve(&self.classes.ports[term.ports as usize], destination));
            }
        }
        ports
    }

    fn resolve(&self, ports: &Ports, destination: &Class) -> PortSet {
        match ports {
            Ports::All => self.everything.clone(),
            Ports::Listed { numbered, named } => {
                let mut set = numbered.clone();
                for (protocol, name) in named {
                    let own = destination.named_ports.iter();
                    for port in own.filter(|port| port.name == Some(*name) && port.protocol == *protocol) {
                        set = set.union(&PortSet::one(*protocol, port.port));
                    }
                }
                set
            }
        }
    }
}

fn is_met(term: &Term, other: &Class, relation: Relation) -> bool {
    match term.who {
        Who::Everyone => true,
        Who::Local(id) => relation == Relation::Same && other.local.binary_search(&id).is_ok(),
        Who::Remote(id) => relation == Relation::Different && other.remote.binary_search(&id).is_ok(),
        Who::Wide(id) => other.wide.binary_search(&id).is_ok(),
    }
}
