//! What a change of the fleet does to the manifests.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::commands::fleet::{self, Loaded};
use crate::finding::any_error;
use crate::manifest::Digest;
use crate::plan::Plan;
use crate::render::{Before, Job, Made, Templates};

/// Manifests by path.
type Files = BTreeMap<String, String>;

/// Units that are rendered for a look at most; of the others the numbers are told.
const SHOWN: usize = 20;

/// What changes in the manifests.
#[derive(Debug, Default)]
pub struct Preview {
    /// Units that are new, change, or go, by path.
    pub units: BTreeMap<String, Kind>,
    /// Manifests of the first of them before and after.
    pub before: Files,
    /// See `before`.
    pub after: Files,
    /// Units that are not among those.
    pub more: usize,
    /// Why there is nothing to compare with.
    pub unknown: Option<String>,
}

/// What becomes of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It comes.
    New,
    /// It changes.
    Changed,
    /// It goes.
    Gone,
}

impl Kind {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Gone => "deleted",
        }
    }
}

/// Compares two fleets unit by unit.
pub fn compare(before: &Loaded, after: &Loaded) -> Preview {
    with_units(after, |after_units| match with_units(before, |before_units| between(before_units, after_units)) {
        Some(preview) => preview,
        None => Preview {
            unknown: Some("the fleet was not valid before this change: there is nothing to compare with".into()),
            ..Preview::default()
        },
    })
    .unwrap_or_default()
}

/// The jobs of a fleet with the digests of their inputs.
struct Units<'a> {
    jobs: BTreeMap<&'a str, (&'a Job<'a>, Digest)>,
    templates: &'a Templates,
    loaded: &'a Loaded,
    rest: Digest,
}

fn with_units<T>(loaded: &Loaded, use_them: impl FnOnce(&Units<'_>) -> T) -> Option<T> {
    let mut findings = Vec::new();
    let plan: Plan<'_> = fleet::plan(loaded, &mut findings)?;
    let prepared = fleet::prepare(loaded, &plan, &mut findings)?;
    if any_error(&findings) {
        return None;
    }
    let rest = fleet::rest(&loaded.source);
    let inputs: Vec<Digest> =
        prepared.jobs.par_iter().map(|job| job.inputs(&prepared.templates, &loaded.memo, &rest)).collect();
    let jobs = prepared.jobs.iter().zip(inputs).map(|(job, inputs)| (job.path.as_str(), (job, inputs))).collect();
    Some(use_them(&Units { jobs, templates: &prepared.templates, loaded, rest }))
}

fn between(before: &Units<'_>, after: &Units<'_>) -> Preview {
    let mut units = BTreeMap::new();
    for (path, (_, inputs)) in &before.jobs {
        match after.jobs.get(path) {
            None => drop(units.insert((*path).to_owned(), Kind::Gone)),
            Some((_, now)) if now != inputs => drop(units.insert((*path).to_owned(), Kind::Changed)),
            Some(_) => {}
        }
    }
    for path in after.jobs.keys().filter(|path| !before.jobs.contains_key(*path)) {
        units.insert((*path).to_owned(), Kind::New);
    }
    let shown: Vec<&str> = units.keys().take(SHOWN).map(String::as_str).collect();
    let more = units.len() - shown.len();
    let (old, new) = (files(before, &shown), files(after, &shown));
    Preview { before: old, after: new, more, unknown: None, units }
}

fn files(units: &Units<'_>, paths: &[&str]) -> Files {
    let made = paths.par_iter().filter_map(|path| {
        let (job, _) = units.jobs.get(path)?;
        let before = Before { recorded: None, memo: &units.loaded.memo, rest: units.rest };
        match job.make(units.templates, before) {
            Ok(Made::Rendered(unit)) => Some(unit.finish()),
            _ => None,
        }
    });
    let units: Vec<_> = made.collect();
    let files = units.into_iter().flat_map(|unit| {
        let path = unit.path;
        unit.files
            .into_iter()
            .map(move |(name, bytes)| (format!("{path}/{name}"), String::from_utf8_lossy(&bytes).into_owned()))
    });
    files.collect()
}

/// Unified differences of texts by path, in order.
pub fn unified<'a>(pairs: impl Iterator<Item = (&'a str, Option<&'a str>, Option<&'a str>)>) -> String {
    let mut out = String::new();
    for (path, old, new) in pairs.filter(|(_, old, new)| old != new) {
        let from = old.map_or_else(|| "/dev/null".to_owned(), |_| format!("a/{path}"));
        let to = new.map_or_else(|| "/dev/null".to_owned(), |_| format!("b/{path}"));
        let diff = similar::TextDiff::from_lines(old.unwrap_or_default(), new.unwrap_or_default());
        out.push_str(&diff.unified_diff().context_radius(3).header(&from, &to).to_string());
    }
    out
}

impl Preview {
    /// Unified differences of the manifests.
    pub fn diff(&self) -> String {
        let paths: std::collections::BTreeSet<&String> = self.before.keys().chain(self.after.keys()).collect();
        let text = |files: &'_ Files, path: &str| files.get(path).cloned();
        let pairs: Vec<_> =
            paths.iter().map(|path| (path.as_str(), text(&self.before, path), text(&self.after, path))).collect();
        let mut out = unified(pairs.iter().map(|(path, old, new)| (*path, old.as_deref(), new.as_deref())));
        if self.more > 0 {
            out.push_str(&format!("({} more units change)\n", self.more));
        }
        out
    }
}
