//! NetworkPolicy of `networking.k8s.io/v1` in the engine's own form.
//!
//! Source: Kubernetes documentation, *Network Policies*; API reference, `NetworkPolicy v1`; the API server's validation
//! (`pkg/apis/networking/validation`) for what it rejects.

use ipnet::IpNet;

use super::addresses::IpSet;
use super::fault::Fault;
use super::label::{Interner, Selector};
use super::policy::{Action, Direction, NamespaceTerm, Peer, PeerItem, PodTerm, Ports, Rule, Section};
use super::ports::{PortSet, Protocol};
use super::reader::Node;
use super::selector::plain;

/// The parts of a NetworkPolicy.
pub(crate) struct Parsed {
    pub subject: PodTerm,
    pub ingress: Section,
    pub egress: Section,
    /// Directions that have rules although `policyTypes` leaves them out: the rules do nothing.
    pub ignored: Vec<Direction>,
}

/// Parses a `spec`. A missing spec is the empty one, which isolates every pod of the namespace for ingress.
///
/// # Errors
/// Unknown fields are refused; what the API server rejects voids the policy.
pub(crate) fn parse(spec: &Node<'_, '_>, interner: &mut Interner) -> Result<Parsed, Fault> {
    spec.only(&["podSelector", "policyTypes", "ingress", "egress"])?;
    let pods = match spec.get("podSelector") {
        Some(selector) => plain(&selector, interner)?,
        None => Selector::default(),
    };
    let mut ingress = rules(spec, Direction::Ingress, interner)?;
    let mut egress = rules(spec, Direction::Egress, interner)?;
    let types = policy_types(spec, &egress)?;
    let mut ignored = Vec::new();
    let mut section = |direction: Direction, rules: &mut Vec<Rule>| {
        let isolates = types.contains(&direction);
        if !isolates && !rules.is_empty() {
            ignored.push(direction);
            rules.clear();
        }
        Section { isolates, rules: std::mem::take(rules) }
    };
    let ingress = section(Direction::Ingress, &mut ingress);
    let egress = section(Direction::Egress, &mut egress);
    Ok(Parsed { subject: PodTerm { namespaces: NamespaceTerm::Own, pods }, ingress, egress, ignored })
}

/// Without `policyTypes`: ingress always, egress if there are egress rules (API reference, `policyTypes`).
fn policy_types(spec: &Node<'_, '_>, egress: &[Rule]) -> Result<Vec<Direction>, Fault> {
    let mut types = Vec::new();
    if let Some(list) = spec.get("policyTypes") {
        for item in list.list()? {
            types.push(match item.text()? {
                "Ingress" => Direction::Ingress,
                "Egress" => Direction::Egress,
                other => return Err(Fault::void(&item, &format!("`{other}` is neither Ingress nor Egress"))),
            });
        }
    }
    if types.is_empty() {
        types.push(Direction::Ingress);
        if !egress.is_empty() {
            types.push(Direction::Egress);
        }
    }
    Ok(types)
}

fn rules(spec: &Node<'_, '_>, direction: Direction, interner: &mut Interner) -> Result<Vec<Rule>, Fault> {
    let Some(list) = spec.get(direction.name()) else { return Ok(Vec::new()) };
    let peers_field = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let mut rules = Vec::new();
    for (index, node) in list.list()?.enumerate() {
        node.only(&[peers_field, "ports"])?;
        rules.push(Rule {
            action: Action::Allow,
            peers: peers(&node, peers_field, interner)?,
            ports: ports(&node, interner)?,
            dns: None,
            field: direction.name(),
            index: u32::try_from(index).unwrap_or(u32::MAX),
        });
    }
    Ok(rules)
}

/// An empty or absent list of peers means every peer, the world included (API reference, `from` and `to`).
fn peers(rule: &Node<'_, '_>, field: &'static str, interner: &mut Interner) -> Result<Vec<PeerItem>, Fault> {
    let mut peers = Vec::new();
    if let Some(list) = rule.get(field) {
        for (index, node) in list.list()?.enumerate() {
            peers.push(PeerItem {
                peer: peer(&node, interner)?,
                field,
                index: u32::try_from(index).unwrap_or(u32::MAX),
            });
        }
    }
    if peers.is_empty() {
        peers.push(PeerItem { peer: Peer::Any, field, index: 0 });
    }
    Ok(peers)
}

