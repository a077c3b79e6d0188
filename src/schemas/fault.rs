//! What is wrong with a value, as data.

use super::place::Place;

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// A field that the kind does not have: the API server drops or refuses it.
    UnknownField,
    /// A field that must be there.
    MissingField,
    /// A value of another type.
    Type,
    /// A value of the right type that is not allowed: choices, pattern, format, range, length.
    Value,
    /// An item that is there twice in a list that tells its items apart.
    Duplicate,
    /// A rule in CEL does not hold.
    Rule,
    /// The schema asks for what cannot be checked here.
    NotCheckable,
}

/// One thing that is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where in the object.
    pub place: Place,
    /// What kind.
    pub kind: FaultKind,
    /// What is wrong, in one line, without the value.
    pub message: String,
    /// What would be right.
    pub expected: Option<String>,
    /// What is there; never anything that could be a secret.
    pub found: Option<String>,
}

impl Fault {
    /// A fault at a place.
    pub fn new(place: &Place, kind: FaultKind, message: impl Into<String>) -> Self {
        Self { place: place.clone(), kind, message: message.into(), expected: None, found: None }
    }

    /// Says what would be right.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Says what is there.
    #[must_use]
    pub fn found(mut self, found: Option<String>) -> Self {
        self.found = found;
        self
    }
}
