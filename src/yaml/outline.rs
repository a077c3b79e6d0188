//! Where everything in a text stands, to the character: what an edit of the text needs to know.
//!
//! Offsets count characters from 0. The scanner tells where nodes begin; where they end is found here, since its own ends
//! take in blanks and comments.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::parse::{Span, SyntaxError, scan_error, to_span};

/// How a node is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A plain scalar; empty if nothing is written.
    Plain,
    /// `'text'`.
    SingleQuoted,
    /// `"text"`.
    DoubleQuoted,
    /// `|` or `>` and the lines below.
    Block,
    /// `{…}` or `[…]`.
    Flow,
    /// Entries or items on lines of their own.
    Lines,
    /// `*name`.
    Alias,
}

/// A node of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its characters; empty where nothing is written. A block scalar's begin at its `|` or `>`.
    pub range: Range<usize>,
    /// How it is written.
    pub style: Style,
    /// Whether an anchor stands before it.
    pub anchored: bool,
    /// Where it begins, for people.
    pub span: Span,
    /// What is in it.
    pub parts: Parts,
}

/// What is in a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parts {
    /// Nothing: a scalar or an alias.
    Leaf,
    /// Items; each with the offset of its dash in block style, else of the item.
    Seq(Vec<(usize, Piece)>),
    /// Entries.
    Map(Vec<Pair>),
}

/// An entry of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The key's text.
    pub key: String,
    /// The key's characters.
    pub at: Range<usize>,
    /// Just behind the colon.
    pub slot: usize,
    /// The value.
    pub node: Piece,
}

impl Pair {
    /// Just behind the last character of the entry.
    pub fn end(&self) -> usize {
        self.node.range.end.max(self.slot)
    }
}

impl Piece {
    /// Whether an anchor or an alias stands in it.
    pub fn is_tied(&self) -> Option<Span> {
        if self.anchored || self.style == Style::Alias {
            return Some(self.span);
        }
        match &self.parts {
            Parts::Leaf => None,
            Parts::Seq(items) => items.iter().find_map(|(_, item)| item.is_tied()),
            Parts::Map(pairs) => pairs.iter().find_map(|pair| pair.node.is_tied()),
        }
    }

    /// The entry of a key.
    pub fn pair(&self, key: &str) -> Option<&Pair> {
        match &self.parts {
            Parts::Map(pairs) => pairs.iter().find(|pair| pair.key == key),
            _ => None,
        }
    }
}

/// The root of the only document of a text, whose lines end in `\n`; `None` for a text of no or several documents.
///
/// # Errors
/// The text is no YAML.
pub fn outline(text: &str) -> Result<Option<Piece>, SyntaxError> {
    let mut reader = Reader { text: text.chars().collect(), events: Vec::new(), at: 0 };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| scan_error(&error, text))?;
        documents += usize::from(matches!(event, Event::DocumentStart(_)));
        let seen = match event {
            Event::Scalar(text, style, anchor, _) => Seen::Scalar(text.into_owned(), style, anchor != 0),
            Event::SequenceStart(anchor, _) => Seen::Open(false, anchor != 0),
            Event::MappingStart(anchor, _) => Seen::Open(true, anchor != 0),
            Event::SequenceEnd | Event::MappingEnd => Seen::Close,
            Event::Alias(_) => Seen::Alias,
            _ => continue,
        };
        reader.events.push((seen, span));
    }
    Ok(if documents == 1 { reader.node(0) } else { None })
}

enum Seen {
    Scalar(String, ScalarStyle, bool),
    Open(bool, bool),
    Close,
    Alias,
}

struct Reader {
    text: Vec<char>,
    events: Vec<(Seen, saphyr_parser::Span)>,
    at: usize,
}

