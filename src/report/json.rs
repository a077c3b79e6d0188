//! The versioned JSON document that every other format derives from.

use serde_json::json;

use super::Report;
use crate::finding::Severity;
use crate::secrets::leak;

/// The report as JSON, with a final newline.
pub fn json(report: &Report, version: &str) -> String {
    let document = json!({
        "apiVersion": "tenantry.io/v1",
        "kind": "Report",
        "command": report.command,
        "toolVersion": version,
        "summary": {
            "errors": report.count(Severity::Error),
            "warnings": report.count(Severity::Warning),
            "infos": report.count(Severity::Info),
            "exempted": report.exempted().count(),
        },
        "checks": report.verdicts,
        "findings": report.active().collect::<Vec<_>>(),
        "exempted": report.exempted().map(|(finding, _)| finding).collect::<Vec<_>>(),
    });
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    format!("{}\n", leak::mask(&text))
}
