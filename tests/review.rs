//! What a reviewer and an auditor rely on: the difference that a change makes, in real repositories.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by its panic"
)]

#[path = "review/access.rs"]
mod access;
#[path = "review/diff.rs"]
mod diff;
#[path = "review/evidence.rs"]
mod evidence;
#[path = "review/expand.rs"]
mod expand;
#[path = "support/fleet.rs"]
mod fleet;
#[path = "review/live.rs"]
mod live;
#[path = "review/recipes.rs"]
mod recipes;
#[path = "review/scratch.rs"]
mod scratch;
#[path = "support/tools.rs"]
mod tools;
#[path = "review/verify.rs"]
mod verify;
