//! Output to plain files: the same units, the same ownership, exchanged as a whole.
//!
//! The new state of the lowest folder that holds all changes is staged beside the directory (files that stay are hard
//! links), flushed, and exchanged with the old one in a single rename. A kill leaves the old state or the new one, and
//! at most a stage that the next run clears away.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::fault;
use super::lock::Writer;
use super::pack::sync_folder;
use super::repo::Options;
use super::units::{self, Baseline, Edit, EditKind, Intact, ROOT, Recorded, TENANTS};
use crate::check::Verified;
use crate::error::{Error, Result};
use crate::manifest::tree::{Changes, Digest, PROVENANCE, Provenance, Unit};

/// Up to how many files are flushed one by one; beyond, the whole file system is.
const FLUSHED_SINGLY: usize = 64;

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The directory holds all that is wanted already.
    Unchanged,
    /// The directory was brought to what is wanted.
    Written {
        /// Units whose files changed.
        written: usize,
        /// Units that were rendered again and came out the same.
        same: usize,
        /// Units that were not rendered again.
        kept: usize,
        /// Units that were removed.
        removed: usize,
    },
    /// Somebody else changed a unit since the baseline was read, and nothing was written: plan again.
    Moved,
}

/// Reads what a directory holds; an absent one holds nothing.
///
/// # Errors
/// An environment error if something cannot be read.
pub fn baseline(dir: &Path) -> Result<Baseline> {
    let inspected: Vec<Option<Inspected>> =
        places(dir)?.into_par_iter().map(|path| inspect(dir, path)).collect::<Result<_>>()?;
    let mut baseline = Baseline { place: super::before::Place::Folder(dir.to_owned()), ..Baseline::default() };
    for found in inspected.into_iter().flatten() {
        baseline.edits.extend(found.edits);
        baseline.units.insert(found.path, found.recorded);
    }
    baseline.edits.sort();
    Ok(baseline)
}

/// Brings a directory to what is wanted; it is made if absent.
///
/// # Errors
/// A guard error if a file was edited by hand or a foreign file is in the way; an environment error if the disk fails.
/// In every case the directory is as it was.
pub fn write(dir: &Path, baseline: &Baseline, verified: &Verified, options: Options<'_>) -> Result<Outcome> {
    let changes = verified.changes();
    baseline.admit(changes, options.edits)?;
    if baseline.units.is_empty() && changes.write.is_empty() {
        return Ok(Outcome::Unchanged);
    }
    let (dir, _writer) = claim(dir)?;
    let stages = stages(&dir)?;
    stages.iter().try_for_each(|stage| discard(stage))?;
    let paths = changes.write.keys().chain(&changes.remove);
    for path in paths {
        let found = inspect(&dir, path.clone())?.map(|found| found.recorded);
        if found.as_ref() != baseline.units.get(path) {
            return Ok(Outcome::Moved);
        }
    }
    let drafts = drafts(&dir, baseline, changes, options.tool_version)?;
    if drafts.is_empty() {
        return Ok(Outcome::Unchanged);
    }
    let removed = drafts.values().filter(|draft| draft.unit.is_none()).count();
    let written = drafts.len() - removed;
    let stage = make_stage(&stages)?;
    let exchanged = exchange(&dir, &stage, &drafts);
    // The old state, or a stage that failed: neither is of use any more, and the next run removes what stays.
    let _ = discard(&stage);
    exchanged?;
    Ok(Outcome::Written { written, same: changes.write.len() - written, kept: changes.keep.len(), removed })
}

/// A unit that changes.
struct Draft<'a> {
    /// What is to be in its folder; `None` if it goes.
    unit: Option<&'a Unit>,
    provenance: Vec<u8>,
    /// Files in its folder that are not ours, and stay.
    foreign: BTreeSet<Vec<u8>>,
}

struct Inspected {
    path: String,
    recorded: Recorded,
    edits: Vec<Edit>,
}

