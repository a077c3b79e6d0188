//! One model for everything that a run has to say about its input: what is wrong, where, what was expected, what to do.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::yaml::Span;

/// How bad a finding is. Only an error stops a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Should be mended; does not stop the run.
    Warning,
    /// Must be mended; nothing is written.
    Error,
}

/// What refuses: decides the exit code of a run that ends with this finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The input is invalid: exit 3.
    Invalid,
    /// A guard refuses: exit 4.
    Guard,
    /// A check says no: exit 1.
    Check,
    /// Something could not be read or checked: exit 6.
    Incomplete,
}

/// A place that a person can edit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Location {
    /// File, relative to the fleet, with `/`.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Length of the place in characters, 0 where unknown.
    #[serde(skip)]
    pub length: u32,
}

impl Location {
    /// A place in a file.
    pub fn new(file: impl Into<String>, span: Span) -> Self {
        Self { file: file.into(), line: span.line.max(1), column: span.column.max(1), length: span.length }
    }

    /// The beginning of a file.
    pub fn file(file: impl Into<String>) -> Self {
        Self { file: file.into(), line: 1, column: 1, length: 0 }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Who answers for a finding that is exempted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exempted {
    /// Id of the exemption.
    pub id: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it is fine.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: String,
}

/// One thing that a run has to say. Sorted by place, then rule, so that a report never depends on the order of work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Where to edit; none where no file is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// Stable id of the rule: `config/unknown-field`.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What refuses.
    pub class: Class,
    /// The tenant that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The object that it is about: `NetworkPolicy tenant-acme/default-deny`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The field, as a JSON pointer into the file or the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What is wrong, in one line.
    pub message: String,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was found. Never the value of anything that could be a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Who answers for it: then it stops nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exempted: Option<Box<Exempted>>,
}

impl Finding {
    /// An error of the given class.
    pub fn error(rule: &'static str, class: Class, message: impl Into<String>) -> Self {
        Self {
            location: None,
            rule,
            severity: Severity::Error,
            class,
            tenant: None,
            object: None,
            path: None,
            message: message.into(),
            expected: None,
            found: None,
            hint: None,
            exempted: None,
        }
    }

    /// Input that is invalid.
    pub fn invalid(rule: &'static str, message: impl Into<String>) -> Self {
        Self::error(rule, Class::Invalid, message)
    }

    /// A warning.
    pub fn warning(rule: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(rule, Class::Check, message) }
    }

    /// Sets the place.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }

    /// Sets the tenant.
    #[must_use]
    pub fn tenant(mut self, slug: impl Into<String>) -> Self {
        self.tenant = Some(slug.into());
        self
    }

    /// Sets the object.
    #[must_use]
    pub fn object(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// Sets the field.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Sets what was expected.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Sets what was found.
    #[must_use]
    pub fn found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(found.into());
        self
    }

    /// Sets what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Finding {
    /// Whether it stops the run: an error that nobody answers for.
    pub fn stops(&self) -> bool {
        self.severity == Severity::Error && self.exempted.is_none()
    }
}

/// Whether any finding stops the run.
pub fn any_error(findings: &[Finding]) -> bool {
    findings.iter().any(Finding::stops)
}

/// The exit code that a run with these findings ends with: invalid input before guards before gaps before findings.
pub fn exit_code(findings: &[Finding]) -> u8 {
    use crate::error::exit;
    let worst = findings.iter().filter(|finding| finding.stops()).map(|finding| finding.class);
    match worst.min_by_key(|class| match class {
        Class::Invalid => 0,
        Class::Guard => 1,
        Class::Incomplete => 2,
        Class::Check => 3,
    }) {
        None => exit::OK,
        Some(Class::Invalid) => exit::INVALID,
        Some(Class::Guard) => exit::GUARD,
        Some(Class::Incomplete) => exit::INCOMPLETE,
        Some(Class::Check) => exit::FINDINGS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_never_stop_and_gaps_never_pass() {
        let warning = Finding::warning("x/y", "hm");
        assert_eq!(exit_code(std::slice::from_ref(&warning)), 0);
        assert!(!any_error(std::slice::from_ref(&warning)));
        let gap = Finding::error("x/y", Class::Incomplete, "could not read");
        assert_eq!(exit_code(&[warning, gap]), 6);
    }
}
