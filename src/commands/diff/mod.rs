//! `diff`: what a change does to the manifests, for the person who reviews it.

mod access;
pub mod base;
mod charts;
mod expand;
mod live;
mod network;
mod owner;
mod release;
pub mod side;
mod units;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::Path;

use self::base::{Home, Named};
use self::charts::{Charts, Scratch};
use self::expand::{Expanded, Expander};
use self::live::{Live, Told};
use self::side::{Nothing, Rendering, Side, Stored};
use self::units::Outcome;
use super::fleet::{self, Loaded, Prepared};
use super::screen::Screen;
use super::timings::Timings;
use super::{detailed, memo};
use crate::charts::Helm;
use crate::cli::{DiffArgs, Format};
use crate::cluster::dump;
use crate::config::tenant::State;
use crate::diff::{Kinds, Moved, UnitChange};
use crate::error::{Error, Result, exit};
use crate::finding::{Finding, any_error, exit_code};
use crate::output::{self, Held, Location, Target};
use crate::plan::Plan;
use crate::report::diff::{self as report, Document, Input, Verdict};
use crate::report::{Detail, Report};
use crate::source;

/// Runs the command.
pub fn run(screen: &Screen, args: &DiffArgs) -> Result<u8> {
    let code = compare(screen, args);
    if args.detailed_exitcode { detailed(screen, code) } else { code }
}

fn compare(screen: &Screen, args: &DiffArgs) -> Result<u8> {
    let mut timings = Timings::default();
    let bar = screen.progress("comparing");
    let root = &screen.global().fleet;
    let (loaded, head) = head(root, args, &mut timings)?;
    let mut findings = loaded.findings.clone();
    let plan = timings.step("plan", || fleet::plan(&loaded, &mut findings));
    let prepared = plan.as_ref().and_then(|plan| fleet::prepare(&loaded, plan, &mut findings));
    let (Some(plan), Some(prepared)) = (&plan, &prepared) else { return refused(screen, findings, &loaded) };
    let after = Rendering::new(&loaded, plan, prepared, None);
    let found = match (&args.repo, &args.live) {
        (Some(repo), _) => against_output(root, repo, args, &after, &mut timings),
        (None, Some(dump)) => against_dump(root, dump, args, &after, &mut timings),
        (None, None) => against_fleet(root, args, head.1, &after, &mut timings),
    };
    let (mut input, outcome) = found?;
    memo::save(root, &loaded);
    bar.finish_and_clear();
    if any_error(&outcome.after) {
        return refused(screen, outcome.after, &loaded);
    }
    if let Some(first) = outcome.before.first() {
        let error = Error::incomplete(format!("{} cannot be rendered: {}", input.base.name, first.message));
        return Err(error.hint("name another revision with --base"));
    }
    input.head = head.0;
    input.notes.extend(refusals(plan, &outcome));
    let changes = timings.step("fold", || outcome.folder.finish());
    let input = Input { common: (outcome.common, outcome.same), units: outcome.units, changes, ..input };
    let document = Document::new(input, fleet::VERSION);
    timings.step("report", || emit(screen, &document))?;
    screen.timings(&timings);
    Ok(match document.verdict {
        Verdict::Same => exit::OK,
        Verdict::Differs => exit::FINDINGS,
        Verdict::Incomplete => exit::INCOMPLETE,
    })
}

/// The fleet after the change: the files as they are, or a revision. With it, what to call it and its commit.
fn head(root: &Path, args: &DiffArgs, timings: &mut Timings) -> Result<(Loaded, (report::Side, Option<git2::Oid>))> {
    let side = |name: &str, revision| report::Side { what: "fleet", name: name.to_owned(), revision };
    let Some(name) = &args.head else {
        return Ok((fleet::load(root, timings)?, (side("the files as they are", None), None)));
    };
    let home = Home::of(root)?;
    let named = home.revision(name)?;
    let source = timings.step("read", || source::revision::at(&home.path(), named.commit, &home.folder))?;
    if source.files.is_empty() {
        return Err(Error::user(format!("{name} holds no fleet here")).hint("name a revision that has install.yaml"));
    }
    let loaded = fleet::loaded(source, root, timings);
    Ok((loaded, (side(name, Some(named.commit.to_string())), Some(named.commit))))
}

