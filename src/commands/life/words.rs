//! A proposal in words: title and body of the pull request, message of the commit.

use super::preview::Preview;
use super::proposal::{Proposal, Row};
use crate::commands::fleet::Counts;

/// Rows of a table at most.
const ROWS: usize = 40;

/// What was proved about the fleet with the change.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// What was counted.
    pub counts: &'a Counts,
    /// Checks that passed.
    pub checks: usize,
}

impl Proof<'_> {
    /// One line.
    pub fn line(&self) -> String {
        let objects: usize = self.counts.kinds.values().sum();
        format!("{} units, {objects} objects: {} checks passed", self.counts.units, self.checks)
    }
}

/// The body of the pull request, in Markdown.
pub fn body(proposal: &Proposal, preview: &Preview, proof: Proof<'_>) -> String {
    let mut out = String::from("### What changes\n\n");
    if proposal.rows.is_empty() {
        proposal.files.iter().for_each(|file| out.push_str(&format!("- `{}`\n", file.path)));
    } else {
        out.push_str("| tenant | field | from | to |\n| --- | --- | --- | --- |\n");
        for row in proposal.rows.iter().take(ROWS) {
            let Row { tenant, field, from, to } = row;
            out.push_str(&format!("| {tenant} | `{field}` | {} | {} |\n", cell(from), cell(to)));
        }
        if let Some(more) = proposal.rows.len().checked_sub(ROWS).filter(|more| *more > 0) {
            out.push_str(&format!("\nand {more} more like these\n"));
        }
    }
    section(&mut out, "To know", &proposal.notes);
    section(&mut out, "Manifests", &manifests(preview));
    section(&mut out, "Proved", &[proof.line()]);
    section(&mut out, "To do", &proposal.next);
    out
}

/// The message of the commit: what changes, one line a value.
pub fn message(proposal: &Proposal) -> String {
    let mut out = format!("{}\n\n", proposal.title);
    for row in proposal.rows.iter().take(ROWS) {
        out.push_str(&format!("{}: {} {} -> {}\n", row.tenant, row.field, row.from, row.to));
    }
    if let Some(more) = proposal.rows.len().checked_sub(ROWS).filter(|more| *more > 0) {
        out.push_str(&format!("and {more} more like these\n"));
    }
    out
}

/// What becomes of the units, folded where there are many.
fn manifests(preview: &Preview) -> Vec<String> {
    if let Some(why) = &preview.unknown {
        return vec![why.clone()];
    }
    if preview.units.is_empty() {
        return vec!["none changes".into()];
    }
    let mut lines: Vec<String> =
        preview.units.iter().take(ROWS).map(|(path, kind)| format!("{}: `{path}`", kind.as_str())).collect();
    if let Some(more) = preview.units.len().checked_sub(ROWS).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn section(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    out.push_str(&format!("\n### {title}\n\n"));
    lines.iter().for_each(|line| out.push_str(&format!("- {line}\n")));
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " ")
}
