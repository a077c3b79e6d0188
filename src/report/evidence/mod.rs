//! What was proved about one revision, for an auditor: claims with verdicts and assumptions, and what each supports.

mod document;
mod html;

pub use document::{Claim, Control, Document, Exempted, Fact, Input, Judged, Subject};
pub use html::html;

use crate::secrets::leak;

/// The document as JSON, with a final newline.
pub fn json(document: &Document) -> String {
    // Text, numbers and maps with text for keys always are JSON.
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    format!("{}\n", leak::mask(&text))
}

/// The claims and what they support, in a few lines.
pub fn text(document: &Document) -> String {
    use std::fmt::Write as _;
    let mut out = format!("evidence of {}: {}\n", document.subject.name, document.verdict.as_str());
    for claim in &document.claims {
        let _ = writeln!(out, "{:>12}  {}: {}", claim.verdict.as_str(), claim.id, claim.title);
        for reason in &claim.reasons {
            let _ = writeln!(out, "              {reason}");
        }
    }
    for (title, list) in [("standards", &document.controls), ("threats", &document.threats)] {
        let _ = writeln!(out, "\n{title}");
        for one in list {
            let by = if one.claims.is_empty() { "nothing in this pack".to_owned() } else { one.claims.join(", ") };
            let _ = writeln!(out, "{:>12}  {}: {by}", one.verdict.as_str(), one.id);
        }
    }
    leak::mask(&out)
}
