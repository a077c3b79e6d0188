//! Who can read which Secret: both fleets are as the inventory says, every wider role is caught, and the charts mount
//! what the table says.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use rayon::prelude::*;
use serde_json::{Value, json};
use tenantry::access::{self, Expected, FaultKind, Grants, Subject};
use tenantry::config;
use tenantry::network::{self, Source};
use tenantry::plan;
use tenantry::secrets::INVENTORY;

use crate::{fleet, tools};

/// A cluster: what the inventory wants, and the roles, bindings and accounts of its golden tree.
struct Cluster {
    name: String,
    expected: Expected,
    documents: Vec<Source>,
}

fn clusters() -> Vec<Cluster> {
    fleet::fleets().iter().flat_map(|case| of_fleet(case, None)).collect()
}

/// The clusters of a fleet, with one tenant only if one is named: tenants are rendered alike.
fn of_fleet(case: &fleet::Fleet, only: Option<&str>) -> Vec<Cluster> {
    let source = tenantry::source::load(&case.root).unwrap();
    let mut fleet = config::parse(&source).0.unwrap();
    fleet.tenants.retain(|slug, _| only.is_none_or(|only| only == slug));
    let plan = plan::plan(&fleet, &source).0.unwrap();
    let tree = fleet::files(&fleet::root().join("tests/golden").join(&case.name).join("expected"));
    let of_cluster = |cluster: &plan::ClusterPlan<'_>| {
        let folder = format!("clusters/{}/", cluster.cluster.name);
        let is_other = |path: &str| {
            let slug = path.split_once("/tenants/").and_then(|(_, rest)| rest.split('/').next());
            only.is_some() && slug.is_some_and(|slug| only != Some(slug))
        };
        let files =
            tree.iter().filter(|(path, _)| path.starts_with(&folder) && path.ends_with(".yaml") && !is_other(path));
        let documents =
            files.flat_map(|(path, bytes)| network::documents(std::str::from_utf8(bytes).unwrap(), path).unwrap());
        let wanted = |source: &Source| {
            let kind = source.value["kind"].as_str().unwrap_or_default();
            ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "ServiceAccount"].contains(&kind)
        };
        Cluster {
            name: format!("{} {}", case.name, cluster.cluster.name),
            expected: access::expected(&fleet, cluster, |_| true),
            documents: documents.filter(wanted).collect(),
        }
    };
    plan.clusters.iter().map(of_cluster).collect()
}

/// What is wrong, in words.
fn wrong(cluster: &Cluster, documents: &[Source]) -> Vec<(Option<FaultKind>, String)> {
    let grants = Grants::read(documents);
    let faults = access::judge(&grants, &cluster.expected, &cluster.expected);
    let unresolved = grants.unresolved.iter().map(|one| (None, format!("{}: {}", one.object, one.reason)));
    faults.iter().map(|fault| (Some(fault.kind), fault.message.clone())).chain(unresolved).collect()
}

#[test]
fn every_fleet_grants_what_the_inventory_says_and_nothing_else() {
    for cluster in clusters() {
        assert_eq!(wrong(&cluster, &cluster.documents), [], "{}", cluster.name);
        // By the answers as well: who reads a Secret is its column, and the account that installs charts.
        let grants = Grants::read(&cluster.documents);
        for (namespace, secret, readers) in cluster.expected.all() {
            let mut found: BTreeSet<String> =
                access::readers(&grants, namespace, secret).iter().map(|reader| reader.subject.to_string()).collect();
            found.remove(&format!("{namespace}/helm-deployer"));
            let column: BTreeSet<String> = readers.iter().map(|reader| format!("{namespace}/{reader}")).collect();
            assert_eq!(found, column, "{}: {namespace}/{secret}", cluster.name);
        }
    }
}

