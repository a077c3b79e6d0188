//! The trees that the fleets render to, and the JSON Schemas, byte for byte. `BLESS=1 cargo test --test golden` writes
//! them anew; the difference is reviewed like code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/fleet.rs"]
mod fleet;

use std::fs;

#[test]
fn every_fleet_renders_to_its_golden_tree() {
    let mut wrong = Vec::new();
    for case in fleet::fleets() {
        let expected = fleet::root().join("tests/golden").join(&case.name).join("expected");
        let found = fleet::rendered(&case.root);
        assert!(found.len() > 10, "{} renders to something", case.name);
        let differences = fleet::differences(&expected, &found);
        wrong.extend(differences.into_iter().map(|difference| format!("{}: {difference}", case.name)));
    }
    assert!(wrong.is_empty(), "{} files differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_published_schemas_are_those_of_the_program() {
    let folder = fleet::root().join("docs/reference/schemas");
    let mut found = fleet::Files::new();
    for kind in [
        "install",
        "tenant",
        "compatibility",
        "rotation",
        "network-claims",
        "exemptions",
        "report",
        "capacity",
        "diff-report",
        "drift-report",
    ] {
        let output = fleet::tenantry().args(["schema", kind]).output().unwrap();
        fleet::succeeded(&output);
        found.insert(format!("{kind}.json"), output.stdout);
    }
    let differences = fleet::differences(&folder, &found);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The comparison itself refuses what it must.
#[test]
fn a_missing_tree_and_an_extra_or_changed_file_are_differences() {
    if fleet::bless() {
        return; // it would write them
    }
    let folder = tempfile::tempdir().unwrap();
    let found = fleet::Files::from([("a/b".to_owned(), b"1\n".to_vec())]);
    assert_eq!(fleet::differences(&folder.path().join("none"), &found).len(), 1);
    fleet::write(folder.path(), &found);
    assert!(fleet::differences(folder.path(), &found).is_empty());
    assert_eq!(fleet::differences(folder.path(), &fleet::Files::new()).len(), 1);
    fs::write(folder.path().join("a/b"), "2\n").unwrap();
    assert_eq!(fleet::differences(folder.path(), &found).len(), 1);
    fs::write(folder.path().join("c"), "").unwrap();
    assert_eq!(fleet::differences(folder.path(), &found).len(), 2);
}
