//! YAML in and out. Reading keeps the place of every node; writing has one canonical form.
//!
//! Nothing else in the crate knows which YAML library stands behind.

mod emit;
mod outline;
mod parse;

#[cfg(test)]
pub(crate) use emit::tests::tree as any_tree;
pub use emit::{Emitter, Place, Sink, emit_documents, is_printable, plain_is_safe, quoted};
pub use outline::{Pair, Parts, Piece, Style, outline};
pub use parse::{Document, Entry, Limits, Node, Span, SyntaxError, Value, parse};

/// Bytes of a key that is surely on one line with its value: YAML allows 1,024 characters from its beginning to the colon.
pub const LONGEST_KEY: usize = 500;