/// Makes the directory, and takes the right to write to it.
fn claim(dir: &Path) -> Result<(PathBuf, Writer)> {
    fs::create_dir_all(dir).map_err(|error| fault::disk("create", dir, &error))?;
    let dir = dir.canonicalize().map_err(|error| fault::disk("open", dir, &error))?;
    let writer = Writer::of_folder(&dir)?;
    Ok((dir, writer))
}

/// Where a stage may lie: beside the directory if that is the same file system, else in it.
fn stages(dir: &Path) -> Result<Vec<PathBuf>> {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
    let inside = dir.join(".tenantry-stage");
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else { return Ok(vec![inside]) };
    let own = device(dir).map_err(|error| fault::disk("open", dir, &error))?;
    if device(parent).ok() != Some(own) {
        return Ok(vec![inside]);
    }
    let mut beside = OsStr::new(".").to_owned();
    beside.push(name);
    beside.push(".tenantry-stage");
    Ok(vec![parent.join(beside), inside])
}

fn make_stage(stages: &[PathBuf]) -> Result<PathBuf> {
    let mut failed = Error::internal("there is no place for a stage");
    for stage in stages {
        match fs::create_dir(stage) {
            Ok(()) => return Ok(stage.clone()),
            Err(error) => failed = fault::disk("create", stage, &error),
        }
    }
    Err(failed)
}

fn discard(stage: &Path) -> Result<()> {
    match fs::remove_dir_all(stage) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fault::disk("remove", stage, &error)),
        _ => Ok(()),
    }
}

/// Every folder that may be a unit.
fn places(dir: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for cluster in folders(&dir.join(ROOT))? {
        let cluster = format!("{ROOT}/{cluster}");
        for name in folders(&dir.join(&cluster))? {
            if name == TENANTS {
                let tenants = folders(&dir.join(&cluster).join(TENANTS))?.into_iter();
                found.extend(tenants.map(|slug| format!("{cluster}/{TENANTS}/{slug}")));
            } else {
                found.push(format!("{cluster}/{name}"));
            }
        }
    }
    Ok(found)
}

/// Names of the folders in a folder, sorted; links are not followed, and names that are no UTF-8 cannot be ours.
fn folders(path: &Path) -> Result<Vec<String>> {
    let failed = |error: io::Error| fault::disk("list", path, &error);
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort();
    Ok(names)
}

/// Reads one unit and all files it owns; `None` if the folder holds no provenance file and hence is none of ours.
fn inspect(dir: &Path, path: String) -> Result<Option<Inspected>> {
    let folder = dir.join(&path);
    let edit = |file: &str, kind| Edit { unit: path.clone(), file: file.to_owned(), kind, diff: None };
    let parsed = match read(&folder.join(PROVENANCE))? {
        Held::Nothing => return Ok(None),
        Held::File(bytes) => Provenance::parse(&bytes),
        Held::Other => Err("it is no ordinary file".to_owned()),
    };
    let provenance = match parsed {
        Ok(provenance) => provenance,
        Err(why) => {
            let edits = vec![edit(PROVENANCE, EditKind::Provenance(why))];
            return Ok(Some(Inspected { path, recorded: Recorded { intact: None, owned: None }, edits }));
        }
    };
    let mut edits = Vec::new();
    for (file, digest) in &provenance.files {
        match read(&folder.join(file))? {
            Held::File(bytes) if Digest::of(&bytes) == *digest => {}
            Held::File(_) => edits.push(edit(file, EditKind::Changed)),
            Held::Nothing => edits.push(edit(file, EditKind::Missing)),
            Held::Other => edits.push(edit(file, EditKind::Mode)),
        }
    }
    let intact = Intact { inputs: provenance.inputs, tool_version: provenance.tool_version.as_str().into() };
    let recorded = match edits.is_empty() {
        true => Recorded { intact: Some(intact), owned: None },
        false => Recorded { intact: None, owned: Some(units::owned(&provenance).map(str::to_owned).collect()) },
    };
    Ok(Some(Inspected { path, recorded, edits }))
}

enum Held {
    Nothing,
    File(Vec<u8>),
    /// A folder, a link, a device.
    Other,
}

