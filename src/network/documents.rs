//! From the text of a YAML or JSON file to the documents that the engine reads.

use std::sync::{Arc, OnceLock};

use super::input::{LineIndex, Source};
use crate::yaml::{self, Document, Limits, SyntaxError};

/// Reads the documents of a file. `file` is what reports call it.
///
/// # Errors
/// If the text is not YAML (or JSON), or YAML of a kind that people get hurt by, such as duplicate keys.
pub fn documents(text: &str, file: &str) -> Result<Vec<Source>, SyntaxError> {
    let (text, file): (Arc<str>, Arc<str>) = (text.into(), file.into());
    let parsed = yaml::parse(&text, Limits::MANIFEST)?;
    // Lines are asked for in reports only; a file is then read once more, so that a fleet of thousands of files does not
    // keep the place of every value.
    let places: Arc<OnceLock<Vec<Document>>> = Arc::default();
    let sources = parsed.iter().enumerate().map(|(position, document)| {
        let (text, places) = (text.clone(), places.clone());
        let lines = LineIndex::lazy(move |pointer| {
            let documents = places.get_or_init(|| yaml::parse(&text, Limits::MANIFEST).unwrap_or_default());
            documents.get(position).and_then(|document| line(document, pointer))
        });
        Source { value: document.root.to_json(), file: file.clone(), lines }
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
