//! Reads YAML 1.2 into a tree in which every node knows its line and column.
//!
//! Stricter than the standard where people get hurt: duplicate keys, keys that are not strings, tags, merge keys and
//! floats that lose digits are errors; size, depth and the number of nodes (after alias expansion) are bounded.

use std::borrow::Cow;
use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

/// A place in a text: line and column count from 1, `length` is in characters (0 where unknown).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Length in characters on that line.
    pub length: u32,
}

/// What a node holds, by the YAML 1.2 core schema.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// A number with a fraction or an exponent, or too large for 64 bits: its text as written.
    Float(String),
    /// Text.
    Str(String),
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it stands.
    pub span: Span,
}

/// A key of a mapping with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub node: Node,
}

/// One document of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The root node.
    pub root: Node,
}

/// What makes a text no YAML, or YAML that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub span: Span,
    /// What.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.span.line, self.span.column, self.message)
    }
}

/// Bounds on what is read, so that a small file cannot ask for much time or memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nested collections.
    pub depth: usize,
    /// Nodes in all, those that aliases repeat counted each time.
    pub nodes: usize,
    /// Whether `&anchor` and `*alias` are allowed at all.
    pub aliases: bool,
}

impl Limits {
    /// For files that people write: 32 levels, 20,000 nodes, no aliases.
    pub const CONFIG: Self = Self { depth: 32, nodes: 20_000, aliases: false };
    /// For manifests: 64 levels, 2,000,000 nodes, aliases expanded within that budget.
    pub const MANIFEST: Self = Self { depth: 64, nodes: 2_000_000, aliases: true };
}

/// Reads every document of a text.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(text: &str, limits: Limits) -> Result<Vec<Document>, SyntaxError> {
    let mut reader = Reader { limits, nodes: 0, anchors: Vec::new() };
    let mut documents = Vec::new();
    let mut stack: Vec<Open> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| scan_error(&error, text))?;
        let span = to_span(span);
        let node = match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::Nothing => continue,
            Event::DocumentEnd => {
                let root = root.take().unwrap_or(Node { value: Value::Null, span });
                documents.push(Document { root });
                reader.anchors.clear();
                continue;
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), span)?;
                stack.push(reader.open(Value::Seq(Vec::new()), anchor, span, stack.len())?);
                continue;
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), span)?;
                stack.push(reader.open(Value::Map(Vec::new()), anchor, span, stack.len())?);
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = stack.pop() else { continue };
                let node = Node { value: open.value, span: open.span };
                reader.remember(open.anchor, &node, span)?;
                node
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.as_deref(), span)?;
                let node = Node { value: resolve(text, style), span };
                reader.count(1, span)?;
                reader.remember(anchor, &node, span)?;
                node
            }
            Event::Alias(anchor) => reader.alias(anchor, span, stack.len())?,
        };
        match stack.last_mut() {
            Some(open) => open.push(node)?,
            None => root = Some(node),
        }
    }
    Ok(documents)
}

/// A collection whose end was not read yet.
struct Open {
    value: Value,
    key: Option<(String, Span)>,
    anchor: usize,
    span: Span,
}

impl Open {
    fn push(&mut self, node: Node) -> Result<(), SyntaxError> {
        match &mut self.value {
            Value::Seq(items) => items.push(node),
            Value::Map(entries) => match self.key.take() {
                None => self.key = Some((key_text(&node)?, node.span)),
                Some((key, key_span)) => {
                    if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                        let message = format!("duplicate key {key:?}, first given on line {}", first.key_span.line);
                        let hint = Some("keep one of the two".to_owned());
                        return Err(SyntaxError { span: key_span, message, hint });
                    }
                    entries.push(Entry { key, key_span, node });
                }
            },
            _ => {}
        }
        Ok(())
    }
}

struct Reader {
    limits: Limits,
    nodes: usize,
    /// Anchored nodes by id, with the number of nodes each holds and its depth.
    anchors: Vec<(usize, Node, usize)>,
}

impl Reader {
    fn open(&mut self, value: Value, anchor: usize, span: Span, depth: usize) -> Result<Open, SyntaxError> {
        self.count(1, span)?;
        if depth >= self.limits.depth {
            let message = format!("nested deeper than {} levels", self.limits.depth);
            return Err(SyntaxError { span, message, hint: None });
        }
        Ok(Open { value, key: None, anchor, span })
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), SyntaxError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > self.limits.nodes {
            let message = format!("more than {} values in one file", self.limits.nodes);
            return Err(SyntaxError { span, message, hint: Some("split the file".into()) });
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, node: &Node, span: Span) -> Result<(), SyntaxError> {
        if anchor == 0 {
            return Ok(());
        }
        if !self.limits.aliases {
            return Err(no_aliases(span));
        }
        let size = node.size();
        self.anchors.push((anchor, node.clone(), size));
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span, depth: usize) -> Result<Node, SyntaxError> {
        if !self.limits.aliases {
            return Err(no_aliases(span));
        }
        let found = self.anchors.iter().rev().find(|(id, ..)| *id == anchor);
        let Some((_, node, size)) = found.cloned() else {
            return Err(SyntaxError { span, message: "an alias inside its own anchor".into(), hint: None });
        };
        self.count(size, span)?;
        if depth + node.depth() > self.limits.depth {
            let message = format!("nested deeper than {} levels", self.limits.depth);
            return Err(SyntaxError { span, message, hint: None });
        }
        Ok(node)
    }
}

