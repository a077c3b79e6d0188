//! Folds the changes of many units: each distinct change once, with the units that it happens to.

use std::collections::{BTreeSet, HashMap};

use super::access::AccessChange;
use super::change::{Action, Change, Direction};
use super::naming::{self, Naming};
use super::unit::Comparison;
use crate::drift::change::Severity;

/// Changes with the numbers of the units that they happen to.
#[derive(Debug, Default)]
pub struct Folder {
    changes: HashMap<Change, Vec<u32>>,
    access: HashMap<AccessChange, Vec<u32>>,
    units: HashMap<u32, Naming>,
}

/// A unit that changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitRef {
    /// Its cluster.
    pub cluster: String,
    /// Its tenant; none for a control plane.
    pub tenant: Option<String>,
}

/// A change, with its own names where it happens to one unit only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    /// The change, as it is to be shown.
    pub change: Change,
    /// The units, sorted.
    pub units: Vec<UnitRef>,
}

/// Access that comes or goes, with its own names where it happens in one unit only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldedAccess {
    /// The access, as it is to be shown.
    pub change: AccessChange,
    /// The units, sorted.
    pub units: Vec<UnitRef>,
}

/// Everything that was folded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Of fields and objects, the worst first.
    pub fields: Vec<Folded>,
    /// Of access, what comes first.
    pub access: Vec<FoldedAccess>,
}

/// What a list of changes amounts to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Objects that are deleted, renamed ones included.
    pub deleted: usize,
    /// Fields and objects that open something.
    pub opens: usize,
    /// Fields and objects that close something.
    pub closes: usize,
    /// Units whose pods restart, as far as the manifests tell.
    pub restarts: BTreeSet<UnitRef>,
}

impl Folder {
    /// Takes what differs in a unit; units are numbered in the order in which they are to be listed.
    pub fn take(&mut self, number: u32, comparison: Comparison) {
        if comparison.changes.is_empty() {
            return;
        }
        for change in comparison.changes {
            self.changes.entry(change).or_default().push(number);
        }
        self.units.insert(number, comparison.naming);
    }

    /// Takes changes that happen alike to several units.
    pub fn take_alike(&mut self, units: &[(u32, &Naming)], changes: Vec<Change>) {
        for (number, naming) in units.iter().filter(|_| !changes.is_empty()) {
            self.units.entry(*number).or_insert_with(|| (*naming).clone());
        }
        for change in changes {
            self.changes.entry(change).or_default().extend(units.iter().map(|(number, _)| *number));
        }
    }

    /// Takes the access that comes and goes in a unit.
    pub fn take_access(&mut self, number: u32, naming: &Naming, changes: Vec<AccessChange>) {
        if changes.is_empty() {
            return;
        }
        for change in changes {
            self.access.entry(change).or_default().push(number);
        }
        self.units.entry(number).or_insert_with(|| naming.clone());
    }

    /// Forgets the access that came and went in units, which turned out to be others that moved.
    pub fn forget_access(&mut self, numbers: &BTreeSet<u32>) {
        self.access.retain(|_, units| {
            units.retain(|number| !numbers.contains(number));
            !units.is_empty()
        });
    }

    /// Both together.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        if self.changes.len() + self.access.len() < other.changes.len() + other.access.len() {
            return other.join(self);
        }
        for (change, units) in other.changes {
            self.changes.entry(change).or_default().extend(units);
        }
        for (change, units) in other.access {
            self.access.entry(change).or_default().extend(units);
        }
        self.units.extend(other.units);
        self
    }

    /// The numbers of the units in which something differs.
    pub fn units(&self) -> BTreeSet<u32> {
        self.units.keys().copied().collect()
    }

    /// The changes, the worst first.
    pub fn finish(self) -> Changes {
        let Self { changes, access, units } = self;
        let of = |mut numbers: Vec<u32>| -> (Vec<&Naming>, Vec<UnitRef>) {
            numbers.sort_unstable();
            numbers.dedup();
            let namings: Vec<&Naming> = numbers.iter().filter_map(|number| units.get(number)).collect();
            let refs =
                namings.iter().map(|naming| UnitRef { cluster: naming.cluster.clone(), tenant: naming.slug.clone() });
            let refs = refs.collect();
            (namings, refs)
        };
        let mut fields: Vec<Folded> = Vec::with_capacity(changes.len());
        for (change, numbers) in changes {
            let (namings, units) = of(numbers);
            fields.push(Folded { change: named(change, &namings), units });
        }
        fields.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.change.cmp(&b.change)).then(a.units.cmp(&b.units)));
        // What somebody may do to several Secrets of a namespace, in the same units, is one entry.
        let mut alike: HashMap<(AccessChange, Vec<u32>), Vec<String>> = HashMap::new();
        for (mut change, mut numbers) in access {
            numbers.sort_unstable();
            numbers.dedup();
            let names = std::mem::take(&mut change.names);
            let every = names.is_empty();
            let entry = alike.entry((change, numbers)).or_default();
            if every {
                entry.clear();
            }
            entry.extend(names);
        }
        let mut folded: Vec<FoldedAccess> = Vec::with_capacity(alike.len());
        for ((change, numbers), mut names) in alike {
            names.sort();
            let (namings, units) = of(numbers);
            folded.push(FoldedAccess { change: named_access(AccessChange { names, ..change }, &namings), units });
        }
        folded.sort_by(|a, b| {
            let order = |one: &FoldedAccess| (one.change.action, std::cmp::Reverse(one.change.act), one.change.inner);
            order(a).cmp(&order(b)).then_with(|| a.change.cmp(&b.change)).then_with(|| a.units.cmp(&b.units))
        });
        Changes { fields, access: folded }
    }
}

