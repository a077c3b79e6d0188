//! What a change does to who may talk to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use schemars::JsonSchema;
use serde::Serialize;

use crate::network::{self, Connection};

/// How a pair of ends changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FlowChange {
    /// Something may flow that could not.
    Added,
    /// Other ports than before.
    Changed,
    /// Nothing may flow any more.
    Removed,
}

/// A pair of ends between which other traffic may flow than before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    /// How it changes.
    pub change: FlowChange,
    /// The cluster.
    pub cluster: String,
    /// The source.
    pub source: String,
    /// The destination.
    pub destination: String,
    /// What flowed; none if nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What flows; none if nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Tenants whose change is the same, that of the ends left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<String>,
}

/// The pairs that change between two sorted lists of connections. `alike` gives the tenants that stand behind a
/// representative, by its namespace.
pub fn flows(
    cluster: &str,
    before: &[Connection],
    after: &[Connection],
    alike: &BTreeMap<String, Vec<String>>,
) -> Vec<Flow> {
    let namespace = |end: &str| end.split_once('/').map(|(namespace, _)| namespace.to_owned());
    let others = |ends: [&str; 2]| ends.iter().find_map(|end| alike.get(&namespace(end)?)).cloned().unwrap_or_default();
    let flow = |source: String, destination: String, before: Option<String>, after: Option<String>| Flow {
        alike: others([&source, &destination]),
        cluster: cluster.to_owned(),
        change: match (&before, &after) {
            (None, _) => FlowChange::Added,
            (_, None) => FlowChange::Removed,
            _ => FlowChange::Changed,
        },
        before,
        after,
        source,
        destination,
    };
    let (mut old, of_old) = by_peer(before);
    let (new, of_new) = by_peer(after);
    let mut flows = Vec::new();
    for change in network::diff(&of_old, &of_new) {
        let old = (change.kind != network::ChangeKind::Added).then_some(change.before);
        let new = (change.kind != network::ChangeKind::Removed).then_some(change.after);
        flows.push(flow(change.source, change.destination, old, new));
    }
    for peer in new.keys() {
        old.entry(peer.clone()).or_default();
    }
    let none = Vec::new();
    for (peer, ranges) in &old {
        for piece in pieces(ranges, new.get(peer).unwrap_or(&none)) {
            let range = shown(peer.v6, piece.first, piece.last);
            let ends = if peer.is_destination { (range, peer.name.clone()) } else { (peer.name.clone(), range) };
            flows.push(flow(ends.0, ends.1, piece.before, piece.after));
        }
    }
    flows.sort();
    flows
}

/// An end that has ranges of addresses of one family at its other side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Peer {
    name: String,
    is_destination: bool,
    v6: bool,
}

/// First and last address, and what flows.
type Range = (u128, u128, String);

/// The connections with ranges of addresses, by their other end, and those without. Ranges are compared apart from the
/// others: a change of one splits its neighbours anew, which is no change of theirs.
fn by_peer(connections: &[Connection]) -> (BTreeMap<Peer, Vec<Range>>, Vec<Connection>) {
    let (mut ranges, mut rest) = (BTreeMap::<Peer, Vec<Range>>::new(), Vec::new());
    for one in connections {
        let (found, name, is_destination) = match (range(&one.src), range(&one.dst)) {
            (Some(found), None) => (found, &one.dst, true),
            (None, Some(found)) => (found, &one.src, false),
            _ => {
                rest.push(one.clone());
                continue;
            }
        };
        let (v6, first, last) = found;
        let peer = Peer { name: name.clone(), is_destination, v6 };
        ranges.entry(peer).or_default().push((first, last, one.conn.clone()));
    }
    (ranges, rest)
}

/// `192.0.2.0-192.0.2.255`: whether it is IPv6, first and last.
fn range(end: &str) -> Option<(bool, u128, u128)> {
    let (first, last) = end.split_once('-')?;
    match (first.parse().ok()?, last.parse().ok()?) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Some((false, first.to_bits().into(), last.to_bits().into())),
        (IpAddr::V6(first), IpAddr::V6(last)) => Some((true, first.to_bits(), last.to_bits())),
        _ => None,
    }
}

