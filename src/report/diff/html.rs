//! The comparison as one page that needs nothing else.

use tera::Context;

use super::document::Document;
use super::text::{access, flow, heading_of, headline, side, subject, unit, where_of, whose};
use crate::diff::Sort;
use crate::report::html::{page, style};
use crate::secrets::leak;

/// The page.
pub fn html(document: &Document) -> String {
    let sorts = [Sort::Deletes, Sort::Opens, Sort::Closes, Sort::Restarts, Sort::Other];
    let sections: Vec<serde_json::Value> = sorts
        .into_iter()
        .map(|sort| {
            let entries = document.changes.iter().filter(|entry| entry.sort == sort);
            let shown = entries.map(|entry| {
                serde_json::json!({
                    "severity": entry.severity.as_str(),
                    "subject": leak::mask(&subject(entry)),
                    "effect": leak::mask(&entry.effect),
                    "who": leak::mask(&where_of(entry, usize::MAX)),
                    "before": leak::mask(entry.before.as_deref().unwrap_or_default()),
                    "after": leak::mask(entry.after.as_deref().unwrap_or_default()),
                })
            });
            serde_json::json!({ "title": heading_of(sort), "entries": shown.collect::<Vec<_>>() })
        })
        .collect();
    let mut context = Context::new();
    context.insert("style", style());
    context.insert("headline", &leak::mask(&headline(document)));
    context.insert("version", &document.tool_version);
    context.insert("base", &side(&document.base));
    context.insert("head", &side(&document.head));
    context.insert("tenants", &document.counts.tenants);
    context.insert("planes", &document.counts.control_planes);
    context.insert("units", &document.units.iter().map(unit).collect::<Vec<_>>());
    let accesses = document.access.iter().map(|one| {
        let who = whose(&one.tenants, &one.control_planes, usize::MAX);
        serde_json::json!({ "line": leak::mask(&access(one)), "who": leak::mask(&who) })
    });
    context.insert("accesses", &accesses.collect::<Vec<_>>());
    context.insert("flows", &document.connections.changes.iter().map(flow).collect::<Vec<_>>());
    context.insert("incomplete", &document.incomplete);
    context.insert("notes", &document.notes);
    context.insert("sections", &sections);
    page(include_str!("report.html"), &context)
}

#[cfg(test)]
mod tests {
    use super::super::document::Input;
    use super::*;

    #[test]
    fn the_page_holds_its_texts_escaped_and_asks_for_nothing() {
        let input = Input { notes: vec!["<script>alert(1)</script>".into()], ..Input::default() };
        let page = html(&Document::new(input, "0"));
        assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"), "{page}");
        for forbidden in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("default-src 'none'") && page.contains("--ink"));
    }
}
