//! The pack as one page that needs nothing else.

use tera::Context;

use super::document::Document;
use crate::report::html::{page, style};
use crate::secrets::leak;

/// The page.
pub fn html(document: &Document) -> String {
    let value = serde_json::to_string(document).map(|text| leak::mask(&text)).unwrap_or_default();
    let value: serde_json::Value = serde_json::from_str(&value).unwrap_or_default();
    let mut context = Context::new();
    context.insert("style", style());
    context.insert("pack", &value);
    page(include_str!("report.html"), &context)
}

#[cfg(test)]
mod tests {
    use super::super::document::Input;
    use super::*;

    #[test]
    fn the_page_holds_its_texts_escaped_and_asks_for_nothing() {
        let input = Input { limits: vec!["<script>alert(1)</script>".into()], ..Input::default() };
        let page = html(&Document::new(input, "0"));
        assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"), "{page}");
        assert!(page.contains("ISO 27001") && page.contains("Leakage between customers"));
        for forbidden in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }
}
