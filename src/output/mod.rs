//! The output edge: writes what was verified into a Git branch or a directory, as a whole or not at all.
//!
//! Read from the top: [`Target`] says where to, [`Repo`] is a repository (its own, a clone, a bare one, or one behind a
//! URL), [`Baseline`] is what it holds, [`Repo::commit`] makes one commit of [`Verified`](crate::check::Verified) changes
//! on it, [`publish`] plans again when somebody else was faster, and [`dir`] does the same to plain files.
//!
//! Promises: only files that a unit's provenance lists are replaced or removed; a file of ours that somebody edited is
//! an [`Edit`] and stops the write; the branch moves by compare-and-swap and is never forced; killed at any instant,
//! the branch is at the old commit or at the new one, and the next run clears away what was left.

mod baseline;
mod before;
mod cache;
mod checkout;
mod commit;
mod compose;
mod delta;
pub mod dir;
mod fault;
mod files;
mod held;
mod lock;
mod message;
mod pack;
mod refs;
mod remote;
mod repo;
mod sign;
mod target;
mod tree;
mod units;

pub use held::{Held, HeldFile, HeldUnit, Record, hold};
pub use message::{Identity, Message, Time};
pub use repo::{Committed, Options, Outcome, Repo, WorkTree, fetch, publish};
pub use sign::Signature;
pub use target::{Location, Target};
pub use units::{Baseline, Edit, EditKind, Edits, Intact, Recorded};
