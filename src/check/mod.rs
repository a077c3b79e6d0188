//! The gate: what must hold before anything is written.
//!
//! The checks are a table; none knows another. A check that could not run is never a pass. Only [`run`] makes a
//! [`Verified`], and only a [`Verified`] can be written.

pub mod access;
mod capacity;
mod charts;
mod consistency;
mod kept;
pub mod network;
mod output;
mod policy;
mod references;
mod rotation;
mod schema;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::finding::{Class, Finding, Severity, any_error};
use crate::manifest::{Changes, Digest, Unit};
use crate::memo::Memo;
use crate::plan::Plan;
use crate::render::RenderedUnit;
use crate::source::Source;
pub use kept::Kept;

/// What the checks see.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The files.
    pub source: &'a Source,
    /// The fleet with every value decided.
    pub plan: &'a Plan<'a>,
    /// The units that were rendered.
    pub units: &'a Arc<Vec<RenderedUnit>>,
    /// The units that stay in the output beside those.
    pub kept: &'a Kept<'a>,
    /// Clusters of which every unit stays in the output: they passed when they were written.
    pub settled: &'a BTreeSet<String>,
    /// What earlier runs found out.
    pub memo: &'a Memo,
}

/// What a check has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran; nothing found is a pass.
    Ran(Vec<Finding>),
    /// It could not run, and why. This never passes.
    NotChecked(String),
}

/// One check.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Stable id, the first part of its rules.
    pub id: &'static str,
    /// What it proves, in one line.
    pub proves: &'static str,
    run: fn(&Input<'_>) -> Outcome,
}

/// The table of checks.
pub static CHECKS: [Check; 14] = [
    Check { id: "charts", proves: "the charts hold what was reviewed", run: charts::check },
    Check { id: "chart-values", proves: "the values of every release are valid for their chart", run: values::check },
    Check { id: "duplicates", proves: "no object is rendered twice", run: output::duplicates },
    Check { id: "canonical", proves: "what is written parses back to what was meant", run: output::parses_back },
    Check { id: "schema", proves: "every object is what its kind allows", run: schema::check },
    Check { id: "policy", proves: "the admission policies let every object pass", run: policy::check },
    Check { id: "no-secrets", proves: "no object of kind Secret is rendered", run: output::no_secret_objects },
    Check { id: "no-material", proves: "no manifest holds secret material", run: output::no_material },
    Check { id: "rotation", proves: "every rotation policy can be kept", run: rotation::check },
    Check {
        id: "access",
        proves: "every Secret is read by those that the inventory names, and by nobody else",
        run: access::check,
    },
    Check {
        id: "references",
        proves: "what an object names is rendered beside it, or brought by the platform",
        run: references::check,
    },
    Check { id: "consistency", proves: "no two tenants have the same addresses or names", run: consistency::check },
    Check { id: "capacity", proves: "the clusters hold what their tenants ask for", run: capacity::check },
    Check { id: "network", proves: "required flows work and forbidden ones are blocked", run: network::check },
];

/// A check's verdict, for reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The check.
    pub check: &'static str,
    /// What it proves.
    pub proves: &'static str,
    /// `passed`, `failed`, `exempted` (somebody answers for every error that it found) or `not-checked`.
    pub verdict: &'static str,
    /// Why it could not run, or what is exempted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Changes that passed every check.
#[derive(Debug, Clone)]
pub struct Verified {
    changes: Changes,
}

impl Verified {
    /// The changes.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }
}

/// Of each check, the tenants with errors that somebody answers for; `None` for what is no tenant's.
pub type Exempted = BTreeMap<&'static str, BTreeSet<Option<String>>>;

/// Everything that the checks had to say, and the units that it is about. Only [`run`] makes one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// One verdict a check.
    pub verdicts: Vec<Verdict>,
    /// All findings, sorted.
    pub findings: Vec<Finding>,
    /// What is exempted.
    pub exempted: Exempted,
    units: Arc<Vec<RenderedUnit>>,
}

impl Check {
    /// The check with an id.
    pub fn find(id: &str) -> Option<&'static Self> {
        CHECKS.iter().find(|check| check.id == id)
    }

    /// Runs this check alone. Only [`run`] can let anything be written.
    pub fn run(&self, input: &Input<'_>) -> Outcome {
        (self.run)(input)
    }
}

/// Runs every check over what was rendered.
pub fn run(input: &Input<'_>) -> Report {
    run_table(&CHECKS, input, &|_| ())
}

/// As [`run`]; `exempt` marks the findings that somebody answers for.
pub fn run_exempting(input: &Input<'_>, exempt: &dyn Fn(&mut [Finding])) -> Report {
    run_table(&CHECKS, input, exempt)
}

