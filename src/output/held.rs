//! What a commit of an output repository holds, unit by unit and file by file. Nothing is checked out and nothing trusted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use git2::{ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult};

use super::baseline::TREE_TRAILER;
use super::sign::{self, Signature};
use super::units::{ROOT, TENANTS};
use crate::error::{Error, Result};
use crate::manifest::{PROVENANCE, Provenance};

/// How many commits are searched for the last one that this program made.
const HISTORY: usize = 500;

/// A commit of an output repository.
pub struct Held {
    /// The commit.
    pub commit: Oid,
    /// Units by path (`clusters/eu-1/tenants/acme`): every folder that may be one.
    pub units: BTreeMap<String, HeldUnit>,
    /// Files below the tree's folder that lie in no unit, by path.
    pub others: BTreeMap<String, HeldFile>,
    repository: PathBuf,
    /// A repository handle serves one thread; idle ones wait here.
    handles: Mutex<Vec<Repository>>,
}

/// What a commit of this program says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The commit.
    pub commit: Oid,
    message: String,
}

/// A folder in which a unit may lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldUnit {
    /// Every file below it, by path from it.
    pub files: BTreeMap<String, HeldFile>,
}

/// A file in a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldFile {
    /// Its content.
    pub oid: Oid,
    /// Whether it is an ordinary file: no link, not executable, no repository in the repository.
    pub is_plain: bool,
}

/// Opens a revision of an output repository; `path` is the folder that `clusters/` lies in.
///
/// # Errors
/// The repository or the revision cannot be read.
pub fn hold(repository: &Path, revision: &str, path: Option<&str>) -> Result<Held> {
    let git = Repository::open(repository).map_err(|error| {
        Error::environment(format!("cannot open the repository {}", repository.display()))
            .cause(error.message())
            .hint("name it with --repo")
    })?;
    let commit = git.revparse_single(revision).and_then(|object| object.peel_to_commit()).map_err(|error| {
        Error::environment(format!("{} has no revision {revision}", repository.display()))
            .cause(error.message())
            .hint("`git log --all --oneline` there shows what it has; a shallow clone lacks old commits")
    })?;
    let broken = |error: git2::Error| {
        Error::environment(format!("cannot read the commit {}", commit.id())).cause(error.message())
    };
    let root = commit.tree().map_err(broken)?;
    let folder = match path {
        None => root,
        Some(path) => root
            .get_path(Path::new(path))
            .and_then(|entry| entry.to_object(&git)?.peel_to_tree())
            .map_err(|error| broken(error).hint("name the folder that clusters/ lies in with --path"))?,
    };
    let mut held = Held {
        commit: commit.id(),
        units: BTreeMap::new(),
        others: BTreeMap::new(),
        repository: repository.to_owned(),
        handles: Mutex::default(),
    };
    folder
        .walk(TreeWalkMode::PreOrder, |parent, entry| {
            if entry.kind() == Some(ObjectType::Tree) {
                return TreeWalkResult::Ok;
            }
            let path = format!("{parent}{}", String::from_utf8_lossy(entry.name_bytes()));
            let is_plain = entry.kind() == Some(ObjectType::Blob) && entry.filemode() == 0o100_644;
            let file = HeldFile { oid: entry.id(), is_plain };
            match unit_of(&path) {
                Some((unit, name)) => {
                    held.units.entry(unit.to_owned()).or_default().files.insert(name.to_owned(), file);
                }
                None => {
                    held.others.insert(path, file);
                }
            }
            TreeWalkResult::Ok
        })
        .map_err(broken)?;
    Ok(held)
}

/// The folder in which a unit may lie, and the rest of a path.
fn unit_of(path: &str) -> Option<(&str, &str)> {
    let mut parts = path.split('/');
    if parts.next() != Some(ROOT) {
        return None;
    }
    let cluster = parts.next()?;
    let name = parts.next()?;
    let mut length = ROOT.len() + 1 + cluster.len() + 1 + name.len();
    if name == TENANTS {
        length += 1 + parts.next()?.len();
    }
    let rest = path.get(length + 1..).filter(|rest| !rest.is_empty())?;
    Some((&path[..length], rest))
}

impl Held {
    /// The content of a file.
    ///
    /// # Errors
    /// An object that cannot be read.
    pub fn read(&self, file: HeldFile) -> Result<Vec<u8>> {
        let broken = |error: git2::Error| {
            Error::environment(format!("cannot read the object {}", file.oid)).cause(error.message())
        };
        let idle = self.handles.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let git = match idle {
            Some(git) => git,
            None => Repository::open(&self.repository).map_err(broken)?,
        };
        let content = git.find_blob(file.oid).map(|blob| blob.content().to_vec()).map_err(broken);
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).push(git);
        content
    }

    /// The provenance of a unit; `None` if the folder holds none and hence is no unit.
    ///
    /// # Errors
    /// An object that cannot be read; `Ok(Some(Err(…)))` says why the file is none.
    pub fn provenance(&self, unit: &HeldUnit) -> Result<Option<Result<Provenance, String>>> {
        let Some(file) = unit.files.get(PROVENANCE) else { return Ok(None) };
        if !file.is_plain {
            return Ok(Some(Err("it is no ordinary file".into())));
        }
        Ok(Some(Provenance::parse(&self.read(*file)?)))
    }

    /// The record of the last commit that this program made: this one, or one before it.
    ///
    /// # Errors
    /// History that cannot be read.
    pub fn last_record(&self) -> Result<Option<Record>> {
        let failed =
            |error: git2::Error| Error::environment("cannot read the history of the output").cause(error.message());
        let git = Repository::open(&self.repository).map_err(failed)?;
        let mut walk = git.revwalk().map_err(failed)?;
        walk.push(self.commit).map_err(failed)?;
        for commit in walk.take(HISTORY) {
            let commit = commit.map_err(failed)?;
            let found = git.find_commit(commit).map_err(failed)?;
            let record = Record { commit, message: String::from_utf8_lossy(found.message_bytes()).into_owned() };
            if record.trailer(TREE_TRAILER).is_some() {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// What Git says of the commit's signature.
    ///
    /// # Errors
    /// The repository cannot be read, or there is no `git` to ask.
    pub fn signature(&self) -> Result<Signature> {
        sign::signature(&self.repository, self.commit)
    }
}

impl Record {
    /// The last trailer of that name.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        self.message.lines().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_by_unit() {
        assert_eq!(unit_of("clusters/eu/tenants/acme/a/b.yaml"), Some(("clusters/eu/tenants/acme", "a/b.yaml")));
        assert_eq!(unit_of("clusters/eu/system/a.yaml"), Some(("clusters/eu/system", "a.yaml")));
        for foreign in
            ["README.md", "clusters/a", "clusters/eu/x.yaml", "clusters/eu/tenants/x.yaml", "x/clusters/a/b/c"]
        {
            assert_eq!(unit_of(foreign), None, "{foreign}");
        }
    }
}
