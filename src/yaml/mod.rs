//! YAML in and out. Reading keeps the place of every node; writing has one canonical form.
//!
//! Nothing else in the crate knows which YAML library stands behind.

mod emit;
mod parse;

pub use emit::{Emitter, Place, Sink, emit_documents, plain_is_safe};
pub use parse::{Document, Entry, Limits, Node, Span, SyntaxError, Value, parse};