fn run_table(table: &[Check], input: &Input<'_>, exempt: &dyn Fn(&mut [Finding])) -> Report {
    let outcomes: Vec<Outcome> = table.par_iter().map(|check| (check.run)(input)).collect();
    let (mut verdicts, mut findings, mut exempted) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (check, outcome) in table.iter().zip(outcomes) {
        let (verdict, reason) = match outcome {
            Outcome::Ran(mut found) => {
                exempt(&mut found);
                let answered = found.iter().filter(|one| one.exempted.is_some() && one.severity == Severity::Error);
                let tenants: Vec<Option<String>> = answered.map(|one| one.tenant.clone()).collect();
                let (verdict, reason) = match (any_error(&found), tenants.len()) {
                    (true, _) => ("failed", None),
                    (false, 0) => ("passed", None),
                    (false, count) => ("exempted", Some(format!("somebody answers for {count} of its findings"))),
                };
                exempted.insert(check.id, tenants.into_iter().collect());
                findings.extend(found);
                (verdict, reason)
            }
            Outcome::NotChecked(reason) => {
                let message = format!("{}: could not be checked: {reason}", check.proves);
                findings.push(Finding::error("check/not-checked", Class::Incomplete, message));
                ("not-checked", Some(reason))
            }
        };
        verdicts.push(Verdict { check: check.id, proves: check.proves, verdict, reason });
    }
    findings.sort();
    Report { verdicts, findings, exempted, units: Arc::clone(input.units) }
}

impl Report {
    /// Leave to write the very units that were checked, if nothing stands against it, beside what stays and what goes.
    /// Each unit goes as soon as it is bytes: give up other hold of them before, or a fleet is in memory twice.
    pub fn admit(
        &mut self,
        keep: BTreeMap<String, Digest>,
        remove: Vec<String>,
        finish: impl Fn(&RenderedUnit, &[Verdict]) -> Unit + Sync,
    ) -> Option<Verified> {
        let units = Arc::unwrap_or_clone(std::mem::take(&mut self.units));
        if any_error(&self.findings) {
            return None;
        }
        let finish = |unit: RenderedUnit| {
            let unit = finish(&unit, &self.verdicts);
            (unit.path.clone(), unit)
        };
        let write = units.into_par_iter().map(finish).collect();
        Some(Verified { changes: Changes { write, keep, remove } })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::render::{self, Before, Made, Templates};

    /// What a check says of a whole fleet.
    pub(crate) fn rendered(source: &Source, check: fn(&Input<'_>) -> Outcome) -> Outcome {
        beside(source, &Memo::default(), &BTreeMap::new(), check)
    }

    /// Renders what is not recorded, as a run does, and asks something about it and what stays.
    pub(crate) fn beside<T>(
        source: &Source,
        memo: &Memo,
        recorded: &BTreeMap<String, Digest>,
        ask: impl FnOnce(&Input<'_>) -> T,
    ) -> T {
        let (fleet, findings) = crate::config::parse(source);
        let fleet = fleet.unwrap_or_else(|| panic!("{findings:#?}"));
        let (plan, findings) = crate::plan::plan(&fleet, source);
        let plan = plan.unwrap_or_else(|| panic!("{findings:#?}"));
        let templates = Templates::load(source.below("templates/")).unwrap();
        let (jobs, rest) = (render::jobs(&plan, "0"), Digest::of(b"rest"));
        let (mut units, mut stay) = (Vec::new(), Vec::new());
        for job in &jobs {
            let before = Before { recorded: recorded.get(&job.path).copied(), memo, rest };
            match job.make(&templates, before).unwrap() {
                Made::Rendered(unit) => units.push(unit),
                Made::Kept(inputs) => stay.push((job, inputs)),
            }
        }
        let (units, kept, settled) = (Arc::new(units), Kept::new(&templates, stay), BTreeSet::new());
        ask(&Input { source, plan: &plan, units: &units, kept: &kept, settled: &settled, memo })
    }

    #[test]
    fn what_could_not_be_checked_never_passes() {
        let source = crate::render::tests::source();
        let fleet = crate::render::tests::fleet();
        let plan = crate::plan::plan(&fleet, &source).0.unwrap();
        let (units, kept, settled, memo) = (Arc::default(), Kept::default(), BTreeSet::new(), Memo::default());
        let input = Input { source: &source, plan: &plan, units: &units, kept: &kept, settled: &settled, memo: &memo };
        let table = [Check { id: "x", proves: "y", run: |_| Outcome::NotChecked("no eyes".into()) }];
        let mut report = run_table(&table, &input, &|_| ());
        assert_eq!(report.verdicts[0].verdict, "not-checked");
        assert_eq!(crate::finding::exit_code(&report.findings), 6);
        assert!(report.admit(BTreeMap::new(), Vec::new(), |unit, _| unit.finish()).is_none());
    }
}
