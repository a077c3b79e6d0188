//! The files of units as a baseline found them, for what a change would take away.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use git2::{ObjectType, Odb, Oid, Repository};
use rayon::prelude::*;

use super::fault;
use super::tree::{self, Folder};
use super::units::Baseline;
use crate::error::Result;
use crate::manifest::tree::{Changes, PROVENANCE, Unit};
use crate::plan::vanished::{Pair, Vanished};

/// Where a baseline was read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// There was nothing.
    #[default]
    Nowhere,
    /// A folder of a commit: the repository, and the folder's tree.
    Tree(PathBuf, Oid),
    /// A folder on the disk.
    Folder(PathBuf),
}

/// Units that one handle of a repository serves.
const PIECE: usize = 128;

impl Baseline {
    /// What the changes would take away. Only the files of units that are written or removed are read.
    ///
    /// # Errors
    /// The output cannot be read.
    pub fn vanished(&self, changes: &Changes) -> Result<Vanished> {
        let written = changes.write.iter().map(|(path, unit)| (path, Some(unit)));
        let removed = changes.remove.iter().map(|path| (path, None));
        let known = |(path, _): &(&String, Option<&Unit>)| self.units.contains_key(*path);
        let units: Vec<(&String, Option<&Unit>)> = written.chain(removed).filter(known).collect();
        let pieces = units.par_chunks(PIECE).map(|piece| self.pairs(piece)).collect::<Result<Vec<_>>>()?;
        Ok(Vanished::of(pieces.into_iter().flatten()))
    }

    /// The last commit of the fleet that the output was rendered from, as far as its history says.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn source_revision(&self) -> Result<Option<String>> {
        Ok(self.recorded()?.map(|revision| revision.trim_end_matches("-dirty").to_owned()))
    }

    /// Whether the output was last rendered from files that were in no commit: then nobody can render it again.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn is_from_no_commit(&self) -> Result<bool> {
        Ok(self.recorded()?.is_some_and(|revision| revision.ends_with("-dirty")))
    }

    fn recorded(&self) -> Result<Option<String>> {
        const HISTORY: usize = 500;
        let (Place::Tree(git, _), Some(tip)) = (&self.place, self.tip) else { return Ok(None) };
        let failed = |error: git2::Error| fault::git("cannot read the history of the output", &error);
        let git = Repository::open(git).map_err(failed)?;
        let mut walk = git.revwalk().map_err(failed)?;
        walk.push(tip).map_err(failed)?;
        for oid in walk.take(HISTORY) {
            let commit = git.find_commit(oid.map_err(failed)?).map_err(failed)?;
            let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
            if let Some(revision) = message.lines().rev().find_map(|line| line.strip_prefix("Source-Revision: ")) {
                return Ok(Some(revision.trim().to_owned()));
            }
        }
        Ok(None)
    }

    fn pairs(&self, units: &[(&String, Option<&Unit>)]) -> Result<Vec<(String, Pair)>> {
        let failed = |error: git2::Error| fault::git("cannot open the output repository", &error);
        match &self.place {
            Place::Nowhere => Ok(Vec::new()),
            Place::Folder(root) => units
                .iter()
                .map(|(path, unit)| Ok(((*path).clone(), pair(on_disk(&root.join(path))?, *unit))))
                .collect(),
            Place::Tree(git, root) => {
                let git = Repository::open(git).map_err(failed)?;
                let odb = git.odb().map_err(failed)?;
                let one = |(path, unit): &(&String, Option<&Unit>)| {
                    Ok(((*path).clone(), pair(in_tree(&odb, *root, path, *unit)?, *unit)))
                };
                units.iter().map(one).collect()
            }
        }
    }
}

/// Manifests of a unit before, by name; `None` for one that is known to be as the new one.
type Before = BTreeMap<String, Option<Vec<u8>>>;

fn pair(before: Before, unit: Option<&Unit>) -> Pair {
    let Some(unit) = unit else {
        return Pair { before: before.into_values().flatten().collect(), ..Pair::default() };
    };
    let mut pair = Pair { after: Some(Vec::new()), ..Pair::default() };
    for (name, bytes) in unit.files.iter().filter(|(name, _)| is_manifest(name)) {
        match before.get(name) {
            Some(None) => pair.same.push(bytes.clone()),
            Some(Some(old)) if old == bytes => pair.same.push(bytes.clone()),
            _ => pair.after.get_or_insert_default().push(bytes.clone()),
        }
    }
    let differs = |(name, old): &(String, Option<Vec<u8>>)| old.is_some() && unit.files.get(name) != old.as_ref();
    pair.before = before.into_iter().filter(differs).filter_map(|(_, old)| old).collect();
    pair
}

fn in_tree(odb: &Odb<'_>, root: Oid, path: &str, unit: Option<&Unit>) -> Result<Before> {
    let mut folder = root;
    for part in path.split('/') {
        match Folder::read(odb, folder)?.get(part.as_bytes()).filter(|entry| entry.is_folder()) {
            Some(entry) => folder = entry.oid,
            None => return Ok(Before::new()),
        }
    }
    let mut found = Before::new();
    for (name, entry) in tree::leaves(odb, folder)? {
        let Ok(name) = String::from_utf8(name) else { continue };
        if !is_manifest(&name) {
            continue;
        }
        let new = unit.and_then(|unit| unit.files.get(&name));
        let same = new.is_some_and(|new| Oid::hash_object(ObjectType::Blob, new).is_ok_and(|oid| oid == entry.oid));
        found.insert(name, if same { None } else { Some(tree::blob(odb, entry.oid)?) });
    }
    Ok(found)
}

fn on_disk(folder: &Path) -> Result<Before> {
    let mut found = Before::new();
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((path, prefix)) = open.pop() {
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(fault::disk("read", &path, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| fault::disk("read", &path, &error))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(|error| fault::disk("read", &path, &error))?;
            if kind.is_dir() {
                open.push((entry.path(), format!("{name}/")));
            } else if kind.is_file() && is_manifest(&name) {
                let bytes = fs::read(entry.path()).map_err(|error| fault::disk("read", &entry.path(), &error))?;
                found.insert(name, Some(bytes));
            }
        }
    }
    Ok(found)
}

/// Whether a file holds objects of the cluster.
fn is_manifest(name: &str) -> bool {
    name.ends_with(".yaml") && name != "kustomization.yaml" && name != PROVENANCE
}
