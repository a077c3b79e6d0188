//! The verbs that edit a fleet, its history and the deletion budget, with real Git.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by its panic"
)]

#[path = "life/branches.rs"]
mod branches;
#[path = "life/budget.rs"]
mod budget;
#[path = "support/fleet.rs"]
mod fleet;
#[path = "output/http.rs"]
mod http;
#[path = "support/identity.rs"]
mod identity;
#[path = "life/log.rs"]
mod log;
#[path = "life/refusals.rs"]
mod refusals;
#[path = "life/scratch.rs"]
mod scratch;
#[path = "life/terminal.rs"]
mod terminal;
#[path = "life/whole.rs"]
mod whole;
