//! Live state against the committed tree: what differs, which way, how bad, and what could not be judged.

pub mod builtin;
mod canonical;
pub mod catalog;
pub mod change;
pub mod changeset;
pub mod classify;
pub mod compare;
pub mod crd;
pub mod desired;
pub mod diff;
pub mod duration;
pub mod elsewhere;
pub mod exempt;
pub mod explain;
pub mod extras;
pub mod filter;
pub mod kind;
pub mod kustomization;
pub mod locate;
pub mod managed;
pub mod mask;
pub mod node;
pub mod page;
pub mod quantity;
pub mod shape;
pub mod track;
pub mod yaml;
