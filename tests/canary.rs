//! A secret in any field of a config file stops the run, and is never shown or written.
//!
//! The leak detector reads whole files before any field has a meaning, so there is no field where a secret is let
//! through: names for people, notes and annotations, where free text is legal, are refused like all others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/fleet.rs"]
mod fleet;

use std::fs;
use std::path::Path;

use rayon::prelude::*;
use serde_yaml::Value;

const FILES: [&str; 2] = ["install.yaml", "tenants/borealis.yaml"];

/// Fields where a name for people is legal: with a secret in them the files are valid, and only the guard is left.
const FREE_TEXT: [&str; 6] = [
    "/install/msspName",
    "/defaults/llm/model",
    "/charts/verify/subject",
    "/charts/verify/issuer",
    "/wazuhIngress/loadBalancer/annotations/metallb.universe.tf~1address-pool",
    "/tenant/displayName",
];

/// Secrets of several forms, made at run time so that no source holds one.
fn canaries() -> [String; 3] {
    let random = ["aB3dE5gH7jK9mN1p", "Q3sT5vW7yZ2cD4fG", "6hJ8kL0q"].concat();
    let key = ["sk", "proj", "x7Tq2Lm9Vb4Nc8Rw1Zk5Yd3H"].join("-");
    [key, ["AK", "IA", "Q7WX2M4N", "8PR5T6VZ"].concat(), random]
}

/// Every leaf of a document as a JSON pointer.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Mapping(map) => {
            for (key, value) in map {
                let key = key.as_str().unwrap().replace('~', "~0").replace('/', "~1");
                leaves(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &format!("{at}/{index}"), found);
            }
        }
        Value::String(_) => found.push(at.to_owned()),
        _ => {}
    }
}

fn replace(value: &mut Value, pointer: &str, with: &str) {
    let leaf = pointer.split('/').skip(1).fold(value, |value, part| match value {
        Value::Sequence(items) => &mut items[part.parse::<usize>().unwrap()],
        other => other.get_mut(part.replace("~1", "/").replace("~0", "~")).unwrap(),
    });
    *leaf = Value::String(with.to_owned());
}

/// Each string field of each file, with the number of the canary that the program gets there.
fn fields() -> Vec<(&'static str, String, usize)> {
    let mut fields = Vec::new();
    for file in FILES {
        let text = fs::read_to_string(fleet::root().join(file)).unwrap();
        let mut found = Vec::new();
        leaves(&serde_yaml::from_str(&text).unwrap(), "", &mut found);
        assert!(found.len() > 8, "{file} has fields");
        fields.extend(found.into_iter().enumerate().map(|(number, pointer)| (file, pointer, number % 3)));
    }
    fields
}

fn with_canary(file: &str, pointer: &str, canary: &str) -> String {
    let mut value: Value = serde_yaml::from_str(&fs::read_to_string(fleet::root().join(file)).unwrap()).unwrap();
    replace(&mut value, pointer, canary);
    serde_yaml::to_string(&value).unwrap()
}

/// Every form of secret in every field, as the program reads a file.
#[test]
fn every_form_in_every_field_is_found() {
    let canaries = canaries();
    let fields = fields();
    for pointer in FREE_TEXT {
        assert!(fields.iter().any(|(_, field, _)| field == pointer), "{pointer} is still a field");
    }
    for (file, pointer, _) in fields {
        for canary in &canaries {
            let text = with_canary(file, &pointer, canary);
            let findings = tenantry::secrets::leak::findings(file, &text);
            assert!(!findings.is_empty(), "{file}: {pointer}");
            assert!(!format!("{findings:?}").contains(canary.as_str()), "{file}: {pointer}");
        }
    }
}

/// The program refuses each field, and its streams, its report and its output hold nothing of the secret.
#[test]
fn no_run_shows_or_writes_a_secret() {
    let canaries = canaries();
    let wrong: Vec<String> =
        fields().par_iter().filter_map(|(file, pointer, number)| run(file, pointer, &canaries[*number])).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn run(file: &str, pointer: &str, canary: &str) -> Option<String> {
    let copy = fleet::copy(fleet::root());
    fs::write(copy.path().join(file), with_canary(file, pointer, canary)).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let out = elsewhere.path().join("out");
    let report = elsewhere.path().join("report.json");
    let output = fleet::tenantry()
        .arg("-C")
        .arg(copy.path())
        .args(["render", "-v", "--timings", "-o", "text", "-o"])
        .arg(format!("json={}", report.display()))
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    let code = output.status.code();
    let refused = if FREE_TEXT.contains(&pointer) { code == Some(4) } else { matches!(code, Some(3 | 4)) };
    if !refused {
        return Some(format!("{file}: {pointer}: ended with {code:?}"));
    }
    let mut shown = vec![("standard output", output.stdout), ("standard error", output.stderr)];
    shown.push(("the report", fs::read(&report).unwrap()));
    shown.extend(written(&out).into_iter().map(|bytes| ("the output", bytes)));
    let leak = shown.iter().find(|(_, bytes)| fleet::text(bytes).contains(canary));
    leak.map(|(place, bytes)| format!("{file}: {pointer}: {place} shows the secret:\n{}", fleet::text(bytes)))
}

/// What lies in the output folder, which a refused run does not even make.
fn written(out: &Path) -> Vec<Vec<u8>> {
    if out.exists() { fleet::files(out).into_values().collect() } else { Vec::new() }
}

/// The test can fail: without a secret the same files render.
#[test]
fn the_same_files_without_a_secret_render() {
    let copy = fleet::copy(fleet::root());
    for file in FILES {
        let text = fs::read_to_string(copy.path().join(file)).unwrap();
        let value: Value = serde_yaml::from_str(&text).unwrap();
        fs::write(copy.path().join(file), serde_yaml::to_string(&value).unwrap()).unwrap();
    }
    assert!(!fleet::rendered(copy.path()).is_empty());
}