/// Every way in which a slip widens or breaks a role or binding.
fn mutants(value: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut change = |what: &str, pointer: &str, new: Value| {
        let mut mutant = value.clone();
        *mutant.pointer_mut(pointer).unwrap() = new;
        if mutant != *value {
            found.push((format!("{what} at {pointer}"), mutant));
        }
    };
    let with = |list: &Value, one: Value| {
        let mut list = list.clone();
        if !list.as_array().unwrap().contains(&one) {
            list.as_array_mut().unwrap().push(one);
        }
        list
    };
    for (index, rule) in value["rules"].as_array().into_iter().flatten().enumerate() {
        let at = |field: &str| format!("/rules/{index}/{field}");
        for verb in ["*", "list", "create", "patch", "bind", "escalate", "impersonate"] {
            change(&format!("verb {verb}"), &at("verbs"), with(&rule["verbs"], json!(verb)));
        }
        for resource in ["*", "secrets", "pods/exec", "serviceaccounts/token"] {
            change(&format!("resource {resource}"), &at("resources"), with(&rule["resources"], json!(resource)));
        }
        change("every group", &at("apiGroups"), with(&rule["apiGroups"], json!("*")));
        if let Some(names) = rule["resourceNames"].as_array() {
            change("names dropped", &format!("/rules/{index}"), without(rule, "resourceNames"));
            change("another name", &at("resourceNames"), with(&rule["resourceNames"], json!("another")));
            for gone in 0..names.len() {
                let rest: Vec<&Value> =
                    names.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, name)| name).collect();
                change(&format!("name {gone} gone"), &at("resourceNames"), json!(rest));
            }
        }
    }
    if value["subjects"].is_array() {
        for subject in [
            json!({ "kind": "ServiceAccount", "name": "default", "namespace": "default" }),
            json!({ "kind": "Group", "name": "system:authenticated", "apiGroup": "rbac.authorization.k8s.io" }),
            json!({ "kind": "Group", "name": "system:serviceaccounts", "apiGroup": "rbac.authorization.k8s.io" }),
            json!({ "kind": "User", "name": "mallory", "apiGroup": "rbac.authorization.k8s.io" }),
        ] {
            change(&format!("subject {subject}"), "/subjects", with(&value["subjects"], subject));
        }
        change("no subject", "/subjects", json!([]));
        change("role cluster-admin", "/roleRef", json!({ "kind": "ClusterRole", "name": "cluster-admin" }));
        change("role nowhere", "/roleRef/name", json!("nowhere"));
    }
    found
}

fn without(value: &Value, field: &str) -> Value {
    let mut value = value.clone();
    value.as_object_mut().unwrap().remove(field);
    value
}

/// Changes by which an account that has rights by its duties gets none that it did not have.
fn widens_nothing(before: &Value, after: &Value, what: &str) -> bool {
    let duties = ["helm-deployer", "soctalk-controller", "soctalk-preinstall", "tenantry-drift"];
    if !duties.contains(&before["metadata"]["name"].as_str().unwrap()) {
        return false;
    }
    let rule = |object: &Value| {
        let index = what.split("/rules/").nth(1).and_then(|rest| rest.split('/').next()?.parse::<usize>().ok());
        index.map_or(Value::Null, |index| object["rules"][index].clone())
    };
    let (old, new) = (rule(before), rule(after));
    let narrowed = what.starts_with("no subject") || (what.contains("gone at") && new["resourceNames"] != json!([]));
    // Helm keeps its releases in Secrets: what may read those already may read them twice.
    let twice = before["metadata"]["name"] == "helm-deployer" && what.starts_with("resource secrets");
    // The drift checker reads everything but Secrets; exec and tokens are things of the core group.
    let is_checker = |kind: &str| before["metadata"]["name"] == "tenantry-drift" && before["kind"] == kind;
    let of_another_group = is_checker("ClusterRole")
        && (what.starts_with("verb list")
            || what.starts_with("resource serviceaccounts/token")
            || (what.starts_with("resource pods/exec") && old["apiGroups"] != json!([""])));
    // It may make leases already.
    let twice_made = is_checker("Role") && old["resources"] == json!(["leases"]) && what.starts_with("verb create");
    let reads = new["verbs"]
        .as_array()
        .is_none_or(|verbs| verbs.iter().all(|verb| ["get", "list", "watch"].contains(&verb.as_str().unwrap())));
    narrowed || (twice && reads && old["apiGroups"] == json!([""])) || of_another_group || twice_made
}

#[test]
fn every_wider_role_and_binding_is_caught() {
    let mut caught = 0;
    let mut survivors = Vec::new();
    let cases = [("repository", "acme", "eu-1"), ("calico-argocd-aws", "kestrel", "aws-eu")];
    let cluster = |(name, slug, cluster): (&str, &str, &str)| {
        let case = fleet::fleets().into_iter().find(|case| case.name == name).unwrap();
        let own = of_fleet(&case, Some(slug)).into_iter().find(|own| own.name.ends_with(&format!(" {cluster}")));
        own.unwrap_or_else(|| panic!("{name} has no {cluster}"))
    };
    for cluster in cases.map(cluster) {
        let jobs: Vec<(usize, String, Value)> = cluster
            .documents
            .iter()
            .enumerate()
            .flat_map(|(at, source)| mutants(&source.value).into_iter().map(move |(what, value)| (at, what, value)))
            .collect();
        let fates: Vec<Option<String>> = jobs
            .par_iter()
            .map(|(at, what, value)| {
                let mut documents = cluster.documents.clone();
                documents[*at].value = value.clone();
                let metadata = &value["metadata"];
                let name = format!("{} {}/{}", value["kind"], metadata["namespace"], metadata["name"]);
                let fine = widens_nothing(&cluster.documents[*at].value, value, what);
                (wrong(&cluster, &documents).is_empty() != fine).then(|| format!("{}: {name}: {what}", cluster.name))
            })
            .collect();
        caught += fates.iter().filter(|fate| fate.is_none()).count();
        survivors.extend(fates.into_iter().flatten());
    }
    assert!(survivors.is_empty(), "{} of {caught}:\n{}", survivors.len(), survivors.join("\n"));
    assert!(caught > 1000, "only {caught} mutants");
}

