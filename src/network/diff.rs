//! What changed between two sets of manifests.

use std::cmp::Ordering;

use serde::Serialize;

use super::connections::Connection;

/// A pair whose connections are not the same in both sets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// How.
    #[serde(rename = "diffType")]
    pub kind: ChangeKind,
    /// The source.
    pub source: String,
    /// The destination.
    pub destination: String,
    /// What flowed before; `No Connections` for added pairs.
    pub before: String,
    /// What flows after; `No Connections` for removed pairs.
    pub after: String,
}

/// How a pair changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// Something flows in both sets, but not the same.
    Changed,
    /// Something flows in the second set only.
    Added,
    /// Something flows in the first set only.
    Removed,
}

impl ChangeKind {
    /// The word that reports use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }
}

/// Compares two sorted lists of connections, as [`super::connections`] gives them: changed pairs first, then added, then
/// removed ones.
#[must_use]
pub fn diff(before: &[Connection], after: &[Connection]) -> Vec<Change> {
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    let mut changes = Vec::new();
    let mut push = |kind, pair: &Connection, before: &str, after: &str| {
        let (source, destination) = (pair.src.clone(), pair.dst.clone());
        changes.push(Change { kind, source, destination, before: before.to_owned(), after: after.to_owned() });
    };
    let none = "No Connections";
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => (&a.src, &a.dst).cmp(&(&b.src, &b.dst)),
        };
        match order {
            Ordering::Less => {
                if let Some(gone) = old.next() {
                    push(ChangeKind::Removed, gone, &gone.conn, none);
                }
            }
            Ordering::Greater => {
                if let Some(come) = new.next() {
                    push(ChangeKind::Added, come, none, &come.conn);
                }
            }
            Ordering::Equal => {
                if let (Some(a), Some(b)) = (old.next(), new.next())
                    && a.conn != b.conn
                {
                    push(ChangeKind::Changed, a, &a.conn, &b.conn);
                }
            }
        }
    }
    changes.sort_by_key(|change| change.kind);
    changes
}

#[cfg(test)]
mod tests {
    use super::super::ports::{PortSet, Protocol};
    use super::*;

    fn connection(src: &str, dst: &str, port: u16) -> Connection {
        let flow = PortSet::one(Protocol::Tcp, port);
        Connection { src: src.to_owned(), dst: dst.to_owned(), conn: flow.to_string(), flow }
    }

    #[test]
    fn pairs_are_changed_added_or_removed() {
        let before = [connection("a", "b", 80), connection("a", "c", 80), connection("b", "a", 1)];
        let after = [connection("a", "b", 81), connection("b", "a", 1), connection("c", "a", 9)];
        let found: Vec<String> = diff(&before, &after)
            .iter()
            .map(|one| format!("{} {} {} {} {}", one.kind.name(), one.source, one.destination, one.before, one.after))
            .collect();
        assert_eq!(
            found,
            ["changed a b TCP 80 TCP 81", "added c a No Connections TCP 9", "removed a c TCP 80 No Connections"]
        );
    }

    #[test]
    fn equal_lists_have_no_difference_and_swapping_swaps() {
        let (before, after) = (vec![connection("a", "b", 80)], vec![connection("b", "a", 80)]);
        assert!(diff(&before, &before).is_empty());
        assert_eq!(diff(&before, &after).len(), 2);
        assert_eq!(diff(&after, &before)[0].source, "a");
    }
}
