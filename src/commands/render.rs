//! `render`: check, then write a commit or a folder.

use std::collections::BTreeSet;
use std::path::Path;

use super::budget;
use super::check::whole;
use super::fleet::{self, Checked, Counts, Loaded};
use super::memo;
use super::screen::Screen;
use super::timings::{Start, Timings};
use crate::cli::RenderArgs;
use crate::config::Fleet;
use crate::config::tenant::State;
use crate::error::{Error, Result, exit};
use crate::finding::{Class, Finding, Location, exit_code};
use crate::output::{self, Baseline, Committed, Edits, Message, Options, Outcome, Repo, Target, Time, WorkTree};
use crate::plan::budget::TRAILER;
use crate::report::Report;

/// Runs the command.
pub fn run(screen: &Screen, args: &RenderArgs) -> Result<u8> {
    let mut timings = Timings::default();
    let bar = screen.progress("rendering");
    let root = &screen.global().fleet;
    let loaded = fleet::load_on(args.now.unwrap_or_else(super::origin::today), root, &mut timings)?;
    let code = match &args.out {
        Some(out) => into_folder(screen, args, &loaded, out, &mut timings),
        None => into_repository(screen, args, &loaded, root, &mut timings),
    };
    timings.step("memo", || memo::save(root, &loaded));
    bar.finish_and_clear();
    screen.timings(&timings);
    code
}

/// A run that was refused: its findings are on the screen already.
struct Refused(u8);

fn into_repository(
    screen: &Screen,
    args: &RenderArgs,
    loaded: &Loaded,
    root: &Path,
    timings: &mut Timings,
) -> Result<u8> {
    let location =
        if is_relative_path(&args.repo) { root.join(&args.repo).display().to_string() } else { args.repo.clone() };
    let target = Target::parse(&location, &args.branch, args.path.as_deref(), args.push)?;
    let mut repo = Repo::open(&target, super::cache_folder().as_deref())?;
    if args.check {
        let baseline = timings.step("baseline", || repo.baseline())?;
        return stale(screen, args, loaded, &baseline, timings);
    }
    let origin = super::origin::of(root)?;
    let mut refused = None;
    let mut counts = Counts::default();
    let mut last = Start::now();
    let outcome = output::publish(&mut repo, options(args), |baseline| {
        timings.since("baseline", last);
        let checked = match admit(screen, args, loaded, baseline, timings)? {
            Ok(checked) => checked,
            Err(Refused(code)) => {
                refused = Some(code);
                return Err(Error::guard("refused"));
            }
        };
        counts = checked.counts.clone();
        // The same files were rendered before they were committed: now it can be said which commit has them.
        let is_committed = origin.revision.as_ref().is_some_and(|revision| !revision.ends_with("-dirty"));
        let anew = is_committed && baseline.is_from_no_commit()?;
        let message = Message { anew, ..message(loaded, &origin, &checked) };
        let verified = checked.verified.ok_or_else(|| Error::internal("a render without findings was not verified"))?;
        last = Start::now();
        Ok((verified, message))
    });
    if refused.is_none() {
        timings.since("commit", last);
    }
    if let Some(code) = refused {
        return Ok(code);
    }
    let outcome = outcome?;
    summary(screen, &counts);
    match outcome {
        Outcome::Unchanged { commit } => {
            let at = commit.map(|commit| format!(" at {commit}")).unwrap_or_default();
            screen.say(&format!("nothing changed: {} of {location} stays{at}", args.branch));
        }
        Outcome::Committed(done) => committed(screen, args, &location, &done),
        Outcome::Moved { .. } => return Err(Error::environment("the branch moved during the run").hint("run it again")),
    }
    Ok(exit::OK)
}