/// Compares with the fleet at another revision.
fn against_fleet(
    root: &Path,
    args: &DiffArgs,
    head: Option<git2::Oid>,
    after: &Rendering<'_>,
    timings: &mut Timings,
) -> Result<(Input, Outcome)> {
    let home = Home::of(root)?;
    let Named { commit, name } = home.merge_base(args.base.as_deref(), head)?;
    let base = report::Side { what: "fleet", name, revision: Some(commit.to_string()) };
    let source = timings.step("read base", || source::revision::at(&home.path(), commit, &home.folder))?;
    if source.files.is_empty() {
        let (input, outcome) = both(root, args, (&Nothing, after), after, base, timings)?;
        let mut input = input;
        input.notes.push("the base holds no fleet: everything is new".to_owned());
        return Ok((input, outcome));
    }
    let loaded = fleet::loaded(source, root, timings);
    let mut findings = loaded.findings.clone();
    let plan = timings.step("plan base", || fleet::plan(&loaded, &mut findings));
    let prepared = plan.as_ref().and_then(|plan| fleet::prepare(&loaded, plan, &mut findings));
    let (Some(plan), Some(prepared)): (&Option<Plan<'_>>, &Option<Prepared<'_>>) = (&plan, &prepared) else {
        let mut error = Error::incomplete(format!("the fleet at {} is invalid: nothing can be compared", base.name));
        for finding in findings.iter().filter(|finding| finding.severity == crate::finding::Severity::Error).take(5) {
            let place = finding.location.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
            error = error.cause(format!("{place}{}", finding.message));
        }
        return Err(error.hint("name an older or newer revision with --base"));
    };
    let before = Rendering::new(&loaded, plan, prepared, Some(after.templates()));
    let (mut input, outcome) = both(root, args, (&before, after), after, base, timings)?;
    input.notes.extend(hasty(plan, &outcome));
    Ok((input, outcome))
}

/// Tenants that go and were never decommissioned: their customers had no time to fetch their data.
fn hasty(before: &Plan<'_>, outcome: &Outcome) -> Vec<String> {
    let gone = outcome.units.iter().filter(|unit| unit.action == Moved::Removed);
    let states = gone.filter_map(|unit| {
        let slug = unit.tenant.as_deref()?;
        Some((slug, before.fleet.tenants.get(slug)?.lifecycle.state))
    });
    let hasty = states.filter(|(_, state)| *state != State::Decommissioning);
    hasty
        .map(|(slug, state)| {
            format!(
                "tenant {slug} goes and was {}: it had no grace period in which its data is fetched",
                state.as_str()
            )
        })
        .collect()
}

/// Compares with what an output repository holds.
fn against_output(
    root: &Path,
    repo: &str,
    args: &DiffArgs,
    after: &Rendering<'_>,
    timings: &mut Timings,
) -> Result<(Input, Outcome)> {
    let held = timings.step("read base", || held(root, repo, &args.branch, args.path.as_deref(), None))?;
    let base = report::Side {
        what: "output",
        name: format!("{} of {repo}", args.branch),
        revision: Some(held.commit.to_string()),
    };
    let before = timings.step("baseline", || Stored::new(&held))?;
    both(root, args, (&before, after), after, base, timings)
}

/// Compares with a saved dump of a cluster.
fn against_dump(
    root: &Path,
    path: &Path,
    args: &DiffArgs,
    after: &Rendering<'_>,
    timings: &mut Timings,
) -> Result<(Input, Outcome)> {
    let known: Vec<&str> = after.clusters();
    let cluster = match (args.cluster.as_deref(), known.as_slice()) {
        (Some(name), known) if known.contains(&name) => name,
        (None, [only]) => only,
        (named, known) => {
            let what =
                named.map_or("the fleet has several clusters".to_owned(), |name| format!("there is no cluster {name}"));
            return Err(Error::usage(what).hint(format!("name the dump's with --cluster: {}", known.join(", "))));
        }
    };
    let dump = timings.step("read dump", || dump::read(path))?;
    let base = report::Side { what: "live", name: format!("{} of {cluster}", path.display()), revision: None };
    let live = match timings.step("dump", || Live::new(&dump, after, cluster)) {
        Ok(live) => live,
        Err(after) => return Ok((Input::default(), Outcome { after, ..Outcome::default() })),
    };
    let told = Told { fleet: after, live: &live };
    let kinds = Kinds::default();
    live.catalog().kinds().for_each(|info| kinds.know(info.clone()));
    let (mut input, outcome) = with(root, args, (&live, &told), after, &kinds, base, timings)?;
    input.incomplete.extend(live.incomplete());
    Ok((input, outcome))
}

/// What an output repository holds at the tip of a branch, or at a revision.
///
/// # Errors
/// It cannot be read, or has no such branch or revision.
pub fn held(root: &Path, repo: &str, branch: &str, path: Option<&str>, revision: Option<&str>) -> Result<Held> {
    let relative = !repo.contains(':') && !Path::new(repo).is_absolute();
    let place = if relative { root.join(repo).display().to_string() } else { repo.to_owned() };
    let target = Target::parse(&place, branch, path, true)?;
    match &target.location {
        Location::Path(folder) => {
            let tip = format!("refs/heads/{branch}");
            output::hold(folder, revision.unwrap_or(&tip), target.path.as_deref())
        }
        Location::Url(url) => {
            let (folder, tip) = output::fetch(url, branch, super::cache_folder().as_deref())?;
            output::hold(&folder, revision.unwrap_or(&tip.to_string()), target.path.as_deref())
        }
    }
}

