//! What the engine is given: parsed documents with their origin, and what it says when it cannot take one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

/// One document (one Kubernetes object, or a list of them) with its origin.
#[derive(Clone, Debug)]
pub struct Source {
    /// The document as JSON.
    pub value: Value,
    /// The file that it came from, as it is to be printed.
    pub file: Arc<str>,
    /// Where in the file its fields are.
    pub lines: LineIndex,
}

/// Answers at which line of its file a field of a document is.
///
/// A field is named by its JSON pointer (RFC 6901) inside the document; lines count from 1.
#[derive(Clone)]
pub struct LineIndex(Lookup);

/// Finds the line of a pointer.
type Ask = dyn Fn(&str) -> Option<u32> + Send + Sync;

#[derive(Clone)]
enum Lookup {
    Table(Arc<BTreeMap<String, u32>>),
    Ask(Arc<Ask>),
}

impl LineIndex {
    /// An index from JSON pointers to lines. A pointer that is missing gets the line of its nearest ancestor.
    #[must_use]
    pub fn table(lines: BTreeMap<String, u32>) -> Self {
        Self(Lookup::Table(Arc::new(lines)))
    }

    /// An index that asks when a line is needed, which is only when something is reported: fleets of
    /// thousands of files then carry no tables.
    #[must_use]
    pub fn lazy(ask: impl Fn(&str) -> Option<u32> + Send + Sync + 'static) -> Self {
        Self(Lookup::Ask(Arc::new(ask)))
    }

    /// An index that knows nothing but the line at which the document starts.
    #[must_use]
    pub fn starting_at(line: u32) -> Self {
        Self::table(BTreeMap::from([(String::new(), line)]))
    }

    /// The line of the field at `pointer`, or of the nearest enclosing field that is known; 1 at worst.
    #[must_use]
    pub fn line(&self, pointer: &str) -> u32 {
        let mut pointer = pointer;
        loop {
            let known = match &self.0 {
                Lookup::Table(table) => table.get(pointer).copied(),
                Lookup::Ask(ask) => ask(pointer),
            };
            match (known, pointer.rfind('/')) {
                (Some(line), _) => return line,
                (None, Some(cut)) => pointer = &pointer[..cut],
                (None, None) => return 1,
            }
        }
    }
}

impl fmt::Debug for LineIndex {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("LineIndex")
    }
}

/// A place in a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Place {
    /// The file, as given in [`Source::file`].
    #[serde(serialize_with = "as_text")]
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
}

fn as_text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.file, self.line)
    }
}

/// A document that the engine does not understand, or not wholly: nothing is concluded from the input.
///
/// A policy that is skipped would be a hole in every answer, so what is unknown is refused by name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Refusal {
    /// Where.
    pub place: Place,
    /// The object, as `Kind namespace/name`; empty if it is not known yet.
    pub object: String,
    /// The field, as a dotted path such as `spec.egress[0].toServices`; empty for the document itself.
    pub field: String,
    /// Why.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.place)?;
        if !self.object.is_empty() {
            write!(out, "{}: ", self.object)?;
        }
        if !self.field.is_empty() {
            write!(out, "{}: ", self.field)?;
        }
        out.write_str(&self.message)
    }
}

/// Everything that was refused, in the order of files and lines.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Refusals(pub Vec<Refusal>);

impl fmt::Display for Refusals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        out.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Refusals {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_field_has_the_line_of_what_encloses_it() {
        let lines = LineIndex::table(BTreeMap::from([(String::new(), 3), ("/spec/egress/0".to_owned(), 9)]));
        assert_eq!(lines.line("/spec/egress/0"), 9);
        assert_eq!(lines.line("/spec/egress/0/to/1"), 9);
        assert_eq!(lines.line("/spec/ingress"), 3);
        assert_eq!(LineIndex::table(BTreeMap::new()).line("/spec"), 1);
    }

    #[test]
    fn a_lazy_index_is_asked_for_ancestors_too() {
        let lines = LineIndex::lazy(|pointer| (pointer == "/spec").then_some(7));
        assert_eq!(lines.line("/spec/a/b"), 7);
    }

    #[test]
    fn a_refusal_says_where_what_and_why() {
        let refusal = Refusal {
            place: Place { file: "a.yaml".into(), line: 4 },
            object: "NetworkPolicy x/y".to_owned(),
            field: "spec.tier".to_owned(),
            message: "unknown field".to_owned(),
        };
        assert_eq!(refusal.to_string(), "a.yaml:4: NetworkPolicy x/y: spec.tier: unknown field");
    }
}
