//! The fleets of this repository, the program, and folders of files to compare.
// Each test binary uses its own part of this; a broken set-up panics.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Files by path, with `/`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A fleet and the name of its golden case.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// `repository`, or the folder in `tests/golden`.
    pub name: String,
    /// Where install.yaml lies.
    pub root: PathBuf,
}

/// The folder of this repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every fleet: that of the repository and those of the golden cases, in order of name.
pub fn fleets() -> Vec<Fleet> {
    let mut fleets = vec![Fleet { name: "repository".into(), root: root().into() }];
    for name in folders(&root().join("tests/golden")) {
        let fleet = root().join("tests/golden").join(&name).join("fleet");
        if fleet.is_dir() {
            fleets.push(Fleet { name, root: fleet });
        }
    }
    fleets.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(fleets.len() >= 4, "the golden cases are there: {fleets:?}");
    fleets
}

/// Names of the folders in a folder, in order.
pub fn folders(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The program, in an environment that holds nothing of the user's.
pub fn tenantry() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
    command.env_clear().env("HOME", "/nowhere").env("SOURCE_DATE_EPOCH", "1700000000");
    command
}

/// Renders a fleet into a folder and must succeed.
pub fn render(fleet: &Path, out: &Path) {
    let output = tenantry().arg("-C").arg(fleet).arg("render").arg("--out").arg(out).output().unwrap();
    succeeded(&output);
}

/// Renders a fleet and gives its files.
pub fn rendered(fleet: &Path) -> Files {
    let folder = tempfile::tempdir().unwrap();
    render(fleet, &folder.path().join("out"));
    files(&folder.path().join("out"))
}

/// Fails with everything that a program said, if it failed.
#[track_caller]
pub fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}:\n{}{}", output.status, text(&output.stdout), text(&output.stderr));
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// All files below a folder.
pub fn files(folder: &Path) -> Files {
    fn walk(folder: &Path, prefix: &str, files: &mut Files) {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries.map(|entry| entry.unwrap()) {
            let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{path}/"), files);
            } else {
                files.insert(path, fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut files = Files::new();
    walk(folder, "", &mut files);
    files
}

/// Writes files below a folder, in the order given.
pub fn write<'a>(folder: &Path, files: impl IntoIterator<Item = (&'a String, &'a Vec<u8>)>) {
    for (path, bytes) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// The files that make a fleet, without what else lies in its folder.
pub fn inputs(fleet: &Path) -> Files {
    let mut inputs = Files::new();
    for file in ["install.yaml", "compatibility.yaml"] {
        inputs.insert(file.into(), fs::read(fleet.join(file)).unwrap());
    }
    for folder in ["tenants", "policies"] {
        let below = files(&fleet.join(folder));
        inputs.extend(below.into_iter().map(|(path, bytes)| (format!("{folder}/{path}"), bytes)));
    }
    inputs
}

/// A copy of a fleet in a temporary folder.
pub fn copy(fleet: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &inputs(fleet));
    folder
}

/// Whether expectations are to be written instead of compared.
pub fn bless() -> bool {
    std::env::var_os("BLESS").is_some_and(|value| value == "1")
}

/// What differs between what was expected and what is there; with `BLESS=1`, what is there becomes the expectation.
pub fn differences(expected: &Path, found: &Files) -> Vec<String> {
    if bless() {
        if expected.exists() {
            fs::remove_dir_all(expected).unwrap();
        }
        write(expected, found);
    }
    if !expected.is_dir() {
        return vec![format!("{} is missing: BLESS=1 cargo test writes it", expected.display())];
    }
    let expected = files(expected);
    let mut paths: Vec<&String> = expected.keys().chain(found.keys()).collect();
    paths.sort();
    paths.dedup();
    paths.into_iter().filter_map(|path| difference(path, expected.get(path), found.get(path))).collect()
}

fn difference(path: &str, expected: Option<&Vec<u8>>, found: Option<&Vec<u8>>) -> Option<String> {
    match (expected, found) {
        (Some(expected), Some(found)) if expected == found => None,
        (Some(expected), Some(found)) => {
            let (expected, found) = (text(expected), text(found));
            let diff = similar::TextDiff::from_lines(&expected, &found);
            Some(diff.unified_diff().header(&format!("expected {path}"), &format!("found {path}")).to_string())
        }
        (Some(_), None) => Some(format!("{path} was expected and is not there\n")),
        (None, _) => Some(format!("{path} was not expected\n")),
    }
}
