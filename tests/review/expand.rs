//! `diff --expand`: the workloads behind each release, made by real Helm.

use std::fs;

use serde_json::{Value, json};

use crate::scratch::Scratch;
use crate::tools;

/// `diff --expand` with the tests' own Helm.
fn expand(helm: &std::path::Path, more: &str) -> String {
    format!("diff --expand --helm {}{more}", helm.display())
}

/// Object, path, tenants and what made it, of what Helm made.
fn made(document: &Value) -> Vec<(String, String, Value, String)> {
    let changes = document["changes"].as_array().unwrap().iter().filter(|one| !one["madeBy"].is_null());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    changes
        .map(|one| {
            let object = format!("{} {}", text(&one["object"]["kind"]), text(&one["object"]["name"]));
            (object, text(&one["path"]), one["tenants"].clone(), text(&one["madeBy"]))
        })
        .collect()
}

#[test]
fn the_workloads_of_each_release_that_changes_are_compared() {
    let helm = match tools::helm() {
        Ok(helm) => helm,
        Err(not_run) => return not_run.report(),
    };
    let fleet = Scratch::with_charts();
    // Without it, what pods restart can only be guessed; with it, the control planes' do and no tenant's.
    fleet.edit("install.yaml", "model: gpt-4o", "model: gpt-5");
    let guessed = fleet.json("diff", 1);
    let told = fleet.json(&expand(&helm, ""), 1);
    assert!(guessed["counts"]["restarts"].as_u64() > told["counts"]["restarts"].as_u64(), "{told:#}");
    assert_eq!(told["counts"]["restarts"], 2, "{told:#}");
    let found = made(&told);
    let api = "spec.template.spec.containers[name=soctalk-api].env[name=SOCTALK_LLM_MODEL_DEFAULT].value";
    let own = |object: &str, path: &str| found.iter().find(|one| one.0 == object && one.1 == path);
    let (.., by) = own("Deployment soctalk-api", api).unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(by, "soctalk-system 1.1.0");
    let text = fleet.run(&expand(&helm, "")).out;
    assert!(text.contains("2 control planes: eu-1, us-1; made by Helm from soctalk-system 1.1.0"), "{text}");
    assert!(text.contains("note: workloads are those that Helm v"), "{text}");
    fleet.git("checkout -q .");

    // One tenant's components: only its workload, and its pods restart.
    fleet.edit("tenants/cobalt.yaml", "profile: small-dev", "profile: pilot-prod");
    let told = fleet.json(&expand(&helm, ""), 1);
    let found = made(&told);
    assert!(found.iter().all(|one| one.2 == json!(["cobalt"])), "{found:#?}");
    let indexer = found.iter().find(|one| one.0 == "StatefulSet wazuh-indexer").unwrap_or_else(|| panic!("{found:#?}"));
    assert!(indexer.1.starts_with("spec."), "{found:#?}");
    fleet.git("checkout -q .");

    // A chart that is edited and keeps its version: the releases look the same, their workloads are not.
    let adapter = fleet.file("charts/soctalk-tenant/templates/adapter.yaml");
    let chart = fs::read_to_string(&adapter).unwrap();
    let replicas = chart.lines().find(|line| line.trim().starts_with("replicas:")).unwrap();
    fs::write(&adapter, chart.replace(replicas, "  replicas: 3")).unwrap();
    assert_eq!(fleet.run("diff").code, 0);
    // One tenant is on a version that is nowhere: that is said, and the run is not complete.
    let told = fleet.json(&expand(&helm, ""), 6);
    let why = told["incomplete"].to_string();
    assert!(why.contains("everglade") && why.contains("soctalk-tenant 1.0.0") && why.contains("--charts"), "{why}");
    let found = made(&told);
    let (object, path, tenants, _) = &found[0];
    assert_eq!((object.as_str(), path.as_str()), ("Deployment soctalk-adapter", "spec.replicas"), "{found:#?}");
    assert!(tenants.as_array().unwrap().len() >= 5, "tenants that change alike are one entry: {found:#?}");
    // What Helm refuses is said with the release's line and the file to edit.
    fs::write(&adapter, format!("{chart}\n{{{{ fail \"not in this house\" }}}}\n")).unwrap();
    let refused = fleet.json(&expand(&helm, ""), 6);
    let why = refused["incomplete"].to_string();
    for words in ["clusters/eu-1/tenants/acme/helmrelease.yaml:", "tenants/acme.yaml:", "not in this house"] {
        assert!(why.contains(words), "{words} in {why}");
    }
    assert_eq!(made(&refused), [], "nothing is called the same");
}