/// Deletions, then what opens, what closes, what restarts pods, the rest; in each the worst and the most frequent first.
fn rank(one: &Folded) -> (Sort, std::cmp::Reverse<Severity>, std::cmp::Reverse<usize>) {
    (Sort::of(&one.change), std::cmp::Reverse(one.change.severity), std::cmp::Reverse(one.units.len()))
}

/// Under which heading a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// An object goes.
    Deletes,
    /// It opens something.
    Opens,
    /// It closes something.
    Closes,
    /// It restarts pods.
    Restarts,
    /// Anything else.
    Other,
}

impl Sort {
    /// The heading of a change.
    pub fn of(change: &Change) -> Self {
        let goes = change.path.is_empty() && matches!(change.action, Action::Removed | Action::Renamed);
        match change.direction {
            _ if goes => Self::Deletes,
            Direction::Opens => Self::Opens,
            Direction::Closes => Self::Closes,
            Direction::Neutral if change.restarts => Self::Restarts,
            Direction::Neutral => Self::Other,
        }
    }
}

/// Puts the names back that several units have in common.
fn shower(units: &[&Naming]) -> impl Fn(&str) -> String + use<> {
    let same_cluster = units.windows(2).all(|pair| pair[0].cluster == pair[1].cluster);
    let common = match units {
        [one] => (*one).clone(),
        [one, ..] if same_cluster => Naming { cluster: one.cluster.clone(), ..Naming::default() },
        _ => Naming::default(),
    };
    move |text| if common == Naming::default() { naming::general(text) } else { common.show(text) }
}

/// With own names where there is one unit, with `<slug>` where there are several.
fn named_access(change: AccessChange, units: &[&Naming]) -> AccessChange {
    let show = shower(units);
    AccessChange {
        subject: show(&change.subject),
        namespace: change.namespace.as_deref().map(&show),
        names: change.names.iter().map(|name| show(name)).collect(),
        ..change
    }
}

/// With own names where there is one unit, with `<slug>` where there are several.
fn named(change: Change, units: &[&Naming]) -> Change {
    let show = shower(units);
    let show = &show;
    let id = |mut id: crate::manifest::ObjectId| {
        id.namespace = id.namespace.as_deref().map(show);
        id.name = show(&id.name);
        id
    };
    Change {
        object: id(change.object),
        renamed_to: change.renamed_to.map(id),
        path: show(&change.path),
        effect: show(&change.effect),
        before: change.before.as_deref().map(show),
        after: change.after.as_deref().map(show),
        made_by: change.made_by.as_deref().map(show),
        ..change
    }
}

/// What a list of changes amounts to.
pub fn summary(changes: &[Folded]) -> Summary {
    let mut summary = Summary::default();
    for Folded { change, units } in changes {
        let count = units.len();
        match change.direction {
            Direction::Opens => summary.opens += count,
            Direction::Closes => summary.closes += count,
            Direction::Neutral => {}
        }
        if Sort::of(change) == Sort::Deletes {
            summary.deleted += count;
        }
        if change.restarts {
            summary.restarts.extend(units.iter().cloned());
        }
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::super::change::Area;
    use super::*;
    use crate::manifest::ObjectId;

    fn change(path: &str, direction: Direction, action: Action) -> Change {
        Change {
            object: ObjectId::namespaced("v1", "X", "tenant-\u{E010}", "n"),
            renamed_to: None,
            path: path.into(),
            action,
            direction,
            area: Area::Other,
            severity: Severity::Medium,
            effect: String::new(),
            restarts: false,
            before: None,
            after: None,
            full: None,
            made_by: None,
        }
    }

    fn naming(slug: &str) -> Naming {
        Naming { slug: Some(slug.into()), id: None, cluster: "eu".into() }
    }

    #[test]
    fn equal_changes_are_one_entry_with_all_units_and_the_worst_come_first() {
        let mut one = Folder::default();
        let open = change("a", Direction::Opens, Action::Changed);
        let gone = change("", Direction::Neutral, Action::Removed);
        one.take(2, Comparison { naming: naming("oak"), changes: vec![open.clone()] });
        let mut other = Folder::default();
        other.take(1, Comparison { naming: naming("acme"), changes: vec![open, gone] });
        other.take(3, Comparison { naming: naming("elm"), changes: vec![] });
        let folded = one.join(other).finish().fields;
        let told: Vec<(String, Vec<Option<&str>>)> = folded
            .iter()
            .map(|one| (one.change.object.to_string(), one.units.iter().map(|unit| unit.tenant.as_deref()).collect()))
            .collect();
        assert_eq!(
            told,
            [
                ("X tenant-acme/n".to_owned(), vec![Some("acme")]),
                ("X tenant-<slug>/n".to_owned(), vec![Some("acme"), Some("oak")])
            ]
        );
        let counted = summary(&folded);
        assert_eq!((counted.deleted, counted.opens, counted.closes), (1, 2, 0));
    }
}
