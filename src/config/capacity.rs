//! What a cluster can hold, and what it brings: facts of the platform that no manifest tells.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::types::{Label, Quantity, Text};

/// What tenants may ask of a cluster in all. What is not said is not bounded, or by what is known to work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capacity {
    /// Cores that the tenants' quotas may request in all.
    #[serde(default)]
    pub cpu: Option<Quantity>,
    /// Memory that they may request.
    #[serde(default)]
    pub memory: Option<Quantity>,
    /// Disk that they may claim.
    #[serde(default)]
    pub storage: Option<Quantity>,
    /// Pods that they may run; what Kubernetes is tested with if absent.
    #[serde(default)]
    pub pods: Option<u32>,
    /// Disks that they may have.
    #[serde(default)]
    pub persistent_volume_claims: Option<u32>,
    /// Addresses for Services of type LoadBalancer here; `wazuhIngress.loadBalancer.poolSize` if absent.
    #[serde(default)]
    pub load_balancers: Option<u32>,
    /// Namespaces; what Kubernetes is tested with if absent.
    #[serde(default)]
    pub namespaces: Option<u32>,
    /// Services; what Kubernetes is tested with if absent.
    #[serde(default)]
    pub services: Option<u32>,
    /// Releases that one Flux shard, or Applications that Argo CD, was sized for.
    #[serde(default)]
    pub releases: Option<u32>,
    /// Space of etcd (`--quota-backend-bytes`); its default of 2Gi if absent.
    #[serde(default)]
    pub etcd: Option<Quantity>,
    /// How much of cores and memory may be promised, as a percentage of what is there: quotas are ceilings that not all
    /// tenants reach at once. 100 if absent.
    #[serde(default)]
    #[schemars(range(min = 100, max = 1000))]
    pub overcommit_percent: Option<u16>,
}

/// An object that the platform brings and nothing here renders: what may be referred to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provided {
    /// Kind, such as `StorageClass`.
    pub kind: Text,
    /// Name.
    pub name: Text,
    /// Namespace; every one if absent.
    #[serde(default)]
    pub namespace: Option<Label>,
    /// Clusters that have it; all if empty.
    #[serde(default)]
    pub clusters: Vec<Label>,
    /// Who brings it, for people.
    #[serde(default)]
    pub by: Option<Text>,
}
