//! Decides every value of the fleet: defaults, sizes, quota, names, versions. Nothing further in decides anything.

pub mod budget;
pub mod capacity;
pub mod compat;
pub mod edge;
pub mod lifecycle;
pub mod names;
pub mod origin;
pub mod shard;
pub mod sizing;
mod tenant;
pub mod vanished;
pub mod waves;

use std::collections::BTreeMap;

use rayon::prelude::*;

pub use origin::{Decision, Journal, Origin, Record, Silent};
pub use tenant::{ExternalHost, TenantPlan, resolve};

use crate::config::install::{Cluster, Install};
use crate::config::tenant::Tenant;
use crate::config::types::Version;
use crate::config::{self, Fleet};
use crate::finding::{Finding, Location, any_error};
use crate::memo::Memo;
use crate::source::Source;
use crate::yaml::Span;

/// The fleet with every value decided.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// The install.
    pub install: &'a Install,
    /// The files that it was decided from.
    pub fleet: &'a Fleet,
    /// Clusters with what runs there, in the order of `install.yaml`.
    pub clusters: Vec<ClusterPlan<'a>>,
}

/// A cluster with what runs there.
#[derive(Debug, Clone)]
pub struct ClusterPlan<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Version of soctalk-system.
    pub system_version: &'a Version,
    /// Tenants that are rendered, by slug.
    pub tenants: BTreeMap<&'a str, TenantPlan<'a>>,
}

/// Decides the whole fleet. All findings are returned; the plan only if none is an error.
pub fn plan<'a>(fleet: &'a Fleet, source: &Source) -> (Option<Plan<'a>>, Vec<Finding>) {
    plan_with(fleet, source, &Memo::default())
}

/// Decides the whole fleet. What the memo knows of places in tenants' files is not looked for again.
pub fn plan_with<'a>(fleet: &'a Fleet, source: &Source, memo: &Memo) -> (Option<Plan<'a>>, Vec<Finding>) {
    let mut findings = edge::check(fleet);
    findings.extend(unique(fleet));
    let mut clusters: BTreeMap<&str, ClusterPlan<'a>> = BTreeMap::new();
    for cluster in &fleet.install.clusters {
        let system_version = cluster.system_version.as_ref().unwrap_or(&fleet.install.charts.system_version);
        clusters.insert(cluster.name.as_str(), ClusterPlan { cluster, system_version, tenants: BTreeMap::new() });
    }
    let one = |tenant: &'a Tenant| {
        let cluster = clusters.get(tenant.tenant.cluster.as_str())?;
        Some(resolve(fleet, cluster.cluster, cluster.system_version, tenant, &mut Silent))
    };
    let resolved: Vec<_> = fleet.tenants.par_iter().map(|(_, tenant)| one(tenant)).collect();
    for ((slug, tenant), resolved) in fleet.tenants.iter().zip(resolved) {
        let name = tenant.tenant.cluster.as_str();
        let (Some(cluster), Some((plan, found))) = (clusters.get_mut(name), resolved) else {
            let known: Vec<String> = fleet.install.clusters.iter().map(|cluster| cluster.name.to_string()).collect();
            let finding = Finding::invalid(
                "plan/cluster",
                format!("tenant {slug} is on cluster {name}, which install.yaml does not know"),
            );
            let hint = config::schema::nearest(name, &known).map(|near| format!("did you mean `{near}`?"));
            let finding = finding.tenant(slug).path("/tenant/cluster").expected(format!("one of {}", known.join(", ")));
            findings.push(match hint {
                Some(hint) => finding.hint(hint),
                None => finding,
            });
            continue;
        };
        findings.extend(found);
        if let Some(plan) = plan {
            cluster.tenants.insert(slug, plan);
        }
    }
    place(&mut findings, fleet, source, memo);
    findings.sort();
    if any_error(&findings) {
        return (None, findings);
    }
    let order = fleet.install.clusters.iter().filter_map(|cluster| clusters.remove(cluster.name.as_str())).collect();
    (Some(Plan { install: &fleet.install, fleet, clusters: order }), findings)
}

/// Gives every finding that names a tenant and a field its place in the tenant's file.
pub fn place(findings: &mut [Finding], fleet: &Fleet, source: &Source, memo: &Memo) {
    findings.par_iter_mut().for_each(|finding| {
        if finding.location.is_none()
            && let Some(slug) = &finding.tenant
        {
            let (file, pointer) = (config::tenant_file(slug), finding.path.as_deref().unwrap_or_default());
            let text = fleet.texts.get(slug);
            let known = text.and_then(|text| memo.place(slug, pointer, text));
            finding.location = Some(known.map_or_else(
                || {
                    let place = config::locate(source, &file, pointer);
                    if let Some(text) = text {
                        let (line, column, length) = (place.line, place.column, place.length);
                        memo.learn_place(slug, pointer, *text, Span { line, column, length });
                    }
                    place
                },
                |span| Location::new(&file, span),
            ));
        }
    });
}

/// Ids belong to one tenant for ever. (Slugs are unique by their file names, host names by their slugs.)
fn unique(fleet: &Fleet) -> Vec<Finding> {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for (slug, tenant) in &fleet.tenants {
        if let Some(owner) = owners.insert(tenant.tenant.id.as_str(), slug) {
            let finding = Finding::invalid("plan/duplicate-id", format!("tenants {owner} and {slug} have the same id"));
            findings.push(
                finding.tenant(slug).path("/tenant/id").hint("mint a new one for the younger of the two: uuidgen"),
            );
        }
    }
    findings
}
