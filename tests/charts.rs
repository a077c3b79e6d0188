//! The charts with real Helm, given exactly the values that the fleets render to: they template, they fit their quota,
//! and what their pods name is in the rendered tree.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "charts/admission.rs"]
mod admission;
#[path = "charts/compatibility.rs"]
mod compatibility;
#[path = "charts/contract.rs"]
mod contract;
#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/mutants.rs"]
mod mutants;
#[path = "charts/objects.rs"]
mod objects;
#[path = "charts/schemas.rs"]
mod schemas;
#[path = "support/tools.rs"]
mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use objects::{Workload, amount, items, name, text, workloads};
use rayon::prelude::*;
use serde_json::{Value, json};
use tenantry::check::{Input, Kept};
use tenantry::config::Fleet;
use tenantry::manifest::Digest;
use tenantry::memo::Memo;
use tenantry::render::{FileContent, RenderedUnit};
use tenantry::source::Source;
use tenantry::yaml::{self, Limits};

/// A chart as one unit of a fleet installs it.
#[derive(Debug)]
struct Release {
    /// `case: clusters/<cluster>/...`.
    unit: String,
    chart: &'static str,
    namespace: String,
    values: Value,
    /// Every object of the cluster's rendered tree in the release's namespace.
    tree: Vec<Value>,
    /// Every object of the unit itself.
    own: Vec<Value>,
    /// What Helm makes of the chart.
    templated: Vec<Value>,
}

/// All releases of all fleets, templated once for all tests.
static RELEASES: LazyLock<Result<Vec<Release>, tools::NotRun>> = LazyLock::new(|| {
    tools::helm()?;
    let units: Vec<Unit> = fleet::fleets().iter().flat_map(units).collect();
    assert!(units.len() > 15, "{} releases", units.len());
    let releases = units.into_par_iter().map(|unit| {
        let folder = tempfile::tempdir().unwrap();
        let values = folder.path().join("values.json");
        fs::write(&values, unit.values.to_string()).unwrap();
        let output = helm(&["template"], unit.chart, &unit.namespace, Some(&values));
        assert!(output.status.success(), "{}: {}", unit.path, fleet::text(&output.stderr));
        let Unit { path, chart, namespace, values, tree, own } = unit;
        Release { unit: path, chart, namespace, values, tree, own, templated: read(&output.stdout) }
    });
    Ok(releases.collect())
});

struct Unit {
    path: String,
    chart: &'static str,
    namespace: String,
    values: Value,
    tree: Vec<Value>,
    own: Vec<Value>,
}

/// The units of a fleet that install a chart, from its golden tree.
fn units(case: &fleet::Fleet) -> Vec<Unit> {
    let tree = fleet::files(&fleet::root().join("tests/golden").join(&case.name).join("expected"));
    let mut clusters: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (path, bytes) in tree.iter().filter(|(path, _)| path.ends_with(".yaml")) {
        clusters.entry(path.split('/').nth(1).unwrap().into()).or_default().extend(read(bytes));
    }
    let mut found = Vec::new();
    for (path, bytes) in &tree {
        let Some((unit, "helmrelease.yaml" | "application.yaml")) = path.rsplit_once('/') else { continue };
        let (chart, namespace) = match unit.split_once("/tenants/") {
            Some((_, slug)) => ("soctalk-tenant", format!("tenant-{slug}")),
            None => ("soctalk-system", "soctalk-system".to_owned()),
        };
        let values = read(bytes).iter().find_map(|object| {
            let spec = &object["spec"];
            spec.get("values").or_else(|| spec["source"]["helm"].get("valuesObject")).cloned()
        });
        let objects = &clusters[path.split('/').nth(1).unwrap()];
        let here = objects.iter().filter(|object| object["metadata"]["namespace"] == namespace.as_str());
        found.push(Unit {
            path: format!("{}: {unit}", case.name),
            chart,
            values: values.unwrap_or_else(|| panic!("{path} has values")),
            tree: here.cloned().collect(),
            own: tree
                .iter()
                .filter(|(path, _)| path.ends_with(".yaml") && path.rsplit_once('/').unwrap().0 == unit)
                .flat_map(|(_, bytes)| read(bytes))
                .collect(),
            namespace,
        });
    }
    found
}

