//! The fleet's admission policies, asked about every rendered object before a cluster asks them; their cases; and
//! default-deny in every managed namespace.
//!
//! A policy is asked once for all objects that agree in what it reads. Whether the policies are shipped
//! (`admission.engine`) makes no difference here.

mod ask;
mod findings;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde_json::{Map, Value};

use super::{Input, Outcome};
use ask::{Guard, Refusal};

use crate::admission::{self, Policy, Resource, Verdict};
use crate::config::install::GitopsEngine;
use crate::config::{self, CASES};
use crate::finding::{Class, Finding, Location, Severity};
use crate::render::RenderedUnit;
use crate::schemas::{Catalog, of_fleet};
use crate::yaml::{self, Limits};

pub(super) fn check(input: &Input<'_>) -> Outcome {
    let catalog = match of_fleet(input.source) {
        Ok(catalog) => catalog,
        Err(finding) => return Outcome::NotChecked(finding.message),
    };
    let mut findings = Vec::new();
    let policies = read(input, &mut findings);
    let namespaces = namespaces(input);
    findings.extend(without_default_deny(input, &namespaces));
    findings.extend(cases(input, &catalog, &policies));
    let asked: Vec<&Policy> = policies.iter().filter(|policy| policy.server_only.is_none()).collect();
    let guard = Guard::new(&catalog, asked, &namespaces, user(input));
    let refused: Vec<Refusal<'_>> =
        input.units.par_iter().enumerate().flat_map_iter(|(number, unit)| guard.of_unit(number, unit)).collect();
    findings.extend(self::findings::told(input, refused));
    Outcome::Ran(findings)
}

