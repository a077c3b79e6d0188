//! Kubernetes manifests: identity of objects, the rendered tree.

pub mod object;
pub mod tree;

pub use object::{IdRef, ObjectId};
pub use tree::{Changes, Digest, PROVENANCE, Provenance, Unit};
