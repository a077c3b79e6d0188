//! What earlier runs of the same build found out about tenant files, so that ten thousand unchanged ones cost a digest
//! each and no more.
//!
//! Everything in it follows from the texts whose digests are its keys: a memo saves time and never decides. One that is
//! damaged, or of another build, is empty. Layout: magic, digest of the build, records, SHA-256 of all before it. A
//! record: digest of a tenant file's text, digest of the rest of the fleet, digest of the inputs of the tenant's unit
//! under it, length of the JSON text, the file's value as JSON. Integers are little-endian.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::manifest::{ByHash, Digest};

const MAGIC: &[u8; 8] = b"tnmemo01";
const DIGEST: usize = 32;

/// Digests of the rest of the fleet and of the inputs that follow.
type Inputs = (Digest, Digest);

/// What is known of tenant files, by the digests of their texts.
#[derive(Debug, Default)]
pub struct Memo {
    bytes: Vec<u8>,
    known: ByDigest<(Range<usize>, Inputs)>,
    learnt: Mutex<Learnt>,
}

#[derive(Debug, Default)]
struct Learnt {
    values: HashMap<Digest, String>,
    inputs: HashMap<Digest, Inputs>,
}

type ByDigest<T> = ByHash<Digest, T>;

impl Memo {
    /// Reads what [`Memo::encode`] of the same build wrote; anything else is an empty memo.
    pub fn decode(bytes: Vec<u8>, build: &Digest) -> Self {
        match records(&bytes, build) {
            Some(known) => Self { bytes, known, learnt: Mutex::default() },
            None => Self::default(),
        }
    }

    /// The value of a tenant file, as JSON, if the file was found valid before.
    pub fn value(&self, text: &Digest) -> Option<&str> {
        let (json, _) = self.known.get(text)?;
        std::str::from_utf8(&self.bytes[json.clone()]).ok()
    }

    /// The digest of the inputs of a tenant's unit, if it was computed before for the same rest of the fleet.
    pub fn inputs(&self, text: &Digest, rest: &Digest) -> Option<Digest> {
        let (_, (of, inputs)) = self.known.get(text)?;
        (of == rest).then_some(*inputs)
    }

    /// Notes the value of a valid tenant file, as JSON.
    pub fn learn_value(&self, text: Digest, json: String) {
        self.learnt().values.insert(text, json);
    }

    /// Notes the digest of the inputs of a tenant's unit.
    pub fn learn_inputs(&self, text: Digest, rest: Digest, inputs: Digest) {
        self.learnt().inputs.insert(text, (rest, inputs));
    }

    /// The bytes to keep for the next run: of what is known, that about the texts of this fleet. `None` if nothing was
    /// learnt.
    pub fn encode<'a>(&self, texts: impl IntoIterator<Item = &'a Digest>, build: &Digest) -> Option<Vec<u8>> {
        let learnt = self.learnt();
        if learnt.values.is_empty() && learnt.inputs.is_empty() {
            return None;
        }
        let none = Digest::from_bytes([0; DIGEST]);
        let mut bytes = Vec::with_capacity(self.bytes.len() + (1 << 16));
        bytes.extend(MAGIC);
        bytes.extend(build.as_bytes());
        for text in texts {
            let Some(json) = learnt.values.get(text).map(String::as_str).or_else(|| self.value(text)) else { continue };
            let Ok(length) = u32::try_from(json.len()) else { continue };
            let before = || self.known.get(text).map(|(_, inputs)| *inputs);
            let (rest, inputs) = learnt.inputs.get(text).copied().or_else(before).unwrap_or((none, none));
            for digest in [text, &rest, &inputs] {
                bytes.extend(digest.as_bytes());
            }
            bytes.extend(length.to_le_bytes());
            bytes.extend(json.as_bytes());
        }
        let seal = Digest::of(&bytes);
        bytes.extend(seal.as_bytes());
        Some(bytes)
    }

    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where what lies in the bytes of a memo; `None` if they are none of this build's.
fn records(bytes: &[u8], build: &Digest) -> Option<ByDigest<(Range<usize>, Inputs)>> {
    let (body, seal) = bytes.split_last_chunk::<DIGEST>()?;
    let rest = body.strip_prefix(MAGIC)?.strip_prefix(build.as_bytes())?;
    if Digest::of(body).as_bytes() != seal {
        return None;
    }
    let mut known = ByDigest::default();
    let mut at = body.len() - rest.len();
    while at < body.len() {
        let digest = |number: usize| -> Option<Digest> {
            let from = at + number * DIGEST;
            Some(Digest::from_bytes(body.get(from..from + DIGEST)?.try_into().ok()?))
        };
        let (text, of, inputs) = (digest(0)?, digest(1)?, digest(2)?);
        at += 3 * DIGEST;
        let length = u32::from_le_bytes(body.get(at..at + 4)?.try_into().ok()?);
        at += 4;
        let end = at.checked_add(length as usize).filter(|end| *end <= body.len())?;
        known.insert(text, (at..end, (of, inputs)));
        at = end;
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn written() -> (Vec<u8>, Digest) {
        let (memo, build) = (Memo::default(), digest("build"));
        memo.learn_value(digest("a"), "{\"a\":1}".into());
        memo.learn_value(digest("gone"), "{}".into());
        memo.learn_inputs(digest("a"), digest("rest"), digest("inputs"));
        (memo.encode([&digest("a"), &digest("never seen")], &build).unwrap(), build)
    }

    #[test]
    fn what_is_learnt_is_known_in_the_next_run() {
        let (bytes, build) = written();
        let memo = Memo::decode(bytes, &build);
        assert_eq!(memo.value(&digest("a")), Some("{\"a\":1}"));
        assert_eq!(memo.inputs(&digest("a"), &digest("rest")), Some(digest("inputs")));
        assert_eq!(memo.inputs(&digest("a"), &digest("another rest")), None, "inputs follow from all of the fleet");
        assert_eq!(memo.value(&digest("gone")), None, "what the fleet lost is forgotten");
        assert!(memo.encode([&digest("a")], &build).is_none(), "nothing new, nothing to write");
    }

    #[test]
    fn what_was_known_is_kept_beside_what_is_new() {
        let (bytes, build) = written();
        let memo = Memo::decode(bytes, &build);
        memo.learn_value(digest("b"), "{\"b\":2}".into());
        let memo = Memo::decode(memo.encode([&digest("a"), &digest("b")], &build).unwrap(), &build);
        assert_eq!(memo.value(&digest("b")), Some("{\"b\":2}"));
        assert_eq!(memo.inputs(&digest("b"), &digest("rest")), None);
        assert_eq!(memo.inputs(&digest("a"), &digest("rest")), Some(digest("inputs")));
    }

    #[test]
    fn a_memo_of_another_build_or_with_one_changed_byte_is_empty() {
        let (bytes, build) = written();
        assert!(Memo::decode(bytes.clone(), &digest("another build")).known.is_empty());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(Memo::decode(damaged, &build).known.is_empty(), "byte {at}");
            assert!(Memo::decode(bytes[..at].to_vec(), &build).known.is_empty(), "cut at {at}");
        }
    }
}
