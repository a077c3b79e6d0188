//! What a change does, as one versioned document from which every format is made.

mod document;
mod html;
mod markdown;
mod text;

pub use document::{Access, Connections, Counts, Document, Entry, Input, Side, Units, Verdict};
pub use html::html;
pub use markdown::markdown;
pub use text::{headline, some, text};

use serde_json::Value;

use crate::secrets::leak;

/// The document as JSON, with a final newline.
pub fn json(document: &Document) -> String {
    // Text, numbers and maps with text for keys always are JSON.
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    format!("{}\n", leak::mask(&text))
}

/// The JSON Schema (2020-12) of the document, made from its types. Fields that it does not name may be added.
pub fn schema() -> Value {
    super::json::schema_of_document::<Document>("DiffReport")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_takes_the_document_and_refuses_others() {
        let schema = schema();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let document = serde_json::to_value(Document::new(Input::default(), "0")).unwrap();
        assert!(validator.is_valid(&document), "{document:#}");
        for (pointer, value) in [("/verdict", "fine"), ("/kind", "Other"), ("/counts/deleted", "many")] {
            let mut wrong = document.clone();
            *wrong.pointer_mut(pointer).unwrap() = value.into();
            assert!(!validator.is_valid(&wrong), "{pointer}");
        }
    }
}
