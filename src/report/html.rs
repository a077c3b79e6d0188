//! The report as one page that needs nothing else: no network, no script to be read, ink on paper too.

use std::collections::BTreeSet;

use tera::{Context, Tera};

use super::Report;
use super::order::{counted, word, worst_first};
use crate::finding::{Finding, Severity};
use crate::secrets::leak;

/// The page.
pub fn html(report: &Report, version: &str) -> String {
    let findings: Vec<_> = worst_first(&report.findings).into_iter().map(shown).collect();
    let tenants: BTreeSet<&str> = report.findings.iter().filter_map(|finding| finding.tenant.as_deref()).collect();
    let rules: BTreeSet<&str> = report.findings.iter().map(|finding| finding.rule).collect();
    let severities = [Severity::Error, Severity::Warning, Severity::Info];
    let counts = severities.map(|severity| serde_json::json!([word(severity), report.count(severity)]));
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    let summary = match errors + warnings {
        0 => "nothing found".to_owned(),
        _ => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
    };
    let mut context = Context::new();
    context.insert("command", report.command);
    context.insert("version", version);
    context.insert("summary", &summary);
    context.insert("counts", &counts);
    context.insert("verdicts", &report.verdicts);
    context.insert("findings", &findings);
    context.insert("tenants", &tenants);
    context.insert("rules", &rules);
    page(include_str!("report.html"), &context)
}

/// A page of the program's own, filled in.
pub(super) fn page(template: &str, context: &Context) -> String {
    // Values are escaped for HTML by the file's name.
    const NAME: &str = "page.html";
    let mut tera = Tera::new();
    let page = tera.add_raw_template(NAME, template).and_then(|()| tera.render(NAME, context));
    page.unwrap_or_else(|error| unreachable!("the page is part of the program: {error:?}"))
}

/// The style that the pages share.
pub(super) fn style() -> &'static str {
    let page = include_str!("report.html");
    let rest = page.split_once("<style>").map_or("", |(_, rest)| rest);
    rest.split_once("</style>").map_or("", |(style, _)| style)
}

/// A finding as the page sees it, secrets covered.
fn shown(finding: &Finding) -> serde_json::Value {
    let masked = |text: &Option<String>| text.as_deref().map(leak::mask).unwrap_or_default();
    serde_json::json!({
        "severity": word(finding.severity),
        "rule": finding.rule,
        "tenant": masked(&finding.tenant),
        "place": finding.location.as_ref().map(|place| leak::mask(&place.to_string())).unwrap_or_default(),
        "object": masked(&finding.object),
        "path": masked(&finding.path),
        "message": leak::mask(&finding.message),
        "expected": masked(&finding.expected),
        "found": masked(&finding.found),
        "hint": masked(&finding.hint),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_finding_becomes_markup() {
        let finding = Finding::invalid("config/type", "<script>alert(1)</script>").tenant("\"><img src=x>");
        let page = html(&Report { command: "check", findings: vec![finding], ..Report::default() }, "0");
        assert!(!page.contains("<script>alert") && !page.contains("<img"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
        assert!(page.contains("1 error, 0 warnings"));
    }

    #[test]
    fn the_page_asks_for_nothing_from_elsewhere() {
        let page = html(&Report { command: "check", ..Report::default() }, "0");
        for forbidden in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("default-src 'none'"));
    }
}