/// Group, resource, verbs, name, and what it is found to be.
type Planted = (&'static str, &'static str, &'static [&'static str], Option<&'static str>, FaultKind);

/// Roles that a fleet does not have, bound to an account of a tenant: what each amounts to. Nothing stands for silence.
#[test]
fn escalations_are_named_and_near_misses_are_silent() {
    use FaultKind::{BeyondDuty, Escalation, EverySecret, Writer};
    let known = clusters().into_iter().find(|cluster| cluster.name == "repository eu-1").unwrap();
    let cases: [Planted; 14] = [
        ("", "secrets", &["list"], None, EverySecret),
        ("*", "*", &["*"], None, EverySecret),
        ("", "secrets", &["create"], None, Writer),
        ("", "pods", &["create"], None, Escalation),
        ("apps", "daemonsets", &["patch"], None, Escalation),
        ("", "pods/exec", &["create"], None, Escalation),
        ("", "serviceaccounts/token", &["create"], Some("thehive"), Escalation),
        ("", "serviceaccounts", &["impersonate"], None, Escalation),
        ("rbac.authorization.k8s.io", "rolebindings", &["create"], None, Escalation),
        ("rbac.authorization.k8s.io", "clusterroles", &["bind"], None, Escalation),
        ("external-secrets.io", "pushsecrets", &["create"], None, Escalation),
        ("helm.toolkit.fluxcd.io", "helmreleases", &["patch"], None, Escalation),
        // Near misses: rights that reach no Secret are still nobody's duty, and are no escalation.
        ("", "pods", &["get"], None, BeyondDuty),
        ("", "serviceaccounts", &["get"], None, BeyondDuty),
    ];
    for (group, resource, verbs, name, kind) in cases {
        let names: Vec<&str> = name.into_iter().collect();
        let rule = json!({ "apiGroups": [group], "resources": [resource], "verbs": verbs, "resourceNames": names });
        let found = planted(&known, json!([rule]), "tenant-acme", "soctalk-adapter");
        assert!(found.contains(&Some(kind)), "{verbs:?} {resource}: {found:?}");
        assert!(kind != BeyondDuty || found == [Some(BeyondDuty)], "{verbs:?} {resource}: {found:?}");
    }
    // What the inventory gives the account anyway, in a role of another name, is nothing.
    let own =
        json!([{ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["adapter-token"] }]);
    assert_eq!(planted(&known, own.clone(), "tenant-acme", "soctalk-adapter"), []);
    assert_eq!(planted(&known, own, "tenant-acme", "cortex"), [Some(FaultKind::UnexpectedReader)]);
    // URLs are no objects.
    let urls = json!([{ "nonResourceURLs": ["/healthz"], "verbs": ["get"] }]);
    assert_eq!(planted(&known, urls, "tenant-acme", "cortex"), []);
}

fn planted(cluster: &Cluster, rules: Value, namespace: &str, account: &str) -> Vec<Option<FaultKind>> {
    let mut documents = cluster.documents.clone();
    let api = "rbac.authorization.k8s.io/v1";
    let metadata = json!({ "name": "planted", "namespace": namespace });
    let role = json!({ "apiVersion": api, "kind": "Role", "metadata": metadata, "rules": rules });
    let binding = json!({
        "apiVersion": api, "kind": "RoleBinding", "metadata": metadata,
        "roleRef": { "kind": "Role", "name": "planted" },
        "subjects": [{ "kind": "ServiceAccount", "name": account }],
    });
    for value in [role, binding] {
        documents.push(Source {
            value,
            file: "clusters/eu-1/tenants/acme/planted.yaml".into(),
            lines: network::LineIndex::starting_at(1),
        });
    }
    wrong(cluster, &documents).into_iter().map(|(kind, _)| kind).collect()
}

