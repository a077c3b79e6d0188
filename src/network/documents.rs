//! From the text of a YAML or JSON file to the documents that the engine reads.

use std::sync::{Arc, OnceLock};

use super::input::{LineIndex, Source};
use crate::yaml::{self, Document, Limits, SyntaxError};

/// Where the fields of a file's documents are. The text is asked for in reports only, and then parsed once: fleets of
/// thousands of files do not keep the place of every value.
#[derive(Clone)]
pub struct FileLines {
    text: Arc<dyn Fn() -> String + Send + Sync>,
    places: Arc<OnceLock<Vec<Document>>>,
}

impl FileLines {
    /// The lines of a file whose text can be had when it is needed.
    #[must_use]
    pub fn of(text: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { text: Arc::new(text), places: Arc::default() }
    }

    /// The lines of one of its documents, counted from 0.
    #[must_use]
    pub fn document(&self, position: usize) -> LineIndex {
        let own = self.clone();
        LineIndex::lazy(move |pointer| line(own.places().get(position)?, pointer))
    }

    /// One line for all that is concluded from a document: that at which it begins.
    #[must_use]
    pub fn beginning_of(&self, position: usize) -> LineIndex {
        let own = self.clone();
        LineIndex::lazy(move |pointer| line(own.places().get(position)?, "").filter(|_| pointer.is_empty()))
    }

    fn places(&self) -> &[Document] {
        self.places.get_or_init(|| yaml::parse(&(self.text)(), Limits::MANIFEST).unwrap_or_default())
    }
}

/// Reads the documents of a file. `file` is what reports call it.
///
/// # Errors
/// If the text is not YAML (or JSON), or YAML of a kind that people get hurt by, such as duplicate keys.
pub fn documents(text: &str, file: &str) -> Result<Vec<Source>, SyntaxError> {
    let (text, file): (Arc<str>, Arc<str>) = (text.into(), file.into());
    let parsed = yaml::parse(&text, Limits::MANIFEST)?;
    let lines = FileLines::of(move || text.to_string());
    let sources = parsed.iter().enumerate().map(|(position, document)| Source {
        value: document.root.to_json(),
        file: file.clone(),
        lines: lines.document(position),
    });
    Ok(sources.collect())
}

/// The line of the field at a JSON pointer; of its key if it is the value of one.
fn line(document: &Document, pointer: &str) -> Option<u32> {
    let mut node = &document.root;
    let mut line = node.span.line;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        match &node.value {
            yaml::Value::Map(entries) => {
                let entry = entries.iter().find(|entry| entry.key == step)?;
                (node, line) = (&entry.node, entry.key_span.line);
            }
            yaml::Value::Seq(items) => {
                node = items.get(step.parse::<usize>().ok()?)?;
                line = node.span.line;
            }
            _ => return None,
        }
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_lines_in_every_document_of_a_file() {
        let text = "a: 1\n---\nspec:\n  egress:\n    - to: []\n    - ports:\n        - port: 80\n";
        let sources = documents(text, "x.yaml").unwrap();
        assert_eq!(sources.len(), 2);
        assert_eq!(sources[1].value["spec"]["egress"][1]["ports"][0]["port"], 80);
        assert_eq!(sources[1].lines.line("/spec/egress/1/ports/0"), 7);
        assert_eq!(sources[1].lines.line("/spec/egress"), 4);
        assert_eq!(sources[1].lines.line("/spec/egress/1/missing"), 6);
        assert_eq!(sources[0].lines.line("/a"), 1);
    }

    #[test]
    fn json_is_read_too() {
        let sources = documents("{\"kind\": \"List\",\n \"items\": [{\"kind\": \"Pod\"}]}", "x.json").unwrap();
        assert_eq!(sources[0].value["items"][0]["kind"], "Pod");
        assert_eq!(sources[0].lines.line("/items"), 2);
    }

    #[test]
    fn duplicate_keys_are_an_error() {
        assert!(documents("a: 1\na: 2\n", "x.yaml").is_err());
    }
}
