//! A zlib compressor for very many very small objects.
//!
//! The deltas of a fleet's files are some hundred bytes each. A general compressor spends most of its time on clearing
//! its tables and on Huffman codes of its own for each of them; this one uses the fixed codes (RFC 1951, 3.2.6), one
//! greedy look-back, and a table that is never cleared, since stale places show by their number.

/// Shortest and longest match that deflate can express, and how far back it may lie.
const MATCHES: std::ops::RangeInclusive<usize> = 4..=258;
const WINDOW: usize = 32_768;
const TABLE_BITS: u32 = 13;
/// End of a block, as a symbol of the length alphabet.
const END: usize = 256;

/// Smallest length and number of extra bits of the symbols 257 to 285.
const LENGTHS: [(u16, u8); 29] = lengths();
/// Smallest distance and number of extra bits of the symbols 0 to 29.
const DISTANCES: [(u16, u8); 30] = steps(1, 4, 2);

/// Compresses objects one after another.
#[derive(Debug)]
pub(super) struct Deflate {
    /// Where four bytes with this hash were last seen, counted over all objects.
    places: Vec<u32>,
    /// What is to be added to a place in this object.
    start: u32,
    bits: u64,
    filled: u32,
    out: Vec<u8>,
}

impl Deflate {
    pub(super) fn new() -> Self {
        Self { places: vec![0; 1 << TABLE_BITS], start: 1, bits: 0, filled: 0, out: Vec::new() }
    }

    /// The bytes as a zlib stream (RFC 1950).
    pub(super) fn compress(&mut self, bytes: &[u8]) -> Vec<u8> {
        if u32::MAX - self.start <= bytes.len() as u32 || bytes.len() > i32::MAX as usize {
            self.places.fill(0);
            self.start = 1;
        }
        self.out = Vec::with_capacity(bytes.len() / 2 + 32);
        self.out.extend_from_slice(&[0x78, 0x01]);
        // The last block, with fixed codes.
        self.put(0b011, 3);
        let mut at = 0;
        while at < bytes.len() {
            let (length, distance) = self.look_back(bytes, at);
            if MATCHES.contains(&length) {
                self.put_match(length, distance);
                at += length;
            } else {
                self.put_symbol(usize::from(bytes[at]));
                at += 1;
            }
        }
        self.put_symbol(END);
        self.put(0, (8 - self.filled % 8) % 8);
        self.start += bytes.len() as u32;
        self.out.extend_from_slice(&adler32(bytes).to_be_bytes());
        std::mem::take(&mut self.out)
    }

    /// Length and distance of an earlier occurrence of what comes next, and remembers this place.
    fn look_back(&mut self, bytes: &[u8], at: usize) -> (usize, usize) {
        let Some(next) = bytes.get(at..at + 4) else { return (0, 0) };
        let word = u32::from_le_bytes([next[0], next[1], next[2], next[3]]);
        let slot = (word.wrapping_mul(0x9e37_79b1) >> (32 - TABLE_BITS)) as usize;
        let last = std::mem::replace(&mut self.places[slot], self.start + at as u32);
        let Some(earlier) = last.checked_sub(self.start).map(|place| place as usize) else { return (0, 0) };
        let distance = at - earlier;
        if distance > WINDOW {
            return (0, 0);
        }
        let limit = (bytes.len() - at).min(*MATCHES.end());
        let length = (0..limit).take_while(|step| bytes[earlier + step] == bytes[at + step]).count();
        (length, distance)
    }

    fn put_match(&mut self, length: usize, distance: usize) {
        let find =
            |table: &[(u16, u8)], value: usize| table.partition_point(|(from, _)| usize::from(*from) <= value) - 1;
        let symbol = find(&LENGTHS, length);
        let (from, extra) = LENGTHS[symbol];
        self.put_symbol(END + 1 + symbol);
        self.put((length - usize::from(from)) as u64, u32::from(extra));
        let symbol = find(&DISTANCES, distance);
        let (from, extra) = DISTANCES[symbol];
        self.put((symbol as u64).reverse_bits() >> (64 - 5), 5);
        self.put((distance - usize::from(from)) as u64, u32::from(extra));
    }