impl Reader {
    /// The next node; `slot` is where its place begins (behind a colon or dash).
    fn node(&mut self, slot: usize) -> Option<Piece> {
        let (seen, span) = self.events.get(self.at)?;
        let (span, start, end) = (*span, span.start.index(), span.end.index());
        self.at += 1;
        let leaf = |range, style, anchored| Piece { range, style, anchored, span: to_span(span), parts: Parts::Leaf };
        match seen {
            Seen::Alias => Some(leaf(start..end, Style::Alias, false)),
            Seen::Close => None,
            Seen::Scalar(_, style, anchored) => {
                let (style, anchored) = (*style, *anchored);
                Some(match style {
                    ScalarStyle::Plain => leaf(start..end, Style::Plain, anchored),
                    ScalarStyle::SingleQuoted => leaf(start..self.quoted(start, '\''), Style::SingleQuoted, anchored),
                    ScalarStyle::DoubleQuoted => leaf(start..self.quoted(start, '"'), Style::DoubleQuoted, anchored),
                    ScalarStyle::Literal | ScalarStyle::Folded => {
                        let head = self.header(slot);
                        leaf(head..self.block_end(head, end), Style::Block, anchored)
                    }
                })
            }
            Seen::Open(is_map, anchored) => {
                let (is_map, anchored) = (*is_map, *anchored);
                let open = self.properties(start);
                let is_flow = start != end && matches!(self.text.get(open), Some('{' | '['));
                let behind = if is_flow || anchored { open } else { slot };
                let parts = if is_map { Parts::Map(self.pairs()) } else { Parts::Seq(self.items(is_flow, behind)) };
                let last = match &parts {
                    Parts::Map(pairs) => pairs.last().map(Pair::end),
                    Parts::Seq(items) => items.last().map(|(at, item)| item.range.end.max(at + usize::from(!is_flow))),
                    Parts::Leaf => None,
                };
                let first = match &parts {
                    Parts::Map(pairs) if !is_flow => pairs.first().map(|pair| pair.at.start),
                    Parts::Seq(items) if !is_flow => items.first().map(|(at, _)| *at),
                    _ => None,
                };
                let end = if is_flow { self.closing(last.unwrap_or(open + 1)) } else { last.unwrap_or(start) };
                let start = if anchored { start } else { first.unwrap_or(start) };
                let style = if is_flow { Style::Flow } else { Style::Lines };
                Some(Piece { range: start..end, style, anchored, span: to_span(span), parts })
            }
        }
    }

    fn pairs(&mut self) -> Vec<Pair> {
        let mut pairs = Vec::new();
        loop {
            let key = match self.events.get(self.at) {
                Some((Seen::Scalar(text, ..), _)) => text.clone(),
                _ => String::new(),
            };
            let Some(name) = self.node(0) else { return pairs };
            let slot = self.skip(name.range.end, |c| c != ':' && c != ',' && c != '}' && c != '\n');
            let slot = slot + usize::from(self.text.get(slot) == Some(&':'));
            let Some(node) = self.node(slot) else { return pairs };
            pairs.push(Pair { key, at: name.range, slot, node: settled(node, slot) });
        }
    }

    fn items(&mut self, is_flow: bool, mut behind: usize) -> Vec<(usize, Piece)> {
        let mut items: Vec<(usize, Piece)> = Vec::new();
        loop {
            let Some((_, span)) = self.events.get(self.at) else { return items };
            let start = span.start.index();
            let dash = if is_flow { start } else { self.dash(behind, start) };
            let Some(item) = self.node(dash + 1) else { return items };
            let item = if is_flow { item } else { settled(item, dash + 1) };
            behind = item.range.end;
            items.push((dash, item));
        }
    }

    /// The dash of an item that begins at `start`, looked for from behind the item before it.
    fn dash(&self, behind: usize, start: usize) -> usize {
        let mut at = behind.min(start);
        while at < start {
            match self.text[at] {
                '-' if self.text.get(at + 1).is_none_or(|c| c.is_whitespace()) => return at,
                '#' => at = self.skip(at, |c| c != '\n'),
                _ => at += 1,
            }
        }
        start
    }

    /// Skips an anchor and a tag before a node.
    fn properties(&self, mut at: usize) -> usize {
        while matches!(self.text.get(at), Some('&' | '!')) {
            at = self.skip(at, |c| !c.is_whitespace());
            at = self.skip(at, char::is_whitespace);
        }
        at
    }

    /// Just behind the closing quote of a text that begins at `start`.
    fn quoted(&self, start: usize, quote: char) -> usize {
        let mut at = self.properties(start) + 1;
        while let Some(character) = self.text.get(at) {
            match *character {
                '\\' if quote == '"' => at += 1,
                found if found == quote && quote == '\'' && self.text.get(at + 1) == Some(&'\'') => at += 1,
                found if found == quote => return at + 1,
                _ => {}
            }
            at += 1;
        }
        at
    }

