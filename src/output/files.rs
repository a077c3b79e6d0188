//! Files of a work tree: compared with what a commit has, written without ever being half there.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use git2::{ObjectType, Repository};
use rayon::prelude::*;

use super::fault;
use super::pack;
use super::tree::{self, Entry, FILE};
use crate::error::{Error, Result};

/// Git's mode of an executable file and of a link.
const EXECUTABLE: u32 = 0o100_755;
const LINK: u32 = 0o120_000;

/// A path that differs between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub path: Vec<u8>,
    pub old: Option<Entry>,
    pub new: Option<Entry>,
}

/// What is found at a path, compared with a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Old,
    New,
    Other,
}

impl Change {
    pub(super) fn compare(&self, found: Option<Entry>) -> State {
        match found {
            found if found == self.old => State::Old,
            found if found == self.new => State::New,
            _ => State::Other,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.path))
    }
}

/// A work tree, and our folder in the repository where files are drafted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work<'a> {
    pub root: &'a Path,
    pub ours: &'a Path,
}

impl Work<'_> {
    /// Compares what is there with a change; `known` may tell from the times of a file what it holds.
    pub(super) fn compare(&self, change: &Change, known: impl Fn(&Metadata) -> Option<Entry>) -> State {
        let path = self.absolute(&change.path);
        match fs::symlink_metadata(&path) {
            Ok(found) => match known(&found).or_else(|| content(&path, &found)) {
                Some(held) => change.compare(Some(held)),
                None => State::Other,
            },
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                change.compare(None)
            }
            Err(_) => State::Other,
        }
    }

    /// Writes the new content of changes, on all cores.
    pub(super) fn write(&self, git: &Path, changes: &[&Change]) -> Result<()> {
        let wanted: Vec<(&Change, Entry)> =
            changes.iter().filter_map(|change| Some((*change, change.new.filter(|new| new.mode == FILE)?))).collect();
        let folders: BTreeSet<&[u8]> = wanted.iter().filter_map(|(change, _)| parent(&change.path)).collect();
        folders.into_iter().try_for_each(|folder| self.make_folder(folder))?;
        wanted.par_chunks(512).enumerate().try_for_each(|(number, piece)| {
            let failed = |error: git2::Error| fault::git("cannot open the output repository", &error);
            let git = Repository::open(git).map_err(failed)?;
            let odb = git.odb().map_err(failed)?;
            let draft = self.ours.join(format!("file.{number}"));
            piece.iter().try_for_each(|(change, new)| {
                let bytes = tree::blob(&odb, new.oid)?;
                fs::write(&draft, &bytes).map_err(|error| fault::disk("write", &draft, &error))?;
                put(&draft, &self.absolute(&change.path), &bytes)
            })
        })
    }

    /// Removes the files that changes take away, and the folders that are empty then.
    pub(super) fn clear(&self, changes: &[&Change]) {
        for change in changes.iter().filter(|change| change.new.is_none()) {
            let _ = remove(&self.absolute(&change.path));
            let mut folder = parent(&change.path);
            while let Some(empty) = folder.filter(|folder| fs::remove_dir(self.absolute(folder)).is_ok()) {
                folder = parent(empty);
            }
        }
    }

    pub(super) fn absolute(&self, path: &[u8]) -> PathBuf {
        self.root.join(Path::new(OsStr::from_bytes(path)))
    }

    /// Makes the folders of a file, and follows no link on the way: it could lead out of the work tree.
    fn make_folder(&self, folder: &[u8]) -> Result<()> {
        let mut path = self.root.to_owned();
        for part in folder.split(|byte| *byte == b'/') {
            path.push(OsStr::from_bytes(part));
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => {
                    let error = Error::environment(format!("{} is in the way: it is no folder", path.display()));
                    return Err(error.hint("move it away and run again"));
                }
                Err(_) => fs::create_dir(&path).map_err(|error| fault::disk("create", &path, &error))?,
            }
        }
        Ok(())
    }
}

/// What Git would take a file of the work tree for; `None` if it is neither a file nor a link, or cannot be read.
fn content(path: &Path, found: &Metadata) -> Option<Entry> {
    if found.is_symlink() {
        let target = fs::read_link(path).ok()?;
        return Some(Entry { mode: LINK, oid: pack::id(ObjectType::Blob, target.as_os_str().as_bytes()) });
    }
    let mode = if found.permissions().mode() & 0o100 == 0 { FILE } else { EXECUTABLE };
    let bytes = found.is_file().then(|| fs::read(path))?.ok()?;
    Some(Entry { mode, oid: pack::id(ObjectType::Blob, &bytes) })
}

/// Renames a finished file in place; where our folder lies on another file system, drafts it beside its place.
fn put(draft: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    match fs::rename(draft, path) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let beside = path.with_extension("tenantry-tmp");
            let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
            written.and_then(|()| remove(draft)).map_err(|error| fault::disk("write", path, &error))
        }
        other => other.map_err(|error| fault::disk("write", path, &error)),
    }
}

fn parent(path: &[u8]) -> Option<&[u8]> {
    path.iter().rposition(|byte| *byte == b'/').map(|place| &path[..place])
}

/// Removes a file that may be absent.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
