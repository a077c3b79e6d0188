//! The report as SARIF 2.1.0 (OASIS standard), for code scanning.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::Report;
use super::order::{answered, fingerprint, sentence, worst_first};
use crate::finding::{Class, Finding, Severity};
use crate::rules;
use crate::secrets::leak;

/// Most results of a run that GitHub takes; it refuses the whole file otherwise.
const MOST: usize = 25_000;
/// What may stand in a path of a URI reference as it is.
const PATH: AsciiSet = NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The report as JSON, with a final newline.
pub fn sarif(report: &Report, version: &str) -> String {
    let worst = worst_first(&report.findings);
    let shown = &worst[..worst.len().min(MOST)];
    let mut rules: BTreeMap<&str, usize> = shown.iter().map(|finding| (finding.rule, 0)).collect();
    rules.values_mut().enumerate().for_each(|(number, index)| *index = number);
    let suppresses = report.exempted().next().is_some();
    let results: Vec<Value> = shown.iter().map(|finding| result(finding, rules[finding.rule], suppresses)).collect();
    let rules: Vec<Value> = rules.keys().map(|rule| descriptor(rule)).collect();
    let document = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "tenantry", "version": version, "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": !worst.iter().any(|finding| finding.class == Class::Incomplete),
                "toolExecutionNotifications": notifications(report, worst.len() - shown.len()),
            }],
            "results": results,
        }],
    });
    leak::mask(&format!("{}\n", serde_json::to_string_pretty(&document).unwrap_or_default()))
}

/// What a rule says, so that the page of an alert explains it.
fn descriptor(id: &str) -> Value {
    let Some(rule) = rules::find(id) else { return json!({ "id": id, "name": id }) };
    let text = rules::text(rule);
    json!({
        "id": id,
        "name": id,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": rule.what },
        "help": { "text": text, "markdown": rules::markdown(rule) },
        "properties": { "tags": ["tenantry", rule.class] },
    })
}

fn result(finding: &Finding, rule: usize, suppresses: bool) -> Value {
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "note",
        },
        "message": { "text": sentence(finding) },
        "partialFingerprints": { "tenantry/v1": fingerprint(finding) },
        "properties": properties(finding),
    });
    // The standard: of a run in which anything is suppressed, every result says whether it is.
    if let Some(exempted) = &finding.exempted {
        result["suppressions"] =
            json!([{ "kind": "external", "status": "accepted", "justification": answered(exempted) }]);
    } else if suppresses {
        result["suppressions"] = json!([]);
    }
    if let Some(place) = &finding.location {
        let mut region = json!({ "startLine": place.line, "startColumn": place.column });
        if place.length > 0 {
            region["endColumn"] = (place.column + place.length).into();
        }
        let uri = utf8_percent_encode(&place.file, &PATH).to_string();
        let physical = json!({ "artifactLocation": { "uri": uri, "uriBaseId": "%SRCROOT%" }, "region": region });
        result["locations"] = json!([{ "physicalLocation": physical }]);
    }
    result
}

fn properties(finding: &Finding) -> Value {
    let fields = [("tenant", &finding.tenant), ("object", &finding.object), ("path", &finding.path)];
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))));
    Value::Object(given.collect())
}

/// Checks that could not run, and results that were left out.
fn notifications(report: &Report, left_out: usize) -> Vec<Value> {
    let unchecked = report.verdicts.iter().filter(|verdict| verdict.verdict == "not-checked").map(|verdict| {
        let reason = verdict.reason.as_deref().unwrap_or("no reason is known");
        json!({ "level": "error", "message": { "text": format!("{} could not run: {reason}", verdict.check) } })
    });
    let cut = (left_out > 0).then(|| {
        json!({ "level": "warning", "message": { "text": format!("{left_out} results more than fit are left out") } })
    });
    unchecked.chain(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::finding::Location;

    #[test]
    fn results_name_their_rule_and_place() {
        let at = Location { file: "policies/a b.yaml".into(), line: 3, column: 5, length: 4 };
        let findings = vec![
            Finding::warning("plan/misp", "w"),
            Finding::invalid("config/type", "e").at(at).tenant("acme").path("/a/b"),
        ];
        let value: Value = serde_json::from_str(&sarif(&Report { findings, ..Report::default() }, "0")).unwrap();
        let run = &value["runs"][0];
        let first = &run["results"][0];
        assert_eq!(first["ruleId"], "config/type");
        assert_eq!(run["tool"]["driver"]["rules"][first["ruleIndex"].as_u64().unwrap() as usize]["id"], "config/type");
        let place = &first["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "policies/a%20b.yaml");
        assert_eq!(place["region"], json!({ "startLine": 3, "startColumn": 5, "endColumn": 9 }));
        assert_eq!(first["properties"], json!({ "tenant": "acme", "path": "/a/b" }));
        assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    }

    #[test]
    fn what_is_exempted_is_suppressed_with_its_reason() {
        let findings = vec![
            crate::report::tests::exempted(Finding::error("policy/unbound", Class::Check, "a")),
            Finding::warning("plan/misp", "b"),
        ];
        let value: Value = serde_json::from_str(&sarif(&Report { findings, ..Report::default() }, "0")).unwrap();
        let results = &value["runs"][0]["results"];
        assert_eq!(results[0]["suppressions"][0]["status"], "accepted");
        let why = results[0]["suppressions"][0]["justification"].as_str().unwrap();
        assert_eq!(why, "exempted by e of o@example.com until 2026-06-30: because");
        assert_eq!(results[1]["suppressions"], json!([]));
    }

    #[test]
    fn a_check_that_did_not_run_is_no_successful_run() {
        let reason = Some("no eyes".to_owned());
        let verdicts = vec![Verdict { check: "x", proves: "y", verdict: "not-checked", reason }];
        let findings = vec![Finding::error("check/not-checked", Class::Incomplete, "y: could not be checked")];
        let value: Value =
            serde_json::from_str(&sarif(&Report { verdicts, findings, ..Report::default() }, "0")).unwrap();
        let invocation = &value["runs"][0]["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], false);
        assert!(invocation["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap().contains("no eyes"));
    }
}
