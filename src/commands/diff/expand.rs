//! `diff --expand`: what Helm makes of each release that changes, compared as everything else is.
//!
//! Releases that change alike but for their tenants' names are rendered once and stand for each other, so that ten thousand
//! tenants cost a few runs of Helm.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::Value;

use super::charts::{Charts, Reference, Taken, When};
use super::side::{Side, naming};
use crate::blame::departure;
use crate::charts::{Helm, Template};
use crate::diff::{self, Change, Kinds, Naming, tenant_id};
use crate::manifest::Digest;
use crate::render::RenderedUnit;

/// What renders releases.
pub struct Expander<'a> {
    /// Helm.
    pub helm: Helm,
    /// A folder that it may use.
    pub home: &'a Path,
    /// The charts.
    pub charts: Charts<'a>,
}

/// A release in a unit's tree.
#[derive(Debug, Clone)]
struct Release {
    file: String,
    /// Line of the object in its file.
    line: usize,
    name: String,
    namespace: String,
    chart: String,
    reference: Reference,
    values: Value,
    /// Whether values come from objects of the cluster as well.
    from_cluster: bool,
}

/// Releases that change alike.
#[derive(Debug)]
pub struct Group {
    /// The unit that stands for all.
    number: u32,
    /// Its path before and after.
    paths: (String, String),
    release: String,
    /// What tells the release before from others.
    old: Digest,
    members: Vec<Member>,
}

