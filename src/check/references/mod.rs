//! Whether what an object names is there: rendered for the same cluster, or brought by the platform.
//!
//! A tenant's objects may name their own, the control plane's and the engine's: so a unit is judged by itself and by the
//! few objects that all share. Units that stay are judged again only where what they share changed since.

mod findings;
mod given;
mod read;
mod table;

use std::collections::{BTreeSet, HashSet};

use rayon::prelude::*;

use super::network::workloads;
use super::{Input, Outcome};
use crate::manifest::{Digest, ObjectId};
use crate::memo::Fact;
use crate::plan::ClusterPlan;
use crate::plan::names::{SYSTEM_NAMESPACE, namespace, system_unit, tenant_unit};
use crate::render::RenderedUnit;
use crate::schemas::Place;
use crate::secrets::{Origin, rows};
use given::Given;
use read::{Manifest, Reference, Target, manifests};

/// A name of something that is not there.
#[derive(Debug, Clone)]
pub struct Missing {
    cluster: String,
    tenant: Option<String>,
    template: Option<&'static str>,
    /// What names it.
    object: ObjectId,
    place: Place,
    kind: String,
    name: String,
    /// What is named, as text.
    target: String,
    why: Why,
    /// What may have been meant.
    near: Option<String>,
}

/// What is wrong with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    /// Nothing makes it.
    Nothing,
    /// It is another tenant's.
    Foreign,
    /// Those pods need it, and no field says so.
    Needed(String),
}

pub(super) fn check(input: &Input<'_>) -> Outcome {
    let clusters = input.plan.clusters.iter().filter(|one| !input.settled.contains(one.cluster.name.as_str()));
    let found: Result<Vec<Vec<Missing>>, String> = clusters.map(|cluster| of_cluster(input, cluster)).collect();
    match found {
        Ok(found) => Outcome::Ran(findings::findings(input, found.into_iter().flatten().collect())),
        Err(reason) => Outcome::NotChecked(reason),
    }
}

/// What the units of a cluster may refer to.
struct Scope<'a> {
    input: &'a Input<'a>,
    cluster: &'a ClusterPlan<'a>,
    given: Given,
    /// Objects of the control plane and the engine, without those that sync one tenant.
    common: HashSet<Target<'a>>,
    /// All of them.
    shared: HashSet<Target<'a>>,
    /// Paths of the units.
    units: BTreeSet<String>,
    /// Tenants' units that were rendered.
    tenants: Vec<&'a RenderedUnit>,
}

fn of_cluster(input: &Input<'_>, cluster: &ClusterPlan<'_>) -> Result<Vec<Missing>, String> {
    let name = cluster.cluster.name.as_str();
    let own: Vec<&RenderedUnit> = input.units.iter().filter(|unit| unit.cluster() == name).collect();
    let (tenants, rendered): (Vec<_>, Vec<_>) = own.into_iter().partition(|unit| unit.tenant.is_some());
    let stayed = shared_that_stay(input, name, &tenants)?;
    let shared: Vec<&RenderedUnit> = rendered.into_iter().chain(&stayed).collect();
    let mut units: BTreeSet<String> = cluster.tenants.keys().map(|slug| tenant_unit(name, slug)).collect();
    units.insert(system_unit(name));
    let scope = Scope {
        input,
        cluster,
        given: Given::of(input.plan.install, cluster.cluster),
        common: shared
            .iter()
            .flat_map(|unit| manifests(unit).filter(|one| !syncs_tenant(one.file)))
            .flat_map(|one| one.provides())
            .collect(),
        shared: shared.iter().flat_map(|unit| manifests(unit)).flat_map(|one| one.provides()).collect(),
        units,
        tenants,
    };
    let mut found: Vec<Missing> = shared.iter().flat_map(|unit| scope.of_shared(unit)).collect();
    found.extend(scope.of_control_plane(&shared));
    found.extend(scope.of_tenants()?);
    Ok(found)
}

/// Whether a file of the engine's unit syncs one tenant.
fn syncs_tenant(file: &str) -> bool {
    file.starts_with("tenant-")
}

/// The control plane and the engine's unit, where they stay: of the latter, what syncs a tenant that is rendered anew.
fn shared_that_stay(input: &Input<'_>, cluster: &str, tenants: &[&RenderedUnit]) -> Result<Vec<RenderedUnit>, String> {
    let changed: HashSet<String> =
        tenants.iter().filter_map(|unit| Some(format!("tenant-{}.yaml", unit.tenant.as_ref()?))).collect();
    let paths = input.kept.inputs(cluster).map(|(path, _)| path).filter(|path| !path.contains("/tenants/"));
    let units = paths.map(|path| {
        input.kept.part(cluster, path, |file| !syncs_tenant(file) || changed.contains(file)).map(Option::into_iter)
    });
    Ok(units.collect::<Result<Vec<_>, String>>()?.into_iter().flatten().collect())
}

