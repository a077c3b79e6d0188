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
use crate::finding::{Finding, Severity};

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
    /// How many findings have a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}
