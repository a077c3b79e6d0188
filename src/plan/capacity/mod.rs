//! What the tenants of a cluster ask of it, against what it has: numbers, no verdicts.
//!
//! A limit is declared in `install.yaml` or, where nothing is declared, what is known to work: published thresholds and
//! measurements of others, each with its source. Everything follows from the plan, so it costs no render.

mod limits;
mod needs;

use std::collections::BTreeMap;

use serde::Serialize;

pub use limits::{Basis, Limit};
pub use needs::Need;

use super::{ClusterPlan, Plan};
use crate::config::install::{GitopsEngine, PortRange};
use crate::config::quantity::{self, Milli};

/// Share of a limit from which on it is told, in percent.
pub const NEARLY: Milli = 90;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Resource {
    /// Cores that quotas may request.
    Cpu,
    /// Memory that quotas may request.
    Memory,
    /// Disk that quotas may claim.
    Storage,
    /// Pods of the quotas.
    Pods,
    /// Disks of the quotas.
    PersistentVolumeClaims,
    /// Addresses of LoadBalancer Services.
    LoadBalancers,
    /// Pairs of ports at the edge.
    EdgePorts,
    /// Namespaces.
    Namespaces,
    /// Services.
    Services,
    /// Releases of a Flux shard, or Applications of Argo CD.
    Releases,
    /// Space in etcd, estimated.
    Etcd,
}

impl Resource {
    /// What is counted, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Cpu => "CPU requests",
            Self::Memory => "memory requests",
            Self::Storage => "storage",
            Self::Pods => "pods",
            Self::PersistentVolumeClaims => "volume claims",
            Self::LoadBalancers => "load balancer addresses",
            Self::EdgePorts => "edge port pairs",
            Self::Namespaces => "namespaces",
            Self::Services => "Services",
            Self::Releases => "releases",
            Self::Etcd => "etcd space (estimated)",
        }
    }

    /// An amount of it, as people write it and Kubernetes reads it; rounded to tenths of cores and gibibytes.
    pub fn amount(self, milli: Milli) -> String {
        let tenths = |milli: Milli, unit: Milli| {
            let tenths = (milli * 10 + unit / 2) / unit;
            if tenths % 10 == 0 { (tenths / 10).to_string() } else { format!("{}.{}", tenths / 10, tenths % 10) }
        };
        let gibibyte = 1000 << 30;
        match self {
            Self::Cpu => tenths(milli, 1000),
            Self::Memory | Self::Storage | Self::Etcd if milli < gibibyte => quantity::bytes(milli),
            Self::Memory | Self::Storage | Self::Etcd => format!("{}Gi", tenths(milli, gibibyte)),
            _ => (milli / 1000).to_string(),
        }
    }
}

/// One resource of one cluster, or of a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage<'a> {
    /// The cluster; none for what the whole fleet shares.
    pub cluster: Option<&'a str>,
    /// What is counted.
    pub resource: Resource,
    /// The part, such as a shard.
    pub part: Option<String>,
    /// What is asked for, in thousandths.
    pub used: Milli,
    /// How much there is, if anything bounds it.
    pub limit: Option<Limit>,
    /// What one more tenant of the default profile asks for; 0 if it asks for none.
    pub each: Milli,
    /// The tenants that ask for most, most first.
    pub most: Vec<(&'a str, Milli)>,
}

/// Tenants that are named as those that ask for most.
const NAMED: usize = 3;

impl Usage<'_> {
    /// What is left; negative if more is asked for than there is.
    pub fn left(&self) -> Option<Milli> {
        self.limit.as_ref().map(|limit| limit.amount - self.used)
    }

    /// Used share in percent, rounded down.
    pub fn percent(&self) -> Option<Milli> {
        let limit = self.limit.as_ref()?;
        Some(if limit.amount == 0 { if self.used > 0 { 1000 } else { 0 } } else { self.used * 100 / limit.amount })
    }

    /// Whether more is asked for than there is.
    pub fn is_exceeded(&self) -> bool {
        self.left().is_some_and(|left| left < 0)
    }

    /// Whether nearly all is asked for.
    pub fn is_nearly_full(&self) -> bool {
        self.used > 0 && self.percent().is_some_and(|percent| percent >= NEARLY)
    }

    /// How many more tenants of the default profile fit.
    pub fn fits(&self) -> Option<Milli> {
        let left = self.left()?;
        (self.each > 0).then(|| (left / self.each).max(0))
    }
}

