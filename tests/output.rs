//! The output edge against real Git: what is committed, refused, recovered.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "output/branch.rs"]
mod branch;
#[path = "output/directory.rs"]
mod directory;
#[path = "output/fixture.rs"]
mod fixture;
