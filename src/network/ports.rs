//! Sets of transport ports and ICMP types: what a connection may carry.

use std::fmt;

use super::ranges::Ranges;

/// A protocol that a policy can tell apart.
///
/// TCP, UDP and SCTP are those of NetworkPolicy v1; ICMP and ICMPv6 can be named by Cilium alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Protocol {
    /// ICMP for IPv4, with types instead of ports.
    Icmp,
    /// ICMP for IPv6, with types instead of ports.
    Icmp6,
    /// SCTP.
    Sctp,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// Every protocol, in the order in which they are printed.
    pub const ALL: [Self; 5] = [Self::Icmp, Self::Icmp6, Self::Sctp, Self::Tcp, Self::Udp];
    /// The protocols that have ports.
    pub const TRANSPORT: [Self; 3] = [Self::Sctp, Self::Tcp, Self::Udp];

    /// The name that Kubernetes uses, in capitals (`ICMPv6` for ICMP over IPv6).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Icmp => "ICMP",
            Self::Icmp6 => "ICMPv6",
            Self::Sctp => "SCTP",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }

    /// Reads a transport protocol as Kubernetes spells it. Case matters: the API server accepts capitals only.
    #[must_use]
    pub fn transport(name: &str) -> Option<Self> {
        Self::TRANSPORT.into_iter().find(|protocol| protocol.name() == name)
    }

    /// Every port (1 to 65535) or every ICMP type (0 to 255) of the protocol.
    fn universe(self) -> Ranges<u16> {
        match self {
            Self::Icmp | Self::Icmp6 => Ranges::of(0, 255),
            Self::Sctp | Self::Tcp | Self::Udp => Ranges::of(1, u16::MAX),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A set of (protocol, port) pairs: the connections that a rule, or a pair of pods, allows.
///
/// Ports are those of the destination **pod**, after Service translation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct PortSet {
    by_protocol: [Ranges<u16>; 5],
}

impl PortSet {
    /// No connection.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Every port of every protocol, ICMP included.
    #[must_use]
    pub fn all() -> Self {
        Self { by_protocol: Protocol::ALL.map(Protocol::universe) }
    }

    /// Every port of TCP, UDP and SCTP, without ICMP.
    #[must_use]
    pub fn transport() -> Self {
        let mut set = Self::none();
        for protocol in Protocol::TRANSPORT {
            set.by_protocol[protocol as usize] = protocol.universe();
        }
        set
    }

    /// The ports `first` to `last` of one protocol, cut to those that the protocol has.
    #[must_use]
    pub fn range(protocol: Protocol, first: u16, last: u16) -> Self {
        let mut set = Self::none();
        set.by_protocol[protocol as usize] = Ranges::of(first, last).intersection(&protocol.universe());
        set
    }

    /// One port of one protocol.
    #[must_use]
    pub fn one(protocol: Protocol, port: u16) -> Self {
        Self::range(protocol, port, port)
    }

    /// Every port of one protocol.
    #[must_use]
    pub fn whole(protocol: Protocol) -> Self {
        Self::range(protocol, 0, u16::MAX)
    }

    /// The ports of one protocol.
    #[must_use]
    pub fn of(&self, protocol: Protocol) -> &Ranges<u16> {
        &self.by_protocol[protocol as usize]
    }

    /// Whether nothing is allowed.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.by_protocol.iter().all(Ranges::is_empty)
    }

    /// Whether everything is allowed, ICMP included.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::all()
    }

    /// Connections of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.zip(other, Ranges::union)
    }

    /// Connections of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.zip(other, Ranges::intersection)
    }

    /// Connections of this set that `other` lacks.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.zip(other, Ranges::difference)
    }

    /// Whether `other` has every connection of this set.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        Protocol::ALL.iter().all(|protocol| self.of(*protocol).is_subset(other.of(*protocol)))
    }

    /// The sets of one port or range each, for messages that speak of one connection: the first in print order.
    #[must_use]
    pub fn example(&self) -> Option<(Protocol, u16)> {
        // Transport first: a witness with a port is easier to try out than one with an ICMP type.
        [Protocol::Tcp, Protocol::Udp, Protocol::Sctp, Protocol::Icmp, Protocol::Icmp6]
            .into_iter()
            .find_map(|protocol| self.of(protocol).first().map(|port| (protocol, port)))
    }

    fn zip(&self, other: &Self, combine: impl Fn(&Ranges<u16>, &Ranges<u16>) -> Ranges<u16>) -> Self {
        Self { by_protocol: Protocol::ALL.map(|protocol| combine(self.of(protocol), other.of(protocol))) }
    }
}

/// The form of np-guard's analyzer: `All Connections`, `No Connections`, or `TCP 80,443,UDP 53`.
impl fmt::Display for PortSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return out.write_str("No Connections");
        }
        if self.is_all() {
            return out.write_str("All Connections");
        }
        let parts: Vec<String> = Protocol::ALL
            .into_iter()
            .filter(|protocol| !self.of(*protocol).is_empty())
            .map(|protocol| describe(protocol, self.of(protocol)))
            .collect();
        out.write_str(&parts.join(","))
    }
}

fn describe(protocol: Protocol, ports: &Ranges<u16>) -> String {
    let is_icmp = matches!(protocol, Protocol::Icmp | Protocol::Icmp6);
    if is_icmp && *ports == protocol.universe() {
        return protocol.name().to_owned();
    }
    let ranges: Vec<String> = ports
        .intervals()
        .iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    format!("{protocol} {}", ranges.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_forms_of_np_guard() {
        let web = PortSet::one(Protocol::Tcp, 80).union(&PortSet::one(Protocol::Tcp, 443));
        assert_eq!(web.to_string(), "TCP 80,443");
        assert_eq!(web.union(&PortSet::one(Protocol::Udp, 53)).to_string(), "TCP 80,443,UDP 53");
        assert_eq!(PortSet::all().to_string(), "All Connections");
        assert_eq!(PortSet::none().to_string(), "No Connections");
        assert_eq!(PortSet::whole(Protocol::Tcp).to_string(), "TCP 1-65535");
        assert_eq!(PortSet::transport().to_string(), "SCTP 1-65535,TCP 1-65535,UDP 1-65535");
        assert_eq!(PortSet::whole(Protocol::Icmp).to_string(), "ICMP");
        assert_eq!(PortSet::one(Protocol::Icmp, 8).to_string(), "ICMP 8");
    }

    #[test]
    fn port_zero_is_no_port() {
        assert!(PortSet::one(Protocol::Tcp, 0).is_none());
        assert_eq!(PortSet::range(Protocol::Udp, 0, 5), PortSet::range(Protocol::Udp, 1, 5));
    }

    #[test]
    fn protocols_do_not_mix() {
        let tcp = PortSet::one(Protocol::Tcp, 53);
        assert!(tcp.intersection(&PortSet::one(Protocol::Udp, 53)).is_none());
        assert_eq!(tcp.union(&PortSet::one(Protocol::Udp, 53)).difference(&tcp), PortSet::one(Protocol::Udp, 53));
        assert!(tcp.is_subset(&PortSet::transport()));
        assert!(!PortSet::all().is_subset(&PortSet::transport()));
    }

    #[test]
    fn only_capitals_name_a_protocol() {
        assert_eq!(Protocol::transport("TCP"), Some(Protocol::Tcp));
        assert_eq!(Protocol::transport("tcp"), None);
        assert_eq!(Protocol::transport("ICMP"), None);
    }
}
