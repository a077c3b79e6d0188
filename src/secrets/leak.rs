//! Finds secret material in text. What it finds is told by kind, length and place; the material itself is never shown.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::finding::{Class, Finding, Location};
use crate::yaml::Span;

/// Something that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// What it looks like.
    pub kind: &'static str,
    /// Where in the text, in bytes.
    pub range: Range<usize>,
}

/// Known forms of credentials, as their issuers document them. Words end at ASCII boundaries, and what may be long is
/// not counted: both keep the automaton small, which is built in every run.
const FORMS: [(&str, &str); 18] = [
    ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----"),
    ("an AWS access key", r"(?-u:\b)(?:AKIA|ASIA)[0-9A-Z]{16}(?-u:\b)"),
    ("a GitHub token", r"(?-u:\b)(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    ("a GitLab token", r"(?-u:\b)gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_\-]{20,}"),
    ("an Anthropic key", r"(?-u:\b)sk-ant-[A-Za-z0-9_\-]{20,}"),
    ("an OpenAI key", r"(?-u:\b)sk-(?:proj-|svcacct-|live-|test-)?[A-Za-z0-9_\-]{20,}"),
    ("a Stripe key", r"(?-u:\b)[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("a Slack token", r"(?-u:\b)xox[abeprs]-[A-Za-z0-9\-]{10,}"),
    ("a Google key", r"(?-u:\b)AIza[0-9A-Za-z_\-]{35}"),
    ("a Google OAuth secret", r"(?-u:\b)GOCSPX-[A-Za-z0-9_\-]{20,}"),
    ("a Vault token", r"(?-u:\b)(?:hv[sbr]\.[A-Za-z0-9_\-]{20,}|s\.[A-Za-z0-9]{24})(?-u:\b)"),
    ("a JSON web token", r"(?-u:\b)eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}"),
    ("an age key", r"(?-u:\b)AGE-SECRET-KEY-1[0-9A-Z]{50,}"),
    ("a package registry token", r"(?-u:\b)(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_\-]{40,})"),
    ("a SendGrid key", r"(?-u:\b)SG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}"),
    ("a URL with a password", r"(?-u:\b)[a-z][a-z0-9+.\-]+://[^\s/:@]+:[^\s/@]+@"),
    (
        "an environment line with a credential",
        r"(?i-u:\b[a-z0-9_]*(?:password|passwd|secret|token|api_?key)[a-z0-9_]*)=[^\s{$<]{8,}",
    ),
    ("a bearer header", r"(?i-u:\bbearer) +[A-Za-z0-9_\-.=]{20,}"),
];

static PATTERNS: LazyLock<Vec<(&'static str, Regex)>> =
    LazyLock::new(|| FORMS.iter().filter_map(|(kind, form)| Some((*kind, Regex::new(form).ok()?))).collect());

/// One pass that says whether any form can match at all: texts without secrets cost one scan.
static ANY: LazyLock<Option<regex::RegexSet>> =
    LazyLock::new(|| regex::RegexSet::new(FORMS.iter().map(|(_, form)| *form)).ok());

/// Everything in a text that looks like a secret, in order.
pub fn find(text: &str) -> Vec<Leak> {
    let mut leaks = Vec::new();
    if let Some(any) = ANY.as_ref() {
        for index in any.matches(text) {
            let Some((kind, pattern)) = PATTERNS.get(index) else { continue };
            leaks.extend(pattern.find_iter(text).map(|found| Leak { kind, range: found.range() }));
        }
    }
    leaks.extend(random_words(text));
    leaks.sort_by_key(|leak| (leak.range.start, leak.range.end));
    let mut end = 0;
    leaks.retain(|leak| {
        let keep = leak.range.start >= end;
        end = end.max(leak.range.end);
        keep
    });
    leaks
}

/// Words of 24 characters and more that mix upper case, lower case and digits with more than four bits a character.
fn random_words(text: &str) -> impl Iterator<Item = Leak> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'_' | b'=');
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at + bytes[at..].iter().position(|byte| word(*byte))?;
            let length = bytes[start..].iter().position(|byte| !word(*byte)).unwrap_or(bytes.len() - start);
            at = start + length;
            if length >= 24 && looks_random(&bytes[start..at]) {
                return Some(Leak { kind: "a random word", range: start..at });
            }
        }
        None
    })
}

/// Texts of up to this many bytes are remembered once they were searched, and so many of them a thread.
const REMEMBERED: (usize, usize) = (128, 4096);

thread_local! {
    /// Texts without secrets: most values of a tenant are those of all tenants.
    static CLEAN: RefCell<HashSet<String>> = RefCell::default();
}

/// Whether a key or text anywhere in some values looks like a secret.
pub fn in_values<'a>(values: impl IntoIterator<Item = &'a Value>) -> bool {
    CLEAN.with_borrow_mut(|clean| {
        let mut new = Vec::new();
        values.into_iter().for_each(|value| unknown(value, clean, &mut new));
        if new.is_empty() {
            return false;
        }
        // One search over all of them: none can go on in the next, for no form spans lines.
        let found = !find(&new.join("\n")).is_empty();
        if !found {
            let room = REMEMBERED.1.saturating_sub(clean.len());
            let short = new.into_iter().filter(|text| text.len() <= REMEMBERED.0);
            clean.extend(short.take(room).map(str::to_owned));
        }
        found
    })
}

