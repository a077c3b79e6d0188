//! One side of a comparison: a fleet that is rendered unit by unit, or a tree that was committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::check::network::needs;
use crate::commands::fleet::{self, Loaded, Prepared};
use crate::diff::Naming;
use crate::finding::{Class, Finding, Location};
use crate::manifest::{Digest, PROVENANCE};
use crate::output::Held;
use crate::plan::names::cluster_of;
use crate::plan::{ClusterPlan, Plan};
use crate::render::{Before, FileContent, Job, Made, RenderedUnit, Templates};
use crate::source::Source;
use crate::yaml::{self, Limits};

/// One side of a comparison.
pub trait Side: Sync {
    /// Paths of the units.
    fn paths(&self) -> Vec<&str>;
    /// What the unit was made from, as far as it is known without making it. `None` if it is not there, or not known.
    fn inputs(&self, path: &str) -> Option<Digest>;
    /// Digest of the text and of all else that a tenant's unit follows from: equal ones need no further look.
    fn text(&self, path: &str) -> Option<(Digest, Digest)>;
    /// The unit; `None` if it is not there.
    ///
    /// # Errors
    /// What is wrong with its templates or its files.
    fn unit(&self, path: &str) -> Result<Option<RenderedUnit>, Vec<Finding>>;
    /// What of the unit the network engine needs.
    ///
    /// # Errors
    /// As for [`Side::unit`].
    fn part(&self, path: &str) -> Result<Option<RenderedUnit>, Vec<Finding>>;
    /// The plan and the cluster of a name, where they are known.
    fn cluster(&self, name: &str) -> Option<(&Plan<'_>, &ClusterPlan<'_>)>;
    /// The fleet's files, where it is a fleet.
    fn source(&self) -> Option<&Source> {
        None
    }
}

/// A fleet, rendered when it is asked for.
pub struct Rendering<'a> {
    loaded: &'a Loaded,
    plan: &'a Plan<'a>,
    jobs: BTreeMap<&'a str, &'a Job<'a>>,
    templates: &'a Templates,
    rest: Digest,
}

impl<'a> Rendering<'a> {
    /// The units of a fleet. `templates` are those of the other side if they are the same, so that the same text is
    /// compared by its values.
    pub fn new(
        loaded: &'a Loaded,
        plan: &'a Plan<'a>,
        prepared: &'a Prepared<'a>,
        templates: Option<&'a Templates>,
    ) -> Self {
        let jobs = prepared.jobs.iter().map(|job| (job.path.as_str(), job)).collect();
        let same = templates.filter(|templates| templates.digest() == prepared.templates.digest());
        let rest = fleet::rest(&loaded.source);
        Self { loaded, plan, jobs, templates: same.unwrap_or(&prepared.templates), rest }
    }

    /// Names of the clusters.
    pub fn clusters(&self) -> Vec<&'a str> {
        self.plan.clusters.iter().map(|cluster| cluster.cluster.name.as_str()).collect()
    }

    /// The versions that stand behind the digests to which charts are pinned.
    pub fn pinned(&self) -> BTreeMap<String, String> {
        let digests = &self.plan.fleet.install.charts.digests;
        digests.values().flatten().map(|(version, digest)| (digest.to_string(), version.to_string())).collect()
    }

    /// The templates.
    pub fn templates(&self) -> &'a Templates {
        self.templates
    }
}

impl Side for Rendering<'_> {
    fn paths(&self) -> Vec<&str> {
        self.jobs.keys().copied().collect()
    }

    fn inputs(&self, path: &str) -> Option<Digest> {
        self.jobs.get(path).map(|job| job.inputs(self.templates, &self.loaded.memo, &self.rest))
    }

    fn text(&self, path: &str) -> Option<(Digest, Digest)> {
        Some((self.jobs.get(path)?.texts()?, self.rest))
    }

    fn unit(&self, path: &str) -> Result<Option<RenderedUnit>, Vec<Finding>> {
        let Some(job) = self.jobs.get(path) else { return Ok(None) };
        match job.make(self.templates, Before { recorded: None, memo: &self.loaded.memo, rest: self.rest })? {
            Made::Rendered(unit) => Ok(Some(unit)),
            Made::Kept(_) => Ok(None),
        }
    }

    fn part(&self, path: &str) -> Result<Option<RenderedUnit>, Vec<Finding>> {
        self.jobs.get(path).map(|job| job.part(self.templates, needs)).transpose()
    }

    fn cluster(&self, name: &str) -> Option<(&Plan<'_>, &ClusterPlan<'_>)> {
        let cluster = self.plan.clusters.iter().find(|cluster| cluster.cluster.name.as_str() == name)?;
        Some((self.plan, cluster))
    }

    fn source(&self) -> Option<&Source> {
        Some(&self.loaded.source)
    }
}

