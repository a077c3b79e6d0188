//! `verify`: an output tree is exactly what its recorded inputs render to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::check::whole;
use super::diff::base::Home;
use super::diff::held;
use super::fleet;
use super::screen::Screen;
use super::timings::Timings;
use crate::check::Verdict;
use crate::cli::VerifyTreeArgs;
use crate::error::{Error, Result};
use crate::finding::{Class, Finding, Location, exit_code};
use crate::manifest::{Digest, PROVENANCE, Provenance, STATEMENT, Unit};
use crate::output::{self, Held, HeldUnit, Location as Place, Signature};
use crate::report::Report;
use crate::source::{self, Source};

/// Trailers of a commit that this program made.
const SOURCE: &str = "Source-Revision";
const TOOL: &str = "Tool-Version";

/// Runs the command.
pub fn run(screen: &Screen, args: &VerifyTreeArgs) -> Result<u8> {
    let mut timings = Timings::default();
    let bar = screen.progress("verifying");
    let root = &screen.global().fleet;
    let held =
        timings.step("read", || held(root, &args.repo, &args.branch, args.path.as_deref(), args.rev.as_deref()))?;
    let (mut findings, mut verdicts) = (Vec::new(), Vec::new());
    let signed = signature(&held, args.require_signed, &mut findings)?;
    verdicts.push(signed);
    let made = made_by(&held)?;
    let tree = match recorded(&held, &made) {
        Ok(revision) => {
            let (compared, verdict) = rendered(root, args, &held, &revision, &mut timings)?;
            findings.extend(compared);
            verdict
        }
        Err(why) => {
            findings.push(incomplete(why.clone()));
            not_checked(why)
        }
    };
    verdicts.push(tree);
    bar.finish_and_clear();
    findings.sort();
    let code = exit_code(&findings);
    let report = Report { command: "verify", verdicts, findings };
    screen.report(&report, &Source::default())?;
    if code == 0 {
        let revision = made.trailer(SOURCE).unwrap_or_default();
        screen.say(&format!("{} units of {} are what {revision} renders to", units(&held).len(), held.commit));
    }
    screen.timings(&timings);
    Ok(code)
}

/// The commit that this program made last, from which the tree comes: others may have committed on top.
fn made_by(held: &Held) -> Result<output::Record> {
    held.last_record()?.ok_or_else(|| {
        Error::incomplete(format!("neither {} nor any commit before it says what it was rendered from", held.commit))
            .hint("`tenantry render` writes the trailers Source-Revision and Tool-Version into its commits")
    })
}

/// The revision of the fleet that the tree was rendered from, if this program can render it again.
fn recorded(held: &Held, made: &output::Record) -> Result<String, String> {
    let tool = made.trailer(TOOL).unwrap_or("another program");
    if tool != fleet::VERSION {
        return Err(format!(
            "{} was rendered by version {tool}, and this is {}: verify it with that version",
            held.commit,
            fleet::VERSION
        ));
    }
    match made.trailer(SOURCE) {
        None => Err(format!("{} was rendered from a fleet that lay in no repository", made.commit)),
        Some(revision) if revision.ends_with("-dirty") => {
            let why = format!("{} was rendered from files that were in no commit ({revision})", made.commit);
            Err(format!("{why}: commit them and run `tenantry render` again, which then records the commit"))
        }
        Some(revision) => Ok(revision.to_owned()),
    }
}

/// Renders the recorded revision again and compares.
fn rendered(
    root: &Path,
    args: &VerifyTreeArgs,
    held: &Held,
    revision: &str,
    timings: &mut Timings,
) -> Result<(Vec<Finding>, Verdict)> {
    let (repository, folder) = match &args.source {
        Some(source) => place(source, &args.source_branch)?,
        None => local(root)?,
    };
    let commit = git2::Oid::from_str(revision)
        .map_err(|error| Error::incomplete(format!("{revision:?} is no revision of a fleet")).cause(error.message()))?;
    let source = timings.step("read source", || source::revision::at(&repository, commit, &folder))?;
    if source.files.is_empty() {
        return Err(Error::environment(format!("{revision} holds no fleet in {:?}", folder))
            .hint("name the fleet that it was rendered from with --source"));
    }
    // What was exempted on the day of the render is so here, whatever day it is.
    let loaded = fleet::loaded_on(jiff::civil::Date::MIN, source, root, timings);
    let checked = whole(&loaded, timings);
    let Some(verified) = checked.verified else {
        let mut findings: Vec<Finding> =
            checked.findings.into_iter().filter(|one| one.severity == crate::finding::Severity::Error).collect();
        findings.iter_mut().for_each(|one| one.message = format!("at {revision}: {}", one.message));
        return Ok((findings, verdict("failed", None)));
    };
    let found = timings.step("compare", || compare(held, &verified.changes().write))?;
    let word = if crate::finding::any_error(&found) { "failed" } else { "passed" };
    Ok((found, verdict(word, None)))
}

