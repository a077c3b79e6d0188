//! The report for a terminal: each finding with the line that it is about.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::Report;
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

/// The findings, each with the line that it is about, and a line that counts them.
pub fn text(report: &Report, source: &Source, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let mut out = String::new();
    for finding in &report.findings {
        let _ = writeln!(out, "{}\n", one(finding, source, &renderer));
    }
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    if errors + warnings > 0 {
        let _ = writeln!(out, "{}, {}", counted(errors, "error"), counted(warnings, "warning"));
    }
    out
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn one(finding: &Finding, source: &Source, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let title = leak::mask(&finding.message);
    let label = leak::mask(&label(finding));
    let title = level.primary_title(title.as_str()).id(finding.rule);
    let line = finding.location.as_ref().and_then(|place| Some((place, line_of(source, place)?)));
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

/// The line of the source, secrets covered; their length stays, so that columns still fit.
fn line_of(source: &Source, place: &Location) -> Option<String> {
    let line = source.text(&place.file)?.lines().nth(place.line.checked_sub(1)? as usize)?;
    Some(leak::cover(line).replace('\t', " "))
}

/// The place as bytes of its line.
fn span_in(line: &str, place: &Location) -> std::ops::Range<usize> {
    let at = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let start = place.column.saturating_sub(1) as usize;
    let length = if place.length == 0 { 1 } else { place.length as usize };
    at(start)..at(start + length).max(at(start))
}
