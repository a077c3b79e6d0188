//! The search: one pass that tells which forms and fields can be in a text at all, then a closer look at those.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, MatchKind};
use regex::Regex;

use super::encoded::{self, Binary, Run};
use super::forms::{self, Form, PRIVATE_KEY};
use super::{Coding, Leak, field, words};

/// Layers of encoding that are looked through.
const LAYERS: usize = 2;
/// Longest private key that is followed to its end, in bytes.
const LONGEST_KEY: usize = 32 * 1024;

struct Table {
    forms: Vec<(&'static Form, OnceLock<Option<Regex>>)>,
    anchors: Vec<(&'static str, Anchor)>,
    automaton: Option<AhoCorasick>,
}

#[derive(Clone, Copy)]
enum Anchor {
    /// Of the form with this number.
    Form(usize),
    /// A word of a field for credentials.
    Field,
    /// A block of PEM begins.
    Pem,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let forms: Vec<_> = forms::all().map(|form| (form, OnceLock::new())).collect();
    let mut anchors: Vec<(&str, Anchor)> = Vec::new();
    for (number, (form, _)) in forms.iter().enumerate() {
        anchors.extend(form.anchors.iter().map(|anchor| (*anchor, Anchor::Form(number))));
    }
    anchors.extend(field::WORDS.iter().map(|word| (*word, Anchor::Field)));
    anchors.push(("-----BEGIN ", Anchor::Pem));
    let words = anchors.iter().map(|(word, _)| *word);
    let automaton =
        AhoCorasick::builder().match_kind(MatchKind::Standard).ascii_case_insensitive(true).build(words).ok();
    Table { forms, anchors, automaton }
});

impl Table {
    /// The expression of a form; compiled when a text has its anchor for the first time.
    fn pattern(&self, number: usize) -> Option<&Regex> {
        self.forms.get(number)?.1.get_or_init(|| Regex::new(self.forms[number].0.pattern).ok()).as_ref()
    }
}

/// Everything in a text that looks like a secret, in order; nothing overlaps.
pub(super) fn search(text: &str) -> Vec<Leak> {
    let mut leaks = Vec::new();
    look(text, LAYERS, &mut leaks);
    merged(leaks)
}

/// What one pass over the anchors tells.
#[derive(Default)]
struct Hits {
    forms: u128,
    fields: Vec<usize>,
    pem: bool,
}

fn look(text: &str, layers: usize, leaks: &mut Vec<Leak>) {
    let text = &*unescaped(text);
    let hits = hits(text);
    for (number, (form, _)) in TABLE.forms.iter().enumerate().filter(|(number, _)| hits.forms & (1 << number) != 0) {
        let Some(pattern) = TABLE.pattern(number) else { continue };
        for found in pattern.find_iter(text).filter(|found| (form.holds)(found.as_str())) {
            let range = if form.kind == PRIVATE_KEY { whole_key(text, found.range()) } else { found.range() };
            leaks.push(Leak { kind: form.kind, issuer: form.issuer, is_sure: true, coding: Vec::new(), range });
        }
    }
    leaks.extend(hits.fields.iter().filter_map(|hit| field::around(text, *hit)).map(in_field));
    let published = if hits.pem { published(text) } else { Vec::new() };
    encoded::runs(text, |run| {
        if layers > 0 {
            inside(run, layers, leaks);
        }
        look_at_run(text, run, &published, leaks);
    });
}

/// The text with escaped line ends and tabs as such; every byte stays where it is. Words that stand behind one begin
/// where it ends, and encoded lines go on there.
fn unescaped(text: &str) -> Cow<'_, str> {
    if ["\\n", "\\t", "\\r"].iter().all(|escape| !text.contains(escape)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\\n", " \n").replace("\\t", " \t").replace("\\r", "  "))
}

fn in_field(range: Range<usize>) -> Leak {
    Leak { kind: "a credential", issuer: ISSUER, is_sure: false, coding: Vec::new(), range }
}

const ISSUER: &str = "whoever issued it";

fn hits(text: &str) -> Hits {
    let mut hits = Hits::default();
    let Some(automaton) = &TABLE.automaton else { return hits };
    for found in automaton.find_overlapping_iter(text) {
        let (anchor, of) = TABLE.anchors[found.pattern().as_usize()];
        match of {
            Anchor::Form(number) => {
                let form = TABLE.forms[number].0;
                if form.pattern.contains("(?i") || &text.as_bytes()[found.range()] == anchor.as_bytes() {
                    hits.forms |= 1 << number;
                }
            }
            Anchor::Field => hits.fields.push(found.start()),
            Anchor::Pem => hits.pem = true,
        }
    }
    hits
}

/// A private key from its first line to its last; the first line alone if there is no last.
fn whole_key(text: &str, head: Range<usize>) -> Range<usize> {
    let most = (head.end + LONGEST_KEY).min(text.len());
    let most = (head.end..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(head.end);
    let body = &text[head.end..most];
    let next = body.find("-----BEGIN").unwrap_or(body.len());
    let Some(foot) = body[..next].find("-----END") else { return head };
    let behind = foot + "-----END".len();
    let end = body[behind..].find("-----").map_or(behind, |at| behind + at + 5);
    head.start..head.end + end
}

/// Blocks of PEM that are published: certificates, requests, public keys, signatures.
fn published(text: &str) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    for (start, _) in text.match_indices("-----BEGIN ") {
        let label = text[start + 11..].split("-----").next().unwrap_or_default();
        if !label.contains("PRIVATE") && label.len() < 40 {
            let end = text[start + 11..].find("-----END").map_or(text.len(), |at| start + 11 + at);
            blocks.push(start..end);
        }
    }
    blocks
}

/// Secrets in texts that a run encodes.
fn inside(run: &Run, layers: usize, leaks: &mut Vec<Leak>) {
    encoded::texts(run, |decoded| {
        let mut inner = Vec::new();
        look(&decoded.text, layers - 1, &mut inner);
        for mut leak in merged(inner) {
            leak.range = decoded.place(run, leak.range);
            leak.coding.insert(0, decoded.coding());
            leaks.push(leak);
        }
    });
}

/// Whether a run is a key in binary form, or random.
fn look_at_run(text: &str, run: &Run, published: &[Range<usize>], leaks: &mut Vec<Leak>) {
    let whole = run.range();
    if published.iter().any(|block| block.contains(&whole.start)) {
        return;
    }
    match encoded::binary(&run.bytes) {
        Some(Binary::Public) => return,
        Some(Binary::PrivateKey) => {
            let coding = vec![Coding::Base64];
            let issuer = "whoever signed its certificate or holds its public key";
            leaks.push(Leak { kind: PRIVATE_KEY, issuer, is_sure: true, coding, range: whole });
            return;
        }
        None => {}
    }
    let lines = run.lines();
    let of_line = |line: &Range<usize>| random(text, line.clone());
    let mut found: Vec<Range<usize>> = lines.iter().flat_map(of_line).collect();
    // What stands before the run says of all of it what it is.
    found.retain(|_| !field::is_public(text, whole.start));
    if lines.len() > 1 && !found.is_empty() {
        found = vec![whole];
    }
    let leak = |range| Leak { kind: "a random word", issuer: ISSUER, is_sure: false, coding: Vec::new(), range };
    leaks.extend(found.into_iter().map(leak));
    leaks.extend(lines.iter().filter_map(|line| store_token(text, line.clone())));
}

/// The random words of one line of a run.
fn random(text: &str, line: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for part in split(text, line, b"=") {
        if part.len() < words::SHORTEST {
            continue;
        }
        let narrow = split(text, part.clone(), b"/-").into_iter().filter(|word| is_random(text, word));
        let before = found.len();
        found.extend(narrow);
        if found.len() == before && is_random(text, &part) {
            found.push(part);
        }
    }
    found
}

fn is_random(text: &str, word: &Range<usize>) -> bool {
    let bytes = &text.as_bytes()[word.clone()];
    words::is_random(bytes) && !encoded::is_text_as_a_whole(bytes) && !field::is_public(text, word.start)
}

/// The parts between some characters.
fn split(text: &str, range: Range<usize>, at: &[u8]) -> Vec<Range<usize>> {
    let mut start = range.start;
    let parts = text.as_bytes()[range].split(|byte| at.contains(byte)).map(|part| {
        let own = start..start + part.len();
        start = own.end + 1;
        own
    });
    parts.filter(|part| !part.is_empty()).collect()
}

/// A service token of OpenBao, and of Vault before 1.10: `s.` and 24 letters and digits.
fn store_token(text: &str, word: Range<usize>) -> Option<Leak> {
    let before = text.as_bytes().get(word.start.checked_sub(2)?..word.start)?;
    let boundary = word.start.checked_sub(3).and_then(|at| text.as_bytes().get(at));
    let is_token = matches!(before, b"s." | b"r.")
        && word.len() == 24
        && text.as_bytes()[word.clone()].iter().all(u8::is_ascii_alphanumeric)
        && !boundary.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
        && words::is_mixed(&text[word.clone()]);
    let issuer = "the store that issued it: revoke its accessor";
    let range = word.start.saturating_sub(2)..word.end;
    is_token.then_some(Leak { kind: "a token of Vault or OpenBao", issuer, is_sure: true, coding: Vec::new(), range })
}

/// In order, and what overlaps as one: as the surest of them, and of those the first.
fn merged(mut leaks: Vec<Leak>) -> Vec<Leak> {
    leaks.sort_by_key(|leak| (leak.range.start, !leak.is_sure, leak.coding.len(), std::cmp::Reverse(leak.range.end)));
    let mut merged: Vec<Leak> = Vec::with_capacity(leaks.len());
    for leak in leaks {
        match merged.last_mut().filter(|last| leak.range.start < last.range.end) {
            Some(last) => {
                let range = last.range.start..last.range.end.max(leak.range.end);
                if leak.is_sure && !last.is_sure {
                    *last = leak;
                }
                last.range = range;
            }
            None => merged.push(leak),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_compiles_and_the_anchors_are_searched_for() {
        assert!(TABLE.automaton.is_some());
        for (number, (form, _)) in TABLE.forms.iter().enumerate() {
            assert!(TABLE.pattern(number).is_some(), "{}", form.kind);
        }
    }
}
