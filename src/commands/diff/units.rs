//! Compares two sides unit by unit, on all cores, without ever holding a whole fleet.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::access::{self, Half};
use super::expand::{Expander, Releases};
use super::side::{Side, naming};
use crate::check::network::documents;
use crate::diff::{self, Comparison, Folder, Kinds, Lone, Moved, Naming, UnitChange, tenant_id};
use crate::finding::Finding;
use crate::manifest::Digest;
use crate::render::RenderedUnit;

/// What came of a comparison.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The changes inside of units.
    pub folder: Folder,
    /// Units that come, go or move.
    pub units: Vec<UnitChange>,
    /// Units that both sides have.
    pub common: usize,
    /// Units that both sides have and in which nothing differs.
    pub same: usize,
    /// Units whose network differs: their path, and what tells the same difference from another.
    pub network: BTreeMap<String, Digest>,
    /// Releases that change, where they are to be expanded.
    pub releases: Releases,
    /// What cannot be told of who may read which Secret.
    pub doubts: Vec<String>,
    /// What is wrong with a side before.
    pub before: Vec<Finding>,
    /// What is wrong with a side after.
    pub after: Vec<Finding>,
}

/// What came of a part of it.
#[derive(Default)]
struct Part {
    outcome: Outcome,
    gone: Vec<Single>,
    come: Vec<Single>,
}

/// A unit that one side has.
struct Single {
    number: u32,
    path: String,
    tenant: Option<String>,
    id: Option<String>,
    objects: usize,
    /// Its releases, where they are expanded.
    releases: Releases,
}

/// What a comparison looks at.
struct Look<'a> {
    before: &'a dyn Side,
    after: &'a dyn Side,
    kinds: &'a Kinds,
    expander: Option<&'a Expander<'a>>,
}

/// Compares two sides. With an `expander`, what Helm makes of the releases that change as well.
pub fn compare(before: &dyn Side, after: &dyn Side, kinds: &Kinds, expander: Option<&Expander<'_>>) -> Outcome {
    let look = Look { before, after, kinds, expander };
    let mut paths: Vec<&str> = before.paths().into_iter().chain(after.paths()).collect();
    paths.sort_unstable();
    paths.dedup();
    let take = |mut part: Part, (number, path): (usize, &&str)| {
        one(&look, u32::try_from(number).unwrap_or(u32::MAX), path, &mut part);
        part
    };
    let join = |mut one: Part, other: Part| {
        one.outcome.folder = std::mem::take(&mut one.outcome.folder).join(other.outcome.folder);
        one.outcome.releases = std::mem::take(&mut one.outcome.releases).join(other.outcome.releases);
        one.outcome.common += other.outcome.common;
        one.outcome.same += other.outcome.same;
        one.outcome.network.extend(other.outcome.network);
        one.outcome.doubts.extend(other.outcome.doubts);
        one.outcome.before.extend(other.outcome.before);
        one.outcome.after.extend(other.outcome.after);
        one.gone.extend(other.gone);
        one.come.extend(other.come);
        one
    };
    let mut part = paths.par_iter().enumerate().fold(Part::default, take).reduce(Part::default, join);
    singles(&look, &mut part);
    let mut outcome = part.outcome;
    outcome.units.sort();
    outcome.doubts.sort();
    outcome.before.sort();
    outcome.after.sort();
    outcome
}

fn one(look: &Look<'_>, number: u32, path: &str, part: &mut Part) {
    let (before, after) = (look.before, look.after);
    let same_text = before.text(path).is_some_and(|text| after.text(path) == Some(text));
    let same = same_text || before.inputs(path).is_some_and(|inputs| after.inputs(path) == Some(inputs));
    // Another chart makes other workloads of the same release.
    if same && !look.expander.is_some_and(|expander| expander.charts.differ()) {
        part.outcome.common += 1;
        part.outcome.same += 1;
        return;
    }
    let old = before.unit(path).unwrap_or_else(|found| note(&mut part.outcome.before, found));
    let new = after.unit(path).unwrap_or_else(|found| note(&mut part.outcome.after, found));
    match (old, new) {
        (Some(old), Some(new)) => {
            part.outcome.common += 1;
            let names = (naming(&old, tenant_id(&old)), naming(&new, tenant_id(&new)));
            pair(look, number, (&old, &names.0), (&new, &names.1), &mut part.outcome);
        }
        (Some(old), None) => {
            let names = naming(&old, tenant_id(&old));
            network((Some(&old), None), &names, path, &mut part.outcome);
            access(number, Some((&old, &names)), None, &mut part.outcome);
            let releases = lone_releases(look, number, Some((&old, &names)), None);
            part.gone.push(Single { releases, ..single(number, path, &old) });
        }
        (None, Some(new)) => {
            let names = naming(&new, tenant_id(&new));
            network((None, Some(&new)), &names, path, &mut part.outcome);
            access(number, None, Some((&new, &names)), &mut part.outcome);
            let releases = lone_releases(look, number, None, Some((&new, &names)));
            part.come.push(Single { releases, ..single(number, path, &new) });
        }
        (None, None) => {}
    }
}

/// Notes what the change does to who may read which Secret.
fn access(number: u32, before: Half<'_>, after: Half<'_>, outcome: &mut Outcome) {
    let (changes, doubts) = access::of_unit(before, after);
    outcome.doubts.extend(doubts);
    if let Some((_, naming)) = after.or(before) {
        outcome.folder.take_access(number, naming, changes);
    }
}

fn note(findings: &mut Vec<Finding>, found: Vec<Finding>) -> Option<RenderedUnit> {
    findings.extend(found);
    None
}