/// A tree that was committed.
pub struct Stored<'a> {
    held: &'a Held,
    inputs: BTreeMap<String, Option<Digest>>,
}

impl<'a> Stored<'a> {
    /// The units of a commit. What is recorded of a unit is believed only if the same version of the program wrote it, and
    /// none of its files was edited.
    ///
    /// # Errors
    /// An object that cannot be read.
    pub fn new(held: &'a Held) -> crate::error::Result<Self> {
        let mut inputs = BTreeMap::new();
        for (path, unit) in &held.units {
            let Some(provenance) = held.provenance(unit)? else { continue };
            let mut known = None;
            if let Ok(provenance) = &provenance {
                let mut intact = provenance.tool_version == fleet::VERSION;
                for (name, digest) in &provenance.files {
                    intact = intact
                        && match unit.files.get(name).filter(|file| file.is_plain) {
                            Some(file) => Digest::of(&held.read(*file)?) == *digest,
                            None => false,
                        };
                }
                known = intact.then_some(provenance.inputs);
            }
            inputs.insert(path.clone(), known);
        }
        Ok(Self { held, inputs })
    }

    fn read(&self, path: &str, wanted: impl Fn(&str) -> bool) -> Result<Option<RenderedUnit>, Vec<Finding>> {
        let Some(unit) = self.held.units.get(path).filter(|_| self.inputs.contains_key(path)) else { return Ok(None) };
        let refuse = |name: &str, why: String| {
            let place = Location::file(format!("{path}/{name}"));
            vec![Finding::error("diff/unreadable", Class::Incomplete, why).at(place)]
        };
        let mut files = BTreeMap::new();
        for (name, file) in &unit.files {
            let is_manifest = name.ends_with(".yaml") || name.ends_with(".yml");
            if name == PROVENANCE || name == "kustomization.yaml" || !is_manifest || !wanted(name) {
                continue;
            }
            let bytes = self.held.read(*file).map_err(|error| refuse(name, error.to_string()))?;
            let text = String::from_utf8(bytes).map_err(|_| refuse(name, "it is not UTF-8".into()))?;
            let parsed = yaml::parse(&text, Limits::MANIFEST);
            let documents =
                parsed.map_err(|error| refuse(name, format!("line {}: {}", error.span.line, error.message)))?;
            let objects = documents.iter().map(|document| document.root.to_json()).filter(|value| !value.is_null());
            files.insert(name.clone(), FileContent::Objects(objects.collect()));
        }
        let tenant = path.split_once("/tenants/").map(|(_, slug)| slug.to_owned());
        Ok(Some(RenderedUnit { path: path.to_owned(), tenant, inputs: Digest::of(b""), files }))
    }
}

impl Side for Stored<'_> {
    fn paths(&self) -> Vec<&str> {
        self.inputs.keys().map(String::as_str).collect()
    }

    fn inputs(&self, path: &str) -> Option<Digest> {
        self.inputs.get(path).copied().flatten()
    }

    fn text(&self, _path: &str) -> Option<(Digest, Digest)> {
        None
    }

    fn unit(&self, path: &str) -> Result<Option<RenderedUnit>, Vec<Finding>> {
        self.read(path, |_| true)
    }

    fn part(&self, path: &str) -> Result<Option<RenderedUnit>, Vec<Finding>> {
        self.read(path, needs)
    }

    fn cluster(&self, _name: &str) -> Option<(&Plan<'_>, &ClusterPlan<'_>)> {
        None
    }
}

/// A side on which there is nothing.
pub struct Nothing;

impl Side for Nothing {
    fn paths(&self) -> Vec<&str> {
        Vec::new()
    }

    fn inputs(&self, _path: &str) -> Option<Digest> {
        None
    }

    fn text(&self, _path: &str) -> Option<(Digest, Digest)> {
        None
    }

    fn unit(&self, _path: &str) -> Result<Option<RenderedUnit>, Vec<Finding>> {
        Ok(None)
    }

    fn part(&self, _path: &str) -> Result<Option<RenderedUnit>, Vec<Finding>> {
        Ok(None)
    }

    fn cluster(&self, _name: &str) -> Option<(&Plan<'_>, &ClusterPlan<'_>)> {
        None
    }
}

/// The names of a unit.
pub fn naming(unit: &RenderedUnit, id: Option<String>) -> Naming {
    Naming { slug: unit.tenant.clone(), id, cluster: cluster_of(&unit.path).to_owned() }
}

/// Units as the network engine takes them.
pub fn shared(units: Vec<RenderedUnit>) -> Arc<Vec<RenderedUnit>> {
    Arc::new(units)
}
