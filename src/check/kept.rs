//! Units that stay in the output, for what is proved about a whole cluster.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use crate::finding::Finding;
use crate::manifest::Digest;
use crate::plan::names::{cluster_of, system_unit};
use crate::render::{Job, RenderedUnit, Templates};

/// The units of each cluster that are not rendered again. Those of a cluster are rendered in memory once a check asks
/// for them, as far as proofs need them.
#[derive(Debug, Default)]
pub struct Kept<'a> {
    clusters: BTreeMap<&'a str, Stay<'a>>,
}

#[derive(Debug)]
struct Stay<'a> {
    templates: &'a Templates,
    /// By path.
    jobs: BTreeMap<&'a str, (&'a Job<'a>, Digest)>,
    units: OnceLock<Result<Arc<Vec<RenderedUnit>>, String>>,
}

impl<'a> Kept<'a> {
    /// Units that stay, each with the digest of its inputs.
    pub fn new(templates: &'a Templates, stay: impl IntoIterator<Item = (&'a Job<'a>, Digest)>) -> Self {
        let mut clusters: BTreeMap<&str, Stay<'_>> = BTreeMap::new();
        for (job, inputs) in stay {
            let empty = || Stay { templates, jobs: BTreeMap::new(), units: OnceLock::new() };
            let stay = clusters.entry(cluster_of(&job.path)).or_insert_with(empty);
            stay.jobs.insert(job.path.as_str(), (job, inputs));
        }
        Self { clusters }
    }

    /// Paths of the units of a cluster that stay, each with the digest of its inputs.
    pub fn inputs(&self, cluster: &str) -> impl Iterator<Item = (&str, Digest)> {
        let jobs = self.clusters.get(cluster).into_iter().flat_map(|stay| &stay.jobs);
        jobs.map(|(path, (_, inputs))| (*path, *inputs))
    }

    /// Some files of one unit that stays; none if no such unit does.
    ///
    /// # Errors
    /// It no longer renders.
    pub fn part(
        &self,
        cluster: &str,
        path: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<RenderedUnit>, String> {
        let Some(stay) = self.clusters.get(cluster) else { return Ok(None) };
        let Some((job, _)) = stay.jobs.get(path) else { return Ok(None) };
        job.part(stay.templates, wanted).map(Some).map_err(words)
    }

    /// The namespace of a cluster's control plane, if that unit stays: tenants have objects in it.
    pub fn system_namespace(&self, cluster: &str) -> Option<RenderedUnit> {
        self.part(cluster, &system_unit(cluster), |file| file == "namespace.yaml").ok()?
    }

    /// The units of a cluster that stay.
    ///
    /// # Errors
    /// One of them no longer renders.
    pub fn units(&self, cluster: &str) -> Result<Arc<Vec<RenderedUnit>>, String> {
        let Some(stay) = self.clusters.get(cluster) else { return Ok(Arc::default()) };
        let part = |(_, (job, _)): (&&str, &(&Job<'_>, Digest))| job.part(stay.templates, super::network::needs);
        let render = || -> Result<Vec<RenderedUnit>, String> {
            let made: Result<Vec<_>, Vec<_>> = stay.jobs.par_iter().map(part).collect();
            made.map_err(words)
        };
        stay.units.get_or_init(|| render().map(Arc::new)).clone()
    }
}

fn words(found: Vec<Finding>) -> String {
    found.into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("; ")
}
