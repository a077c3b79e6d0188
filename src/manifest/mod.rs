//! Kubernetes manifests: identity of objects, canonical YAML, the rendered tree.

pub mod tree;

pub use tree::{Changes, Digest, PROVENANCE, Provenance, Unit};
