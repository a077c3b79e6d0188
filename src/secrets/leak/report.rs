//! What is said of secrets in a file: kind, length and place, never the value.

use serde_json::Value;

use super::{Leak, find};
use crate::exempt::{FILE, dotted};
use crate::finding::{Class, Finding, Location};
use crate::manifest::ObjectId;
use crate::manifest::object::IdRef;
use crate::secrets::leak;
use crate::yaml::{self, Limits, Node, Span};

/// The findings for a file that holds secrets: none may be read any further, let alone rendered.
pub fn findings(file: &str, text: &str) -> Vec<Finding> {
    let leaks = find(text);
    if leaks.is_empty() {
        return Vec::new();
    }
    // Only a file with findings is parsed: for their paths, and for the objects of manifests.
    let documents = yaml::parse(text, Limits::MANIFEST).unwrap_or_default();
    let finding = |leak: &Leak| {
        let span = span_of(text, leak);
        let mut finding = said(leak, span.length).at(Location::new(file, span));
        let document = documents.iter().rev().find(|document| starts_before(&document.root, span));
        if let Some(document) = document {
            let pointer = pointer_at(&document.root, span);
            // A secret may stand where a key does.
            let is_safe = !pointer.is_empty() && !pointer.contains(&text[leak.range.clone()]);
            finding = if is_safe { finding.path(leak::mask(&pointer)) } else { finding };
            let json = document.root.to_json();
            if let Ok(id) = IdRef::of(&json) {
                finding = finding.object(leak::mask(&ObjectId::from(id).to_string()));
            }
        }
        if leak.is_sure { finding } else { finding.with_exemption() }
    };
    leaks.iter().map(finding).collect()
}

/// The findings for an object that holds secrets, for values that a text of it would break over lines.
pub fn in_object(object: &Value) -> Vec<Finding> {
    let id = IdRef::of(object).ok().map(|id| ObjectId::from(id).to_string());
    let finding = |(pointer, leak): (String, Leak)| {
        let length = u32::try_from(leak.range.len()).unwrap_or(u32::MAX);
        let finding = said(&leak, length).path(leak::mask(&pointer));
        let finding = match &id {
            Some(id) => finding.object(leak::mask(id)),
            None => finding,
        };
        if leak.is_sure { finding } else { finding.with_exemption() }
    };
    leak::in_tree(object).into_iter().map(finding).collect()
}

/// What is said of a leak.
fn said(leak: &Leak, characters: u32) -> Finding {
    let message = format!("this looks like {leak} ({characters} characters)");
    if leak.is_sure {
        let hint = format!(
            "revoke it at {}, put a new one into the backend and a reference here: it is in this file's history already",
            leak.issuer
        );
        return Finding::error("secrets/material", Class::Guard, message)
            .expected("a reference; values live in the secret backend only")
            .hint(hint);
    }
    Finding::error("secrets/suspect", Class::Guard, message)
        .expected("a reference; values live in the secret backend only")
        .hint("if it is one, revoke it and put a new one into the backend")
}

impl Finding {
    /// With what an exemption of it would say.
    fn with_exemption(mut self) -> Self {
        let place = match self.object.as_deref().and_then(|object| object.split_once(' ')) {
            Some((kind, name)) => match name.split_once('/') {
                Some((namespace, name)) => format!("kind: {kind}, namespace: {namespace}, name: {name}"),
                None => format!("kind: {kind}, name: {name}"),
            },
            None => format!("file: {}", self.location.as_ref().map_or("", |place| place.file.as_str())),
        };
        let path = self.path.as_deref().map(|path| format!(", path: {}", dotted(path))).unwrap_or_default();
        let hint = self.hint.unwrap_or_default();
        self.hint = Some(format!("{hint}; if it is none, exempt it ({place}{path}) in {FILE}"));
        self
    }
}

fn span_of(text: &str, leak: &Leak) -> Span {
    let before = &text[..leak.range.start];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    let length = text[leak.range.clone()].chars().count();
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Span { line: number(line), column: number(column), length: number(length) }
}

fn starts_before(node: &Node, span: Span) -> bool {
    (node.span.line, node.span.column) <= (span.line, span.column)
}

/// The JSON pointer of the deepest value that begins at or before a place, and no other between.
fn pointer_at(root: &Node, span: Span) -> String {
    let mut pointer = String::new();
    let mut node = root;
    loop {
        let next = match &node.value {
            yaml::Value::Seq(items) => {
                let items = items.iter().enumerate();
                items.rev().find(|(_, item)| starts_before(item, span)).map(|(index, item)| (index.to_string(), item))
            }
            yaml::Value::Map(entries) => {
                let starts = |key: Span| (key.line, key.column) <= (span.line, span.column);
                let entry = entries.iter().rev().find(|entry| starts(entry.key_span));
                entry.map(|entry| (entry.key.replace('~', "~0").replace('/', "~1"), &entry.node))
            }
            _ => None,
        };
        let Some((part, inner)) = next else { return pointer };
        pointer.push('/');
        pointer.push_str(&part);
        node = inner;
    }
}

/// Takes what a file's secrets are out of findings: an invalid field's finding would show what was found there.
pub fn withhold(findings: &mut [Finding], text: &str) {
    const HIDDEN: &str = "********";
    let secrets: Vec<&str> = find(text).into_iter().map(|leak| &text[leak.range]).collect();
    for finding in findings {
        let texts = [&mut finding.expected, &mut finding.found, &mut finding.hint, &mut finding.path];
        for text in texts.into_iter().flatten().chain([&mut finding.message]) {
            for secret in secrets.iter().filter(|secret| secret.len() >= 6) {
                if text.contains(secret) {
                    *text = text.replace(secret, HIDDEN);
                }
            }
        }
    }
}
