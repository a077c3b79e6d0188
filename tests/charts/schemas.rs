//! What Helm makes of the charts against Kubernetes' own schemas, in their strict form: an unknown field is an error.
//!
//! The schemas come from the Python package `kubernetes-validate`, pinned in `tools/kubernetes-validate`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Validator;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::mutants::mutants;
use super::objects::{items, name, text};
use super::{RELEASES, helm, other_values, read, tools};

const COMMAND: &str = "cargo test --test charts -- --ignored fetch_schemas";
const DEFINITIONS: &str = "definitions.json";

/// Puts the schemas into the cache of test tools.
#[test]
#[ignore = "fetches a package; run it by name"]
fn fetch_schemas() {
    folder(tools::Absent::Make).expect("made, or panicked");
}

fn folder(absent: tools::Absent) -> Result<PathBuf, tools::NotRun> {
    let pin = include_str!("tools/kubernetes-validate/requirements.txt");
    let version = pin.split_once("==").unwrap().1.split_whitespace().next().unwrap();
    tools::ensure(&format!("kubernetes-validate-{version}"), &[DEFINITIONS], absent, COMMAND, |folder| {
        let pin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts/tools/kubernetes-validate/requirements.txt");
        let scratch = folder.join("scratch");
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]);
        pip.args(["--only-binary=:all:", "--require-hashes", "--target"]).arg(&scratch).arg("--requirement").arg(&pin);
        tools::run(&mut pip)?;
        let from = "kubernetes_validate/kubernetes-json-schema/v1.36.0-local-strict/_definitions.json";
        fs::rename(scratch.join(from), folder.join(DEFINITIONS))?;
        fs::remove_dir_all(&scratch)
    })
}

/// Validators by `apiVersion/kind`.
struct Schemas {
    definitions: Value,
    names: BTreeMap<String, String>,
}

impl Schemas {
    fn load() -> Result<Self, tools::NotRun> {
        let file = folder(tools::Absent::from_env())?.join(DEFINITIONS);
        let whole: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let definitions = whole["$defs"].clone();
        let mut names = BTreeMap::new();
        for (definition, schema) in definitions.as_object().unwrap() {
            for kind in items(&schema["x-kubernetes-group-version-kind"]) {
                let group = text(&kind["group"]);
                let slash = if group.is_empty() { "" } else { "/" };
                let key = format!("{group}{slash}{} {}", text(&kind["version"]), text(&kind["kind"]));
                names.insert(key, definition.clone());
            }
        }
        assert!(names.len() > 100, "{} kinds", names.len());
        Ok(Self { definitions, names })
    }

    fn validators(&self, objects: &[Value]) -> BTreeMap<String, Validator> {
        let kinds: BTreeSet<String> = objects.iter().map(kind).collect();
        let known: Vec<_> = kinds.into_iter().filter_map(|kind| Some((self.names.get(&kind)?, kind))).collect();
        let validator = |(definition, kind): (&String, String)| {
            let mut needed = serde_json::Map::new();
            self.collect(definition, &mut needed);
            let schema = json!({ "$ref": format!("#/$defs/{definition}"), "$defs": needed });
            (kind, jsonschema::validator_for(&schema).unwrap())
        };
        known.into_par_iter().map(validator).collect()
    }

    /// A definition and those that it refers to: a validator of all of them takes seconds to make.
    fn collect(&self, definition: &str, needed: &mut serde_json::Map<String, Value>) {
        if needed.contains_key(definition) {
            return;
        }
        needed.insert(definition.to_owned(), self.definitions[definition].clone());
        let text = self.definitions[definition].to_string();
        for (_, rest) in text.match_indices("\"#/$defs/").map(|(at, mark)| text.split_at(at + mark.len())) {
            self.collect(rest.split('"').next().unwrap(), needed);
        }
    }
}

fn kind(object: &Value) -> String {
    format!("{} {}", text(&object["apiVersion"]), text(&object["kind"]))
}

/// Kinds of others, whose schemas come with their own CRDs.
const FOREIGN: [&str; 3] =
    ["cert-manager.io/v1 Certificate", "cert-manager.io/v1 Issuer", "cilium.io/v2 CiliumNetworkPolicy"];

