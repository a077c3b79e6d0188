//! Maps whose keys are hashes themselves, so that hashing them again is to take their first bytes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by digests, ids of Git objects and the like.
pub type ByHash<K, V> = HashMap<K, V, BuildHasherDefault<First>>;

/// Hashes a hash to its first eight bytes.
#[derive(Debug, Default)]
pub struct First(u64);

impl Hasher for First {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
