//! The edge to Kubernetes: reading live objects from an API server or from a saved dump, and the committed tree from Git.
//!
//! Nothing here writes but [`announce`], which must be asked for. Everything is bounded: attempts, waiting, bytes under way.

pub mod announce;
pub mod api;
pub mod check;
pub mod connect;
pub mod decided;
pub mod describe;
pub mod discover;
pub mod dump;
pub mod follow;
pub mod follower;
pub mod generation;
pub mod list;
mod publish;
pub mod stream;
pub mod tree;
pub mod view;
pub mod watch;

pub use api::{Api, ApiError, Limits};
pub use check::{CheckOptions, check};
pub use connect::{Target, connect};
pub use describe::{Described, describe};
