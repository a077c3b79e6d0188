//! What is written parses back to what was meant: with three YAML readers, and with kubectl's, which builds every unit.
//! The golden trees stand for what is rendered; the golden test holds them to it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/tools.rs"]
mod tools;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use rayon::prelude::*;
use serde::Deserialize as _;
use serde_json::Value;
use tenantry::yaml::{self, Limits};

fn golden(case: &fleet::Fleet) -> PathBuf {
    fleet::root().join("tests/golden").join(&case.name).join("expected")
}

/// The documents of a text, as this program reads them.
fn own(text: &str) -> Vec<Value> {
    let documents = yaml::parse(text, Limits::MANIFEST).unwrap_or_else(|error| panic!("{error:?}"));
    documents.iter().map(|document| document.root.to_json()).collect()
}

fn with_serde_yaml(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap()).collect()
}

fn with_serde_saphyr(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

#[test]
fn three_readers_agree_on_every_file() {
    let mut read = 0;
    for case in fleet::fleets() {
        for (path, bytes) in fleet::files(&golden(&case)) {
            if path.ends_with(".yaml") {
                let text = String::from_utf8(bytes).unwrap();
                let values = own(&text);
                assert!(!values.is_empty() && values.iter().all(Value::is_object), "{}: {path}", case.name);
                assert_eq!(with_serde_yaml(&text), values, "serde_yaml, {}: {path}", case.name);
                assert_eq!(with_serde_saphyr(&text), values, "serde-saphyr, {}: {path}", case.name);
                read += 1;
            }
        }
    }
    assert!(read > 150, "{read} files were read");
}

#[test]
fn kubectl_builds_every_unit_into_the_same_objects() {
    let kubectl = match tools::kubectl() {
        Ok(kubectl) => kubectl,
        Err(not_run) => return not_run.report(),
    };
    let units: Vec<PathBuf> = fleet::fleets().iter().flat_map(|case| units(&golden(case))).collect();
    assert!(units.len() > 20, "{units:?}");
    units.par_iter().for_each(|unit| {
        let output = Command::new(&kubectl).arg("kustomize").arg(unit).output().unwrap();
        fleet::succeeded(&output);
        let mut written = Vec::new();
        for (name, bytes) in fleet::files(unit) {
            if name.ends_with(".yaml") && name != "kustomization.yaml" {
                written.extend(own(&fleet::text(&bytes)));
            }
        }
        assert_eq!(by_identity(own(&fleet::text(&output.stdout))), by_identity(written), "{}", unit.display());
    });
}

/// Folders with a kustomization.yaml.
fn units(tree: &Path) -> Vec<PathBuf> {
    let paths = fleet::files(tree);
    let units = paths.keys().filter_map(|path| path.strip_suffix("/kustomization.yaml"));
    units.map(|unit| tree.join(unit)).collect()
}

fn by_identity(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let count = objects.len();
    let named = objects.into_iter().map(|object| {
        let meta = &object["metadata"];
        (format!("{} {} {} {}", object["apiVersion"], object["kind"], meta["namespace"], meta["name"]), object)
    });
    let named: BTreeMap<_, _> = named.collect();
    assert_eq!(named.len(), count, "no object is there twice");
    named
}
