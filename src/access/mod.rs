//! Who can read which Secret: what the rendered RBAC grants, what a grant amounts to, and what the inventory wants.
//!
//! Roles and bindings are joined into [`Grant`]s (one a binding, subject and rule), as the API server's RBAC authorizer does
//! it: rights only add up. A grant is judged by itself, so that the cost is linear in the fleet: against the readers that
//! the inventory names, and against the duties of the accounts that need more. Questions ([`readers`], [`reach`]) follow
//! escalations as well: who may run a pod as an account can do what the account can.
//!
//! Source: Kubernetes documentation, *Using RBAC Authorization* and *Role Based Access Control Good Practices*.

mod answer;
mod duties;
mod escalation;
mod expected;
mod holding;
mod judge;
mod mounts;
mod rbac;
mod rule;
mod subject;

pub use answer::{DirectReaders, Reached, Reader, Way, direct_readers, reach, readers};
pub use duties::reason;
pub use duties::{Outsider, outsiders};
pub use escalation::Act;
pub use expected::{Expected, expected};
pub use holding::{Holding, Holdings, Rights, holdings};
pub use judge::{Fault, FaultKind, judge};
pub use mounts::{Mount, mounts};
pub use rbac::{Grant, Grants, Unresolved};
pub use rule::Rule;
pub use subject::Subject;
