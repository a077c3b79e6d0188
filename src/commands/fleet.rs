//! From a folder to a checked render: what most commands begin with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use rayon::prelude::*;

use super::screen::Screen;
use super::timings::Timings;
use super::{memo, origin};
use crate::check::{self, Input, Kept, Verdict, Verified};
use crate::config::{self, Fleet};
use crate::error::Result;
use crate::exempt::{self, Register};
use crate::finding::{Finding, any_error, exit_code};
use crate::manifest::statement::{self, Checked as Checking};
use crate::manifest::{Digest, STATEMENT, Unit};
use crate::memo::Memo;
use crate::plan::names::{self, cluster_of};
use crate::plan::{self, Plan};
use crate::render::{self, Before, Job, Made, RenderedUnit, Templates};
use crate::report::Report;
use crate::secrets::leak;
use crate::source::{self, Source};

/// Version of the program; part of every unit's inputs.
pub const VERSION: &str = crate::VERSION;

/// Says what is wrong with a fleet that is of no use, and gives the exit code.
pub fn refused(screen: &Screen, command: &'static str, loaded: &Loaded) -> u8 {
    let mut findings = loaded.findings.clone();
    findings.sort();
    let code = exit_code(&findings);
    screen.words(&Report { command, verdicts: Vec::new(), findings }, &loaded.source);
    code
}

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
    /// What somebody answers for.
    pub exemptions: Register,
    /// The day by which exemptions are judged.
    pub today: Date,
}

/// Reads and validates the fleet in a folder. Files that hold secret material stop everything: nothing of them is used.
///
/// # Errors
/// The folder is no fleet or cannot be read.
pub fn load(root: &Path, timings: &mut Timings) -> Result<Loaded> {
    load_on(origin::today(), root, timings)
}

/// As [`load`], on a day by which exemptions are judged.
///
/// # Errors
/// As [`load`].
pub fn load_on(today: Date, root: &Path, timings: &mut Timings) -> Result<Loaded> {
    let (source, memo) = timings.step("read", || rayon::join(|| source::load(root), || memo::load(root)));
    let source = source?;
    Ok(timings.step("parse", || parse(source, memo, today)))
}

/// Validates the files of a fleet that were read from elsewhere than its folder, with what is known of that folder's.
pub fn loaded(source: Source, root: &Path, timings: &mut Timings) -> Loaded {
    loaded_on(origin::today(), source, root, timings)
}

/// As [`loaded`], on a day by which exemptions are judged.
pub fn loaded_on(today: Date, source: Source, root: &Path, timings: &mut Timings) -> Loaded {
    let memo = memo::load(root);
    timings.step("parse", || parse(source, memo, today))
}

/// Validates the files of a fleet. What the memo knows held no secrets and was valid.
fn parse(source: Source, memo: Memo, today: Date) -> Loaded {
    let (fleet, mut findings) = config::parse_with(&source, &memo);
    let (exemptions, faults) = Register::read(&source);
    findings.extend(faults);
    let files: Vec<(&str, &str)> = source.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    // Of charts, their values: the rest is vendored, and held to the record of what was reviewed.
    let written = |path: &str| !path.starts_with("charts/") || path.ends_with("/values.yaml");
    let known = |path: &str| {
        let slug = path.strip_prefix("tenants/").and_then(|name| name.strip_suffix(".yaml"));
        let text = slug.and_then(|slug| fleet.as_ref()?.texts.get(slug));
        text.is_some_and(|text| memo.value(text).is_some())
    };
    let searched = files.par_iter().filter(|(path, _)| written(path) && !known(path));
    let leaks: Vec<(&str, Vec<Finding>)> = searched
        .map(|(path, text)| (*path, leak::findings(path, text)))
        .filter(|(_, found)| !found.is_empty())
        .collect();
    for (path, found) in leaks {
        // What holds a secret, or what somebody says is none, is searched in every run.
        memo.forget(&Digest::of(source.text(path).unwrap_or_default().as_bytes()));
        leak::withhold(&mut findings, source.text(path).unwrap_or_default());
        findings.extend(found);
    }
    exempt::apply(&mut findings, &exemptions, today, &|_| None);
    let refused = |finding: &Finding| finding.stops() && (is_leak(finding) || exempt::is_fault(finding));
    let fleet = fleet.filter(|_| !findings.iter().any(refused));
    if fleet.is_none() {
        findings.extend(exempt::audit(&findings, &exemptions, today, false));
    }
    findings.sort();
    Loaded { source, fleet, findings, memo, exemptions, today }
}