fn into_folder(screen: &Screen, args: &RenderArgs, loaded: &Loaded, out: &Path, timings: &mut Timings) -> Result<u8> {
    let baseline = timings.step("baseline", || output::dir::baseline(out))?;
    if args.check {
        return stale(screen, args, loaded, &baseline, timings);
    }
    let checked = match admit(screen, args, loaded, &baseline, timings)? {
        Ok(checked) => checked,
        Err(Refused(code)) => return Ok(code),
    };
    let verified = checked.verified.ok_or_else(|| Error::internal("a render without findings was not verified"))?;
    let outcome = timings.step("write", || output::dir::write(out, &baseline, &verified, options(args)))?;
    summary(screen, &checked.counts);
    match outcome {
        output::dir::Outcome::Unchanged => screen.say(&format!("nothing changed: {} stays", out.display())),
        output::dir::Outcome::Written { .. } => screen.say(&format!("written to {}", out.display())),
        output::dir::Outcome::Moved => {
            return Err(Error::environment("the folder changed during the run").hint("run it again"));
        }
    }
    Ok(exit::OK)
}

/// `--check`: says whether the output is what the fleet renders to.
fn stale(
    screen: &Screen,
    args: &RenderArgs,
    loaded: &Loaded,
    baseline: &Baseline,
    timings: &mut Timings,
) -> Result<u8> {
    baseline.refuse_edits()?;
    let checked = match admit(screen, args, loaded, baseline, timings)? {
        Ok(checked) => checked,
        Err(Refused(code)) => return Ok(code),
    };
    let changes = checked.verified.as_ref().map(|verified| verified.changes().clone()).unwrap_or_default();
    let paths: Vec<&String> = changes.write.keys().chain(&changes.remove).collect();
    for path in &paths {
        screen.say(&format!("stale: {path}"));
    }
    Ok(if paths.is_empty() { exit::OK } else { exit::FINDINGS })
}

/// Renders on a baseline, if neither its edits nor its vanished tenants nor any finding stands against it.
fn admit(
    screen: &Screen,
    args: &RenderArgs,
    loaded: &Loaded,
    baseline: &Baseline,
    timings: &mut Timings,
) -> Result<Result<Checked, Refused>> {
    if !args.discard_edits {
        baseline.refuse_edits()?;
    }
    let root = &screen.global().fleet;
    let mut checked = on_baseline(args, loaded, baseline, timings);
    if let Some(verified) = &checked.verified {
        let given = budget::Given { limits: &args.max_delete, named: &args.allow_delete };
        let verdict = timings.step("budget", || budget::judge(root, loaded, baseline, verified.changes(), given))?;
        checked.findings.extend(verdict.findings);
        checked.findings.sort();
        checked.acknowledged = verdict.used;
    }
    let code = exit_code(&checked.findings);
    let report = Report { command: "render", verdicts: checked.verdicts.clone(), findings: checked.findings.clone() };
    timings.step("report", || screen.report(&report, &loaded.source))?;
    if code != exit::OK {
        screen.complain("nothing was written");
        return Ok(Err(Refused(code)));
    }
    Ok(Ok(checked))
}

fn on_baseline(args: &RenderArgs, loaded: &Loaded, baseline: &Baseline, timings: &mut Timings) -> Checked {
    let mut findings = loaded.findings.clone();
    let Some(plan) = timings.step("plan", || fleet::plan(loaded, &mut findings)) else { return whole(loaded, timings) };
    let prepared = timings.step("prepare", || fleet::prepare(loaded, &plan, &mut findings));
    let Some(prepared) = prepared else { return whole(loaded, timings) };
    let rendered: BTreeSet<&str> = prepared.jobs.iter().map(|job| job.path.as_str()).collect();
    let gone = baseline.units.keys().filter(|path| !rendered.contains(path.as_str()));
    let mut remove = Vec::new();
    for path in gone {
        match may_go(plan.fleet, path, &args.allow_delete) {
            Ok(()) => remove.push(path.clone()),
            Err(finding) => findings.push(*finding),
        }
    }
    let recorded = |path: &str| baseline.keepable(path, fleet::VERSION);
    fleet::check(loaded, &plan, &prepared, &recorded, remove, findings, timings)
}

