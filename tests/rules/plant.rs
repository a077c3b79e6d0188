//! A copy of a fleet, edits, and what the gate says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use serde::Deserialize;
use tenantry::check::{Check, Input, Kept, Outcome};
use tenantry::commands::fleet::{self as gate, Loaded};
use tenantry::finding::{Class, Finding};
use tenantry::render::{self, Before, Made};
use tenantry::{plan, source};

use crate::fleet;

/// The day on which the fleets are looked at.
const TODAY: &str = "2026-06-30";

/// `tests/rules/<family>.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// The golden case whose fleet is taken, unless a case says another; by default the repository's own.
    #[serde(default = "repository")]
    fleet: String,
    /// The tenants that are left in it; all if none is named.
    #[serde(default)]
    tenants: Vec<String>,
    /// The checks that are run, unless a case says others; `all` is the whole gate.
    #[serde(default)]
    checks: Vec<String>,
    pub cases: Vec<Case>,
    #[serde(default)]
    pub elsewhere: Vec<Elsewhere>,
}

/// A fault and a near miss.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub rule: String,
    #[serde(default)]
    fleet: Option<String>,
    #[serde(default)]
    tenants: Option<Vec<String>>,
    #[serde(default)]
    checks: Option<Vec<String>>,
    /// What breaks the rule.
    pub plant: Vec<Edit>,
    /// Whether the program's own charts lie in the fleet.
    #[serde(default)]
    charts: bool,
    /// Where that is found.
    #[serde(default)]
    at: Option<At>,
    /// Why no file is to blame, where none is.
    #[serde(default)]
    nowhere: Option<String>,
    /// What is almost the same, and fine.
    pub near: Vec<Edit>,
    /// Rules that the near miss breaks all the same, by its nature.
    #[serde(default)]
    pub beside: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    file: String,
    line: Line,
}

/// A line, by its number or by a text that stands on it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Number(u32),
    Text(String),
}

/// What is done to a file of the fleet. What is not there yet is taken from the program's own templates and charts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    file: String,
    /// The first occurrence of this, …
    #[serde(default)]
    replace: Option<String>,
    /// … becomes that.
    #[serde(default)]
    with: String,
    /// The whole file.
    #[serde(default)]
    text: Option<String>,
    /// This many bytes: a comment fills it up.
    #[serde(default)]
    size: Option<usize>,
    /// The whole file, as bytes.
    #[serde(default)]
    bytes: Option<Vec<u8>>,
    /// The file goes there.
    #[serde(default, rename = "move")]
    to: Option<String>,
    /// A symbolic link to this.
    #[serde(default)]
    link: Option<String>,
    /// As many copies of a tenant's file, each with a slug and an id of its own.
    #[serde(default)]
    copies: Option<usize>,
    #[serde(default)]
    folder: bool,
    #[serde(default)]
    remove: bool,
}

/// A rule that another test plants, or that no fleet can break.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elsewhere {
    pub rule: String,
    /// `file::function`: plants the fault in a fleet, sees its place, and a near miss.
    #[serde(default)]
    test: Option<String>,
    /// As `test`, of the near miss where that is another function.
    #[serde(default)]
    near: Option<String>,
    /// Why no file of a fleet can break it.
    #[serde(default)]
    never: Option<String>,
    /// A case of `tests/cli` that plants it, and in which a command ends well.
    #[serde(default)]
    cli: Option<String>,
}

/// What was said of a fleet.
pub struct Planted {
    pub found: Vec<Finding>,
    texts: BTreeMap<String, String>,
}

fn repository() -> String {
    "repository".into()
}

impl Elsewhere {
    /// What is wrong with the entry.
    pub fn fault(&self) -> Option<String> {
        let tests: Vec<&String> = self.test.iter().chain(&self.near).collect();
        if tests.is_empty() && self.never.is_none() && self.cli.is_none() {
            return Some("say `test`, `cli` or `never`".into());
        }
        if let Some(case) = &self.cli {
            let said = fs::read_to_string(fleet::root().join("tests/cli").join(case).join("expected.txt"));
            let said = said.unwrap_or_default();
            if !said.contains(&format!("[{}]", self.rule)) || !said.contains("\nexit 0\n") {
                return Some(format!("the case {case} of tests/cli does not find it, or never ends well"));
            }
        }
        tests.into_iter().find_map(|test| {
            let Some((file, function)) = test.split_once("::") else {
                return Some(format!("{test} is no file::function"));
            };
            let text = fs::read_to_string(fleet::root().join(file)).unwrap_or_default();
            (!text.contains(&format!("fn {function}("))).then(|| format!("there is no test {test}"))
        })
    }
}

