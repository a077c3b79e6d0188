//! Finds secret material in text. What it finds is told by kind, length and place; the material itself is never shown.
//!
//! Looked for are the known forms of credentials (a table), values in fields for credentials, and random words; each of
//! them also in base64 of one and two layers, and in base 16. What is known for sure is told apart from what only looks
//! like it: the first is refused whatever anybody says, the second may be exempted.

mod encoded;
mod field;
mod forms;
mod report;
mod search;
mod words;

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use serde_json::Value;

pub use report::{findings, in_object, withhold};

/// Something that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// What it looks like.
    pub kind: &'static str,
    /// Who can revoke it.
    pub issuer: &'static str,
    /// Whether it has a known form; else it is only random, or stands where a credential would.
    pub is_sure: bool,
    /// How it is encoded, outermost first.
    pub coding: Vec<Coding>,
    /// Where in the text, in bytes.
    pub range: Range<usize>,
}

/// An encoding of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Base64, in either alphabet.
    Base64,
    /// Base 16.
    Base16,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        for coding in self.coding.iter().rev() {
            f.write_str(match coding {
                Coding::Base64 => " in base64",
                Coding::Base16 => " in base 16",
            })?;
        }
        Ok(())
    }
}

/// Everything in a text that looks like a secret, in order. Nothing overlaps.
pub fn find(text: &str) -> Vec<Leak> {
    search::search(text)
}

/// Texts of up to this many bytes are remembered once they were searched, and so many of them a thread.
const REMEMBERED: (usize, usize) = (128, 4096);

thread_local! {
    /// Texts without secrets: most values of a tenant are those of all tenants.
    static CLEAN: RefCell<HashSet<String>> = RefCell::default();
}

/// Whether a key or text anywhere in some values may be a secret; [`in_object`] decides, which is slower.
pub fn in_values<'a>(values: impl IntoIterator<Item = &'a Value>) -> bool {
    CLEAN.with_borrow_mut(|clean| {
        let mut new = Vec::new();
        let in_field = values.into_iter().any(|value| unknown(value, clean, &mut new));
        if in_field || new.is_empty() {
            return in_field;
        }
        new.sort_unstable();
        new.dedup();
        // One search over all of them, a line each; none goes on in the next.
        let found = !find(&new.join("\n#\n")).is_empty();
        if !found {
            let room = REMEMBERED.1.saturating_sub(clean.len());
            let short = new.into_iter().filter(|text| text.len() <= REMEMBERED.0);
            clean.extend(short.take(room).map(str::to_owned));
        }
        found
    })
}

/// Collects texts that were not searched yet; says whether a field for credentials holds one.
fn unknown<'a>(value: &'a Value, clean: &HashSet<String>, new: &mut Vec<&'a str>) -> bool {
    let mut take = |text: &'a str| {
        if !clean.contains(text) {
            new.push(text);
        }
    };
    match value {
        Value::String(text) => take(text),
        Value::Array(items) => return items.iter().any(|item| unknown(item, clean, new)),
        Value::Object(map) => {
            map.keys().for_each(|key| take(key));
            return fields(map).any(|(key, text)| in_field(key, text))
                || map.values().any(|item| unknown(item, clean, new));
        }
        _ => {}
    }
    false
}

/// The texts of a mapping with the keys that say what they hold; in an environment, that is the `name` beside `value`.
pub fn fields(map: &serde_json::Map<String, Value>) -> impl Iterator<Item = (&str, &str)> {
    let named = map.get("name").or_else(|| map.get("key")).and_then(Value::as_str);
    let named = named.zip(map.get("value").and_then(Value::as_str));
    map.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).chain(named)
}

/// Whether a key names a field for credentials.
pub fn is_for_credentials(key: &str) -> bool {
    field::of(key).is_some_and(|holds| holds != field::Holds::Public)
}

/// Whether a text is a credential because of the key that it stands behind.
pub fn in_field(key: &str, text: &str) -> bool {
    field::of(key).is_some_and(|holds| field::is_credential(holds, text, false))
}

/// The JSON pointers of values of a tree that look like secrets, each with what it looks like.
fn in_tree(value: &Value) -> Vec<(String, Leak)> {
    let mut found = Vec::new();
    walk(value, "", &mut String::new(), &mut found);
    found
}

fn walk(value: &Value, key: &str, at: &mut String, found: &mut Vec<(String, Leak)>) {
    let length = at.len();
    match value {
        // The key goes before, so that the search sees what it would see in the manifest.
        Value::String(text) => {
            let line = format!("{key}: {text}");
            let own = find(&line).into_iter().chain(find(text).into_iter().filter(|_| field::of(key).is_none()));
            found.extend(own.take(1).map(|leak| (at.clone(), leak)));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                at.push_str(&format!("/{index}"));
                walk(item, key, at, found);
                at.truncate(length);
            }
        }
        Value::Object(map) => {
            let name = map.get("name").and_then(Value::as_str).filter(|_| map.contains_key("value"));
            for (key, item) in map {
                at.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1")));
                walk(item, name.filter(|_| key == "value").unwrap_or(key), at, found);
                at.truncate(length);
            }
        }
        _ => {}
    }
}

/// The text with every secret replaced, for anything that is shown.
pub fn mask(text: &str) -> String {
    replace(text, |_| "********".into())
}

/// The text with every character of a secret replaced, so that lines and columns stay.
pub fn cover(text: &str) -> String {
    replace(text, |secret| secret.chars().map(|c| if matches!(c, '\n' | '\r') { c } else { '*' }).collect())
}

/// Where secrets stand, and where else the same texts do: one that shows by its field may stand without it, too.
fn everywhere(text: &str, leaks: Vec<Leak>) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = leaks.into_iter().map(|leak| leak.range).collect();
    let values: HashSet<&str> =
        ranges.iter().map(|range| &text[range.clone()]).filter(|text| text.len() >= 8).collect();
    if values.len() <= MOST_VALUES {
        let again = values.into_iter().flat_map(|value| text.match_indices(value));
        let again: Vec<Range<usize>> = again.map(|(at, value)| at..at + value.len()).collect();
        ranges.extend(again);
    }
    ranges.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    ranges
}

/// Of so many secrets in a text, other places are looked for.
const MOST_VALUES: usize = 200;

fn replace(text: &str, with: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for range in everywhere(text, find(text)) {
        if range.start >= at {
            out.push_str(&text[at..range.start]);
            out.push_str(&with(&text[range.clone()]));
            at = range.end;
        }
    }
    out.push_str(&text[at..]);
    out
}
