//! The verbs that edit a fleet, with real Git.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so by its panic")]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "life/branches.rs"]
mod branches;
#[path = "life/scratch.rs"]
mod scratch;