impl Case {
    pub fn fleet<'c>(&'c self, family: &'c Family) -> &'c str {
        self.fleet.as_deref().unwrap_or(&family.fleet)
    }

    pub fn tenants<'c>(&'c self, family: &'c Family) -> &'c [String] {
        self.tenants.as_deref().unwrap_or(&family.tenants)
    }

    pub fn checks<'c>(&'c self, family: &'c Family) -> &'c [String] {
        self.checks.as_deref().unwrap_or(&family.checks)
    }

    /// Where the fault is to be found.
    pub fn place(&self) -> String {
        match (&self.at, &self.nowhere) {
            (Some(At { file, line: Line::Number(line) }), None) => format!("{file}:{line}"),
            (Some(At { file, line: Line::Text(text) }), None) => format!("the line {text:?} of {file}"),
            (None, Some(why)) => format!("no file ({why})"),
            _ => panic!("{}: say either `at` or `nowhere`", self.rule),
        }
    }
}

impl Planted {
    /// Whether a finding is where it should be.
    pub fn is_at(&self, finding: &Finding, case: &Case) -> bool {
        let Some(at) = &case.at else { return finding.location.is_none() };
        let Some(place) = finding.location.as_ref().filter(|place| place.file == at.file) else { return false };
        match &at.line {
            Line::Number(line) => place.line == *line,
            Line::Text(text) => {
                let line = self.texts.get(&place.file).and_then(|all| all.lines().nth(place.line as usize - 1));
                line.is_some_and(|line| line.contains(text.as_str()))
            }
        }
    }
}

/// What is said of a fleet after some edits.
pub fn findings(family: &Family, case: &Case, edits: &[Edit]) -> Planted {
    let known = fleet::fleets().into_iter().find(|known| known.name == case.fleet(family));
    let folder = fleet::copy(&known.unwrap_or_else(|| panic!("{}: no such fleet", case.rule)).root);
    let tenants = case.tenants(family);
    if !tenants.is_empty() {
        let others = fleet::files(&folder.path().join("tenants")).into_keys();
        for other in others.filter(|file| !tenants.iter().any(|slug| *file == format!("{slug}.yaml"))) {
            fs::remove_file(folder.path().join("tenants").join(other)).unwrap();
        }
    }
    if case.charts {
        let charts = fleet::files(&fleet::root().join("charts"));
        fleet::write(&folder.path().join("charts"), &charts);
    }
    edits.iter().for_each(|edit| edit.apply(folder.path(), &case.rule));
    let source = source::load(folder.path()).unwrap();
    let charts = source.charts.iter().map(|(path, bytes)| (path.clone(), fleet::text(bytes)));
    let mut texts: BTreeMap<String, String> = source.files.clone().into_iter().chain(charts).collect();
    if let Some(At { file, .. }) = &case.at
        && let Ok(bytes) = fs::read(folder.path().join(file))
    {
        texts.entry(file.clone()).or_insert_with(|| fleet::text(&bytes));
    }
    let loaded = gate::loaded_on(TODAY.parse().unwrap(), source, folder.path(), &mut Default::default());
    Planted { found: judged(&loaded, case.checks(family)), texts }
}