fn no_aliases(span: Span) -> SyntaxError {
    SyntaxError {
        span,
        message: "anchors and aliases are not allowed here".into(),
        hint: Some("write the value out: a reviewer must see what a file says where it says it".into()),
    }
}

fn refuse_tag(tag: Option<&Tag>, span: Span) -> Result<(), SyntaxError> {
    match tag {
        None => Ok(()),
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Ok(()),
        Some(tag) => Err(SyntaxError {
            span,
            message: format!("the tag {}{} is not allowed", tag.handle, tag.suffix),
            hint: Some("remove the tag; quote the value if it is text".into()),
        }),
    }
}

fn key_text(node: &Node) -> Result<String, SyntaxError> {
    match &node.value {
        Value::Str(text) if text == "<<" => Err(SyntaxError {
            span: node.span,
            message: "merge keys (`<<`) are not YAML 1.2 and not allowed".into(),
            hint: Some("write the keys out".into()),
        }),
        Value::Str(text) => Ok(text.clone()),
        Value::Bool(value) => Err(not_text(node.span, &value.to_string())),
        Value::Int(value) => Err(not_text(node.span, &value.to_string())),
        Value::Float(text) => Err(not_text(node.span, text)),
        Value::Null => Err(not_text(node.span, "null")),
        Value::Seq(_) | Value::Map(_) => Err(SyntaxError {
            span: node.span,
            message: "a key must be text, not a collection".into(),
            hint: Some("if this is template text, quote it".into()),
        }),
    }
}

fn not_text(span: Span, text: &str) -> SyntaxError {
    SyntaxError { span, message: format!("the key {text} is not text"), hint: Some(format!("write it as \"{text}\"")) }
}

pub(super) fn scan_error(error: &saphyr_parser::ScanError, text: &str) -> SyntaxError {
    let mark = error.marker();
    let span = Span { line: clamp(mark.line()), column: clamp(mark.col() + 1), length: 1 };
    // The scanner reports where it began; a tab that it met may stand on the next line.
    let mut lines = text.lines().enumerate().skip(mark.line().saturating_sub(1)).take(2);
    let tab = lines.find(|(_, line)| line.trim_start_matches(' ').starts_with('\t'));
    let Some((number, line)) = tab else {
        return SyntaxError { span, message: error.info().to_owned(), hint: None };
    };
    let column = line.len() - line.trim_start_matches(' ').len() + 1;
    let span = Span { line: clamp(number + 1), column: clamp(column), length: 1 };
    let hint = Some("YAML is indented with spaces; this line is indented with a tab".to_owned());
    SyntaxError { span, message: error.info().to_owned(), hint }
}

pub(super) fn to_span(span: saphyr_parser::Span) -> Span {
    let one_line = span.start.line() == span.end.line();
    let length = if one_line { span.end.col().saturating_sub(span.start.col()) } else { 0 };
    Span { line: clamp(span.start.line()), column: clamp(span.start.col() + 1), length: clamp(length) }
}

fn clamp(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn resolve(text: Cow<'_, str>, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::Str(text.into_owned());
    }
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        number if looks_like_number(number) => match number.parse::<i64>() {
            Ok(integer) if integer_is_canonical(number) => Value::Int(integer),
            _ => Value::Float(number.to_owned()),
        },
        _ => Value::Str(text.into_owned()),
    }
}

/// The numbers of the core schema: `-?[0-9]+`, with fraction or exponent, `.inf`, `.nan`, `0x…`, `0o…`.
fn looks_like_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    if let Some(digits) = unsigned.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    if let Some(digits) = unsigned.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    }
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return false;
    }
    unsigned.bytes().any(|byte| byte.is_ascii_digit()) && text.parse::<f64>().is_ok()
}

/// `007` and `+7` are numbers to some readers and text to others: they are kept as written.
fn integer_is_canonical(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits == "0" || !digits.starts_with(['0', '+'])
}

