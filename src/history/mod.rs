//! The repository that a fleet lies in: commits of changes, and what happened before.

mod branch;
mod events;
mod leaves;
mod log;
mod tree;

pub(crate) use branch::draft;
pub use branch::{Ground, Place};
pub use events::Happening;
pub use leaves::leaves_since;
pub use log::{Event, Outputs, Question, log};
