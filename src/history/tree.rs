//! The tenants' files of a commit by name, and what differs between two commits.
//!
//! Folders are compared as Git stores them, entry beside entry: of 10,000 files only those that differ are looked at.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;

use git2::{ObjectType, Odb, Oid, Repository};

use crate::error::{Error, Result};

/// A name with its blob before and after.
pub(super) type Difference = (Box<[u8]>, Option<Oid>, Option<Oid>);

/// Reads folders, each once as long as it is near.
pub(super) struct Folders<'a> {
    git: &'a Repository,
    odb: Odb<'a>,
    path: String,
    near: HashMap<Oid, Rc<[u8]>>,
    ids: HashMap<Oid, Option<Oid>>,
}

/// Folders that are kept: those of a commit and its parents are asked for again at once.
const NEAR: usize = 64;

impl<'a> Folders<'a> {
    pub(super) fn new(git: &'a Repository, path: String) -> Result<Self> {
        let odb = git.odb().map_err(|error| broken(&error))?;
        Ok(Self { git, odb, path, near: HashMap::new(), ids: HashMap::new() })
    }

    /// The id of the folder in a commit; `None` if the commit has none.
    pub(super) fn id(&mut self, commit: Oid) -> Result<Option<Oid>> {
        if let Some(known) = self.ids.get(&commit) {
            return Ok(*known);
        }
        let tree = self.git.find_commit(commit).and_then(|commit| commit.tree()).map_err(|error| broken(&error))?;
        let found = match tree.get_path(std::path::Path::new(&self.path)) {
            Ok(entry) => Some(entry.id()),
            Err(error) if error.code() == git2::ErrorCode::NotFound => None,
            Err(error) => return Err(broken(&error)),
        };
        self.ids.insert(commit, found);
        Ok(found)
    }

    /// The entries of a folder as Git stores them.
    fn bytes(&mut self, folder: Option<Oid>) -> Result<Rc<[u8]>> {
        let Some(folder) = folder else { return Ok(Rc::from([])) };
        if let Some(bytes) = self.near.get(&folder) {
            return Ok(bytes.clone());
        }
        let object = self.odb.read(folder).map_err(|error| broken(&error))?;
        if object.kind() != ObjectType::Tree {
            return Err(Error::environment(format!("{} was no folder once", self.path)));
        }
        if self.near.len() >= NEAR {
            self.near.clear();
        }
        let bytes: Rc<[u8]> = Rc::from(object.data());
        self.near.insert(folder, bytes.clone());
        Ok(bytes)
    }

    /// What differs between two folders, of tenants' files.
    pub(super) fn differences(&mut self, before: Option<Oid>, after: Option<Oid>) -> Result<Vec<Difference>> {
        if before == after {
            return Ok(Vec::new());
        }
        let (before, after) = (self.bytes(before)?, self.bytes(after)?);
        let mut found = differences(&before, &after).ok_or_else(|| {
            Error::environment("cannot read the fleet's history").cause("a folder of it is damaged").hint("git fsck")
        })?;
        found.retain(|(name, ..)| name.ends_with(b".yaml") && !name.starts_with(b"."));
        Ok(found)
    }
}

/// An entry of a folder.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry<'a> {
    name: &'a [u8],
    oid: Oid,
    is_folder: bool,
}

impl Entry<'_> {
    /// Git sorts folders as if their names ended in `/`.
    fn order(&self, other: &Self) -> Ordering {
        let key = |entry: &Self| entry.name.iter().copied().chain(entry.is_folder.then_some(b'/')).collect::<Vec<u8>>();
        key(self).cmp(&key(other))
    }

    fn blob(&self) -> Option<Oid> {
        (!self.is_folder).then_some(self.oid)
    }
}

/// The first entry of `bytes` and what follows it: `<mode> <name>\0<20 bytes>`.
fn first(bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let end = space + bytes[space..].iter().position(|byte| *byte == 0)?;
    let oid = Oid::from_bytes(bytes.get(end + 1..end + 21)?).ok()?;
    let entry = Entry { name: &bytes[space + 1..end], oid, is_folder: &bytes[..space] == b"40000" };
    Some((entry, &bytes[end + 21..]))
}