fn peer(node: &Node<'_, '_>, interner: &mut Interner) -> Result<Peer, Fault> {
    node.only(&["podSelector", "namespaceSelector", "ipBlock"])?;
    let (pods, namespaces, block) = (node.get("podSelector"), node.get("namespaceSelector"), node.get("ipBlock"));
    if let Some(block) = block {
        if pods.is_some() || namespaces.is_some() {
            return Err(Fault::void(node, "ipBlock excludes podSelector and namespaceSelector in one item"));
        }
        return Ok(Peer::Addresses(ip_block(&block)?));
    }
    if pods.is_none() && namespaces.is_none() {
        return Err(Fault::void(node, "a peer needs podSelector, namespaceSelector or ipBlock"));
    }
    // podSelector alone: the policy's own namespace. Both in one item: and.
    let pods = match pods {
        Some(selector) => plain(&selector, interner)?,
        None => Selector::default(),
    };
    let namespaces = match namespaces {
        Some(selector) => NamespaceTerm::Matching(plain(&selector, interner)?),
        None => NamespaceTerm::Own,
    };
    Ok(Peer::Pods(PodTerm { namespaces, pods }))
}

fn ip_block(node: &Node<'_, '_>) -> Result<IpSet, Fault> {
    node.only(&["cidr", "except"])?;
    let cidr = node.need("cidr")?;
    let block = IpSet::of(prefix(&cidr)?);
    let mut set = block.clone();
    if let Some(list) = node.get("except") {
        for item in list.list()? {
            let except = IpSet::of(prefix(&item)?);
            if !except.is_subset(&block) || except == block {
                return Err(Fault::void(&item, "an exception has to lie strictly inside the block"));
            }
            set = set.difference(&except);
        }
    }
    Ok(set)
}

/// A prefix such as `10.0.0.0/8`.
pub(crate) fn prefix(node: &Node<'_, '_>) -> Result<IpNet, Fault> {
    let text = node.text()?;
    text.parse().map_err(|_| Fault::void(node, &format!("`{text}` is not an address prefix such as 10.0.0.0/8")))
}

/// No ports: all. No protocol: TCP. No port: every port of the protocol (API reference, `NetworkPolicyPort`).
fn ports(rule: &Node<'_, '_>, interner: &mut Interner) -> Result<Ports, Fault> {
    let Some(list) = rule.get("ports") else { return Ok(Ports::All) };
    let (mut numbered, mut named, mut is_empty) = (PortSet::none(), Vec::new(), true);
    for node in list.list()? {
        is_empty = false;
        node.only(&["port", "protocol", "endPort"])?;
        let protocol = match node.get("protocol") {
            None => Protocol::Tcp,
            Some(name) => Protocol::transport(name.text()?)
                .ok_or_else(|| Fault::void(&name, "the protocol has to be TCP, UDP or SCTP"))?,
        };
        match node.get("port") {
            Some(port) if port.value.is_string() => {
                let name = port.text()?;
                if !is_port_name(name) {
                    return Err(Fault::void(&port, &format!("`{name}` is neither a port number nor a port name")));
                }
                if let Some(end) = node.get("endPort") {
                    return Err(Fault::void(&end, "endPort needs a numeric port"));
                }
                named.push((protocol, interner.intern(name)));
            }
            port => numbered = numbered.union(&numbers(&node, port, protocol)?),
        }
    }
    Ok(if is_empty { Ports::All } else { Ports::Listed { numbered, named } })
}

fn numbers(node: &Node<'_, '_>, port: Option<Node<'_, '_>>, protocol: Protocol) -> Result<PortSet, Fault> {
    let end = node.get("endPort");
    let Some(port) = port else {
        return match end {
            Some(end) => Err(Fault::void(&end, "endPort needs a port")),
            None => Ok(PortSet::whole(protocol)),
        };
    };
    let first = number(&port)?;
    let last = match end {
        None => first,
        Some(end) => {
            let last = number(&end)?;
            if last < first {
                return Err(Fault::void(&end, "endPort is below port"));
            }
            last
        }
    };
    Ok(PortSet::range(protocol, first, last))
}

fn number(node: &Node<'_, '_>) -> Result<u16, Fault> {
    let value = node.integer()?;
    u16::try_from(value)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| Fault::void(node, &format!("{value} is not a port between 1 and 65535")))
}

/// An IANA service name: at most 15 letters, digits and single hyphens, with a letter.
pub(crate) fn is_port_name(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '-')
        && name.chars().any(|character| character.is_ascii_alphabetic())
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}
