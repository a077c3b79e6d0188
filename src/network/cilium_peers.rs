//! The peers of a Cilium rule: endpoints, addresses, entities and names.

use ipnet::IpNet;

use super::addresses::IpSet;
use super::cilium::Context;
use super::fault::Fault;
use super::fqdn::Pattern;
use super::kubernetes::prefix;
use super::label::{Interner, Requirement, Selector, Sym, Test};
use super::model::{CLUSTER_KEY, NAME_KEY, SERVICE_ACCOUNT_KEY};
use super::policy::{Action, Direction, Entity, NamespaceTerm, Peer, PeerItem, PodTerm};
use super::reader::Node;
use super::selector::{Operator, Written, is_label_key, written};
use super::settings::CiliumVersion;

/// The peers that a rule names.
pub(crate) enum Selected {
    /// The rule has no peer field.
    Unrestricted,
    /// The peers of its one peer field; none if the list is empty.
    These(Vec<PeerItem>),
}

/// Reads the peers of a rule. A rule may use one kind of peer only.
pub(crate) fn parse(
    rule: &Node<'_, '_>,
    direction: Direction,
    action: Action,
    context: &mut Context<'_>,
) -> Result<Selected, Fault> {
    let fields: &[&'static str] = match direction {
        Direction::Ingress => &["fromEndpoints", "fromCIDR", "fromCIDRSet", "fromEntities"],
        Direction::Egress => &["toEndpoints", "toCIDR", "toCIDRSet", "toEntities", "toFQDNs"],
    };
    let present: Vec<&'static str> = fields.iter().copied().filter(|field| rule.get(field).is_some()).collect();
    let is_filled =
        |field: &&&'static str| rule.get(field).is_some_and(|list| list.value.as_array() != Some(&Vec::new()));
    let filled: Vec<&&'static str> = present.iter().filter(is_filled).collect();
    match (present.as_slice(), filled.as_slice()) {
        ([], _) => Ok(Selected::Unrestricted),
        // Below 1.15 an empty list counted as absent (cilium/cilium#29608).
        (_, []) if context.version < CiliumVersion::EMPTY_LIST_SELECTS_NOTHING => Ok(Selected::Unrestricted),
        (_, []) => {
            context.empty_lists.extend(present.iter().filter_map(|field| rule.get(field)).map(|list| list.pointer()));
            Ok(Selected::These(Vec::new()))
        }
        ([_], [field]) => Ok(Selected::These(items(rule, field, action, context)?)),
        (_, [one, other, ..]) => Err(Fault::void(rule, &format!("one rule cannot combine {one} and {other}"))),
        // Releases differ in whether the empty list wins (cilium/cilium#33439).
        (_, [_]) => Err(rule.refuse("an empty list of peers beside another kind of peer is not supported").into()),
    }
}

fn items(
    rule: &Node<'_, '_>,
    field: &'static str,
    action: Action,
    context: &mut Context<'_>,
) -> Result<Vec<PeerItem>, Fault> {
    let list = rule.need(field)?;
    let mut peers = Vec::new();
    for (index, node) in list.list()?.enumerate() {
        let peer = match field {
            "fromEndpoints" | "toEndpoints" => endpoints(&node, context)?,
            "fromCIDR" | "toCIDR" => Peer::Addresses(cidr(&node)?),
            "fromCIDRSet" | "toCIDRSet" => Peer::Addresses(cidr_rule(&node)?),
            "fromEntities" | "toEntities" => entity(&node)?,
            _ if action == Action::Deny => return Err(Fault::void(&node, "a deny rule cannot name FQDNs")),
            _ => Peer::Names(fqdn(&node)?),
        };
        peers.push(PeerItem { peer, field, index: u32::try_from(index).unwrap_or(u32::MAX) });
    }
    Ok(peers)
}

