//! Reads committed manifests as the API server's clients read them.
//!
//! Readers disagree about some plain scalars (`yes`, `012`, `1_000`): what Git says is then unknown, and the file is
//! refused instead of guessed at.

use std::borrow::Cow;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use super::canonical;
use super::node::{Map, Node};

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it holds; null if it is empty.
    pub root: Node<'static>,
    /// The line on which it begins, from 1.
    pub line: u32,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Line, from 1.
    pub line: u32,
    /// What is wrong, in one line.
    pub reason: String,
}

/// Values in one file, those that aliases repeat counted each time.
pub(super) const MAX_VALUES: usize = 2_000_000;
/// Nested collections.
pub(super) const MAX_DEPTH: usize = 64;

/// Reads every document of a text.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str) -> Result<Vec<Document>, Unreadable> {
    canonical::parse(text).map_or_else(|| parse_any(text), Ok)
}

/// Reads every document of a text in whatever form it is.
pub(super) fn parse_any(text: &str) -> Result<Vec<Document>, Unreadable> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error: ScanError| Unreadable {
            line: line(error.marker().line()),
            reason: error.info().to_owned(),
        })?;
        reader.line = line(span.start.line());
        reader.take(event).map_err(|reason| Unreadable { line: reader.line, reason })?;
    }
    Ok(reader.documents)
}

fn line(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX).max(1)
}

#[derive(Default)]
struct Reader {
    documents: Vec<Document>,
    stack: Vec<Open>,
    root: Option<Document>,
    anchors: Vec<(usize, Node<'static>)>,
    values: usize,
    line: u32,
}

/// A collection whose end was not read yet.
struct Open {
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node<'static>>),
    Map { entries: Vec<(Cow<'static, str>, Node<'static>)>, key: Option<String> },
}

impl Reader {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        let node = match event {
            Event::StreamStart | Event::StreamEnd | Event::Nothing | Event::DocumentStart(_) => return Ok(()),
            Event::DocumentEnd => {
                let document = self.root.take().unwrap_or(Document { root: Node::Null, line: self.line });
                self.documents.push(document);
                self.anchors.clear();
                return Ok(());
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.is_some())?;
                return self.open(anchor, Content::List(Vec::new()));
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.is_some())?;
                return self.open(anchor, Content::Map { entries: Vec::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Scalar(text, style, anchor, tag) => {
                let non_specific = tag.as_deref().is_some_and(|tag| tag.handle.is_empty() && tag.suffix == "!");
                refuse_tag(tag.is_some() && !non_specific)?;
                self.count(1)?;
                let plain = style == ScalarStyle::Plain && !non_specific;
                let node = if plain { resolve(&text)? } else { Node::Text(Cow::Owned(text.into_owned())) };
                self.remember(anchor, &node);
                node
            }
            Event::Alias(anchor) => self.expand(anchor)?,
        };
        self.put(node)
    }

    fn open(&mut self, anchor: usize, content: Content) -> Result<(), String> {
        self.count(1)?;
        if self.stack.len() >= MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        if self.stack.is_empty() {
            self.root = Some(Document { root: Node::Null, line: self.line });
        }
        self.stack.push(Open { anchor, content });
        Ok(())
    }

    fn close(&mut self) -> Result<Node<'static>, String> {
        let open = self.stack.pop().ok_or("an end without a beginning")?;
        let node = match open.content {
            Content::List(items) => Node::List(items),
            Content::Map { entries, .. } => {
                let count = entries.len();
                let map: Map<'static> = entries.into_iter().collect();
                if map.len() != count {
                    return Err("a key is given twice".to_owned());
                }
                Node::Map(map)
            }
        };
        self.remember(open.anchor, &node);
        Ok(node)
    }

    fn put(&mut self, node: Node<'static>) -> Result<(), String> {
        match self.stack.last_mut().map(|open| &mut open.content) {
            None => {
                let line = self.root.as_ref().map_or(self.line, |document| document.line);
                self.root = Some(Document { root: node, line });
            }
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, key }) => match key.take() {
                None => *key = Some(key_text(node)?),
                Some(key) => entries.push((Cow::Owned(key), node)),
            },
        }
        Ok(())
    }

    fn count(&mut self, values: usize) -> Result<(), String> {
        self.values += values;
        if self.values > MAX_VALUES { Err(format!("more than {MAX_VALUES} values in one file")) } else { Ok(()) }
    }

    fn remember(&mut self, anchor: usize, node: &Node<'static>) {
        if anchor != 0 {
            self.anchors.push((anchor, node.clone()));
        }
    }

    fn expand(&mut self, anchor: usize) -> Result<Node<'static>, String> {
        let found = self.anchors.iter().rev().find(|(id, _)| *id == anchor);
        let node = found.map(|(_, node)| node.clone()).ok_or("an alias inside its own anchor")?;
        self.count(size(&node))?;
        if self.stack.len() + depth(&node) > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        Ok(node)
    }
}

fn size(node: &Node<'_>) -> usize {
    1 + match node {
        Node::List(items) => items.iter().map(size).sum(),
        Node::Map(map) => map.iter().map(|(_, value)| 1 + size(value)).sum(),
        _ => 0,
    }
}

