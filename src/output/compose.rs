//! From what is wanted to a tree: new objects in memory, nothing written yet.

use std::collections::{BTreeMap, BTreeSet};

use git2::{ObjectType, Odb, Oid, Repository};
use rayon::prelude::*;

use super::fault;
use super::files::Change;
use super::pack::{self, Pack, Packer};
use super::tree::{self, Entry, FILE, FOLDER, Folder, Memo};
use super::units::{self, Baseline, Intact};
use crate::error::{Error, Result};
use crate::manifest::tree::{Changes, PROVENANCE, Provenance, Unit};

/// Files, links and submodules of a folder, by their path below it.
type Leaves = BTreeMap<Vec<u8>, Entry>;

/// Units that are written against each other; fixed, so that the pack does not depend on the number of cores.
const GROUP: usize = 128;

/// A tree that is ready to be committed.
#[derive(Debug)]
pub(super) struct Composed {
    /// The tree of the whole commit.
    pub tree: Oid,
    /// The tree of units: the folder that the target names.
    pub units: Oid,
    /// New objects.
    pub pack: Packer,
    /// Units whose tree changed.
    pub written: usize,
    /// Units that were rendered, and came out as they were.
    pub same: usize,
    /// Units that were removed.
    pub removed: usize,
    /// What is known of the trees of written units.
    pub known: Vec<(Oid, Intact)>,
    /// Files that differ from the last commit, by path from the top of the repository.
    pub changes: Vec<Change>,
}

/// What a commit is composed of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    /// The whole tree of the last commit.
    pub old: Option<Oid>,
    /// The folder of the target in it.
    pub path: Option<&'a str>,
    /// What the last commit holds.
    pub baseline: &'a Baseline,
    /// What is wanted.
    pub changes: &'a Changes,
    /// Version of the program.
    pub tool_version: &'a str,
    /// Whether the changed files are to be listed.
    pub list: bool,
}

/// Composes the tree of the next commit.
pub(super) fn compose(git: &Repository, memo: &Memo, order: Order<'_>) -> Result<Composed> {
    let odb = git.odb().map_err(|error| fault::git("cannot open the object database", &error))?;
    let root = match order.old {
        Some(old) => tree::find(&odb, memo, old, order.path.unwrap_or_default())?.map(|entry| entry.oid),
        None => None,
    };
    let present = Present { odb: &odb, memo, root };
    let drafts = drafts(&present, order.baseline, order.changes)?;
    let groups: Vec<Group> = drafts.par_chunks(GROUP).map(|drafts| group(drafts, &order)).collect();

    let mut pack = Pack::default();
    let (mut written, mut same, mut known, mut changes) = (0, 0, Vec::new(), Vec::new());
    let mut edits = BTreeMap::new();
    for group in groups {
        pack.append(group.pack);
        changes.extend(group.changes);
        for (path, tree, intact) in group.units {
            let before = present.unit(path)?.map(|entry| entry.oid);
            if before == Some(tree) {
                same += 1
            } else {
                written += 1
            }
            edits.insert(path, Some(Entry { mode: FOLDER, oid: tree }));
            known.push((tree, intact));
        }
    }
    let mut packer = Packer::continuing(pack);
    let mut removed = 0;
    for path in &order.changes.remove {
        if let Some((old, rest)) = remaining(&present, order.baseline, path)? {
            removed += 1;
            changes.extend(order.list.then(|| list(&order, path, &old, &rest)).into_iter().flatten());
            let rest = (!rest.is_empty()).then(|| nest(&mut packer, &rest, &old, None));
            edits.insert(path, rest.map(|oid| Entry { mode: FOLDER, oid }));
        }
    }
    let units = rebuild((&odb, memo), &mut packer, root, edits, "")?;
    let units = units.unwrap_or_else(|| packer.add(ObjectType::Tree, b"", None));
    let tree = match order.path {
        None => units,
        Some(path) => {
            let edits = BTreeMap::from([(path, Some(Entry { mode: FOLDER, oid: units }))]);
            rebuild((&odb, memo), &mut packer, order.old, edits, "")?.unwrap_or(units)
        }
    };
    Ok(Composed { tree, units, pack: packer, written, same, removed, known, changes })
}

/// A unit that is to be written, and what lies in its folder.
struct Draft<'a> {
    unit: &'a Unit,
    /// Leaves that are not ours and stay.
    foreign: Leaves,
    /// All leaves of the folder as it is.
    old: Leaves,
}

