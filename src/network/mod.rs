//! What may talk to what: reachability over Kubernetes manifests, and proofs about it.

mod addresses;
mod builder;
mod cilium;
mod cilium_peers;
mod cilium_ports;
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
mod model;
mod names;
mod objects;
mod outside;
mod party;
mod policy;
mod ports;
mod ranges;
mod rbac;
mod reach;
mod reader;
mod selector;
mod settings;
mod stand_in;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod testing;

pub use connections::{Connection, Filter, INGRESS_CONTROLLER, connections, for_each_connection};
pub use decide::Reason;
pub use diff::{Change, ChangeKind, diff};
pub use documents::documents;
pub use explain::{End, Explanation, RuleRef, SideReport, UnknownEnd, explain};
pub use identity::{LabelFilter, UnsupportedPattern};
pub use input::{LineIndex, Place, Refusal, Refusals, Source};
pub use model::{Model, Size};
pub use policy::{Direction, Entity};
pub use ports::{PortSet, Protocol};
pub use settings::{CiliumVersion, NotAVersion, Profile, Resolver, Settings, StandIn, StandInPort};

/// Placeholder.
#[derive(Debug)]
pub struct L {
    pub rule: &'static str,
}
/// Placeholder.
pub fn lints(model: &Model) -> Vec<L> {
    model.notes.iter().map(|n| L { rule: n.rule }).collect()
}
