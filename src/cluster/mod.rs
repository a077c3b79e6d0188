//! The edge to Kubernetes: reading live objects from an API server or from a saved dump, and the committed tree from Git.
//!
//! Nothing here writes. Everything is bounded: attempts, waiting, bytes under way.

pub mod api;
pub mod check;
pub mod connect;
pub mod describe;
pub mod discover;
pub mod dump;
pub mod list;
pub mod tree;

pub use api::{Api, ApiError, Limits};
pub use check::{CheckOptions, check};
pub use connect::{Target, connect};
pub use describe::{Described, describe};