/// Whether a unit of the output that the fleet no longer renders may be removed: its tenant was retired, or the
/// command line names it.
pub(super) fn may_go(fleet: &Fleet, path: &str, allowed: &[String]) -> Result<(), Box<Finding>> {
    let Some(slug) = path.split_once("/tenants/").map(|(_, slug)| slug) else {
        let name = path.trim_start_matches("clusters/");
        if allowed.iter().any(|allowed| allowed == name) {
            return Ok(());
        }
        let finding = Finding::error(
            "render/vanished-unit",
            Class::Guard,
            format!("{path} is in the output, but no cluster of install.yaml has it"),
        );
        let hint = format!("put the cluster back, or delete it knowingly with --allow-delete {name}");
        return Err(Box::new(finding.at(Location::file("install.yaml")).hint(hint)));
    };
    let tenant = fleet.tenants.get(slug);
    let is_retired = tenant.is_some_and(|tenant| tenant.lifecycle.state == State::Retired);
    if is_retired || allowed.iter().any(|allowed| allowed == slug) {
        return Ok(());
    }
    let why = match tenant {
        None => format!("tenant {slug} is in the output, but its file vanished and it was never retired"),
        Some(tenant) if tenant.lifecycle.state.is_rendered() => {
            format!(
                "tenant {slug} moved to cluster {}: its data on the old one would be deleted",
                tenant.tenant.cluster
            )
        }
        Some(tenant) => {
            format!("tenant {slug} is in the output, but its state went back to {}", tenant.lifecycle.state.as_str())
        }
    };
    let hint = format!("put it back and retire it, or delete its manifests knowingly with --allow-delete {slug}");
    let finding = Finding::error("render/vanished-tenant", Class::Guard, why).tenant(slug);
    Err(Box::new(finding.at(Location::file(crate::config::tenant_file(slug))).hint(hint)))
}

fn options(args: &RenderArgs) -> Options<'static> {
    let edits = if args.discard_edits { Edits::Discard } else { Edits::Refuse };
    Options { tool_version: fleet::VERSION, edits }
}

fn message(loaded: &Loaded, origin: &super::origin::Origin, checked: &Checked) -> Message {
    let counts = &checked.counts;
    let kept = counts.units - counts.rendered;
    let label = loaded.fleet.as_ref().map_or("", |fleet| fleet.install.install.install_label.as_str());
    let mut trailers = Vec::new();
    if let Some(revision) = &origin.revision {
        trailers.push(("Source-Revision".to_owned(), revision.clone()));
    }
    // Who said that more may vanish than the budget allows stays readable beside the deletion.
    trailers.extend(checked.acknowledged.iter().map(|said| (TRAILER.to_owned(), said.clone())));
    trailers.push(("Tool-Version".to_owned(), fleet::VERSION.to_owned()));
    Message {
        subject: format!("render {label}: {} of {} units", counts.rendered, counts.units),
        body: format!("{} rendered, {kept} unchanged.", counts.rendered),
        trailers,
        time: Time { seconds: origin.seconds, offset: 0 },
        author: None,
        anew: false,
    }
}

fn summary(screen: &Screen, counts: &Counts) {
    let kept = counts.units - counts.rendered;
    screen.say(&format!("{} units: {} rendered, {kept} unchanged", counts.units, counts.rendered));
    if !counts.kinds.is_empty() {
        let total: usize = counts.kinds.values().sum();
        let kinds: Vec<String> = counts.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        screen.say(&format!("{total} objects: {}", kinds.join(", ")));
    }
}

fn committed(screen: &Screen, args: &RenderArgs, location: &str, done: &Committed) {
    screen.say(&format!("commit {} on {} of {location}", done.commit, args.branch));
    if let WorkTree::Left { reason, .. } = &done.work_tree {
        screen.say(&format!("its work tree was left as it is: {reason}"));
    }
    if !args.push {
        screen.say(&format!(
            "next: git -C {location} show --stat {}, then push it where Flux or Argo CD looks",
            args.branch
        ));
    }
}

/// A path that is meant from the fleet, not a URL and not absolute.
fn is_relative_path(repo: &str) -> bool {
    !repo.contains(':') && !Path::new(repo).is_absolute()
}
