//! `diff --live`: against a dump of a cluster. (That a real API server's dump of each fleet is no difference is tested with
//! one: `tests/cluster/fleets.rs`.)

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tenantry::yaml::{self, Limits};

use crate::fleet;
use crate::scratch::Scratch;

/// What a cluster would hold that took the fleet's tree as it is, as one list.
fn dump(fleet: &Scratch, cluster: &str, change: impl Fn(&mut Vec<Value>)) -> String {
    let out = fleet.file("out");
    assert_eq!(fleet.run("render --out out").code, 0);
    let mut objects = Vec::new();
    for (path, bytes) in fleet::files(&out.join("clusters").join(cluster)) {
        if path.ends_with(".yaml") {
            let documents = yaml::parse(&fleet::text(&bytes), Limits::MANIFEST).unwrap();
            objects.extend(documents.iter().map(|document| document.root.to_json()).filter(|one| !one.is_null()));
        }
    }
    objects.retain(|one| !one["apiVersion"].as_str().unwrap().starts_with("kustomize.config"));
    for object in &mut objects {
        object["metadata"]["uid"] = json!("0");
        object["metadata"]["resourceVersion"] = json!("7");
        object["status"] = json!({ "observedGeneration": 1 });
    }
    change(&mut objects);
    fs::remove_dir_all(out).unwrap();
    let path = fleet.file("dump.json");
    fs::write(&path, json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string()).unwrap();
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn find<'v>(objects: &'v mut [Value], kind: &str, namespace: &str) -> &'v mut Value {
    let is_it = |one: &&mut Value| one["kind"] == kind && one["metadata"]["namespace"] == namespace;
    objects.iter_mut().find(is_it).unwrap()
}

#[test]
fn a_dump_is_a_base_too() {
    let fleet = Scratch::new();
    let clean = dump(&fleet, "eu-1", |_| {});
    let args = format!("diff --live {clean} --cluster eu-1");
    let document = fleet.json(&args, 0);
    assert_eq!((&document["verdict"], &document["base"]["what"]), (&json!("same"), &json!("live")));
    // The change of the branch, and nothing else.
    fleet.edit("tenants/borealis.yaml", "192.0.2.0/25", "192.0.2.0/24");
    let (of_live, of_fleet) = (fleet.json(&args, 1), fleet.json("diff", 1));
    assert_eq!(of_live["changes"], of_fleet["changes"], "both ways of seeing what was there agree");
    fleet.git("checkout -q .");
    // A tenant that the fleet has no more, and one that the cluster does not have yet.
    fleet.git("rm -q tenants/fenwick.yaml");
    let gone = fleet.json(&args, 1);
    assert_eq!((&gone["units"][0]["action"], &gone["units"][0]["tenant"]), (&json!("removed"), &json!("fenwick")));
    // What it had in the control plane's namespace is its own, and what told the engine to sync it is the engine's: as many
    // objects go as where the fleet itself is compared.
    let of_fleet = fleet.json("diff", 1);
    assert_eq!(gone["units"], of_fleet["units"], "{:#}", gone["changes"]);
    assert_eq!(gone["counts"]["deleted"], of_fleet["counts"]["deleted"]);
    let subjects = |document: &Value| -> Vec<String> {
        document["changes"].as_array().unwrap().iter().map(|one| one["object"]["name"].to_string()).collect()
    };
    assert_eq!(subjects(&gone), subjects(&of_fleet), "{gone:#}");
    fleet.git("reset -q --hard");
    let without = dump(&fleet, "eu-1", |objects| {
        let id = "5a1e2c6f-3e9d-4bac-8c7f-6f0a5b2d9e06";
        objects.retain(|one| !one.to_string().contains("fenwick") && !one.to_string().contains(id));
    });
    let come = fleet.json(&format!("diff --live {without} --cluster eu-1"), 1);
    assert!(come["units"].as_array().unwrap().iter().any(|one| one["action"] == "added" && one["tenant"] == "fenwick"));
}

#[test]
fn what_somebody_did_to_the_cluster_is_seen_as_what_the_next_sync_does() {
    let fleet = Scratch::new();
    let drifted = dump(&fleet, "eu-1", |objects| {
        // Opened by hand: the sync closes it. And what others made is theirs.
        find(objects, "NetworkPolicy", "tenant-acme")["spec"]["ingress"] = json!([{}]);
        objects.push(json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "operators", "namespace": "tenant-acme"}}));
    });
    let document = fleet.json(&format!("diff --live {drifted} --cluster eu-1"), 1);
    assert_eq!(document["counts"]["tenants"], json!(["acme"]), "{document:#}");
    assert_eq!((&document["counts"]["opens"], &document["counts"]["deleted"]), (&json!(0), &json!(0)));
    assert!(document["changes"].as_array().unwrap().iter().any(|one| one["direction"] == "closes"), "{document:#}");
    // What is ours and rendered no more will be pruned.
    let left = dump(&fleet, "eu-1", |objects| {
        let mut old = find(objects, "Role", "tenant-acme").clone();
        old["metadata"]["name"] = json!("of-yesterday");
        old["rules"] = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
        objects.push(old);
    });
    let document = fleet.json(&format!("diff --live {left} --cluster eu-1"), 1);
    assert_eq!(document["changes"][0]["object"]["name"], "of-yesterday", "{document:#}");
    assert_eq!(document["counts"]["deleted"], 1);
}

#[test]
fn what_a_dump_does_not_hold_is_never_called_absent() {
    let fleet = Scratch::new();
    let part = dump(&fleet, "eu-1", |objects| objects.retain(|one| one["kind"] != "ResourceQuota"));
    let document = fleet.json(&format!("diff --live {part} --cluster eu-1"), 6);
    assert!(document["incomplete"].to_string().contains("the dump has no ResourceQuota"), "{document:#}");
    assert_eq!(document["changes"], json!([]));
    // A field of a kind whose defaults nobody knows.
    let unknown = dump(&fleet, "eu-1", |objects| {
        find(objects, "ExternalSecret", "tenant-acme")["spec"]["refreshPolicy2"] = json!("Periodic");
    });
    let document = fleet.json(&format!("diff --live {unknown} --cluster eu-1"), 6);
    assert!(document["incomplete"].to_string().contains("CustomResourceDefinition"), "{document:#}");
    let said = |args: &str| fleet.run(args);
    assert_eq!(said("diff --live nowhere.json --cluster eu-1").code, 5);
    assert_eq!(said(&format!("diff --live {part}")).code, 2, "which of the two clusters?");
    assert_eq!(said(&format!("diff --live {part} --cluster eu-9")).code, 2);
    assert_eq!(said(&format!("diff --live {part} --base HEAD")).code, 2);
    assert!(Path::new(&fleet.file("dump.json")).exists());
}
