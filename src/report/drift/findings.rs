//! The document as findings, for the formats that know those only (SARIF, JUnit, Markdown …).

use super::document::{Difference, Document, Rendered};
use crate::check::Verdict;
use crate::drift::change::Severity as Weight;
use crate::drift::changeset::Overall;
use crate::drift::exempt::{self, ExemptionState};
use crate::finding::{Class, Finding, Location, Severity};
use crate::report::Report;

/// The document as a report of findings, for the formats that know those only.
pub fn derived(document: &Document) -> Report {
    let (verdict, reason) = match document.verdict {
        Overall::Clean => ("passed", None),
        Overall::Drift => ("failed", None),
        Overall::Incomplete => ("not-checked", Some(super::text::headline(document))),
    };
    let proves = "the cluster is what was merged";
    let verdicts = vec![Verdict { check: "drift", proves, verdict, reason }];
    Report { command: "drift", verdicts, findings: findings(document) }
}

/// Everything that the document has to say, the worst first: what was not read, then differences, then exemptions.
pub fn findings(document: &Document) -> Vec<Finding> {
    let mut findings: Vec<Finding> = document
        .unreadable
        .iter()
        .map(|unreadable| {
            let finding = Finding::error("drift/unreadable", Class::Incomplete, unreadable.reason.clone());
            placed(finding, unreadable.place.as_ref())
        })
        .collect();
    findings.extend(document.gaps().map(|(kind, gap)| {
        let message = format!("{} {}: {}", kind.api_version, kind.kind, super::text::gap(gap));
        Finding::error("drift/unread", Class::Incomplete, message)
            .hint("nothing is known about these objects: see that they can be read, and check again")
    }));
    findings.extend(document.differences.iter().map(of_difference));
    findings.extend(document.exemptions.iter().filter_map(|exemption| {
        let (rule, what) = match &exemption.state {
            ExemptionState::Used { .. } => return None,
            ExemptionState::Unused => ("drift/exemption-unused", "covers nothing: remove it".to_owned()),
            ExemptionState::Expired { on } => ("drift/exemption-expired", format!("expired on {on}")),
        };
        let message = format!("the exemption {} of {} {what}", exemption.id, exemption.owner);
        Some(Finding::warning(rule, message))
    }));
    findings
}

fn of_difference(difference: &Difference) -> Finding {
    let at = if difference.path.is_empty() { String::new() } else { format!(" at {}", difference.path) };
    let word = difference.severity.as_str();
    let message = format!("{}{at}: {} ({word}, {})", difference.object, difference.effect, difference.class.as_str());
    let mut finding = Finding::error(rule(difference), Class::Check, message);
    finding.severity = match difference.severity {
        _ if !difference.drift => Severity::Info,
        Weight::Info => Severity::Info,
        Weight::Low => Severity::Warning,
        Weight::Medium | Weight::High | Weight::Critical => Severity::Error,
    };
    finding.tenant = difference.tenant.clone();
    finding.object = Some(difference.object.to_string());
    finding.path = Some(difference.path.clone()).filter(|path| !path.is_empty());
    finding.expected = difference.expected.clone();
    finding.found = difference.found.clone();
    finding.hint = Some(match (&difference.exemption, difference.pending) {
        (Some(exemption), _) => format!("covered by the exemption {exemption}"),
        (None, Some(pending)) => format!("pending: {}", super::text::pending_word(pending)),
        (None, None) => format!("put it back: {}", difference.restore),
    });
    match &difference.decided_by {
        Some(decided) => finding.at(Location { file: decided.file.clone(), line: decided.line, column: 1, length: 0 }),
        None => placed(finding, difference.rendered.as_ref()),
    }
}

fn placed(finding: Finding, place: Option<&Rendered>) -> Finding {
    match place {
        Some(place) => finding.at(Location { file: place.file.clone(), line: place.line, column: 1, length: 0 }),
        None => finding,
    }
}

/// The rule that a difference breaks.
fn rule(difference: &Difference) -> &'static str {
    if difference.exemption.is_some() {
        return "drift/exempted";
    }
    exempt::rule(difference.class)
}
