//! The output edge against real Git: what is committed, refused, recovered.

#[path = "output/branch.rs"]
mod branch;
#[path = "output/fixture.rs"]
mod fixture;
