//! What flows between classes, and so between any two pods, without looking at pairs of pods.

use std::cell::RefCell;
use std::collections::HashMap;

use super::classes::{Class, Classes, Profile, Rarity, Term, Who, node_flow};
use super::decide;
use super::model::Model;
use super::party::{Bound, Party};
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
    memo: RefCell<HashMap<(u32, u32, Relation, Bound), Sides>>,
}

/// What each side of a pair lets through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sides {
    pub egress: PortSet,
    pub ingress: PortSet,
}

impl Sides {
    /// What both sides let through.
    pub fn flow(&self) -> PortSet {
        self.egress.intersection(&self.ingress)
    }
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
        self.sides(from, to, bound).flow()
    }

    pub fn relation(&self, from: u32, to: u32) -> Relation {
        let namespace = |pod: u32| self.model.pods[pod as usize].namespace;
        if namespace(from) == namespace(to) { Relation::Same } else { Relation::Different }
    }

    /// What each side of two classes lets through in that relation, exceptions aside.
    pub fn class_sides(&self, a: u32, b: u32, relation: Relation, bound: Bound) -> Sides {
        if let Some(sides) = self.memo.borrow().get(&(a, b, relation, bound)) {
            return sides.clone();
        }
        let (source, target) = (&self.classes.classes[a as usize], &self.classes.classes[b as usize]);
        let sides = Sides {
            egress: self.side(source, Direction::Egress, target, target, relation, bound),
            ingress: self.side(target, Direction::Ingress, source, target, relation, bound),
        };
        self.memo.borrow_mut().insert((a, b, relation, bound), sides.clone());
        sides
    }

    /// What each side of a pair of pods lets through.
    pub fn sides(&self, from: u32, to: u32, bound: Bound) -> Sides {
        if self.classes.exceptions.contains(&(from, to)) {
            return Sides {
                egress: decide::side(self.model, from, Direction::Egress, &Party::Pod(to), bound).flow,
                ingress: decide::side(self.model, to, Direction::Ingress, &Party::Pod(from), bound).flow,
            };
        }
        let (a, b) = (self.classes.class_of[from as usize], self.classes.class_of[to as usize]);
        self.class_sides(a, b, self.relation(from, to), bound)
    }

    /// What flows between two classes, without remembering the answer and without the second side if the first refuses.
    pub fn compute(&self, a: u32, b: u32, relation: Relation, bound: Bound) -> PortSet {
        let (source, target) = (&self.classes.classes[a as usize], &self.classes.classes[b as usize]);
        let egress = self.side(source, Direction::Egress, target, target, relation, bound);
        if egress.is_none() {
            return egress;
        }
        egress.intersection(&self.side(target, Direction::Ingress, source, target, relation, bound))
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