/// Who applies what is rendered.
fn user(input: &Input<'_>) -> &'static str {
    match input.plan.install.gitops.engine {
        GitopsEngine::Flux => "system:serviceaccount:flux-system:kustomize-controller",
        GitopsEngine::Argocd => "system:serviceaccount:argocd:argocd-application-controller",
    }
}

/// The policies, and what is wrong with them.
fn read(input: &Input<'_>, findings: &mut Vec<Finding>) -> Vec<Policy> {
    let files = &input.plan.fleet.policies;
    let place = |file: &config::PolicyObject| Location { line: file.span.line, ..Location::file(&file.file) };
    let mut policies = Vec::new();
    for policy in admission::policies(files.iter().map(|file| &file.value)) {
        match policy {
            Ok(policy) => policies.push(policy),
            Err((index, reason)) => {
                let name = files[index].value["metadata"]["name"].as_str().unwrap_or_default();
                let finding = Finding::invalid("policy/invalid", format!("policy {name}: {reason}"));
                findings.push(finding.at(place(&files[index])));
            }
        }
    }
    for policy in &policies {
        let is_it = |file: &&config::PolicyObject| {
            file.value["kind"] == "ValidatingAdmissionPolicy" && file.value["metadata"]["name"] == policy.name.as_str()
        };
        let at = files.iter().find(is_it).map_or_else(|| Location::file("policies/admission"), place);
        if let Some(reason) = &policy.server_only {
            let finding = Finding::warning(
                "policy/server-only",
                format!("policy {} is not checked offline: {reason}", policy.name),
            );
            findings.push(Finding { severity: Severity::Info, ..finding }.at(at));
        } else if policy.bindings.is_empty() {
            let finding =
                Finding::warning("policy/unbound", format!("nothing binds policy {}: no cluster asks it", policy.name));
            findings.push(finding.at(at).hint("add a ValidatingAdmissionPolicyBinding beside it"));
        }
    }
    policies
}

/// Namespaces that are rendered, by cluster and name, each with its labels.
type Namespaces = BTreeMap<String, BTreeMap<String, (Value, Map<String, Value>)>>;

fn namespaces(input: &Input<'_>) -> Namespaces {
    let clusters: BTreeSet<&str> = input.units.iter().map(RenderedUnit::cluster).collect();
    let stay: Vec<RenderedUnit> =
        clusters.into_iter().filter_map(|cluster| input.kept.system_namespace(cluster)).collect();
    let mut found = Namespaces::new();
    for unit in input.units.iter().chain(&stay) {
        for content in unit.files.values() {
            for (_, object) in content.objects_that(|id| id.kind == "Namespace") {
                let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                let labels = admission::labels_of_namespace(&object, &name);
                found.entry(unit.cluster().to_owned()).or_default().insert(name, (object, labels));
            }
        }
    }
    found
}

/// Managed namespaces in which not everything is forbidden first.
fn without_default_deny(input: &Input<'_>, namespaces: &Namespaces) -> Vec<Finding> {
    let mut guarded: BTreeSet<(&str, String)> = BTreeSet::new();
    let mut rendered: BTreeMap<(&str, &str), &RenderedUnit> = BTreeMap::new();
    for unit in input.units.iter() {
        for content in unit.files.values() {
            let policies = content.objects_that(|id| id.kind == "NetworkPolicy");
            for (_, object) in policies.iter().filter(|(_, object)| admission::is_default_deny(object)) {
                let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
                guarded.insert((unit.cluster(), namespace.to_owned()));
            }
            for id in content.identities().iter().filter(|id| id.kind == "Namespace") {
                rendered.insert((unit.cluster(), id.name), unit);
            }
        }
    }
    let mut findings = Vec::new();
    for ((cluster, name), unit) in rendered {
        let is_managed = namespaces
            .get(cluster)
            .and_then(|names| names.get(name))
            .is_some_and(|(object, _)| admission::is_managed(object));
        if is_managed && !guarded.contains(&(cluster, name.to_owned())) {
            findings.push(bare(input, unit, name));
        }
    }
    findings
}

/// A namespace in which not everything is forbidden first.
fn bare(input: &Input<'_>, unit: &RenderedUnit, name: &str) -> Finding {
    let tenant = unit.tenant.as_deref();
    let family = if tenant.is_some() { "tenant" } else { "system" };
    let template = format!("templates/{family}/network-policies.yaml.tera");
    let place = match (input.source.text(&template), tenant) {
        (Some(_), _) => Location::file(template),
        (None, Some(slug)) => config::locate(input.source, &config::tenant_file(slug), "/tenant/slug"),
        (None, None) => Location::file("install.yaml"),
    };
    let message = format!("namespace {name} on cluster {} has no policy that forbids everything first", unit.cluster());
    let finding = Finding::error("policy/default-deny", Class::Check, message).object(format!("Namespace {name}"));
    let finding = finding.at(place);
    let finding =
        finding.expected("a NetworkPolicy with podSelector: {} and policyTypes: [Ingress, Egress] and no rules");
    match tenant {
        Some(tenant) => finding.tenant(tenant),
        None => finding,
    }
}

/// Cases whose verdict is another than their name says.
fn cases(input: &Input<'_>, catalog: &Catalog, policies: &[Policy]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in input.source.below(CASES) {
        let place = Location::file(path);
        let wrong = |class: Class, message: String| {
            Finding::error("policy/case", class, format!("{path}: {message}")).at(place.clone())
        };
        let documents = match yaml::parse(text, Limits::MANIFEST) {
            Ok(documents) => documents.iter().map(|document| document.root.to_json()).collect(),
            Err(error) => {
                let finding = Finding::invalid("policy/case", error.message).at(Location::new(path, error.span));
                findings.push(finding);
                continue;
            }
        };
        let case = match admission::read_case(&path[CASES.len()..], documents) {
            Ok(case) => case,
            Err(reason) => {
                findings.push(wrong(Class::Invalid, reason));
                continue;
            }
        };
        let Some(policy) = policies.iter().find(|policy| policy.name == case.policy) else {
            findings.push(wrong(Class::Invalid, format!("there is no policy {}", case.policy)));
            continue;
        };
        let kind = |field: &str| case.object[field].as_str().unwrap_or_default();
        let Some(resource) = resource(catalog, kind("apiVersion"), kind("kind")) else {
            findings.push(wrong(Class::Incomplete, "there is no schema of its kind".into()));
            continue;
        };
        match case.verdict(policy, &resource, user(input)) {
            Verdict::NotCheckable(reason) if policy.server_only.is_none() => {
                findings.push(wrong(Class::Incomplete, reason))
            }
            Verdict::Refused(messages) if !case.denied => {
                findings
                    .push(wrong(Class::Check, format!("policy {} refuses it: {}", policy.name, messages.join("; "))));
            }
            Verdict::Allowed if case.denied => {
                findings.push(wrong(Class::Check, format!("policy {} allows it", policy.name)));
            }
            _ => {}
        }
    }
    findings
}

fn resource(catalog: &Catalog, api_version: &str, kind: &str) -> Option<Resource> {
    let entry = catalog.entry(api_version, kind)?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    Some(Resource {
        group: group.into(),
        version: version.into(),
        plural: entry.plural.clone(),
        kind: kind.into(),
        namespaced: entry.namespaced,
    })
}

#[cfg(test)]
mod tests;
