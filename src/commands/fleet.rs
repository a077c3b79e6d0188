//! From a folder to a checked render: what most commands begin with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::memo;
use super::timings::Timings;
use crate::check::{self, Input, Kept, Verdict, Verified};
use crate::config::{self, Fleet};
use crate::error::Result;
use crate::finding::{Finding, any_error};
use crate::manifest::statement::{self, Checked as Checking};
use crate::manifest::{Digest, STATEMENT, Unit};
use crate::memo::Memo;
use crate::plan::names::{self, cluster_of};
use crate::plan::{self, Plan};
use crate::render::{self, Before, Job, Made, RenderedUnit, Templates};
use crate::secrets::leak;
use crate::source::{self, Source};

/// Version of the program; part of every unit's inputs.
pub const VERSION: &str = crate::VERSION;

/// A fleet that was read, and what is to be said about it.
#[derive(Debug)]
pub struct Loaded {
    /// The files.
    pub source: Source,
    /// The fleet, if every file is valid by itself.
    pub fleet: Option<Fleet>,
    /// Findings so far.
    pub findings: Vec<Finding>,
    /// What earlier runs found out about the files.
    pub memo: Memo,
}

/// Reads and validates the fleet in a folder. Files that hold secret material stop everything: nothing of them is used.
///
/// # Errors
/// The folder is no fleet or cannot be read.
pub fn load(root: &Path, timings: &mut Timings) -> Result<Loaded> {
    let (source, memo) = timings.step("read", || (source::load(root), memo::load(root)));
    let source = source?;
    Ok(timings.step("parse", || parse(source, memo)))
}

/// Validates the files of a fleet that were read from elsewhere than its folder, with what is known of that folder's.
pub fn loaded(source: Source, root: &Path, timings: &mut Timings) -> Loaded {
    let memo = memo::load(root);
    timings.step("parse", || parse(source, memo))
}

/// Validates the files of a fleet. What the memo knows held no secrets and was valid.
fn parse(source: Source, memo: Memo) -> Loaded {
    let (fleet, mut findings) = config::parse_with(&source, &memo);
    let files: Vec<(&str, &str)> = source.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let written = |path: &str| !path.starts_with("charts/");
    let known = |path: &str| {
        let slug = path.strip_prefix("tenants/").and_then(|name| name.strip_suffix(".yaml"));
        let text = slug.and_then(|slug| fleet.as_ref()?.texts.get(slug));
        text.is_some_and(|text| memo.value(text).is_some())
    };
    let leaks: Vec<Finding> = files
        .par_iter()
        .filter(|(path, _)| written(path) && !known(path))
        .flat_map_iter(|(path, text)| leak::findings(path, text))
        .collect();
    let fleet = if leaks.is_empty() { fleet } else { None };
    findings.extend(leaks);
    findings.sort();
    Loaded { source, fleet, findings, memo }
}

/// What a render made of a fleet, checked.
#[derive(Debug)]
pub struct Checked {
    /// The findings, sorted; those of reading and planning included.
    pub findings: Vec<Finding>,
    /// One verdict a check.
    pub verdicts: Vec<Verdict>,
    /// Leave to write; none if any finding is an error.
    pub verified: Option<Verified>,
    /// What was counted.
    pub counts: Counts,
    /// Deletions beyond the budget that were acknowledged, and where.
    pub acknowledged: Vec<String>,
}

impl Checked {
    /// What was refused before any check ran.
    pub fn refused(mut findings: Vec<Finding>, counts: Counts) -> Self {
        findings.sort();
        Self { findings, verdicts: Vec::new(), verified: None, counts, acknowledged: Vec::new() }
    }
}

/// Numbers for the summary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Units in the fleet.
    pub units: usize,
    /// Units that were rendered.
    pub rendered: usize,
    /// Objects by kind in the rendered units.
    pub kinds: BTreeMap<String, usize>,
}

/// What of the output stays: given the path of a unit, the digest of the inputs that it was last rendered from.
pub type Recorded<'a> = dyn Fn(&str) -> Option<Digest> + Sync + 'a;

/// A fleet that is decided, with its templates and jobs.
pub struct Prepared<'a> {
    /// The templates.
    pub templates: Templates,
    /// The units.
    pub jobs: Vec<Job<'a>>,
}

/// Decides the fleet.
pub fn plan<'a>(loaded: &'a Loaded, findings: &mut Vec<Finding>) -> Option<Plan<'a>> {
    let fleet = loaded.fleet.as_ref()?;
    let (plan, found) = plan::plan(fleet, &loaded.source);
    findings.extend(found);
    plan
}

