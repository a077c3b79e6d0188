//! Live state against the committed tree: what differs, which way, how bad, and what could not be judged.

pub mod builtin;
pub mod crd;
pub mod duration;
pub mod kind;
pub mod node;
pub mod quantity;
pub mod shape;