/// Whether a finding is about secret material.
fn is_leak(finding: &Finding) -> bool {
    matches!(finding.rule, "secrets/material" | "secrets/suspect")
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
    /// As [`Checked::refused`], of a fleet that was read: exemptions that are over are told as well.
    pub fn undecided(loaded: &Loaded, mut findings: Vec<Finding>, counts: Counts) -> Self {
        if loaded.fleet.is_some() {
            findings.extend(exempt::audit(&findings, &loaded.exemptions, loaded.today, false));
        }
        Self::refused(findings, counts)
    }

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
    let (plan, found) = plan::plan_with(fleet, &loaded.source, &loaded.memo);
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
    plan::place(&mut findings, plan.fleet, &loaded.source, &loaded.memo);
    let clusters: BTreeMap<&str, &str> = plan.clusters.iter().flat_map(tenants).collect();
    let home = |tenant: &str| match (clusters.get(tenant), plan.clusters.as_slice()) {
        (Some(cluster), _) => Some((*cluster).to_owned()),
        (None, [only]) => Some(only.cluster.name.to_string()),
        _ => None,
    };
    let answer = |found: &mut [Finding]| exempt::apply(found, &loaded.exemptions, loaded.today, &home);
    answer(&mut findings);
    let counts = Counts { units: prepared.jobs.len(), rendered: units.len(), kinds: kinds(&units) };
    if any_error(&findings) {
        return Checked::undecided(loaded, findings, counts);
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
    let mut report = timings.step("check", || check::run_exempting(&input, &answer));
    drop(units);
    let exempted = report.exempted.clone();
    let finish = |unit: &RenderedUnit, verdicts: &[Verdict]| stated(unit, plan, verdicts, &exempted);
    let verified = timings.step("emit", || report.admit(keep, remove, finish));
    findings.extend(report.findings);
    // Of units that stay nothing is known: what covers only theirs is not called unused.
    let whole = counts.rendered == counts.units;
    let said = exempt::audit(&findings, &loaded.exemptions, loaded.today, whole);
    let verified = verified.filter(|_| !any_error(&said));
    findings.extend(said);
    findings.sort();
    Checked { findings, verdicts: report.verdicts, verified, counts, acknowledged: Vec::new() }
}

/// The tenants of a cluster, each with its name.
fn tenants<'a>(cluster: &'a plan::ClusterPlan<'_>) -> impl Iterator<Item = (&'a str, &'a str)> {
    cluster.tenants.values().map(|tenant| (tenant.tenant.tenant.slug.as_str(), cluster.cluster.name.as_str()))
}

/// The unit as bytes, with what was proved about it.
fn stated(unit: &RenderedUnit, plan: &Plan<'_>, verdicts: &[Verdict], exempted: &check::Exempted) -> Unit {
    let mut finished = unit.finish();
    // What is exempted of other units is theirs to say: the bytes of one follow from its own inputs.
    let own = |check: &str| exempted.get(check).is_some_and(|tenants| tenants.contains(&unit.tenant));
    let verdict = |one: &Verdict| if one.verdict == "exempted" && !own(one.check) { "passed" } else { one.verdict };
    let checks: Vec<Checking<'_>> = verdicts.iter().map(|one| (one.check, one.proves, verdict(one))).collect();
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
