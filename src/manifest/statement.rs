//! What was proved about a unit, as an in-toto statement beside its files: a SLSA Verification Summary.
//!
//! Formats: in-toto Statement v1, SLSA Verification Summary v1. The statement says nothing of when or where it was made and
//! nothing of the revision that it was made from: the same unit gives the same statement, so that nothing is committed where
//! nothing changed. The commit's trailers name the revision.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::tree::{Digest, Unit};

/// Name of the file in each unit that says what was proved about it.
pub const STATEMENT: &str = "statement.json";
/// Type of an in-toto statement.
pub const TYPE: &str = "https://in-toto.io/Statement/v1";
/// Type of a SLSA Verification Summary.
pub const PREDICATE: &str = "https://slsa.dev/verification_summary/v1";
/// What this program adds to the summary, under a name of its own as the format asks.
pub const OWN: &str = "https://tenantry.io/verification/v1";

/// A check that ran: its id, what it proves, and its verdict.
pub type Checked<'a> = (&'a str, &'a str, &'a str);

/// The statement about a unit that passed: the files that it has now, and what was checked. `assumptions` are what the proofs
/// take for granted; they stand in the statement of the control plane.
pub fn statement(unit: &Unit, tool_version: &str, checks: &[Checked<'_>], assumptions: &[String]) -> Vec<u8> {
    let subject: Vec<Value> = unit
        .files
        .iter()
        .map(|(name, bytes)| {
            let digest = Digest::of(bytes).to_string();
            let hex = digest.trim_start_matches("sha256:");
            json!({ "name": format!("{}/{name}", unit.path), "digest": { "sha256": hex } })
        })
        .collect();
    let passed = checks.iter().all(|(_, _, verdict)| matches!(*verdict, "passed" | "exempted"));
    let checks: Vec<Value> = checks
        .iter()
        .map(|(check, proves, verdict)| json!({ "check": check, "proves": proves, "verdict": verdict }))
        .collect();
    let mut own = json!({ "inputs": unit.inputs.to_string(), "checks": checks });
    if !assumptions.is_empty() {
        own["assumptions"] = assumptions.into();
    }
    let document = json!({
        "_type": TYPE,
        "subject": subject,
        "predicateType": PREDICATE,
        "predicate": {
            "verifier": { "id": "https://tenantry.io/tenantry", "version": { "tenantry": tool_version } },
            "resourceUri": unit.path,
            "policy": { "uri": format!("https://tenantry.io/checks/{tool_version}") },
            "verificationResult": if passed { "PASSED" } else { "FAILED" },
            "verifiedLevels": if passed { json!(["TENANTRY_PROVED"]) } else { json!([]) },
            OWN: own,
        },
    });
    // Texts and maps of texts always are JSON.
    let mut bytes = serde_json::to_vec_pretty(&document).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Whether a statement says of a unit's files, as they are, that they passed. `files` are all files of the unit by name, with
/// their digests, but for the statement itself and the provenance.
///
/// # Errors
/// What it does not say, in words.
pub fn check(unit: &str, statement: &[u8], files: &BTreeMap<String, Digest>) -> Result<(), String> {
    let document: Value = serde_json::from_slice(statement).map_err(|error| format!("it is no statement: {error}"))?;
    let predicate = &document["predicate"];
    if document["_type"] != TYPE || document["predicateType"] != PREDICATE {
        return Err("it is no in-toto statement with a SLSA Verification Summary".into());
    }
    if predicate["resourceUri"] != unit {
        return Err(format!("it speaks of {}", predicate["resourceUri"]));
    }
    if predicate["verificationResult"] != "PASSED" {
        return Err(format!("it says {}", predicate["verificationResult"]));
    }
    let mut stated = BTreeMap::new();
    for subject in document["subject"].as_array().into_iter().flatten() {
        let name = subject["name"].as_str().and_then(|name| name.strip_prefix(unit)?.strip_prefix('/'));
        let (Some(name), Some(hex)) = (name, subject["digest"]["sha256"].as_str()) else {
            return Err(format!("it names what is no file of the unit: {}", subject["name"]));
        };
        stated.insert(name, format!("sha256:{hex}"));
    }
    for (name, digest) in files {
        match stated.remove(name.as_str()) {
            None => return Err(format!("{name} was not proved: the statement does not name it")),
            Some(own) if own != digest.to_string() => {
                return Err(format!("{name} is not what was proved: its content differs"));
            }
            Some(_) => {}
        }
    }
    match stated.keys().next() {
        Some(name) => Err(format!("{name} was proved, and is not there")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_names_every_file_and_never_calls_a_gap_passed() {
        let unit = Unit {
            path: "clusters/eu/tenants/acme".into(),
            inputs: Digest::of(b"in"),
            files: BTreeMap::from([("a.yaml".into(), b"abc".to_vec())]),
        };
        let read = |verdict| -> Value {
            serde_json::from_slice(&statement(&unit, "1", &[("x", "y", verdict)], &["z".into()])).unwrap()
        };
        assert_eq!(read("exempted")["predicate"]["verificationResult"], "PASSED");
        let passed = read("passed");
        assert_eq!(passed["subject"][0]["name"], "clusters/eu/tenants/acme/a.yaml");
        assert_eq!(
            passed["subject"][0]["digest"]["sha256"],
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(passed["predicate"]["verificationResult"], "PASSED");
        assert_eq!(passed["predicate"][OWN]["assumptions"], json!(["z"]));
        for verdict in ["failed", "not-checked"] {
            assert_eq!(read(verdict)["predicate"]["verificationResult"], "FAILED");
        }
    }

    #[test]
    fn a_statement_holds_for_the_files_that_it_names_and_no_others() {
        let path = "clusters/eu/tenants/acme";
        let unit = Unit {
            path: path.into(),
            inputs: Digest::of(b"in"),
            files: BTreeMap::from([("a.yaml".into(), b"abc".to_vec()), ("b.yaml".into(), b"b".to_vec())]),
        };
        let files: BTreeMap<String, Digest> =
            unit.files.iter().map(|(name, bytes)| (name.clone(), Digest::of(bytes))).collect();
        let passed = statement(&unit, "1", &[("x", "y", "passed")], &[]);
        assert_eq!(check(path, &passed, &files), Ok(()));
        let refused = |statement: &[u8], files: &BTreeMap<String, Digest>| check(path, statement, files).unwrap_err();
        let mut other = files.clone();
        other.insert("a.yaml".into(), Digest::of(b"edited"));
        assert!(refused(&passed, &other).contains("a.yaml is not what was proved"));
        other = files.clone();
        other.insert("c.yaml".into(), Digest::of(b""));
        assert!(refused(&passed, &other).contains("c.yaml was not proved"));
        other = files.clone();
        other.remove("b.yaml");
        assert!(refused(&passed, &other).contains("b.yaml was proved, and is not there"));
        let failed = statement(&unit, "1", &[("x", "y", "not-checked")], &[]);
        assert!(refused(&failed, &files).contains("FAILED"));
        assert!(refused(b"{}", &files).contains("no in-toto statement"));
        assert!(check("clusters/eu/tenants/oak", &passed, &files).unwrap_err().contains("speaks of"));
    }
}
