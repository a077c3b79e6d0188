//! Where every decided value came from.

use std::fmt;

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A field of the tenant's own file (JSON pointer).
    Tenant(String),
    /// A field of `install.yaml` (JSON pointer).
    Install(String),
    /// A sizing profile.
    Profile(&'static str),
    /// A rule of this program, in words.
    Derived(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(pointer) => write!(f, "tenant file {pointer}"),
            Self::Install(pointer) => write!(f, "install.yaml {pointer}"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Derived(rule) => write!(f, "derived: {rule}"),
        }
    }
}

/// Hears of every decision while a tenant is resolved.
pub trait Record {
    /// A field of the plan has this value because of that origin.
    fn note(&mut self, field: fmt::Arguments<'_>, value: &dyn fmt::Display, origin: impl FnOnce() -> Origin);
}

/// Hears nothing: for renders.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Record for Silent {
    fn note(&mut self, _: fmt::Arguments<'_>, _: &dyn fmt::Display, _: impl FnOnce() -> Origin) {}
}

/// Keeps everything: for `show --origin`.
#[derive(Debug, Clone, Default)]
pub struct Journal(pub Vec<Decision>);

/// A field, its value and where the value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Dotted path in the plan.
    pub field: String,
    /// Value as text.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl Record for Journal {
    fn note(&mut self, field: fmt::Arguments<'_>, value: &dyn fmt::Display, origin: impl FnOnce() -> Origin) {
        self.0.push(Decision { field: field.to_string(), value: value.to_string(), origin: origin() });
    }
}
