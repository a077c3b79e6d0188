//! The report as JUnit XML, for the test views of CI systems.

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite, XmlString};

use super::Report;
use super::order::{answered, sentence, worst_first};
use crate::finding::{Class, Finding, Severity};
use crate::secrets::leak;

/// The report: one suite of the checks, one of the findings. Warnings are skipped tests: seen, and no failure.
pub fn junit(report: &Report) -> String {
    let mut junit = Junit::new(format!("tenantry {}", report.command));
    if !report.verdicts.is_empty() {
        let mut suite = TestSuite::new("checks");
        for verdict in &report.verdicts {
            let status = match verdict.verdict {
                "passed" | "exempted" => TestCaseStatus::success(),
                "not-checked" => failed(NonSuccessKind::Error, verdict.reason.as_deref().unwrap_or_default()),
                _ => failed(NonSuccessKind::Failure, verdict.proves),
            };
            suite.add_test_case(TestCase::new(format!("{}: {}", verdict.check, verdict.proves), status));
        }
        junit.add_test_suite(suite);
    }
    let mut suite = TestSuite::new("findings");
    suite.add_test_cases(worst_first(&report.findings).into_iter().map(case));
    junit.add_test_suite(suite);
    let text = junit.to_string().unwrap_or_else(|error| unreachable!("text becomes XML: {error}"));
    // Jenkins' schema knows no such attribute of a suite (in texts a quotation mark is escaped), and XML 1.0 has no
    // place for two code points that are no characters.
    leak::mask(&text.replace(" disabled=\"0\"", "").replace(['\u{fffe}', '\u{ffff}'], ""))
}

fn failed(kind: NonSuccessKind, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(leak::mask(message));
    status
}

fn skipped(finding: &Finding) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(match &finding.exempted {
        Some(exempted) => format!("{} ({})", leak::mask(&finding.message), answered(exempted)),
        None => leak::mask(&finding.message),
    });
    status
}

fn case(finding: &Finding) -> TestCase {
    let place = finding.location.as_ref().map(|place| format!(" {place}")).unwrap_or_default();
    let object = finding.object.as_ref().map(|object| format!(" {object}")).unwrap_or_default();
    let mut status = match (finding.severity, finding.class) {
        _ if finding.exempted.is_some() => skipped(finding),
        (Severity::Error, Class::Incomplete) => failed(NonSuccessKind::Error, &finding.message),
        (Severity::Error, _) => failed(NonSuccessKind::Failure, &finding.message),
        _ => skipped(finding),
    };
    status.set_type(finding.rule);
    status.set_description(sentence(finding));
    let mut case = TestCase::new(format!("{}{place}{object}", finding.rule), status);
    case.set_classname(finding.tenant.as_ref().map_or_else(|| "fleet".into(), XmlString::new));
    case
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn errors_fail_warnings_are_skipped_and_text_stays_text() {
        let findings = vec![
            Finding::warning("plan/misp", "w").tenant("acme"),
            Finding::invalid("config/type", "a < b & \"c\" \u{1b}[31m"),
            Finding::error("check/not-checked", Class::Incomplete, "no eyes"),
        ];
        let verdicts = vec![Verdict { check: "x", proves: "y", verdict: "passed", reason: None }];
        let text = junit(&Report { command: "check", verdicts, findings });
        assert!(
            text.contains(r#"tests="4" skipped="1" errors="1" failures="1""#)
                || text.contains(r#"failures="1" errors="1""#),
            "{text}"
        );
        assert!(text.contains("a &lt; b &amp; &quot;c&quot;") && !text.contains('\u{1b}'), "{text}");
        assert!(text.contains(r#"classname="acme""#) && text.contains("<skipped message=\"w\""), "{text}");
    }
}
