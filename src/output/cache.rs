//! What is known of unit trees by their id, so that ten thousand unchanged units cost no read.
//!
//! The file is derived: whatever is wrong with it, it is ignored and written anew.
//! Layout: magic, number of versions, versions (length and text), then records of tree id, digest of the inputs and
//! number of the version, then SHA-256 of all before it. Integers are little-endian.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::Oid;

use super::lock::{LOCK, Writer};
use super::units::Intact;
use crate::manifest::ByHash;
use crate::manifest::tree::Digest;

const MAGIC: &[u8; 8] = b"tnunits1";
const RECORD: usize = 20 + 32 + 2;

/// Unit trees whose owned files are as they were written.
#[derive(Debug)]
pub(super) struct Cache {
    known: Known,
    dirty: bool,
}

/// By the bytes of the tree's id: what is known, and whether it was asked for or learnt in this run.
type Known = ByHash<[u8; 20], (Intact, bool)>;

impl Cache {
    /// Reads the cache at a path; an absent or broken one is empty.
    pub(super) fn load(path: &Path) -> Self {
        let known = fs::read(path).ok().and_then(|bytes| decode(&bytes)).unwrap_or_default();
        Self { known, dirty: false }
    }

    pub(super) fn get(&mut self, tree: Oid) -> Option<&Intact> {
        let (intact, live) = self.known.get_mut(tree.as_bytes())?;
        *live = true;
        Some(intact)
    }

    pub(super) fn put(&mut self, tree: Oid, intact: Intact) {
        if let Ok(tree) = tree.as_bytes().try_into() {
            self.dirty |= self.known.insert(tree, (intact, true)).is_none();
        }
    }

    /// Writes what was learnt, and forgets what is long gone.
    pub(super) fn save(&mut self, path: &Path) {
        if !self.dirty {
            return;
        }
        let live = self.known.values().filter(|(_, live)| *live).count();
        if self.known.len() > 4 * live + 1024 {
            self.known.retain(|_, (_, live)| *live);
        }
        // A cache that cannot be written costs time, not correctness; and whoever holds the lock writes a newer one.
        let Some(_writer) = path.parent().and_then(|ours| Writer::try_file(&ours.join(LOCK))) else { return };
        let unfinished = path.with_extension("tmp");
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

fn encode(known: &Known) -> Vec<u8> {
    let mut versions: Vec<&str> = Vec::new();
    for (intact, _) in known.values() {
        if !versions.contains(&&*intact.tool_version) {
            versions.push(&intact.tool_version);
        }
    }
    let mut bytes = Vec::with_capacity(64 + known.len() * RECORD);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(versions.len() as u16).to_le_bytes());
    for version in &versions {
        bytes.extend_from_slice(&(version.len() as u16).to_le_bytes());
        bytes.extend_from_slice(version.as_bytes());
    }
    for (tree, (intact, _)) in known {
        let number = versions.iter().position(|version| **version == *intact.tool_version).unwrap_or_default() as u16;
        bytes.extend_from_slice(tree);
        bytes.extend_from_slice(intact.inputs.as_bytes());
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let digest = Digest::of(&bytes);
    bytes.extend_from_slice(digest.as_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Known> {
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
        let tree = record[..20].try_into().ok()?;
        let inputs = Digest::from_bytes(record[20..52].try_into().ok()?);
        let (version, _) = number(&record[52..])?;
        Some((tree, (Intact { inputs, tool_version: versions.get(version)?.clone() }, false)))
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
        let mut again = Cache::load(&path);
        assert_eq!(again.get(oid(1)), Some(&intact(1, "0.1.0")));
        assert_eq!(again.get(oid(2)), Some(&intact(2, "0.2.0")));
        assert_eq!(again.get(oid(3)), None);

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
        assert!(cache.known.len() == 1 && cache.get(oid(2000)).is_some());
    }
}
