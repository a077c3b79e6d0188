//! The ports, DNS rules and ICMP types of a Cilium rule.

use super::cilium_peers::fqdn;
use super::fault::Fault;
use super::fqdn::Pattern;
use super::kubernetes::is_port_name;
use super::label::{Interner, Sym};
use super::policy::{Action, Direction, Ports};
use super::ports::{PortSet, Protocol};
use super::reader::Node;

/// At most this many ports in one item of `toPorts`, and fields in one of `icmps` (`maxPorts`, `maxICMPFields`).
const MOST_PORTS: usize = 40;

/// What `toPorts` or `icmps` leave.
pub(crate) struct Restriction {
    pub ports: Ports,
    pub dns: Option<Vec<Pattern>>,
}

/// Reads `toPorts` and `icmps`; `None` if the rule restricts neither.
pub(crate) fn parse(
    rule: &Node<'_, '_>,
    direction: Direction,
    action: Action,
    interner: &mut Interner,
) -> Result<Option<Restriction>, Fault> {
    let filled = |field: &'static str| rule.get(field).filter(|list| list.value.as_array() != Some(&Vec::new()));
    match (filled("toPorts"), filled("icmps")) {
        (None, None) => Ok(None),
        (Some(_), Some(icmps)) => Err(Fault::void(&icmps, "icmps excludes toPorts in one rule")),
        (None, Some(list)) => {
            let numbered = icmps(&list)?;
            Ok(Some(Restriction { ports: Ports::Listed { numbered, named: Vec::new() }, dns: None }))
        }
        (Some(list), None) => to_ports(&list, direction, action, interner).map(Some),
    }
}

fn to_ports(
    list: &Node<'_, '_>,
    direction: Direction,
    action: Action,
    interner: &mut Interner,
) -> Result<Restriction, Fault> {
    let (mut numbered, mut named, mut dns): (_, _, Option<Vec<Pattern>>) = (PortSet::none(), Vec::new(), None);
    let items: Vec<Node<'_, '_>> = list.list()?.collect();
    for item in &items {
        item.only(&["ports", "rules"])?;
        let patterns = match item.get("rules") {
            Some(rules) => Some(dns_rules(&rules, direction, action)?),
            None => None,
        };
        // A DNS rule holds for the ports of its own item only: two items in one rule would have to be told apart.
        if patterns.is_some() && items.len() > 1 {
            return Err(item
                .refuse("rules.dns beside other items of toPorts is not supported: use a rule of its own")
                .into());
        }
        let (more, names) = port_list(item, patterns.is_some(), interner)?;
        numbered = numbered.union(&more);
        named.extend(names);
        if let Some(patterns) = patterns {
            dns.get_or_insert_default().extend(patterns);
        }
    }
    Ok(Restriction { ports: Ports::Listed { numbered, named }, dns })
}

fn port_list(
    item: &Node<'_, '_>,
    has_dns: bool,
    interner: &mut Interner,
) -> Result<(PortSet, Vec<(Protocol, Sym)>), Fault> {
    let (mut numbered, mut named) = (PortSet::none(), Vec::new());
    let Some(list) = item.get("ports") else {
        return if has_dns { Err(Fault::void(item, "DNS rules need a port")) } else { Ok((numbered, named)) };
    };
    let mut count = 0;
    for node in list.list()? {
        count += 1;
        if count > MOST_PORTS {
            return Err(Fault::void(&list, &format!("more than {MOST_PORTS} ports")));
        }
        node.only(&["port", "endPort", "protocol"])?;
        let protocols = protocols(&node)?;
        match number_or_name(&node, has_dns)? {
            PortField::Range(first, last) => {
                for protocol in protocols {
                    numbered = numbered.union(&PortSet::range(protocol, first, last));
                }
            }
            PortField::Name(name) => {
                let name = interner.intern(&name);
                named.extend(protocols.into_iter().map(|protocol| (protocol, name)));
            }
        }
    }
    if has_dns && count == 0 {
        return Err(Fault::void(item, "DNS rules need a port"));
    }
    Ok((numbered, named))
}

enum PortField {
    Range(u16, u16),
    Name(String),
}

