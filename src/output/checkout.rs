//! Brings the index and work tree of a clone to the commit that its checked-out branch moved to.
//!
//! Only paths that differ between the two commits are touched, and each only if it is as the old commit has it: a clone
//! with other changes at these paths is refused beforehand. A journal lets the next run finish what a kill cut short.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use git2::{Index, IndexEntry, IndexTime, Odb, Oid, Repository, RepositoryState};
use rayon::prelude::*;

use super::fault;
use super::files::{Change, State, Work, remove};
use super::lock::Replacement;
use super::pack::sync_folder;
use super::tree::{self, Entry, Folder};
use crate::error::{Error, Result};

/// Index flag: the path is kept out of the work tree (sparse checkout).
const SKIP_WORKTREE: u16 = 1 << 14;
/// How many paths an error names.
const SHOWN: usize = 10;

/// A clone whose checked-out branch is about to move, and the paths that differ then.
pub(super) struct Checkout<'a> {
    pub git: &'a Repository,
    pub work: Work<'a>,
    pub changes: Vec<Change>,
}

/// The work tree that has the branch checked out, if the repository has one.
///
/// # Errors
/// If the branch is checked out in another work tree of the same repository, which would be left behind.
pub(super) fn concerned<'a>(git: &'a Repository, branch: &str) -> Result<Option<&'a Path>> {
    let on_branch = |git: &Repository| {
        let head = git.find_reference("HEAD").ok();
        head.is_some_and(|head| head.symbolic_target_bytes() == Some(branch.as_bytes()))
    };
    if let Some(work) = git.workdir().filter(|_| on_branch(git)) {
        return Ok(Some(work));
    }
    let behind = others(git).into_iter().find(|other| !other.is_bare() && on_branch(other));
    match behind.as_ref().and_then(Repository::workdir) {
        Some(work) => Err(Error::environment(format!("{branch} is checked out in {}", work.display()))
            .hint("name that folder as the output repository, so that its files move along")),
        None => Ok(None),
    }
}

/// The other work trees of a repository, the main one among them.
fn others(git: &Repository) -> Vec<Repository> {
    let names = git.worktrees().ok();
    let linked = names.iter().flat_map(|names| names.iter()).flatten().flatten();
    let linked = linked.filter_map(|name| Repository::open_from_worktree(&git.find_worktree(name).ok()?).ok());
    let main = Repository::open(git.commondir()).ok().filter(|_| git.is_worktree());
    linked.chain(main).filter(|other| other.path() != git.path()).collect()
}

