//! Renders the plan into units of canonical manifests.
//!
//! A unit is a folder that is synced and removed as a whole: the control plane of a cluster, a tenant, and what tells
//! Flux or Argo CD to sync both. Every unit carries the digest of all it is rendered from; a unit whose digest is
//! recorded in the output already need not be rendered again.

mod backend;
mod engine;
mod gitops;
mod helm;
mod network;
mod secrets;
mod shape;
mod system;
mod tenant;
mod unit;
mod values;

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde_json::Value;

pub use engine::{Rendered, Templates};
pub use unit::{FileContent, RenderedUnit};

use crate::finding::Finding;
use crate::manifest::{Digest, ObjectId};
use crate::plan::{ClusterPlan, Plan, TenantPlan, names};

/// A unit that is to be rendered: its values and the digest of all that it depends on.
#[derive(Debug)]
pub struct Job<'a> {
    /// Path of its folder.
    pub path: String,
    /// Tenant that it belongs to.
    pub tenant: Option<&'a str>,
    /// Digest of everything that it is rendered from.
    pub inputs: Digest,
    plan: &'a Plan<'a>,
    cluster: &'a ClusterPlan<'a>,
    of: Of<'a>,
    context: Value,
}

#[derive(Debug, Clone, Copy)]
enum Of<'a> {
    System,
    Gitops,
    Tenant(&'a TenantPlan<'a>),
}

/// Every unit of the fleet, in order, with the digest of its inputs: the program's version, the templates and every
/// value that the templates see.
pub fn jobs<'a>(plan: &'a Plan<'a>, templates: &Templates, version: &str) -> Vec<Job<'a>> {
    let mut units: Vec<(String, Option<&'a str>, &'a ClusterPlan<'a>, Of<'a>)> = Vec::new();
    for cluster in &plan.clusters {
        let name = cluster.cluster.name.as_str();
        units.push((names::system_unit(name), None, cluster, Of::System));
        units.push((gitops::unit_path(plan.fleet, name), None, cluster, Of::Gitops));
        for (slug, tenant) in &cluster.tenants {
            units.push((names::tenant_unit(name, slug), Some(*slug), cluster, Of::Tenant(tenant)));
        }
    }
    let templates = templates.digest();
    let job = |(path, tenant, cluster, of): (String, Option<&'a str>, &'a ClusterPlan<'a>, Of<'a>)| {
        let context = match of {
            Of::System => system::context(plan.fleet, cluster),
            Of::Gitops => gitops::context(plan.fleet),
            Of::Tenant(tenant) => tenant::context(plan.fleet, cluster, tenant),
        };
        let mut job = Job { path, tenant, inputs: Digest::of(b""), plan, cluster, of, context };
        job.inputs = job.digest(version, &templates);
        job
    };
    let mut jobs: Vec<Job<'a>> = units.into_par_iter().map(job).collect();
    jobs.sort_by(|a, b| a.path.cmp(&b.path));
    jobs
}

impl Job<'_> {
    /// Renders the unit.
    ///
    /// # Errors
    /// Templates that fail, or that yield other objects than were announced.
    pub fn render(&self, templates: &Templates) -> Result<RenderedUnit, Vec<Finding>> {
        let tenant = self.tenant.map(str::to_owned);
        let mut unit = unit::render(templates, self.path.clone(), tenant, self.inputs, &self.context, self.families())?;
        if matches!(self.of, Of::System) {
            unit.files.extend(self.admission());
        }
        Ok(unit)
    }

    fn families(&self) -> Vec<unit::Family> {
        let fleet = self.plan.fleet;
        match self.of {
            Of::System => system::families(fleet, self.cluster, &self.context),
            Of::Gitops => gitops::families(fleet, self.cluster),
            Of::Tenant(tenant) => tenant::families(fleet, tenant, &self.context),
        }
    }

    /// The fleet's admission policies, shipped as they are.
    fn admission(&self) -> Option<(String, FileContent)> {
        use crate::config::install::AdmissionEngine;
        let fleet = self.plan.fleet;
        if fleet.install.admission.engine == AdmissionEngine::None || fleet.policies.is_empty() {
            return None;
        }
        let objects = fleet.policies.iter().map(|policy| policy.value.clone()).collect();
        Some(("admission.yaml".into(), FileContent::Objects(objects)))
    }

    /// The context and what the families add to it are all that the templates see.
    fn digest(&self, version: &str, templates: &Digest) -> Digest {
        let context = self.context.to_string();
        let extras: Vec<String> = self.families().iter().map(unit::Family::fingerprint).collect();
        let admission = self.admission().map(|(_, content)| content.text()).unwrap_or_default();
        let mut parts: Vec<&[u8]> =
            vec![version.as_bytes(), templates.as_bytes(), context.as_bytes(), admission.as_bytes()];
        parts.extend(extras.iter().map(String::as_bytes));
        Digest::of_parts(parts)
    }
}

/// Objects that two units would both own.
pub fn duplicates(units: &[RenderedUnit]) -> Vec<Finding> {
    let mut owners: BTreeMap<ObjectId, &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for unit in units {
        // Units of different clusters never meet.
        let cluster = unit.path.split('/').nth(1).unwrap_or_default();
        for object in unit.files.values().flat_map(FileContent::identities) {
            let key = ObjectId { api_version: format!("{cluster} {}", object.api_version), ..object.clone() };
            if let Some(owner) = owners.insert(key, &unit.path) {
                let message = format!("{object} is rendered twice: in {owner} and in {}", unit.path);
                findings.push(Finding::invalid("render/duplicate", message).object(object.to_string()));
            }
        }
    }
    findings
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::source::Source;

    /// The fleet of this repository.
    pub(crate) fn fleet() -> crate::config::Fleet {
        let source = source();
        let (fleet, findings) = crate::config::parse(&source);
        fleet.unwrap_or_else(|| panic!("{findings:#?}"))
    }

    pub(crate) fn source() -> Source {
        crate::source::load(std::path::Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn every_unit_of_this_repository_renders() {
        let fleet = fleet();
        let (plan, findings) = crate::plan::plan(&fleet, &source());
        let plan = plan.unwrap_or_else(|| panic!("{findings:#?}"));
        let templates = Templates::load([]).unwrap();
        let jobs = jobs(&plan, &templates, "0");
        assert_eq!(jobs.len(), 8 + 4);
        for job in &jobs {
            let unit = job.render(&templates).unwrap_or_else(|findings| panic!("{}: {findings:#?}", job.path));
            assert!(!unit.files.is_empty());
        }
    }
}
