//! What earlier runs of the same build found out about tenant files, so that ten thousand unchanged ones cost a digest
//! each and no more.
//!
//! Everything in it follows from the texts whose digests are its keys: a memo saves time and never decides. One that is
//! damaged, or of another build, is empty. Layout: magic, digest of the build, four lists each behind its length,
//! SHA-256 of all before it. The lists: clusters (digest of the name, digest of the state that was proved, length of a text,
//! the warnings about it as JSON), facts (digest of what is known and of which unit, digest of what it follows from, the
//! digest that follows), places (digest of a tenant's slug and of a pointer into its file, digest of the text, line, column,
//! length), tenant files (digest of the text, digest of the rest of the fleet, digest of the inputs of the tenant's unit
//! under it, length of the JSON text, the file's value as JSON). Integers are little-endian, of 32 bits.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::manifest::{ByHash, Digest};
use crate::yaml::Span;

const MAGIC: &[u8; 8] = b"tnmemo05";
const DIGEST: usize = 32;

/// Digests of the rest of the fleet and of the inputs that follow.
type Inputs = (Digest, Digest);

/// What is known of tenant files, by the digests of their texts.
#[derive(Debug, Default)]
pub struct Memo {
    bytes: Vec<u8>,
    known: ByDigest<(Range<usize>, Inputs)>,
    proved: ByDigest<(Digest, Range<usize>)>,
    facts: ByDigest<(Digest, Digest)>,
    places: ByDigest<(Digest, Span)>,
    learnt: Mutex<Learnt>,
}

/// What may be known of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Inputs of a unit of a whole cluster; follow from all its tenants and the rest of the fleet.
    Inputs,
    /// What of it matters to the network; follows from its inputs.
    Footprint,
    /// What is shared, beside which its references were found good; noted by its inputs.
    References,
}

impl Fact {
    fn of(self, path: &str) -> Digest {
        Digest::of_parts([[self as u8].as_slice(), path.as_bytes()])
    }
}

#[derive(Debug, Default)]
struct Learnt {
    values: HashMap<Digest, String>,
    inputs: HashMap<Digest, Inputs>,
    proved: ByDigest<(Digest, String)>,
    facts: ByDigest<(Digest, Digest)>,
    places: ByDigest<(Digest, Span)>,
}

type ByDigest<T> = ByHash<Digest, T>;

impl Memo {
    /// Reads what [`Memo::encode`] of the same build wrote; anything else is an empty memo.
    pub fn decode(bytes: Vec<u8>, build: &Digest) -> Self {
        let read = read(&bytes, build);
        read.map(|memo| Self { bytes, ..memo }).unwrap_or_default()
    }

    /// The value of a tenant file, as JSON, if the file was found valid before.
    pub fn value(&self, text: &Digest) -> Option<&str> {
        let (json, _) = self.known.get(text)?;
        self.text(json)
    }

    /// The digest of the inputs of a tenant's unit, if it was computed before for the same rest of the fleet.
    pub fn inputs(&self, text: &Digest, rest: &Digest) -> Option<Digest> {
        let (_, (of, inputs)) = self.known.get(text)?;
        (of == rest).then_some(*inputs)
    }

    /// A digest that was found before: `what` of the unit at a path, if it followed from the same.
    pub fn fact(&self, what: Fact, path: &str, from: &Digest) -> Option<Digest> {
        let (of, fact) = self.facts.get(&what.of(path))?;
        (of == from).then_some(*fact)
    }

    /// Digest of the state of a cluster's network that was last proved, and the warnings about it.
    pub fn proved(&self, cluster: &str) -> Option<(Digest, &str)> {
        let (state, warnings) = self.proved.get(&Digest::of(cluster.as_bytes()))?;
        Some((*state, self.text(warnings)?))
    }

    /// Where a pointer leads in a tenant's file, if it was looked for before in the same text.
    pub fn place(&self, slug: &str, pointer: &str, text: &Digest) -> Option<Span> {
        let (of, span) = self.places.get(&field(slug, pointer))?;
        (of == text).then_some(*span)
    }

    /// Notes where a pointer leads in a tenant's file.
    pub fn learn_place(&self, slug: &str, pointer: &str, text: Digest, span: Span) {
        self.learnt().places.insert(field(slug, pointer), (text, span));
    }

    /// Notes the value of a valid tenant file, as JSON.
    pub fn learn_value(&self, text: Digest, json: String) {
        self.learnt().values.insert(text, json);
    }

    /// Forgets what was learnt of a text: the next run reads it again.
    pub fn forget(&self, text: &Digest) {
        self.learnt().values.remove(text);
    }

