//! ValidatingAdmissionPolicies evaluated without a cluster.
//!
//! ```text
//! policy    objects → policies with their bindings, compiled
//! matching  which objects and operations a policy is about
//! evaluate  policy, object → allowed, refused with a message, or not checkable
//! cases     objects that a policy must allow or refuse
//! ```

mod cases;
mod evaluate;
mod isolation;
mod matching;
mod policy;

pub use cases::{Case, USER, read_case};
pub use evaluate::{Asked, Subject, Verdict, labels_of_namespace};
pub use isolation::{MANAGED, is_default_deny, is_managed};
pub use matching::Resource;
pub use policy::{Action, Policy, SERVER_ONLY, policies};
