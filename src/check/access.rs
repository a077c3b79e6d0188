//! Who can read which Secret, over what was rendered, against the inventory.
//!
//! A grant is judged by its binding and its role, which lie in one unit (bindings that reach into another unit are refused),
//! and only control planes have cluster roles: units that stay as they are were judged when they were written.

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;

use super::{Input, Outcome};
use crate::access::{self, Fault, FaultKind, Grants, Unresolved};
use crate::blame::departure;
use crate::finding::{Class, Finding, Location};
use crate::manifest::IdRef;
use crate::network::{FileLines, Source};
use crate::plan::ClusterPlan;
use crate::plan::names::{SYSTEM_NAMESPACE, cluster_of, system_unit, tenant_unit};
use crate::render::RenderedUnit;

pub(super) fn check(input: &Input<'_>) -> Outcome {
    Outcome::Ran(input.plan.clusters.iter().flat_map(|cluster| of_cluster(input, cluster)).collect())
}

fn of_cluster(input: &Input<'_>, cluster: &ClusterPlan<'_>) -> Vec<Finding> {
    let name = cluster.cluster.name.as_str();
    let own: Vec<usize> = (0..input.units.len()).filter(|at| cluster_of(&input.units[*at].path) == name).collect();
    let changed: BTreeSet<&str> = own.iter().map(|at| input.units[*at].path.as_str()).collect();
    if changed.is_empty() {
        return Vec::new();
    }
    let documents: Vec<Source> = own.par_iter().flat_map_iter(|at| sources(input.units, *at)).collect();
    let grants = Grants::read(&documents);
    let path = |slug: Option<&str>| slug.map_or_else(|| system_unit(name), |slug| tenant_unit(name, slug));
    let required = access::expected(input.plan.fleet, cluster, |slug| changed.contains(path(slug).as_str()));
    let mut faults = access::judge(&grants, &required, &required);
    if faults.iter().any(|fault| fault.kind == FaultKind::UnknownSecret) {
        // It may be that of a tenant that stays.
        let known = access::expected(input.plan.fleet, cluster, |_| true);
        faults = access::judge(&grants, &required, &known);
    }
    let unresolved = grants.unresolved.iter().map(|unresolved| of_unresolved(input, unresolved));
    unresolved.chain(faults.iter().map(|fault| of_fault(input, cluster, fault))).collect()
}

/// The roles, bindings and accounts of a unit.
pub fn sources(list: &Arc<Vec<RenderedUnit>>, at: usize) -> Vec<Source> {
    let unit = &list[at];
    let is_wanted = |id: &IdRef<'_>| {
        id.api_version.starts_with("rbac.authorization.k8s.io/")
            || (id.kind == "ServiceAccount" && id.api_version == "v1")
    };
    let mut found = Vec::new();
    for (name, content) in &unit.files {
        let wanted = content.objects_that(is_wanted);
        if wanted.is_empty() {
            continue;
        }
        let file: Arc<str> = format!("{}/{name}", unit.path).into();
        let (list, name) = (Arc::clone(list), name.clone());
        let lines = FileLines::of(move || list[at].files.get(&name).map(|content| content.text()).unwrap_or_default());
        found.extend(wanted.into_iter().map(|(position, value)| Source {
            value,
            file: Arc::clone(&file),
            lines: lines.document(position),
        }));
    }
    found
}

fn of_unresolved(input: &Input<'_>, unresolved: &Unresolved) -> Finding {
    let message = format!("{}: {}", unresolved.object, unresolved.reason);
    let finding = Finding::error("access/unresolved", Class::Incomplete, message).object(&unresolved.object);
    let finding = finding.found(unresolved.place.to_string());
    departure::located(finding, input.source, &unresolved.place.file, &["roleRef", "subjects"], "/tenant/slug")
}

fn of_fault(input: &Input<'_>, cluster: &ClusterPlan<'_>, fault: &Fault<'_>) -> Finding {
    let (rule, hint) = match fault.kind {
        FaultKind::UnexpectedReader => {
            ("access/unexpected-reader", "grant `get` on its own Secrets by `resourceNames` only")
        }
        FaultKind::UnknownSecret => ("access/unknown-secret", "correct the name, or drop it from the role"),
        FaultKind::EverySecret => ("access/every-secret", "name the Secrets in `resourceNames`, and grant `get` only"),
        FaultKind::Writer => ("access/writer", "Secrets are written by External Secrets and cert-manager only"),
        FaultKind::Escalation => ("access/escalation", "drop the right; only accounts that install charts have it"),
        FaultKind::BeyondDuty => ("access/beyond-duty", "drop the right"),
        FaultKind::MissingReader => ("access/missing-reader", "grant `get` on it by `resourceNames`"),
    };
    let finding = Finding::error(rule, Class::Check, &fault.message).object(&fault.object).hint(hint);
    let Some(grant) = fault.grant else {
        let words = ["resourceNames", "subjects", "name:"];
        return departure::located(finding, input.source, &owner(cluster, fault), &words, "/tenant/slug");
    };
    let why = fault.why.map(|why| format!("{why}; ")).unwrap_or_default();
    let (role, binding) = (grant.rule_place(), grant.binding_place());
    let finding = finding.found(format!("{why}{} at {role}, bound at {binding}", grant.role));
    // Whichever of the two was edited: a template that the fleet does not override is not it.
    let words = ["verbs", "resources", "resourceNames", "apiGroups", "subjects", "roleRef", "name"];
    let place = |file: &str, object: &str| match input.plan.fleet.shipped(object) {
        Some(shipped) if file.ends_with("/admission.yaml") => shipped.place(),
        _ => departure::locate(input.source, file, &words, "/tenant/slug"),
    };
    let of_rule = place(grant.rule_file(), &grant.role);
    let of_binding = place(grant.binding_file(), &grant.binding);
    let is_own = ["templates/", "policies/"].iter().any(|folder| of_rule.file.starts_with(folder));
    let chosen: Location = if is_own { of_rule } else { of_binding };
    match departure::tenant(grant.binding_file()) {
        Some(slug) => finding.at(chosen).tenant(slug),
        None => finding.at(chosen),
    }
}

/// The file that should hold a grant that is missing: the namespace's own, or that of the tenant whose Secret lies in the
/// control plane's namespace.
fn owner(cluster: &ClusterPlan<'_>, fault: &Fault<'_>) -> String {
    let name = cluster.cluster.name.as_str();
    let namespace = fault.namespace.as_deref().unwrap_or(SYSTEM_NAMESPACE);
    let of_id = fault.object.split("/tenant-").nth(1);
    for (slug, tenant) in &cluster.tenants {
        if tenant.namespace == namespace {
            return format!("{}/rbac.yaml", tenant_unit(name, slug));
        }
        if namespace == SYSTEM_NAMESPACE && of_id.is_some_and(|id| id.starts_with(tenant.tenant.tenant.id.as_str())) {
            return format!("{}/system.yaml", tenant_unit(name, slug));
        }
    }
    format!("{}/rbac.yaml", system_unit(name))
}