/// An endpoint selector: its parts by what they speak of.
pub(crate) struct EndpointSelector {
    pub namespaces: Selector,
    pub pods: Selector,
    pub reserved: Option<Entity>,
    /// Whether the selector has the label of the pod's namespace, which lifts the default scope.
    names_namespace: bool,
    /// Whether it has a label of the namespace object, which lifts the default scope from 1.16 on.
    names_namespace_labels: bool,
}

/// Parses an endpoint selector, with keys of the sources `k8s`, `any` (the default) and `reserved`.
pub(crate) fn endpoint_selector(node: &Node<'_, '_>, interner: &mut Interner) -> Result<EndpointSelector, Fault> {
    let (mut namespaces, mut pods, mut reserved) = (Vec::new(), Vec::new(), None);
    let (mut names_namespace, mut names_namespace_labels) = (false, false);
    let requirements = written(node)?;
    for requirement in &requirements {
        match key(node, requirement)? {
            Key::NamespaceName => {
                names_namespace = true;
                let key = interner.intern(NAME_KEY);
                namespaces.push(requirement.on(key, interner));
            }
            Key::NamespaceLabel(label) => {
                names_namespace_labels = true;
                let key = interner.intern(label);
                namespaces.push(requirement.on(key, interner));
            }
            Key::Pod(label) => {
                let key = interner.intern(label);
                pods.push(requirement.on(key, interner));
            }
            Key::Reserved(entity) => reserved = Some(entity),
        }
    }
    if reserved.is_some() && requirements.len() > 1 {
        return Err(node.refuse("a reserved: label beside other labels is not supported").into());
    }
    let (namespaces, pods) = (Selector::new(namespaces), Selector::new(pods));
    Ok(EndpointSelector { namespaces, pods, reserved, names_namespace, names_namespace_labels })
}

enum Key<'k> {
    NamespaceName,
    NamespaceLabel(&'k str),
    Pod(&'k str),
    Reserved(Entity),
}

/// What a key speaks of. The part before the first colon is the source; an unprefixed key is of any source; a second
/// colon makes the key invalid, and with it the whole policy (`GetExtendedKeyFrom`, `EndpointSelector.sanitize`).
fn key<'k>(node: &Node<'_, '_>, requirement: &Written<'k>) -> Result<Key<'k>, Fault> {
    let text = requirement.key;
    let (source, name) = text.split_once(':').unwrap_or(("any", text));
    if name.contains(':') {
        let message = format!("the key `{text}` has a second colon: Cilium drops the whole policy");
        let labels = node.get("matchLabels");
        let field = labels.as_ref().and_then(|labels| labels.get(text));
        return Err(Fault::void(field.as_ref().unwrap_or(node), &message));
    }
    if source == "reserved" {
        let is_plain = requirement.operator == Operator::Exists || requirement.values == [""];
        return match Entity::named(name).filter(|_| is_plain && requirement.operator != Operator::NotIn) {
            Some(entity) => Ok(Key::Reserved(entity)),
            None => Err(node.refuse(&format!("the selector on `{text}` is not supported")).into()),
        };
    }
    if source != "k8s" && source != "any" {
        return Err(node.refuse(&format!("the label source `{source}` of `{text}` is not supported")).into());
    }
    if !is_label_key(name) {
        return Err(Fault::void(node, &format!("`{text}` is not a valid label key: Cilium drops the whole policy")));
    }
    Ok(match name {
        "io.kubernetes.pod.namespace" => Key::NamespaceName,
        "io.cilium.k8s.policy.cluster" => Key::Pod(CLUSTER_KEY),
        "io.cilium.k8s.policy.serviceaccount" => Key::Pod(SERVICE_ACCOUNT_KEY),
        _ => match name.strip_prefix("io.cilium.k8s.namespace.labels.") {
            Some(label) => Key::NamespaceLabel(label),
            None => Key::Pod(name),
        },
    })
}