/// Every resource: the fleet's own, then cluster by cluster in the order of `install.yaml`.
pub fn of_fleet<'a>(plan: &'a Plan<'a>) -> Vec<Usage<'a>> {
    let mut usages: Vec<Usage<'_>> = edge_ports(plan).into_iter().collect();
    for (index, cluster) in plan.clusters.iter().enumerate() {
        usages.extend(of_cluster(plan, index, cluster));
    }
    usages
}

fn of_cluster<'a>(plan: &'a Plan<'a>, index: usize, cluster: &'a ClusterPlan<'a>) -> Vec<Usage<'a>> {
    let newcomer = needs::newcomer(plan.install);
    let needs: Vec<(&str, Need)> = cluster.tenants.iter().map(|(slug, tenant)| (*slug, needs::of(tenant))).collect();
    let own = needs::of_control_plane(plan.install, cluster);
    let usage = |resource: Resource| {
        let mut most: Vec<(&str, Milli)> = needs.iter().map(|(slug, need)| (*slug, need.of(resource))).collect();
        let used = most.iter().map(|(_, amount)| amount).sum::<Milli>() + own.of(resource);
        most.retain(|(_, amount)| *amount > 0);
        most.sort_by_key(|(slug, amount)| (std::cmp::Reverse(*amount), *slug));
        most.truncate(NAMED);
        Usage {
            cluster: Some(cluster.cluster.name.as_str()),
            resource,
            part: None,
            used,
            limit: limits::limit(plan.install, index, resource),
            each: newcomer.of(resource),
            most,
        }
    };
    let resources = [
        Resource::Cpu,
        Resource::Memory,
        Resource::Storage,
        Resource::Pods,
        Resource::PersistentVolumeClaims,
        Resource::LoadBalancers,
        Resource::Namespaces,
        Resource::Services,
        Resource::Etcd,
    ];
    let mut usages: Vec<Usage<'_>> = resources.into_iter().map(usage).collect();
    usages.extend(releases(plan, index, cluster));
    usages
}

/// What one Flux shard reconciles, shard by shard; with Argo CD, what its one controller does.
fn releases<'a>(plan: &'a Plan<'a>, index: usize, cluster: &'a ClusterPlan<'a>) -> Vec<Usage<'a>> {
    let argo = plan.install.gitops.engine == GitopsEngine::Argocd;
    // With Argo CD a tenant is two Applications: its unit, and its release.
    let each = if argo { 2 } else { 1 };
    let mut shards: BTreeMap<Option<String>, Milli> = BTreeMap::from([(None, 1)]);
    if !argo {
        shards.extend(plan.install.gitops.shards.iter().map(|shard| (Some(shard.to_string()), 0)));
    }
    for slug in cluster.tenants.keys() {
        let shard = if argo { None } else { super::shard::of(plan.install, slug) };
        *shards.entry(shard).or_default() += 1;
    }
    let usage = |(part, count): (Option<String>, Milli)| Usage {
        cluster: Some(cluster.cluster.name.as_str()),
        resource: Resource::Releases,
        each: if argo || part.is_some() || plan.install.gitops.shards.is_empty() { each * 1000 } else { 0 },
        part,
        used: count * each * 1000,
        limit: limits::limit(plan.install, index, Resource::Releases),
        most: Vec::new(),
    };
    shards.into_iter().map(usage).collect()
}

/// Pairs of ports at the edge are unique over the fleet, tombstones included.
fn edge_ports<'a>(plan: &'a Plan<'a>) -> Option<Usage<'a>> {
    let range: PortRange = plan.install.wazuh_ingress.edge.as_ref()?.ports;
    let used = plan.fleet.tenants.values().filter(|tenant| tenant.wazuh_ingress.edge_ports.is_some()).count();
    let first = u32::from(range.from) + u32::from(range.from % 2);
    let pairs = (u32::from(range.to) + 1).saturating_sub(first) / 2;
    let is_default = plan.install.defaults.wazuh_ingress_mode == crate::config::tenant::WazuhMode::EdgeHaproxy;
    Some(Usage {
        cluster: None,
        resource: Resource::EdgePorts,
        part: None,
        used: used as Milli * 1000,
        limit: Some(Limit {
            amount: Milli::from(pairs) * 1000,
            basis: Basis::Declared,
            pointer: "/wazuhIngress/edge/ports".into(),
        }),
        each: if is_default { 1000 } else { 0 },
        most: Vec::new(),
    })
}

#[cfg(test)]
mod tests;