/// Compiles the templates and lists the units of a plan.
pub fn prepare<'a>(loaded: &Loaded, plan: &'a Plan<'a>, findings: &mut Vec<Finding>) -> Option<Prepared<'a>> {
    match Templates::load(loaded.source.below("templates/")) {
        Ok(templates) => {
            let jobs = render::jobs(plan, VERSION);
            Some(Prepared { templates, jobs })
        }
        Err(found) => {
            findings.extend(found);
            None
        }
    }
}

/// Some files of every unit, rendered in memory, for questions about the whole fleet.
pub fn parts(
    loaded: &Loaded,
    plan: &Plan<'_>,
    wanted: impl Fn(&str) -> bool + Sync,
    findings: &mut Vec<Finding>,
) -> Option<Vec<RenderedUnit>> {
    let prepared = prepare(loaded, plan, findings)?;
    let made: Vec<_> = prepared.jobs.par_iter().map(|job| job.part(&prepared.templates, &wanted)).collect();
    let mut units = Vec::new();
    for made in made {
        match made {
            Ok(unit) => units.push(unit),
            Err(found) => findings.extend(found),
        }
    }
    (!any_error(findings)).then_some(units)
}

/// Renders what is not recorded yet and checks it.
pub fn check(
    loaded: &Loaded,
    plan: &Plan<'_>,
    prepared: &Prepared<'_>,
    recorded: &Recorded<'_>,
    remove: Vec<String>,
    mut findings: Vec<Finding>,
    timings: &mut Timings,
) -> Checked {
    let rest = rest(&loaded.source);
    let before = |path: &str| Before { recorded: recorded(path), memo: &loaded.memo, rest };
    let make = |job: &Job<'_>| job.make(&prepared.templates, before(&job.path));
    let made: Vec<_> = timings.step("render", || prepared.jobs.par_iter().map(make).collect());
    let (mut units, mut keep) = (Vec::new(), BTreeMap::new());
    for (job, made) in prepared.jobs.iter().zip(made) {
        match made {
            Ok(Made::Rendered(unit)) => units.push(unit),
            Ok(Made::Kept(inputs)) => drop(keep.insert(job.path.clone(), inputs)),
            Err(found) => findings.extend(found),
        }
    }
    plan::place(&mut findings, &loaded.source);
    let counts = Counts { units: prepared.jobs.len(), rendered: units.len(), kinds: kinds(&units) };
    if any_error(&findings) {
        return Checked::refused(findings, counts);
    }
    let touched: BTreeSet<&str> =
        units.iter().map(RenderedUnit::cluster).chain(remove.iter().map(|path| cluster_of(path))).collect();
    let stay = prepared.jobs.iter().filter_map(|job| Some((job, *keep.get(&job.path)?)));
    let (stay, settled): (Vec<_>, Vec<_>) = stay.partition(|(job, _)| touched.contains(cluster_of(&job.path)));
    let settled = settled.iter().map(|(job, _)| cluster_of(&job.path).to_owned()).collect();
    let kept = Kept::new(&prepared.templates, stay);
    let units = Arc::new(units);
    let input =
        Input { source: &loaded.source, plan, units: &units, kept: &kept, settled: &settled, memo: &loaded.memo };
    let mut report = timings.step("check", || check::run(&input));
    drop(units);
    let finish = |unit: &RenderedUnit, verdicts: &[Verdict]| stated(unit, plan, verdicts);
    let verified = timings.step("emit", || report.admit(keep, remove, finish));
    findings.extend(report.findings);
    findings.sort();
    Checked { findings, verdicts: report.verdicts, verified, counts, acknowledged: Vec::new() }
}

/// The unit as bytes, with what was proved about it.
fn stated(unit: &RenderedUnit, plan: &Plan<'_>, verdicts: &[Verdict]) -> Unit {
    let mut finished = unit.finish();
    let checks: Vec<Checking<'_>> = verdicts.iter().map(|one| (one.check, one.proves, one.verdict)).collect();
    let own = plan.clusters.iter().find(|cluster| names::system_unit(cluster.cluster.name.as_str()) == unit.path);
    let assumptions = own.map(|cluster| check::network::assumptions(plan, cluster)).unwrap_or_default();
    let statement = statement::statement(&finished, VERSION, &checks, &assumptions);
    finished.files.insert(STATEMENT.to_owned(), statement);
    finished
}

/// Digest of every file of the fleet but the tenants'.
pub fn rest(source: &Source) -> Digest {
    let files = source.files.iter().filter(|(path, _)| !path.starts_with("tenants/"));
    Digest::of_parts(files.flat_map(|(path, text)| [path.as_bytes(), text.as_bytes()]))
}

fn kinds(units: &[RenderedUnit]) -> BTreeMap<String, usize> {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for id in units.iter().flat_map(|unit| unit.files.values()).flat_map(|content| content.identities()) {
        *kinds.entry(id.kind).or_insert(0) += 1;
    }
    kinds.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect()
}
