//! What a drift check found, as one versioned document from which every other format is made.

mod document;
mod findings;
mod merge;
mod restore;
mod text;

pub use document::{
    Checked, Cluster, Counts, Decided, Difference, Document, KindCoverage, Object, Parts, Rendered, Unreadable,
};
pub use findings::{derived, findings};
pub use merge::merge;
pub use restore::{Applier, Source};
pub use text::{headline, text};

use serde_json::Value;

use crate::secrets::leak;

/// The document as JSON, with a final newline.
pub fn json(document: &Document) -> String {
    // Text, numbers and maps with text for keys always are JSON.
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    format!("{}\n", leak::mask(&text))
}

/// The JSON Schema (2020-12) of the document, made from its types.
pub fn schema() -> Value {
    super::json::schema_of_document::<Document>("DriftReport")
}
