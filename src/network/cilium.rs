//! CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy of `cilium.io/v2`: the subset that is understood.
//!
//! Source: Cilium documentation, *Policy Enforcement Modes*, *Layer 3/4/7 Policies*, *Using Kubernetes Constructs in
//! Policy*; `pkg/policy/api` (rule validation) and `pkg/k8s/apis/cilium.io/utils` (scoping) of its source.

use super::cilium_peers as peers;
use super::cilium_ports as ports;
use super::fault::Fault;
use super::label::{Interner, Sym};
use super::policy::{Action, Direction, NamespaceTerm, Peer, PeerItem, PodTerm, Ports, Rule, Section};
use super::reader::Node;
use super::settings::CiliumVersion;

/// What parsing needs to know besides the document.
pub(crate) struct Context<'c> {
    pub interner: &'c mut Interner,
    pub version: CiliumVersion,
    /// The policy's namespace; absent for a clusterwide policy.
    pub namespace: Option<Sym>,
    /// Fields whose list of peers is empty, as JSON pointers.
    pub empty_lists: Vec<String>,
}

/// The parts of one `spec`.
pub(crate) struct Parsed {
    pub subject: PodTerm,
    pub ingress: Section,
    pub egress: Section,
    /// Set if the subject names a namespace that is not the policy's own.
    pub foreign_subject: bool,
}

/// Parses one `spec`.
///
/// # Errors
/// Fields outside of the subset are refused by name; what Cilium rejects voids the policy.
pub(crate) fn parse(spec: &Node<'_, '_>, context: &mut Context<'_>) -> Result<Parsed, Fault> {
    spec.only(&[
        "endpointSelector",
        "ingress",
        "ingressDeny",
        "egress",
        "egressDeny",
        "enableDefaultDeny",
        "description",
        "labels",
    ])?;
    let Some(selector) = spec.get("endpointSelector") else {
        return Err(Fault::void(spec, "a rule needs an endpointSelector"));
    };
    let (subject, foreign_subject) = subject(&selector, context)?;
    let fields = ["ingress", "ingressDeny", "egress", "egressDeny"];
    if fields.iter().all(|field| spec.get(field).is_none_or(|list| list.value.as_array().is_some_and(Vec::is_empty))) {
        return Err(Fault::void(spec, "a rule needs at least one of ingress, ingressDeny, egress, egressDeny"));
    }
    let ingress = section(spec, Direction::Ingress, ["ingress", "ingressDeny"], context)?;
    let egress = section(spec, Direction::Egress, ["egress", "egressDeny"], context)?;
    Ok(Parsed { subject, ingress, egress, foreign_subject })
}

/// The subject is held to the policy's namespace, whatever the selector says of namespaces (`ParseToCiliumRule`).
fn subject(node: &Node<'_, '_>, context: &mut Context<'_>) -> Result<(PodTerm, bool), Fault> {
    let selector = peers::endpoint_selector(node, context.interner)?;
    if selector.reserved.is_some() {
        return Err(node.refuse("a subject with a reserved: label is not supported").into());
    }
    let pods = selector.pods;
    if context.namespace.is_none() {
        return Ok((PodTerm { namespaces: NamespaceTerm::Matching(selector.namespaces), pods }, false));
    }
    let own = context.namespace;
    let foreign = peers::names_another_namespace(&selector.namespaces, own, context.interner);
    if selector.namespaces.is_empty() || foreign {
        return Ok((PodTerm { namespaces: NamespaceTerm::Own, pods }, foreign));
    }
    let scoped = peers::within(own, selector.namespaces, context.interner);
    Ok((PodTerm { namespaces: NamespaceTerm::Matching(scoped), pods }, false))
}

/// A direction goes into default deny as soon as it has a rule, unless `enableDefaultDeny` says otherwise.
fn section(
    spec: &Node<'_, '_>,
    direction: Direction,
    [allow, deny]: [&'static str; 2],
    context: &mut Context<'_>,
) -> Result<Section, Fault> {
    let mut rules = rules(spec, direction, allow, Action::Allow, context)?;
    rules.extend(self::rules(spec, direction, deny, Action::Deny, context)?);
    let mut isolates = !rules.is_empty();
    if let Some(switches) = spec.get("enableDefaultDeny") {
        switches.only(&["ingress", "egress"])?;
        if let Some(switch) = switches.get(direction.name()) {
            isolates = switch.boolean()?;
        }
    }
    Ok(Section { isolates, rules })
}

fn rules(
    spec: &Node<'_, '_>,
    direction: Direction,
    field: &'static str,
    action: Action,
    context: &mut Context<'_>,
) -> Result<Vec<Rule>, Fault> {
    let Some(list) = spec.get(field) else { return Ok(Vec::new()) };
    let mut rules = Vec::new();
    for (index, node) in list.list()?.enumerate() {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        rules.push(rule(&node, direction, action, (field, index), context)?);
    }
    Ok(rules)
}

fn rule(
    node: &Node<'_, '_>,
    direction: Direction,
    action: Action,
    (field, index): (&'static str, u32),
    context: &mut Context<'_>,
) -> Result<Rule, Fault> {
    let known: &[&str] = match direction {
        Direction::Ingress => &["fromEndpoints", "fromCIDR", "fromCIDRSet", "fromEntities", "toPorts", "icmps"],
        Direction::Egress => &["toEndpoints", "toCIDR", "toCIDRSet", "toEntities", "toFQDNs", "toPorts", "icmps"],
    };
    node.only(known)?;
    let restriction = ports::parse(node, direction, action, context.interner)?;
    let selected = peers::parse(node, direction, action, context)?;
    let peers = match (selected, &restriction) {
        (peers::Selected::These(peers), _) => peers,
        // Ports alone: any peer, the world too. Neither peers nor ports: the rule allows nothing.
        (peers::Selected::Unrestricted, Some(_)) => vec![PeerItem { peer: Peer::Any, field: "toPorts", index: 0 }],
        (peers::Selected::Unrestricted, None) => Vec::new(),
    };
    let (ports, dns) = match restriction {
        Some(restriction) => (restriction.ports, restriction.dns),
        None => (Ports::All, None),
    };
    Ok(Rule { action, peers, ports, dns, field, index })
}
