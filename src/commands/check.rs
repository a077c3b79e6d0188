//! `check`: everything that `render` does, without writing.

use super::budget;
use super::fleet::{self, Checked, Counts};
use super::memo;
use super::screen::Screen;
use super::timings::Timings;
use crate::cli::CheckArgs;
use crate::error::Result;
use crate::finding::exit_code;
use crate::report::Report;

/// Runs the command.
pub fn run(screen: &Screen, args: &CheckArgs) -> Result<u8> {
    let mut timings = Timings::default();
    let bar = screen.progress("checking");
    let loaded = fleet::load_on(args.now.unwrap_or_else(super::origin::today), &screen.global().fleet, &mut timings)?;
    let mut checked = whole(&loaded, &mut timings);
    if let Some(verified) = &checked.verified {
        checked.findings.extend(budget::against(&screen.global().fleet, &loaded, verified.changes(), args)?);
        checked.findings.sort();
    }
    memo::save(&screen.global().fleet, &loaded);
    bar.finish_and_clear();
    let code = exit_code(&checked.findings);
    let report = Report { command: "check", verdicts: checked.verdicts, findings: checked.findings };
    screen.report(&report, &loaded.source)?;
    for verdict in &report.verdicts {
        if screen.global().verbose > 0 {
            screen.say(&format!("{:>11}  {}: {}", verdict.verdict, verdict.check, verdict.proves));
        }
    }
    if code == 0 {
        let objects: usize = checked.counts.kinds.values().sum();
        let exempted = report.verdicts.iter().filter(|verdict| verdict.verdict == "exempted").count();
        let checks = report.verdicts.len() - exempted;
        let but = if exempted > 0 { format!(", {exempted} only by exemption") } else { String::new() };
        screen.say(&format!("{} units, {objects} objects: {checks} checks passed{but}", checked.counts.units));
    }
    screen.timings(&timings);
    Ok(code)
}

/// Plans, renders and checks the whole fleet.
pub fn whole(loaded: &fleet::Loaded, timings: &mut Timings) -> Checked {
    let mut findings = loaded.findings.clone();
    let Some(plan) = timings.step("plan", || fleet::plan(loaded, &mut findings)) else {
        return Checked::undecided(loaded, findings, Counts::default());
    };
    let prepared = timings.step("prepare", || fleet::prepare(loaded, &plan, &mut findings));
    let Some(prepared) = prepared else { return Checked::undecided(loaded, findings, Counts::default()) };
    fleet::check(loaded, &plan, &prepared, &|_| None, Vec::new(), findings, timings)
}