/// The scope of a peer selector (`getEndpointSelector`): reserved labels are unscoped; a namespace or, from 1.16, a
/// namespace label lifts the default; the default is the policy's own namespace, or every namespace for a clusterwide
/// policy, where `{}` is every endpoint with a namespace and neither world nor host.
fn endpoints(node: &Node<'_, '_>, context: &mut Context<'_>) -> Result<Peer, Fault> {
    let selector = endpoint_selector(node, context.interner)?;
    if let Some(entity) = selector.reserved {
        return Ok(Peer::Entity(entity));
    }
    let labels_lift = context.version >= CiliumVersion::NAMESPACE_LABELS_LIFT_SCOPE;
    let is_lifted = selector.names_namespace || (selector.names_namespace_labels && labels_lift);
    let namespaces = if context.namespace.is_none() || is_lifted {
        NamespaceTerm::Matching(selector.namespaces)
    } else if selector.namespaces.is_empty() {
        NamespaceTerm::Own
    } else {
        NamespaceTerm::Matching(within(context.namespace, selector.namespaces, context.interner))
    };
    Ok(Peer::Pods(PodTerm { namespaces, pods: selector.pods }))
}

/// The selector, held to one namespace as well.
pub(crate) fn within(namespace: Option<Sym>, selector: Selector, interner: &mut Interner) -> Selector {
    let mut requirements = selector.requirements().to_vec();
    if let Some(name) = namespace {
        requirements.push(Requirement { key: interner.intern(NAME_KEY), test: Test::In(vec![name]) });
    }
    Selector::new(requirements)
}

/// Whether a selector asks for the name of a namespace other than `own`.
pub(crate) fn names_another_namespace(selector: &Selector, own: Option<Sym>, interner: &mut Interner) -> bool {
    let name = interner.intern(NAME_KEY);
    selector.requirements().iter().any(|requirement| {
        requirement.key == name
            && matches!(&requirement.test, Test::In(values) if own.is_none_or(|own| !values.contains(&own)))
    })
}

/// An entry of `fromCIDR`/`toCIDR`: a prefix or a single address.
fn cidr(node: &Node<'_, '_>) -> Result<IpSet, Fault> {
    let text = node.text()?;
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        return Ok(IpSet::of(IpNet::from(address)));
    }
    Ok(IpSet::of(prefix(node)?))
}

fn cidr_rule(node: &Node<'_, '_>) -> Result<IpSet, Fault> {
    node.only(&["cidr", "except"])?;
    let block = prefix(&node.need("cidr")?)?;
    let mut set = IpSet::of(block);
    if let Some(list) = node.get("except") {
        for item in list.list()? {
            let except = prefix(&item)?;
            if !block.contains(&except.addr()) {
                return Err(Fault::void(&item, &format!("{block} does not contain the exception {except}")));
            }
            set = set.difference(&IpSet::of(except));
        }
    }
    Ok(set)
}

fn entity(node: &Node<'_, '_>) -> Result<Peer, Fault> {
    let name = node.text()?;
    let entity =
        Entity::named(name).ok_or_else(|| Fault::void(node, &format!("`{name}` is not an entity of Cilium")))?;
    Ok(Peer::Entity(entity))
}

/// One of `matchName` and `matchPattern`.
pub(crate) fn fqdn(node: &Node<'_, '_>) -> Result<Pattern, Fault> {
    node.only(&["matchName", "matchPattern"])?;
    let invalid = |node: &Node<'_, '_>| Fault::void(node, "this is not a DNS name or pattern that Cilium accepts");
    match (node.get("matchName"), node.get("matchPattern")) {
        (Some(name), None) => Pattern::name(name.text()?).ok_or_else(|| invalid(&name)),
        (None, Some(glob)) => Pattern::glob(glob.text()?).ok_or_else(|| invalid(&glob)),
        _ => Err(Fault::void(node, "exactly one of matchName and matchPattern is needed")),
    }
}