impl Checkout<'_> {
    /// Refuses if Git is in the middle of something, or one of the paths is not as the old commit has it.
    pub(super) fn admit(&self) -> Result<()> {
        if self.git.state() != RepositoryState::Clean {
            let error =
                Error::environment(format!("{} is in the middle of a merge or the like", self.work.root.display()));
            return Err(error.hint("finish or abort it first"));
        }
        let index = open_index(&self.git.path().join("index"))?;
        let states = self.states(&index, |staged, present| match (staged, present) {
            (State::Old, State::Old | State::New) => State::Old,
            _ => State::Other,
        });
        let dirty = self.pick(&states, State::Other);
        if dirty.is_empty() {
            return Ok(());
        }
        let what = format!("{} has uncommitted changes in files that are to be replaced", self.work.root.display());
        let mut error = dirty.iter().take(SHOWN).fold(Error::environment(what), |error, change| error.cause(change));
        if dirty.len() > SHOWN {
            error = error.cause(format!("and {} more", dirty.len() - SHOWN));
        }
        Err(error
            .hint("commit, stash or restore them there")
            .hint("or write to a bare repository, or to a branch that is not checked out"))
    }

    /// Writes files and index. Returns the paths that were left alone, since they changed in the meantime.
    pub(super) fn apply(&self) -> Result<Vec<String>> {
        if self.changes.is_empty() {
            return Ok(Vec::new());
        }
        let place = self.git.path().join("index");
        let draft = self.work.ours.join("index");
        let lock = Replacement::lock(&place, self.work.ours, "index-lock")?;
        let copied = remove(&self.work.ours.join("index.lock")).and_then(|()| match fs::copy(&place, &draft) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => remove(&draft),
            other => other.map(drop),
        });
        copied.map_err(|error| fault::disk("copy", &place, &error))?;
        let mut index = open_index(&draft)?;

        let states = self.states(&index, |staged, present| match (staged, present) {
            (State::Other, _) | (_, State::Other) => State::Other,
            (_, State::New) => State::New,
            (_, State::Old) => State::Old,
        });
        let due = self.pick(&states, State::Old);
        self.work.write(self.git.path(), &due)?;
        self.work.clear(&due);
        for change in due.into_iter().chain(self.pick(&states, State::New)) {
            self.stage(&mut index, change)?;
        }
        index.write().map_err(|error| fault::git("cannot write the index", &error))?;
        let bytes = fs::read(&draft).map_err(|error| fault::disk("read", &draft, &error))?;
        lock.replace(&bytes)?;
        let _ = remove(&draft);
        Ok(self.pick(&states, State::Other).into_iter().map(Change::to_string).collect())
    }

    /// Compares index and work tree with every change; `both` joins the two answers.
    fn states(&self, index: &Index, both: impl Fn(State, State) -> State + Sync) -> Vec<State> {
        let entries: Vec<Option<IndexEntry>> = self.changes.iter().map(|change| find(index, &change.path)).collect();
        let (work, changes) = (&self.work, &self.changes);
        changes
            .par_iter()
            .zip(&entries)
            .map(|(change, entry)| both(staged(entry, change), present(work, entry, change)))
            .collect()
    }

    fn pick(&self, states: &[State], wanted: State) -> Vec<&Change> {
        self.changes.iter().zip(states).filter(|(_, state)| **state == wanted).map(|(change, _)| change).collect()
    }

    fn stage(&self, index: &mut Index, change: &Change) -> Result<()> {
        let failed = |error: git2::Error| fault::git("cannot change the index", &error);
        let entry = find(index, &change.path);
        let Some(new) = change.new else {
            return match entry {
                Some(_) => index.remove(Path::new(OsStr::from_bytes(&change.path)), 0).map_err(failed),
                None => Ok(()),
            };
        };
        let found = fs::symlink_metadata(self.work.absolute(&change.path)).ok();
        let time = |seconds: fn(&Metadata) -> i64, rest: fn(&Metadata) -> i64| {
            found
                .as_ref()
                .map_or(IndexTime::new(0, 0), |found| IndexTime::new(seconds(found) as i32, rest(found) as u32))
        };
        let stat = |of: fn(&Metadata) -> u64| found.as_ref().map_or(0, |found| of(found) as u32);
        let entry = IndexEntry {
            ctime: time(MetadataExt::ctime, MetadataExt::ctime_nsec),
            mtime: time(MetadataExt::mtime, MetadataExt::mtime_nsec),
            dev: stat(MetadataExt::dev),
            ino: stat(MetadataExt::ino),
            mode: new.mode,
            uid: stat(|found| u64::from(found.uid())),
            gid: stat(|found| u64::from(found.gid())),
            file_size: stat(MetadataExt::size),
            id: new.oid,
            flags: 0,
            flags_extended: entry.map_or(0, |entry| entry.flags_extended & SKIP_WORKTREE),
            path: change.path.clone(),
        };
        index.add(&entry).map_err(failed)
    }
}

/// Remembers that a checkout is due once the branch has moved.
pub(super) fn announce(ours: &Path, branch: &str, old: Option<Oid>, new: Oid) -> Result<()> {
    let (path, draft) = (ours.join("checkout"), ours.join("checkout.tmp"));
    let text = format!("{branch} {} {new}\n", old.unwrap_or(Oid::ZERO_SHA1));
    let written = fs::write(&draft, text).and_then(|()| fs::File::open(&draft)?.sync_all());
    written.and_then(|()| fs::rename(&draft, &path)).map_err(|error| fault::disk("write", &path, &error))?;
    sync_folder(ours)
}

/// Forgets it.
pub(super) fn done(ours: &Path) {
    let _ = remove(&ours.join("checkout"));
}

