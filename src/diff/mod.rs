//! What a change of the fleet does to its manifests: object by object, field by field, folded over the tenants.
//!
//! Two renders of a unit are compared in a form in which the tenant's own names are left out ([`naming`]), so that the same
//! change to ten thousand tenants is one change ([`fold`]). What a change opens or closes is decided by the same tables as
//! for drift.

pub mod access;
pub mod change;
pub mod connections;
mod fence;
pub mod fold;
pub mod naming;
mod rename;
pub mod unit;
mod weigh;
mod workload;

pub use access::{AccessAction, AccessChange};
pub use change::{Action, Area, Change, Direction, Moved, UnitChange};
pub use connections::{Flow, FlowChange};
pub use fold::{Changes, Folded, FoldedAccess, Folder, Sort, Summary, UnitRef, summary};
pub use naming::Naming;
pub use unit::{Comparison, Kinds, Lone, compare, compare_made, joined, tenant_id};