impl Node {
    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The entry of a mapping under a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The text of a string node.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The place that a JSON pointer (RFC 6901) names, or of the nearest node above it that exists.
    pub fn locate(&self, pointer: &str) -> Span {
        let mut node = self;
        let mut span = self.span;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let next = match &node.value {
                Value::Map(entries) => {
                    entries.iter().find(|entry| entry.key == part).map(|entry| (&entry.node, entry.key_span))
                }
                Value::Seq(items) => {
                    part.parse::<usize>().ok().and_then(|index| items.get(index)).map(|item| (item, item.span))
                }
                _ => None,
            };
            let Some((child, child_span)) = next else { break };
            node = child;
            span = match child.value {
                Value::Map(_) | Value::Seq(_) => child_span,
                _ => child.span,
            };
        }
        span
    }

    /// The same value without places. Floats that JSON cannot hold become text.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::from(*value),
            Value::Float(text) => float(text),
            Value::Str(text) => Json::String(text.clone()),
            Value::Seq(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(entries) => {
                Json::Object(entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect())
            }
        }
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Seq(items) => items.iter().map(Node::size).sum(),
            Value::Map(entries) => entries.iter().map(|entry| 1 + entry.node.size()).sum(),
            _ => 0,
        }
    }

    fn depth(&self) -> usize {
        match &self.value {
            Value::Seq(items) => 1 + items.iter().map(Node::depth).max().unwrap_or(0),
            Value::Map(entries) => 1 + entries.iter().map(|entry| entry.node.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }
}

fn float(text: &str) -> serde_json::Value {
    text.parse::<f64>()
        .ok()
        .and_then(serde_json::Number::from_f64)
        .map_or_else(|| serde_json::Value::String(text.to_owned()), serde_json::Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Node {
        parse(text, Limits::CONFIG).unwrap().remove(0).root
    }

    fn error(text: &str) -> SyntaxError {
        parse(text, Limits::CONFIG).unwrap_err()
    }

    #[test]
    fn resolves_scalars_by_the_core_schema() {
        for (text, json) in [
            ("no", r#""no""#),
            ("yes", r#""yes""#),
            ("on", r#""on""#),
            ("~", "null"),
            ("true", "true"),
            ("\"true\"", r#""true""#),
            ("12", "12"),
            ("-3", "-3"),
            ("1_000", r#""1_000""#),
            ("1.5", "1.5"),
            ("12:30", r#""12:30""#),
            ("2026-01-01", r#""2026-01-01""#),
            ("1.2.3", r#""1.2.3""#),
            ("1.5Gi", r#""1.5Gi""#),
            ("infinity", r#""infinity""#),
            ("nan", r#""nan""#),
        ] {
            assert_eq!(one(text).to_json().to_string(), json, "{text}");
        }
        assert_eq!(one("007").value, Value::Float("007".into()));
    }

    #[test]
    fn every_node_knows_its_place() {
        let root = one("a:\n  b: x\n  c:\n    - 1\n    - {d: e}\n");
        assert_eq!(root.locate("/a/b"), Span { line: 2, column: 6, length: 1 });
        assert_eq!(root.locate("/a/c/1/d"), Span { line: 5, column: 11, length: 1 });
        assert_eq!(root.locate("/a/c").line, 3);
        assert_eq!(root.locate("/a/missing").line, 1);
    }

    #[test]
    fn refuses_duplicates_tags_merges_and_aliases_with_their_place() {
        let found = error("a: 1\nb:\n  c: 1\n  c: 2\n");
        assert_eq!((found.span.line, found.span.column), (4, 3));
        assert!(found.message.contains("first given on line 3"), "{found}");
        assert!(error("a: !!str 1").message.contains("tag"));
        assert!(error("a: &x 1\nb: *x").message.contains("aliases"));
        assert!(error("a: {<<: 1}").message.contains("merge"));
        assert!(error("1: a").message.contains("not text"));
        assert!(error("? [a]\n: b").message.contains("collection"));
        assert!(error("a:\n\tb: 1").hint.unwrap().contains("tab"));
    }

    #[test]
    fn bounds_depth_size_and_alias_expansion() {
        let deep = "[".repeat(100);
        assert!(error(&deep).message.contains("deeper than 32"));
        let many = "- 1\n".repeat(20_001);
        assert!(error(&many).message.contains("more than 20000"));
        let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (name, previous) in ('b'..='z').zip('a'..) {
            let items = vec![format!("*{previous}"); 10].join(",");
            bomb.push_str(&format!("{name}: &{name} [{items}]\n"));
        }
        assert!(parse(&bomb, Limits::MANIFEST).is_err());
        let fine = parse("a: &a [x]\nb: *a", Limits::MANIFEST).unwrap();
        assert_eq!(fine[0].root.to_json().to_string(), r#"{"a":["x"],"b":["x"]}"#);
    }

    #[test]
    fn reads_streams_and_empty_texts() {
        assert_eq!(parse("", Limits::CONFIG).unwrap().len(), 0);
        assert_eq!(parse("# only a comment\n", Limits::CONFIG).unwrap().len(), 0);
        assert_eq!(parse("a: 1\n---\nb: 2\n", Limits::CONFIG).unwrap().len(), 2);
    }
}