/// Finishes a checkout that a killed writer announced, if its branch did move.
pub(super) fn recover(git: &Repository, ours: &Path) -> Result<()> {
    let Ok(text) = fs::read_to_string(ours.join("checkout")) else { return Ok(()) };
    let parts: Vec<&str> = text.split_whitespace().collect();
    if let [branch, old, new] = parts.as_slice()
        && let (Ok(old), Ok(new)) = (Oid::from_str(old), Oid::from_str(new))
        && let Some(tip) = super::refs::tip(git, branch)?
        && tree::of_commit(git, tip)? == new
        && let Some(root) = concerned(git, branch)?
    {
        let changes = compare(git, (!old.is_zero()).then_some(old), new)?;
        Checkout { git, work: Work { root, ours }, changes }.apply()?;
    }
    done(ours);
    Ok(())
}

/// The files that differ between two trees.
pub(super) fn compare(git: &Repository, old: Option<Oid>, new: Oid) -> Result<Vec<Change>> {
    let odb = git.odb().map_err(|error| fault::git("cannot open the object database", &error))?;
    let mut changes = Vec::new();
    differ(&odb, old, Some(new), &mut Vec::new(), &mut changes)?;
    Ok(changes)
}

/// All leaves that differ between two folders.
fn differ(odb: &Odb<'_>, old: Option<Oid>, new: Option<Oid>, at: &mut Vec<u8>, found: &mut Vec<Change>) -> Result<()> {
    if old == new {
        return Ok(());
    }
    let read = |oid: Option<Oid>| -> Result<BTreeMap<Vec<u8>, Entry>> {
        let folder = oid.map(|oid| Folder::read(odb, oid)).transpose()?.unwrap_or_default();
        Ok(folder.iter().map(|(name, entry)| (name.to_vec(), entry)).collect())
    };
    let (old, new) = (read(old)?, read(new)?);
    let names: BTreeSet<&Vec<u8>> = old.keys().chain(new.keys()).collect();
    for name in names {
        let (old, new) = (old.get(name).copied(), new.get(name).copied());
        if old == new {
            continue;
        }
        let length = at.len();
        at.extend_from_slice(name);
        let leaf = |entry: Option<Entry>| entry.filter(|entry| !entry.is_folder());
        let folder = |entry: Option<Entry>| entry.filter(|entry| entry.is_folder()).map(|entry| entry.oid);
        if leaf(old) != leaf(new) {
            found.push(Change { path: at.clone(), old: leaf(old), new: leaf(new) });
        }
        at.push(b'/');
        differ(odb, folder(old), folder(new), at, found)?;
        at.truncate(length);
    }
    Ok(())
}

fn open_index(path: &Path) -> Result<Index> {
    let opened = Index::open(path);
    opened.map_err(|error| {
        fault::git(format!("cannot read {}", path.display()), &error)
            .hint("a sparse index is not supported: `git sparse-checkout reapply --no-sparse-index`")
    })
}

fn find(index: &Index, path: &[u8]) -> Option<IndexEntry> {
    index.get_path(Path::new(OsStr::from_bytes(path)), 0)
}

fn staged(entry: &Option<IndexEntry>, change: &Change) -> State {
    change.compare(entry.as_ref().map(|entry| Entry { mode: entry.mode, oid: entry.id }))
}

fn present(work: &Work<'_>, entry: &Option<IndexEntry>, change: &Change) -> State {
    match entry {
        // Sparse checkouts keep such files out of the work tree.
        Some(entry) if entry.flags_extended & SKIP_WORKTREE != 0 => State::New,
        Some(entry) => {
            work.compare(change, |found| unchanged(entry, found).then_some(Entry { mode: entry.mode, oid: entry.id }))
        }
        None => work.compare(change, |_| None),
    }
}

/// Whether a file's times and size are those that the index saw.
fn unchanged(entry: &IndexEntry, found: &Metadata) -> bool {
    entry.mtime.seconds() == found.mtime() as i32
        && entry.mtime.nanoseconds() == found.mtime_nsec() as u32
        && entry.ctime.seconds() == found.ctime() as i32
        && entry.ctime.nanoseconds() == found.ctime_nsec() as u32
        && entry.file_size == found.size() as u32
        && entry.ino == found.ino() as u32
}
