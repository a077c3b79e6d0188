//! Reads what a branch holds: which units, rendered from what, and what of them was edited by hand.
//!
//! A unit is believed without reading its files if its tree is one that this program committed: the cache knows it, or
//! a commit in the history says so by its trailer. Only other units are read file by file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use git2::{Odb, Oid, Repository};
use rayon::prelude::*;

use super::cache::Cache;
use super::fault;
use super::tree::{self, Entry, FILE, Folder, Memo};
use super::units::{self, Edit, EditKind, Intact, ROOT, Recorded, TENANTS};
use crate::error::Result;
use crate::manifest::tree::{Digest, PROVENANCE, Provenance};

/// Trailer that names the tree of units a commit of this program holds.
pub(super) const TREE_TRAILER: &str = "Tenantry-Tree";
/// How many commits are searched for the last one that this program made.
const HISTORY: usize = 500;
/// From how many units on a second core pays.
const MANY: usize = 128;

/// Units and edits below a folder of a commit.
pub(super) type Found = (BTreeMap<String, Recorded>, Vec<Edit>);

/// Where a tree of units stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The commit.
    pub tip: Oid,
    /// The folder in it; `None` for the top.
    pub path: Option<&'a str>,
    /// That folder's tree.
    pub root: Oid,
}

/// Reads the units at a place.
pub(super) fn read(git: &Repository, place: Place<'_>, memo: &Memo, cache: &mut Cache) -> Result<Found> {
    let odb = git.odb().map_err(|error| fault::git("cannot open the object database", &error))?;
    let places = places(&odb, memo, place.root)?;
    let mut known = Vec::with_capacity(places.len());
    let mut unknown = Vec::new();
    for (path, tree) in places {
        match cache.get(tree) {
            Some(intact) => known.push((path, Recorded { intact: Some(intact.clone()), owned: None })),
            None => unknown.push((path, tree)),
        }
    }
    let mut units: BTreeMap<String, Recorded> = known.into_iter().collect();
    if unknown.is_empty() {
        return Ok((units, Vec::new()));
    }
    let reference = reference(git, &odb, memo, place)?;
    let written: HashMap<String, Oid> = match reference {
        Some(reference) => self::places(&odb, memo, reference)?.into_iter().collect(),
        None => HashMap::new(),
    };
    let mut edits = Vec::new();
    let inspected = inspect_all(git.path(), &odb, &unknown, &written)?;
    for ((path, tree), inspected) in unknown.into_iter().zip(inspected) {
        let Some(inspected) = inspected else { continue };
        if let Some(intact) = &inspected.recorded.intact {
            cache.put(tree, intact.clone());
        }
        edits.extend(inspected.edits);
        units.insert(path, inspected.recorded);
    }
    edits.sort();
    Ok((units, edits))
}

/// Every folder that may be a unit, with its tree.
fn places(odb: &Odb<'_>, memo: &Memo, root: Oid) -> Result<Vec<(String, Oid)>> {
    let mut found = Vec::new();
    let Some(clusters) = Folder::recall(odb, memo, root)?.get(ROOT.as_bytes()).filter(|entry| entry.is_folder()) else {
        return Ok(found);
    };
    for (cluster, tree) in folders(odb, memo, clusters.oid, ROOT)? {
        for (path, unit) in folders(odb, memo, tree, &cluster)? {
            match path.ends_with(&format!("/{TENANTS}")) {
                true => found.extend(folders(odb, memo, unit, &path)?),
                false => found.push((path, unit)),
            }
        }
    }
    Ok(found)
}

/// The folders in a folder by their paths; names that are no UTF-8 cannot be ours.
fn folders(odb: &Odb<'_>, memo: &Memo, oid: Oid, at: &str) -> Result<Vec<(String, Oid)>> {
    let folder = Folder::recall(odb, memo, oid)?;
    let entries = folder.iter().filter(|(_, entry)| entry.is_folder());
    Ok(entries
        .filter_map(|(name, entry)| Some(([at, "/", std::str::from_utf8(name).ok()?].concat(), entry.oid)))
        .collect())
}

/// The tree of units in the last commit of this program: what its trailer says must be what it holds.
fn reference(git: &Repository, odb: &Odb<'_>, memo: &Memo, place: Place<'_>) -> Result<Option<Oid>> {
    let failed = |error: git2::Error| fault::git("cannot read the history of the output", &error);
    let mut walk = git.revwalk().map_err(failed)?;
    walk.push(place.tip).map_err(failed)?;
    for commit in walk.take(HISTORY) {
        let commit = git.find_commit(commit.map_err(failed)?).map_err(failed)?;
        let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
        let trailer = message.lines().rev().find_map(|line| line.strip_prefix(TREE_TRAILER)?.strip_prefix(": "));
        let Some(stated) = trailer.and_then(|text| Oid::from_str(text.trim()).ok()) else { continue };
        let held = tree::find(odb, memo, commit.tree_id(), place.path.unwrap_or_default())?;
        if held.is_some_and(|entry| entry.oid == stated) {
            return Ok(Some(stated));
        }
    }
    Ok(None)
}

