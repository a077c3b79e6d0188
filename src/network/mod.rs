//! What may talk to what: reachability over Kubernetes manifests, and proofs about it.

mod addresses;
mod builder;
mod capacity;
mod cilium;
mod cilium_peers;
mod cilium_ports;
mod claims;
mod classes;
mod connections;
mod decide;
mod diff;
mod documents;
mod explain;
mod fault;
pub mod format;
mod fqdn;
mod identity;
mod index;
mod input;
mod kubernetes;
mod label;
mod lints;
mod model;
mod names;
mod objects;
mod outside;
mod party;
pub mod picture;
mod policy;
mod ports;
mod proof;
mod prove;
mod ranges;
mod rbac;
mod reach;
mod reader;
mod selector;
mod settings;
mod stand_in;
mod witness;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod testing;

pub use capacity::{Capacity, DEFAULT_ENTRIES, MOST_ENTRIES, MOST_IDENTITIES};
pub use claims::{
    Addresses, Assume, Claim, Claims, Class, EntityName, Flow, Group, Isolation, NamesClass, NotPorts, OneOrMore,
    OutsideClass, PortRange, Powerless, Quantity,
};
pub use connections::{Connection, Filter, INGRESS_CONTROLLER, connections, for_each_connection};
pub use decide::Reason;
pub use diff::{Change, ChangeKind, diff};
pub use documents::{FileLines, documents};
pub use explain::{End, Explanation, RuleRef, SideReport, UnknownEnd, explain};
pub use identity::{LabelFilter, UnsupportedPattern};
pub use input::{LineIndex, Place, Refusal, Refusals, Source};
pub use lints::{Severity, Violation, lints};
pub use model::{Model, Size};
pub use policy::{Direction, Entity};
pub use ports::{PortSet, Protocol};
pub use proof::{Proof, prove, standing_assumptions};
pub use prove::{ClaimVerdict, Verdict};
pub use rbac::Power;
pub use settings::{CiliumVersion, NotAVersion, Profile, Resolver, Settings, StandIn, StandInPort};
pub use witness::Witness;
