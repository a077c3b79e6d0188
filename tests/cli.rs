//! The program from outside: small edits to a fleet, command lines, exit codes, and every word that is said.
//!
//! A case is a folder of `tests/cli`: `case.yaml` says what is done, `expected.txt` holds what the program said.
//! `BLESS=1 cargo test --test cli` writes the latter anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/fleet.rs"]
mod fleet;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use rayon::prelude::*;
use regex::Regex;
use serde::Deserialize;

/// `case.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case shows.
    about: String,
    /// Golden case whose fleet is copied; none for an empty folder.
    #[serde(default)]
    fleet: Option<String>,
    steps: Vec<Step>,
}

/// Edits, then a command line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    edit: Vec<Edit>,
    /// Files to write.
    #[serde(default)]
    write: BTreeMap<String, String>,
    /// Files to write that are no text, as bytes.
    #[serde(default)]
    bytes: BTreeMap<String, Vec<u8>>,
    #[serde(default)]
    remove: Vec<String>,
    /// Arguments, split at spaces.
    run: String,
    exit: i32,
    /// What standard output must hold, where the whole of it is not worth keeping.
    #[serde(default)]
    holds: Vec<String>,
}

/// One replacement in a file; `from` must be there exactly once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: String,
    from: String,
    to: String,
}

#[test]
fn every_case_says_and_does_what_is_expected() {
    let folder = fleet::root().join("tests/cli");
    let names = fleet::folders(&folder);
    assert!(names.len() > 40, "the cases are there: {names:?}");
    let wrong: Vec<String> = names.par_iter().flat_map(|name| check(&folder.join(name), name)).collect();
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(folder: &Path, name: &str) -> Option<String> {
    let case = fs::read_to_string(folder.join("case.yaml")).unwrap();
    let case: Case = serde_yaml::from_str(&case).unwrap_or_else(|error| panic!("{name}: {error}"));
    let fleet = match &case.fleet {
        None => tempfile::tempdir().unwrap(),
        Some(fleet) => {
            let known = fleet::fleets().into_iter().find(|known| known.name == *fleet);
            fleet::copy(&known.unwrap_or_else(|| panic!("{name}: no fleet {fleet}")).root)
        }
    };
    let mut wrong = String::new();
    let mut said = String::new();
    for step in &case.steps {
        prepare(fleet.path(), step, name);
        let output = fleet::tenantry().current_dir(fleet.path()).args(step.run.split(' ')).output().unwrap();
        let (out, err) = (fleet::text(&output.stdout), fleet::text(&output.stderr));
        let code = output.status.code();
        if code != Some(step.exit) {
            wrong.push_str(&format!("`{}` ended with {code:?}, not {}:\n{out}{err}\n", step.run, step.exit));
        }
        for part in step.holds.iter().filter(|part| !out.contains(part.as_str())) {
            wrong.push_str(&format!("`{}` did not say {part:?}:\n{out}", step.run));
        }
        said.push_str(&format!("$ tenantry {}\n", step.run));
        if step.holds.is_empty() {
            said.push_str(&indented("out", &settled(&out, fleet.path())));
        }
        said.push_str(&indented("err", &settled(&err, fleet.path())));
        said.push_str(&format!("exit {}\n\n", step.exit));
    }
    let path = folder.join("expected.txt");
    if fleet::bless() {
        fs::write(&path, &said).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected != said {
        let diff = similar::TextDiff::from_lines(&expected, &said);
        wrong.push_str(&diff.unified_diff().header("expected", "found").to_string());
    }
    (!wrong.is_empty()).then(|| format!("{name} ({}):\n{wrong}", case.about))
}

fn prepare(fleet: &Path, step: &Step, name: &str) {
    for path in &step.remove {
        fs::remove_file(fleet.join(path)).unwrap();
    }
    for edit in &step.edit {
        let text = fs::read_to_string(fleet.join(&edit.file)).unwrap();
        assert_eq!(text.matches(&edit.from).count(), 1, "{name}: {:?} in {}", edit.from, edit.file);
        fs::write(fleet.join(&edit.file), text.replace(&edit.from, &edit.to)).unwrap();
    }
    let texts = step.write.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes()));
    let files: fleet::Files = texts.chain(step.bytes.clone()).collect();
    fleet::write(fleet, &files);
}

fn indented(stream: &str, text: &str) -> String {
    text.lines().map(|line| format!("{stream}| {line}").trim_end().to_owned() + "\n").collect()
}

/// The text without what differs from run to run: folders, commits, the version.
fn settled(text: &str, folder: &Path) -> String {
    static COMMIT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[0-9a-f]{40}\b").unwrap());
    static VERSION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"("toolVersion": )"[^"]*""#).unwrap());
    let real = fs::canonicalize(folder).unwrap();
    let text = text.replace(real.to_str().unwrap(), "<fleet>").replace(folder.to_str().unwrap(), "<fleet>");
    let text = COMMIT.replace_all(&text, "<commit>");
    VERSION.replace_all(&text, "$1\"<version>\"").into_owned()
}