    /// Notes the digest of the inputs of a tenant's unit.
    pub fn learn_inputs(&self, text: Digest, rest: Digest, inputs: Digest) {
        self.learnt().inputs.insert(text, (rest, inputs));
    }

    /// Notes `what` of the unit at a path, and what it follows from.
    pub fn learn_fact(&self, what: Fact, path: &str, from: Digest, fact: Digest) {
        self.learnt().facts.insert(what.of(path), (from, fact));
    }

    /// Notes that every claim holds in this state of a cluster's network, and the warnings about it.
    pub fn learn_proved(&self, cluster: &str, state: Digest, warnings: String) {
        self.learnt().proved.insert(Digest::of(cluster.as_bytes()), (state, warnings));
    }

    /// The bytes to keep for the next run: of what is known of texts, that about the texts of this fleet. `None` if
    /// nothing was learnt.
    pub fn encode<'a>(&self, texts: impl IntoIterator<Item = &'a Digest>, build: &Digest) -> Option<Vec<u8>> {
        let learnt = self.learnt();
        let has_news = !learnt.values.is_empty() || !learnt.inputs.is_empty();
        if !has_news && learnt.facts.is_empty() && learnt.proved.is_empty() && learnt.places.is_empty() {
            return None;
        }
        let mut bytes = Vec::with_capacity(self.bytes.len() + (1 << 16));
        bytes.extend(MAGIC);
        bytes.extend(build.as_bytes());
        let kept = self.proved.iter().filter(|(cluster, _)| !learnt.proved.contains_key(*cluster));
        let kept = kept.filter_map(|(cluster, (state, warnings))| Some((cluster, state, self.text(warnings)?)));
        let news = learnt.proved.iter().map(|(cluster, (state, warnings))| (cluster, state, warnings.as_str()));
        list(&mut bytes, kept.chain(news), |bytes, (cluster, state, warnings)| {
            digests(bytes, [cluster, state]);
            text(bytes, warnings);
        });
        let kept = self.facts.iter().filter(|(what, _)| !learnt.facts.contains_key(*what));
        list(&mut bytes, kept.chain(&learnt.facts), |bytes, (what, (from, fact))| {
            digests(bytes, [what, from, fact]);
        });
        let kept = self.places.iter().filter(|(field, _)| !learnt.places.contains_key(*field));
        list(&mut bytes, kept.chain(&learnt.places), |bytes, (field, (text, span))| {
            digests(bytes, [field, text]);
            [span.line, span.column, span.length].iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        });
        self.texts(texts, &learnt, &mut bytes);
        let seal = Digest::of(&bytes);
        bytes.extend(seal.as_bytes());
        Some(bytes)
    }

    fn texts<'a>(&self, texts: impl IntoIterator<Item = &'a Digest>, learnt: &Learnt, bytes: &mut Vec<u8>) {
        let none = Digest::from_bytes([0; DIGEST]);
        for of in texts {
            let Some(json) = learnt.values.get(of).map(String::as_str).or_else(|| self.value(of)) else { continue };
            let before = || self.known.get(of).map(|(_, inputs)| *inputs);
            let (rest, inputs) = learnt.inputs.get(of).copied().or_else(before).unwrap_or((none, none));
            digests(bytes, [of, &rest, &inputs]);
            text(bytes, json);
        }
    }

    fn text(&self, range: &Range<usize>) -> Option<&str> {
        std::str::from_utf8(self.bytes.get(range.clone())?).ok()
    }

    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes records behind their number.
fn list<T>(bytes: &mut Vec<u8>, records: impl Iterator<Item = T>, write: impl Fn(&mut Vec<u8>, T)) {
    let at = bytes.len();
    bytes.extend([0; 4]);
    let mut count = 0_u32;
    for record in records {
        write(bytes, record);
        count += 1;
    }
    bytes[at..at + 4].copy_from_slice(&count.to_le_bytes());
}

fn digests<const N: usize>(bytes: &mut Vec<u8>, digests: [&Digest; N]) {
    digests.into_iter().for_each(|digest| bytes.extend(digest.as_bytes()));
}

