//! Exemptions: findings and drift that somebody answers for, for a time. They stand in Git and nowhere else.
//!
//! One format serves the gate (`policies/exemptions.yaml` of the fleet) and the drift checker (`exemptions.yaml` in a
//! cluster's folder of the output). What day it is comes from outside.

mod apply;
mod entry;
mod register;

pub use apply::{apply, audit, is_fault};
pub use entry::{Exemption, Exemptions, VerdictName, dotted, matches};
pub use register::{FILE, Held, Register, of_tree};