/// The repository that was named, by a path or a URL; one behind a URL is copied, and has the fleet at its top.
fn place(source: &str, branch: &str) -> Result<(PathBuf, String)> {
    match Place::parse(source)? {
        Place::Path(path) => local(&path),
        Place::Url(url) => {
            let (copy, _) = output::fetch(&url, branch, super::cache_folder().as_deref())?;
            Ok((copy, String::new()))
        }
    }
}

/// The repository of a fleet and where the fleet lies in it; a bare repository has it at the top.
fn local(source: &Path) -> Result<(PathBuf, String)> {
    if let Ok(home) = Home::of(source) {
        return Ok((home.path(), home.folder.clone()));
    }
    let bare = git2::Repository::open(source).map_err(|error| {
        Error::environment(format!("{} is neither a fleet in a repository nor a bare repository", source.display()))
            .cause(error.message())
            .hint("name the fleet's repository with --source")
    })?;
    Ok((bare.path().to_owned(), String::new()))
}

/// Folders that hold a provenance file.
fn units(held: &Held) -> BTreeSet<&str> {
    let own = held.units.iter().filter(|(_, unit)| unit.files.contains_key(PROVENANCE));
    own.map(|(path, _)| path.as_str()).collect()
}

fn compare(held: &Held, wanted: &BTreeMap<String, Unit>) -> Result<Vec<Finding>> {
    let mut paths: BTreeSet<&str> = wanted.keys().map(String::as_str).collect();
    paths.extend(held.units.keys().map(String::as_str));
    let paths: Vec<&str> = paths.into_iter().collect();
    let one = |path: &&str| match (held.units.get(*path), wanted.get(*path)) {
        (Some(unit), Some(wanted)) => unit_as_rendered(held, unit, wanted),
        (None, Some(_)) => Ok(vec![error("verify/missing", path, "the unit is not in the tree".to_owned())]),
        (Some(unit), None) => Ok(vec![added(path, unit)]),
        (None, None) => Ok(Vec::new()),
    };
    let found: Vec<Vec<Finding>> = paths.par_iter().map(one).collect::<Result<_>>()?;
    let mut findings: Vec<Finding> = found.into_iter().flatten().collect();
    let beside = held.others.keys().filter(|path| path.starts_with("clusters/") && !is_exemptions(path));
    findings.extend(beside.map(|path| error("verify/added", path, "nothing renders this file".to_owned())));
    Ok(findings)
}

/// Whether a path is that of the exemptions of a cluster, which people write into the output.
fn is_exemptions(path: &str) -> bool {
    let name = path.strip_prefix("clusters/").and_then(|rest| rest.split_once('/'));
    name.is_some_and(|(_, name)| name == crate::drift::exempt::FILE)
}

/// A unit, or a folder that looks like one, that nothing renders.
fn added(path: &str, unit: &HeldUnit) -> Finding {
    let what = if unit.files.contains_key(PROVENANCE) { "unit" } else { "folder" };
    let files = unit.files.len();
    error("verify/added", path, format!("nothing renders this {what} of {files} files"))
        .hint("remove it from the output, or move it out of clusters/")
}

