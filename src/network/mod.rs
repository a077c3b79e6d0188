//! What may talk to what: reachability over Kubernetes manifests, and proofs about it.

mod addresses;
mod builder;
mod cilium;
mod cilium_peers;
mod cilium_ports;
mod classes;
mod decide;
mod fault;
mod fqdn;
mod identity;
mod index;
mod input;
mod kubernetes;
mod label;
mod model;
mod names;
mod objects;
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

pub use identity::{LabelFilter, UnsupportedPattern};
pub use input::{LineIndex, Place, Refusal, Refusals, Source};
pub use model::{Model, Size};
pub use policy::{Direction, Entity};
pub use settings::{CiliumVersion, NotAVersion, Profile, Resolver, Settings, StandIn, StandInPort};