fn both(
    root: &Path,
    args: &DiffArgs,
    sides: (&dyn Side, &dyn Side),
    fleet: &Rendering<'_>,
    base: report::Side,
    timings: &mut Timings,
) -> Result<(Input, Outcome)> {
    with(root, args, sides, fleet, &Kinds::default(), base, timings)
}

/// Compares two sides, with what is known of their kinds.
fn with(
    root: &Path,
    args: &DiffArgs,
    (before, after): (&dyn Side, &dyn Side),
    fleet: &Rendering<'_>,
    kinds: &Kinds,
    base: report::Side,
    timings: &mut Timings,
) -> Result<(Input, Outcome)> {
    let scratch = args.expand.then(Scratch::new).transpose()?;
    let expander = scratch.as_ref().map(|scratch| {
        let sides = [before.source(), after.source()].map(|source| source.map(|source| &source.charts));
        let charts = Charts::new(scratch.path(), sides, args.charts.as_deref(), root, fleet.pinned());
        let helm = Helm::find(args.helm.as_deref(), scratch.path())?;
        Ok(Expander { helm, home: scratch.path(), charts })
    });
    let expander: Option<Expander<'_>> = expander.transpose()?;
    let mut outcome = timings.step("compare", || units::compare(before, after, kinds, expander.as_ref()));
    let mut input = Input { base, ..Input::default() };
    if let Some(expander) = &expander {
        let found = std::mem::take(&mut outcome.releases);
        let (expanded, incomplete, notes) = timings.step("helm", || expander.expand(before, after, found, kinds));
        note_made(&mut outcome.units, &expanded);
        for one in expanded {
            let units: Vec<(u32, &crate::diff::Naming)> =
                one.members.iter().map(|member| (member.number, &member.naming)).collect();
            if !one.changes.is_empty() {
                let were_same = one.members.iter().filter(|member| member.same).count();
                outcome.same = outcome.same.saturating_sub(were_same);
            }
            outcome.folder.take_alike(&units, one.changes);
        }
        input.incomplete.extend(incomplete);
        input.notes.extend(notes);
    }
    let (connections, incomplete) = timings.step("network", || network::changes(before, after, &outcome));
    input.connections = connections;
    input.incomplete.extend(incomplete);
    input.incomplete.append(&mut outcome.doubts);
    Ok((input, outcome))
}

/// Notes how much Helm makes of the releases of units that come or go.
fn note_made(units: &mut [UnitChange], expanded: &[Expanded]) {
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for one in expanded {
        for member in &one.members {
            *made.entry(&member.path).or_default() += one.whole.unwrap_or_default();
        }
    }
    for unit in units.iter_mut().filter(|unit| matches!(unit.action, Moved::Added | Moved::Removed)) {
        unit.made = made.get(unit.path.as_str()).copied();
    }
}

/// Units that go although nobody retired them: the render will refuse it.
fn refusals(plan: &Plan<'_>, outcome: &Outcome) -> Vec<String> {
    let gone = outcome.units.iter().filter_map(|unit| match unit.action {
        Moved::Added => None,
        Moved::Removed => Some(&unit.path),
        Moved::Renamed | Moved::Relocated => unit.from.as_ref(),
    });
    let refused = gone.filter_map(|path| super::render::may_go(plan.fleet, path, &[]).err());
    refused.map(|finding| format!("`tenantry render` will refuse this: {}", finding.message)).collect()
}

/// The fleet is invalid: its findings are the answer.
fn refused(screen: &Screen, mut findings: Vec<Finding>, loaded: &Loaded) -> Result<u8> {
    findings.sort();
    let code = exit_code(&findings);
    // A report of differences would say that there are none.
    let text = crate::report::text(
        &Report { command: "diff", verdicts: Vec::new(), findings },
        &loaded.source,
        screen.style(std::io::stderr().is_terminal()),
        Detail::Folded,
    );
    screen.complain(text.trim_end());
    screen.complain("nothing was compared: the fleet is invalid");
    Ok(code)
}

fn emit(screen: &Screen, document: &Document) -> Result<()> {
    let style = screen.style(std::io::stdout().is_terminal());
    let detail = if screen.global().verbose > 0 { Detail::Every } else { Detail::Folded };
    screen.write(|format| match format {
        Format::Text => Some(report::text(document, style, detail)),
        Format::Json => Some(report::json(document)),
        Format::Markdown => Some(report::markdown(document)),
        Format::Html => Some(report::html(document)),
        _ => None,
    })?;
    if document.verdict == Verdict::Same {
        screen.say(&report::headline(document));
    }
    Ok(())
}
