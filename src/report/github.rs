//! The report as workflow commands of GitHub Actions ("Workflow commands for GitHub Actions": error, warning, notice).

use std::fmt::Write as _;

use super::Report;
use super::order::{counted, cut, sentence, word, worst_first};
use crate::finding::{Finding, Severity};

/// Annotations of one kind that GitHub keeps of a step; the others it drops without a word.
const KEPT: usize = 10;

/// Characters of a message that are shown: GitHub keeps 64 KB, and a character has four bytes at most, each of three
/// characters where it is escaped.
const MESSAGE: usize = 5_000;

/// One line a finding, at most ten of a kind: the last of ten says how many more there are.
pub fn github(report: &Report) -> String {
    let mut out = String::new();
    let worst = worst_first(report.active());
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        let of: Vec<&&Finding> = worst.iter().filter(|finding| finding.severity == severity).collect();
        let shown = if of.len() > KEPT { KEPT - 1 } else { of.len() };
        for finding in &of[..shown] {
            line(&mut out, finding);
        }
        if of.len() > shown {
            let more = counted(of.len() - shown, &format!("more {}", word(severity)));
            let _ = writeln!(out, "::{} title=tenantry::{more}: the whole report has them all", command(severity));
        }
    }
    out
}

fn command(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    }
}

fn line(out: &mut String, finding: &Finding) {
    let _ = write!(out, "::{} ", command(finding.severity));
    if let Some(place) = &finding.location {
        let _ = write!(out, "file={},line={},col={},", property(&place.file), place.line, place.column);
    }
    let _ = writeln!(out, "title={}::{}", property(finding.rule), data(&cut(&sentence(finding), MESSAGE)));
}

/// What stands behind the last `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property, which ends at a comma or colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Location;

    #[test]
    fn nothing_in_a_finding_ends_its_line_or_its_fields() {
        let at = Location { file: "tenants/a,b:c.yaml".into(), line: 3, column: 9, length: 0 };
        let finding = Finding::invalid("config/type", "50% of\n::error::it").at(at);
        let text = github(&Report { findings: vec![finding], ..Report::default() });
        let expected = "::error file=tenants/a%2Cb%3Ac.yaml,line=3,col=9,title=config/type::50%25 of%0A::error::it\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn no_more_than_github_keeps_and_the_rest_is_counted() {
        let findings = (0..25).map(|number| Finding::invalid("a/b", format!("number {number}"))).collect();
        let text = github(&Report { findings, ..Report::default() });
        assert_eq!(text.lines().count(), KEPT);
        assert!(text.lines().last().unwrap().contains("16 more errors"), "{text}");
    }
}