/// Reads a file; that it cannot be read is a failure, and not its absence.
fn read(path: &Path) -> Result<Held> {
    let failed = |error: io::Error| fault::disk("read", path, &error);
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(Held::File(fs::read(path).map_err(failed)?)),
        Ok(_) => Ok(Held::Other),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Held::Nothing)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Finds out which units change, and refuses to overwrite what is not ours.
fn drafts<'a>(
    dir: &Path,
    baseline: &Baseline,
    changes: &'a Changes,
    version: &str,
) -> Result<BTreeMap<&'a str, Draft<'a>>> {
    let mut drafts = BTreeMap::new();
    for (path, unit) in &changes.write {
        let folder = dir.join(path);
        let (present, owned) = leaves(dir, path, baseline, Some(unit))?;
        let foreign: BTreeSet<_> = present.difference(&owned).cloned().collect();
        let equal = |file: &str, bytes: &[u8]| {
            Ok::<_, Error>(matches!(read(&folder.join(file))?, Held::File(held) if held == bytes))
        };
        let names = foreign.iter().map(|file| (file.clone(), ())).collect();
        let same = |file: &str| unit.files.get(file).is_some_and(|bytes| equal(file, bytes).unwrap_or(false));
        let blocked = units::blocked(unit.files.keys().map(String::as_str).chain([PROVENANCE]), &names, same);
        if !blocked.is_empty() {
            return Err(units::in_the_way(path, &blocked));
        }
        let provenance = Provenance::of(unit, version).to_bytes();
        let wanted: BTreeSet<Vec<u8>> = unit.files.keys().map(|file| file.as_bytes().to_vec()).collect();
        let stale =
            owned.iter().any(|file| present.contains(file) && !wanted.contains(file) && file != PROVENANCE.as_bytes());
        let mut unchanged = !stale && equal(PROVENANCE, &provenance)?;
        for (file, bytes) in &unit.files {
            unchanged = unchanged && equal(file, bytes)?;
        }
        if !unchanged {
            let foreign = foreign.difference(&wanted).cloned().collect();
            drafts.insert(path.as_str(), Draft { unit: Some(unit), provenance, foreign });
        }
    }
    for path in changes.remove.iter().filter(|path| baseline.units.contains_key(*path)) {
        let (present, owned) = leaves(dir, path, baseline, None)?;
        let foreign = present.difference(&owned).cloned().collect();
        drafts.insert(path, Draft { unit: None, provenance: Vec::new(), foreign });
    }
    Ok(drafts)
}

type Names = BTreeSet<Vec<u8>>;

/// What lies in a unit's folder, and what of it is ours.
fn leaves(dir: &Path, path: &str, baseline: &Baseline, unit: Option<&Unit>) -> Result<(Names, Names)> {
    let mut present = Names::new();
    for parent in Path::new(path).ancestors().filter(|parent| !parent.as_os_str().is_empty()) {
        if fs::symlink_metadata(dir.join(parent)).is_ok_and(|found| !found.is_dir()) {
            let error = Error::guard(format!("{} is no folder, where one is to be written", parent.display()));
            return Err(error.hint("move or remove it: only files that were rendered are ever replaced"));
        }
    }
    list(&dir.join(path), &mut Vec::new(), &mut present)?;
    let mut owned = Names::new();
    if let Some(recorded) = baseline.units.get(path) {
        owned.insert(PROVENANCE.into());
        owned.extend(recorded.owned.iter().flatten().map(|file| file.as_bytes().to_vec()));
        match (read(&dir.join(path).join(PROVENANCE))?, &recorded.intact, &recorded.owned) {
            (Held::File(bytes), Some(_), _) => {
                let provenance = Provenance::parse(&bytes).map_err(Error::internal)?;
                owned.extend(units::owned(&provenance).map(|file| file.as_bytes().to_vec()));
            }
            // Its record is lost: discarding the edit means to write over what has the names of today's files.
            (_, None, None) => {
                owned.extend(unit.into_iter().flat_map(|unit| unit.files.keys()).map(|file| file.as_bytes().to_vec()));
            }
            _ => {}
        }
    }
    Ok((present, owned))
}

