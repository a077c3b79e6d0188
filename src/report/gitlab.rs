//! The report for GitLab's merge requests: the Code Quality format (docs.gitlab.com, "Code Quality report format").

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Report;
use super::order::{fingerprint, sentence, worst_first};
use crate::finding::Severity;
use crate::secrets::leak;

/// The report as JSON, with a final newline. Places that no file has are shown at `install.yaml`.
pub fn gitlab(report: &Report) -> String {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let issues = worst_first(report.active()).into_iter().map(|finding| {
        // GitLab drops all but one of the issues with the same fingerprint.
        let print = fingerprint(finding);
        let number = seen.entry(print.clone()).and_modify(|count| *count += 1).or_insert(0);
        let print = if *number == 0 { print } else { format!("{print}-{number}") };
        let (file, line) = finding.location.as_ref().map_or(("install.yaml", 1), |at| (at.file.as_str(), at.line));
        json!({
            "description": sentence(finding),
            "check_name": finding.rule,
            "fingerprint": print,
            "severity": match finding.severity {
                Severity::Error => "critical",
                Severity::Warning => "minor",
                Severity::Info => "info",
            },
            "location": { "path": file, "lines": { "begin": line } },
        })
    });
    let issues: Vec<Value> = issues.collect();
    leak::mask(&format!("{}\n", serde_json::to_string_pretty(&issues).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Finding, Location};

    #[test]
    fn every_finding_has_a_place_and_a_fingerprint_of_its_own() {
        let at = Location { file: "tenants/acme.yaml".into(), line: 7, column: 2, length: 0 };
        let same = Finding::invalid("config/type", "not a number").at(at);
        let findings = vec![same.clone(), same, Finding::warning("plan/x", "no file is at fault")];
        let issues: Value = serde_json::from_str(&gitlab(&Report { findings, ..Report::default() })).unwrap();
        assert_eq!(issues[0]["location"], json!({ "path": "tenants/acme.yaml", "lines": { "begin": 7 } }));
        assert_ne!(issues[0]["fingerprint"], issues[1]["fingerprint"]);
        assert_eq!(issues[2]["severity"], "minor");
        assert_eq!(issues[2]["location"]["path"], "install.yaml");
    }
}