#[test]
fn the_workloads_of_tenants_that_come_or_go_are_listed_once_for_all() {
    let helm = match tools::helm() {
        Ok(helm) => helm,
        Err(not_run) => return not_run.report(),
    };
    let fleet = Scratch::with_charts();
    // Two that are onboarded alike, and one that goes.
    let text = fs::read_to_string(fleet.file("tenants/cobalt.yaml")).unwrap();
    let id = "2c8e4f1a-9b0d-4e6f-8a1c-3d2b5e7f9a03";
    assert!(text.contains("slug: cobalt") && text.contains("events: 15142"), "{text}");
    for (slug, last, port) in [("jasper", "11", 15150), ("kelp", "12", 15152)] {
        let own = text.replace("slug: cobalt", &format!("slug: {slug}")).replace("15142", &port.to_string());
        let own = own.replace("15143", &(port + 1).to_string());
        let lines = own.lines().map(|line| match line.trim().strip_prefix("id: ") {
            Some(_) => format!("  id: {}{last}", &id[..34]),
            None => line.to_owned(),
        });
        fs::write(fleet.file(&format!("tenants/{slug}.yaml")), lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    }
    fleet.git("rm -q tenants/borealis.yaml");
    let told = fleet.json(&expand(&helm, ""), 1);
    let whole = |action: &str, tenants: &Value| -> Vec<String> {
        let changes = told["changes"].as_array().unwrap().iter();
        let made = changes.filter(|one| !one["madeBy"].is_null() && one["action"] == action && one["path"] == "");
        let own = made.filter(|one| one["tenants"] == *tenants);
        own.map(|one| {
            format!("{} {}", one["object"]["kind"].as_str().unwrap(), one["object"]["name"].as_str().unwrap())
        })
        .collect()
    };
    let (come, gone) = (whole("added", &json!(["jasper", "kelp"])), whole("removed", &json!(["borealis"])));
    for workload in ["Deployment soctalk-adapter", "StatefulSet wazuh-manager", "StatefulSet wazuh-indexer"] {
        assert!(come.iter().any(|one| one == workload), "{workload} in {come:#?}");
        assert!(gone.iter().any(|one| one == workload), "{workload} in {gone:#?}");
    }
    assert!(come.iter().all(|one| !one.starts_with("ConfigMap") && !one.starts_with("Service")), "{come:#?}");
    // What Helm makes is counted with the unit, and each deletion once.
    let units = told["units"].as_array().unwrap();
    let of = |slug: &str| units.iter().find(|unit| unit["tenant"] == slug).unwrap();
    let numbers = |slug: &str| (of(slug)["objects"].as_u64().unwrap(), of(slug)["made"].as_u64().unwrap());
    let ((objects, count), (_, same)) = (numbers("borealis"), numbers("jasper"));
    assert!(count > gone.len() as u64 && same > come.len() as u64, "{units:#?}");
    let besides =
        told["changes"].as_array().unwrap().iter().filter(|one| one["sort"] == "deletes" && one["madeBy"].is_null());
    assert_eq!(
        told["counts"]["deleted"].as_u64(),
        Some(objects + count + besides.count() as u64),
        "{:#}",
        told["counts"]
    );
    let text = fleet.run(&expand(&helm, "")).out;
    for line in [
        &format!("tenant borealis on eu-1 goes: {objects} objects deleted, and {count} that Helm makes"),
        "Deployment tenant-<slug>/soctalk-adapter: it is new: 1 pod of ",
        "2 tenants: jasper, kelp; made by Helm from soctalk-tenant 1.1.0",
        "StatefulSet tenant-borealis/wazuh-indexer: its pods are deleted: 1 pod of ",
        "each with volume data of 50Gi",
        // What synced the one that goes does not become what syncs one that comes.
        "Kustomization flux-system/tenant-borealis: it is deleted",
        "Kustomization flux-system/tenant-kelp: it is new",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    // Without it, only the units are told.
    let plain = fleet.json("diff", 1);
    assert!(plain["units"][0]["made"].is_null() && made(&plain).is_empty(), "{:#}", plain["units"]);
}

#[test]
fn a_version_is_found_in_the_history_and_in_archives() {
    let helm = match tools::helm() {
        Ok(helm) => helm,
        Err(not_run) => return not_run.report(),
    };
    let fleet = Scratch::with_charts();
    let chart = "charts/soctalk-tenant/Chart.yaml";
    fleet.edit(chart, "\nversion: 1.1.0", "\nversion: 1.0.0");
    let adapter = fleet.file("charts/soctalk-tenant/templates/adapter.yaml");
    let text = fs::read_to_string(&adapter).unwrap();
    let replicas = text.lines().find(|line| line.trim().starts_with("replicas:")).unwrap().to_owned();
    fs::write(&adapter, text.replace(&replicas, "  replicas: 7")).unwrap();
    let old = fleet.commit("the old chart");
    let archives = tempfile::tempdir().unwrap();
    assert_eq!(fleet.run(&format!("charts package soctalk-tenant --out {}", archives.path().display())).code, 0);
    fleet.edit(chart, "\nversion: 1.0.0", "\nversion: 1.1.0");
    fs::write(&adapter, text).unwrap();
    fleet.commit("the new chart");
    fleet.edit("tenants/everglade.yaml", "chartVersion: 1.0.0", "chartVersion: 1.1.0");
    let told = fleet.json(&expand(&helm, ""), 1);
    let is_it = |one: &(String, String, Value, String)| {
        one.0 == "Deployment soctalk-adapter" && one.1 == "spec.replicas" && one.3 == "soctalk-tenant 1.0.0 → 1.1.0"
    };
    assert!(made(&told).iter().any(is_it), "{told:#}");
    assert!(told["notes"].to_string().contains(&format!("charts/ at {}", &old[..12])), "{}", told["notes"]);
    // The same where the history is gone, from the archive that was packed then.
    fleet.git("checkout -q .");
    fleet.git("checkout -q --orphan fresh");
    fleet.commit("no history");
    fleet.edit("tenants/everglade.yaml", "chartVersion: 1.0.0", "chartVersion: 1.1.0");
    assert_eq!(fleet.run(&expand(&helm, " --base HEAD")).code, 6);
    let archived = fleet.json(&expand(&helm, &format!(" --base HEAD --charts {}", archives.path().display())), 1);
    assert_eq!(made(&archived), made(&told));
}

#[test]
fn without_helm_it_says_so_and_compares_nothing() {
    let fleet = Scratch::with_charts();
    fleet.edit("install.yaml", "model: gpt-4o", "model: gpt-5");
    let said = fleet.run("diff --expand --helm /nowhere/helm");
    assert_eq!((said.code, said.out.as_str()), (5, ""), "{}", said.err);
    assert!(said.err.contains("cannot run Helm (/nowhere/helm)") && said.err.contains("--helm PATH"), "{}", said.err);
    assert_eq!(fleet.run("diff --helm helm").code, 2, "it is of no use without --expand");
    assert_eq!(fleet.run("diff").code, 1, "and without it none is needed");
}
