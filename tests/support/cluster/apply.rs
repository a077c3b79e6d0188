//! Puts trees of manifests onto an API server, the way that Flux, kubectl and Helm do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use futures::StreamExt as _;
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::{Discovery, Scope};
use serde_json::{Value, json};

use super::{Cluster, User};
use crate::tools::{self, NotRun};

/// A tree of files by path.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// Knows where the objects of each kind live.
#[derive(Clone)]
pub struct Applier {
    client: Client,
    discovery: Arc<Discovery>,
}

impl Applier {
    /// Asks the cluster what it serves.
    pub async fn new(client: Client) -> Self {
        let discovery = Discovery::new(client.clone()).run_aggregated().await.expect("discovery");
        Applier { client, discovery: Arc::new(discovery) }
    }

    /// Where an object lives.
    pub fn api_of(&self, object: &Value) -> Api<DynamicObject> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
        let gvk = GroupVersionKind::gvk(group, version, text("/kind"));
        let (resource, scope) = self.resolve(&gvk);
        match scope {
            Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            Scope::Namespaced => {
                let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or("default");
                Api::namespaced_with(self.client.clone(), namespace, &resource)
            }
        }
    }

    fn resolve(&self, gvk: &GroupVersionKind) -> (ApiResource, Scope) {
        let found = self.discovery.resolve_gvk(gvk).map(|(resource, capabilities)| (resource, capabilities.scope));
        found.unwrap_or_else(|| panic!("the API server does not serve {gvk:?}"))
    }

    /// Server-side apply with strict field validation, as Flux does; what the server refused, by object.
    pub async fn server_side_apply(&self, objects: &[Value], manager: &str) -> Vec<String> {
        let mut refused = Vec::new();
        // What others need to exist comes first.
        let rank = |object: &Value| match object["kind"].as_str() {
            Some("Namespace") => 0,
            Some("CustomResourceDefinition") => 1,
            _ => 2,
        };
        for stage in 0..3 {
            let of_stage = objects.iter().filter(|object| rank(object) == stage);
            let answers =
                futures::stream::iter(of_stage).map(|object| self.apply_one(object, manager)).buffer_unordered(16);
            refused.extend(answers.filter_map(|answer| async move { answer.err() }).collect::<Vec<String>>().await);
        }
        refused.sort();
        refused
    }

    async fn apply_one(&self, object: &Value, manager: &str) -> Result<(), String> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let parameters = PatchParams { field_manager: Some(manager.to_owned()), force: true, ..PatchParams::default() };
        let parameters = parameters.validation_strict();
        let answer = self.api_of(object).patch(name, &parameters, &Patch::Apply(object)).await;
        answer.map(drop).map_err(|error| format!("{} {name}: {error}", object["kind"].as_str().unwrap_or_default()))
    }

    /// Makes the namespaces that objects live in and that no object makes.
    pub async fn create_missing_namespaces(&self, objects: &[Value]) {
        let text = |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let used: BTreeSet<String> = objects.iter().filter_map(|object| text(object, "/metadata/namespace")).collect();
        let made: BTreeSet<String> = objects
            .iter()
            .filter(|object| object["kind"] == "Namespace")
            .filter_map(|object| text(object, "/metadata/name"))
            .collect();
        for namespace in used.difference(&made) {
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            let refused = self.apply_one(&object, "tests").await;
            assert_eq!(refused, Ok(()));
        }
    }

    /// Creates an object.
    pub async fn create(&self, object: &Value, manager: &str) {
        let parameters = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
        let typed: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
        self.api_of(object).create(&parameters, &typed).await.unwrap_or_else(|error| panic!("{object}: {error}"));
    }

    /// Patches an object; `object` names it.
    pub async fn patch(&self, object: &Value, patch: &Patch<Value>, manager: &str) {
        let name = object["metadata"]["name"].as_str().expect("a name");
        let parameters = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        let answer = self.api_of(object).patch(name, &parameters, patch).await;
        answer.unwrap_or_else(|error| panic!("{object}: {error}"));
    }

    /// Patches an object by a JSON patch.
    pub async fn patch_json(&self, object: &Value, patch: &Value, manager: &str) {
        let (name, api) = (object["metadata"]["name"].as_str().expect("a name"), self.api_of(object));
        let path = format!("{}/{name}?fieldManager={manager}", api.resource_url());
        let request = http::Request::patch(path).header("content-type", "application/json-patch+json");
        let request = request.body(serde_json::to_vec(patch).expect("JSON")).expect("a request");
        let answer = self.client.request::<Value>(request).await;
        answer.unwrap_or_else(|error| panic!("{object} {patch}: {error}"));
    }

    /// Creates or replaces a CustomResourceDefinition and waits until it is served as it says.
    pub async fn define(&mut self, definition: &Value) {
        let refused = self.server_side_apply(std::slice::from_ref(definition), "tests").await;
        assert!(refused.is_empty(), "{refused:?}");
        let (group, names) = (&definition["spec"]["group"], &definition["spec"]["names"]);
        let versions = definition["spec"]["versions"].as_array().expect("versions");
        for version in versions.iter().filter(|version| version["served"] == true) {
            let gvk = GroupVersionKind::gvk(
                group.as_str().expect("a group"),
                version["name"].as_str().expect("a version"),
                names["kind"].as_str().expect("a kind"),
            );
            let start = std::time::Instant::now();
            loop {
                *self = Applier::new(self.client.clone()).await;
                if self.discovery.resolve_gvk(&gvk).is_some() {
                    break;
                }
                assert!(start.elapsed().as_secs() < 60, "{gvk:?} is not served");
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
        }
        // The schema of a definition that changed takes a moment to arrive where objects are read.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    }

    /// Patches the status of an object.
    pub async fn patch_status(&self, object: &Value, status: &Value, manager: &str) {
        let (name, api) = (object["metadata"]["name"].as_str().expect("a name"), self.api_of(object));
        let path = format!("{}/{name}/status?fieldManager={manager}", api.resource_url());
        let request = http::Request::patch(path).header("content-type", "application/merge-patch+json");
        let body = serde_json::to_vec(&json!({"status": status})).expect("JSON");
        let answer = self.client.request::<Value>(request.body(body).expect("a request")).await;
        answer.unwrap_or_else(|error| panic!("{object} {status}: {error}"));
    }

    /// Deletes an object without waiting for it to go.
    pub async fn delete(&self, object: &Value) {
        let name = object["metadata"]["name"].as_str().expect("a name");
        let answer = self.api_of(object).delete(name, &DeleteParams::default()).await;
        answer.unwrap_or_else(|error| panic!("{object}: {error}"));
    }

    /// Takes a tree away for the next one: its objects go; of its namespaces, which only controllers could end, the labels.
    pub async fn take_away(&self, objects: &[Value]) {
        let (namespaces, others): (Vec<&Value>, Vec<&Value>) =
            objects.iter().partition(|object| object["kind"] == "Namespace");
        let gone = |error: &kube::Error| matches!(error, kube::Error::Api(status) if status.code == 404);
        let delete = |object: &&Value| {
            let (api, name) = (self.api_of(object), object["metadata"]["name"].as_str().expect("a name").to_owned());
            async move {
                let refused = api.delete(&name, &DeleteParams::default()).await.err().filter(|error| !gone(error));
                assert!(refused.is_none(), "{name}: {refused:?}");
            }
        };
        futures::stream::iter(&others).map(delete).buffer_unordered(16).collect::<Vec<()>>().await;
        let bare = Patch::Merge(json!({"metadata": {"labels": null, "annotations": null}}));
        for object in namespaces {
            let (api, name) = (self.api_of(object), object["metadata"]["name"].as_str().expect("a name"));
            // A policy that was deleted is still asked for a moment, and labels are what it guards.
            let start = std::time::Instant::now();
            while let Err(error) = api.patch(name, &PatchParams::default(), &bare).await {
                if gone(&error) {
                    break;
                }
                let is_guarded = matches!(&error, kube::Error::Api(status) if status.code == 403);
                assert!(is_guarded && start.elapsed().as_secs() < 30, "{name}: {error:?}");
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            }
        }
    }

    /// Reads an object.
    pub async fn get(&self, object: &Value) -> Option<Value> {
        let name = object["metadata"]["name"].as_str().expect("a name");
        let found = self.api_of(object).get_opt(name).await.unwrap_or_else(|error| panic!("{object}: {error}"));
        found.map(|object| serde_json::to_value(object).expect("JSON"))
    }
}

/// The objects of the manifests of a tree; kustomizations are no objects.
pub fn objects_of(tree: &Tree) -> Vec<Value> {
    let mut objects = Vec::new();
    for (path, bytes) in
        tree.iter().filter(|(path, _)| path.ends_with(".yaml") && !path.ends_with("kustomization.yaml"))
    {
        let text = std::str::from_utf8(bytes).expect("UTF-8");
        for document in serde_yaml::Deserializer::from_str(text) {
            let value: Value =
                serde::Deserialize::deserialize(document).unwrap_or_else(|error| panic!("{path}: {error}"));
            if !value.is_null() {
                objects.push(value);
            }
        }
    }
    objects
}

/// Writes the tree's objects into one file of a folder.
pub fn write_objects(objects: &[Value], file: &Path) {
    let mut objects: Vec<&Value> = objects.iter().collect();
    objects.sort_by_key(|object| object["kind"] != "Namespace"); // kubectl applies in the order of the file
    let documents: Vec<String> = objects.iter().map(|object| serde_yaml::to_string(object).expect("YAML")).collect();
    fs::write(file, documents.join("---\n")).expect("the file is written");
}

/// `kubectl apply` of a file, with the last-applied annotation.
pub fn kubectl_apply(cluster: &Cluster, file: &Path) -> Result<(), NotRun> {
    let mut kubectl = Command::new(tools::kubectl()?);
    kubectl
        .arg("--kubeconfig")
        .arg(cluster.kubeconfig(User::Admin))
        .args(["apply", "--server-side=false", "-f"])
        .arg(file);
    // A home of its own: caches of discovery must not be shared between clusters.
    let home = tempfile::tempdir().expect("a folder");
    tools::run(kubectl.env("HOME", home.path()).env("KUBECACHEDIR", home.path()))
        .unwrap_or_else(|error| panic!("{error}"));
    Ok(())
}

/// `helm install` of a chart that holds the objects as they are.
pub fn helm_install(cluster: &Cluster, objects: &[Value], release: &str, namespace: &str) -> Result<(), NotRun> {
    let chart = tempfile::tempdir().expect("a folder");
    fs::create_dir(chart.path().join("templates")).expect("a folder");
    let metadata = format!("apiVersion: v2\nname: {release}\nversion: 1.0.0\n");
    fs::write(chart.path().join("Chart.yaml"), metadata).expect("a chart");
    write_objects(objects, &chart.path().join("objects.yaml"));
    fs::write(chart.path().join("templates/all.yaml"), "{{ .Files.Get \"objects.yaml\" }}").expect("a template");
    let home = tempfile::tempdir().expect("a folder");
    let mut helm = Command::new(tools::helm()?);
    helm.args(["install", release]).arg(chart.path()).args(["--namespace", namespace, "--kubeconfig"]);
    helm.arg(cluster.kubeconfig(User::Admin)).env("HOME", home.path());
    for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        helm.env(variable, home.path());
    }
    tools::run(&mut helm).unwrap_or_else(|error| panic!("{error}"));
    Ok(())
}