fn unit_as_rendered(held: &Held, unit: &HeldUnit, wanted: &Unit) -> Result<Vec<Finding>> {
    let mut files: BTreeMap<&str, Vec<u8>> =
        wanted.files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    files.insert(PROVENANCE, Provenance::of(wanted, fleet::VERSION).to_bytes());
    let recorded = match held.provenance(unit)? {
        Some(Ok(provenance)) => provenance.files,
        _ => BTreeMap::new(),
    };
    let mut findings = Vec::new();
    for (name, bytes) in &files {
        let path = format!("{}/{name}", wanted.path);
        let Some(file) = unit.files.get(*name) else {
            findings.push(error("verify/missing", &path, "the file is not in the tree".to_owned()));
            continue;
        };
        if !file.is_plain {
            findings.push(error("verify/mode", &path, "it is no ordinary file".to_owned()));
            continue;
        }
        let found = held.read(*file)?;
        if found != *bytes {
            findings.push(differs(&path, name, &found, bytes, recorded.get(*name)));
        }
    }
    for name in unit.files.keys().filter(|name| !files.contains_key(name.as_str())) {
        let path = format!("{}/{name}", wanted.path);
        let finding = error("verify/added", &path, "nothing renders this file".to_owned());
        findings.push(finding.hint("remove it from the unit's folder, which is synced and removed as a whole"));
    }
    Ok(findings)
}

/// A file that is not what renders: edited after the render, or written from other inputs.
fn differs(path: &str, name: &str, found: &[u8], wanted: &[u8], recorded: Option<&Digest>) -> Finding {
    let line = first_difference(found, wanted);
    let edited = recorded.is_some_and(|digest| Digest::of(found) != *digest);
    let (rule, message) = match name {
        _ if edited => ("verify/edited", "it was edited after it was rendered"),
        PROVENANCE => ("verify/differs", "it does not record what its inputs render to"),
        STATEMENT => ("verify/differs", "it does not state what was proved"),
        _ => ("verify/differs", "it is not what its recorded inputs render to"),
    };
    let mut finding = error(rule, path, message.to_owned());
    if let Some(place) = &mut finding.location {
        place.line = line;
    }
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let line = text.lines().nth(line as usize - 1).unwrap_or("(the end of the file)").trim().to_owned();
        crate::secrets::leak::mask(&line)
    };
    finding = finding.expected(text(wanted)).found(text(found));
    finding.hint("restore it from the commit that rendered it, or run `tenantry render --discard-edits`")
}

/// The first line that differs, from 1.
fn first_difference(one: &[u8], other: &[u8]) -> u32 {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let lines = one[..same].iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(lines + 1).unwrap_or(u32::MAX)
}

/// What is to be said of the commit's signature.
fn signature(held: &Held, required: bool, findings: &mut Vec<Finding>) -> Result<Verdict> {
    let proves = "the commit was signed by somebody whom Git's configuration trusts";
    let of = |verdict, reason: Option<String>| Verdict { check: "signature", proves, verdict, reason };
    Ok(match held.signature()? {
        Signature::Good(who) => of("passed", Some(who)),
        Signature::Bad(why) => {
            let message = format!("the signature of {} is not trusted: {why}", held.commit);
            let hint = "SSH: gpg.ssh.allowedSignersFile names whom to trust; GPG: the signer's key must be known here";
            findings.push(Finding::error("verify/signature", Class::Check, message).hint(hint));
            of("failed", Some(why))
        }
        Signature::None if required => {
            let message = format!("{} is not signed", held.commit);
            let hint = "`git config commit.gpgSign true` in the output repository lets `tenantry render` sign";
            findings.push(Finding::error("verify/signature", Class::Check, message).hint(hint));
            of("failed", None)
        }
        Signature::None => of("none", Some("the commit is not signed, and no signature is required".into())),
    })
}

fn error(rule: &'static str, path: &str, message: String) -> Finding {
    let tenant = path.split_once("/tenants/").and_then(|(_, rest)| rest.split('/').next());
    let finding = Finding::error(rule, Class::Check, message).at(Location::file(path));
    match tenant {
        Some(slug) => finding.tenant(slug),
        None => finding,
    }
}

fn incomplete(why: String) -> Finding {
    Finding::error("verify/not-verifiable", Class::Incomplete, why)
}

fn verdict(word: &'static str, reason: Option<String>) -> Verdict {
    let proves = "every unit is what its recorded inputs render to; nothing was edited, nothing added";
    Verdict { check: "tree", proves, verdict: word, reason }
}

fn not_checked(why: String) -> Verdict {
    verdict("not-checked", Some(why))
}