fn pair(
    look: &Look<'_>,
    number: u32,
    before: (&RenderedUnit, &Naming),
    after: (&RenderedUnit, &Naming),
    outcome: &mut Outcome,
) {
    let mut comparison = diff::compare(before, after, look.kinds);
    let same = comparison.changes.is_empty();
    releases(look, number, before, after, &mut comparison, outcome);
    if same {
        outcome.same += 1;
        return;
    }
    access(number, Some(before), Some(after), outcome);
    network((Some(before.0), Some(after.0)), after.1, &after.0.path, outcome);
    outcome.folder.take(number, comparison);
}

/// Notes the releases that change, where they are expanded: then their workloads tell which pods restart, and not they.
fn releases(
    look: &Look<'_>,
    number: u32,
    before: (&RenderedUnit, &Naming),
    after: (&RenderedUnit, &Naming),
    comparison: &mut Comparison,
    outcome: &mut Outcome,
) {
    let Some(expander) = look.expander else { return };
    let found = expander.note(Some(before), Some(after), number, comparison.changes.is_empty());
    if found.is_whole() {
        comparison.changes.iter_mut().for_each(|change| change.is_expanded());
    }
    outcome.releases = std::mem::take(&mut outcome.releases).join(found);
}

/// The releases of a unit that one side has: all that Helm makes of them comes or goes.
fn lone_releases(look: &Look<'_>, number: u32, before: Half<'_>, after: Half<'_>) -> Releases {
    look.expander.map(|expander| expander.note(before, after, number, false)).unwrap_or_default()
}

/// Notes whether, and in which way, what matters to the network differs.
fn network(
    (before, after): (Option<&RenderedUnit>, Option<&RenderedUnit>),
    names: &Naming,
    path: &str,
    outcome: &mut Outcome,
) {
    let text = |unit: Option<&RenderedUnit>, wanted: &dyn Fn(&str) -> bool| {
        let all = unit.map(|unit| documents(unit, wanted)).unwrap_or_default();
        names.hide(&serde_json::to_string(&all).unwrap_or_default()).into_owned()
    };
    if let (Some(one), Some(other)) = (before, after) {
        // Most changes are in files of which the network hears nothing, or the same.
        let differs = |name: &str| one.differs_in(other, name);
        if text(before, &differs) == text(after, &differs) {
            return;
        }
    }
    let (old, new) = (text(before, &|_| true), text(after, &|_| true));
    if old != new {
        outcome.network.insert(path.to_owned(), Digest::of_parts([old.as_bytes(), new.as_bytes()]));
    }
}

fn single(number: u32, path: &str, unit: &RenderedUnit) -> Single {
    let objects = unit.files.values().map(|content| content.identities().len()).sum();
    let (path, tenant, releases) = (path.to_owned(), unit.tenant.clone(), Releases::default());
    Single { number, path, tenant, id: tenant_id(unit), objects, releases }
}

fn lone(one: &Single) -> Lone<'_> {
    (&one.path, one.tenant.as_deref(), one.id.as_deref())
}

/// Units that only one side has: a tenant that moved is one, and compared with what it was.
fn singles(look: &Look<'_>, part: &mut Part) {
    let (mut gone, mut come) = (std::mem::take(&mut part.gone), std::mem::take(&mut part.come));
    let (old, new): (Vec<Lone<'_>>, Vec<Lone<'_>>) = (gone.iter().map(lone).collect(), come.iter().map(lone).collect());
    let moves = diff::joined(&old, &new);
    let moved: BTreeSet<u32> = moves.iter().flat_map(|(i, j, _)| [gone[*i].number, come[*j].number]).collect();
    part.outcome.folder.forget_access(&moved);
    for one in gone.iter_mut().chain(&mut come).filter(|one| !moved.contains(&one.number)) {
        let (known, own) = (std::mem::take(&mut part.outcome.releases), std::mem::take(&mut one.releases));
        part.outcome.releases = known.join(own);
    }
    for (i, j, action) in &moves {
        let (from, to) = (&gone[*i], &come[*j]);
        part.outcome.units.push(UnitChange {
            action: *action,
            tenant: to.tenant.clone(),
            path: to.path.clone(),
            from: Some(from.path.clone()),
            objects: to.objects,
            made: None,
        });
        if let (Ok(Some(old)), Ok(Some(new))) = (look.before.unit(&from.path), look.after.unit(&to.path)) {
            let names = (naming(&old, from.id.clone()), naming(&new, to.id.clone()));
            let mut comparison = diff::compare((&old, &names.0), (&new, &names.1), look.kinds);
            access(to.number, Some((&old, &names.0)), Some((&new, &names.1)), &mut part.outcome);
            let sides = ((&old, &names.0), (&new, &names.1));
            releases(look, to.number, sides.0, sides.1, &mut comparison, &mut part.outcome);
            part.outcome.folder.take(to.number, comparison);
        }
    }
    let rest = |list: &[Single], moved: &dyn Fn(usize) -> bool, action| -> Vec<UnitChange> {
        let lone = list.iter().enumerate().filter(|(at, _)| !moved(*at));
        lone.map(|(_, one)| UnitChange {
            action,
            tenant: one.tenant.clone(),
            path: one.path.clone(),
            from: None,
            objects: one.objects,
            made: None,
        })
        .collect()
    };
    part.outcome.units.extend(rest(&gone, &|at| moves.iter().any(|(i, ..)| *i == at), Moved::Removed));
    part.outcome.units.extend(rest(&come, &|at| moves.iter().any(|(_, j, _)| *j == at), Moved::Added));
}
