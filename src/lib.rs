//! `tenantry` renders a fleet of MSSP tenants into Kubernetes manifests, proves them, commits them, and tells what drifted.

pub mod network;
