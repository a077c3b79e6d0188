//! Reports of `openreports.io/v1alpha1`: one for the whole, one for each unit that drifted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::pen::Pen;
use crate::cluster::api::ApiError;
use crate::drift::change::Severity;
use crate::drift::changeset::{Overall, TenantState};
use crate::report::drift::{Difference, Document};
use crate::secrets::leak;

/// Most results of one Report; its summary counts all.
const MOST_RESULTS: usize = 200;

/// What was written so far, by name.
#[derive(Default)]
pub struct Reports {
    written: BTreeMap<String, [u8; 32]>,
}

impl Reports {
    /// Writes the Reports of a document that are not what was written before.
    ///
    /// # Errors
    /// The first that could not be written; `NotFound` where the cluster has no Reports.
    pub async fn write(&mut self, pen: &Pen, namespace: &str, document: &Document) -> Result<(), ApiError> {
        let known: BTreeSet<&str> = self.written.keys().map(String::as_str).collect();
        for (name, content) in reports(document, &known) {
            let digest: [u8; 32] = Sha256::digest(content.to_string().as_bytes()).into();
            if self.written.get(&name) == Some(&digest) {
                continue;
            }
            let mut object = content;
            object["metadata"]["namespace"] = json!(namespace);
            let path = format!("/apis/openreports.io/v1alpha1/namespaces/{namespace}/reports/{name}");
            pen.apply(&path, &object).await?;
            self.written.insert(name, digest);
        }
        Ok(())
    }
}

/// The Reports of a document by name. A unit of which one is `known` has one even when nothing differs any more.
fn reports(document: &Document, known: &BTreeSet<&str>) -> Vec<(String, Value)> {
    let mut units: BTreeMap<Option<&str>, Vec<&Difference>> = BTreeMap::new();
    for difference in document.drift() {
        units.entry(difference.tenant.as_deref()).or_default().push(difference);
    }
    let named = document.tenants.keys().map(|slug| Some(slug.as_str())).chain([None]);
    for unit in named.filter(|unit| known.contains(name(*unit).as_str())) {
        units.entry(unit).or_default();
    }
    let mut reports = vec![("tenantry-drift".to_owned(), overall(document))];
    reports.extend(units.into_iter().map(|(unit, differences)| (name(unit), of_unit(document, unit, &differences))));
    reports
}

fn name(unit: Option<&str>) -> String {
    unit.map_or_else(|| "tenantry-drift-system".to_owned(), |slug| format!("tenantry-drift-tenant-{slug}"))
}

/// The tenants as results: passed, failed, or unknown as an error.
fn overall(document: &Document) -> Value {
    let count = |wanted: TenantState| document.tenants.values().filter(|state| **state == wanted).count();
    let summary = json!({
        "pass": count(TenantState::Clean), "fail": count(TenantState::Drifted), "error": count(TenantState::Unknown),
    });
    let result = match document.verdict {
        Overall::Clean => "pass",
        Overall::Drift => "fail",
        Overall::Incomplete => "error",
    };
    let revision = document.checked.revision.as_deref().unwrap_or_default();
    let gaps = document.gaps().map(|(kind, _)| format!("; not read: {} {}", kind.api_version, kind.kind));
    let drift: usize = document.counts.drift.values().sum();
    let description = format!("{drift} differences from {revision}{}", gaps.collect::<String>());
    object("tenantry-drift", &summary, &[json!({ "policy": "drift", "result": result, "message": description })])
}

fn of_unit(document: &Document, unit: Option<&str>, differences: &[&Difference]) -> Value {
    let unknown = unit.is_some_and(|slug| document.tenants.get(slug) == Some(&TenantState::Unknown));
    let summary = json!({
        "pass": usize::from(differences.is_empty() && !unknown),
        "fail": differences.len(),
        "error": usize::from(unknown),
    });
    let results: Vec<Value> = differences.iter().take(MOST_RESULTS).map(|difference| result(difference)).collect();
    object(&name(unit), &summary, &results)
}

fn result(difference: &Difference) -> Value {
    let object = &difference.object;
    let mut resource = json!({ "apiVersion": object.api_version, "kind": object.kind, "name": object.name });
    if let Some(namespace) = &object.namespace {
        resource["namespace"] = json!(namespace);
    }
    let mut properties = json!({ "class": difference.class.as_str(), "path": difference.path });
    if let Some(place) = &difference.rendered {
        properties["rendered"] = json!(format!("{}:{}", place.file, place.line));
    }
    if let Some(line) = &difference.decided_by {
        properties["decided"] = json!(format!("{}:{}", line.file, line.line));
    }
    json!({
        "policy": "drift",
        "rule": difference.class.as_str(),
        "category": "Drift",
        "source": "tenantry",
        "result": "fail",
        "severity": match difference.severity {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        },
        "scored": true,
        "message": leak::mask(&format!("{}: {}", difference.path, difference.effect)),
        "properties": properties,
        "resources": [resource],
    })
}

fn object(name: &str, summary: &Value, results: &[Value]) -> Value {
    json!({
        "apiVersion": "openreports.io/v1alpha1",
        "kind": "Report",
        "metadata": { "name": name, "labels": { "app.kubernetes.io/managed-by": "tenantry-drift" } },
        "source": "tenantry",
        "summary": summary,
        "results": results,
    })
}