#[test]
fn objects_are_valid_for_kubernetes() {
    let (releases, schemas) = match (RELEASES.as_ref(), Schemas::load()) {
        (Ok(releases), Ok(schemas)) => (releases, schemas),
        (Err(not_run), _) => return not_run.report(),
        (_, Err(not_run)) => return not_run.report(),
    };
    let mut objects: Vec<Value> = releases.iter().flat_map(|release| release.templated.clone()).collect();
    for (chart, namespace, values) in other_values() {
        objects.extend(read(&helm(&["template"], chart, &namespace, Some(&values)).stdout));
    }
    for (chart, namespace) in [("soctalk-system", "soctalk-system"), ("soctalk-tenant", "tenant-example")] {
        objects.extend(read(&helm(&["template"], chart, namespace, None).stdout));
    }
    let validators = schemas.validators(&objects);
    assert!(validators.len() > 12, "{:?}", validators.keys());
    let wrong: BTreeSet<String> = objects
        .par_iter()
        .flat_map_iter(|object| match validators.get(&kind(object)) {
            Some(validator) => {
                let errors = validator.iter_errors(object);
                errors.map(|error| format!("{}{}: {error}", name(object), error.instance_path())).collect()
            }
            None if FOREIGN.contains(&kind(object).as_str()) => vec![],
            None => vec![format!("{}: no schema of {}", name(object), kind(object))],
        })
        .collect();
    assert!(wrong.is_empty(), "{}", Vec::from_iter(wrong).join("\n"));

    // The schemas refuse what they must.
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
    let mut broken = deployment.clone();
    broken["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = json!("Always");
    assert!(!validators["apps/v1 Deployment"].is_valid(&broken), "an unknown field is refused");
    assert!(validators["apps/v1 Deployment"].is_valid(deployment));
}

/// The program's own verdict against these schemas, over every fleet and what Helm makes of the charts, and over
/// manifests with one thing broken. Where ours is stricter, it says so by what JSON Schema cannot tell; the cluster suite
/// holds those against a real API server.
#[test]
fn offline_verdicts_are_those_of_kubernetes_schemas() {
    use tenantry::schemas::{Catalog, FaultKind, whole};
    let (releases, schemas) = match (RELEASES.as_ref(), Schemas::load()) {
        (Ok(releases), Ok(schemas)) => (releases, schemas),
        (Err(not_run), _) => return not_run.report(),
        (_, Err(not_run)) => return not_run.report(),
    };
    let all = releases.iter().flat_map(|release| release.templated.iter().chain(&release.own));
    let objects: Vec<Value> = all.filter(|object| schemas.names.contains_key(&kind(object))).cloned().collect();
    let (validators, catalog) = (schemas.validators(&objects), Catalog::own().unwrap());
    let mut largest: BTreeMap<String, &Value> = BTreeMap::new();
    for object in &objects {
        let known = largest.entry(kind(object)).or_insert(object);
        if object.to_string().len() > known.to_string().len() {
            *known = object;
        }
    }
    assert!(largest.len() > 15, "{:?}", largest.keys());
    let broken: Vec<Value> =
        largest.values().flat_map(|object| mutants(object)).map(|mutant| mutant.object).step_by(3).collect();
    // JSON Schema knows nothing of quantities, of what fits into a number, of items twice, of labels.
    let beyond = |kind: FaultKind| matches!(kind, FaultKind::Value | FaultKind::Duplicate);
    let verdict = |object: &Value| {
        let theirs = validators[&kind(object)].is_valid(object);
        let faults = whole(&catalog, object, |_| false).unwrap().faults;
        let stricter = theirs && !faults.is_empty() && faults.iter().all(|fault| beyond(fault.kind));
        let wrong = theirs != faults.is_empty() && !stricter;
        (theirs, wrong.then(|| format!("{}: theirs {theirs}, ours {faults:?}", name(object))))
    };
    let (good, bad): (Vec<_>, Vec<_>) =
        (objects.par_iter().map(verdict).collect(), broken.par_iter().map(verdict).collect());
    let wrong: BTreeSet<&String> = good.iter().chain(&bad).filter_map(|(_, wrong)| wrong.as_ref()).collect();
    assert!(
        wrong.is_empty(),
        "{}",
        Vec::from_iter(wrong).iter().take(20).map(|line| line.as_str()).collect::<Vec<_>>().join("\n")
    );
    let refused = bad.iter().filter(|(theirs, _)| !theirs).count();
    assert!(good.iter().all(|(theirs, _)| *theirs) && refused >= 200, "{refused} of {} are refused", bad.len());
}
