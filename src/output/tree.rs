//! Git tree objects as sorted entries: read whole, changed in memory, encoded again.
//!
//! libgit2's own builder looks every inserted object up in the database and cannot see objects that are still on their
//! way into a pack, so trees are encoded here (`<mode> <name>\0<20 bytes>`, sorted as Git sorts them).

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;

use git2::{ObjectType, Odb, Oid};

use super::fault;
use crate::error::Result;

/// Mode of an ordinary file, the only mode this program writes.
pub(super) const FILE: u32 = 0o100_644;
/// Mode of a folder.
pub(super) const FOLDER: u32 = 0o040_000;

/// What a name in a folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Git's file mode.
    pub mode: u32,
    /// The object's id.
    pub oid: Oid,
}

impl Entry {
    /// Whether the entry is a folder.
    pub(super) fn is_folder(self) -> bool {
        self.mode == FOLDER
    }
}

/// Entries of one folder, in Git's order. Names lie one after another in one buffer: a folder may have 10,000.
#[derive(Debug, Clone, Default)]
pub(super) struct Folder {
    names: Vec<u8>,
    entries: Vec<(Range<u32>, Entry)>,
}

/// Folders that were read, by their id; for those above the units, which are large and asked for again and again.
pub(super) type Memo = RefCell<HashMap<Oid, Rc<Folder>>>;

impl Folder {
    /// Reads a tree object.
    pub(super) fn read(odb: &Odb<'_>, oid: Oid) -> Result<Self> {
        let object = odb.read(oid).map_err(|error| fault::object(oid, &error))?;
        if object.kind() != ObjectType::Tree {
            return Err(fault::malformed(oid, "it is not a tree"));
        }
        Self::decode(object.data()).ok_or_else(|| fault::malformed(oid, "its entries cannot be read"))
    }

    /// Reads a tree object, once.
    pub(super) fn recall(odb: &Odb<'_>, memo: &Memo, oid: Oid) -> Result<Rc<Self>> {
        if let Some(known) = memo.borrow().get(&oid) {
            return Ok(known.clone());
        }
        let folder = Rc::new(Self::read(odb, oid)?);
        memo.borrow_mut().insert(oid, folder.clone());
        Ok(folder)
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut folder = Self { names: Vec::with_capacity(bytes.len()), entries: Vec::with_capacity(bytes.len() / 36) };
        while !bytes.is_empty() {
            let space = bytes.iter().take(8).position(|byte| *byte == b' ')?;
            let digits = bytes[..space].iter().map(|byte| byte.checked_sub(b'0').filter(|digit| *digit < 8));
            let mode = digits.into_iter().try_fold(0, |mode, digit| Some(mode << 3 | u32::from(digit?)))?;
            bytes = &bytes[space + 1..];
            let end = bytes.iter().position(|byte| *byte == 0)?;
            let (name, rest) = (&bytes[..end], bytes.get(end + 1..)?);
            let oid = Oid::from_bytes(rest.get(..20)?).ok()?;
            let name = folder.name(name)?;
            folder.entries.push((name, Entry { mode, oid }));
            bytes = &rest[20..];
        }
        Some(folder)
    }

    /// Remembers a name; `None` if there is no room for it.
    fn name(&mut self, name: &[u8]) -> Option<Range<u32>> {
        let start = u32::try_from(self.names.len()).ok()?;
        self.names.extend_from_slice(name);
        Some(start..u32::try_from(self.names.len()).ok()?)
    }

