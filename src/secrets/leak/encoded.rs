//! Text that is encoded once more: base64 in both alphabets, over several lines or within other text, and base 16.
//!
//! Base64 of ASCII shows by itself: of every four characters the first, second and third have values that only
//! text gives, which random characters have in one of eight cases. So each of the four ways to cut a run into fours is
//! looked at, and what looks like text for long enough is decoded and searched.

use std::ops::Range;

use super::Coding;

/// Shortest run that is looked at, in characters.
const SHORTEST: usize = 16;
/// Shortest text that can hold a secret, in bytes.
const SHORTEST_TEXT: usize = 9;
/// A line of a text in lines has at least so many characters.
const SHORTEST_LINE: usize = 16;

/// Characters of a text without the line ends between them, and where each stands.
#[derive(Debug, Default)]
pub struct Run {
    /// Bytes, all of base64's alphabets.
    pub bytes: Vec<u8>,
    /// Where they stand in the text.
    at: Vec<usize>,
}

impl Run {
    /// From its first character to its last.
    pub fn range(&self) -> Range<usize> {
        self.at.first().copied().unwrap_or_default()..self.at.last().map_or(0, |at| at + 1)
    }

    /// Its parts that stand without anything between them.
    pub fn lines(&self) -> Vec<Range<usize>> {
        let mut lines: Vec<Range<usize>> = Vec::new();
        for at in &self.at {
            match lines.last_mut() {
                Some(line) if line.end == *at => line.end += 1,
                _ => lines.push(*at..at + 1),
            }
        }
        lines
    }
}

/// Text that was decoded.
pub struct Decoded {
    /// The text, ASCII.
    pub text: String,
    /// Where in the run it stands: its first character, and how many bytes a group of characters gives.
    start: usize,
    group: (usize, usize),
}

impl Decoded {
    /// How it was encoded.
    pub fn coding(&self) -> Coding {
        if self.group.0 == 4 { Coding::Base64 } else { Coding::Base16 }
    }

    /// Where a part of the decoded text stands in the text that holds it.
    pub fn place(&self, run: &Run, part: Range<usize>) -> Range<usize> {
        let (characters, bytes) = self.group;
        let first = self.start + part.start / bytes * characters;
        let behind = self.start + part.end.div_ceil(bytes) * characters;
        let last = behind.min(run.at.len()).saturating_sub(1);
        run.at[first.min(last)]..run.at[last] + 1
    }
}

/// Whether a byte is of an alphabet of base64.
pub fn is_of_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

/// The runs of a text, each with all lines over which it goes on.
pub fn runs(text: &str, mut each: impl FnMut(&Run)) {
    let bytes = text.as_bytes();
    let mut run = Run::default();
    let mut at = 0;
    while let Some(start) = bytes[at..].iter().position(|byte| is_of_base64(*byte)).map(|found| at + found) {
        let first = bytes[start..].iter().position(|byte| !is_of_base64(*byte)).unwrap_or(bytes.len() - start);
        if first < SHORTEST {
            // Most words are short, and a short one does not go on in the next line.
            at = start + first;
            continue;
        }
        run.bytes.clear();
        run.at.clear();
        let mut from = start;
        loop {
            let length = bytes[from..].iter().position(|byte| !is_of_base64(*byte)).unwrap_or(bytes.len() - from);
            run.bytes.extend_from_slice(&bytes[from..from + length]);
            run.at.extend(from..from + length);
            at = from + length;
            match next_line(bytes, at).filter(|_| length >= SHORTEST_LINE) {
                Some(next) => from = next,
                None => break,
            }
        }
        if run.bytes.len() >= SHORTEST {
            each(&run);
        }
    }
}

/// Where a run goes on in the next line, if that line holds nothing else.
fn next_line(bytes: &[u8], end: usize) -> Option<usize> {
    let rest = bytes.get(end..)?;
    // The backslash goes on a quoted text in its next line.
    let line = rest.trim_ascii_start();
    let line = line.strip_prefix(b"\\").map_or(line, <[u8]>::trim_ascii_start);
    let broken = &rest[..rest.len() - line.len()];
    let broken = &rest[broken.iter().position(|byte| *byte == b'\n')? + 1..];
    let blanks = broken.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\\')).count();
    let start = bytes.len() - broken.len() + blanks;
    let length = bytes[start..].iter().take_while(|byte| is_of_base64(**byte)).count();
    let behind = bytes.get(start + length).copied().unwrap_or(b'\n');
    (length > 0 && matches!(behind, b'\n' | b'\r' | b'"' | b'\'' | b'\\')).then_some(start)
}

