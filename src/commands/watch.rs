//! `watch`: checks again as files are saved, and shows what the change does to the manifests.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use notify_debouncer_full::notify::RecursiveMode;
use notify_debouncer_full::{DebounceEventResult, new_debouncer};

use super::budget::{self, Given};
use super::check::whole;
use super::fleet;
use super::screen::Screen;
use super::timings::Timings;
use crate::cli::WatchArgs;
use crate::error::{Error, Result};
use crate::finding::{Finding, exit_code};
use crate::manifest::{Changes, PROVENANCE, STATEMENT, Unit};
use crate::output::Target;
use crate::plan::vanished::{Pair, Vanished};
use crate::report::{Report, Style};

/// How long files must rest before they are read.
const QUIET: Duration = Duration::from_millis(150);

/// Manifests by path.
type Files = BTreeMap<String, String>;

/// Runs the command until it is interrupted.
pub fn run(screen: &Screen, args: &WatchArgs) -> Result<u8> {
    let root = std::fs::canonicalize(&screen.global().fleet).map_err(|error| {
        Error::environment(format!("cannot open the fleet {}", screen.global().fleet.display())).cause(error)
    })?;
    let (sender, saved) = mpsc::channel();
    let mut debouncer = new_debouncer(QUIET, None, move |event: DebounceEventResult| {
        // Nobody listens any more once the program ends.
        let _ = sender.send(event);
    })
    .map_err(|error| Error::environment("cannot watch files").cause(error))?;
    for folder in [".", "tenants", "policies", "templates"] {
        let mode = if folder == "." { RecursiveMode::NonRecursive } else { RecursiveMode::Recursive };
        if root.join(folder).is_dir() {
            debouncer
                .watch(root.join(folder), mode)
                .map_err(|error| Error::environment("cannot watch files").cause(error))?;
        }
    }
    let mut before = committed(&root, args)?;
    let mut code = look(screen, &root, &mut before)?;
    if args.once {
        return Ok(code);
    }
    loop {
        screen.say("watching: save a file of the fleet, or end with Ctrl-C");
        match saved.recv() {
            Ok(Ok(events)) if events.iter().all(|event| event.paths.iter().all(|path| is_output(&root, path))) => {
                continue;
            }
            Ok(Ok(_)) => code = look(screen, &root, &mut before)?,
            Ok(Err(errors)) => {
                let error = Error::environment("the file system stopped telling of changes");
                return Err(errors.iter().fold(error, |error, cause| error.cause(cause)));
            }
            Err(_) => break,
        }
    }
    Ok(code)
}

/// Whether a path is the rendered output, which a render in another window may write.
fn is_output(root: &Path, path: &Path) -> bool {
    path.strip_prefix(root).is_ok_and(|path| path.starts_with("rendered") || path.starts_with(".git"))
}

/// Checks the fleet and shows findings, or the difference to what was there before.
fn look(screen: &Screen, root: &Path, before: &mut Files) -> Result<u8> {
    let mut timings = Timings::default();
    let loaded = match fleet::load(root, &mut timings) {
        Ok(loaded) => loaded,
        Err(error) => {
            screen.complain(&format!("error: {error}"));
            return Ok(error.exit_code());
        }
    };
    let checked = whole(&loaded, &mut timings);
    let code = exit_code(&checked.findings);
    let now = checked.verified.as_ref().map(|verified| files(verified.changes()));
    let mut findings = checked.findings;
    if let Some(now) = &now {
        findings.extend(deletions(root, &loaded, before, now)?);
        findings.sort();
    }
    screen.report(&Report { command: "watch", verdicts: checked.verdicts, findings }, &loaded.source)?;
    if let Some(now) = now {
        screen.print(&difference(before, &now, screen.style(std::io::stdout().is_terminal())))?;
        *before = now;
    }
    screen.timings(&timings);
    Ok(code)
}

fn files(changes: &Changes) -> Files {
    let units = changes.write.iter();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let own = |(path, unit): (&String, &Unit)| {
        let manifests = unit.files.iter().filter(|(name, _)| *name != STATEMENT);
        manifests.map(|(name, bytes)| (format!("{path}/{name}"), text(bytes))).collect::<Vec<_>>()
    };
    units.flat_map(own).collect()
}

