//! One report model, many formats.

pub mod diff;
pub mod drift;
pub mod evidence;
mod github;
mod gitlab;
mod html;
mod json;
mod junit;
mod markdown;
mod order;
mod sarif;
mod text;

pub use github::github;
pub use gitlab::gitlab;
pub use html::html;
pub use json::{json, schema, schema_of};
pub use junit::junit;
pub use markdown::{MOST as MARKDOWN_MOST, markdown};
pub use sarif::sarif;
pub use text::{Detail, Style, text};

use crate::check::Verdict;
use crate::finding::{Exempted, Finding, Severity};

/// What a command found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The command.
    pub command: &'static str,
    /// One verdict a check, where checks ran.
    pub verdicts: Vec<Verdict>,
    /// The findings, sorted.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many findings have a severity, those left out that somebody answers for.
    pub fn count(&self, severity: Severity) -> usize {
        self.active().filter(|finding| finding.severity == severity).count()
    }

    /// The findings that nobody answers for.
    pub fn active(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.exempted.is_none())
    }

    /// The findings that somebody answers for, and who.
    pub fn exempted(&self) -> impl Iterator<Item = (&Finding, &Exempted)> {
        self.findings.iter().filter_map(|finding| Some((finding, finding.exempted.as_deref()?)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A finding that somebody answers for.
    pub(crate) fn exempted(finding: Finding) -> Finding {
        let text = str::to_owned;
        let (id, owner, reason) = (text("e"), text("o@example.com"), text("because"));
        Finding { exempted: Some(Box::new(Exempted { id, owner, reason, expires: text("2026-06-30") })), ..finding }
    }

    #[test]
    fn what_is_exempted_is_listed_and_counts_as_nothing() {
        let finding = || Finding::error("policy/unbound", crate::finding::Class::Check, "a binding is missing");
        let findings = vec![exempted(finding().tenant("oak")), finding().tenant("elm")];
        let report = Report { command: "check", findings, ..Report::default() };
        assert_eq!((report.count(Severity::Error), report.exempted().count()), (1, 1));
        let shown = text(&report, &crate::source::Source::default(), Style::Plain, Detail::Folded);
        assert!(shown.contains("exempted by e of o@example.com until 2026-06-30: because"), "{shown}");
        assert!(shown.contains("1 error, 0 warnings, 1 exempted"), "{shown}");
        assert_eq!(shown.matches("a binding is missing").count(), 1, "{shown}");
        let json: serde_json::Value = serde_json::from_str(&json(&report, "0")).unwrap_or_default();
        assert_eq!(json["summary"]["errors"], 1);
        assert_eq!((&json["exempted"][0]["tenant"], &json["findings"][0]["tenant"]), (&"oak".into(), &"elm".into()));
        assert_eq!(json["exempted"][0]["exempted"]["expires"], "2026-06-30");
        assert!(markdown(&report).contains("| `e` | o&#64;example.com | 2026-06-30 | 1 of policy/unbound | because |"));
        assert!(html(&report, "0").contains("exempted by e of o@example.com"));
        assert_eq!(github(&report).matches("::error ").count(), 1);
        assert_eq!(gitlab(&report).matches("check_name").count(), 1);
        let all = Report { findings: report.findings[..1].to_vec(), ..report };
        assert_eq!(crate::finding::exit_code(&all.findings), 0);
        assert!(junit(&all).contains("failures=\"0\""), "{}", junit(&all));
        assert!(markdown(&all).starts_with("## ✅"), "{}", markdown(&all));
    }
}
