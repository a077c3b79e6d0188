//! Kubernetes manifests: identity of objects, the rendered tree.

pub mod hashed;
pub mod object;
pub mod statement;
pub mod tree;

pub use hashed::ByHash;
pub use object::{IdRef, ObjectId};
pub use statement::STATEMENT;
pub use tree::{Changes, Digest, PROVENANCE, Provenance, Unit};
