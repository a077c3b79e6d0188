//! The offline verdict on manifests, good and broken, against that of a real API server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use futures::StreamExt as _;
use kube::api::{Patch, PatchParams};
use serde_json::Value;
use tenantry::schemas::{Catalog, Fault, FaultKind, whole};
use tenantry::yaml::{self, Limits};

use crate::harness::apply::{Applier, Tree, objects_of};
use crate::harness::binaries::Version;
use crate::harness::crds;
use crate::harness::{Cluster, User, runtime};
use crate::mutants::{Mutant, mutants};
use crate::tools::{self, Absent, NotRun};

/// The program's bundle, made again from what this suite runs, is the one that is built in: byte for byte.
#[test]
fn the_bundle_is_made_of_what_runs_here() {
    let (cluster, definitions) =
        match Cluster::shared(Version::Newest).and_then(|cluster| Ok((cluster, crds::folder(Absent::from_env())?))) {
            Ok(found) => found,
            Err(not_run) => return not_run.report(),
        };
    let import = |definitions: &[PathBuf]| {
        let mut import = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        import
            .env_clear()
            .args(["schemas", "import", "--from-cluster", "--kubeconfig"])
            .arg(cluster.kubeconfig(User::Admin));
        for source in crds::sources() {
            import.args(["--source", &source]);
        }
        if !definitions.is_empty() {
            import.arg("--crd").args(definitions);
        }
        let output = tools::run(&mut import).unwrap_or_else(|error| panic!("{error}"));
        String::from_utf8(output.stdout).unwrap()
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(definitions).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let made = import(&files);
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/kubernetes.json"), &made).unwrap();
    }
    let (made, own): (Vec<&str>, Vec<&str>) = (made.lines().collect(), Catalog::own_text().lines().collect());
    let differing: Vec<_> = made.iter().zip(&own).filter(|(made, own)| made != own).take(5).collect();
    assert!(
        made.len() == own.len() && differing.is_empty(),
        "{} lines, {} built in: {differing:#?}",
        made.len(),
        own.len()
    );
    // A cluster tells the same of a definition as its file. (Other suites install definitions of their own here.)
    let live: BTreeSet<String> = import(&[])
        .lines()
        .filter(|line| line.contains("\"apiVersion\":\"cert-manager"))
        .map(|line| line.split("\"schema\"").next().unwrap().to_owned())
        .collect();
    assert_eq!(live.len(), 3, "{live:#?}");
}

/// Manifests of every fleet, and what Helm makes of the charts: for each kind, the largest and the smallest.
pub fn samples() -> Result<Vec<Value>, NotRun> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut objects = Vec::new();
    for entry in std::fs::read_dir(golden).unwrap() {
        let mut tree = Tree::new();
        super::fleets::read_into(&entry.unwrap().path().join("expected"), "", &mut tree);
        objects.extend(objects_of(&tree));
    }
    objects.extend(templated()?);
    let mut by_kind: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for object in objects {
        by_kind.entry(format!("{} {}", object["apiVersion"], object["kind"])).or_default().push(object);
    }
    let mut samples = Vec::new();
    for mut of_kind in by_kind.into_values() {
        of_kind.sort_by_key(|object| object.to_string().len());
        samples.extend(of_kind.pop());
        samples.extend(of_kind.into_iter().next());
    }
    assert!(samples.len() > 50, "{} samples", samples.len());
    Ok(samples)
}

/// What Helm makes of the charts with some of the values of the chart tests.
pub fn templated() -> Result<Vec<Value>, NotRun> {
    let helm = tools::helm()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut objects = Vec::new();
    for (chart, values, namespace) in [
        ("soctalk-system", "edge", "soctalk-system"),
        ("soctalk-system", "calico", "soctalk-system"),
        ("soctalk-tenant", "pilot-prod", ""),
        ("soctalk-tenant", "edge-calico", ""),
    ] {
        let file = root.join(format!("tests/charts/values/{chart}/{values}.yaml"));
        let given: Value = serde_yaml::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let of_tenant = format!("tenant-{}", given["tenant"]["slug"].as_str().unwrap_or_default());
        let namespace = if namespace.is_empty() { &of_tenant } else { namespace };
        let mut command = Command::new(&helm);
        command.env_clear().env("HOME", "/nowhere").arg("template").arg(root.join("charts").join(chart));
        command.args(["--namespace", namespace, "--values"]).arg(file);
        let output = tools::run(&mut command).unwrap_or_else(|error| panic!("{error}"));
        let text = String::from_utf8(output.stdout).unwrap();
        let documents = yaml::parse(&text, Limits::MANIFEST).unwrap();
        let mut found: Vec<Value> =
            documents.iter().map(|document| document.root.to_json()).filter(|value| !value.is_null()).collect();
        found.iter_mut().for_each(|object| {
            let namespaced = !matches!(
                object["kind"].as_str(),
                Some(
                    "ClusterRole"
                        | "ClusterRoleBinding"
                        | "Namespace"
                        | "ValidatingAdmissionPolicy"
                        | "ValidatingAdmissionPolicyBinding"
                )
            );
            if namespaced && object["metadata"]["namespace"].is_null() {
                object["metadata"]["namespace"] = namespace.into();
            }
        });
        objects.append(&mut found);
    }
    Ok(objects)
}

