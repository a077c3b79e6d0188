//! Edits of YAML files that keep everything else: comments, order, quotes, indentation, line ends.
//!
//! [`edit`] takes a file's text and changes of single values. Each change is made in the text itself and touches only the
//! lines that it must; what comes out is parsed again and must be the old value with just these changes, else nothing is
//! changed.

mod layout;
mod splice;
mod steps;
mod value;

use crate::finding::{Class, Finding, Location};
use crate::yaml::{self, Limits, Node, Span};
pub use value::Value;

/// A change of one value. Paths are keys from the root; an item of a list is named by its number.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Where.
    pub path: Vec<String>,
    /// The new value; `None` removes it, and sections that are empty then.
    pub value: Option<Value>,
}

impl Change {
    /// Sets a value; sections that are missing are added.
    pub fn set(path: &str, value: impl Into<Value>) -> Self {
        Self { path: path.split('.').map(str::to_owned).collect(), value: Some(value.into()) }
    }

    /// Removes a value; nothing happens if it is not there.
    pub fn remove(path: &str) -> Self {
        Self { path: path.split('.').map(str::to_owned).collect(), value: None }
    }
}

/// The file with the changes made, as its bytes are to be: byte order mark and line ends are kept. `text` is the whole
/// content of the file.
///
/// # Errors
/// The first change that cannot be made, with the line that is in its way.
pub fn edit(file: &str, text: &str, changes: &[Change]) -> Result<String, Finding> {
    let mut text = text.to_owned();
    for change in changes {
        text = one(file, &text, change)?;
    }
    Ok(text)
}

/// The value of a file with one document, keys in order.
///
/// # Errors
/// The text is no YAML, or not one document.
pub fn value_of(file: &str, text: &str) -> Result<Value, Finding> {
    Ok(Value::from(&root(file, &plain(text).1)?))
}

/// A value on one line, for people.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => other.flow(),
    }
}

/// A whole new file of a mapping: sections over lines, short values on one.
pub fn file(head: &str, entries: &[(String, Value)]) -> String {
    let lines: Vec<String> = entries.iter().map(|(key, value)| value.entry(key, 0, 2, true)).collect();
    format!("{head}{}\n", lines.join("\n"))
}

/// Makes one change, and proves that it is the only one.
fn one(file: &str, text: &str, change: &Change) -> Result<String, Finding> {
    let (mark, bare) = plain(text);
    let before = root(file, &bare)?;
    let old = Value::from(&before);
    let wanted = steps::with(&old, change).map_err(|path| in_the_way(file, &before, &path))?;
    if wanted == old {
        return Ok(text.to_owned());
    }
    let after = steps::apply(&bare, &old, &wanted).map_err(|stop| refuse(file, stop))?;
    let proved = yaml::parse(&after, Limits::MANIFEST).ok().filter(|documents| documents.len() == 1);
    let proved = proved.is_some_and(|documents| documents[0].root.to_json() == wanted.to_json());
    if !proved {
        let path = change.path.join(".");
        let place = before.locate(&format!("/{}", change.path.join("/")));
        let finding = Finding::error("edit/unsafe", Class::Guard, format!("{path} cannot be changed by itself here"));
        return Err(finding
            .at(Location::new(file, place))
            .hint("edit the file by hand: the way in which this place is written would change something else, too"));
    }
    Ok(format!("{mark}{}", with_line_ends(text.trim_start_matches('\u{FEFF}'), &bare, &after)))
}

/// The byte order mark, and the text without it with `\n` as line ends.
fn plain(text: &str) -> (&'static str, String) {
    match text.strip_prefix('\u{FEFF}') {
        Some(rest) => ("\u{FEFF}", rest.replace("\r\n", "\n")),
        None => ("", text.replace("\r\n", "\n")),
    }
}

fn root(file: &str, text: &str) -> Result<Node, Finding> {
    let documents = yaml::parse(text, Limits::MANIFEST).map_err(|error| {
        Finding::invalid("config/syntax", error.message.clone()).at(Location::new(file, error.span))
    })?;
    match <[_; 1]>::try_from(documents) {
        Ok([document]) => Ok(document.root),
        Err(documents) => {
            let message = format!("{file} holds {} documents, not one", documents.len());
            Err(Finding::invalid("config/documents", message).at(Location::file(file)))
        }
    }
}

/// A path that leads through a value which has no fields.
fn in_the_way(file: &str, root: &Node, path: &[String]) -> Finding {
    let place = root.locate(&format!("/{}", path.join("/")));
    let finding = Finding::invalid("edit/shape", format!("{} is a single value and has no fields", path.join(".")));
    finding.at(Location::new(file, place)).hint("set it as a whole, or remove it first")
}

fn refuse(file: &str, stop: splice::Stop) -> Finding {
    let (span, what, hint): (Span, &str, &str) = match stop {
        splice::Stop::Tied(span) => (
            span,
            "an anchor or alias stands here: a change would reach further than this place",
            "write the value out where the alias stands, then run this again",
        ),
        splice::Stop::Odd(span) => {
            (span, "this place is written in a way that cannot be changed by itself", "edit the file by hand")
        }
    };
    Finding::error("edit/refused", Class::Guard, what).at(Location::new(file, span)).hint(hint)
}

/// `after` with the line ends of the original: lines that stayed keep theirs, new ones get that of the line they follow.
fn with_line_ends(original: &str, before: &str, after: &str) -> String {
    if !original.contains('\r') {
        return after.to_owned();
    }
    let mut ends: Vec<&str> = Vec::new();
    for line in original.split_inclusive('\n') {
        let last = ends.last().copied().unwrap_or("\n");
        ends.push(if line.ends_with("\r\n") {
            "\r\n"
        } else if line.ends_with('\n') {
            "\n"
        } else {
            last
        });
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let tail = tail.min(old.len() - head).min(new.len() - head);
    // New lines only: as the line before; lines instead of others: as those.
    let like = if head + tail == old.len() { head.saturating_sub(1) } else { head };
    let here = ends.get(like).or(ends.last()).copied().unwrap_or("\n");
    let mut text = String::new();
    for (index, line) in new.iter().enumerate() {
        text.push_str(line);
        if index + 1 == new.len() {
            break;
        }
        let from_end = new.len() - index;
        text.push_str(match index {
            index if index < head => ends.get(index).copied().unwrap_or(here),
            _ if from_end <= tail => ends.get(old.len() - from_end).copied().unwrap_or(here),
            _ => here,
        });
    }
    text
}

#[cfg(test)]
mod tests;