/// Every text that is encoded in a run.
pub fn texts(run: &Run, mut each: impl FnMut(&Decoded)) {
    for cut in 0..4 {
        base64(run, cut, &mut each);
    }
    for cut in 0..2 {
        base16(run, cut, &mut each);
    }
}

fn base64(run: &Run, cut: usize, each: &mut impl FnMut(&Decoded)) {
    let mut text = String::new();
    let mut start = cut;
    let mut at = cut;
    let mut flush = |text: &mut String, start: usize| {
        if text.len() >= SHORTEST_TEXT {
            each(&Decoded { text: std::mem::take(text), start, group: (4, 3) });
        }
        text.clear();
    };
    while at < run.bytes.len() {
        let group = &run.bytes[at..run.bytes.len().min(at + 4)];
        match decoded(group) {
            Some((bytes, count)) => {
                if text.is_empty() {
                    start = at;
                }
                text.extend(bytes[..count].iter().map(|byte| char::from(*byte)));
                if count < 3 {
                    flush(&mut text, start);
                }
            }
            None => flush(&mut text, start),
        }
        at += 4;
    }
    flush(&mut text, start);
}

/// The bytes of up to four characters, if they are text.
fn decoded(group: &[u8]) -> Option<([u8; 3], usize)> {
    let mut bits = 0_u32;
    let mut count = 0;
    for byte in group {
        if *byte == b'=' {
            break;
        }
        bits = bits << 6 | u32::from(value(*byte)?);
        count += 1;
    }
    if count < 2 {
        return None;
    }
    bits <<= 6 * (4 - count);
    let [_, one, two, three] = bits.to_be_bytes();
    let bytes = [one, two, three];
    bytes[..count - 1].iter().all(|byte| is_text(*byte)).then_some((bytes, count - 1))
}

fn value(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t')
}

fn base16(run: &Run, cut: usize, each: &mut impl FnMut(&Decoded)) {
    let mut text = String::new();
    let mut start = cut;
    let digit = |at: usize| run.bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    for at in (cut..=run.bytes.len()).step_by(2) {
        let pair = digit(at).zip(digit(at + 1)).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        match pair.filter(|byte| is_text(*byte)) {
            Some(byte) => {
                if text.is_empty() {
                    start = at;
                }
                text.push(char::from(byte));
            }
            None => {
                if text.len() >= SHORTEST_TEXT {
                    each(&Decoded { text: std::mem::take(&mut text), start, group: (2, 1) });
                }
                text.clear();
            }
        }
    }
}

/// The bytes of a run up to its padding or end, however it is read: for what is no text.
pub fn bytes(run: &[u8], most: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for group in run.chunks(4).take(most.div_ceil(3)) {
        let values: Option<Vec<u8>> = group.iter().filter(|byte| **byte != b'=').map(|byte| value(*byte)).collect();
        let Some(values) = values else { break };
        let bits = values.iter().fold(0_u32, |bits, value| bits << 6 | u32::from(*value)) << (6 * (4 - values.len()));
        out.extend_from_slice(&bits.to_be_bytes()[1..values.len().max(1)]);
    }
    out
}

/// Whether a run is base64 of readable text as a whole: then what it says decides, not how it looks.
pub fn is_text_as_a_whole(word: &[u8]) -> bool {
    let word = word.strip_suffix(b"==").or_else(|| word.strip_suffix(b"=")).unwrap_or(word);
    (0..4).any(|cut| {
        let groups = word.get(cut..).unwrap_or_default().chunks(4);
        groups.clone().count() >= 4 && groups.filter(|group| group.len() > 1).all(|group| decoded(group).is_some())
    }) || String::from_utf8(bytes(word, word.len()))
        .is_ok_and(|text| !text.contains(|c: char| c.is_control() && !"\n\r\t".contains(c)))
}

