//! Reads manifests that are in the program's own canonical form, line by line and many times faster than a YAML parser.
//!
//! Nearly all that is committed is in that form. Whatever is written in any other way is left to the parser: this reader
//! never guesses, and never says what is wrong.

use std::borrow::Cow;

use super::node::{Map, Node};
use super::yaml::{Document, MAX_DEPTH, MAX_VALUES};
use crate::yaml::{LONGEST_KEY, is_printable, plain_is_safe};

/// The documents of a text; none if it is not in canonical form.
pub fn parse(text: &str) -> Option<Vec<Document>> {
    if !text.ends_with('\n') || !text.chars().all(|character| character == '\n' || is_printable(character)) {
        return None;
    }
    let lines: Vec<Line<'_>> = text.lines().map(Line::of).collect();
    let (mut reader, mut documents) = (Reader { lines, at: 0, values: 0 }, Vec::new());
    while reader.at < reader.lines.len() {
        if reader.next(0)? != "---" {
            return None;
        }
        reader.at += 1;
        let line = u32::try_from(reader.at + 1).ok()?;
        documents.push(Document { root: reader.block(0, 0)?, line });
    }
    Some(documents)
}

/// A line: how far it is indented, and the rest.
struct Line<'t> {
    indent: usize,
    rest: &'t str,
}

impl<'t> Line<'t> {
    fn of(line: &'t str) -> Self {
        let rest = line.trim_start_matches(' ');
        Self { indent: line.len() - rest.len(), rest }
    }
}

struct Reader<'t> {
    lines: Vec<Line<'t>>,
    at: usize,
    values: usize,
}

impl<'t> Reader<'t> {
    /// The next line, if it is indented just so and not empty.
    fn next(&self, indent: usize) -> Option<&'t str> {
        self.lines.get(self.at).filter(|line| line.indent == indent && !line.rest.is_empty()).map(|line| line.rest)
    }

    /// A list or mapping whose first line is the next.
    fn block(&mut self, indent: usize, depth: usize) -> Option<Node<'static>> {
        let first = self.next(indent)?;
        if first.starts_with("- ") { self.list(first, indent, depth) } else { self.map(first, indent, depth) }
    }

    /// What stands on further lines behind a key.
    fn below(&mut self, indent: usize, depth: usize) -> Option<Node<'static>> {
        // Dashes stand under their key.
        if let Some(first) = self.next(indent).filter(|line| line.starts_with("- ")) {
            return self.list(first, indent, depth);
        }
        let first = self.next(indent + 2).filter(|line| !line.starts_with("- "))?;
        self.map(first, indent + 2, depth)
    }

    fn list(&mut self, mut line: &'t str, indent: usize, depth: usize) -> Option<Node<'static>> {
        self.count(depth)?;
        let mut items = Vec::new();
        loop {
            items.push(self.item(line.strip_prefix("- ")?, indent + 2, depth + 1)?);
            match self.next(indent) {
                Some(next) if next.starts_with("- ") => line = next,
                _ => return Some(Node::List(items)),
            }
        }
    }

    /// An item, of which the first line is what stands behind the dash.
    fn item(&mut self, rest: &'t str, indent: usize, depth: usize) -> Option<Node<'static>> {
        if rest.starts_with("- ") {
            return self.list(rest, indent, depth);
        }
        if key(rest).is_some() {
            return self.map(rest, indent, depth);
        }
        self.scalar(rest, indent)
    }

    fn map(&mut self, mut line: &'t str, indent: usize, depth: usize) -> Option<Node<'static>> {
        self.count(depth)?;
        let mut entries: Vec<(Cow<'static, str>, Node<'static>)> = Vec::new();
        loop {
            let (key, rest) = key(line)?;
            let value = match rest {
                "" => {
                    self.at += 1;
                    self.below(indent, depth + 1)?
                }
                rest => self.scalar(rest, indent + 2)?,
            };
            entries.push((Cow::Owned(key), value));
            match self.next(indent) {
                Some(next) if next != "---" && !next.starts_with("- ") => line = next,
                _ => break,
            }
        }
        let count = entries.len();
        let map: Map<'static> = entries.into_iter().collect();
        (map.len() == count).then_some(Node::Map(map))
    }

    /// A value on one line, or a literal block below it.
    fn scalar(&mut self, text: &'t str, indent: usize) -> Option<Node<'static>> {
        self.count(0)?;
        self.at += 1;
        Some(match text {
            "{}" => Node::Map(Map::default()),
            "[]" => Node::List(Vec::new()),
            "null" => Node::Null,
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            "|" => self.literal(indent, true)?,
            "|-" => self.literal(indent, false)?,
            text if plain_is_safe(text) => Node::Text(Cow::Owned(text.to_owned())),
            text if text.starts_with('"') => Node::Text(Cow::Owned(unquoted(text)?)),
            text => Node::Int(number(text)?),
        })
    }

    fn literal(&mut self, indent: usize, is_closed: bool) -> Option<Node<'static>> {
        let mut text = String::new();
        while let Some(line) = self.lines.get(self.at) {
            if line.rest.is_empty() && line.indent == 0 {
                text.push('\n');
            } else if line.indent >= indent && !line.rest.is_empty() && !line.rest.ends_with(' ') {
                // What is indented further at the beginning would decide how far the block is.
                if text.trim_start_matches('\n').is_empty() && (line.indent > indent || !text.is_empty()) {
                    return None;
                }
                text.extend(std::iter::repeat_n(' ', line.indent - indent));
                text.push_str(line.rest);
                text.push('\n');
            } else if line.indent < indent && !line.rest.is_empty() {
                break;
            } else {
                return None;
            }
            self.at += 1;
        }
        if text.is_empty() || text.ends_with("\n\n") {
            return None;
        }
        if !is_closed {
            text.pop();
        }
        Some(Node::Text(Cow::Owned(text)))
    }

    fn count(&mut self, depth: usize) -> Option<()> {
        self.values += 1;
        (self.values <= MAX_VALUES && depth < MAX_DEPTH).then_some(())
    }
}

/// The key of a line and what stands behind it, nothing if that is on the next lines.
fn key(line: &str) -> Option<(String, &str)> {
    let (key, rest) = if line.starts_with('"') {
        let end = line.match_indices('"').skip(1).find(|(at, _)| !is_escaped(line, *at))?.0;
        let rest = line[end + 1..].strip_prefix(':')?;
        (unquoted(&line[..=end])?, rest)
    } else {
        let (key, rest) = match line.find(": ") {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line.strip_suffix(':')?, ""),
        };
        plain_is_safe(key).then(|| (key.to_owned(), rest))?
    };
    if key == "<<" || key.len() > LONGEST_KEY || rest == " " {
        return None;
    }
    match rest {
        "" => Some((key, "")),
        rest => Some((key, rest.strip_prefix(' ')?)),
    }
}

/// Whether an odd number of backslashes stands before a place.
fn is_escaped(text: &str, at: usize) -> bool {
    text[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// What a text in double quotes says.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"').filter(|_| text.len() > 1)?;
    if !inner.contains(['\\', '"']) {
        return Some(inner.to_owned());
    }
    let (mut out, mut characters) = (String::with_capacity(inner.len()), inner.chars());
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => out.push(match characters.next()? {
                '"' => '"',
                '\\' => '\\',
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'x' => coded(&mut characters, 2)?,
                'u' => coded(&mut characters, 4)?,
                'U' => coded(&mut characters, 8)?,
                _ => return None,
            }),
            other => out.push(other),
        }
    }
    Some(out)
}

