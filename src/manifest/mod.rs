//! Kubernetes manifests: identity of objects, the rendered tree, what vanishes from it.

pub mod hashed;
pub mod object;
pub mod tree;
pub mod vanished;

pub use hashed::ByHash;
pub use object::{IdRef, ObjectId};
pub use tree::{Changes, Digest, PROVENANCE, Provenance, Unit};