impl<'a> Scope<'a> {
    /// The names of the control plane and the engine; they may be of anything in the cluster.
    fn of_shared(&self, unit: &RenderedUnit) -> Vec<Missing> {
        let mut found = Vec::new();
        for manifest in manifests(unit) {
            for reference in references(&manifest) {
                if !self.is_there(&reference.target, &self.shared) && !self.is_of_a_tenant(&reference.target) {
                    found.extend(self.missing(None, &manifest, &reference, Why::Nothing));
                }
            }
        }
        found
    }

    /// What the control plane's pods need by names that their chart knows.
    fn of_control_plane(&self, shared: &[&RenderedUnit]) -> Vec<Missing> {
        let mut found = Vec::new();
        for entry in rows::of_install(self.input.plan.fleet) {
            let target = Target { kind: "Secret", namespace: Some(entry.namespace), name: &entry.name };
            if !self.is_there(&target, &self.shared) {
                let template = template_of(entry.origin, "system/certificates.yaml.tera", "system/secrets.yaml.tera");
                found.push(self.needed(None, template, &target, &entry.readers.join(", ")));
            }
        }
        let releases =
            shared.iter().filter_map(|unit| unit.files.get("helmrelease.yaml").or(unit.files.get("application.yaml")));
        for pod in releases.flat_map(|content| content.objects()).flat_map(|object| workloads::deployed(&object)) {
            let account = pod.pointer("/spec/template/spec/serviceAccountName").and_then(serde_json::Value::as_str);
            let Some(name) = account else { continue };
            let target = Target { kind: "ServiceAccount", namespace: Some(SYSTEM_NAMESPACE), name };
            if !self.is_there(&target, &self.shared) {
                let workload = pod.pointer("/metadata/name").and_then(serde_json::Value::as_str).unwrap_or_default();
                found.push(self.needed(None, "system/rbac.yaml.tera", &target, workload));
            }
        }
        found
    }

    /// The names of the tenants' units: of those that are rendered, and of those that stay and were not judged beside what
    /// is shared now.
    fn of_tenants(&self) -> Result<Vec<Missing>, String> {
        let memo = self.input.memo;
        let (cluster, state) = (self.cluster.cluster.name.as_str(), self.state());
        let judge = |unit: &RenderedUnit, inputs: &Digest| {
            let found = self.of_tenant(unit);
            if found.is_empty() {
                memo.learn_fact(Fact::References, &unit.path, *inputs, state);
            }
            found
        };
        let mut found: Vec<Missing> = self.tenants.par_iter().flat_map_iter(|unit| judge(unit, &unit.inputs)).collect();
        let stay: Vec<(&str, Digest)> = self
            .input
            .kept
            .inputs(cluster)
            .filter(|(path, _)| path.contains("/tenants/"))
            .filter(|(path, inputs)| memo.fact(Fact::References, path, inputs) != Some(state))
            .collect();
        let again = |(path, inputs): &(&str, Digest)| -> Result<Vec<Missing>, String> {
            let unit = self.input.kept.part(cluster, path, |_| true)?;
            Ok(unit.map(|unit| judge(&unit, inputs)).unwrap_or_default())
        };
        let again: Result<Vec<Vec<Missing>>, String> = stay.par_iter().map(again).collect();
        found.extend(again?.into_iter().flatten());
        Ok(found)
    }

    fn of_tenant(&self, unit: &RenderedUnit) -> Vec<Missing> {
        let Some(slug) = unit.tenant.as_deref() else { return Vec::new() };
        let own: HashSet<Target<'_>> = manifests(unit).flat_map(|one| one.provides()).collect();
        let home = namespace(slug);
        let is_there = |target: &Target<'_>| own.contains(target) || self.is_there(target, &self.common);
        let mut found = Vec::new();
        for manifest in manifests(unit) {
            for reference in references(&manifest) {
                if !is_there(&reference.target) {
                    let why = if is_foreign(&reference.target, &home) { Why::Foreign } else { Why::Nothing };
                    found.extend(self.missing(Some(slug), &manifest, &reference, why));
                }
            }
        }
        let Some(plan) = self.cluster.tenants.get(slug) else { return found };
        for entry in rows::of_tenant(plan) {
            let target = Target { kind: "Secret", namespace: Some(entry.namespace), name: &entry.name };
            let is_told = || found.iter().any(|one| one.target == target.to_string());
            if !is_there(&target) && !is_told() {
                let secrets = match entry.namespace {
                    SYSTEM_NAMESPACE => "tenant/system-secrets.yaml.tera",
                    _ => "tenant/secrets.yaml.tera",
                };
                let template = template_of(entry.origin, "tenant/certificates.yaml.tera", secrets);
                found.push(self.needed(Some(slug), template, &target, &entry.readers.join(", ")));
            }
        }
        for account in plan.accounts() {
            let target = Target { kind: "ServiceAccount", namespace: Some(&home), name: account };
            if !is_there(&target) {
                found.push(self.needed(Some(slug), "tenant/rbac.yaml.tera", &target, account));
            }
        }
        found
    }

