//! Git deltas between rendered files: the same manifest of two tenants differs in a few words a line.
//!
//! Format: gitformat-pack(5), "Deltified representation": both sizes, then copies from the base and literal bytes.

use std::collections::HashMap;

/// A file that others are written against, indexed by its lines.
#[derive(Debug)]
pub(super) struct Base {
    bytes: Vec<u8>,
    /// Where each distinct line starts, by a hash of the line.
    lines: HashMap<u64, usize>,
}

impl Base {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let mut lines = HashMap::new();
        let mut start = 0;
        while start < bytes.len() {
            let end = line_end(&bytes, start);
            lines.entry(hash(&bytes[start..end])).or_insert(start);
            start = end;
        }
        Self { bytes, lines }
    }

    /// The delta that makes `target` of this base; `None` as soon as it would exceed `limit` bytes.
    pub(super) fn delta(&self, target: &[u8], limit: usize) -> Option<Vec<u8>> {
        let mut delta = Vec::with_capacity(limit.min(target.len()));
        put_size(&mut delta, self.bytes.len());
        put_size(&mut delta, target.len());
        let (mut at, mut literal, mut cursor) = (0, 0, 0);
        while at < target.len() {
            let Some(from) = self.find(target, at, cursor) else {
                at = line_end(target, at);
                cursor = line_end(&self.bytes, cursor);
                continue;
            };
            put_literal(&mut delta, &target[literal..at]);
            let length = common(&self.bytes[from..], &target[at..]);
            put_copy(&mut delta, from, length);
            literal = at + length;
            // A copy ends in the middle of a line: the rest of that line is literal on both sides.
            let whole = length > 0 && target[literal - 1] == b'\n';
            at = if whole { literal } else { line_end(target, literal) };
            cursor = if whole { from + length } else { line_end(&self.bytes, from + length) };
            if delta.len() > limit {
                return None;
            }
        }
        put_literal(&mut delta, &target[literal..]);
        (delta.len() <= limit).then_some(delta)
    }

    /// Where in the base to copy from for the target's line at `at`: first where the last copy left off, then any equal line.
    fn find(&self, target: &[u8], at: usize, cursor: usize) -> Option<usize> {
        const WORTH: usize = 6;
        let line = &target[at..line_end(target, at)];
        if cursor < self.bytes.len() && common(&self.bytes[cursor..], line) >= WORTH.min(line.len()) {
            return Some(cursor);
        }
        let from = *self.lines.get(&hash(line))?;
        (line.len() >= WORTH && self.bytes[from..].starts_with(line)).then_some(from)
    }
}

/// Where the line that holds `at` ends, past its newline.
fn line_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |place| at + place + 1)
}

/// Length of the common beginning.
fn common(one: &[u8], two: &[u8]) -> usize {
    let words = one.chunks_exact(16).zip(two.chunks_exact(16)).take_while(|(a, b)| a == b).count() * 16;
    words + one[words..].iter().zip(&two[words..]).take_while(|(a, b)| a == b).count()
}

/// FNV-1a; a collision only costs space, since the bytes are compared.
fn hash(line: &[u8]) -> u64 {
    line.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Sizes are little-endian groups of seven bits.
fn put_size(delta: &mut Vec<u8>, mut size: usize) {
    while size >= 0x80 {
        delta.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    delta.push(size as u8);
}

fn put_literal(delta: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.chunks(0x7f) {
        delta.push(chunk.len() as u8);
        delta.extend_from_slice(chunk);
    }
}

fn put_copy(delta: &mut Vec<u8>, mut from: usize, mut length: usize) {
    while length > 0 {
        let size = length.min(0xffff);
        let place = delta.len();
        delta.push(0x80);
        for (index, byte) in (from as u32).to_le_bytes().into_iter().enumerate().filter(|(_, byte)| *byte != 0) {
            delta[place] |= 1 << index;
            delta.push(byte);
        }
        for (index, byte) in (size as u16).to_le_bytes().into_iter().enumerate().filter(|(_, byte)| *byte != 0) {
            delta[place] |= 0x10 << index;
            delta.push(byte);
        }
        from += size;
        length -= size;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Applies a delta as the format says.
    fn apply(base: &[u8], delta: &[u8]) -> Vec<u8> {
        let mut bytes = delta.iter().copied();
        let mut size = || {
            let (mut value, mut shift) = (0, 0);
            loop {
                let byte = bytes.next().unwrap();
                value |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    return value;
                }
            }
        };
        let (old, new) = (size(), size());
        assert_eq!(old, base.len());
        let mut target = Vec::new();
        while let Some(op) = bytes.next() {
            if op & 0x80 == 0 {
                assert_ne!(op, 0);
                target.extend(bytes.by_ref().take(usize::from(op)));
                continue;
            }
            let mut field = |bits: std::ops::Range<u8>| {
                let start = bits.start;
                bits.filter(|bit| op & 1 << bit != 0)
                    .fold(0, |value, bit| value | usize::from(bytes.next().unwrap()) << (8 * (bit - start)))
            };
            let (from, size) = (field(0..4), field(4..7));
            target.extend_from_slice(&base[from..from + size]);
        }
        assert_eq!(target.len(), new);
        target
    }

    #[test]
    fn copies_what_is_common() {
        let base = "kind: NetworkPolicy\nmetadata:\n  name: default-deny\n  namespace: tenant-acme\nspec: {}\n";
        let target = base.replace("acme", "blue-sky");
        let delta = Base::new(base.into()).delta(target.as_bytes(), 1000).unwrap();
        assert_eq!(apply(base.as_bytes(), &delta), target.as_bytes());
        assert!(delta.len() < 24, "{}", delta.len());
    }

    #[test]
    fn gives_up_beyond_the_limit() {
        assert_eq!(Base::new(b"a\nb\n".to_vec()).delta(b"quite another text\n", 10), None);
    }

    #[test]
    fn copies_longer_than_one_operation() {
        let base: Vec<u8> = (0..300_000_u32).flat_map(|n| n.to_le_bytes()).collect();
        let delta = Base::new(base.clone()).delta(&base, 1000).unwrap();
        assert_eq!(apply(&base, &delta), base);
    }

    proptest! {
        #[test]
        fn a_delta_makes_its_target(base in "[ab\n]{0,60}", target in "[ab\n]{0,60}") {
            let delta = Base::new(base.clone().into()).delta(target.as_bytes(), usize::MAX).unwrap();
            prop_assert_eq!(apply(base.as_bytes(), &delta), target.as_bytes());
        }
    }
}