/// Entries that differ; `None` if one cannot be read.
fn differences<'a>(mut old: &'a [u8], mut new: &'a [u8]) -> Option<Vec<Difference>> {
    let mut found = Vec::new();
    let mut differ = |name: &[u8], old: Option<Oid>, new: Option<Oid>| {
        if old.is_some() || new.is_some() {
            found.push((name.into(), old, new));
        }
    };
    loop {
        (old, new) = behind_what_is_common(old, new)?;
        match (old.is_empty(), new.is_empty()) {
            (true, true) => return Some(found),
            (false, true) => {
                let (entry, rest) = first(old)?;
                differ(entry.name, entry.blob(), None);
                old = rest;
            }
            (true, false) => {
                let (entry, rest) = first(new)?;
                differ(entry.name, None, entry.blob());
                new = rest;
            }
            (false, false) => {
                let ((one, rest), (two, more)) = (first(old)?, first(new)?);
                match one.order(&two) {
                    Ordering::Less => differ(one.name, one.blob(), None),
                    Ordering::Greater => differ(two.name, None, two.blob()),
                    Ordering::Equal => differ(one.name, one.blob(), two.blob()),
                }
                old = if one.order(&two).is_le() { rest } else { old };
                new = if one.order(&two).is_ge() { more } else { new };
            }
        }
    }
}

/// Passes over the entries with which both begin; everything if the rest is the same.
fn behind_what_is_common<'a>(old: &'a [u8], new: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    const PIECE: usize = 4096;
    if old == new {
        return Some((&[], &[]));
    }
    let pieces = old.chunks_exact(PIECE).zip(new.chunks_exact(PIECE)).take_while(|(a, b)| a == b).count();
    let mut at = 0;
    // Entries end within what is the same, as far as whole pieces tell.
    while at < pieces * PIECE {
        let length = old[at..].len() - first(&old[at..])?.1.len();
        if at + length > pieces * PIECE {
            break;
        }
        at += length;
    }
    while at < old.len() && at < new.len() {
        let length = old[at..].len() - first(&old[at..])?.1.len();
        if new.get(at..at + length) != old.get(at..at + length) {
            break;
        }
        at += length;
    }
    Some((&old[at..], &new[at..]))
}

pub(super) fn broken(error: &git2::Error) -> Error {
    Error::environment("cannot read the fleet's history")
        .cause(error.message())
        .hint("a shallow clone lacks old commits: fetch the whole history (fetch-depth: 0)")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A folder as Git stores it: names with a digit for their content, folders with a `/` behind.
    fn folder(entries: &BTreeMap<String, u8>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, content) in entries {
            let (mode, plain) = name.strip_suffix('/').map_or(("100644", name.as_str()), |plain| ("40000", plain));
            bytes.extend_from_slice(format!("{mode} {plain}\0").as_bytes());
            bytes.extend_from_slice(&[*content; 20]);
        }
        bytes
    }

    fn names() -> impl Strategy<Value = BTreeMap<String, u8>> {
        prop::collection::btree_map("[a-c]{1,3}(\\.yaml)?", 0_u8..3, 0..12)
    }

    proptest! {
        #[test]
        fn finds_what_a_comparison_by_name_finds(old in names(), new in names()) {
            let found = differences(&folder(&old), &folder(&new)).unwrap();
            let oid = |content: &u8| Oid::from_bytes(&[*content; 20]).unwrap();
            let all: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            let expected: Vec<Difference> = all
                .into_iter()
                .filter(|name| old.get(*name) != new.get(*name))
                .map(|name| (name.as_bytes().into(), old.get(name).map(oid), new.get(name).map(oid)))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn folders_are_passed_over_and_damage_is_seen() {
        let of = |names: &[&str]| folder(&names.iter().map(|name| ((*name).to_owned(), 1)).collect());
        assert_eq!(differences(&of(&["a/", "b"]), &of(&["b"])), Some(Vec::new()));
        assert_eq!(differences(&of(&["b"]), &of(&["a.yaml", "b"])).unwrap().len(), 1);
        let whole = of(&["a.yaml"]);
        assert!((1..whole.len()).all(|cut| differences(&whole[..cut], &[]).is_none()));
    }
}