    /// A symbol of the literal and length alphabet in its fixed code, which is written from its highest bit.
    fn put_symbol(&mut self, symbol: usize) {
        let (code, length) = match symbol {
            0..=143 => (0x30 + symbol, 8),
            144..=255 => (0x190 + symbol - 144, 9),
            256..=279 => (symbol - 256, 7),
            _ => (0xc0 + symbol - 280, 8),
        };
        self.put((code as u64).reverse_bits() >> (64 - length), length);
    }

    fn put(&mut self, bits: u64, count: u32) {
        self.bits |= bits << self.filled;
        self.filled += count;
        while self.filled >= 8 {
            self.out.push(self.bits as u8);
            self.bits >>= 8;
            self.filled -= 8;
        }
    }
}

/// A table of RFC 1951, 3.2.5: `plain` symbols for one value each, then groups whose symbols have one extra bit more
/// from group to group.
const fn steps<const N: usize>(first: u16, plain: usize, group: usize) -> [(u16, u8); N] {
    let mut table = [(0, 0); N];
    let (mut symbol, mut from) = (0, first);
    while symbol < N {
        let extra = if symbol < plain { 0 } else { (symbol - plain) / group + 1 };
        table[symbol] = (from, extra as u8);
        from = from.wrapping_add(1 << extra);
        symbol += 1;
    }
    table
}

/// The longest length has a symbol of its own.
const fn lengths() -> [(u16, u8); 29] {
    let mut table = steps(3, 8, 4);
    table[28] = (258, 0);
    table
}

/// The checksum of RFC 1950; sums stay below 2^32 for 5,552 bytes.
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (mut low, mut high) = (1_u32, 0_u32);
    for chunk in bytes.chunks(5552) {
        for byte in chunk {
            low += u32::from(*byte);
            high += low;
        }
        low %= MODULUS;
        high %= MODULUS;
    }
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::ZlibDecoder;
    use proptest::prelude::*;

    use super::*;

    fn inflate(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        ZlibDecoder::new(bytes).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn tables_are_those_of_the_standard() {
        assert_eq!((LENGTHS[0], LENGTHS[8], LENGTHS[27], LENGTHS[28]), ((3, 0), (11, 1), (227, 5), (258, 0)));
        assert_eq!((DISTANCES[0], DISTANCES[4], DISTANCES[29]), ((1, 0), (5, 1), (24_577, 13)));
    }

    #[test]
    fn every_length_and_distance_comes_back() {
        let mut deflate = Deflate::new();
        let mut seed = 1_u32;
        let noise: Vec<u8> = (0..70_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        assert_eq!(inflate(&deflate.compress(&noise)), noise);
        for length in 0..600 {
            let text = [&noise[..length * 50], &noise[..length], &noise[..length]].concat();
            assert_eq!(inflate(&deflate.compress(&text)), text);
        }
        let long = b"abcde".repeat(100_000);
        let packed = deflate.compress(&long);
        assert_eq!(inflate(&packed), long);
        assert!(packed.len() < long.len() / 80);
    }

    #[test]
    fn survives_the_end_of_its_numbers() {
        let mut deflate = Deflate::new();
        deflate.start = u32::MAX - 100;
        for text in [&b"abcdabcdabcd".repeat(5)[..], &b"abcdabcdabcd".repeat(9)[..]] {
            assert_eq!(inflate(&deflate.compress(text)), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(texts in prop::collection::vec("[ab]{0,80}|.{0,40}", 1..6)) {
            let mut deflate = Deflate::new();
            for text in texts {
                prop_assert_eq!(inflate(&deflate.compress(text.as_bytes())), text.as_bytes());
            }
        }
    }
}
