//! What is proved before anything is committed: the rules, access to Secrets, secret material, consistency, reports.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by its panic"
)]

#[path = "support/chromium.rs"]
mod chromium;
#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/tools.rs"]
mod tools;

#[path = "proof/access.rs"]
mod access;
#[path = "proof/leaks.rs"]
mod leaks;
#[path = "proof/pages.rs"]
mod pages;
#[path = "proof/reports.rs"]
mod reports;
#[path = "proof/rules.rs"]
mod rules;