/// A unit whose release changes in that way.
#[derive(Debug)]
pub struct Member {
    /// Its number.
    pub number: u32,
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
    /// Notes the releases of a unit that change.
    pub fn note(
        &self,
        before: (&RenderedUnit, &Naming),
        after: (&RenderedUnit, &Naming),
        number: u32,
        same: bool,
    ) -> Releases {
        let mut found = Releases::default();
        let (old, new) = (releases(before.0), releases(after.0));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let one = old.get(name).map(|release| self.print(When::Before, release, before.1));
            let other = new.get(name).map(|release| self.print(When::After, release, after.1));
            let (Some(one), Some(other)) =
                (settle(one, &after.0.path, &mut found), settle(other, &after.0.path, &mut found))
            else {
                continue;
            };
            if one == other {
                continue;
            }
            let whose = new.get(name).or(old.get(name)).filter(|release| release.from_cluster);
            found.from_cluster.extend(whose.map(|release| format!("{}/{}", after.0.path, release.file)));
            let group = Group {
                number,
                paths: (before.0.path.clone(), after.0.path.clone()),
                release: name.clone(),
                old: one,
                members: vec![Member { number, naming: after.1.clone(), same }],
            };
            found.groups.insert(Digest::of_parts([one.to_string().as_bytes(), other.to_string().as_bytes()]), group);
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
                    let changes = diff::compare_made((&objects(&old), &none), (&objects(&new), &none), &made_by, kinds);
                    expanded.push(Expanded { members: group.members, changes });
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

/// The releases of a unit by name.
fn releases(unit: &RenderedUnit) -> BTreeMap<String, Release> {
    let mut found = BTreeMap::new();
    for (file, content) in &unit.files {
        if !content.identities().iter().any(|id| matches!(id.kind, "HelmRelease" | "Application")) {
            continue;
        }
        let objects = content.objects();
        let text = content.text();
        for object in &objects {
            let kind = object["kind"].as_str().unwrap_or_default();
            let release = match kind {
                "HelmRelease" => flux(object, &objects),
                "Application" => argo(object),
                _ => None,
            };
            if let Some(release) = release {
                let is_kind = |line: &&str| *line == format!("kind: {kind}");
                let line = text.lines().take_while(|line| !is_kind(line)).count() + 1;
                found.insert(release.name.clone(), Release { file: file.clone(), line, ..release });
            }
        }
    }
    found
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

/// A release that Flux installs, from the source beside it or by name and version.
fn flux(release: &Value, objects: &[Value]) -> Option<Release> {
    let own = text(release, "/metadata/name")?;
    let (chart, reference) = match text(release, "/spec/chartRef/name") {
        Some(source) => {
            let is_it = |object: &&Value| {
                object["kind"] == release["spec"]["chartRef"]["kind"] && object["metadata"]["name"] == source.as_str()
            };
            let source = objects.iter().find(is_it)?;
            let url = text(source, "/spec/url")?;
            let reference = text(source, "/spec/ref/tag").map(|tag| Reference::Version(tag.replace('_', "+")));
            let reference = text(source, "/spec/ref/digest").map(Reference::Digest).or(reference)?;
            (url.rsplit('/').next()?.to_owned(), reference)
        }
        None => {
            (text(release, "/spec/chart/spec/chart")?, Reference::Version(text(release, "/spec/chart/spec/version")?))
        }
    };
    let namespace = text(release, "/spec/targetNamespace").or(text(release, "/metadata/namespace"))?;
    Some(Release {
        file: String::new(),
        line: 1,
        name: text(release, "/spec/releaseName").unwrap_or(own),
        namespace,
        chart,
        reference,
        values: release["spec"]["values"].clone(),
        from_cluster: release["spec"]["valuesFrom"].as_array().is_some_and(|list| !list.is_empty()),
    })
}

/// A release that Argo CD installs.
fn argo(application: &Value) -> Option<Release> {
    let source = &application["spec"]["source"];
    let revision = text(source, "/targetRevision")?;
    let reference = match revision.starts_with("sha256:") {
        true => Reference::Digest(revision),
        false => Reference::Version(revision),
    };
    Some(Release {
        file: String::new(),
        line: 1,
        name: text(source, "/helm/releaseName").or(text(application, "/metadata/name"))?,
        namespace: text(application, "/spec/destination/namespace")?,
        chart: text(source, "/chart")?,
        reference,
        values: source["helm"]["valuesObject"].clone(),
        from_cluster: source["helm"]["valueFiles"].as_array().is_some_and(|list| !list.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_engines_name_their_charts() {
        let source = json!({"kind": "OCIRepository", "metadata": {"name": "r"},
            "spec": {"url": "oci://x/charts/c", "ref": {"tag": "1.0.0_build"}}});
        let release = json!({"kind": "HelmRelease", "metadata": {"name": "r", "namespace": "n"},
            "spec": {"chartRef": {"kind": "OCIRepository", "name": "r"}, "values": {"a": 1}, "valuesFrom": [{}]}});
        let found = flux(&release, &[source.clone(), release.clone()]).unwrap();
        assert_eq!((found.chart.as_str(), found.name.as_str(), found.namespace.as_str()), ("c", "r", "n"));
        assert_eq!(found.reference, Reference::Version("1.0.0+build".into()));
        assert!(found.from_cluster && found.values == json!({"a": 1}));
        let mut pinned = source;
        pinned["spec"]["ref"] = json!({"digest": "sha256:1"});
        assert_eq!(flux(&release, &[pinned]).unwrap().reference, Reference::Digest("sha256:1".into()));
        let application = json!({"kind": "Application", "metadata": {"name": "a"}, "spec": {"destination": {"namespace": "n"},
            "source": {"chart": "c", "targetRevision": "sha256:2", "helm": {"releaseName": "r", "valuesObject": {}}}}});
        let found = argo(&application).unwrap();
        assert_eq!((found.reference, found.from_cluster), (Reference::Digest("sha256:2".into()), false));
        assert!(argo(&json!({"kind": "Application", "spec": {"source": {"path": "clusters"}}})).is_none());
    }

    #[test]
    fn a_chart_that_changes_is_named_once() {
        let own = |text: &str| Some(text.to_owned());
        assert_eq!(made_by(own("c 1.0.0"), own("c 1.1.0")), "c 1.0.0 → 1.1.0");
        assert_eq!(made_by(own("c 1.0.0"), own("c 1.0.0")), "c 1.0.0");
        assert_eq!(made_by(None, own("c 1.0.0")), "c 1.0.0");
    }
}
