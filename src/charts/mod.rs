//! Charts as published things: the archive, the OCI artifact, and the registry that takes it.
//!
//! The same files give the same archive, and the same archive the same manifest: what a push will publish is known, and
//! can be pinned, before anything is pushed.

mod archive;
mod artifact;
mod credentials;
mod destination;
mod helm;
mod registry;

pub use archive::{Archive, pack};
pub use artifact::Artifact;
pub use credentials::Credentials;
pub use destination::Destination;
pub use helm::{Helm, Template};
pub use registry::{Published, Registry, Transport};