    /// The object's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.names.len() + self.entries.len() * 28);
        for (name, entry) in self.iter() {
            match entry.mode {
                FILE => bytes.extend_from_slice(b"100644 "),
                FOLDER => bytes.extend_from_slice(b"40000 "),
                mode => bytes.extend_from_slice(format!("{mode:o} ").as_bytes()),
            }
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend_from_slice(entry.oid.as_bytes());
        }
        bytes
    }

    /// Builds a folder of any entries, each name at most once.
    pub(super) fn of(entries: &BTreeMap<Vec<u8>, Entry>) -> Self {
        let mut folder = Self::default();
        entries.iter().for_each(|(name, entry)| folder.set(name, Some(*entry)));
        folder
    }

    /// The entries in Git's order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Entry)> {
        self.entries.iter().map(|(name, entry)| (&self.names[name.start as usize..name.end as usize], *entry))
    }

    /// Where an entry of a name and mode is, or would be.
    fn place(&self, name: &[u8], mode: u32) -> std::result::Result<usize, usize> {
        self.entries.binary_search_by(|(other, entry)| {
            compare((&self.names[other.start as usize..other.end as usize], entry.mode), (name, mode))
        })
    }

    /// The entry of a name; its place depends on whether it is a folder, so both places are looked at.
    pub(super) fn get(&self, name: &[u8]) -> Option<Entry> {
        [FILE, FOLDER].into_iter().find_map(|mode| Some(self.entries[self.place(name, mode).ok()?].1))
    }

    /// Sets or removes a name, keeping the order.
    pub(super) fn set(&mut self, name: &[u8], entry: Option<Entry>) {
        for mode in [FILE, FOLDER] {
            if let Ok(place) = self.place(name, mode) {
                match entry {
                    Some(new) if new.is_folder() == (mode == FOLDER) => {
                        self.entries[place].1 = new;
                        return;
                    }
                    _ => drop(self.entries.remove(place)),
                }
            }
        }
        if let Some(new) = entry
            && let Err(place) = self.place(name, new.mode)
            && let Some(name) = self.name(name)
        {
            self.entries.insert(place, (name, new));
        }
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Every leaf below a folder by its path: files, links and submodules, not folders.
pub(super) fn leaves(odb: &Odb<'_>, oid: Oid) -> Result<BTreeMap<Vec<u8>, Entry>> {
    let mut found = BTreeMap::new();
    let mut open = vec![(Vec::new(), oid)];
    while let Some((prefix, oid)) = open.pop() {
        for (name, entry) in Folder::read(odb, oid)?.iter() {
            let mut path = prefix.clone();
            path.extend_from_slice(name);
            if entry.is_folder() {
                path.push(b'/');
                open.push((path, entry.oid));
            } else {
                found.insert(path, entry);
            }
        }
    }
    Ok(found)
}

/// The entry at a path below a folder; `None` if there is none.
pub(super) fn find(odb: &Odb<'_>, memo: &Memo, root: Oid, path: &str) -> Result<Option<Entry>> {
    let mut entry = Entry { mode: FOLDER, oid: root };
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if !entry.is_folder() {
            return Ok(None);
        }
        match Folder::recall(odb, memo, entry.oid)?.get(part.as_bytes()) {
            Some(found) => entry = found,
            None => return Ok(None),
        }
    }
    Ok(Some(entry))
}

/// The bytes of a file.
pub(super) fn blob(odb: &Odb<'_>, oid: Oid) -> Result<Vec<u8>> {
    let object = odb.read(oid).map_err(|error| fault::object(oid, &error))?;
    if object.kind() != ObjectType::Blob {
        return Err(fault::malformed(oid, "it is not a file"));
    }
    Ok(object.data().to_vec())
}

/// The tree of a commit.
pub(super) fn of_commit(repository: &git2::Repository, commit: Oid) -> Result<Oid> {
    let found = repository.find_commit(commit).map_err(|error| fault::object(commit, &error))?;
    Ok(found.tree_id())
}

/// Git compares names as bytes, a folder's as if it ended in `/`.
fn compare((one, one_mode): (&[u8], u32), (two, two_mode): (&[u8], u32)) -> Ordering {
    let common = one.len().min(two.len());
    let end = |name: &[u8], mode: u32| match name.get(common) {
        Some(byte) => *byte,
        None if mode == FOLDER => b'/',
        None => 0,
    };
    one[..common].cmp(&two[..common]).then_with(|| end(one, one_mode).cmp(&end(two, two_mode)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(mode: u32, fill: u8) -> Entry {
        Entry { mode, oid: Oid::from_bytes(&[fill; 20]).unwrap() }
    }

    #[test]
    fn orders_names_as_git_does_and_reads_what_it_writes() {
        let names = [("a", FOLDER), ("a.b", FILE), ("a-b", FILE), ("a0", FOLDER), ("ab", FILE)];
        let entries =
            names.iter().map(|(name, mode)| (name.as_bytes().to_vec(), entry(*mode, 7))).collect::<BTreeMap<_, _>>();
        let folder = Folder::of(&entries);
        let order: Vec<&[u8]> = folder.iter().map(|(name, _)| name).collect();
        assert_eq!(order, [&b"a-b"[..], b"a.b", b"a", b"a0", b"ab"]);
        let again = Folder::decode(&folder.encode()).unwrap();
        assert!(again.iter().eq(folder.iter()));
        for (name, mode) in names {
            assert_eq!(folder.get(name.as_bytes()), Some(entry(mode, 7)), "{name}");
        }
        assert_eq!(folder.get(b"b"), None);
    }

    #[test]
    fn sets_replaces_changes_kind_and_removes() {
        let mut folder = Folder::default();
        folder.set(b"a", Some(entry(FILE, 1)));
        folder.set(b"a.b", Some(entry(FILE, 2)));
        folder.set(b"a", Some(entry(FOLDER, 3)));
        assert_eq!(folder.iter().count(), 2);
        assert_eq!(folder.get(b"a"), Some(entry(FOLDER, 3)));
        folder.set(b"a", None);
        folder.set(b"a.b", None);
        folder.set(b"absent", None);
        assert!(folder.is_empty());
    }

    #[test]
    fn refuses_cut_trees() {
        let whole = Folder::of(&BTreeMap::from([(b"a".to_vec(), entry(FILE, 1))])).encode();
        for cut in 1..whole.len() {
            assert!(Folder::decode(&whole[..cut]).is_none(), "{cut}");
        }
    }
}
