//! How much there is: what `install.yaml` declares, else what is known to work.

use super::Resource;
use crate::config::Install;
use crate::config::capacity::Capacity;
use crate::config::install::GitopsEngine;
use crate::config::quantity::{self, Milli};
use crate::config::types::Quantity;

/// How much there is of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// In thousandths.
    pub amount: Milli,
    /// Who says so.
    pub basis: Basis,
    /// The field of `install.yaml` that says so, or would.
    pub pointer: String,
}

/// Who says how much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// `install.yaml`: beyond it nothing fits.
    Declared,
    /// What others measured or promise; the source in words. Beyond it things may work, and nobody has seen it.
    Known(&'static str),
}

/// Source of the thresholds of Kubernetes itself.
const THRESHOLDS: &str = "Kubernetes' scalability thresholds";
/// Source of what one Flux controller was measured with: 1,000 HelmReleases were upgraded in 8 minutes.
const FLUX: &str = "the largest of Flux's own benchmarks (1,000 releases upgraded by one controller in 8 minutes)";
/// Source of what Argo CD's documentation speaks of without changing its controllers' settings.
const ARGO: &str = "Argo CD's documentation, which raises its controller's processors at 1,000 applications";
/// Source of etcd's default.
const ETCD: &str = "etcd's default of 2 GiB (--quota-backend-bytes)";

/// How much a cluster has of a resource; none if nothing bounds it.
pub fn limit(install: &Install, index: usize, resource: Resource) -> Option<Limit> {
    let cluster = install.clusters.get(index)?;
    let capacity = cluster.capacity.clone().unwrap_or_default();
    let at = |field: &str| match cluster.capacity {
        Some(_) => format!("/clusters/{index}/capacity/{field}"),
        None => format!("/clusters/{index}"),
    };
    let (field, declared) = declared(&capacity, resource);
    if let Some(amount) = declared {
        return Some(Limit { amount, basis: Basis::Declared, pointer: at(field) });
    }
    if resource == Resource::LoadBalancers {
        let size = install.wazuh_ingress.load_balancer.pool_size?;
        let pointer = "/wazuhIngress/loadBalancer/poolSize".to_owned();
        return Some(Limit { amount: Milli::from(size) * 1000, basis: Basis::Declared, pointer });
    }
    let argo = install.gitops.engine == GitopsEngine::Argocd;
    let (amount, source): (Milli, &str) = match resource {
        Resource::Pods => (150_000, THRESHOLDS),
        Resource::Namespaces | Resource::Services => (10_000, THRESHOLDS),
        Resource::Releases if argo => (1_000, ARGO),
        Resource::Releases => (1_000, FLUX),
        Resource::Etcd => (2 << 30, ETCD),
        _ => return None,
    };
    Some(Limit { amount: amount * 1000, basis: Basis::Known(source), pointer: at(field) })
}

/// The field of a cluster's capacity, and what it declares.
fn declared(capacity: &Capacity, resource: Resource) -> (&'static str, Option<Milli>) {
    let quantity = |given: &Option<Quantity>| given.as_ref().and_then(|given| quantity::parse(given.as_str()).ok());
    let promised = |given: &Option<Quantity>| {
        quantity(given).map(|amount| amount * Milli::from(capacity.overcommit_percent.unwrap_or(100)) / 100)
    };
    let number = |given: Option<u32>| given.map(|given| Milli::from(given) * 1000);
    match resource {
        Resource::Cpu => ("cpu", promised(&capacity.cpu)),
        Resource::Memory => ("memory", promised(&capacity.memory)),
        Resource::Storage => ("storage", quantity(&capacity.storage)),
        Resource::Pods => ("pods", number(capacity.pods)),
        Resource::PersistentVolumeClaims => ("persistentVolumeClaims", number(capacity.persistent_volume_claims)),
        Resource::LoadBalancers => ("loadBalancers", number(capacity.load_balancers)),
        Resource::Namespaces => ("namespaces", number(capacity.namespaces)),
        Resource::Services => ("services", number(capacity.services)),
        Resource::Releases => ("releases", number(capacity.releases)),
        Resource::Etcd => ("etcd", quantity(&capacity.etcd)),
        Resource::EdgePorts => ("", None),
    }
}