/// Warnings of what would vanish beyond the budget.
fn deletions(root: &Path, loaded: &fleet::Loaded, before: &Files, now: &Files) -> Result<Vec<Finding>> {
    let unit = |path: &str| path.rsplit_once('/').map_or(String::new(), |(unit, _)| unit.to_owned());
    let mut pairs: BTreeMap<String, Pair> = BTreeMap::new();
    let manifests = |path: &&String| !path.ends_with("/kustomization.yaml");
    for path in now.keys() {
        pairs.entry(unit(path)).or_default().after = Some(Vec::new());
    }
    for (path, text) in before.iter().filter(|(path, _)| manifests(path)) {
        let pair = pairs.entry(unit(path)).or_default();
        let side = if now.get(path) == Some(text) { &mut pair.same } else { &mut pair.before };
        side.push(text.clone().into_bytes());
    }
    for (path, text) in now.iter().filter(|(path, text)| manifests(path) && before.get(*path) != Some(text)) {
        let pair = pairs.entry(unit(path)).or_default();
        pair.after.get_or_insert_default().push(text.clone().into_bytes());
    }
    let tenants = before.keys().map(|path| unit(path)).filter(|unit| unit.contains("/tenants/"));
    let tenants = tenants.collect::<std::collections::BTreeSet<_>>().len();
    let verdict = budget::weigh(root, loaded, &Vanished::of(pairs), tenants, None, Given::default())?;
    Ok(budget::warnings(verdict))
}

/// The manifests at the tip of the output's branch; none if there is no output yet.
fn committed(root: &Path, args: &WatchArgs) -> Result<Files> {
    let location = root.join(&args.repo).display().to_string();
    let target = Target::parse(&location, &args.branch, None, false)?;
    let mut files = Files::new();
    if !Path::new(&location).exists() {
        return Ok(files);
    }
    let damaged = |error: git2::Error| Error::environment(format!("cannot read {location}")).cause(error.message());
    let repository = git2::Repository::open(&location).map_err(damaged)?;
    let Ok(reference) = repository.find_reference(&format!("refs/heads/{}", target.branch)) else { return Ok(files) };
    let tree = reference.peel_to_tree().map_err(damaged)?;
    let mut failure = None;
    tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
        let name = entry.name().unwrap_or_default();
        if entry.kind() == Some(git2::ObjectType::Blob)
            && folder.starts_with("clusters/")
            && name != PROVENANCE
            && name != STATEMENT
        {
            match repository.find_blob(entry.id()) {
                Ok(blob) => {
                    drop(files.insert(format!("{folder}{name}"), String::from_utf8_lossy(blob.content()).into_owned()))
                }
                Err(error) => failure = Some(error),
            }
        }
        git2::TreeWalkResult::Ok
    })
    .map_err(damaged)?;
    failure.map_or(Ok(files), |error| Err(damaged(error)))
}

/// Unified differences of every file, in order.
fn difference(before: &Files, now: &Files, style: Style) -> String {
    let mut paths: Vec<&String> = before.keys().chain(now.keys()).collect();
    paths.sort();
    paths.dedup();
    let empty = String::new();
    let mut out = String::new();
    for path in paths {
        let (old, new) = (before.get(path).unwrap_or(&empty), now.get(path).unwrap_or(&empty));
        if old == new {
            continue;
        }
        let diff = similar::TextDiff::from_lines(old.as_str(), new.as_str());
        let (from, to) =
            (if old.is_empty() { "/dev/null" } else { path }, if new.is_empty() { "/dev/null" } else { path });
        let text = diff.unified_diff().context_radius(3).header(from, to).to_string();
        out.push_str(&if style == Style::Coloured { coloured(&text) } else { text });
    }
    out
}

fn coloured(diff: &str) -> String {
    let paint = |line: &str| match line.as_bytes().first() {
        Some(b'+') => format!("\u{1b}[32m{line}\u{1b}[0m\n"),
        Some(b'-') => format!("\u{1b}[31m{line}\u{1b}[0m\n"),
        Some(b'@') => format!("\u{1b}[36m{line}\u{1b}[0m\n"),
        _ => format!("{line}\n"),
    };
    diff.lines().map(paint).collect()
}