fn coded(characters: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let code = characters.as_str().get(..digits).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let coded = char::from_u32(u32::from_str_radix(code, 16).ok()?)?;
    *characters = characters.as_str()[digits..].chars();
    Some(coded)
}

/// A whole number as it is written canonically.
fn number(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::yaml;
    use super::*;
    use crate::yaml::{any_tree, emit_documents};

    /// What the parser says of a text.
    fn parsed(text: &str) -> Option<Vec<Document>> {
        yaml::parse_any(text).ok()
    }

    #[test]
    fn every_rendered_manifest_is_read_here_and_as_the_parser_reads_it() {
        let (mut files, mut folders) = (0, vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "yaml") {
                    let text = fs::read_to_string(&path).unwrap();
                    if text.starts_with("---\napiVersion") {
                        let read = parse(&text);
                        assert!(read.is_some() && read == parsed(&text), "{}", path.display());
                        files += 1;
                    }
                }
            }
        }
        assert!(files > 100, "{files}");
    }

    #[test]
    fn what_is_not_canonical_is_left_to_the_parser() {
        for text in [
            "a: b\n",
            "---\na: b",
            "---\na: yes\n",
            "---\na: 'b'\n",
            "---\na: 012\n",
            "---\na: 1.5\n",
            "---\na: b # c\n",
            "---\n# c\na: b\n",
            "---\na: &x b\n",
            "---\na:\nb: c\n",
            "---\na:\n   b: c\n",
            "---\na:\n- b\n - c\n",
            "---\na: b\n  c\n",
            "---\na: b\na: c\n",
            "---\na: \"b\n  c\"\n",
            "---\na: \"\\e\"\n",
            "---\na: |\n  b\n\n",
            "---\na: |\n   b\n  c\n",
            "---\na: |+\n  b\n",
            "---\na: >\n  b\n",
            "---\n<<: {}\n",
            "---\n{}\n",
            "---\n...\n",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    fn documents() -> impl Strategy<Value = Value> {
        prop::collection::vec(any_tree(), 1..4).prop_map(|items| json!({ "kind": "X", "items": items }))
    }

    proptest! {
        #[test]
        fn canonical_texts_are_read_here(value in documents()) {
            let text = emit_documents([&value, &json!({ "a": "b" })]);
            let read = parse(&text);
            prop_assert!(read.is_some(), "{}", text);
            prop_assert_eq!(read, parsed(&text), "{}", text);
        }

        /// The law on which everything rests: what is read here is what the parser reads.
        #[test]
        fn whatever_is_read_here_the_parser_reads_alike(
            value in documents(),
            edits in prop::collection::vec((any::<prop::sample::Index>(), "[a-c:#\\- \\n\"'{}|\\\\~0-9]{0,2}", 0..3_usize), 1..5),
        ) {
            let mut characters: Vec<char> = emit_documents([&value]).chars().collect();
            for (place, text, cut) in edits {
                let at = place.index(characters.len() + 1);
                let end = (at + cut).min(characters.len());
                characters.splice(at..end, text.chars());
            }
            let text: String = characters.into_iter().collect();
            if let Some(read) = parse(&text) {
                prop_assert_eq!(Some(read), parsed(&text), "{}", text);
            }
        }
    }
}
