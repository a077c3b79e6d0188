//! The output edge against real Git: what is committed, refused, recovered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "output/branch.rs"]
mod branch;
#[path = "output/clone.rs"]
mod clone;
#[path = "output/directory.rs"]
mod directory;
#[path = "output/faults.rs"]
mod faults;
#[path = "output/fixture.rs"]
mod fixture;
#[path = "output/http.rs"]
mod http;
#[path = "support/identity.rs"]
mod identity;
#[path = "output/kills.rs"]
mod kills;
#[path = "output/remote.rs"]
mod remote;
#[path = "output/writers.rs"]
mod writers;