#[test]
fn aggregated_roles_and_accounts_that_others_can_be_are_followed() {
    let known = clusters().into_iter().find(|cluster| cluster.name == "repository eu-1").unwrap();
    let api = "rbac.authorization.k8s.io/v1";
    let part = json!({
        "apiVersion": api, "kind": "ClusterRole", "metadata": { "name": "part", "labels": { "part": "yes" } },
        "rules": [{ "apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"], "resourceNames": ["thehive"] }],
    });
    let whole = json!({
        "apiVersion": api, "kind": "ClusterRole", "metadata": { "name": "whole" },
        "aggregationRule": { "clusterRoleSelectors": [{ "matchLabels": { "part": "yes" } }] },
    });
    let binding = json!({
        "apiVersion": api, "kind": "RoleBinding", "metadata": { "name": "whole", "namespace": "tenant-acme" },
        "roleRef": { "kind": "ClusterRole", "name": "whole" }, "subjects": [{ "kind": "User", "name": "mallory" }],
    });
    let mut documents = known.documents.clone();
    for value in [part, whole, binding] {
        documents.push(Source {
            value,
            file: "clusters/eu-1/tenants/acme/planted.yaml".into(),
            lines: network::LineIndex::starting_at(1),
        });
    }
    let grants = Grants::read(&documents);
    let readers = |secret: &str| -> BTreeSet<String> {
        access::readers(&grants, "tenant-acme", secret).iter().map(|reader| reader.subject.to_string()).collect()
    };
    // TheHive reads its own bootstrap, and so does who can be TheHive; Cortex' is not TheHive's.
    assert!(readers("thehive-bootstrap").contains("user mallory"), "{:?}", readers("thehive-bootstrap"));
    assert!(!readers("cortex-bootstrap").contains("user mallory"));
    let reached = access::reach(&grants, &Subject::User("mallory".into()));
    let names: BTreeSet<&str> = reached.iter().filter_map(|one| one.secret.as_deref()).collect();
    assert_eq!(names, BTreeSet::from(["cassandra-creds", "thehive-bootstrap"]));
    assert!(reached.iter().all(|one| one.way.via == Some(Subject::account("tenant-acme", "thehive"))));
}

#[test]
fn pods_of_the_charts_mount_what_the_table_says() {
    let helm = match tools::helm() {
        Ok(helm) => helm,
        Err(not_run) => return not_run.report(),
    };
    let tree = fleet::files(&fleet::root().join("tests/golden/repository/expected"));
    let mut found: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for path in ["clusters/eu-1/system/helmrelease.yaml", "clusters/eu-1/tenants/acme/helmrelease.yaml"] {
        let documents = network::documents(std::str::from_utf8(&tree[path]).unwrap(), path).unwrap();
        let release = documents.iter().find(|source| source.value["kind"] == "HelmRelease").unwrap();
        let text = |pointer: &str| release.value.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let mut values = release.value["spec"]["values"].clone();
        // What is off here is mounted elsewhere.
        values["licensing"] = json!({ "enabled": true });
        if path.contains("/tenants/") {
            values.as_object_mut().unwrap().remove("licensing");
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("values.json"), values.to_string()).unwrap();
        let chart = text("/spec/chartRef/name");
        let output = Command::new(&helm)
            .args([
                "template",
                &chart,
                &format!("charts/{chart}"),
                "--namespace",
                &text("/metadata/namespace"),
                "--values",
            ])
            .arg(folder.path().join("values.json"))
            .current_dir(fleet::root())
            .output()
            .unwrap();
        fleet::succeeded(&output);
        for document in network::documents(std::str::from_utf8(&output.stdout).unwrap(), "chart").unwrap() {
            let pod = &document.value["spec"]["template"]["spec"];
            let mut secrets = BTreeSet::new();
            mounted(pod, &mut secrets);
            if secrets.is_empty() {
                continue;
            }
            let name = document.value["metadata"]["name"].as_str().unwrap();
            let name = if name.starts_with("soctalk-migrate") { "soctalk-migrate" } else { name };
            let account = pod["serviceAccountName"].as_str().unwrap();
            found.entry((name.to_owned(), account.to_owned())).or_default().extend(secrets);
        }
    }
    let table: BTreeMap<(String, String), BTreeSet<String>> = access::mounts()
        .iter()
        .map(|mount| {
            let key = (mount.workload.to_owned(), mount.account.to_owned());
            (key, mount.secrets.iter().map(|name| (*name).to_owned()).collect())
        })
        .collect();
    assert_eq!(found, table);
    assert!(INVENTORY.len() > table.len());
}

/// Names of the Secrets that a pod mounts or takes into its environment.
fn mounted(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let name = match key.as_str() {
                    "secretKeyRef" | "secretRef" => value["name"].as_str(),
                    "secret" => value["secretName"].as_str().or_else(|| value["name"].as_str()),
                    _ => None,
                };
                found.extend(name.map(str::to_owned));
                mounted(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| mounted(item, found)),
        _ => {}
    }
}
