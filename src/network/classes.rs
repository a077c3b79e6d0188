//! Pods that no policy tells apart, so that one of them can be asked for all.
//!
//! A pod's class is all that decides its connections with other pods: the rules that hold it and the selectors that
//! match it. Selectors are told apart by what they can reach:
//!
//! * **local** ones reach pods of the policy's own namespace. They are numbered within that namespace, so that the same
//!   rules in two namespaces get the same numbers;
//! * **remote** ones reach pods of other namespaces. The policy's own namespace and its private label values are taken
//!   out of them first, so that they too are equal in congruent namespaces;
//! * **wide** ones belong to clusterwide policies and reach pods everywhere.
//!
//! Two congruent namespaces then have the same classes, and what holds between the classes of different namespaces
//! holds for every two different namespaces: one proof for all pairs. Remote selectors that hardly anybody uses and
//! that match hardly anything (a policy about one tenant) would split classes for nothing: the few pairs that they
//! touch are **exceptions**, which are looked at one by one.

use std::collections::{HashMap, HashSet};

use super::decide;
use super::index::Index;
use super::label::Selector;
use super::model::Model;
use super::objects::PodPort;
use super::party::{Bound, Party};
use super::policy::{Action, Direction, Entity, NamespaceTerm, Peer, PodTerm, Policy, Ports};
use super::ports::PortSet;

/// How the pods of a model fall into classes.
pub(crate) struct Classes {
    /// The class of each pod.
    pub class_of: Vec<u32>,
    pub classes: Vec<Class>,
    pub ports: Vec<Ports>,
    /// Pairs (source, destination) that the classes do not decide.
    pub exceptions: HashSet<(u32, u32)>,
    /// The exceptions by source.
    pub exceptions_from: HashMap<u32, Vec<u32>>,
}

/// What the pods of a class have in common.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Class {
    pub host_network: bool,
    pub named_ports: Vec<PodPort>,
    pub ingress: Profile,
    pub egress: Profile,
    /// Local, remote and wide selectors that match the pods, ascending.
    pub local: Vec<u32>,
    pub remote: Vec<u32>,
    pub wide: Vec<u32>,
    /// What flows from and to nodes, by direction and bound; empty unless some pod uses its node's network.
    pub nodes: Vec<PortSet>,
}

/// The rules that hold a pod in one direction.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub(crate) struct Profile {
    pub isolated: bool,
    /// Sorted and distinct.
    pub terms: Vec<Term>,
}

/// One peer of one rule, as far as it can be a pod.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Term {
    pub action: Action,
    pub who: Who,
    pub ports: u32,
    /// Whether the term surely applies, or only may.
    pub is_certain: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Who {
    Everyone,
    Local(u32),
    Remote(u32),
    Wide(u32),
}

/// Up to how many policies and namespaces a remote selector makes exceptions rather than classes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rarity {
    pub uses: usize,
    pub namespaces: usize,
}

impl Rarity {
    pub const DEFAULT: Self = Self { uses: 4, namespaces: 4 };
}

type RemoteKey = (Selector, Selector);

#[derive(Default)]
struct Remote {
    uses: usize,
    namespaces: Vec<u32>,
    is_rare: bool,
}

struct Classifier<'m> {
    model: &'m Model,
    index: Index<'m>,
    ports: HashMap<Ports, u32>,
    remote_ids: HashMap<RemoteKey, u32>,
    remote_keys: Vec<RemoteKey>,
    remotes: Vec<Remote>,
    wide_ids: HashMap<PodTerm, u32>,
    wide_terms: Vec<PodTerm>,
    /// For each policy and direction the terms, in the order of rules and peers.
    policy_terms: Vec<[Vec<Term>; 2]>,
    /// For each namespace the selectors on pods behind its local numbers.
    locals: Vec<Vec<Selector>>,
}

impl Classes {
    pub fn of(model: &Model, rarity: Rarity) -> Self {
        let mut classifier = Classifier {
            model,
            index: Index::new(model),
            ports: HashMap::new(),
            remote_ids: HashMap::new(),
            remote_keys: Vec::new(),
            remotes: Vec::new(),
            wide_ids: HashMap::new(),
            wide_terms: Vec::new(),
            policy_terms: Vec::new(),
            locals: vec![Vec::new(); model.namespaces.len()],
        };
        classifier.read_policies();
        classifier.find_rare(rarity);
        classifier.classify()
    }
}

