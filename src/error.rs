//! What a run may fail with: five kinds, each with its exit code and with hints on what to do next.
//!
//! Findings about the input are data ([`crate::finding::Finding`]); an [`Error`] means that the work could not be done.

use std::fmt;

/// Exit codes of the program (the table stands in `docs/reference/exit-codes.md`).
pub mod exit {
    /// Nothing to report.
    pub const OK: u8 = 0;
    /// Differences, drift or findings.
    pub const FINDINGS: u8 = 1;
    /// The command line is wrong.
    pub const USAGE: u8 = 2;
    /// The input is invalid.
    pub const INVALID: u8 = 3;
    /// A guard refused: deletion, edited output, blocked version, secret found.
    pub const GUARD: u8 = 4;
    /// The environment failed: repository, registry, cluster, disk.
    pub const ENVIRONMENT: u8 = 5;
    /// Something could not be read or checked.
    pub const INCOMPLETE: u8 = 6;
}

/// The kinds of failure; each has one exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The command line or the question makes no sense: exit 2.
    Usage,
    /// A file that a person wrote is wrong: exit 3.
    User,
    /// A guard refused to go on: exit 4.
    Guard,
    /// Repository, registry, cluster or disk failed: exit 5.
    Environment,
    /// Something could not be read or checked: exit 6.
    Incomplete,
    /// A defect of this program: exit 6, since nothing was proved.
    Internal,
}

/// A failure that a person can act on: what, why (causes) and what next (hints).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

/// The result of anything that may fail with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of the given kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// The command line or the question makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A file that a person wrote is wrong.
    pub fn user(message: impl Into<String>) -> Self {
        Self::new(Kind::User, message)
    }

    /// A guard refused to go on.
    pub fn guard(message: impl Into<String>) -> Self {
        Self::new(Kind::Guard, message)
    }

    /// Repository, registry, cluster or disk failed.
    pub fn environment(message: impl Into<String>) -> Self {
        Self::new(Kind::Environment, message)
    }

    /// Something could not be read or checked.
    pub fn incomplete(message: impl Into<String>) -> Self {
        Self::new(Kind::Incomplete, message)
    }

    /// A defect of this program.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
            .hint("this is a defect of tenantry: please report it with the command line and the files involved")
    }

    /// Adds why it happened, nearest cause first.
    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The kind of this failure.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Why it happened, nearest cause first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// What to do next, in the order in which to try it.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The exit code of the program when this failure ends it.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage => exit::USAGE,
            Kind::User => exit::INVALID,
            Kind::Guard => exit::GUARD,
            Kind::Environment => exit::ENVIRONMENT,
            Kind::Incomplete | Kind::Internal => exit::INCOMPLETE,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, "\n  because: {cause}")?;
        }
        for hint in &self.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incomplete_and_internal_never_exit_zero() {
        for error in [Error::incomplete("x"), Error::internal("x")] {
            assert_eq!(error.exit_code(), exit::INCOMPLETE);
        }
    }

    #[test]
    fn prints_what_why_and_next() {
        let error = Error::environment("cannot open rendered").cause("no such folder").hint("run `tenantry render`");
        assert_eq!(error.to_string(), "cannot open rendered\n  because: no such folder\n  hint: run `tenantry render`");
    }
}