    /// Where the `|` or `>` of a block scalar stands.
    fn header(&self, slot: usize) -> usize {
        self.properties(self.skip(slot, char::is_whitespace))
    }

    /// Just behind the last character of a block scalar's last line.
    fn block_end(&self, head: usize, end: usize) -> usize {
        let mut end = end.min(self.text.len());
        // The scanner stops at the next token: back to the end of the line before it.
        while end > head && self.text.get(end - 1).is_some_and(|c| c.is_whitespace()) {
            end -= 1;
        }
        end
    }

    /// Just behind the bracket that closes a flow collection whose last part ends at `at`.
    fn closing(&self, mut at: usize) -> usize {
        while let Some(character) = self.text.get(at) {
            match character {
                '}' | ']' => return at + 1,
                '#' => at = self.skip(at, |c| c != '\n'),
                _ => at += 1,
            }
        }
        at
    }

    fn skip(&self, mut at: usize, more: impl Fn(char) -> bool) -> usize {
        while self.text.get(at).is_some_and(|character| more(*character)) {
            at += 1;
        }
        at
    }
}

/// A value of which nothing is written stands right behind its colon or dash.
fn settled(mut node: Piece, slot: usize) -> Piece {
    if node.range.is_empty() && node.style == Style::Plain {
        node.range = slot..slot;
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every node as `path=text`.
    fn texts(text: &str) -> Vec<String> {
        fn walk(piece: &Piece, path: &str, text: &[char], found: &mut Vec<String>) {
            let own: String = text[piece.range.clone()].iter().collect();
            found.push(format!("{path}={own}"));
            match &piece.parts {
                Parts::Leaf => {}
                Parts::Seq(items) => items
                    .iter()
                    .enumerate()
                    .for_each(|(at, (_, item))| walk(item, &format!("{path}/{at}"), text, found)),
                Parts::Map(pairs) => {
                    pairs.iter().for_each(|pair| walk(&pair.node, &format!("{path}/{}", pair.key), text, found))
                }
            }
        }
        let mut found = Vec::new();
        walk(&outline(text).unwrap().unwrap(), "", &text.chars().collect::<Vec<_>>(), &mut found);
        found
    }

    #[test]
    fn finds_the_characters_of_every_node() {
        let text = "# é\na: \"x\"   # c\nb:\n    c: 'it''s'  # d\n    d: many\n      lines # x\n    e: |\n      one\n\n      two\n\n    f: >- # y\n      z\n\
                    # behind\ng:   # nothing\nh: { a: 1, b: [x, \"y\" , ], }   # f\ni:\n- a # -\n- b: 1\n  c:\n-   - n\n    - m\n- [ ]\nj: &k\n  l: é x\nm: {}";
        let found = texts(text);
        for expected in [
            "/a=\"x\"",
            "/b/c='it''s'",
            "/b/d=many\n      lines",
            "/b/e=|\n      one\n\n      two",
            "/b/f=>- # y\n      z",
            "/g=",
            "/h={ a: 1, b: [x, \"y\" , ], }",
            "/h/b=[x, \"y\" , ]",
            "/h/b/1=\"y\"",
            "/i=- a # -\n- b: 1\n  c:\n-   - n\n    - m\n- [ ]",
            "/i/1=b: 1\n  c:",
            "/i/1/c=",
            "/i/2=- n\n    - m",
            "/i/3=[ ]",
            "/j/l=é x",
            "/m={}",
        ] {
            assert!(found.iter().any(|node| node == expected), "{expected}\n{found:#?}");
        }
    }

    #[test]
    fn sees_anchors_and_aliases() {
        let root = outline("a: &x 1\nb: { c: *x }\nd: 2\n").unwrap().unwrap();
        assert_eq!(root.pair("a").and_then(|pair| pair.node.is_tied()).unwrap().line, 1);
        assert_eq!(root.pair("b").and_then(|pair| pair.node.is_tied()).unwrap().line, 2);
        assert_eq!(root.pair("d").unwrap().node.is_tied(), None);
        assert_eq!(outline("a: 1\n---\nb: 1\n").unwrap(), None);
    }
}