impl Classifier<'_> {
    fn read_policies(&mut self) {
        let model = self.model;
        for policy in &model.policies {
            let home = policy.namespace.and_then(|name| model.find_namespace(model.text(name)));
            let terms = Direction::BOTH.map(|direction| {
                let mut terms = Vec::new();
                for rule in &policy.section(direction).rules {
                    let ports = self.port_id(&rule.ports);
                    for item in &rule.peers {
                        for (who, is_certain) in self.who(policy, home, &item.peer) {
                            terms.push(Term { action: rule.action, who, ports, is_certain });
                        }
                    }
                }
                terms
            });
            self.policy_terms.push(terms);
        }
    }

    fn port_id(&mut self, ports: &Ports) -> u32 {
        let next = u32::try_from(self.ports.len()).unwrap_or(u32::MAX);
        *self.ports.entry(ports.clone()).or_insert(next)
    }

    /// The pods that a peer can be: in the policy's own namespace, and elsewhere.
    fn who(&mut self, policy: &Policy, home: Option<u32>, peer: &Peer) -> Vec<(Who, bool)> {
        match (peer, home) {
            (Peer::Any | Peer::Entity(Entity::All | Entity::Cluster), _) => vec![(Who::Everyone, true)],
            (Peer::Entity(_) | Peer::Names(_), _) => Vec::new(),
            (Peer::Addresses(_), _) => self.pods_by_address(policy, peer),
            (Peer::Pods(term), None) => vec![(Who::Wide(self.wide_id(term)), true)],
            (Peer::Pods(term), Some(home)) => self.scoped(term, home),
        }
    }

    /// Blocks match pods in plain Kubernetes only, all of them alike as far as the manifests tell.
    fn pods_by_address(&self, policy: &Policy, peer: &Peer) -> Vec<(Who, bool)> {
        if self.model.pods.is_empty() {
            return Vec::new();
        }
        // Which pod is asked about does not matter: none has an address of its own in the manifests.
        let matches = |bound| super::party::is_peer(self.model, peer, policy.namespace, 0, &Party::Pod(0), bound);
        match (matches(Bound::Possible), matches(Bound::Certain)) {
            (_, true) => vec![(Who::Everyone, true)],
            (true, false) => vec![(Who::Everyone, false)],
            (false, false) => Vec::new(),
        }
    }

    fn wide_id(&mut self, term: &PodTerm) -> u32 {
        if let Some(id) = self.wide_ids.get(term) {
            return *id;
        }
        let id = u32::try_from(self.wide_terms.len()).unwrap_or(u32::MAX);
        self.wide_ids.insert(term.clone(), id);
        self.wide_terms.push(term.clone());
        id
    }

    fn scoped(&mut self, term: &PodTerm, home: u32) -> Vec<(Who, bool)> {
        let mut who = Vec::with_capacity(2);
        let selector = match &term.namespaces {
            NamespaceTerm::Own => {
                who.push((Who::Local(self.local_id(&term.pods, home)), true));
                return who;
            }
            NamespaceTerm::Matching(selector) => selector,
        };
        if selector.matches(&self.model.namespaces[home as usize].labels) {
            who.push((Who::Local(self.local_id(&term.pods, home)), true));
        }
        let others = self.index.for_others(selector, home);
        let pods = self.index.for_other_pods(&term.pods, home);
        if let (Some(others), Some(pods)) = (others, pods) {
            who.push((Who::Remote(self.remote_id((others, pods))), true));
        }
        who
    }

    /// Numbers a selector within its namespace, in the order of first use.
    fn local_id(&mut self, pods: &Selector, home: u32) -> u32 {
        let known = &mut self.locals[home as usize];
        let position = known.iter().position(|other| other == pods).unwrap_or_else(|| {
            known.push(pods.clone());
            known.len() - 1
        });
        u32::try_from(position).unwrap_or(u32::MAX)
    }

    fn remote_id(&mut self, key: RemoteKey) -> u32 {
        let next = u32::try_from(self.remote_keys.len()).unwrap_or(u32::MAX);
        let id = *self.remote_ids.entry(key.clone()).or_insert(next);
        if id == next {
            let namespaces = self.index.namespaces(&key.0).to_vec();
            self.remotes.push(Remote { uses: 0, namespaces, is_rare: false });
            self.remote_keys.push(key);
        }
        self.remotes[id as usize].uses += 1;
        id
    }

    fn find_rare(&mut self, rarity: Rarity) {
        for remote in &mut self.remotes {
            remote.is_rare = remote.uses <= rarity.uses && remote.namespaces.len() <= rarity.namespaces;
        }
    }

    fn classify(mut self) -> Classes {
        let model = self.model;
        let remote_matches = self.remote_matches();
        let has_node_pods = model.pods.iter().any(|pod| pod.host_network);
        let mut ids: HashMap<Class, u32> = HashMap::new();
        let mut class_of: Vec<u32> = Vec::new();
        let mut rare_terms: Vec<(u32, Direction, u32)> = Vec::new();
        for (pod, remote) in model.pod_ids().zip(remote_matches) {
            let class = self.class(pod, remote, has_node_pods, &mut rare_terms);
            let next = u32::try_from(ids.len()).unwrap_or(u32::MAX);
            let id = *ids.entry(class).or_insert(next);
            class_of.push(id);
        }
        let exceptions = self.exceptions(&rare_terms);
        let mut exceptions_from: HashMap<u32, Vec<u32>> = HashMap::new();
        for (from, to) in &exceptions {
            exceptions_from.entry(*from).or_default().push(*to);
        }
        exceptions_from.values_mut().for_each(|list| list.sort_unstable());
        let classes = in_order(ids);
        Classes { class_of, classes, ports: in_order(std::mem::take(&mut self.ports)), exceptions, exceptions_from }
    }

    /// For each pod the remote selectors that match it, without the rare ones.
    fn remote_matches(&self) -> Vec<Vec<u32>> {
        let mut matches = vec![Vec::new(); self.model.pods.len()];
        for (id, (remote, key)) in (0u32..).zip(self.remotes.iter().zip(&self.remote_keys)) {
            if !remote.is_rare {
                for pod in self.matched(remote, key) {
                    matches[pod as usize].push(id);
                }
            }
        }
        matches
    }

    fn matched(&self, remote: &Remote, (_, pods): &RemoteKey) -> impl Iterator<Item = u32> {
        let namespaces = remote.namespaces.iter();
        let all = namespaces.flat_map(|namespace| self.model.namespaces[*namespace as usize].pods.clone());
        all.filter(move |pod| pods.matches(&self.model.pods[*pod as usize].identity))
    }

    fn class(&self, pod: u32, remote: Vec<u32>, has_node_pods: bool, rare: &mut Vec<(u32, Direction, u32)>) -> Class {
        let model = self.model;
        let own = &model.pods[pod as usize];
        let locals = &self.locals[own.namespace as usize];
        let local = (0u32..).zip(locals).filter(|(_, selector)| selector.matches(&own.identity)).map(|(id, _)| id);
        let wide =
            (0u32..).zip(&self.wide_terms).filter(|(_, term)| model.term_matches(term, None, pod)).map(|(id, _)| id);
        let nodes = if has_node_pods && !own.host_network { node_flows(model, pod) } else { Vec::new() };
        Class {
            host_network: own.host_network,
            named_ports: own.ports.iter().filter(|port| port.name.is_some()).copied().collect(),
            ingress: self.profile(pod, Direction::Ingress, rare),
            egress: self.profile(pod, Direction::Egress, rare),
            local: local.collect(),
            remote,
            wide: wide.collect(),
            nodes,
        }
    }

    fn profile(&self, pod: u32, direction: Direction, rare: &mut Vec<(u32, Direction, u32)>) -> Profile {
        let mut profile = Profile::default();
        for (index, policy) in self.model.deciding(pod, direction) {
            profile.isolated |= policy.section(direction).isolates;
            for term in &self.policy_terms[index as usize][direction as usize] {
                match term.who {
                    Who::Remote(id) if self.remotes[id as usize].is_rare => rare.push((pod, direction, id)),
                    _ => profile.terms.push(*term),
                }
            }
        }
        profile.terms.sort_unstable();
        profile.terms.dedup();
        profile
    }

    fn exceptions(&self, rare: &[(u32, Direction, u32)]) -> HashSet<(u32, u32)> {
        let mut exceptions = HashSet::new();
        for (pod, direction, id) in rare {
            let home = self.model.pods[*pod as usize].namespace;
            let (remote, key) = (&self.remotes[*id as usize], &self.remote_keys[*id as usize]);
            for other in self.matched(remote, key).filter(|other| self.model.pods[*other as usize].namespace != home) {
                exceptions.insert(match direction {
                    Direction::Egress => (*pod, other),
                    Direction::Ingress => (other, *pod),
                });
            }
        }
        exceptions
    }
}

/// The position of a node flow in [`Class::nodes`].
pub(crate) fn node_flow(direction: Direction, bound: Bound) -> usize {
    direction as usize * 2 + bound as usize
}

fn node_flows(model: &Model, pod: u32) -> Vec<PortSet> {
    let mut flows = Vec::with_capacity(4);
    for direction in Direction::BOTH {
        for bound in [Bound::Possible, Bound::Certain] {
            flows.push(decide::node_flow(model, pod, direction, bound));
        }
    }
    flows
}

fn in_order<K>(ids: HashMap<K, u32>) -> Vec<K> {
    let mut pairs: Vec<(K, u32)> = ids.into_iter().collect();
    pairs.sort_unstable_by_key(|(_, id)| *id);
    pairs.into_iter().map(|(key, _)| key).collect()
}
