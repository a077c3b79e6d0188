//! Kubernetes objects as JSON, and the few questions that the chart tests ask them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tenantry::config::quantity;

/// Items of a list; none if it is no list.
pub fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text; empty if it is none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// `Kind namespace/name`.
pub fn name(object: &Value) -> String {
    let meta = &object["metadata"];
    format!("{} {}/{}", text(&object["kind"]), text(&meta["namespace"]), text(&meta["name"]))
}

/// A workload that makes pods.
#[derive(Debug, Clone)]
pub struct Workload {
    /// `Kind namespace/name`.
    pub name: String,
    /// Pods that run at once, without a surge.
    pub replicas: i128,
    /// Pods more during an update.
    pub surge: i128,
    /// Whether it runs and ends.
    pub is_job: bool,
    /// The pod's template.
    pub template: Value,
    /// Sizes of the claims of each pod.
    pub claims: Vec<i128>,
}

/// The workloads among objects.
pub fn workloads(objects: &[Value]) -> Vec<Workload> {
    let makes_pods = |object: &&Value| matches!(text(&object["kind"]), "Deployment" | "StatefulSet" | "Job");
    objects.iter().filter(makes_pods).map(workload).collect()
}

fn workload(object: &Value) -> Workload {
    let spec = &object["spec"];
    let is_deployment = object["kind"] == "Deployment";
    let is_recreated = spec["strategy"]["type"] == "Recreate";
    let surge = spec["strategy"]["rollingUpdate"]["maxSurge"].as_i64().unwrap_or(1);
    Workload {
        name: name(object),
        replicas: spec["replicas"].as_i64().unwrap_or(1).into(),
        surge: if is_deployment && !is_recreated { surge.into() } else { 0 },
        is_job: object["kind"] == "Job",
        template: spec["template"].clone(),
        claims: items(&spec["volumeClaimTemplates"]).map(claim).collect(),
    }
}

/// What a claim asks for.
pub fn claim(claim: &Value) -> i128 {
    amount(&claim["spec"]["resources"]["requests"]["storage"])
}

/// A quantity, in thousandths.
pub fn amount(value: &Value) -> i128 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    quantity::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

impl Workload {
    /// Containers, those that run first included.
    pub fn containers(&self) -> impl Iterator<Item = &Value> {
        items(&self.template["spec"]["initContainers"]).chain(items(&self.template["spec"]["containers"]))
    }

    /// What one pod asks for of `requests` or `limits`: the containers together, or one that runs before them.
    pub fn asks(&self, kind: &str, resource: &str) -> i128 {
        let of = |container: &Value| amount(&container["resources"][kind][resource]);
        let spec = &self.template["spec"];
        let together: i128 = items(&spec["containers"]).map(of).sum();
        items(&spec["initContainers"]).map(of).max().unwrap_or(0).max(together)
    }

    /// Names of the Secrets that its pods need.
    pub fn secrets(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        secrets(&self.template["spec"], &mut found);
        found
    }

    /// Ports by name and number that its containers open.
    pub fn ports(&self) -> BTreeMap<String, i64> {
        let ports = self.containers().flat_map(|container| items(&container["ports"]));
        ports
            .flat_map(|port| {
                let number = port["containerPort"].as_i64().unwrap_or_default();
                [(text(&port["name"]).to_owned(), number), (number.to_string(), number)]
            })
            .collect()
    }

    /// Whether a label selector of Kubernetes or Cilium selects its pods.
    pub fn is_selected(&self, selector: &Value) -> bool {
        let labels = &self.template["metadata"]["labels"];
        let has = |key: &str| labels.get(key.trim_start_matches("k8s:"));
        let mut pairs = selector["matchLabels"].as_object().into_iter().flatten();
        let expressions = items(&selector["matchExpressions"]).all(|expression| {
            let label = has(text(&expression["key"]));
            let is_in = || items(&expression["values"]).any(|value| label == Some(value));
            match text(&expression["operator"]) {
                "In" => is_in(),
                "NotIn" => !is_in(),
                "Exists" => label.is_some(),
                "DoesNotExist" => label.is_none(),
                other => panic!("operator {other}"),
            }
        });
        pairs.all(|(key, value)| has(key) == Some(value)) && expressions
    }
}

/// Every place of a pod that names a Secret.
fn secrets(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match key.as_str() {
                    "secretKeyRef" | "secretRef" => drop(found.insert(text(&inner["name"]).to_owned())),
                    "secret" if inner.get("secretName").is_some() => {
                        found.insert(text(&inner["secretName"]).to_owned());
                    }
                    "secret" if inner.get("name").is_some() => drop(found.insert(text(&inner["name"]).to_owned())),
                    "imagePullSecrets" => found.extend(items(inner).map(|item| text(&item["name"]).to_owned())),
                    _ => secrets(inner, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| secrets(inner, found)),
        _ => {}
    }
}