    fn is_there(&self, target: &Target<'_>, objects: &HashSet<Target<'_>>) -> bool {
        match target.kind {
            "unit" => self.is_unit(target.name),
            _ => objects.contains(target) || self.given.has(target),
        }
    }

    fn is_unit(&self, path: &str) -> bool {
        let path = path.trim_start_matches("./");
        let root = self.input.plan.install.gitops.path.trim_matches('/');
        let path = path.strip_prefix(root).unwrap_or(path).trim_start_matches('/');
        self.units.contains(path.trim_end_matches('/'))
    }

    /// Whether an object in a tenant's namespace, or that namespace, is rendered by the tenant's unit.
    fn is_of_a_tenant(&self, target: &Target<'_>) -> bool {
        let home = if target.kind == "Namespace" { Some(target.name) } else { target.namespace };
        let slug = home.and_then(|home| home.strip_prefix("tenant-"));
        let Some(slug) = slug.filter(|slug| self.cluster.tenants.contains_key(slug)) else { return false };
        let has = |unit: &RenderedUnit| manifests(unit).flat_map(|one| one.provides()).any(|one| one == *target);
        if let Some(unit) = self.tenants.iter().find(|unit| unit.tenant.as_deref() == Some(slug)) {
            return has(unit);
        }
        let cluster = self.cluster.cluster.name.as_str();
        // A unit that no longer renders is told elsewhere.
        let unit = self.input.kept.part(cluster, &tenant_unit(cluster, slug), |_| true);
        unit.ok().flatten().is_some_and(|unit| has(&unit))
    }

    /// What a tenant's unit is judged beside.
    fn state(&self) -> Digest {
        // Policies are shipped beside what is rendered, and tenants name none.
        let rendered = self.common.iter().filter(|one| !one.kind.starts_with("ValidatingAdmissionPolicy"));
        let mut common: Vec<String> = rendered.map(ToString::to_string).collect();
        common.sort();
        let given = self.given.text();
        let units: Vec<&str> =
            self.units.iter().map(String::as_str).filter(|path| !path.contains("/tenants/")).collect();
        Digest::of_parts(common.iter().map(String::as_bytes).chain([given.as_bytes(), units.concat().as_bytes()]))
    }

    fn missing(
        &self,
        tenant: Option<&str>,
        manifest: &Manifest<'_>,
        reference: &Reference<'_>,
        why: Why,
    ) -> Option<Missing> {
        let target = &reference.target;
        let known: Vec<String> = self.alike(target).into_iter().collect();
        let near = crate::config::schema::nearest(target.name, &known).filter(|near| *near != target.name);
        Some(Missing {
            cluster: self.cluster.cluster.name.to_string(),
            tenant: tenant.map(str::to_owned),
            template: manifest.template,
            object: manifest.id()?,
            place: reference.place.clone(),
            kind: target.kind.to_owned(),
            name: target.name.to_owned(),
            target: target.to_string(),
            why,
            near: near.map(str::to_owned),
        })
    }

    /// Names of the same kind in reach, of the tenant's own unit too if it is rendered.
    fn alike(&self, target: &Target<'_>) -> BTreeSet<String> {
        let own = self.tenants.iter().filter(|unit| {
            unit.tenant.as_deref().is_some_and(|slug| target.namespace == Some(namespace(slug).as_str()))
        });
        let own = own.flat_map(|unit| manifests(unit)).flat_map(|one| one.provides());
        let like = |one: &Target<'_>| one.kind == target.kind && one.namespace == target.namespace;
        let mut names: BTreeSet<String> = own.filter(like).map(|one| one.name.to_owned()).collect();
        names.extend(self.shared.iter().filter(|one| like(one)).map(|one| one.name.to_owned()));
        names.extend(self.given.names(target.kind).map(str::to_owned));
        names
    }

    fn needed(&self, tenant: Option<&str>, template: &'static str, target: &Target<'_>, by: &str) -> Missing {
        Missing {
            cluster: self.cluster.cluster.name.to_string(),
            tenant: tenant.map(str::to_owned),
            template: Some(template),
            object: ObjectId {
                api_version: "v1".into(),
                kind: target.kind.into(),
                namespace: target.namespace.map(str::to_owned),
                name: target.name.into(),
            },
            place: Place::default(),
            kind: target.kind.to_owned(),
            name: target.name.to_owned(),
            target: target.to_string(),
            why: Why::Needed(by.to_owned()),
            near: None,
        }
    }
}

fn references<'a>(manifest: &Manifest<'a>) -> Vec<Reference<'a>> {
    let mut found = Vec::new();
    manifest.references(&mut found);
    found
}

/// Whether an object is another tenant's.
fn is_foreign(target: &Target<'_>, home: &str) -> bool {
    let theirs = if target.kind == "Namespace" { Some(target.name) } else { target.namespace };
    theirs.is_some_and(|theirs| theirs.starts_with("tenant-") && theirs != home)
}

fn template_of(origin: Origin, certificates: &'static str, others: &'static str) -> &'static str {
    if origin == Origin::Certificate { certificates } else { others }
}

#[cfg(test)]
mod tests;
