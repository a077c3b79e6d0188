//! Access to Secrets that a change adds and removes.

use serde_json::{Value, json};

use crate::scratch::Scratch;

const RBAC: &str = "tenant/rbac.yaml.tera";
const ACCOUNT: &str = "    name: {{ account.name }}\n    namespace: {{ tenant.namespace }}\n{% endif %}";

/// Action, subject, what, and to how many units.
fn told(document: &Value) -> Vec<(String, String, String, u64)> {
    let text = |one: &Value, field: &str| one[field].as_str().unwrap().to_owned();
    let access = document["access"].as_array().unwrap();
    access
        .iter()
        .map(|one| (text(one, "action"), text(one, "subject"), text(one, "what"), one["count"].as_u64().unwrap()))
        .collect()
}

#[test]
fn who_may_read_what_they_could_not_is_told_once_for_all_tenants() {
    let fleet = Scratch::new();
    let group = "  - kind: Group\n    name: auditors\n    apiGroup: rbac.authorization.k8s.io\n";
    fleet.template(RBAC, ACCOUNT, &ACCOUNT.replace("{% endif", &format!("{group}{{% endif")));
    let document = fleet.json("diff", 1);
    let given = told(&document);
    assert!(given.len() <= 4, "folded by Secret: {given:#?}");
    for (action, subject, ..) in &given {
        assert_eq!((action.as_str(), subject.as_str()), ("added", "group auditors"));
    }
    let of_all = given.iter().max_by_key(|one| one.3).unwrap();
    assert_eq!(of_all.3, 8, "{given:#?}");
    assert!(of_all.2.starts_with("read Secrets tenant-<slug>/adapter-token, cassandra-creds, "), "{given:#?}");
    assert_eq!(document["access"][0]["rights"], "get secrets");
    assert!(document["counts"]["accessAdded"].as_u64().unwrap() >= 8);
    let first = fleet.run("diff").out.lines().next().unwrap().to_owned();
    assert!(first.contains("gives access to Secrets in"), "{first}");
    for format in ["markdown", "html"] {
        let said = fleet.run(&format!("diff -o {format}")).out;
        assert!(said.contains("group auditors can read Secrets"), "{format}: {said}");
    }

    // Committed and taken back: it goes.
    fleet.commit("auditors");
    std::fs::remove_dir_all(fleet.file("templates")).unwrap();
    let taken = told(&fleet.json("diff --base HEAD", 1));
    assert!(!taken.is_empty() && taken.iter().all(|one| one.0 == "removed" && one.1 == "group auditors"), "{taken:#?}");
}

#[test]
fn a_wider_right_to_what_is_read_already_is_no_access_that_comes() {
    let fleet = Scratch::new();
    // Who gets a Secret by its name reads nothing more by listing it, though the role grants more.
    fleet.template(
        RBAC,
        "    verbs: [get]\n    resourceNames: {{ account.secrets | yaml }}",
        "    verbs: [get, list]\n    resourceNames: {{ account.secrets | yaml }}",
    );
    let document = fleet.json("diff", 1);
    assert_eq!(told(&document), []);
    assert!(document["counts"]["opens"].as_u64().unwrap() > 0, "{document:#}");
    // Without names it reads every Secret of its namespace: that is told, and the named ones not again.
    fleet.template(RBAC, "    verbs: [get]\n    resourceNames: {{ account.secrets | yaml }}", "    verbs: [get]");
    let document = fleet.json("diff", 1);
    let given = told(&document);
    assert!(given.iter().all(|one| one.0 == "added" && one.2 == "read every Secret of tenant-<slug>"), "{given:#?}");
    assert!(given.iter().any(|one| one.1 == "tenant-<slug>/wazuh-manager" && one.3 == 8), "{given:#?}");
}

#[test]
fn a_tenant_that_goes_takes_the_control_planes_access_with_it() {
    let fleet = Scratch::new();
    fleet.git("rm -q tenants/ironwood.yaml");
    let document = fleet.json("diff", 1);
    let taken = told(&document);
    assert!(taken.iter().any(|one| one.1 == "soctalk-system/soctalk-orchestrator-sa"), "{taken:#?}");
    for (action, subject, what, _) in &taken {
        assert!(action == "removed" && subject.starts_with("soctalk-system/"), "{taken:#?}");
        assert!(what.contains("soctalk-system/tenant-"), "what lies in its own namespace goes with it: {taken:#?}");
    }
    assert_eq!(document["access"][0]["tenants"], json!(["ironwood"]));
    // One that is renamed keeps what it has.
    fleet.git("reset -q --hard");
    fleet.git("mv tenants/acme.yaml tenants/apex.yaml");
    fleet.edit("tenants/apex.yaml", "slug: acme", "slug: apex");
    assert_eq!(told(&fleet.json("diff", 1)), []);
}
