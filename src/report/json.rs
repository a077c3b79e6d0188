//! The versioned JSON document that every other format derives from.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Value, json};

use super::Report;
use crate::check::Verdict;
use crate::finding::{Finding, Severity};
use crate::secrets::leak;

/// A report of findings.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document<'a> {
    /// Version of this format.
    #[schemars(extend("const" = "tenantry.io/v1"))]
    api_version: &'static str,
    /// What this document is.
    #[schemars(extend("const" = "Report"))]
    kind: &'static str,
    /// The command.
    command: &'a str,
    /// Version of the program.
    tool_version: &'a str,
    /// How many findings there are.
    summary: Summary,
    /// One verdict a check, where checks ran.
    checks: &'a [Verdict],
    /// The findings that count, by place.
    findings: Vec<&'a Finding>,
    /// Findings that somebody answers for until a day, by place.
    exempted: Vec<&'a Finding>,
}

/// How many findings of a severity there are.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Summary {
    /// What stops a run.
    errors: usize,
    /// What should be mended.
    warnings: usize,
    /// What is worth knowing.
    infos: usize,
    /// What somebody answers for until a day.
    exempted: usize,
}

/// The report as JSON, with a final newline.
pub fn json(report: &Report, version: &str) -> String {
    let document = Document {
        api_version: "tenantry.io/v1",
        kind: "Report",
        command: report.command,
        tool_version: version,
        summary: Summary {
            errors: report.count(Severity::Error),
            warnings: report.count(Severity::Warning),
            infos: report.count(Severity::Info),
            exempted: report.exempted().count(),
        },
        checks: &report.verdicts,
        findings: report.active().collect(),
        exempted: report.exempted().map(|(finding, _)| finding).collect(),
    };
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    format!("{}\n", leak::mask(&text))
}

/// The JSON Schema of the report.
pub fn schema() -> Value {
    schema_of::<Document<'static>>("the JSON report of `tenantry check` and the other commands that have findings")
}

/// The JSON Schema of a document that says of itself which kind and version it is.
pub(super) fn schema_of_document<T: JsonSchema>(kind: &str) -> Value {
    let mut schema = schema_of::<T>(&format!("tenantry {kind}"));
    schema["properties"]["apiVersion"]["const"] = json!("tenantry.io/v1");
    schema["properties"]["kind"]["const"] = json!(kind);
    schema
}

/// The JSON Schema of a document that the program writes.
pub fn schema_of<T: JsonSchema>(title: &str) -> Value {
    let generator = SchemaGenerator::new(SchemaSettings::draft2020_12().for_serialize());
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    schema["title"] = json!(title);
    schema
}