fn depth(node: &Node<'_>) -> usize {
    match node {
        Node::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Node::Map(map) => 1 + map.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}

fn refuse_tag(tagged: bool) -> Result<(), String> {
    if tagged { Err("tags are not allowed".to_owned()) } else { Ok(()) }
}

fn key_text(node: Node<'static>) -> Result<String, String> {
    match node {
        Node::Text(text) if text == "<<" => Err("merge keys (`<<`) are not read alike by all clients".to_owned()),
        Node::Text(text) => Ok(text.into_owned()),
        Node::Bool(_) | Node::Int(_) | Node::Float(_) => Ok(node.to_string()),
        Node::Null | Node::List(_) | Node::Map(_) | Node::Raw(_) => Err("a key is not text".to_owned()),
    }
}

fn resolve(text: &str) -> Result<Node<'static>, String> {
    let first = text.bytes().next().unwrap_or(b' ');
    if first.is_ascii_alphabetic() && text.len() > 5 {
        return Ok(Node::Text(Cow::Owned(text.to_owned()))); // no word of YAML is longer
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Ok(Node::Null),
        "true" | "True" | "TRUE" => Ok(Node::Bool(true)),
        "false" | "False" | "FALSE" => Ok(Node::Bool(false)),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off"
        | "OFF" | ".inf" | ".Inf" | ".INF" | "-.inf" | "-.Inf" | "-.INF" | ".nan" | ".NaN" | ".NAN" => ambiguous(text),
        _ if first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.') => number_or_text(text),
        _ => Ok(Node::Text(Cow::Owned(text.to_owned()))),
    }
}

fn number_or_text(text: &str) -> Result<Node<'static>, String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits(unsigned) {
        let canonical = !text.starts_with('+') && (unsigned.len() == 1 || !unsigned.starts_with('0'));
        return match text.parse::<i64>() {
            Ok(number) if canonical => Ok(Node::Int(number)),
            _ => ambiguous(text),
        };
    }
    let prefixed = ["0x", "0X", "0o", "0O", "0b", "0B"].iter().any(|prefix| unsigned.starts_with(prefix));
    let grouped = unsigned.contains('_') && digits(&unsigned.replace(['_', '.'], ""));
    if (prefixed && unsigned[2..].bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'_')) || grouped {
        return ambiguous(text);
    }
    let float = unsigned.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    match text.parse::<f64>() {
        Ok(number) if float && number.is_finite() => Ok(Node::float(number)),
        _ => Ok(Node::Text(Cow::Owned(text.to_owned()))),
    }
}

fn ambiguous(text: &str) -> Result<Node<'static>, String> {
    Err(format!("unquoted {text} is text to some readers and not to others: quote it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> String {
        parse(text).unwrap().remove(0).root.to_string()
    }

    #[test]
    fn resolves_what_all_readers_agree_on() {
        for (text, json) in [
            ("12", "12"),
            ("-3", "-3"),
            ("1.5", "1.5"),
            ("1.0", "1"),
            ("1e3", "1000"),
            ("true", "true"),
            ("~", "null"),
            ("\"yes\"", "\"yes\""),
            ("'012'", "\"012\""),
            ("1.2.3", "\"1.2.3\""),
            ("1.5Gi", "\"1.5Gi\""),
            ("12:30", "\"12:30\""),
            ("2026-01-01", "\"2026-01-01\""),
            ("10.0.0.0/8", "\"10.0.0.0/8\""),
            ("-", "[null]"),
            ("a: {b: [1, x]}", r#"{"a":{"b":[1,"x"]}}"#),
            ("1: a", r#"{"1":"a"}"#),
            ("a: &x [1]\nb: *x", r#"{"a":[1],"b":[1]}"#),
        ] {
            assert_eq!(one(text), json, "{text}");
        }
    }

    #[test]
    fn refuses_what_readers_differ_on() {
        for text in [
            "yes",
            "off",
            "N",
            "012",
            "+7",
            "0x1f",
            "0o17",
            "1_000",
            ".inf",
            "a: !!str 1",
            "a: {<<: {b: 1}}",
            "a: 1\na: 2",
            "a: [",
            "99999999999999999999",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("a: b\nc:\n  d: no\n").unwrap_err().line, 3);
    }

    #[test]
    fn documents_know_their_first_line() {
        let documents = parse("---\na: 1\n---\n# nothing\n---\nb:\n- 2\n").unwrap();
        let lines: Vec<(u32, String)> = documents.iter().map(|d| (d.line, d.root.to_string())).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!((lines[0].0, lines[2].0), (2, 6));
        assert_eq!(lines[1].1, "null");
        assert_eq!(parse("# nothing\n").unwrap().len(), 0);
    }

    #[test]
    fn alias_expansion_is_bounded() {
        let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (name, previous) in ('b'..='m').zip('a'..) {
            bomb.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{previous}"); 10].join(",")));
        }
        assert!(parse(&bomb).is_err());
    }
}
