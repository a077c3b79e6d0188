//! Proves a proposal on the whole fleet, and shows, writes or commits it.

use serde_json::json;

use super::base::Base;
use super::owners;
use super::preview::{self, Preview};
use super::proposal::Proposal;
use super::words::{self, Proof};
use super::write;
use crate::cli::{Delivery, Format};
use crate::commands::check::whole;
use crate::commands::fleet::{self, Checked, Loaded};
use crate::commands::memo;
use crate::commands::screen::Screen;
use crate::commands::timings::Timings;
use crate::error::{Error, Result, exit};
use crate::finding::{Finding, Severity, exit_code};
use crate::report::Report;

/// What came of it, for reports.
struct Done {
    branch: Option<String>,
    commit: Option<String>,
}

/// Carries a proposal out.
pub fn deliver(
    screen: &Screen,
    base: &Base,
    mut proposal: Proposal,
    delivery: &Delivery,
    timings: &mut Timings,
) -> Result<u8> {
    if proposal.files.is_empty() {
        screen.say(&proposal.nothing);
        return Ok(exit::OK);
    }
    let source = match proposal.source(&base.loaded.source) {
        Ok(source) => source,
        Err(finding) => return refuse(screen, vec![finding], base),
    };
    let bar = screen.progress("proving");
    let after = fleet::loaded(source, &base.root, timings);
    let checked = whole(&after, timings);
    bar.finish_and_clear();
    report(screen, &proposal, &checked, &after)?;
    let code = exit_code(&checked.findings);
    if code != exit::OK {
        screen.complain("nothing was written: the fleet with this change does not pass");
        return Ok(code);
    }
    owners::follow(base, &mut proposal, &after)?;
    let proposal = &proposal;
    let preview = timings.step("compare", || preview::compare(&base.loaded, &after));
    let proof = Proof { counts: &checked.counts, checks: checked.verdicts.len() };
    let body = words::body(proposal, &preview, proof);
    let done = if delivery.dry_run { Done { branch: None, commit: None } } else { carry_out(base, proposal, &after)? };
    tell(screen, proposal, delivery, &done, &proof.line());
    screen.write(|format| match format {
        Format::Text => Some(text(proposal, &preview, delivery, &body)),
        Format::Markdown => Some(format!("## {}\n\n{body}", proposal.title)),
        Format::Json => Some(document(proposal, &preview, delivery, &done, &body)),
        _ => None,
    })?;
    Ok(exit::OK)
}

fn refuse(screen: &Screen, findings: Vec<Finding>, base: &Base) -> Result<u8> {
    let code = screen.refuse("edit", findings, &base.loaded.source)?;
    screen.complain("nothing was written");
    Ok(code)
}

/// Of the warnings only those about the tenants of the proposal are shown.
fn report(screen: &Screen, proposal: &Proposal, checked: &Checked, after: &Loaded) -> Result<()> {
    let tenants = proposal.tenants();
    let wanted = |finding: &&Finding| {
        let own = finding.tenant.as_deref().is_some_and(|slug| tenants.contains(slug));
        own || finding.severity != Severity::Warning
    };
    let findings: Vec<Finding> = checked.findings.iter().filter(wanted).cloned().collect();
    if findings.is_empty() {
        return Ok(());
    }
    let report = Report { command: "edit", verdicts: Vec::new(), findings };
    screen.words(&report, &after.source);
    Ok(())
}

fn carry_out(base: &Base, proposal: &Proposal, after: &Loaded) -> Result<Done> {
    let Some(ground) = &base.ground else {
        write::all(&base.root, &proposal.files)?;
        memo::save(&base.root, after);
        return Ok(Done { branch: None, commit: None });
    };
    let files: Vec<_> = proposal.files.iter().map(|file| (file.path.as_str(), file.after.as_deref())).collect();
    let seconds = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    let commit = ground.commit(&files, &words::message(proposal), seconds)?;
    Ok(Done { branch: Some(ground.branch().to_owned()), commit: Some(commit.to_string()) })
}

/// What was done, on standard error.
fn tell(screen: &Screen, proposal: &Proposal, delivery: &Delivery, done: &Done, proof: &str) {
    const LINES: usize = 20;
    for row in proposal.rows.iter().take(LINES) {
        screen.say(&format!("{}: {} {} → {}", row.tenant, row.field, row.from, row.to));
    }
    if proposal.rows.len() > LINES {
        screen.say(&format!("and {} more like these", proposal.rows.len() - LINES));
    }
    proposal.notes.iter().for_each(|note| screen.say(&format!("note: {note}")));
    screen.say(proof);
    match (&done.branch, &done.commit) {
        (Some(branch), Some(commit)) => {
            screen.say(&format!("commit {commit} on {branch}"));
            screen.say(&format!("next: git push origin {branch}, then open a pull request with the text below"));
        }
        _ if delivery.dry_run => screen.say("nothing was written"),
        _ => {
            let count = proposal.files.len();
            let files = if count == 1 { proposal.files[0].path.clone() } else { format!("{count} files") };
            screen.say(&format!("written: {files}"));
            proposal.next.iter().for_each(|line| screen.say(&format!("next: {line}")));
        }
    }
}

/// What goes to standard output: the differences of a dry run, the text for a pull request, or nothing.
fn text(proposal: &Proposal, preview: &Preview, delivery: &Delivery, body: &str) -> String {
    if delivery.dry_run {
        return format!("{}{}", file_diff(proposal), preview.diff());
    }
    if delivery.commit { format!("{}\n\n{body}", proposal.title) } else { String::new() }
}

fn file_diff(proposal: &Proposal) -> String {
    let files = proposal.files.iter();
    preview::unified(files.map(|file| (file.path.as_str(), file.before.as_deref(), file.after.as_deref())))
}

fn document(proposal: &Proposal, preview: &Preview, delivery: &Delivery, done: &Done, body: &str) -> String {
    let rows: Vec<_> = proposal
        .rows
        .iter()
        .map(|row| json!({ "tenant": row.tenant, "field": row.field, "from": row.from, "to": row.to }))
        .collect();
    let units: Vec<_> =
        preview.units.iter().map(|(path, kind)| json!({ "unit": path, "change": kind.as_str() })).collect();
    let value = json!({
        "apiVersion": "tenantry.io/v1",
        "kind": "Change",
        "title": proposal.title,
        "body": body,
        "files": proposal.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
        "values": rows,
        "units": units,
        "notes": proposal.notes,
        "next": proposal.next,
        "diff": file_diff(proposal),
        "written": !delivery.dry_run,
        "branch": done.branch,
        "commit": done.commit,
    });
    match serde_json::to_string_pretty(&value) {
        Ok(text) => text + "\n",
        Err(error) => Error::internal("the report is no JSON").cause(error).to_string(),
    }
}