/// Lists all that is no folder below a folder.
fn list(folder: &Path, at: &mut Vec<u8>, found: &mut Names) -> Result<()> {
    let failed = |error: io::Error| fault::disk("list", folder, &error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let length = at.len();
        at.extend_from_slice(entry.file_name().as_bytes());
        if entry.file_type().map_err(failed)?.is_dir() {
            at.push(b'/');
            list(&entry.path(), at, found)?;
        } else {
            found.insert(at.clone());
        }
        at.truncate(length);
    }
    Ok(())
}

/// Stages the lowest folder that holds all changes, and exchanges it.
fn exchange(dir: &Path, stage: &Path, drafts: &BTreeMap<&str, Draft<'_>>) -> Result<()> {
    let place = common(dir, drafts);
    let (old, new) = (dir.join(&place), stage.join("new"));
    let there = fs::symlink_metadata(&old).is_ok();
    if there {
        mirror(dir, &new, &place, &place, drafts)?;
    }
    let added: Vec<_> = drafts.iter().filter(|(path, _)| !dir.join(path).exists()).collect();
    added.into_par_iter().try_for_each(|(path, draft)| build(dir, &new.join(below(path, &place)), path, draft))?;
    flush(stage, drafts)?;
    match (there, new.exists()) {
        (true, true) => rename(&new, &old, RenameFlags::EXCHANGE)?,
        (true, false) => rename(&old, &new, RenameFlags::NOREPLACE)?,
        (false, true) => rename(&new, &old, RenameFlags::NOREPLACE)?,
        (false, false) => {}
    }
    let parent = old.parent().unwrap_or(dir);
    sync_folder(parent)?;
    // A removed unit may leave the folder above it empty.
    let mut empty = parent;
    while empty != dir && fs::remove_dir(empty).is_ok() {
        empty = empty.parent().unwrap_or(dir);
    }
    Ok(())
}

/// The lowest folder that all changed units lie in, or above it the highest that is not there yet.
fn common(dir: &Path, drafts: &BTreeMap<&str, Draft<'_>>) -> String {
    let (first, last) = (drafts.keys().next().unwrap_or(&ROOT), drafts.keys().next_back().unwrap_or(&ROOT));
    // Sorted paths: what the first and the last share, all share.
    let parts = first.split('/').zip(last.split('/')).take_while(|(one, two)| one == two).map(|(part, _)| part);
    let mut place = String::new();
    for part in parts {
        if !place.is_empty() {
            place.push('/');
        }
        place.push_str(part);
        if !dir.join(&place).exists() {
            break;
        }
    }
    place
}

/// The part of a path below another.
fn below<'a>(path: &'a str, place: &str) -> &'a str {
    path.strip_prefix(place).unwrap_or(path).trim_start_matches('/')
}

/// Makes `new` hold what the folder at `path` holds, by links, with the changes.
fn mirror(dir: &Path, new: &Path, path: &str, place: &str, drafts: &BTreeMap<&str, Draft<'_>>) -> Result<()> {
    if let Some(draft) = drafts.get(path) {
        return build(dir, &new.join(below(path, place)), path, draft);
    }
    let (from, to) = (dir.join(path), new.join(below(path, place)));
    let failed = |error: io::Error| fault::disk("list", &from, &error);
    make_like(&from, &to)?;
    let (mut filled, mut had) = (false, false);
    for entry in fs::read_dir(&from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        had = true;
        match (entry.file_type().map_err(failed)?.is_dir(), entry.file_name().to_str()) {
            (true, Some(name)) if changes_in(drafts, &format!("{path}/{name}")) => {
                mirror(dir, new, &format!("{path}/{name}"), place, drafts)?;
            }
            (true, _) => copy(&entry.path(), &to.join(entry.file_name()))?,
            (false, _) => link(&entry.path(), &to.join(entry.file_name()))?,
        }
        filled = filled || to.join(entry.file_name()).symlink_metadata().is_ok();
    }
    if had && !filled {
        fs::remove_dir(&to).map_err(|error| fault::disk("remove", &to, &error))?;
    }
    Ok(())
}

