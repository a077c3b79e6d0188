//! What the formats share: worst first, one line that says what a finding says, and an id that survives edits.

use std::collections::{BTreeMap, BTreeSet};

use super::Report;
use crate::finding::{Exempted, Finding, Severity};
use crate::manifest::Digest;
use crate::secrets::leak;

/// The findings, worst first; of the same severity, in the order of the report (by place).
pub fn worst_first<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<&'a Finding> {
    let mut sorted: Vec<&Finding> = findings.into_iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    sorted
}

/// What is wrong, what was expected and found, and what to do, secrets covered.
pub fn sentence(finding: &Finding) -> String {
    let mut text = finding.message.clone();
    for (word, value) in [("expected", &finding.expected), ("found", &finding.found), ("hint:", &finding.hint)] {
        if let Some(value) = value {
            text.push_str(&format!("; {word} {value}"));
        }
    }
    leak::mask(&text)
}

/// What is exempted: by exemption, how many findings of which rules.
pub fn exemptions(report: &Report) -> Vec<(&Exempted, usize, Vec<&'static str>)> {
    let mut by_id: BTreeMap<&str, (&Exempted, usize, BTreeSet<&'static str>)> = BTreeMap::new();
    for (finding, exempted) in report.exempted() {
        let (_, count, rules) = by_id.entry(exempted.id.as_str()).or_insert((exempted, 0, BTreeSet::new()));
        *count += 1;
        rules.insert(finding.rule);
    }
    by_id.into_values().map(|(exempted, count, rules)| (exempted, count, rules.into_iter().collect())).collect()
}

/// Who answers for a finding, until when and why.
pub fn answered(exempted: &Exempted) -> String {
    let Exempted { id, owner, reason, expires } = exempted;
    leak::mask(&format!("exempted by {id} of {owner} until {expires}: {reason}"))
}

/// An id of the finding that stays when lines move: it follows from what is said of what, not from where it stands.
pub fn fingerprint(finding: &Finding) -> String {
    let file = finding.location.as_ref().map(|place| place.file.as_str());
    let texts = [file, finding.tenant.as_deref(), finding.object.as_deref(), finding.path.as_deref()];
    let mut parts: Vec<&[u8]> = vec![finding.rule.as_bytes(), finding.message.as_bytes()];
    parts.extend(texts.map(|text| text.unwrap_or_default().as_bytes()));
    Digest::of_parts(parts).to_string().trim_start_matches("sha256:")[..32].to_owned()
}

/// `error`, `warning` or `info`.
pub fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// `1 error`, `2 errors`.
pub fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// The text, cut to so many characters.
pub fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Location;

    #[test]
    fn a_fingerprint_survives_moved_lines_and_tells_findings_apart() {
        let at = |line| Location { file: "tenants/acme.yaml".into(), line, column: 1, length: 0 };
        let finding = Finding::invalid("config/type", "not a number").at(at(3));
        assert_eq!(fingerprint(&finding), fingerprint(&finding.clone().at(at(30))));
        assert_ne!(fingerprint(&finding), fingerprint(&finding.clone().tenant("acme")));
        assert_ne!(fingerprint(&finding), fingerprint(&Finding::invalid("config/type", "no number").at(at(3))));
    }

    #[test]
    fn worst_come_first_and_the_order_of_places_stays() {
        let findings = [Finding::warning("a/a", "1"), Finding::invalid("b/b", "2"), Finding::invalid("b/b", "3")];
        let order: Vec<&str> = worst_first(&findings).iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(order, ["2", "3", "1"]);
    }
}
