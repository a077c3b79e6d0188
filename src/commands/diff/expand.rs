//! `diff --expand`: what Helm makes of each release that changes, compared as everything else is.
//!
//! Releases that change alike but for their tenants' names are rendered once and stand for each other, so that ten thousand
//! tenants cost a few runs of Helm.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::Value;

use super::access::Half;
use super::charts::{Charts, Taken, When};
use super::release::{Release, releases};
use super::side::{Side, naming};
use crate::blame::departure;
use crate::charts::{Helm, Template};
use crate::diff::{self, Change, Kinds, Naming, tenant_id};
use crate::manifest::Digest;

/// What renders releases.
pub struct Expander<'a> {
    /// Helm.
    pub helm: Helm,
    /// A folder that it may use.
    pub home: &'a Path,
    /// The charts.
    pub charts: Charts<'a>,
}

/// Releases that change alike.
#[derive(Debug)]
pub struct Group {
    /// The unit that stands for all.
    number: u32,
    /// Its path before and after.
    paths: (String, String),
    release: String,
    /// Whether the unit comes or goes as a whole.
    whole: bool,
    /// What tells the release before from others.
    old: Digest,
    members: Vec<Member>,
}

/// A unit whose release changes in that way.
#[derive(Debug)]
pub struct Member {
    /// Its number.
    pub number: u32,
    /// Its path.
    pub path: String,
    /// Its names.
    pub naming: Naming,
    /// Whether nothing in its tree changes.
    pub same: bool,
}

/// What was found about releases while units were compared.
#[derive(Debug, Default)]
pub struct Releases {
    groups: BTreeMap<Digest, Group>,
    /// Releases whose chart is not at hand: why, and whose.
    missing: BTreeMap<String, BTreeSet<String>>,
    from_cluster: BTreeSet<String>,
}

/// Changes of the units that stand behind a release.
pub struct Expanded {
    /// The units.
    pub members: Vec<Member>,
    /// What changes in each.
    pub changes: Vec<Change>,
    /// Objects that Helm makes, where the units come or go as a whole: then only their workloads are told.
    pub whole: Option<usize>,
}

impl Releases {
    /// Whether every release is at hand that was noted.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty()
    }

    /// Both together.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        for (key, group) in other.groups {
            match self.groups.entry(key) {
                std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(group)),
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    let own = entry.get_mut();
                    if group.number < own.number {
                        (own.number, own.paths) = (group.number, group.paths);
                    }
                    own.members.extend(group.members);
                }
            }
        }
        for (why, whose) in other.missing {
            self.missing.entry(why).or_default().extend(whose);
        }
        self.from_cluster.extend(other.from_cluster);
        self
    }
}

/// The chart that was taken, and the objects that Helm made of it.
type Made = (Arc<Taken>, Vec<Value>);