/// Runs Helm on a chart.
fn helm(arguments: &[&str], chart: &str, namespace: &str, values: Option<&Path>) -> Output {
    let mut command = Command::new(tools::helm().unwrap_or_else(|not_run| panic!("{not_run}")));
    command.env_clear().env("HOME", "/nowhere").args(arguments);
    command.arg(fleet::root().join("charts").join(chart)).args(["--namespace", namespace]);
    values.map(|values| command.arg("--values").arg(values));
    command.output().unwrap()
}

fn read(bytes: &[u8]) -> Vec<Value> {
    let documents = yaml::parse(&fleet::text(bytes), Limits::MANIFEST).unwrap_or_else(|error| panic!("{error:?}"));
    documents.iter().map(|document| document.root.to_json()).filter(|value| !value.is_null()).collect()
}

/// Runs a check on every release and fails with everything that it found.
fn every_release(check: impl Fn(&Release) -> Vec<String> + Sync) {
    let releases = match RELEASES.as_ref() {
        Ok(releases) => releases,
        Err(not_run) => return not_run.report(),
    };
    let wrong: Vec<String> = releases
        .par_iter()
        .flat_map_iter(|release| check(release).into_iter().map(|what| format!("{}: {what}", release.unit)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Release {
    fn workloads(&self) -> Vec<Workload> {
        workloads(&self.templated)
    }

    /// The release's workloads and those that the tree itself brings.
    fn all_workloads(&self) -> Vec<Workload> {
        let mut all = self.workloads();
        all.extend(workloads(&self.tree));
        all
    }

    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.tree.iter().filter(move |object| object["kind"] == kind)
    }
}

#[test]
fn rendered_values_pass_lint() {
    every_release(|release| {
        let folder = tempfile::tempdir().unwrap();
        let values = folder.path().join("values.json");
        fs::write(&values, release.values.to_string()).unwrap();
        let output = helm(&["lint", "--strict", "--quiet"], release.chart, &release.namespace, Some(&values));
        if output.status.success() { vec![] } else { vec![fleet::text(&output.stdout) + &fleet::text(&output.stderr)] }
    });
}

#[test]
fn every_release_makes_its_workloads() {
    every_release(|release| {
        let least = if release.chart == "soctalk-tenant" { 6 } else { 4 };
        let found = release.workloads().len();
        if found < least { vec![format!("{found} workloads")] } else { vec![] }
    });
}

/// Value files for what no fleet here sets: the chart of each folder, the namespace, the file.
fn other_values() -> Vec<(&'static str, String, PathBuf)> {
    let mut found = Vec::new();
    for chart in ["soctalk-system", "soctalk-tenant"] {
        let folder = fleet::root().join("tests/charts/values").join(chart);
        for file in fleet::files(&folder).keys() {
            let values = folder.join(file);
            let given = read(&fs::read(&values).unwrap()).remove(0);
            let slug = given["tenant"]["slug"].as_str();
            let namespace = slug.map_or_else(|| "soctalk-system".into(), |slug| format!("tenant-{slug}"));
            found.push((chart, namespace, values));
        }
    }
    assert!(found.len() > 10, "{found:?}");
    found
}

#[test]
fn defaults_and_other_values_lint_and_template() {
    if let Err(not_run) = tools::helm() {
        return not_run.report();
    }
    let defaults = [("soctalk-system", "soctalk-system"), ("soctalk-tenant", "tenant-example")];
    let defaults = defaults.map(|(chart, namespace)| (chart, namespace.to_owned(), None));
    let others = other_values().into_iter().map(|(chart, namespace, values)| (chart, namespace, Some(values)));
    let cases: Vec<_> = defaults.into_iter().chain(others).collect();
    cases.par_iter().for_each(|(chart, namespace, values)| {
        for arguments in [&["lint", "--strict", "--quiet"][..], &["template"]] {
            let output = helm(arguments, chart, namespace, values.as_deref());
            let said = fleet::text(&output.stdout) + &fleet::text(&output.stderr);
            assert!(output.status.success(), "{arguments:?} {chart} with {values:?}: {said}");
        }
    });
}

#[test]
fn pods_fit_their_quota() {
    every_release(|release| {
        let Some(quota) = release.of_kind("ResourceQuota").next() else {
            return if release.chart == "soctalk-tenant" { vec!["no quota".into()] } else { vec![] };
        };
        let hard = &quota["spec"]["hard"];
        let workloads = release.workloads();
        let peak = |of: &dyn Fn(&Workload) -> i128| {
            let (jobs, others): (Vec<&Workload>, Vec<&Workload>) = workloads.iter().partition(|one| one.is_job);
            let standing: i128 = others.iter().map(|one| one.replicas * of(one)).sum();
            let surge = others.iter().map(|one| one.surge * of(one)).max().unwrap_or(0);
            standing + surge + jobs.iter().map(|one| of(one)).max().unwrap_or(0)
        };
        let mut needs: Vec<(String, i128)> = Vec::new();
        for kind in ["requests", "limits"] {
            for resource in ["cpu", "memory"] {
                needs.push((format!("{kind}.{resource}"), peak(&|one| one.asks(kind, resource))));
            }
        }
        needs.push(("pods".into(), peak(&|_| 1000)));
        let claims = release.templated.iter().filter(|object| object["kind"] == "PersistentVolumeClaim");
        let mut sizes: Vec<i128> = claims.map(objects::claim).collect();
        sizes.extend(workloads.iter().flat_map(|one| one.claims.clone()));
        needs.push(("persistentvolumeclaims".into(), 1000 * i128::try_from(sizes.len()).unwrap()));
        needs.push(("requests.storage".into(), sizes.iter().sum()));
        let short = needs.into_iter().filter(|(resource, need)| amount(&hard[resource]) < *need);
        short.map(|(resource, need)| format!("{resource}: {} < {need}m", hard[&resource])).collect()
    });
}

#[test]
fn secrets_that_pods_name_are_provided_by_the_tree() {
    every_release(|release| {
        let external = release.of_kind("ExternalSecret").map(|secret| {
            secret["spec"]["target"]["name"].as_str().unwrap_or_else(|| text(&secret["metadata"]["name"]))
        });
        let certificates = release.of_kind("Certificate").map(|certificate| text(&certificate["spec"]["secretName"]));
        let provided: BTreeSet<&str> = external.chain(certificates).collect();
        let workloads = release.workloads();
        if workloads.iter().all(|one| one.secrets().is_empty()) {
            return vec!["no pod names a Secret".into()];
        }
        let missing = workloads.into_iter().flat_map(|one| {
            let missing: Vec<_> = one.secrets().into_iter().filter(|name| !provided.contains(name.as_str())).collect();
            missing.into_iter().map(move |secret| format!("{} names Secret {secret}", one.name))
        });
        missing.collect()
    });
}

#[test]
fn accounts_of_pods_are_in_the_tree() {
    every_release(|release| {
        let accounts: BTreeSet<&str> =
            release.of_kind("ServiceAccount").map(|account| text(&account["metadata"]["name"])).collect();
        let account = |one: &Workload| text(&one.template["spec"]["serviceAccountName"]).to_owned();
        let lost = release.workloads().into_iter().filter(|one| !accounts.contains(account(one).as_str()));
        lost.map(|one| format!("{} runs as {:?}", one.name, account(&one))).collect()
    });
}

/// Pods that policies select and no chart makes, each with its maker.
const FOREIGN_PODS: [(&str, &str); 1] =
    [("acme.cert-manager.io/http01-solver", "cert-manager starts it while a certificate is issued")];

/// What a policy of either kind is about, and its rules.
fn policies(release: &Release) -> Vec<(String, &Value, &Value)> {
    let ordinary =
        release.of_kind("NetworkPolicy").map(|policy| (name(policy), &policy["spec"]["podSelector"], policy));
    let cilium = release.of_kind("CiliumNetworkPolicy");
    let cilium = cilium.map(|policy| (name(policy), &policy["spec"]["endpointSelector"], policy));
    ordinary.chain(cilium).map(|(name, selector, policy)| (name, selector, &policy["spec"])).collect()
}

fn is_foreign(selector: &Value) -> bool {
    FOREIGN_PODS.iter().any(|(label, _)| selector.to_string().contains(label))
}

#[test]
fn every_policy_selects_pods() {
    every_release(|release| {
        let all = release.all_workloads();
        let found = policies(release);
        if found.len() < 4 {
            return vec![format!("{} policies", found.len())];
        }
        let idle = found.into_iter().filter(|(_, selector, _)| {
            assert!(selector.is_object(), "a policy says what it is about");
            !is_foreign(selector) && !all.iter().any(|one| one.is_selected(selector))
        });
        idle.map(|(name, selector, _)| format!("{name} selects no pod: {selector}")).collect()
    });
}

/// A port that a policy opens is one that a selected pod listens on: no rule is about nothing.
#[test]
fn ports_that_policies_open_are_ports_of_pods() {
    every_release(|release| {
        let all = release.all_workloads();
        let mut wrong = Vec::new();
        for (name, selector, spec) in policies(release) {
            let selected: Vec<&Workload> = all.iter().filter(|one| one.is_selected(selector)).collect();
            if is_foreign(selector) {
                continue;
            }
            let rules = items(&spec["ingress"]);
            let ports = rules.flat_map(|rule| {
                let cilium = items(&rule["toPorts"]).flat_map(|to| items(&to["ports"]));
                items(&rule["ports"]).chain(cilium).map(|port| port["port"].clone())
            });
            for port in ports {
                let port = port.as_str().map_or_else(|| port.to_string(), str::to_owned);
                if !selected.iter().any(|one| one.ports().contains_key(&port)) {
                    wrong.push(format!("{name} opens port {port}, which no selected pod has"));
                }
            }
        }
        wrong
    });
}

#[test]
fn services_lead_to_ports_of_pods() {
    every_release(|release| {
        let all = release.workloads();
        let mut wrong = Vec::new();
        for service in release.templated.iter().filter(|object| object["kind"] == "Service") {
            let selector = json!({ "matchLabels": service["spec"]["selector"] });
            let selected: Vec<&Workload> = all.iter().filter(|one| one.is_selected(&selector)).collect();
            for port in items(&service["spec"]["ports"]) {
                let target = port.get("targetPort").unwrap_or(&port["port"]);
                let target = target.as_str().map_or_else(|| target.to_string(), str::to_owned);
                if !selected.iter().any(|one| one.ports().contains_key(&target)) {
                    wrong.push(format!("{} leads to {target}, which no pod has", name(service)));
                }
            }
        }
        wrong
    });
}

/// A change of values that their schema forbids.
#[derive(Debug, Clone)]
struct Fault {
    pointer: String,
    /// What stands there instead; nothing means that the field is taken away.
    instead: Option<Value>,
}

/// Fields that the schema requires, taken away, and fields that it types, with another type.
fn faults(schema: &Value, root: &Value, values: &Value, at: &str, found: &mut Vec<Fault>) {
    let schema = match schema["$ref"].as_str() {
        Some(pointer) => root.pointer(pointer.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    for field in items(&schema["required"]).map(text).filter(|field| values.get(field).is_some()) {
        found.push(Fault { pointer: format!("{at}/{field}"), instead: None });
    }
    let wrong = match text(&schema["type"]) {
        "string" | "integer" | "number" | "boolean" => Some(json!({ "not": "this" })),
        "object" | "array" => Some(json!("not this")),
        _ => None,
    };
    if let (Some(instead), false) = (wrong, at.is_empty()) {
        found.push(Fault { pointer: at.to_owned(), instead: Some(instead) });
    }
    for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = values.get(field) {
            faults(inner, root, value, &format!("{at}/{field}"), found);
        }
    }
}

/// The values with a fault. What is absent comes from the chart's defaults; null says "without".
fn with_fault(values: &Value, fault: &Fault) -> Value {
    let mut values = values.clone();
    let (parent, field) = fault.pointer.rsplit_once('/').unwrap();
    let parent = values.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.insert(field.into(), fault.instead.clone().unwrap_or(Value::Null));
    values
}

/// Whether the gate of this program takes the values for the chart.
fn gate_takes(chart: &str, unit: &str, namespace: &str, values: &Value) -> bool {
    static FLEET: LazyLock<(Source, Fleet)> = LazyLock::new(|| {
        let source = tenantry::source::load(fleet::root()).unwrap();
        let fleet = tenantry::config::parse(&source).0.unwrap();
        (source, fleet)
    });
    let (source, fleet) = &*FLEET;
    let release = json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": { "name": chart, "namespace": namespace },
        "spec": { "chartRef": { "kind": "OCIRepository", "name": chart }, "releaseName": chart, "values": values },
    });
    let files = BTreeMap::from([("helmrelease.yaml".to_owned(), FileContent::Objects(vec![release]))]);
    let tenant = unit.split_once("/tenants/").map(|(_, slug)| slug.to_owned());
    // Of a cluster that is none: which line of the fleet decides a value is not asked here, and takes many renders to tell.
    let path = "clusters/nowhere".to_owned();
    let unit = RenderedUnit { path, tenant, inputs: Digest::of(b""), files };
    let plan = tenantry::plan::plan(fleet, source).0.unwrap();
    // One unit alone has no network to prove.
    let settled = fleet.install.clusters.iter().map(|cluster| cluster.name.to_string()).collect();
    let (units, kept, memo) = (std::sync::Arc::new(vec![unit]), Kept::default(), Memo::default());
    let input = Input { source, plan: &plan, units: &units, kept: &kept, settled: &settled, memo: &memo };
    let check = tenantry::check::Check::find("chart-values").unwrap();
    matches!(check.run(&input), tenantry::check::Outcome::Ran(found) if !tenantry::finding::any_error(&found))
}

#[test]
fn helm_and_the_gate_refuse_the_same_faults() {
    let releases = match RELEASES.as_ref() {
        Ok(releases) => releases,
        Err(not_run) => return not_run.report(),
    };
    let mut cases = Vec::new();
    for chart in ["soctalk-system", "soctalk-tenant"] {
        let release = releases.iter().find(|one| one.chart == chart && one.unit.starts_with("repository")).unwrap();
        assert!(gate_takes(chart, &release.unit, &release.namespace, &release.values), "{chart} as rendered");
        let schema = fs::read(fleet::root().join("charts").join(chart).join("values.schema.json")).unwrap();
        let schema: Value = serde_json::from_slice(&schema).unwrap();
        let mut found = Vec::new();
        faults(&schema, &schema, &release.values, "", &mut found);
        assert!(found.len() >= 60, "{chart}: {} faults", found.len());
        cases.extend(found.into_iter().map(|fault| (release, fault)));
    }
    let wrong: Vec<String> = cases.par_iter().filter_map(|(release, fault)| taken(release, fault)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn taken(release: &Release, fault: &Fault) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.json");
    let values = with_fault(&release.values, fault);
    fs::write(&file, values.to_string()).unwrap();
    let by_helm = helm(&["template"], release.chart, &release.namespace, Some(&file)).status.success();
    let by_gate = gate_takes(release.chart, &release.unit, &release.namespace, &values);
    let takers = [(by_helm, "Helm"), (by_gate, "the gate")].into_iter().filter(|(takes, _)| *takes);
    let takers: Vec<&str> = takers.map(|(_, who)| who).collect();
    (!takers.is_empty()).then(|| format!("{} takes {} with {fault:?}", takers.join(" and "), release.chart))
}