fn shown(v6: bool, first: u128, last: u128) -> String {
    let address = |bits: u128| match u32::try_from(bits) {
        Ok(bits) if !v6 => Ipv4Addr::from_bits(bits).to_string(),
        _ => Ipv6Addr::from_bits(bits).to_string(),
    };
    format!("{}-{}", address(first), address(last))
}

/// Neighbouring addresses for which the same changes.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    first: u128,
    last: u128,
    before: Option<String>,
    after: Option<String>,
}

/// The addresses for which something changes, as few pieces as can be.
fn pieces(old: &[Range], new: &[Range]) -> Vec<Piece> {
    let all = || old.iter().chain(new);
    let starts: BTreeSet<u128> =
        all().flat_map(|(first, last, _)| [Some(*first), last.checked_add(1)]).flatten().collect();
    let starts: Vec<u128> = starts.into_iter().collect();
    let at = |ranges: &[Range], address: u128| {
        let found = ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&address));
        found.map(|(.., conn)| conn.clone())
    };
    let mut found: Vec<Piece> = Vec::new();
    for (number, first) in starts.iter().enumerate() {
        let (before, after) = (at(old, *first), at(new, *first));
        if before == after {
            continue;
        }
        let last = starts.get(number + 1).map_or(u128::MAX, |next| next - 1);
        match found.last_mut() {
            Some(piece)
                if piece.last.checked_add(1) == Some(*first) && piece.before == before && piece.after == after =>
            {
                piece.last = last;
            }
            _ => found.push(Piece { first: *first, last, before, after }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{PortSet, Protocol};

    fn connection(src: &str, dst: &str, ports: &[u16]) -> Connection {
        let flow = ports.iter().fold(PortSet::none(), |set, port| set.union(&PortSet::one(Protocol::Tcp, *port)));
        Connection { src: src.to_owned(), dst: dst.to_owned(), conn: flow.to_string(), flow }
    }

    fn told(before: &[Connection], after: &[Connection]) -> Vec<String> {
        let flows = flows("eu", before, after, &BTreeMap::new());
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".into());
        flows
            .iter()
            .map(|one| format!("{} {} {} {}", one.source, one.destination, side(&one.before), side(&one.after)))
            .collect()
    }

    #[test]
    fn a_range_that_is_split_anew_is_no_change_of_the_rest() {
        let edge = "soctalk-system/edge[Deployment]";
        let before = [connection("0.0.0.0-255.255.255.255", edge, &[15142])];
        let after = [
            connection("0.0.0.0-192.0.2.127", edge, &[15142]),
            connection("192.0.2.128-192.0.2.255", edge, &[15142, 15146]),
            connection("192.0.3.0-255.255.255.255", edge, &[15142]),
        ];
        assert_eq!(told(&before, &after), [format!("192.0.2.128-192.0.2.255 {edge} TCP 15142 TCP 15142,15146")]);
        assert_eq!(told(&after, &before), [format!("192.0.2.128-192.0.2.255 {edge} TCP 15142,15146 TCP 15142")]);
        assert_eq!(told(&after, &after), Vec::<String>::new());
    }

    #[test]
    fn both_directions_both_families_and_ends_without_addresses_are_told() {
        let all = "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let before = [connection("a/b[Pod]", "10.0.0.0-10.0.0.255", &[443]), connection("a/b[Pod]", "c/d[Pod]", &[80])];
        let after = [connection("a/b[Pod]", "c/d[Pod]", &[81]), connection(all, "a/b[Pod]", &[22])];
        let expected = [
            format!("{all} a/b[Pod] - TCP 22"),
            "a/b[Pod] c/d[Pod] TCP 80 TCP 81".to_owned(),
            "a/b[Pod] 10.0.0.0-10.0.0.255 TCP 443 -".to_owned(),
        ];
        assert_eq!(told(&before, &after), expected);
    }
}