impl Expander<'_> {
    /// Notes the releases of a unit that change, all of them where one side has it only.
    pub fn note(&self, before: Half<'_>, after: Half<'_>, number: u32, same: bool) -> Releases {
        let mut found = Releases::default();
        let (Some(first), Some(last)) = (before.or(after), after.or(before)) else { return found };
        let all = |half: Half<'_>| half.map(|(unit, _)| releases(unit)).unwrap_or_default();
        let (old, new) = (all(before), all(after));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let one = old.get(name).map(|release| self.print(When::Before, release, first.1));
            let other = new.get(name).map(|release| self.print(When::After, release, last.1));
            let path = &last.0.path;
            let (Some(one), Some(other)) = (settle(one, path, &mut found), settle(other, path, &mut found)) else {
                continue;
            };
            if one == other {
                continue;
            }
            let whose = new.get(name).or(old.get(name)).filter(|release| release.from_cluster);
            found.from_cluster.extend(whose.map(|release| format!("{path}/{}", release.file)));
            let group = Group {
                number,
                paths: (first.0.path.clone(), path.clone()),
                release: name.clone(),
                whole: before.is_none() || after.is_none(),
                old: one,
                members: vec![Member { number, path: path.clone(), naming: last.1.clone(), same }],
            };
            let whole = if group.whole { "whole" } else { "" };
            let parts = [one.to_string(), other.to_string(), whole.to_owned()];
            found.groups.insert(Digest::of_parts(parts.each_ref().map(String::as_bytes)), group);
        }
        found
    }

    /// What Helm makes of a release depends on this, but for the tenant's own names.
    fn print(&self, when: When, release: &Release, naming: &Naming) -> Result<Digest, String> {
        let taken = self.charts.find(when, &release.chart, &release.reference)?;
        let text = format!("{}\n{}\n{}", release.name, release.namespace, release.values);
        Ok(Digest::of_parts([naming.hide(&text).as_bytes(), taken.digest.to_string().as_bytes()]))
    }

    /// Renders the releases that change, and compares. With it what could not be told, and remarks.
    pub fn expand(
        &self,
        before: &dyn Side,
        after: &dyn Side,
        found: Releases,
        kinds: &Kinds,
    ) -> (Vec<Expanded>, Vec<String>, Vec<String>) {
        let mut incomplete: Vec<String> = found.missing.iter().map(|(why, whose)| missing(why, whose)).collect();
        let count = found.groups.len();
        // Releases that were the same before are rendered once for that side.
        let mut buckets: BTreeMap<Digest, Vec<Group>> = BTreeMap::new();
        for (_, group) in found.groups {
            buckets.entry(group.old).or_default().push(group);
        }
        let work: Vec<Vec<Group>> = buckets.into_values().collect();
        let done: Vec<(Vec<Expanded>, Vec<String>)> =
            work.into_par_iter().map(|bucket| self.bucket(before, after, bucket, kinds)).collect();
        let mut expanded = Vec::new();
        for (some, wrong) in done {
            expanded.extend(some);
            incomplete.extend(wrong);
        }
        incomplete.sort();
        let mut notes = vec![format!(
            "workloads are those that Helm {} makes; {count} kinds of releases change, and tenants whose values differ \
             in their own names only stand for each other; charts: {}",
            self.helm.version,
            self.charts.taken().join(", ")
        )];
        if !found.from_cluster.is_empty() {
            notes.push(format!(
                "values from Secrets and ConfigMaps of the cluster are not at hand, the chart's defaults stand in their place: {}",
                crate::report::diff::some(found.from_cluster.iter().map(String::as_str), 10)
            ));
        }
        (expanded, incomplete, notes)
    }

    fn bucket(
        &self,
        before: &dyn Side,
        after: &dyn Side,
        mut groups: Vec<Group>,
        kinds: &Kinds,
    ) -> (Vec<Expanded>, Vec<String>) {
        groups.sort_by_key(|group| group.number);
        let (mut expanded, mut wrong) = (Vec::new(), Vec::new());
        let mut known: Option<(Arc<Taken>, Vec<Value>)> = None;
        for group in groups {
            let old = match known.take() {
                Some(old) => Ok(Some(old)),
                None => self.render(before, When::Before, &group.paths.0, &group.release),
            };
            let new = self.render(after, When::After, &group.paths.1, &group.release);
            match (old, new) {
                (Ok(old), Ok(new)) => {
                    let name =
                        |side: &Option<(Arc<Taken>, Vec<Value>)>| side.as_ref().map(|(taken, _)| taken.name.clone());
                    let objects = |side: &Option<(Arc<Taken>, Vec<Value>)>| {
                        side.as_ref().map(|(_, objects)| objects.clone()).unwrap_or_default()
                    };
                    let made_by = made_by(name(&old), name(&new));
                    // The names are hidden already.
                    let none = Naming::default();
                    let (before, after) = (objects(&old), objects(&new));
                    let mut changes = diff::compare_made((&before, &none), (&after, &none), &made_by, kinds);
                    let whole = group.whole.then_some(before.len() + after.len());
                    if whole.is_some() {
                        changes.retain(Change::is_of_workload);
                    }
                    expanded.push(Expanded { members: group.members, changes, whole });
                    known = old;
                }
                (old, new) => wrong
                    .extend([old.err(), new.err()].into_iter().flatten().map(|why| of_members(&why, &group.members))),
            }
        }
        (expanded, wrong)
    }

    /// What Helm makes of a unit's release, without the unit's own names; nothing if it has no such release.
    fn render(&self, side: &dyn Side, when: When, path: &str, name: &str) -> Result<Option<Made>, String> {
        let unit = side.unit(path).map_err(|found| found.first().map(|one| one.message.clone()).unwrap_or_default())?;
        let Some(unit) = unit else { return Ok(None) };
        let naming = naming(&unit, tenant_id(&unit));
        let Some(release) = releases(&unit).remove(name) else { return Ok(None) };
        let taken = self.charts.find(when, &release.chart, &release.reference)?;
        let what = Template {
            chart: &taken.archive,
            release: &release.name,
            namespace: &release.namespace,
            values: &release.values,
        };
        let objects = self.helm.template(what, self.home).map_err(|why| {
            let file = format!("{path}/{}", release.file);
            let decided =
                side.source().map(|source| departure::locate(source, &file, &["values", "chart"], "/tenant/slug"));
            let decided = decided.map(|place| format!(", decided by {place}")).unwrap_or_default();
            format!("{file}:{}{decided}: Helm refuses {} {} the change: {why}", release.line, taken.name, when.as_str())
        })?;
        Ok(Some((taken, objects.into_iter().map(|object| hidden(object, &naming)).collect())))
    }
}

/// The print of a side; a release that is not there has one too. `None` if its chart is not at hand.
fn settle(print: Option<Result<Digest, String>>, path: &str, found: &mut Releases) -> Option<Digest> {
    match print {
        None => Some(Digest::of(b"")),
        Some(Ok(digest)) => Some(digest),
        Some(Err(why)) => {
            found.missing.entry(why).or_default().insert(path.to_owned());
            None
        }
    }
}

fn missing(why: &str, whose: &BTreeSet<String>) -> String {
    let names = crate::report::diff::some(whose.iter().map(String::as_str), 6);
    format!("workloads of {names}: {why}")
}

fn of_members(why: &str, members: &[Member]) -> String {
    match members.len() {
        0 | 1 => why.to_owned(),
        count => format!("{why} (the same for {} more)", count - 1),
    }
}

fn made_by(before: Option<String>, after: Option<String>) -> String {
    match (before, after) {
        (Some(before), Some(after)) if before == after => after,
        (Some(before), Some(after)) => {
            let version = after.rsplit(' ').next().unwrap_or_default();
            format!("{before} → {version}")
        }
        (before, after) => before.or(after).unwrap_or_default(),
    }
}

/// The object without a unit's own names.
fn hidden(value: Value, naming: &Naming) -> Value {
    match value {
        Value::String(text) => Value::String(naming.hide(&text).into_owned()),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| hidden(item, naming)).collect()),
        Value::Object(map) => {
            let entry = |(key, value): (String, Value)| (naming.hide(&key).into_owned(), hidden(value, naming));
            Value::Object(map.into_iter().map(entry).collect())
        }
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_that_changes_is_named_once() {
        let own = |text: &str| Some(text.to_owned());
        assert_eq!(made_by(own("c 1.0.0"), own("c 1.1.0")), "c 1.0.0 → 1.1.0");
        assert_eq!(made_by(own("c 1.0.0"), own("c 1.0.0")), "c 1.0.0");
        assert_eq!(made_by(None, own("c 1.0.0")), "c 1.0.0");
    }
}