/// What reading, planning, rendering and some checks say.
fn judged(loaded: &Loaded, checks: &[String]) -> Vec<Finding> {
    let mut findings = loaded.findings.clone();
    let Some(plan) = gate::plan(loaded, &mut findings) else { return findings };
    let Some(prepared) = gate::prepare(loaded, &plan, &mut findings) else { return findings };
    if checks == ["all"] {
        let timings = &mut Default::default();
        return gate::check(loaded, &plan, &prepared, &|_| None, Vec::new(), findings, timings).findings;
    }
    plan::place(&mut findings, plan.fleet, &loaded.source, &loaded.memo);
    // What is counted follows from the plan.
    let jobs = if checks == ["capacity"] { &[] } else { prepared.jobs.as_slice() };
    let before = Before { recorded: None, memo: &loaded.memo, rest: gate::rest(&loaded.source) };
    let made: Vec<_> = jobs.par_iter().map(|job| job.make(&prepared.templates, before)).collect();
    let mut units = Vec::new();
    for made in made {
        match made {
            Ok(Made::Rendered(unit)) => units.push(unit),
            Ok(Made::Kept(_)) => panic!("nothing is recorded"),
            Err(found) => findings.extend(found),
        }
    }
    if tenantry::finding::any_error(&findings) {
        return findings;
    }
    let (units, kept, settled) = (Arc::new(units), Kept::default(), BTreeSet::new());
    let (source, plan, memo) = (&loaded.source, &plan, &loaded.memo);
    let input = Input { source, plan, units: &units, kept: &kept, settled: &settled, memo };
    for id in checks {
        match Check::find(id).unwrap_or_else(|| panic!("no check {id}")).run(&input) {
            Outcome::Ran(found) => findings.extend(found),
            Outcome::NotChecked(reason) => {
                findings.push(Finding::error("check/not-checked", Class::Incomplete, reason));
            }
        }
    }
    findings
}

impl Edit {
    fn apply(&self, fleet: &Path, rule: &str) {
        let path = fleet.join(&self.file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let done = [
            self.replace.as_ref().map(|from| fs::write(&path, replaced(fleet, &self.file, from, &self.with, rule))),
            self.text.as_ref().map(|text| fs::write(&path, text)),
            self.bytes.as_ref().map(|bytes| fs::write(&path, bytes)),
            self.size.map(|size| fs::write(&path, filled(fs::read(&path).unwrap(), size))),
            self.to.as_ref().map(|to| {
                fs::create_dir_all(fleet.join(to).parent().unwrap()).unwrap();
                fs::rename(&path, fleet.join(to))
            }),
            self.copies.map(|count| copied(&path, count)),
            self.link.as_ref().map(|target| std::os::unix::fs::symlink(target, &path)),
            self.folder.then(|| fs::create_dir(&path)),
            self.remove.then(|| fs::remove_file(&path)),
        ];
        let done: Vec<_> = done.into_iter().flatten().collect();
        assert_eq!(done.len(), 1, "{rule}: one thing is done to {}", self.file);
        done.into_iter().for_each(|done| done.unwrap_or_else(|error| panic!("{rule}: {}: {error}", self.file)));
    }
}

/// The text of a file with its first `from` replaced.
fn replaced(fleet: &Path, file: &str, from: &str, to: &str, rule: &str) -> String {
    let own = fs::read_to_string(fleet.join(file)).ok();
    let embedded = || Some(render::embedded(file.strip_prefix("templates/")?)?.to_owned());
    let text = own.or_else(embedded).or_else(|| fs::read_to_string(fleet::root().join(file)).ok());
    let text = text.unwrap_or_else(|| panic!("{rule}: there is no {file}"));
    assert!(text.contains(from), "{rule}: {file} has no {from:?}");
    text.replacen(from, to, 1)
}

/// Writes copies of a tenant's file beside it.
fn copied(path: &Path, count: usize) -> std::io::Result<()> {
    let (text, slug) = (fs::read_to_string(path)?, path.file_stem().unwrap().to_str().unwrap());
    for number in 0..count {
        let own = text.replace(&format!("slug: {slug}"), &format!("slug: {slug}-{number}"));
        let own = own.replace("  id: 0b6f7d1a", &format!("  id: {number:08x}"));
        fs::write(path.with_file_name(format!("{slug}-{number}.yaml")), own)?;
    }
    Ok(())
}

/// The bytes with a comment behind them, so that they are as many as wanted.
fn filled(mut bytes: Vec<u8>, size: usize) -> Vec<u8> {
    bytes.push(b'#');
    while bytes.len() < size {
        bytes.push(if bytes.len().is_multiple_of(100) { b'\n' } else { b'#' });
    }
    bytes
}