/// What the server said of a manifest.
#[derive(Debug)]
enum Said {
    /// It takes it; this is what it would store.
    Yes(Value),
    No {
        code: u16,
        #[allow(dead_code, reason = "shown when the test fails")]
        message: String,
    },
}

async fn ask(applier: &Applier, object: &Value) -> Said {
    let name = object["metadata"]["name"].as_str().expect("a name");
    let parameters =
        PatchParams { field_manager: Some("oracle".into()), force: true, dry_run: true, ..PatchParams::default() };
    match applier.api_of(object).patch(name, &parameters.validation_strict(), &Patch::Apply(object)).await {
        Ok(stored) => Said::Yes(serde_json::to_value(stored).expect("JSON")),
        Err(kube::Error::Api(status)) => Said::No { code: status.code, message: status.message.clone() },
        Err(error) => panic!("{error}"),
    }
}

/// How the two verdicts on a manifest relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    BothAccept,
    BothRefuse,
    /// The server refuses by code of its own for a built-in kind: no schema says so.
    ByCode,
    /// The published schema requires a field that the server fills in or does without.
    PublishedOnly,
    /// The server takes it and stores another value: a number that does not fit is cut off.
    Altered,
    Disagree,
}

fn classify(object: &Value, offline: &[Fault], said: &Said, custom: bool) -> Class {
    match said {
        Said::Yes(_) if offline.is_empty() => Class::BothAccept,
        Said::Yes(_) if !custom && offline.iter().all(|fault| fault.kind == FaultKind::MissingField) => {
            Class::PublishedOnly
        }
        Said::Yes(stored) if offline.iter().all(|fault| fault.place.of(object) != fault.place.of(stored)) => {
            Class::Altered
        }
        Said::Yes(_) => Class::Disagree,
        Said::No { .. } if !offline.is_empty() => Class::BothRefuse,
        // 422 of a built-in kind comes from Go code; of a custom kind from its schema.
        Said::No { code: 422, .. } if !custom => Class::ByCode,
        Said::No { .. } => Class::Disagree,
    }
}

#[test]
fn the_offline_verdict_is_the_api_servers() {
    let (cluster, samples) = match Cluster::shared(Version::Newest).and_then(|cluster| Ok((cluster, samples()?))) {
        Ok(found) => found,
        Err(not_run) => return not_run.report(),
    };
    let catalog = Catalog::own().unwrap();
    let mut tried: Vec<Mutant> = samples
        .iter()
        .map(|object| Mutant { what: format!("{} as it is", object["metadata"]["name"]), object: object.clone() })
        .collect();
    let whole_ones = tried.len();
    let stride = std::env::var("ORACLE_STRIDE").map_or(STRIDE, |stride| stride.parse().unwrap());
    tried.extend(
        samples
            .iter()
            .flat_map(mutants)
            .enumerate()
            .filter(|(number, _)| number % stride == 0)
            .map(|(_, mutant)| mutant),
    );
    let (mut counts, mut wrong, mut special) = (BTreeMap::new(), Vec::new(), Vec::new());
    runtime().block_on(async {
        let applier = Applier::new(cluster.client(User::Admin)).await;
        let inside: Vec<Value> = samples.iter().filter(|object| object["kind"] != "Namespace").cloned().collect();
        applier.create_missing_namespaces(&inside).await;
        let answers = futures::stream::iter(&tried).map(|mutant| ask(&applier, &mutant.object)).buffered(16);
        let answers: Vec<Said> = answers.collect().await;
        for (number, (mutant, said)) in tried.iter().zip(&answers).enumerate() {
            let kind = (mutant.object["apiVersion"].as_str().unwrap(), mutant.object["kind"].as_str().unwrap());
            let faults =
                whole(&catalog, &mutant.object, |_| false).unwrap_or_else(|| panic!("{kind:?} has a schema")).faults;
            let class = classify(&mutant.object, &faults, said, catalog.entry(kind.0, kind.1).unwrap().custom);
            *counts.entry(class).or_insert(0_usize) += 1;
            if matches!(class, Class::PublishedOnly | Class::Altered) {
                special.push(format!("{class:?}: {}", mutant.what));
            }
            if class == Class::Disagree || (number < whole_ones && class != Class::BothAccept) {
                wrong.push(format!("{}\n  offline: {faults:?}\n  server: {said:?}", mutant.what));
            }
        }
    });
    if std::env::var_os("ORACLE_STRIDE").is_some() {
        eprintln!("{counts:?}\n{}", special.join("\n"));
    }
    assert!(wrong.is_empty(), "{} of {} disagree, {counts:?}\n{}", wrong.len(), tried.len(), wrong.join("\n"));
    assert!(counts[&Class::BothRefuse] >= 200, "{counts:?}");
}

/// Of all ways to break the samples, one in so many is tried; `ORACLE_STRIDE=1` tries all.
const STRIDE: usize = 7;
