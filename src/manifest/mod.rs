//! Kubernetes manifests: identity of objects, the rendered tree, what vanishes from it.

pub mod hashed;
pub mod object;
pub mod statement;
pub mod tree;
pub mod vanished;

pub use hashed::ByHash;
pub use object::{IdRef, ObjectId};
pub use statement::STATEMENT;
pub use tree::{Changes, Digest, PROVENANCE, Provenance, Unit};