/// Whether a changed unit is a folder or lies in it.
fn changes_in(drafts: &BTreeMap<&str, Draft<'_>>, folder: &str) -> bool {
    let inside = format!("{folder}/");
    let first = drafts.range(inside.as_str()..).next();
    drafts.contains_key(folder) || first.is_some_and(|(path, _)| path.starts_with(&inside))
}

/// Writes one unit's files, and links those in its folder that are not ours.
fn build(dir: &Path, to: &Path, path: &str, draft: &Draft<'_>) -> Result<()> {
    let from = dir.join(path);
    let files = draft.unit.into_iter().flat_map(|unit| &unit.files).map(|(file, bytes)| (file.as_str(), bytes));
    let own = draft.unit.map(|_| (PROVENANCE, &draft.provenance));
    for (file, bytes) in files.chain(own) {
        let place = to.join(file);
        make_parents(&place)?;
        let written = File::create_new(&place).and_then(|mut made| made.write_all(bytes));
        written.map_err(|error| fault::disk("write", &place, &error))?;
    }
    for file in &draft.foreign {
        let name = Path::new(OsStr::from_bytes(file));
        make_parents(&to.join(name))?;
        link(&from.join(name), &to.join(name))?;
    }
    Ok(())
}

fn make_parents(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(|error| fault::disk("create", parent, &error))
}

/// Makes a folder with the permissions of another.
fn make_like(from: &Path, to: &Path) -> Result<()> {
    let made = fs::create_dir_all(to).and_then(|()| fs::set_permissions(to, fs::metadata(from)?.permissions()));
    made.map_err(|error| fault::disk("create", to, &error))
}

/// Makes a folder hold what another holds, by links.
fn copy(from: &Path, to: &Path) -> Result<()> {
    make_like(from, to)?;
    let failed = |error: io::Error| fault::disk("list", from, &error);
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let place = to.join(entry.file_name());
        match entry.file_type().map_err(failed)?.is_dir() {
            true => copy(&entry.path(), &place)?,
            false => link(&entry.path(), &place)?,
        }
    }
    Ok(())
}

/// Links a file, or copies it where the file system has no links.
fn link(from: &Path, to: &Path) -> Result<()> {
    let linked = fs::hard_link(from, to).or_else(|_| match fs::read_link(from) {
        Ok(target) => std::os::unix::fs::symlink(target, to),
        Err(_) => fs::copy(from, to).map(drop),
    });
    linked.map_err(|error| fault::disk("copy", from, &error))
}

/// Makes the stage durable before it takes the old state's place.
fn flush(stage: &Path, drafts: &BTreeMap<&str, Draft<'_>>) -> Result<()> {
    let files: usize = drafts.values().filter_map(|draft| draft.unit).map(|unit| unit.files.len() + 1).sum();
    let opened = File::open(stage).map_err(|error| fault::disk("open", stage, &error))?;
    let flushed = if files > FLUSHED_SINGLY { flush_all(&opened) } else { flush_each(stage) };
    flushed.map_err(|error| fault::disk("flush", stage, &error))
}

#[cfg(target_os = "linux")]
fn flush_all(stage: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(stage)?)
}

#[cfg(not(target_os = "linux"))]
fn flush_all(_stage: &File) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

fn flush_each(path: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if found.is_dir() {
        fs::read_dir(path)?.try_for_each(|entry| flush_each(&entry?.path()))?;
    }
    // Links that stay have other names already: only what is new must reach the disk.
    if found.is_dir() || (found.is_file() && found.nlink() == 1) {
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

fn rename(from: &Path, to: &Path, how: RenameFlags) -> Result<()> {
    renameat_with(CWD, from, CWD, to, how).map_err(|error| {
        let failed = fault::disk("put the new state in the place of", to, &error.into());
        match error {
            Errno::INVAL | Errno::NOSYS | Errno::XDEV => failed
                .cause("this file system cannot exchange two folders in one step")
                .hint("write to a folder on a local file system, or to a repository with `--repo`"),
            _ => failed,
        }
    })
}