struct Inspected {
    recorded: Recorded,
    edits: Vec<Edit>,
}

/// Path and tree of a unit.
type Unread = (String, Oid);

/// Inspects many units, on all cores if there are many; the order is that of `unknown`.
fn inspect_all(
    git: &Path,
    odb: &Odb<'_>,
    unknown: &[Unread],
    written: &HashMap<String, Oid>,
) -> Result<Vec<Option<Inspected>>> {
    let one = |odb: &Odb<'_>, place: &Unread| inspect(odb, place, written.get(&place.0).copied());
    if unknown.len() < MANY {
        return unknown.iter().map(|place| one(odb, place)).collect();
    }
    // A repository handle belongs to one thread, so each piece of work opens its own.
    let pieces = unknown.par_chunks(MANY).map(|piece| {
        let failed = |error: git2::Error| fault::git("cannot open the output repository", &error);
        let own = Repository::open(git).map_err(failed)?;
        let odb = own.odb().map_err(failed)?;
        piece.iter().map(|place| one(&odb, place)).collect::<Result<Vec<_>>>()
    });
    Ok(pieces.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// Reads one unit; `None` if the folder holds no provenance file and hence is none of ours.
/// `written` is the tree that this program last wrote at that place.
fn inspect(odb: &Odb<'_>, (path, tree): &Unread, written: Option<Oid>) -> Result<Option<Inspected>> {
    let Some(record) = Folder::read(odb, *tree)?.get(PROVENANCE.as_bytes()) else { return Ok(None) };
    let parsed = match record.mode {
        FILE => Provenance::parse(&tree::blob(odb, record.oid)?),
        _ => Err("it is no ordinary file".to_owned()),
    };
    let unit = Unit { odb, path, original: written.map(|tree| tree::leaves(odb, tree)).transpose()? };
    let provenance = match parsed {
        Ok(provenance) => provenance,
        Err(why) => return unit.unreadable(record, why).map(Some),
    };
    let edits = if written == Some(*tree) { Vec::new() } else { unit.edits(*tree, &provenance)? };
    let intact = Intact { inputs: provenance.inputs, tool_version: provenance.tool_version.as_str().into() };
    let recorded = match edits.is_empty() {
        true => Recorded { intact: Some(intact), owned: None },
        false => Recorded { intact: None, owned: Some(units::owned(&provenance).map(str::to_owned).collect()) },
    };
    Ok(Some(Inspected { recorded, edits }))
}

/// A unit that is looked at, and what it was when this program last wrote it.
struct Unit<'a> {
    odb: &'a Odb<'a>,
    path: &'a str,
    original: Option<BTreeMap<Vec<u8>, Entry>>,
}

impl Unit<'_> {
    /// Owned files that are not what the provenance says.
    fn edits(&self, tree: Oid, provenance: &Provenance) -> Result<Vec<Edit>> {
        let present = tree::leaves(self.odb, tree)?;
        let mut edits = Vec::new();
        for (file, digest) in &provenance.files {
            let entry = present.get(file.as_bytes()).copied();
            let kind = match entry {
                None => EditKind::Missing,
                Some(entry) if entry.mode != FILE => EditKind::Mode,
                Some(entry) if Digest::of(&tree::blob(self.odb, entry.oid)?) != *digest => EditKind::Changed,
                Some(_) => continue,
            };
            edits.push(self.edit(file, kind, entry)?);
        }
        Ok(edits)
    }

    fn unreadable(&self, record: Entry, why: String) -> Result<Inspected> {
        let edit = self.edit(PROVENANCE, EditKind::Provenance(why), Some(record))?;
        let original = self.original.as_ref().and_then(|files| files.get(PROVENANCE.as_bytes()));
        let provenance = match original {
            Some(entry) => Provenance::parse(&tree::blob(self.odb, entry.oid)?).ok(),
            None => None,
        };
        let owned = provenance.map(|provenance| units::owned(&provenance).map(str::to_owned).collect());
        Ok(Inspected { recorded: Recorded { intact: None, owned }, edits: vec![edit] })
    }

    fn edit(&self, file: &str, kind: EditKind, present: Option<Entry>) -> Result<Edit> {
        let original = self.original.as_ref().and_then(|files| files.get(file.as_bytes()));
        let diff = match (original, present) {
            (Some(old), Some(new)) if old.oid != new.oid && old.mode == new.mode => {
                let (old, new) = (tree::blob(self.odb, old.oid)?, tree::blob(self.odb, new.oid)?);
                Some(units::unified(&format!("{}/{file}", self.path), &old, &new))
            }
            _ => None,
        };
        Ok(Edit { unit: self.path.to_owned(), file: file.to_owned(), kind, diff })
    }
}
