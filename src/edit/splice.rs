//! One step in a text: the characters that must change, and no others.

use std::ops::Range;

use super::Value;
use super::layout;
use crate::yaml::{self, Pair, Parts, Piece, Span, Style};

/// What is done at a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// The value becomes another.
    Replace(Value),
    /// A mapping gets an entry.
    Add(String, Value),
    /// A mapping loses an entry; another one stays.
    Drop(String),
    /// A list gets an item, which then has this number.
    Insert(usize, Value),
    /// A list loses an item; another one stays.
    Cut(usize),
}

/// Why a step cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// An anchor or alias is in the way.
    Tied(Span),
    /// The text is written in a way that is not understood here.
    Odd(Span),
}

/// Makes a step in a text whose lines end in `\n`.
pub(super) fn make(text: &str, path: &[String], step: &Step) -> Result<String, Stop> {
    let nowhere = Span { line: 1, column: 1, length: 0 };
    let root = yaml::outline(text).ok().flatten().ok_or(Stop::Odd(nowhere))?;
    let page = Page { text: text.chars().collect(), step: indentation(&root) };
    let place = Place::find(&root, path)?;
    let edits = match step {
        Step::Replace(value) => page.replace(&place, value)?,
        Step::Add(key, value) => page.add(&place, path, key, value)?,
        Step::Drop(key) => page.drop_entry(&place, key)?,
        Step::Insert(at, value) => page.insert(&place, *at, value)?,
        Step::Cut(at) => page.cut(&place, *at)?,
    };
    Ok(page.with(edits))
}

/// A node, and what it stands in.
struct Place<'a> {
    node: &'a Piece,
    /// Behind the colon or dash that the node follows; none for the root.
    slot: Option<usize>,
    /// Whether it stands in brackets.
    in_flow: bool,
    /// Whether it is the value of a key on a line of its own.
    under_key: bool,
}

impl<'a> Place<'a> {
    fn find(root: &'a Piece, path: &[String]) -> Result<Self, Stop> {
        let mut place = Self { node: root, slot: None, in_flow: false, under_key: false };
        for key in path {
            let node = place.node;
            if node.anchored || node.style == Style::Alias {
                return Err(Stop::Tied(node.span));
            }
            let in_flow = place.in_flow || node.style == Style::Flow;
            place = match &node.parts {
                Parts::Map(pairs) => {
                    let pair = pairs.iter().find(|pair| pair.key == *key).ok_or(Stop::Odd(node.span))?;
                    Self { node: &pair.node, slot: Some(pair.slot), in_flow, under_key: !in_flow }
                }
                Parts::Seq(items) => {
                    let (at, item) =
                        key.parse::<usize>().ok().and_then(|at| items.get(at)).ok_or(Stop::Odd(node.span))?;
                    Self { node: item, slot: Some(at + 1), in_flow, under_key: false }
                }
                Parts::Leaf => return Err(Stop::Odd(node.span)),
            };
        }
        if place.node.anchored || place.node.style == Style::Alias {
            return Err(Stop::Tied(place.node.span));
        }
        Ok(place)
    }
}

/// Nothing in a node that goes may be named from elsewhere, or name something elsewhere.
fn free(node: &Piece) -> Result<(), Stop> {
    node.is_tied().map_or(Ok(()), |span| Err(Stop::Tied(span)))
}

/// Replacements of ranges, in order and apart from each other.
type Edits = Vec<(Range<usize>, String)>;

struct Page {
    text: Vec<char>,
    step: usize,
}

impl Page {
    fn with(&self, mut edits: Edits) -> String {
        edits.sort_by_key(|(range, _)| range.start);
        let (mut out, mut at) = (String::new(), 0);
        for (range, text) in edits {
            out.extend(&self.text[at..range.start]);
            out.push_str(&text);
            at = range.end;
        }
        out.extend(&self.text[at..]);
        out
    }

    fn replace(&self, place: &Place<'_>, value: &Value) -> Result<Edits, Stop> {
        let node = place.node;
        free(node)?;
        let range = node.range.clone();
        let leaf = !matches!(value, Value::Map(_) | Value::Seq(_));
        let on_one_line = place.in_flow || leaf || value.is_short();
        if node.style == Style::Lines {
            let Some(slot) = place.slot.filter(|_| place.under_key) else {
                // An item of a list, or the root.
                return Ok(vec![(range, value.flow())]);
            };
            let lines = self.line_start(range.start).max(slot)..range.end;
            if lines.start == slot {
                return Ok(vec![(range, value.flow())]);
            }
            if !on_one_line {
                return Ok(vec![(lines, self.below(slot, value))]);
            }
            // The value goes behind its key, where a comment may follow; its lines go.
            let gone = lines.start.saturating_sub(1)..lines.end;
            return Ok(vec![(slot..slot, format!(" {}", value.flow())), (gone, String::new())]);
        }
        if on_one_line || !place.under_key {
            let text = if leaf { value.leaf(node.style) } else { value.flow() };
            let text = if self.text.get(range.start.wrapping_sub(1)).is_some_and(|c| matches!(c, ':' | '-')) {
                format!(" {text}")
            } else {
                text
            };
            return Ok(vec![(range, text)]);
        }
        // Lines below the key; what stood behind it goes, with the blanks before it.
        let slot = place.slot.unwrap_or(range.start);
        let behind = self.line_end(range.end);
        let lines = format!("\n{}", self.below(slot, value));
        Ok(vec![(slot..range.end, String::new()), (behind..behind, lines)])
    }

    /// The lines of a value below the key that ends before `slot`.
    fn below(&self, slot: usize, value: &Value) -> String {
        let indent = self.indent(self.line_start(slot.saturating_sub(1)));
        let lines = value.entry("", indent, self.step, true);
        lines.split_once('\n').map_or(String::new(), |(_, lines)| lines.to_owned())
    }

