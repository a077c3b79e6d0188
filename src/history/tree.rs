//! The tenants' files of a commit by name, and what differs between two commits.

use std::collections::HashMap;
use std::rc::Rc;

use git2::{Oid, Repository};

use crate::error::{Error, Result};

/// Names and blobs of a folder, sorted by name.
pub(super) type Names = Vec<(Box<[u8]>, Oid)>;

/// A name with its blob before and after.
pub(super) type Difference = (Box<[u8]>, Option<Oid>, Option<Oid>);

/// Reads folders, each once as long as it is near.
pub(super) struct Folders<'a> {
    git: &'a Repository,
    path: String,
    near: HashMap<Oid, Rc<Names>>,
}

/// Folders that are kept: those of a commit and its parents are asked for again at once.
const NEAR: usize = 64;

impl<'a> Folders<'a> {
    pub(super) fn new(git: &'a Repository, path: String) -> Self {
        Self { git, path, near: HashMap::new() }
    }

    /// The id of the folder in a commit; `None` if the commit has none.
    pub(super) fn id(&self, commit: Oid) -> Result<Option<Oid>> {
        let tree = self.git.find_commit(commit).and_then(|commit| commit.tree()).map_err(|error| broken(&error))?;
        match tree.get_path(std::path::Path::new(&self.path)) {
            Ok(entry) => Ok(Some(entry.id())),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(broken(&error)),
        }
    }

    /// The names in a folder.
    fn names(&mut self, folder: Option<Oid>) -> Result<Rc<Names>> {
        let Some(folder) = folder else { return Ok(Rc::default()) };
        if let Some(names) = self.near.get(&folder) {
            return Ok(names.clone());
        }
        let tree = self.git.find_tree(folder).map_err(|error| broken(&error))?;
        let is_tenant = |name: &[u8]| name.ends_with(b".yaml") && !name.starts_with(b".");
        let mut names: Names = tree
            .iter()
            .filter(|entry| is_tenant(entry.name_bytes()))
            .map(|entry| (entry.name_bytes().into(), entry.id()))
            .collect();
        names.sort_unstable();
        if self.near.len() >= NEAR {
            self.near.clear();
        }
        let names = Rc::new(names);
        self.near.insert(folder, names.clone());
        Ok(names)
    }

    /// What differs between two folders.
    pub(super) fn differences(&mut self, before: Option<Oid>, after: Option<Oid>) -> Result<Vec<Difference>> {
        if before == after {
            return Ok(Vec::new());
        }
        let (before, after) = (self.names(before)?, self.names(after)?);
        let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
        let mut found = Vec::new();
        loop {
            match (old.peek(), new.peek()) {
                (None, None) => return Ok(found),
                (Some((a, _)), Some((b, _))) if a == b => {
                    if let (Some((name, old)), Some((_, new))) = (old.next(), new.next())
                        && old != new
                    {
                        found.push((name.clone(), Some(*old), Some(*new)));
                    }
                }
                (Some((a, _)), other) if other.is_none_or(|(b, _)| a < b) => {
                    found.extend(old.next().map(|(name, old)| (name.clone(), Some(*old), None)));
                }
                _ => found.extend(new.next().map(|(name, new)| (name.clone(), None, Some(*new)))),
            }
        }
    }
}

pub(super) fn broken(error: &git2::Error) -> Error {
    Error::environment("cannot read the fleet's history")
        .cause(error.message())
        .hint("a shallow clone lacks old commits: fetch the whole history (fetch-depth: 0)")
}
