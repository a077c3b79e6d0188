//! Renders the plan into units of canonical manifests.
//!
//! A unit is a folder that is synced and removed as a whole: the control plane of a cluster, a tenant, and what tells
//! Flux or Argo CD to sync both. Every unit carries the digest of all it is rendered from; a unit whose digest is
//! recorded in the output already need not be rendered again.

pub mod backend;
mod engine;
mod gitops;
mod helm;
mod network;
pub mod secret_store;
mod secrets;
mod shape;
mod system;
mod tenant;
mod unit;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::Value;

pub use backend::{Owner, RemoteRef, remote};
pub use engine::{Rendered, Templates, embedded_text as embedded};
pub use gitops::unit_path as gitops_unit;
pub use shape::{Held, Shape, fill, hole};
pub use unit::{FileContent, RenderedUnit};

use crate::config::Fleet;
use crate::config::install::AdmissionEngine;
use crate::finding::Finding;
use crate::manifest::{Digest, IdRef, ObjectId};
use crate::memo::{Fact, Memo};
use crate::plan::{ClusterPlan, Plan, TenantPlan, names};
use crate::yaml;

/// A unit that is to be rendered, or to be kept if its inputs are those of the last time.
#[derive(Debug)]
pub struct Job<'a> {
    /// Path of its folder.
    pub path: String,
    /// Tenant that it belongs to.
    pub tenant: Option<&'a str>,
    plan: &'a Plan<'a>,
    cluster: &'a ClusterPlan<'a>,
    of: Of<'a>,
    version: &'a str,
    /// Text of the admission policies, and the digest of the fleet's own schemas.
    admission: Arc<str>,
    /// Digest of the text of the tenant's file; of those of all its tenants where the unit is of a whole cluster.
    texts: Option<Digest>,
    /// Text of the claims about the network. A control plane is rendered again when they change, so that a unit that
    /// stays was proved with the claims of today.
    claims: Arc<str>,
}

#[derive(Debug, Clone, Copy)]
enum Of<'a> {
    System,
    Gitops,
    Tenant(&'a TenantPlan<'a>),
}

/// What earlier runs leave to know of a job.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// Digest of the inputs that the unit in the output was rendered from: the program's version, the templates and
    /// every value that the templates see.
    pub recorded: Option<Digest>,
    /// Digests of inputs that were computed before.
    pub memo: &'a Memo,
    /// Digest of all files of the fleet but the tenants'.
    pub rest: Digest,
}

/// What became of a job.
#[derive(Debug)]
pub enum Made {
    /// The unit was rendered from the same inputs before; this is their digest.
    Kept(Digest),
    /// The unit.
    Rendered(RenderedUnit),
}

/// Every unit of the fleet, in order of path.
pub fn jobs<'a>(plan: &'a Plan<'a>, version: &'a str) -> Vec<Job<'a>> {
    let mut jobs = Vec::new();
    // All of them, shipped or not: a unit that stays was checked against the policies and schemas of today.
    let mut admission = yaml::emit_documents(plan.fleet.policies.iter().map(|policy| &policy.value));
    admission.extend(plan.fleet.schemas.iter().map(|digest| format!("{digest:?}")));
    let admission: Arc<str> = admission.into();
    let claims: Arc<str> = serde_json::to_string(&plan.fleet.claims).unwrap_or_default().into();
    for cluster in &plan.clusters {
        let name = cluster.cluster.name.as_str();
        let text_of = |slug: &&str| plan.fleet.texts.get(*slug).copied();
        let all: Option<Vec<Digest>> = cluster.tenants.keys().map(text_of).collect();
        let all = all.map(|texts| Digest::of_parts(texts.iter().map(|text| text.as_bytes().as_slice())));
        let mut push = |path, tenant: Option<&'a str>, of| {
            let texts = tenant.as_ref().map_or(all, text_of);
            let (admission, claims) = (Arc::clone(&admission), Arc::clone(&claims));
            jobs.push(Job { path, tenant, plan, cluster, of, version, admission, texts, claims });
        };
        push(names::system_unit(name), None, Of::System);
        push(gitops::unit_path(plan.fleet, name), None, Of::Gitops);
        for (slug, tenant) in &cluster.tenants {
            push(names::tenant_unit(name, slug), Some(*slug), Of::Tenant(tenant));
        }
    }
    jobs.sort_by(|a, b| a.path.cmp(&b.path));
    jobs
}