struct Group<'a> {
    pack: Pack,
    /// Path, tree and record of every unit.
    units: Vec<(&'a str, Oid, Intact)>,
    changes: Vec<Change>,
}

/// What the last commit holds.
struct Present<'a> {
    odb: &'a Odb<'a>,
    memo: &'a Memo,
    root: Option<Oid>,
}

impl Present<'_> {
    /// The entry at a unit's path.
    fn unit(&self, path: &str) -> Result<Option<Entry>> {
        self.root.map_or(Ok(None), |root| tree::find(self.odb, self.memo, root, path))
    }

    /// All leaves of a unit's folder, and those of them that we own.
    fn leaves(&self, baseline: &Baseline, path: &str) -> Result<(Leaves, BTreeSet<Vec<u8>>)> {
        let Some(entry) = self.unit(path)? else { return Ok(Default::default()) };
        if !entry.is_folder() {
            return Err(units::in_the_way(path, &[String::new()]));
        }
        let leaves = tree::leaves(self.odb, entry.oid)?;
        let Some(recorded) = baseline.units.get(path) else { return Ok((leaves, BTreeSet::new())) };
        let bytes = |file: &str| file.as_bytes().to_vec();
        let mut owned: BTreeSet<Vec<u8>> = recorded.owned.iter().flatten().map(|file| bytes(file)).collect();
        if let (Some(_), Some(record)) = (&recorded.intact, leaves.get(PROVENANCE.as_bytes())) {
            let provenance = Provenance::parse(&tree::blob(self.odb, record.oid)?);
            let provenance = provenance.map_err(|why| fault::malformed(record.oid, &why))?;
            owned.extend(units::owned(&provenance).map(bytes));
        }
        owned.insert(bytes(PROVENANCE));
        Ok((leaves, owned))
    }
}

/// Finds out what lies at the places of the units to write, and refuses to overwrite what is not ours.
fn drafts<'a>(present: &Present<'_>, baseline: &Baseline, changes: &'a Changes) -> Result<Vec<Draft<'a>>> {
    let mut drafts = Vec::with_capacity(changes.write.len());
    for (path, unit) in &changes.write {
        let (old, mut owned) = present.leaves(baseline, path)?;
        if baseline.units.get(path).is_some_and(|recorded| recorded.intact.is_none() && recorded.owned.is_none()) {
            // Its record is lost and nothing else tells what was ours: discarding the edit means to write over it.
            owned.extend(unit.files.keys().map(|file| file.as_bytes().to_vec()));
        }
        let foreign: BTreeMap<_, _> =
            old.iter().filter(|(file, _)| !owned.contains(*file)).map(|(file, entry)| (file.clone(), *entry)).collect();
        let wanted = unit.files.keys().map(String::as_str).chain([PROVENANCE]);
        let names = foreign.keys().map(|file| (file.clone(), ())).collect();
        let same = |file: &str| match (foreign.get(file.as_bytes()), unit.files.get(file)) {
            (Some(entry), Some(bytes)) => entry.mode == FILE && entry.oid == pack::id(ObjectType::Blob, bytes),
            _ => false,
        };
        let blocked = units::blocked(wanted, &names, same);
        if !blocked.is_empty() {
            return Err(units::in_the_way(path, &blocked));
        }
        drafts.push(Draft { unit, foreign, old });
    }
    Ok(drafts)
}

/// Hashes and packs some units; needs nothing but them.
fn group<'a>(drafts: &'a [Draft<'a>], order: &Order<'_>) -> Group<'a> {
    let mut packer = Packer::default();
    let version: std::sync::Arc<str> = order.tool_version.into();
    let mut group = Group { pack: Pack::default(), units: Vec::with_capacity(drafts.len()), changes: Vec::new() };
    for draft in drafts {
        let provenance = Provenance::of(draft.unit, order.tool_version).to_bytes();
        let files = draft.unit.files.iter().map(|(file, bytes)| (file.as_bytes(), bytes.as_slice()));
        let mut leaves = draft.foreign.clone();
        for (file, bytes) in files.chain([(PROVENANCE.as_bytes(), provenance.as_slice())]) {
            let oid = pack::id(ObjectType::Blob, bytes);
            if draft.old.get(file).is_none_or(|entry| entry.oid != oid) {
                packer.add_as(oid, ObjectType::Blob, bytes, Some(file));
            }
            leaves.insert(file.to_vec(), Entry { mode: FILE, oid });
        }
        let tree = nest(&mut packer, &leaves, &draft.old, Some(b"/"));
        if order.list {
            group.changes.extend(list(order, &draft.unit.path, &draft.old, &leaves));
        }
        let intact = Intact { inputs: draft.unit.inputs, tool_version: version.clone() };
        group.units.push((&draft.unit.path, tree, intact));
    }
    group.pack = packer.finish();
    group
}

