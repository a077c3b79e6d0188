//! The report for a terminal: each finding with the line that it is about.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::Report;
use super::order::{answered, counted, exemptions};
use crate::finding::{Finding, Location, Severity};
use crate::secrets::leak;
use crate::source::Source;

/// Whether the text has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// No.
    Plain,
    /// Yes.
    Coloured,
}

/// Whether warnings that say the same of many tenants are shown one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The first few of a rule; of the others, how many and whose.
    Folded,
    /// Every one.
    Every,
}

/// How many warnings of one rule are shown whole, and how many more are named.
const SHOWN: (usize, usize) = (3, 8);

/// The findings, each with the line that it is about, and a line that counts them. Errors are never folded.
pub fn text(report: &Report, source: &Source, style: Style, detail: Detail) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let mut out = String::new();
    let lines = Covered::default();
    let mut folded: BTreeMap<(Severity, &str), Vec<&Finding>> = BTreeMap::new();
    for finding in report.active() {
        let same = folded.entry((finding.severity, finding.rule)).or_default();
        same.push(finding);
        if detail == Detail::Every || finding.severity == Severity::Error || same.len() <= SHOWN.0 {
            let _ = writeln!(out, "{}\n", one(finding, &lines, source, &renderer));
        }
    }
    if detail == Detail::Folded {
        folded.retain(|(severity, _), same| *severity != Severity::Error && same.len() > SHOWN.0);
        for ((_, rule), same) in &folded {
            let _ = writeln!(out, "{}\n", rest(rule, &same[SHOWN.0..]));
        }
    }
    exempted(report, detail, &mut out);
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    let exempted = report.exempted().count();
    if errors + warnings + exempted > 0 {
        let also = if exempted > 0 { format!(", {exempted} exempted") } else { String::new() };
        let _ = writeln!(out, "{}, {}{also}", counted(errors, "error"), counted(warnings, "warning"));
    }
    out
}

/// What somebody answers for: a line an exemption, and each finding if every one is to be shown.
fn exempted(report: &Report, detail: Detail, out: &mut String) {
    for (exempted, count, rules) in exemptions(report) {
        let _ = writeln!(out, "{} of {}: {}", counted(count, "finding"), rules.join(", "), answered(exempted));
        let own = report.exempted().filter(|(_, one)| detail == Detail::Every && one.id == exempted.id);
        for (finding, _) in own {
            let place = finding.location.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
            let _ = writeln!(out, "  {place}{}", leak::mask(&finding.message));
        }
        out.push('\n');
    }
}

/// Files with their secrets covered, each covered once. A file is covered as a whole: what a line holds may show only by
/// the lines before it.
#[derive(Default)]
struct Covered(RefCell<BTreeMap<String, Vec<String>>>);

impl Covered {
    /// A line of a file; secrets are covered, and their length stays, so that columns still fit.
    fn line(&self, source: &Source, place: &Location) -> Option<String> {
        let mut files = self.0.borrow_mut();
        if !files.contains_key(&place.file) {
            let covered = leak::cover(source.text(&place.file)?);
            files.insert(place.file.clone(), covered.lines().map(|line| line.replace('\t', " ")).collect());
        }
        files.get(&place.file)?.get(place.line.checked_sub(1)? as usize).cloned()
    }
}

/// Warnings that are not shown: how many, and of whom.
fn rest(rule: &str, more: &[&Finding]) -> String {
    let whose = |finding: &Finding| finding.tenant.clone().or_else(|| finding.object.clone());
    let mut names: Vec<String> = more.iter().filter_map(|finding| whose(finding)).collect();
    names.dedup();
    let dots = if names.len() > SHOWN.1 { ", …" } else { "" };
    names.truncate(SHOWN.1);
    let names = if names.is_empty() { String::new() } else { format!(": {}{dots}", leak::mask(&names.join(", "))) };
    format!("... and {} more of {rule}{names} (-v shows each)", more.len())
}

fn one(finding: &Finding, lines: &Covered, source: &Source, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let title = leak::mask(&finding.message);
    let label = leak::mask(&label(finding));
    let title = level.primary_title(title.as_str()).id(finding.rule);
    let line = finding.location.as_ref().and_then(|place| Some((place, lines.line(source, place)?)));
    let mut group = match (&line, &finding.location) {
        (Some((place, line)), _) => {
            let span = span_in(line, place);
            let annotation = AnnotationKind::Primary.span(span).label(label.as_str());
            let snippet = Snippet::source(line.as_str()).path(place.file.as_str()).line_start(place.line as usize);
            title.element(snippet.annotation(annotation))
        }
        (None, Some(place)) => {
            let origin = annotate_snippets::Origin::path(place.file.as_str())
                .line(place.line as usize)
                .char_column(place.column as usize);
            title.element(origin)
        }
        (None, None) => Group::with_title(title),
    };
    let mut notes = Vec::new();
    if line.is_none() && !label.is_empty() {
        notes.push((Level::NOTE, label.clone()));
    }
    if let Some(hint) = &finding.hint {
        notes.push((Level::HELP.with_name("hint"), leak::mask(hint)));
    }
    for (level, note) in &notes {
        group = group.element(level.clone().message(note.as_str()));
    }
    renderer.render(&[group])
}

fn label(finding: &Finding) -> String {
    match (&finding.expected, &finding.found) {
        (Some(expected), Some(found)) => format!("expected {expected}, found {found}"),
        (Some(expected), None) => format!("expected {expected}"),
        (None, Some(found)) => format!("found {found}"),
        (None, None) => String::new(),
    }
}

/// The place as bytes of its line.
fn span_in(line: &str, place: &Location) -> std::ops::Range<usize> {
    let at = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let start = place.column.saturating_sub(1) as usize;
    let length = if place.length == 0 { 1 } else { place.length as usize };
    at(start)..at(start + length).max(at(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(of: fn(&'static str, String) -> Finding, detail: Detail) -> String {
        let finding = |number: usize| of("plan/misp", format!("number {number}")).tenant(format!("t{number:02}"));
        let report = Report { findings: (0..15).map(finding).collect(), ..Report::default() };
        text(&report, &Source::default(), Style::Plain, detail)
    }

    #[test]
    fn many_warnings_of_a_rule_are_folded() {
        let text = shown(Finding::warning, Detail::Folded);
        assert_eq!(text.matches("number ").count(), 3, "{text}");
        let rest = "... and 12 more of plan/misp: t03, t04, t05, t06, t07, t08, t09, t10, … (-v shows each)";
        assert!(text.contains(rest), "{text}");
        assert!(text.contains("15 warnings"), "{text}");
    }

    #[test]
    fn errors_and_what_was_asked_for_are_never_folded() {
        assert_eq!(shown(Finding::invalid, Detail::Folded).matches("number ").count(), 15);
        assert_eq!(shown(Finding::warning, Detail::Every).matches("number ").count(), 15);
    }
}
