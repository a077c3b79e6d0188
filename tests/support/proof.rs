//! The documents of a rendered cluster, as the proof sees them, to be changed in memory.
// Each test binary uses its own part of this; a broken set-up panics.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tenantry::check::{self, Input, Kept};
use tenantry::memo::Memo;
use tenantry::network::{self, Claims, Model, Proof, Refusals, Settings, Source};
use tenantry::render::{self, Templates};
use tenantry::{config, plan, source};

/// A rendered cluster.
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// The claims that are proved of it.
    pub claims: Claims,
    /// What is known of it besides the documents.
    pub settings: Settings,
    /// The documents.
    pub sources: Vec<Source>,
    /// Texts of the files, by path.
    pub texts: BTreeMap<String, String>,
}

/// Every cluster of a fleet.
pub fn clusters(root: &Path) -> Vec<Cluster> {
    let source = source::load(root).unwrap();
    let (fleet, findings) = config::parse(&source);
    let fleet = fleet.unwrap_or_else(|| panic!("{findings:#?}"));
    let (plan, findings) = plan::plan(&fleet, &source);
    let plan = plan.unwrap_or_else(|| panic!("{findings:#?}"));
    let templates = Templates::load(source.below("templates/")).unwrap();
    let jobs = render::jobs(&plan, "0");
    let units: Vec<_> = jobs.iter().map(|job| job.part(&templates, check::network::needs).unwrap()).collect();
    let (units, kept, settled, memo) = (Arc::new(units), Kept::default(), BTreeSet::new(), Memo::default());
    let input = Input { source: &source, plan: &plan, units: &units, kept: &kept, settled: &settled, memo: &memo };
    let scopes = check::network::scopes(&input).unwrap();
    let texts: BTreeMap<String, String> = units
        .iter()
        .flat_map(|unit| unit.files.iter().map(|(name, content)| (format!("{}/{name}", unit.path), content.text())))
        .collect();
    let cluster = |scope: &check::network::Scope<'_>| Cluster {
        name: scope.cluster.cluster.name.to_string(),
        claims: scope.claims.clone(),
        settings: scope.settings().clone(),
        sources: scope.sources().collect(),
        texts: texts.clone(),
    };
    scopes.iter().map(cluster).collect()
}

impl Cluster {
    /// Proves other documents in the place of the cluster's.
    pub fn prove(&self, sources: &[Source]) -> Result<Proof, Refusals> {
        Ok(network::prove(&self.model(sources)?, &self.claims))
    }

    /// The model of other documents.
    pub fn model(&self, sources: &[Source]) -> Result<Model, Refusals> {
        Model::build(sources, &self.settings)
    }

    /// The text of a line.
    pub fn line(&self, file: &str, line: u32) -> &str {
        let text = self.texts.get(file).map(String::as_str).unwrap_or_default();
        text.lines().nth(line as usize - 1).unwrap_or_default()
    }
}

/// `Kind namespace/name`.
pub fn name(source: &Source) -> String {
    let text = |pointer: &str| source.value.pointer(pointer).and_then(|value| value.as_str()).unwrap_or_default();
    format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
}