    fn add(&self, place: &Place<'_>, path: &[String], key: &str, value: &Value) -> Result<Edits, Stop> {
        let Parts::Map(pairs) = &place.node.parts else { return Err(Stop::Odd(place.node.span)) };
        let own = layout::rank(path, key);
        let before = pairs.iter().rposition(|pair| layout::rank(path, &pair.key) <= own).unwrap_or(0);
        let Some(pair) = pairs.get(before) else { return Err(Stop::Odd(place.node.span)) };
        if place.node.style == Style::Flow {
            let text = Value::Map(vec![(key.to_owned(), value.clone())]).flow();
            let text = text.strip_prefix("{ ").and_then(|text| text.strip_suffix(" }")).unwrap_or(&text).to_owned();
            return Ok(vec![(pair.end()..pair.end(), format!("{}{text}", self.between(pair.at.start)))]);
        }
        let end = self.line_end(pair.end());
        let indent = self.column(pairs[0].at.start);
        let text = value.entry(key, indent, self.step, path.is_empty());
        Ok(vec![(end..end, format!("\n{text}"))])
    }

    fn drop_entry(&self, place: &Place<'_>, key: &str) -> Result<Edits, Stop> {
        let Parts::Map(pairs) = &place.node.parts else { return Err(Stop::Odd(place.node.span)) };
        let at = pairs.iter().position(|pair| pair.key == key).ok_or(Stop::Odd(place.node.span))?;
        free(&pairs[at].node)?;
        let starts: Vec<usize> = pairs.iter().map(|pair| pair.at.start).collect();
        let ends: Vec<usize> = pairs.iter().map(Pair::end).collect();
        Ok(vec![self.without(&starts, &ends, at, place.node.style == Style::Flow)])
    }

    fn insert(&self, place: &Place<'_>, at: usize, value: &Value) -> Result<Edits, Stop> {
        let Parts::Seq(items) = &place.node.parts else { return Err(Stop::Odd(place.node.span)) };
        let is_flow = place.node.style == Style::Flow;
        let text = value.flow();
        if let Some((dash, before)) = at.checked_sub(1).and_then(|at| items.get(at)) {
            if is_flow {
                let end = before.range.end;
                return Ok(vec![(end..end, format!("{}{text}", self.between(*dash)))]);
            }
            let end = self.line_end(before.range.end.max(dash + 1));
            return Ok(vec![(end..end, format!("\n{}- {text}", " ".repeat(self.column(*dash))))]);
        }
        let Some((dash, _)) = items.first() else { return Err(Stop::Odd(place.node.span)) };
        let text = if is_flow { format!("{text}, ") } else { format!("- {text}\n{}", " ".repeat(self.column(*dash))) };
        Ok(vec![(*dash..*dash, text)])
    }

    fn cut(&self, place: &Place<'_>, at: usize) -> Result<Edits, Stop> {
        let Parts::Seq(items) = &place.node.parts else { return Err(Stop::Odd(place.node.span)) };
        let starts: Vec<usize> = items.iter().map(|(dash, _)| *dash).collect();
        let ends: Vec<usize> = items.iter().map(|(dash, item)| item.range.end.max(*dash)).collect();
        free(&items.get(at).ok_or(Stop::Odd(place.node.span))?.1)?;
        Ok(vec![self.without(&starts, &ends, at, place.node.style == Style::Flow)])
    }

    /// Removes the part that begins at `starts[at]`; others stay.
    fn without(&self, starts: &[usize], ends: &[usize], at: usize, is_flow: bool) -> (Range<usize>, String) {
        let start = starts[at];
        let next = starts.get(at + 1).copied();
        let alone = self.text[self.line_start(start)..start].iter().all(|c| *c == ' ');
        let range = match (next, is_flow) {
            (Some(next), true) => start..next,
            (None, true) => ends[at.saturating_sub(1)]..ends[at],
            // `- a: 1`: what follows moves up to the dash.
            (Some(next), false) if !alone => start..next,
            _ => {
                let (first, end) = (self.line_start(start), self.line_end(ends[at]));
                match self.text.get(end) {
                    Some(_) => first..end + 1,
                    None => first.saturating_sub(1)..end,
                }
            }
        };
        (range, String::new())
    }

    /// What parts two entries in brackets: each on its own line if the one at `start` is.
    fn between(&self, start: usize) -> String {
        let line = self.line_start(start);
        let alone = line > 0 && self.text[line..start].iter().all(|c| *c == ' ');
        if alone { format!(",\n{}", " ".repeat(start - line)) } else { ", ".into() }
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at.min(self.text.len())].iter().rposition(|c| *c == '\n').map_or(0, |end| end + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        self.text[at.min(self.text.len())..].iter().position(|c| *c == '\n').map_or(self.text.len(), |end| at + end)
    }

    fn column(&self, at: usize) -> usize {
        at - self.line_start(at)
    }

    /// Blanks and dashes before the first key of a line.
    fn indent(&self, line: usize) -> usize {
        self.text[line..].iter().take_while(|c| matches!(c, ' ' | '-')).count()
    }
}

/// By how many blanks a file indents: what the first nested section does, else two.
fn indentation(root: &Piece) -> usize {
    let Parts::Map(pairs) = &root.parts else { return 2 };
    let nested = pairs.iter().find_map(|pair| match &pair.node.parts {
        Parts::Map(inner) if pair.node.style == Style::Lines => inner.first().map(|first| (pair, first)),
        _ => None,
    });
    // A key's column is that of the node that begins with it.
    nested.map_or(2, |(pair, _)| pair.node.span.column as usize - 1).clamp(1, 8)
}
