//! What was told before: since when an object differs, and whether that was read twice.
//!
//! A check that goes on sees the same difference again and again. What counts is when it begins and when it ends.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::change::Severity;
use super::changeset::ChangeSet;
use super::kind::{Gvk, ObjectRef};

/// The objects that differ, as they were last seen.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    known: BTreeMap<ObjectRef, Known>,
}

#[derive(Debug, Clone)]
struct Known {
    since: Timestamp,
    /// Whether it was told.
    confirmed: bool,
    severity: Severity,
    tenant: Option<String>,
}

/// That a difference began to count, or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// Which of the two.
    pub change: Change,
    /// The object.
    pub object: ObjectRef,
    /// The tenant whose unit it belongs to; none for the system unit.
    pub tenant: Option<String>,
    /// How much the worst of its differences matters, or mattered.
    pub severity: Severity,
    /// What its worst difference does, with the field; empty if it ended.
    pub effect: String,
    /// When the object was first seen to differ.
    pub since: Timestamp,
}

/// What became of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It counts from now on, or is worse than before.
    Detected,
    /// It is over.
    Resolved,
}

impl Tracker {
    /// Whether an object was told to differ already.
    pub fn is_confirmed(&self, object: &ObjectRef) -> bool {
        self.known.get(object).is_some_and(|known| known.confirmed)
    }

    /// When an object was first seen to differ.
    pub fn since(&self, object: &ObjectRef) -> Option<Timestamp> {
        self.known.get(object).map(|known| known.since)
    }

    /// Notes since when the items of a set differ, and what began to count and what ended with it.
    ///
    /// What cannot be read any more has not ended: it stays as it was.
    pub fn observe(&mut self, set: &mut ChangeSet, now: Timestamp) -> Vec<Transition> {
        let mut transitions = Vec::new();
        let mut seen: BTreeMap<ObjectRef, Known> = BTreeMap::new();
        let unread = |gvk: &Gvk| set.coverage.iter().any(|kind| kind.kind == *gvk && kind.gap.is_some());
        let all_unknown = !set.problems.is_empty();
        let mut counted = BTreeSet::new();
        for item in set.items.iter_mut() {
            item.since = Some(self.since(&item.object).unwrap_or(now));
            if item.exemption.is_some() || item.severity == Severity::Info {
                continue;
            }
            let known = seen.entry(item.object.clone()).or_insert_with(|| Known {
                since: self.since(&item.object).unwrap_or(now),
                confirmed: self.is_confirmed(&item.object),
                severity: item.severity,
                tenant: item.tenant.clone(),
            });
            known.severity = known.severity.max(item.severity);
            // The worst of an object comes first, so its first that counts says how bad it is.
            if item.pending.is_some() || !counted.insert(item.object.clone()) {
                continue;
            }
            let before = self.known.get(&item.object).filter(|before| before.confirmed);
            known.confirmed = true;
            if before.is_none_or(|before| before.severity < item.severity) {
                let at = if item.path.is_empty() { String::new() } else { format!("{}: ", item.path) };
                transitions.push(Transition {
                    change: Change::Detected,
                    object: item.object.clone(),
                    tenant: item.tenant.clone(),
                    severity: item.severity,
                    effect: format!("{at}{}", item.effect),
                    since: known.since,
                });
            }
        }
        for (object, known) in std::mem::take(&mut self.known) {
            if seen.contains_key(&object) {
                continue;
            }
            if all_unknown || unread(&object.gvk) {
                seen.insert(object, known);
            } else if known.confirmed {
                transitions.push(Transition {
                    change: Change::Resolved,
                    object,
                    tenant: known.tenant,
                    severity: known.severity,
                    effect: String::new(),
                    since: known.since,
                });
            }
        }
        self.known = seen;
        transitions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::change::{Class, Item, Pending, Verdict};
    use crate::drift::changeset::{Coverage, Gap};

    fn item(name: &str, severity: Severity, pending: Option<Pending>) -> Item {
        Item {
            object: ObjectRef { gvk: Gvk::new("v1", "Service"), namespace: None, name: name.to_owned() },
            tenant: Some("acme".to_owned()),
            path: "spec.type".to_owned(),
            pointer: None,
            verdict: Verdict::Changed,
            class: Class::Widening,
            severity,
            expected: None,
            found: None,
            effect: "e".to_owned(),
            place: None,
            writer: None,
            exemption: None,
            pending,
            since: None,
        }
    }

    fn set(items: Vec<Item>, gap: Option<Gap>) -> ChangeSet {
        ChangeSet {
            items,
            coverage: vec![Coverage { kind: Gvk::new("v1", "Service"), declared: 1, live: 1, gap }],
            problems: Vec::new(),
            skipped: Vec::new(),
            exemptions: Vec::new(),
            tenants: BTreeMap::new(),
            objects: 1,
        }
    }

    fn told(tracker: &mut Tracker, mut set: ChangeSet, second: i64) -> Vec<(Change, String)> {
        let transitions = tracker.observe(&mut set, Timestamp::from_second(second).unwrap());
        transitions.into_iter().map(|transition| (transition.change, transition.object.name)).collect()
    }

    #[test]
    fn a_difference_is_told_once_when_it_counts_and_once_when_it_ends() {
        let (mut tracker, high) = (Tracker::default(), Severity::High);
        let settling = || set(vec![item("a", high, Some(Pending::Settling))], None);
        assert_eq!(told(&mut tracker, settling(), 1), []);
        let both = || set(vec![item("a", high, None), item("a", Severity::Low, None)], None);
        assert_eq!(told(&mut tracker, both(), 3), [(Change::Detected, "a".to_owned())]);
        assert_eq!(told(&mut tracker, both(), 4), []);
        let mut again = both();
        tracker.observe(&mut again, Timestamp::from_second(5).unwrap());
        assert_eq!(again.items[0].since, Timestamp::from_second(1).ok());
        assert_eq!(told(&mut tracker, set(Vec::new(), None), 6), [(Change::Resolved, "a".to_owned())]);
        assert_eq!(told(&mut tracker, set(Vec::new(), None), 7), []);
    }

    #[test]
    fn what_gets_worse_is_told_again_and_what_passes_by_never() {
        let mut tracker = Tracker::default();
        told(&mut tracker, set(vec![item("a", Severity::Low, None)], None), 1);
        let worse = set(vec![item("a", Severity::Critical, None)], None);
        assert_eq!(told(&mut tracker, worse, 2), [(Change::Detected, "a".to_owned())]);
        let brief =
            set(vec![item("a", Severity::Critical, None), item("b", Severity::High, Some(Pending::Settling))], None);
        assert_eq!(told(&mut tracker, brief, 3), []);
        assert_eq!(told(&mut tracker, set(vec![item("a", Severity::Critical, None)], None), 4), []);
        let info = set(vec![item("a", Severity::Info, None)], None);
        assert_eq!(told(&mut tracker, info, 5), [(Change::Resolved, "a".to_owned())]);
    }

    #[test]
    fn what_cannot_be_read_has_not_ended() {
        let mut tracker = Tracker::default();
        told(&mut tracker, set(vec![item("a", Severity::High, None)], None), 1);
        assert_eq!(told(&mut tracker, set(Vec::new(), Some(Gap::Failed("x".into()))), 2), []);
        assert_eq!(told(&mut tracker, set(vec![item("a", Severity::High, None)], None), 3), []);
        assert_eq!(told(&mut tracker, set(Vec::new(), None), 4), [(Change::Resolved, "a".to_owned())]);
    }
}
