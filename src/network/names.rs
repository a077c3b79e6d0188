//! What a pod's DNS queries go through: the condition under which `toFQDNs` rules work.
//!
//! Source: Cilium documentation, *DNS based*, *Obtaining DNS Data for use by toFQDNs*, *Layer 7 Policies*.

use super::addresses::IpSet;
use super::decide::{self, Contribution};
use super::fqdn::Pattern;
use super::model::Model;
use super::party::{Bound, Party};
use super::policy::{Direction, Entity};
use super::ports::{PortSet, Protocol};

/// How a pod resolves names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolution {
    /// Names for which the DNS proxy sees queries, by the rules that say so.
    pub proxied: Vec<(Pattern, Contribution)>,
    /// Rules that let queries through without naming names: beside a DNS rule they let every name through.
    pub plain: Vec<Contribution>,
    /// Whether UDP and TCP queries reach the resolver.
    pub udp: bool,
    pub tcp: bool,
    /// Whether the pod's egress is restricted at all.
    pub is_isolated: bool,
    /// Whether the resolver is known.
    pub has_resolver: bool,
}

impl Resolution {
    /// Whether Cilium learns the addresses of a name that the pod asks for.
    pub fn learns(&self, name: &str) -> bool {
        self.udp && self.sees(|pattern| pattern.matches(name))
    }

    /// Whether Cilium learns the addresses of every name of a pattern.
    pub fn learns_all(&self, wanted: &Pattern) -> bool {
        self.udp && self.sees(|pattern| pattern.covers(wanted))
    }

    /// Bare port 53 intercepts nothing. Beside a DNS rule it widens that rule to every name, queries for which the
    /// proxy then still sees.
    fn sees(&self, fits: impl Fn(&Pattern) -> bool) -> bool {
        let is_widened = !self.plain.is_empty() && !self.proxied.is_empty();
        is_widened || self.proxied.iter().any(|(pattern, _)| fits(pattern))
    }
}

/// The pods of the cluster's resolver.
pub(crate) fn resolvers(model: &Model) -> Vec<Party> {
    let resolver = &model.settings.resolver;
    if !resolver.node_local.is_empty() {
        // Pods ask a link-local address instead of the resolver's pods: rules that select pods do not match it. Cilium
        // takes it for the host or for an address, depending on which started first (cilium/cilium#18644): both have
        // to be open.
        let mut parties: Vec<Party> =
            resolver.node_local.iter().map(|address| Party::Addresses(IpSet::one(*address))).collect();
        if model.settings.is_cilium() {
            parties.push(Party::Entity(Entity::Host));
        }
        return parties;
    }
    let Some(namespace) = model.find_namespace(&resolver.namespace) else { return Vec::new() };
    let wanted: Option<Vec<_>> = resolver
        .labels
        .iter()
        .map(|(key, value)| Some((model.interner.find(key)?, model.interner.find(value)?)))
        .collect();
    let Some(wanted) = wanted else { return Vec::new() };
    let pods = model.namespaces[namespace as usize].pods.clone();
    pods.filter(|pod| {
        let pod = &model.pods[*pod as usize];
        !pod.fits_a_selector && wanted.iter().all(|(key, value)| pod.labels.get(*key) == Some(*value))
    })
    .map(Party::Pod)
    .collect()
}

/// How a pod's queries travel. Every resolver pod has to be reachable: a query may go to any of them.
pub(crate) fn resolution(model: &Model, pod: u32) -> Resolution {
    let mut resolution = Resolution { udp: true, tcp: true, ..Resolution::default() };
    let port = model.settings.resolver.port;
    let (udp, tcp) = (PortSet::one(Protocol::Udp, port), PortSet::one(Protocol::Tcp, port));
    let resolvers = resolvers(model);
    resolution.has_resolver = !resolvers.is_empty();
    for resolver in &resolvers {
        let egress = decide::side(model, pod, Direction::Egress, resolver, Bound::Certain);
        let mut flow = egress.flow.clone();
        if let Party::Pod(server) = resolver {
            flow = flow
                .intersection(&decide::side(model, *server, Direction::Ingress, &Party::Pod(pod), Bound::Certain).flow);
        }
        resolution.udp &= udp.is_subset(&flow);
        resolution.tcp &= tcp.is_subset(&flow);
        resolution.is_isolated |= !egress.isolating.is_empty();
        for one in egress.allowing.into_iter().filter(|one| udp.is_subset(&one.ports) || tcp.is_subset(&one.ports)) {
            let rule = &model.policies[one.policy as usize].section(Direction::Egress).rules[one.rule as usize];
            match &rule.dns {
                Some(patterns) => {
                    resolution.proxied.extend(patterns.iter().map(|pattern| (pattern.clone(), one.clone())))
                }
                None => resolution.plain.push(one),
            }
        }
    }
    if !resolution.has_resolver {
        (resolution.udp, resolution.tcp) = (false, false);
    }
    resolution
}