fn unknown<'a>(value: &'a Value, clean: &HashSet<String>, new: &mut Vec<&'a str>) {
    let mut take = |text: &'a str| {
        if !clean.contains(text) {
            new.push(text);
        }
    };
    match value {
        Value::String(text) => take(text),
        Value::Array(items) => items.iter().for_each(|item| unknown(item, clean, new)),
        Value::Object(map) => {
            map.keys().for_each(|key| take(key));
            map.values().for_each(|item| unknown(item, clean, new));
        }
        _ => {}
    }
}

/// Upper case, lower case and a digit; the kind of character changes at every third place or more often (in
/// `camelCaseNames` it does not); more than four bits a character.
fn looks_random(word: &[u8]) -> bool {
    let kind = |byte: u8| match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let mut kinds = [0_usize; 4];
    word.iter().for_each(|byte| kinds[kind(*byte)] += 1);
    let changes = word.windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    if kinds[0] < 2 || kinds[1] < 2 || kinds[2] < 1 || changes * 3 < word.len() {
        return false;
    }
    let mut counts = [0_u32; 256];
    word.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let length = f64::from(u32::try_from(word.len()).unwrap_or(u32::MAX));
    let shares = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length);
    shares.map(|share| -share * share.log2()).sum::<f64>() > 4.0
}

/// The findings for a file that holds secrets: none may be read any further, let alone rendered.
pub fn findings(file: &str, text: &str) -> Vec<Finding> {
    find(text)
        .into_iter()
        .map(|leak| {
            let before = &text[..leak.range.start];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            let length = text[leak.range.clone()].chars().count();
            let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
            let span = Span { line: number(line), column: number(column), length: number(length) };
            Finding::error(
                "secrets/material",
                Class::Guard,
                format!("this looks like {} ({length} characters)", leak.kind),
            )
            .at(Location::new(file, span))
            .expected("a reference; values live in the secret backend only")
            .hint("put it into the backend, remove it here, and rotate it: it is in this file's history already")
        })
        .collect()
}

/// The text with every secret replaced, for anything that is shown.
pub fn mask(text: &str) -> String {
    replace(text, |_| "********".into())
}

/// The text with every character of a secret replaced, so that columns stay.
pub fn cover(text: &str) -> String {
    replace(text, |secret| "*".repeat(secret.chars().count()))
}

fn replace(text: &str, with: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for leak in find(text) {
        out.push_str(&text[at..leak.range.start]);
        out.push_str(&with(&text[leak.range.clone()]));
        at = leak.range.end;
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Built at run time, so that this file holds nothing that looks like a secret.
    fn samples() -> Vec<(&'static str, String)> {
        let random = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ2cD4fG6hJ8kL0";
        let upper = "ABCDEFGH23456789";
        vec![
            ("a private key", format!("-----BEGIN {}PRIVATE KEY-----", "RSA ")),
            ("an AWS access key", format!("AK{}{upper}", "IA")),
            ("a GitHub token", format!("gh{}_{random}", "p")),
            ("a GitLab token", format!("gl{}-{random}", "pat")),
            ("an OpenAI key", format!("sk{}{random}", "-")),
            ("an Anthropic key", format!("sk{}{random}", "-ant-")),
            ("a Slack token", format!("xox{}-12345-abcdefgh", "b")),
            ("a URL with a password", format!("postgres://user:{}@db.example.com/x", "hunter22")),
            ("an environment line with a credential", format!("DB_PASS{}=hunter22", "WORD")),
            ("a random word", random.to_owned()),
            ("a random word", format!("ü: aBxdEygHtjK{}wmNrpQlsTbvWzyZ4c", "")),
        ]
    }

    #[test]
    fn finds_known_forms_and_never_shows_them() {
        for (kind, sample) in samples() {
            let text = format!("a: 1\nkey: {sample}\n");
            let found = find(&text);
            assert!(found.iter().any(|leak| leak.kind == kind), "{kind}: {found:?}");
            let findings = findings("f.yaml", &text);
            assert_eq!(findings[0].location.as_ref().unwrap().line, 2, "{kind}");
            assert!(!format!("{findings:?}").contains(&sample[..20.min(sample.len())]), "{kind}");
            assert!(!mask(&text).contains(&sample), "{kind}");
        }
    }

    #[test]
    fn values_are_searched_at_any_depth_and_every_time() {
        for (kind, sample) in samples() {
            let tree = serde_json::json!({ "a": ["plain", { "b": sample }] });
            for _ in 0..2 {
                assert!(!in_values(&["plain".into(), 1.into()]));
                assert!(in_values(std::slice::from_ref(&tree)), "{kind}");
                assert!(in_values(&[serde_json::json!({ sample.as_str(): 1 })]), "{kind}");
            }
        }
    }

    #[test]
    fn ordinary_values_are_silent() {
        for text in [
            "id: 6f1c0a52-9d0e-4b57-8a39-0d3a5f1f7c11",
            "digest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "image: ghcr.io/gbrigandi/soctalk-adapter:v1.0.0",
            "secretKeyRef: {name: adapter-token, key: token}",
            "apiVersion: generators.external-secrets.io/v1alpha1",
            "serviceAccountName: soctalk-orchestrator-sa",
            "kind: ValidatingAdmissionPolicyBinding",
            "password: \"{{ .password }}\"",
            "url: https://api.openai.com/v1",
            "expression: object.metadata.labels['managed-by'] == 'soctalk'",
            "persistentVolumeClaimRetentionPolicy2And3: x",
        ] {
            assert_eq!(find(text), vec![], "{text}");
        }
    }
}
