//! Sets of IP addresses, both families, with exact set algebra.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::ranges::Ranges;

/// A set of IPv4 and IPv6 addresses.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct IpSet {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl IpSet {
    /// No address.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Every address of both families.
    #[must_use]
    pub fn all() -> Self {
        Self { v4: Ranges::full(), v6: Ranges::full() }
    }

    /// Every IPv4 address.
    #[must_use]
    pub fn all_v4() -> Self {
        Self { v4: Ranges::full(), v6: Ranges::empty() }
    }

    /// Every IPv6 address.
    #[must_use]
    pub fn all_v6() -> Self {
        Self { v4: Ranges::empty(), v6: Ranges::full() }
    }

    /// The addresses of one prefix. Host bits are ignored, as Kubernetes and Cilium do.
    #[must_use]
    pub fn of(net: IpNet) -> Self {
        match net {
            IpNet::V4(net) => {
                Self { v4: Ranges::of(net.network().to_bits(), net.broadcast().to_bits()), v6: Ranges::empty() }
            }
            IpNet::V6(net) => {
                Self { v4: Ranges::empty(), v6: Ranges::of(net.network().to_bits(), net.broadcast().to_bits()) }
            }
        }
    }

    /// Every address from one to another of the same family.
    #[must_use]
    pub fn range(first: IpAddr, last: IpAddr) -> Option<Self> {
        let mut set = Self::none();
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => set.v4 = Ranges::of(first.into(), last.into()),
            (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => set.v6 = Ranges::of(first.into(), last.into()),
            _ => return None,
        }
        Some(set)
    }

    /// The addresses of several prefixes.
    #[must_use]
    pub fn of_all<'a>(nets: impl IntoIterator<Item = &'a IpNet>) -> Self {
        nets.into_iter().fold(Self::none(), |set, net| set.union(&Self::of(*net)))
    }

    /// One address.
    #[must_use]
    pub fn one(address: IpAddr) -> Self {
        Self::of(IpNet::from(address))
    }

    /// The IPv4 part.
    #[must_use]
    pub fn v4(&self) -> &Ranges<u32> {
        &self.v4
    }

    /// The IPv6 part.
    #[must_use]
    pub fn v6(&self) -> &Ranges<u128> {
        &self.v6
    }

    /// Whether the set has no address.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Addresses of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self { v4: self.v4.union(&other.v4), v6: self.v6.union(&other.v6) }
    }

    /// Addresses of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self { v4: self.v4.intersection(&other.v4), v6: self.v6.intersection(&other.v6) }
    }

    /// Addresses of this set that `other` lacks.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self { v4: self.v4.difference(&other.v4), v6: self.v6.difference(&other.v6) }
    }

    /// Whether `other` has every address of this set.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.v4.is_subset(&other.v4) && self.v6.is_subset(&other.v6)
    }

    /// Whether the sets have an address in common.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.v4.meets(&other.v4) || self.v6.meets(&other.v6)
    }

    /// An address of the set, the smallest IPv4 one if there is one.
    #[must_use]
    pub fn example(&self) -> Option<IpAddr> {
        let v4 = self.v4.first().map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)));
        v4.or_else(|| self.v6.first().map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))))
    }

    /// The contiguous ranges as `first-last`, the form that np-guard's analyzer prints, IPv4 before IPv6.
    #[must_use]
    pub fn ranges(&self) -> Vec<String> {
        let v4 = self
            .v4
            .intervals()
            .iter()
            .map(|(first, last)| format!("{}-{}", Ipv4Addr::from_bits(*first), Ipv4Addr::from_bits(*last)));
        let v6 = self
            .v6
            .intervals()
            .iter()
            .map(|(first, last)| format!("{}-{}", Ipv6Addr::from_bits(*first), Ipv6Addr::from_bits(*last)));
        v4.chain(v6).collect()
    }
}

impl fmt::Display for IpSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return out.write_str("no address");
        }
        out.write_str(&self.ranges().join(", "))
    }
}

/// Splits the whole address space into the coarsest disjoint parts that no given set cuts.
///
/// Every set is a union of parts; parts that the same sets contain are one part, however many ranges it has.
#[must_use]
pub fn partition(sets: &[&IpSet]) -> Vec<IpSet> {
    let mut parts = vec![IpSet::all()];
    for set in sets {
        let mut finer = Vec::with_capacity(parts.len() + 1);
        for part in parts {
            for piece in [part.intersection(set), part.difference(set)] {
                if !piece.is_none() {
                    finer.push(piece);
                }
            }
        }
        parts = finer;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> IpSet {
        IpSet::of_all(&text.split(' ').map(|net| net.parse().unwrap()).collect::<Vec<IpNet>>())
    }

    #[test]
    fn prefixes_print_as_ranges() {
        assert_eq!(set("0.0.0.0/0").to_string(), "0.0.0.0-255.255.255.255");
        assert_eq!(
            set("10.0.0.0/8 11.0.0.0/8 192.0.2.7/32").to_string(),
            "10.0.0.0-11.255.255.255, 192.0.2.7-192.0.2.7"
        );
        assert_eq!(set("2001:db8::/32").to_string(), "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
        assert_eq!(IpSet::none().to_string(), "no address");
    }

    #[test]
    fn host_bits_are_ignored() {
        assert_eq!(set("10.1.2.3/8"), set("10.0.0.0/8"));
    }

    #[test]
    fn families_do_not_mix() {
        assert!(!set("0.0.0.0/0").meets(&set("::/0")));
        assert_eq!(IpSet::all().difference(&set("0.0.0.0/0")), IpSet::all_v6());
        assert_eq!(set("::ffff:10.0.0.1/128").v4(), &Ranges::empty());
    }

    #[test]
    fn exceptions_are_exact() {
        let block = set("0.0.0.0/0").difference(&set("10.0.0.0/8"));
        assert_eq!(block.to_string(), "0.0.0.0-9.255.255.255, 11.0.0.0-255.255.255.255");
        assert!(!block.meets(&set("10.255.255.255/32")));
        assert!(set("9.0.0.0/8 11.0.0.0/8").is_subset(&block));
    }

    #[test]
    fn a_partition_is_disjoint_and_complete_and_cut_by_nothing() {
        let (a, b) = (set("10.0.0.0/8 2001:db8::/32"), set("10.1.0.0/16 192.168.0.0/16"));
        let parts = partition(&[&a, &b]);
        assert_eq!(parts.len(), 4);
        for (i, part) in parts.iter().enumerate() {
            assert!(parts[i + 1..].iter().all(|other| !part.meets(other)));
            assert!([&a, &b].iter().all(|set| part.is_subset(set) || !part.meets(set)));
        }
        assert_eq!(parts.iter().fold(IpSet::none(), |all, part| all.union(part)), IpSet::all());
    }

    #[test]
    fn the_example_is_a_member() {
        assert_eq!(set("10.0.0.0/8").example().unwrap().to_string(), "10.0.0.0");
        assert_eq!(set("2001:db8::/32").example().unwrap().to_string(), "2001:db8::");
        assert_eq!(IpSet::none().example(), None);
    }
}
