//! Secrets: the inventory of what exists, and the search for what must not. Never a value.

pub mod due;
pub mod inventory;
pub mod leak;
pub mod rotation;
pub mod rows;

pub use inventory::{INVENTORY, Origin, Row, Scope};
