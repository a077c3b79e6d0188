//! Eight writers at once: every commit is there or was refused with a reason, and nothing is lost.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tenantry::check::Verified;
use tenantry::error::Result;
use tenantry::output::{Baseline, Edits, Message, Outcome, Repo, publish};

use crate::fixture::*;

const WRITERS: usize = 8;
const COMMITS: usize = 4;

#[test]
fn eight_processes_on_a_bare_repository() {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "--bare", "-b", "main"]);
    assert_nothing_lost(folder.path());
}

#[test]
fn eight_processes_on_a_clone_that_does_not_exist_yet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some/rendered");
    assert_nothing_lost(&path);
    assert_eq!(git(&path, &["status", "--porcelain"]), "");
}

fn assert_nothing_lost(path: &Path) {
    let children: Vec<_> = (0..WRITERS).map(|number| start(path, number)).collect();
    let mut made = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        made.extend(said.lines().filter_map(|line| line.strip_prefix("made ")).map(str::to_owned));
    }
    assert_eq!(made.len(), WRITERS * COMMITS);
    fsck(path);
    let mut history: Vec<String> = git(path, &["rev-list", "main"]).lines().map(str::to_owned).collect();
    assert!(git(path, &["rev-list", "--merges", "main"]).is_empty());
    history.sort();
    made.sort();
    assert_eq!(history, made, "every commit that was reported is in the one line of history, and no other");
    for number in 0..WRITERS {
        let file = format!("main:{}/namespace.yaml", tenant(&format!("t{number}")));
        assert!(git(path, &["show", &file]).contains(&format!("text: {}", COMMITS - 1)));
    }
}

fn start(path: &Path, number: usize) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writers::one_of_many", "--nocapture", "--quiet"])
        .env("OUTPUT_NUMBER", number.to_string())
        .env("OUTPUT_PATH", path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What one writer does: its own unit, again and again, on whatever the others have made.
pub fn own_unit(number: usize, text: usize) -> impl FnMut(&Baseline) -> Result<(Verified, Message)> {
    move |baseline| {
        let mut changes = plan(baseline, &[unit(&tenant(&format!("t{number}")), &text.to_string())]);
        for path in baseline.units.keys().filter(|path| !changes.write.contains_key(*path)) {
            changes.keep.extend(baseline.keepable(path, VERSION).map(|inputs| (path.clone(), inputs)));
        }
        Ok((checked(&changes), message()))
    }
}

/// The child's half of these tests.
#[test]
fn one_of_many() {
    let Some(number) = std::env::var("OUTPUT_NUMBER").ok().and_then(|number| number.parse().ok()) else { return };
    let path = PathBuf::from(std::env::var_os("OUTPUT_PATH").unwrap());
    for text in 0..COMMITS {
        let mut tries = 0;
        loop {
            let mut repo = Repo::open(&target(&path), None).unwrap();
            match publish(&mut repo, options(Edits::Refuse), own_unit(number, text)) {
                Ok(Outcome::Committed(done)) => break println!("made {}", done.commit),
                // Refused with a reason on a machine that is too busy: what it says to do is to run again.
                Err(error) if error.to_string().contains("moved on") && tries < 5 => tries += 1,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_branch_that_moved_is_told_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "--bare", "-b", "main"]);
    let target = target(folder.path());
    for start in ["absent", "present"] {
        let mut repo = Repo::open(&target, None).unwrap();
        let baseline = repo.baseline().unwrap();
        let faster = committed(render(&target, &fleet(&["acme"], start))).commit;
        let packs = git(folder.path(), &["count-objects", "-v"]);
        let outcome = repo.commit(
            &baseline,
            &checked(&plan(&baseline, &fleet(&["blue"], start))),
            &message(),
            options(Edits::Refuse),
        );
        assert_eq!(outcome.unwrap(), Outcome::Moved { tip: Some(faster) });
        assert_eq!(git(folder.path(), &["count-objects", "-v"]), packs);
    }
}

#[test]
fn a_branch_that_never_stands_still_ends_in_an_error() {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "--bare", "-b", "main"]);
    let target = target(folder.path());
    let mut number = 0;
    let mut repo = Repo::open(&target, None).unwrap();
    let error = publish(&mut repo, options(Edits::Refuse), |baseline| {
        number += 1;
        committed(render(&target, &fleet(&["acme"], &number.to_string())));
        Ok((checked(&plan(baseline, &fleet(&["blue"], "one"))), message()))
    });
    let error = error.unwrap_err();
    assert_eq!(error.exit_code(), 5);
    assert!(error.to_string().contains("moved on 30 times"), "{error}");
    assert_eq!(number, 30);
}
