//! `tenantry` renders a fleet of MSSP tenants into Kubernetes manifests, proves them, commits them, and tells what drifted.

pub mod config;
pub mod error;
pub mod finding;
pub mod manifest;
pub mod network;
pub mod plan;
pub mod secrets;
pub mod source;
pub mod yaml;