impl Job<'_> {
    /// Renders the unit, unless it was rendered from the same inputs before.
    ///
    /// # Errors
    /// Templates that fail, or that yield other objects than were announced.
    pub fn make(&self, templates: &Templates, before: Before<'_>) -> Result<Made, Vec<Finding>> {
        if let Some(known) = self.known(before.memo, &before.rest).filter(|known| before.recorded == Some(*known)) {
            return Ok(Made::Kept(known));
        }
        let context = self.context();
        let families = self.families(&context);
        let inputs = self.digest(&templates.digest(), &context, &families);
        self.learn(before.memo, before.rest, inputs);
        if before.recorded == Some(inputs) {
            return Ok(Made::Kept(inputs));
        }
        let tenant = self.tenant.map(str::to_owned);
        let mut unit = unit::render(templates, self.path.clone(), tenant, inputs, &context, families)?;
        let policies: Vec<Value> = policies(self.plan.fleet).cloned().collect();
        if matches!(self.of, Of::System) && !policies.is_empty() {
            unit.files.insert("admission.yaml".into(), FileContent::Objects(policies));
        }
        Ok(Made::Rendered(unit))
    }

    /// Digest of the inputs, as [`Job::make`] finds it, without rendering.
    pub fn inputs(&self, templates: &Templates, memo: &Memo, rest: &Digest) -> Digest {
        if let Some(known) = self.known(memo, rest) {
            return known;
        }
        let context = self.context();
        let inputs = self.digest(&templates.digest(), &context, &self.families(&context));
        self.learn(memo, *rest, inputs);
        inputs
    }

    /// Digest of what the inputs follow from beside the rest of the fleet: the text of the tenant's file, or those of all
    /// tenants of the cluster.
    pub fn texts(&self) -> Option<Digest> {
        self.texts
    }

    /// The digest of the inputs, if it was computed before.
    fn known(&self, memo: &Memo, rest: &Digest) -> Option<Digest> {
        match self.of {
            Of::Tenant(_) => memo.inputs(&self.texts?, rest),
            Of::System | Of::Gitops => memo.fact(Fact::Inputs, &self.path, &self.whole(rest)?),
        }
    }

    fn learn(&self, memo: &Memo, rest: Digest, inputs: Digest) {
        match (self.of, self.texts) {
            (Of::Tenant(_), Some(text)) => memo.learn_inputs(text, rest, inputs),
            (Of::Tenant(_), None) => {}
            (Of::System | Of::Gitops, _) => {
                if let Some(whole) = self.whole(&rest) {
                    memo.learn_fact(Fact::Inputs, &self.path, whole, inputs);
                }
            }
        }
    }

    /// Digest of the fleet as a unit of a whole cluster sees it.
    fn whole(&self, rest: &Digest) -> Option<Digest> {
        Some(Digest::of_parts([self.texts?.as_bytes().as_slice(), rest.as_bytes().as_slice()]))
    }

    /// Renders some files of a unit that stays in the output, for what is proved about the whole fleet.
    ///
    /// # Errors
    /// As for [`Job::make`].
    pub fn part(&self, templates: &Templates, wanted: impl Fn(&str) -> bool) -> Result<RenderedUnit, Vec<Finding>> {
        let context = self.context();
        let mut families = self.families(&context);
        families.retain(|family| wanted(family.file()));
        let (path, tenant) = (self.path.clone(), self.tenant.map(str::to_owned));
        unit::render(templates, path, tenant, Digest::of(b""), &context, families)
    }

    /// Everything that the unit's templates see. It lives for one unit only: that of a whole large fleet would not fit
    /// into memory.
    fn context(&self) -> Value {
        match self.of {
            Of::System => system::context(self.plan.fleet, self.cluster),
            Of::Gitops => gitops::context(self.plan.fleet),
            Of::Tenant(tenant) => tenant::context(self.plan.fleet, tenant),
        }
    }

    fn families(&self, context: &Value) -> Vec<unit::Family> {
        let fleet = self.plan.fleet;
        match self.of {
            Of::System => system::families(fleet, self.cluster, context),
            Of::Gitops => gitops::families(fleet, self.cluster),
            Of::Tenant(tenant) => tenant::families(fleet, tenant, context),
        }
    }

    /// The context and what the families add to it are all that the templates see.
    fn digest(&self, templates: &Digest, context: &Value, families: &[unit::Family]) -> Digest {
        let context = context.to_string();
        let extras: Vec<String> = families.iter().map(unit::Family::fingerprint).collect();
        let mut parts: Vec<&[u8]> =
            vec![self.version.as_bytes(), templates.as_bytes(), context.as_bytes(), self.admission.as_bytes()];
        parts.extend(extras.iter().map(String::as_bytes));
        // The control plane's statement says what the proofs take for granted: that follows from the whole install.
        let install = match self.of {
            Of::System => serde_json::to_string(self.plan.install).unwrap_or_default(),
            Of::Gitops | Of::Tenant(_) => String::new(),
        };
        if matches!(self.of, Of::System) {
            parts.push(self.claims.as_bytes());
            parts.push(install.as_bytes());
        }
        Digest::of_parts(parts)
    }
}

/// The fleet's admission policies, shipped as they are.
fn policies(fleet: &Fleet) -> impl Iterator<Item = &Value> {
    let shipped = fleet.install.admission.engine != AdmissionEngine::None;
    fleet.policies.iter().filter(move |_| shipped).map(|policy| &policy.value)
}

