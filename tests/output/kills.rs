//! Writers killed at random instants: the old state or the new one, sound, and the next run finishes.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tenantry::output::{Edits, Options, Outcome, dir};

use crate::fixture::*;

/// Kills of each kind of output; 240 in all.
const KILLS: u64 = 80;
/// Kills after which a kind starts anew, so that its history stays short.
const ROUND: u64 = 10;
const SLUGS: [&str; 3] = ["acme", "blue", "coral"];

#[test]
fn a_bare_repository_survives() {
    survive("bare", |folder| {
        let path = folder.join("output");
        fs::create_dir(&path).unwrap();
        git(&path, &["init", "-q", "--bare", "-b", "main"]);
    });
}

#[test]
fn a_clone_survives_from_its_making_on() {
    survive("clone", |_| {});
}

#[test]
fn a_directory_survives() {
    survive("directory", |_| {});
}

fn survive(kind: &str, prepare: fn(&Path)) {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..KILLS / ROUND {
        let folder = folder();
        prepare(folder.path());
        let path = folder.path().join("output");
        for kill in 0..ROUND {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let text = format!("{round}-{kill}");
            kill_writer(kind, &path, &text, Duration::from_micros((seed >> 33) % 25_000));
            assert_whole(kind, &path);
            if kind != "directory" && path.exists() {
                fsck(&path);
            }
            finish(kind, &path, &format!("{text}-finished"));
            assert_clean(kind, &path);
        }
    }
}

/// Starts a writer that writes one state after the other, and kills it some time after it has begun.
fn kill_writer(kind: &str, path: &Path, text: &str, after: Duration) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kills::writer_process", "--nocapture", "--quiet"])
        .env("OUTPUT_WRITER", kind)
        .env("OUTPUT_PATH", path)
        .env("OUTPUT_TEXT", text)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut byte = [0];
    while !said.ends_with("ready\n") {
        assert_eq!(child.stdout.as_mut().unwrap().read(&mut byte).unwrap(), 1, "the writer died: {said}");
        said.push(char::from(byte[0]));
    }
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The child's half: writes until it is killed.
#[test]
fn writer_process() {
    let Some(kind) = std::env::var_os("OUTPUT_WRITER") else { return };
    let path = PathBuf::from(std::env::var_os("OUTPUT_PATH").unwrap());
    let text = std::env::var("OUTPUT_TEXT").unwrap();
    println!("ready");
    for number in 0.. {
        finish(kind.to_str().unwrap(), &path, &format!("{text}-{number}"));
    }
}

/// Writes one state; every other one without the last tenant, so that units come and go.
fn finish(kind: &str, path: &Path, text: &str) {
    let kept = if text.ends_with(['1', '3', '5', '7', '9']) { 2 } else { 3 };
    let wanted = fleet(&SLUGS[..kept], text);
    let options: Options<'_> = options(Edits::Refuse);
    if kind == "directory" {
        let baseline = dir::baseline(path).unwrap();
        let mut changes = plan(&baseline, &wanted);
        changes.remove = SLUGS[kept..].iter().map(|slug| tenant(slug)).collect();
        assert!(matches!(
            dir::write(path, &baseline, &checked(&changes), options).unwrap(),
            dir::Outcome::Written { .. }
        ));
    } else {
        let mut repo = tenantry::output::Repo::open(&target(path), None).unwrap();
        let baseline = repo.baseline().unwrap();
        let mut changes = plan(&baseline, &wanted);
        changes.remove = SLUGS[kept..].iter().map(|slug| tenant(slug)).collect();
        let outcome = repo.commit(&baseline, &checked(&changes), &message(), options).unwrap();
        assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
    }
}

/// That one state is there as a whole: all its files, all of the same text, none edited, none missing.
fn assert_whole(kind: &str, path: &Path) {
    if !path.exists() {
        return;
    }
    let files: Vec<(String, String)> = if kind == "directory" {
        assert!(dir::baseline(path).unwrap().edits.is_empty());
        below(path).into_iter().map(|file| (file.clone(), fs::read_to_string(path.join(file)).unwrap())).collect()
    } else {
        if git(path, &["for-each-ref"]).is_empty() {
            return;
        }
        let mut repo = tenantry::output::Repo::open(&target(path), None).unwrap();
        assert!(repo.baseline().unwrap().edits.is_empty());
        // One process for all files: their content by their path.
        let list = git(path, &["grep", "--no-color", "-e", "", "main", "--", "clusters"]);
        list.lines().map(|line| (line.split(':').nth(1).unwrap().to_owned(), line.to_owned())).collect()
    };
    let texts: BTreeSet<&str> = files
        .iter()
        .filter_map(|(_, text)| text.split_once("  text: "))
        .map(|(_, text)| text.lines().next().unwrap())
        .collect();
    let names: BTreeSet<&String> = files.iter().map(|(name, _)| name).collect();
    assert!(texts.len() <= 1, "two states are mixed: {texts:?}");
    assert!([0, 12, 16].contains(&names.len()), "a state is not whole: {names:?}");
}

/// That the run after a kill has left nothing behind.
fn assert_clean(kind: &str, path: &Path) {
    assert_whole(kind, path);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    let strays: Vec<String> = below(path)
        .into_iter()
        .filter(|file| {
            file.ends_with(".lock") || file.contains("tmp") || file.contains("twin") || file.contains("stage")
        })
        .collect();
    assert!(strays.is_empty(), "{strays:?}");
    if kind == "clone" {
        assert_eq!(git(path, &["status", "--porcelain"]), "");
        let ours: BTreeSet<String> = below(&path.join(".git/tenantry")).into_iter().collect();
        assert!(ours.iter().all(|file| ["lock", "units"].contains(&file.as_str())), "{ours:?}");
    }
}

/// Every file below a folder, by its path.
fn below(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => open.push(entry.path()),
                false => found.push(entry.path().strip_prefix(path).unwrap().to_str().unwrap().to_owned()),
            }
        }
    }
    found
}
