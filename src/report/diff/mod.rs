//! What a change does, as one versioned document from which every format is made.

mod document;
mod html;
mod markdown;
mod text;

pub use document::{Connections, Counts, Document, Entry, Input, Side, Units, Verdict};
pub use html::html;
pub use markdown::markdown;
pub use text::{headline, text};

use crate::secrets::leak;

/// The document as JSON, with a final newline.
pub fn json(document: &Document) -> String {
    // Text, numbers and maps with text for keys always are JSON.
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    format!("{}\n", leak::mask(&text))
}