/// Objects that two units would both own.
pub fn duplicates(units: &[RenderedUnit]) -> Vec<Finding> {
    let hasher = RandomState::new();
    // Hashes first: a million of them are sorted faster than a million names are looked up.
    let hash = |(index, unit): (usize, &RenderedUnit)| -> Vec<(u64, usize)> {
        let ids = unit.files.values().flat_map(FileContent::identities);
        ids.map(|id| (hasher.hash_one((unit.cluster(), id)), index)).collect()
    };
    let mut hashes: Vec<(u64, usize)> = units.par_iter().enumerate().flat_map_iter(hash).collect();
    hashes.par_sort_unstable();
    let doubtful: BTreeSet<usize> =
        hashes.windows(2).filter(|pair| pair[0].0 == pair[1].0).flat_map(|pair| [pair[0].1, pair[1].1]).collect();
    let mut owners: BTreeMap<(&str, IdRef<'_>), &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for unit in doubtful.into_iter().map(|index| &units[index]) {
        for id in unit.files.values().flat_map(FileContent::identities) {
            if let Some(owner) = owners.insert((unit.cluster(), id), &unit.path) {
                let object = ObjectId::from(id);
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
    fn inputs_follow_from_what_a_memo_knows_them_by() {
        let inputs = |source: &Source| -> BTreeMap<String, Digest> {
            let fleet = crate::config::parse(source).0.unwrap();
            let plan = crate::plan::plan(&fleet, source).0.unwrap();
            let (templates, memo) = (Templates::load([]).unwrap(), Memo::default());
            let before = Before { recorded: None, memo: &memo, rest: Digest::of(b"rest") };
            let made = jobs(&plan, "0").into_iter().map(|job| match job.make(&templates, before) {
                Ok(Made::Rendered(unit)) => (unit.path, unit.inputs),
                other => panic!("{other:?}"),
            });
            made.collect()
        };
        let (all, fleet, source) = (inputs(&source()), fleet(), source());
        let plan = crate::plan::plan(&fleet, &source).0.unwrap();
        for cluster in &plan.clusters {
            let (name, slugs) = (cluster.cluster.name.as_str(), cluster.tenants.keys());
            let whole =
                [names::system_unit(name), gitops::unit_path(&fleet, name)].map(|path| (path, slugs.clone().collect()));
            let single = slugs.clone().map(|slug| (names::tenant_unit(name, slug), vec![slug]));
            for (path, of) in single.chain(whole) {
                let mut alone = source.clone();
                let is_of = |file: &str| of.iter().any(|slug| crate::config::tenant_file(slug) == *file);
                alone.files.retain(|file, _| !file.starts_with("tenants/") || is_of(file));
                assert_eq!(
                    inputs(&alone).get(&path),
                    all.get(&path),
                    "{path} depends on other tenants: a memo would lie"
                );
            }
        }
    }

    #[test]
    fn a_unit_of_a_cluster_is_known_by_its_tenants_and_the_rest_of_the_fleet() {
        let (fleet, source) = (fleet(), source());
        let plan = crate::plan::plan(&fleet, &source).0.unwrap();
        let mut jobs = jobs(&plan, "0");
        let job = jobs.iter_mut().find(|job| matches!(job.of, Of::Gitops)).unwrap();
        let (memo, rest, build) = (Memo::default(), Digest::of(b"rest"), Digest::of(b"build"));
        let inputs = job.inputs(&Templates::load([]).unwrap(), &memo, &rest);
        let memo = Memo::decode(memo.encode([], &build).unwrap(), &build);
        assert_eq!(job.known(&memo, &rest), Some(inputs));
        assert_eq!(job.known(&memo, &Digest::of(b"another rest")), None);
        job.texts = Some(Digest::of(b"other tenants"));
        assert_eq!(job.known(&memo, &rest), None);
        job.texts = None;
        assert_eq!(job.known(&memo, &rest), None, "a tenant whose text is not known");
    }

    #[test]
    fn every_unit_of_this_repository_renders() {
        let fleet = fleet();
        let (plan, findings) = crate::plan::plan(&fleet, &source());
        let plan = plan.unwrap_or_else(|| panic!("{findings:#?}"));
        let templates = Templates::load([]).unwrap();
        let jobs = jobs(&plan, "0");
        assert_eq!(jobs.len(), 8 + 4);
        for job in &jobs {
            let memo = Memo::default();
            let before = |recorded| Before { recorded, memo: &memo, rest: Digest::of(b"rest") };
            let made =
                job.make(&templates, before(None)).unwrap_or_else(|findings| panic!("{}: {findings:#?}", job.path));
            let Made::Rendered(unit) = made else { panic!("{} was kept", job.path) };
            assert!(!unit.files.is_empty());
            assert!(matches!(job.make(&templates, before(Some(unit.inputs))), Ok(Made::Kept(_))));
        }
    }
}
