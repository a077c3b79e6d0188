//! The report as Markdown for a pull request: worst first, and never longer than a comment may be.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Report;
use super::order::{counted, cut, exemptions, sentence, word, worst_first};
use crate::finding::{Finding, Severity};
use crate::secrets::leak;

/// Most characters of a comment on GitHub.
pub const MOST: usize = 65_536;
/// Most characters of what one finding says.
const LINE: usize = 600;
/// Kept for the last line, which counts what did not fit.
const LAST: usize = 200;

/// The report; what does not fit is counted.
pub fn markdown(report: &Report) -> String {
    let mut out = format!("## {} `tenantry {}`: {}\n", sign(report), report.command, summary(report));
    verdicts(report, &mut out);
    exempted(report, &mut out);
    let groups = groups(report);
    let (mut length, mut left) = (out.chars().count(), report.active().count());
    for ((severity, rule), findings) in groups {
        let count = findings.len();
        let mut head = format!("\n### {} `{rule}`: {}\n\n", word(severity), counted(count, "finding"));
        for finding in findings {
            let item = format!("{head}{}", item(finding));
            let room = item.chars().count();
            if length + room + LAST > MOST {
                let _ = writeln!(out, "\n**{} more did not fit**: the JSON and HTML reports hold them all.", left);
                return out;
            }
            out.push_str(&item);
            (length, left) = (length + room, left - 1);
            head.clear();
        }
    }
    out
}

fn sign(report: &Report) -> &'static str {
    match (report.count(Severity::Error), report.count(Severity::Warning)) {
        (0, 0) => "✅",
        (0, _) => "⚠️",
        _ => "❌",
    }
}

fn summary(report: &Report) -> String {
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    let exempted = match report.exempted().count() {
        0 => String::new(),
        count => format!(", {count} exempted"),
    };
    if errors + warnings == 0 {
        return format!("nothing found{exempted}");
    }
    format!("{}, {}{exempted}", counted(errors, "error"), counted(warnings, "warning"))
}

fn verdicts(report: &Report, out: &mut String) {
    if report.verdicts.is_empty() {
        return;
    }
    out.push_str("\n| check | verdict | proves |\n| --- | --- | --- |\n");
    for verdict in &report.verdicts {
        let reason = verdict.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let said = cut(&escape(&format!("{}{reason}", verdict.verdict)), LINE);
        let _ = writeln!(out, "| {} | {said} | {} |", verdict.check, escape(verdict.proves));
    }
}

/// Most exemptions that are shown one by one.
const EXEMPTIONS: usize = 20;

/// What somebody answers for, by exemption.
fn exempted(report: &Report, out: &mut String) {
    let all = exemptions(report);
    if all.is_empty() {
        return;
    }
    out.push_str("\n| exemption | owner | until | findings | reason |\n| --- | --- | --- | --- | --- |\n");
    for (exempted, count, rules) in all.iter().take(EXEMPTIONS) {
        let text = |text: &str| escape(&cut(&leak::mask(text), 200));
        let (id, owner, reason) = (code(&cut(&exempted.id, 200)), text(&exempted.owner), text(&exempted.reason));
        let rules = cut(&rules.join(", "), LINE);
        let _ = writeln!(out, "| {id} | {owner} | {} | {count} of {rules} | {reason} |", exempted.expires);
    }
    if all.len() > EXEMPTIONS {
        let _ = writeln!(out, "\n{} more exemptions are in the JSON and HTML reports.", all.len() - EXEMPTIONS);
    }
}

/// Findings by severity and rule, worst first.
fn groups(report: &Report) -> Vec<((Severity, &'static str), Vec<&Finding>)> {
    let mut groups: BTreeMap<(std::cmp::Reverse<Severity>, &'static str), Vec<&Finding>> = BTreeMap::new();
    for finding in worst_first(report.active()) {
        groups.entry((std::cmp::Reverse(finding.severity), finding.rule)).or_default().push(finding);
    }
    groups.into_iter().map(|((severity, rule), findings)| ((severity.0, rule), findings)).collect()
}

fn item(finding: &Finding) -> String {
    let place = finding.location.as_ref().map(|place| format!("{}: ", code(&place.to_string()))).unwrap_or_default();
    let tenant = finding.tenant.as_ref().map(|tenant| format!("{} ", code(tenant))).unwrap_or_default();
    let object = finding.object.as_ref().map(|object| format!("{} ", code(&cut(object, 200)))).unwrap_or_default();
    format!("- {place}{tenant}{object}{}\n", escape(&cut(&sentence(finding), LINE)))
}

/// As code; a backtick in it would end it.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'").replace(['\n', '\r', '|'], " "))
}

/// Text that means nothing to Markdown or HTML, mentions nobody and stays on its line.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("&#64;"),
            '\n' | '\r' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '!' => out.extend(['\\', character]),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Location;

    fn many(count: u32) -> Report {
        let finding = |number: u32| {
            let place = Location { file: format!("tenants/t{number:05}.yaml"), line: number, column: 1, length: 0 };
            let of = if number.is_multiple_of(7) { Finding::invalid } else { Finding::warning };
            of("plan/quota", format!("number {number} | <b>@team</b>\n# {}", "é*".repeat(400))).at(place)
        };
        Report { command: "check", findings: (0..count).map(finding).collect(), ..Report::default() }
    }

    #[test]
    fn ten_thousand_findings_fit_and_the_worst_are_there() {
        let text = markdown(&many(10_000));
        assert!(text.chars().count() <= MOST, "{}", text.chars().count());
        assert!(text.chars().count() > MOST - 4000);
        assert!(text.contains("### error `plan/quota`: 1429 findings"), "{}", &text[..400]);
        assert!(text.contains("more did not fit"));
        assert!(!text.contains("### warning"), "warnings come after all errors");
    }

    #[test]
    fn what_is_shown_is_text_and_nothing_else() {
        let text = markdown(&many(2));
        assert!(!text.contains("<b>") && !text.contains("@team"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with('#')).count(), 3, "{text}");
    }

    #[test]
    fn nothing_found_is_said() {
        let text = markdown(&Report { command: "check", ..Report::default() });
        assert_eq!(text, "## ✅ `tenantry check`: nothing found\n");
    }
}
