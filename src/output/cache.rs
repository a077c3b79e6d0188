//! What is known of unit trees by their id, so that ten thousand unchanged units cost no read.
//!
//! The file is derived: whatever is wrong with it, it is ignored and written anew.
//! Layout: magic, number of versions, versions (length and text), then records of tree id, digest of the inputs and
//! number of the version, then SHA-256 of all before it. Integers are little-endian.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::Oid;

use super::units::Intact;
use crate::manifest::tree::Digest;

const MAGIC: &[u8; 8] = b"tnunits1";
const RECORD: usize = 20 + 32 + 2;

/// Unit trees whose owned files are as they were written.
#[derive(Debug)]
pub(super) struct Cache {
    known: HashMap<Oid, Intact>,
    /// Trees that were asked for or learnt: those that are of use now.
    live: HashSet<Oid>,
    dirty: bool,
}

impl Cache {
    /// Reads the cache at a path; an absent or broken one is empty.
    pub(super) fn load(path: &Path) -> Self {
        let known = fs::read(path).ok().and_then(|bytes| decode(&bytes)).unwrap_or_default();
        Self { known, live: HashSet::new(), dirty: false }
    }

    pub(super) fn get(&mut self, tree: Oid) -> Option<&Intact> {
        self.live.insert(tree);
        self.known.get(&tree)
    }

    pub(super) fn put(&mut self, tree: Oid, intact: Intact) {
        self.live.insert(tree);
        self.dirty |= self.known.insert(tree, intact).is_none();
    }

    /// Writes what was learnt, and forgets what is long gone.
    pub(super) fn save(&mut self, path: &Path) {
        if !self.dirty {
            return;
        }
        if self.known.len() > 4 * self.live.len() + 1024 {
            self.known.retain(|tree, _| self.live.contains(tree));
        }
        // A cache that cannot be written costs time, not correctness.
        let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
        if fs::write(&unfinished, encode(&self.known)).and_then(|()| fs::rename(&unfinished, path)).is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        self.dirty = false;
    }

    /// Where the cache of a folder of ours lies.
    pub(super) fn place(ours: &Path) -> PathBuf {
        ours.join("units")
    }
}

fn encode(known: &HashMap<Oid, Intact>) -> Vec<u8> {
    let mut versions: Vec<&str> = known.values().map(|intact| &*intact.tool_version).collect();
    versions.sort_unstable();
    versions.dedup();
    let mut bytes = Vec::with_capacity(64 + known.len() * RECORD);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(versions.len() as u16).to_le_bytes());
    for version in &versions {
        bytes.extend_from_slice(&(version.len() as u16).to_le_bytes());
        bytes.extend_from_slice(version.as_bytes());
    }
    for (tree, intact) in known {
        let number = versions.binary_search(&&*intact.tool_version).unwrap_or_default() as u16;
        bytes.extend_from_slice(tree.as_bytes());
        bytes.extend_from_slice(intact.inputs.as_bytes());
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let digest = Digest::of(&bytes);
    bytes.extend_from_slice(digest.as_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<HashMap<Oid, Intact>> {
    let (content, digest) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if Digest::of(content).as_bytes() != digest {
        return None;
    }
    let rest = content.strip_prefix(MAGIC)?;
    let (count, mut rest) = number(rest)?;
    let mut versions: Vec<Arc<str>> = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, after) = number(rest)?;
        let (text, after) = after.split_at_checked(length)?;
        versions.push(std::str::from_utf8(text).ok()?.into());
        rest = after;
    }
    let records = rest.chunks_exact(RECORD);
    if !records.remainder().is_empty() {
        return None;
    }
    let record = |record: &[u8]| {
        let tree = Oid::from_bytes(&record[..20]).ok()?;
        let inputs = Digest::from_bytes(record[20..52].try_into().ok()?);
        let (version, _) = number(&record[52..])?;
        Some((tree, Intact { inputs, tool_version: versions.get(version)?.clone() }))
    };
    records.map(record).collect()
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_le_bytes(*number)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_ignores_what_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let path = Cache::place(folder.path());
        let oid = |fill| Oid::from_bytes(&[fill; 20]).unwrap();
        let intact = |fill, version: &str| Intact { inputs: Digest::of(&[fill]), tool_version: version.into() };
        let mut cache = Cache::load(&path);
        cache.put(oid(1), intact(1, "0.1.0"));
        cache.put(oid(2), intact(2, "0.2.0"));
        cache.save(&path);
        assert_eq!(Cache::load(&path).known, cache.known);

        let whole = fs::read(&path).unwrap();
        for place in 0..whole.len() {
            let mut broken = whole.clone();
            broken[place] ^= 1;
            fs::write(&path, &broken).unwrap();
            assert!(Cache::load(&path).known.is_empty(), "{place}");
            fs::write(&path, &whole[..place]).unwrap();
            assert!(Cache::load(&path).known.is_empty(), "{place}");
        }
    }

    #[test]
    fn forgets_what_is_long_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = Cache::place(folder.path());
        let mut cache = Cache::load(&path);
        let oid = |number: u32| {
            let mut bytes = [0; 20];
            bytes[..4].copy_from_slice(&number.to_le_bytes());
            Oid::from_bytes(&bytes).unwrap()
        };
        for number in 0..2000 {
            cache.put(oid(number), Intact { inputs: Digest::of(b""), tool_version: "1".into() });
        }
        cache.save(&path);
        assert_eq!(cache.known.len(), 2000);
        let mut cache = Cache::load(&path);
        cache.put(oid(2000), Intact { inputs: Digest::of(b""), tool_version: "1".into() });
        cache.save(&path);
        assert_eq!(cache.known.keys().collect::<Vec<_>>(), [&oid(2000)]);
    }
}