/// The files of a unit that differ, by path from the top of the repository.
fn list(order: &Order<'_>, unit: &str, old: &Leaves, new: &Leaves) -> Vec<Change> {
    let names: BTreeSet<&Vec<u8>> = old.keys().chain(new.keys()).collect();
    let prefix = order.path.map_or_else(|| format!("{unit}/"), |path| format!("{path}/{unit}/"));
    let changes = names.into_iter().map(|name| {
        let path = [prefix.as_bytes(), name].concat();
        Change { path, old: old.get(name).copied(), new: new.get(name).copied() }
    });
    changes.filter(|change| change.old != change.new).collect()
}

/// Makes nested trees of leaves, and returns the outermost; if the leaves are those of `old`, nothing is new.
fn nest(packer: &mut Packer, leaves: &Leaves, old: &Leaves, family: Option<&[u8]>) -> Oid {
    let mut entries = BTreeMap::new();
    let mut inner: BTreeMap<&[u8], Leaves> = BTreeMap::new();
    for (path, entry) in leaves {
        match path.iter().position(|byte| *byte == b'/') {
            Some(place) => drop(inner.entry(&path[..place]).or_default().insert(path[place + 1..].to_vec(), *entry)),
            None => drop(entries.insert(path.clone(), *entry)),
        }
    }
    for (name, leaves) in inner {
        let oid = nest(packer, &leaves, &BTreeMap::new(), family);
        entries.insert(name.to_vec(), Entry { mode: FOLDER, oid });
    }
    let bytes = Folder::of(&entries).encode();
    if leaves == old {
        return pack::id(ObjectType::Tree, &bytes);
    }
    packer.add(ObjectType::Tree, &bytes, family)
}

/// What is in a removed unit's folder, and what of it stays; `None` if there is nothing of ours in it.
fn remaining(present: &Present<'_>, baseline: &Baseline, path: &str) -> Result<Option<(Leaves, Leaves)>> {
    if !baseline.units.contains_key(path) {
        return Ok(None);
    }
    let (old, owned) = present.leaves(baseline, path)?;
    let rest = old.iter().filter(|(file, _)| !owned.contains(*file)).map(|(file, entry)| (file.clone(), *entry));
    let rest = rest.collect();
    Ok(Some((old, rest)))
}

/// Replaces entries at paths below a folder; `None` if nothing is left in it.
fn rebuild(
    (odb, memo): (&Odb<'_>, &Memo),
    packer: &mut Packer,
    old: Option<Oid>,
    edits: BTreeMap<&str, Option<Entry>>,
    at: &str,
) -> Result<Option<Oid>> {
    let before = old.map(|oid| Folder::recall(odb, memo, oid)).transpose()?;
    let mut folder = before.as_deref().cloned().unwrap_or_default();
    let mut inner: BTreeMap<&str, BTreeMap<&str, Option<Entry>>> = BTreeMap::new();
    for (path, entry) in edits {
        match path.split_once('/') {
            Some((name, rest)) => drop(inner.entry(name).or_default().insert(rest, entry)),
            None => folder.set(path.as_bytes(), entry),
        }
    }
    for (name, edits) in inner {
        let at = if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
        let old = folder.get(name.as_bytes());
        if old.is_some_and(|entry| !entry.is_folder()) {
            if edits.values().all(Option::is_none) {
                continue;
            }
            let error = Error::guard(format!("{at} is a file where a folder is to be written"));
            return Err(error.hint("move or remove it: only files that were rendered are ever replaced"));
        }
        let old = old.filter(|entry| entry.is_folder()).map(|entry| entry.oid);
        let new = rebuild((odb, memo), packer, old, edits, &at)?;
        folder.set(name.as_bytes(), new.map(|oid| Entry { mode: FOLDER, oid }));
    }
    if folder.is_empty() {
        return Ok(None);
    }
    match old.filter(|_| before.is_some_and(|before| before.iter().eq(folder.iter()))) {
        Some(old) => Ok(Some(old)),
        None => Ok(Some(packer.add(ObjectType::Tree, &folder.encode(), None))),
    }
}
