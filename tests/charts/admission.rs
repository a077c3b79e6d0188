//! What Helm makes of the charts, against the admission policies that the repository's fleet ships.

use serde_json::Value;
use tenantry::admission::{Case, Policy, Resource, Verdict, policies};
use tenantry::schemas::{Catalog, whole};

use super::{every_release, fleet, items, name, read, text};

fn shipped() -> Vec<Value> {
    let files = fleet::files(&fleet::root().join("policies/admission"));
    let own = files.iter().filter(|(path, _)| !path.starts_with("cases/"));
    own.flat_map(|(_, bytes)| read(bytes)).collect()
}

#[test]
fn charts_make_nothing_that_a_policy_refuses_or_a_schema_forbids() {
    let objects = shipped();
    let policies: Vec<Policy> = policies(objects.iter()).into_iter().map(|policy| policy.unwrap()).collect();
    assert!(policies.len() > 10, "{}", policies.len());
    let catalog = Catalog::own().unwrap();
    every_release(|release| {
        let of = |object: &Value| {
            let mut object = object.clone();
            let (version, kind) = (text(&object["apiVersion"]).to_owned(), text(&object["kind"]).to_owned());
            let Some(entry) = catalog.entry(&version, &kind) else { return vec![format!("{kind} has no schema")] };
            let faults = whole(&catalog, &object, |_| false).unwrap().faults;
            let mut wrong: Vec<String> = faults.iter().map(|fault| format!("{}: {fault:?}", name(&object))).collect();
            if entry.namespaced && object["metadata"]["namespace"].is_null() {
                object["metadata"]["namespace"] = release.namespace.as_str().into();
            }
            let (group, api) = version.split_once('/').unwrap_or(("", &version));
            let resource = Resource {
                group: group.into(),
                version: api.into(),
                plural: entry.plural.clone(),
                kind,
                namespaced: entry.namespaced,
            };
            let before = release.tree.iter().chain(&release.own).filter(|object| object["kind"] == "Namespace");
            let case = Case { policy: String::new(), denied: false, before: before.cloned().collect(), object };
            for policy in &policies {
                let verdict = case.verdict(policy, &resource, "system:serviceaccount:flux-system:helm-controller");
                if verdict != Verdict::Allowed {
                    wrong.push(format!("{} {}: {verdict:?}", name(&case.object), policy.name));
                }
            }
            wrong
        };
        release.templated.iter().flat_map(of).collect()
    });
    assert!(items(&objects[0]["spec"]["validations"]).count() > 0);
}