/// Whether the end of a header is base64 of a user and a password.
pub fn is_user_and_password(header: &str) -> bool {
    let word = header.rsplit([' ', '%']).next().unwrap_or_default();
    let word = word.strip_prefix("20").filter(|_| header.contains('%')).unwrap_or(word);
    let text = String::from_utf8(bytes(word.as_bytes(), 3000)).unwrap_or_default();
    text.is_ascii()
        && text.split_once(':').is_some_and(|(user, password)| !user.is_empty() && password.len() >= 4)
        && !text.contains(|c: char| c.is_control())
}

/// What the bytes behind a run's first characters are, where they are no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// A private key in DER (PKCS #1, PKCS #8, SEC 1), or a PKCS #12 store.
    PrivateKey,
    /// A certificate, a public key, a picture, an archive.
    Public,
}

/// What a run is by its first bytes; none if they tell nothing.
pub fn binary(run: &[u8]) -> Option<Binary> {
    const PUBLIC: [&[u8]; 12] = [
        b"AAAAB3NzaC1",
        b"AAAAC3NzaC1",
        b"AAAAE2VjZHNh",
        b"AAAAG",
        b"AAAAI",
        b"iVBORw0KGgo",
        b"/9j/",
        b"R0lGOD",
        b"H4sI",
        b"UEsDB",
        b"AGFzbQ",
        b"PHN2Zy",
    ];
    if PUBLIC.iter().any(|prefix| run.starts_with(prefix)) {
        return Some(Binary::Public);
    }
    if run.first() != Some(&b'M') || run.len() < 40 {
        return None;
    }
    let bytes = bytes(run, 24);
    let inner = match bytes.as_slice() {
        [0x30, 0x82, _, _, inner @ ..] | [0x30, 0x81, _, inner @ ..] => inner,
        [0x30, short, inner @ ..] if *short < 0x80 => inner,
        _ => return None,
    };
    match inner {
        // The version of PKCS #1 and its modulus, of PKCS #8 and its algorithm, of SEC 1 and its key, of PKCS #12.
        [0x02, 0x01, 0 | 1, 0x02 | 0x30, ..] | [0x02, 0x01, 1, 0x04, ..] | [0x02, 0x01, 3, 0x30, ..] => {
            Some(Binary::PrivateKey)
        }
        [0x30, ..] => Some(Binary::Public),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        runs(text, |run| texts(run, |decoded| found.push(decoded.text.clone())));
        found
    }

    #[test]
    fn text_is_decoded_wherever_it_stands_and_however_it_is_broken() {
        let plain = "a secret of some length is in here, more than one line of it";
        // `base64` of coreutils.
        let whole = "YSBzZWNyZXQgb2Ygc29tZSBsZW5ndGggaXMgaW4gaGVyZSwgbW9yZSB0aGFuIG9uZSBsaW5lIG9mIGl0";
        for text in [
            whole.to_owned(),
            format!("key: {whole}\n"),
            format!("https://example.com/x/{whole}?a=b"),
            format!("key: |\n  {}\n  {}\n  {}\n", &whole[..32], &whole[32..64], &whole[64..]),
            format!("\"{}\\\n  {}\"", &whole[..40], &whole[40..]),
            format!("key: {}\n  {}\nnext: a\n", &whole[..50], &whole[50..]),
        ] {
            let found = all(&text);
            assert!(found.iter().any(|one| one.contains("secret of some length")), "{text} {found:?}");
            assert!(found.iter().any(|one| one.contains(plain)), "{text} {found:?}");
        }
        assert_eq!(all(&plain.bytes().map(|byte| format!("{byte:02x}")).collect::<String>()), [plain]);
    }

    #[test]
    fn a_part_of_decoded_text_has_its_place() {
        let text = "x: YSBzZWNyZXQgb2Ygc29tZSBsZW5ndGggaXMgaW4gaGVyZQ==";
        runs(text, |run| {
            texts(run, |decoded| {
                if let Some(at) = decoded.text.find("secret") {
                    let place = decoded.place(run, at..at + 6);
                    assert_eq!(&text[place], "YSBzZWNyZXQg");
                }
            });
        });
    }

    #[test]
    fn digests_and_names_are_no_text() {
        for text in [
            "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "soctalk-tenant-controller-service-account",
            "ValidatingAdmissionPolicyBinding",
        ] {
            assert!(all(text).iter().all(|found| found.len() < 16), "{text} {:?}", all(text));
        }
    }
}