/// Writes a text behind its length.
fn text(bytes: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).unwrap_or_else(|_| unreachable!("a text of a fleet is below 4 GiB"));
    bytes.extend(length.to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn field(slug: &str, pointer: &str) -> Digest {
    Digest::of_parts([slug.as_bytes(), pointer.as_bytes()])
}

/// What lies in the bytes of a memo, without the bytes; `None` if they are none of this build's.
fn read(bytes: &[u8], build: &Digest) -> Option<Memo> {
    let (body, seal) = bytes.split_last_chunk::<DIGEST>()?;
    let rest = body.strip_prefix(MAGIC)?.strip_prefix(build.as_bytes())?;
    if Digest::of(body).as_bytes() != seal {
        return None;
    }
    let mut memo = Memo::default();
    let mut cursor = Cursor { body, at: body.len() - rest.len() };
    for _ in 0..cursor.number()? {
        memo.proved.insert(cursor.digest()?, (cursor.digest()?, cursor.text()?));
    }
    for _ in 0..cursor.number()? {
        memo.facts.insert(cursor.digest()?, (cursor.digest()?, cursor.digest()?));
    }
    for _ in 0..cursor.number()? {
        let (field, text) = (cursor.digest()?, cursor.digest()?);
        let (line, column, length) = (cursor.number()?, cursor.number()?, cursor.number()?);
        memo.places.insert(field, (text, Span { line, column, length }));
    }
    while cursor.at < body.len() {
        let (text, of, inputs) = (cursor.digest()?, cursor.digest()?, cursor.digest()?);
        memo.known.insert(text, (cursor.text()?, (of, inputs)));
    }
    Some(memo)
}

/// Reads on.
struct Cursor<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.body.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    /// Where a text lies.
    fn text(&mut self) -> Option<Range<usize>> {
        let length = self.number()? as usize;
        let from = self.at;
        self.take(length)?;
        Some(from..self.at)
    }

    fn digest(&mut self) -> Option<Digest> {
        Some(Digest::from_bytes(self.take(DIGEST)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Span = Span { line: 3, column: 5, length: 2 };

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn written() -> (Vec<u8>, Digest) {
        let (memo, build) = (Memo::default(), digest("build"));
        memo.learn_value(digest("a"), "{\"a\":1}".into());
        memo.learn_value(digest("gone"), "{}".into());
        memo.learn_inputs(digest("a"), digest("rest"), digest("inputs"));
        memo.learn_fact(Fact::Footprint, "unit", digest("inputs"), digest("footprint"));
        memo.learn_proved("cluster", digest("state"), "[1]".into());
        memo.learn_place("a", "/x", digest("a"), PLACE);
        (memo.encode([&digest("a"), &digest("never seen")], &build).unwrap(), build)
    }

    #[test]
    fn what_is_learnt_is_known_in_the_next_run() {
        let (bytes, build) = written();
        let memo = Memo::decode(bytes, &build);
        assert_eq!(memo.value(&digest("a")), Some("{\"a\":1}"));
        assert_eq!(memo.inputs(&digest("a"), &digest("rest")), Some(digest("inputs")));
        assert_eq!(memo.inputs(&digest("a"), &digest("another rest")), None, "inputs follow from all of the fleet");
        assert_eq!(memo.fact(Fact::Footprint, "unit", &digest("inputs")), Some(digest("footprint")));
        assert_eq!(memo.fact(Fact::Footprint, "unit", &digest("other inputs")), None, "facts follow from the inputs");
        assert_eq!(memo.fact(Fact::Inputs, "unit", &digest("inputs")), None, "another fact");
        assert_eq!(memo.proved("cluster"), Some((digest("state"), "[1]")));
        assert_eq!(memo.proved("another"), None);
        assert_eq!(memo.place("a", "/x", &digest("a")), Some(PLACE));
        assert_eq!(memo.place("a", "/x", &digest("b")), None, "lines are those of one text");
        assert_eq!(memo.place("a", "/y", &digest("a")), None);
        assert_eq!(memo.value(&digest("gone")), None, "what the fleet lost is forgotten");
        assert!(memo.encode([&digest("a")], &build).is_none(), "nothing new, nothing to write");
    }

    #[test]
    fn what_was_known_is_kept_beside_what_is_new() {
        let (bytes, build) = written();
        let memo = Memo::decode(bytes, &build);
        memo.learn_value(digest("b"), "{\"b\":2}".into());
        memo.learn_proved("another", digest("state"), "[2]".into());
        memo.learn_fact(Fact::Footprint, "unit", digest("new inputs"), digest("new footprint"));
        let memo = Memo::decode(memo.encode([&digest("a"), &digest("b")], &build).unwrap(), &build);
        assert_eq!(memo.value(&digest("b")), Some("{\"b\":2}"));
        assert_eq!(memo.inputs(&digest("b"), &digest("rest")), None);
        assert_eq!(memo.proved("cluster"), Some((digest("state"), "[1]")));
        assert_eq!(memo.proved("another"), Some((digest("state"), "[2]")));
        assert_eq!(memo.fact(Fact::Footprint, "unit", &digest("inputs")), None);
        assert_eq!(memo.fact(Fact::Footprint, "unit", &digest("new inputs")), Some(digest("new footprint")));
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