/// Port `0` means every port of the protocol. `endPort` is ignored for a name.
fn number_or_name(node: &Node<'_, '_>, has_dns: bool) -> Result<PortField, Fault> {
    let port = node.get("port").ok_or_else(|| Fault::void(node, "a port must be specified"))?;
    let Some(text) = port.value.as_str() else {
        return Err(Fault::void(&port, "the port has to be a string"));
    };
    if is_port_name(text) {
        return Ok(PortField::Name(text.to_ascii_lowercase()));
    }
    let first: u16 =
        text.parse().map_err(|_| Fault::void(&port, &format!("`{text}` is neither a port nor a port name")))?;
    let last = match node.get("endPort") {
        None => first,
        Some(end) => {
            let value = end.integer()?;
            u16::try_from(value).map_err(|_| Fault::void(&end, &format!("{value} is not a port")))?
        }
    };
    match (first, last) {
        (0, _) if has_dns => Err(Fault::void(&port, "DNS rules cannot be used with port 0")),
        (_, last) if has_dns && last != first => Err(Fault::void(node, "DNS rules do not support port ranges")),
        (0, _) => Ok(PortField::Range(0, u16::MAX)),
        (first, 0) => Ok(PortField::Range(first, first)),
        (first, last) if last < first => Err(Fault::void(node, "endPort is below port")),
        (first, last) => Ok(PortField::Range(first, last)),
    }
}

/// No protocol, and `ANY`, mean TCP, UDP and SCTP.
fn protocols(node: &Node<'_, '_>) -> Result<Vec<Protocol>, Fault> {
    let Some(field) = node.get("protocol") else { return Ok(Protocol::TRANSPORT.to_vec()) };
    let name = field.text()?.to_ascii_uppercase();
    match name.as_str() {
        "" | "ANY" => Ok(Protocol::TRANSPORT.to_vec()),
        "ICMP" | "ICMPV6" | "VRRP" | "IGMP" => {
            Err(field.refuse(&format!("the protocol `{name}` of a port is not supported")).into())
        }
        _ => match Protocol::transport(&name) {
            Some(protocol) => Ok(vec![protocol]),
            None => Err(Fault::void(&field, &format!("`{name}` is no protocol"))),
        },
    }
}

/// `rules` may hold `dns` alone; HTTP, Kafka and generic rules are outside of the subset.
fn dns_rules(rules: &Node<'_, '_>, direction: Direction, action: Action) -> Result<Vec<Pattern>, Fault> {
    rules.only(&["dns"])?;
    let dns = rules.need("dns")?;
    if direction == Direction::Ingress {
        return Err(Fault::void(&dns, "DNS rules are not allowed on ingress"));
    }
    if action == Action::Deny {
        return Err(Fault::void(&dns, "a deny rule cannot have DNS rules"));
    }
    let mut patterns = Vec::new();
    for item in dns.list()? {
        patterns.push(fqdn(&item)?);
    }
    if patterns.is_empty() {
        return Err(dns.refuse("an empty list of DNS rules is not supported").into());
    }
    Ok(patterns)
}

fn icmps(list: &Node<'_, '_>) -> Result<PortSet, Fault> {
    let mut types = PortSet::none();
    for item in list.list()? {
        item.only(&["fields"])?;
        let Some(fields) = item.get("fields") else { continue };
        for (count, field) in fields.list()?.enumerate() {
            if count >= MOST_PORTS {
                return Err(Fault::void(&fields, &format!("more than {MOST_PORTS} ICMP types")));
            }
            types = types.union(&icmp(&field)?);
        }
    }
    Ok(types)
}

fn icmp(field: &Node<'_, '_>) -> Result<PortSet, Fault> {
    field.only(&["family", "type"])?;
    let protocol = match field.get("family") {
        None => Protocol::Icmp,
        Some(family) => match family.text()? {
            "IPv4" | "" => Protocol::Icmp,
            "IPv6" => Protocol::Icmp6,
            other => return Err(Fault::void(&family, &format!("`{other}` is neither IPv4 nor IPv6"))),
        },
    };
    let kind = field.need("type")?;
    let number = match (kind.value.as_u64(), kind.value.as_str()) {
        (Some(number), _) => u8::try_from(number).ok(),
        (None, Some(name)) => name.parse().ok().or_else(|| icmp_type(protocol, name)),
        _ => None,
    };
    match number {
        Some(number) => Ok(PortSet::one(protocol, u16::from(number))),
        None => Err(kind.refuse("this ICMP type is not supported: use its number").into()),
    }
}

fn icmp_type(protocol: Protocol, name: &str) -> Option<u8> {
    Some(match (protocol, name) {
        (Protocol::Icmp, "EchoReply") => 0,
        (Protocol::Icmp, "DestinationUnreachable") => 3,
        (Protocol::Icmp, "Echo" | "EchoRequest") => 8,
        (Protocol::Icmp, "TimeExceeded") => 11,
        (Protocol::Icmp6, "DestinationUnreachable") => 1,
        (Protocol::Icmp6, "PacketTooBig") => 2,
        (Protocol::Icmp6, "TimeExceeded") => 3,
        (Protocol::Icmp6, "EchoRequest") => 128,
        (Protocol::Icmp6, "EchoReply") => 129,
        _ => return None,
    })
}
