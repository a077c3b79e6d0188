//! Commits on branches: what they hold, and what they leave alone.

use std::fs;

use crate::scratch::{git, repository, run};

#[test]
fn a_commit_on_a_branch_leaves_index_and_work_tree_alone() {
    let folder = repository();
    let root = folder.path();
    // Somebody is in the middle of something else: staged, edited, and new.
    fs::write(root.join("tenants/pine.yaml"), "broken: [").unwrap();
    fs::write(root.join("notes.txt"), "mine").unwrap();
    git(root, &["add", "notes.txt"]);
    let (before, head) = (git(root, &["status", "--porcelain"]), git(root, &["rev-parse", "HEAD"]));
    let (out, err) = run(root, "suspend oak --now 2026-11-22 --branch pause/oak --commit", 0);
    assert!(out.starts_with("Suspend tenant oak\n\n### What changes\n"), "{out}");
    assert!(out.contains("| oak | `lifecycle.state` | - | suspended |"), "{out}");
    assert!(out.contains("changed: `clusters/gke-eu/tenants/oak`") && out.contains("checks passed"), "{out}");
    assert!(err.contains("git push origin pause/oak"), "{err}");
    assert_eq!(git(root, &["status", "--porcelain"]), before);
    assert_eq!(git(root, &["rev-parse", "HEAD"]), head);
    assert_eq!(git(root, &["diff", "--name-only", "main", "pause/oak"]), "tenants/oak.yaml");
    assert_eq!(
        git(root, &["log", "-1", "--format=%an <%ae> %s", "pause/oak"]),
        "Ada <ada@example.com> Suspend tenant oak"
    );
    assert_eq!(git(root, &["rev-parse", "pause/oak^"]), head);
    // A second change on the same branch follows the first; the same change again is none.
    run(root, "resume oak --now 2026-11-23 --branch pause/oak --commit", 0);
    assert_eq!(git(root, &["rev-list", "--count", "main..pause/oak"]), "2");
    git(root, &["fsck", "--strict", "--no-dangling"]);
}

#[test]
fn a_commit_on_the_branch_that_is_checked_out_brings_the_work_tree_along() {
    let folder = repository();
    let root = folder.path();
    fs::write(root.join("notes.txt"), "mine").unwrap();
    git(root, &["add", "notes.txt"]);
    run(root, "suspend oak --now 2026-11-22 --commit", 0);
    assert_eq!(git(root, &["status", "--porcelain"]), "A  notes.txt");
    assert_eq!(git(root, &["show", "--format=", "--name-only", "HEAD"]), "tenants/oak.yaml");
    assert!(fs::read_to_string(root.join("tenants/oak.yaml")).unwrap().contains("state: suspended"));
    let onboard = "onboard elm --name Elm --id 9e5c6a0d-7c3b-4f07-8bad-0d4e9f6b3c99 --now 2026-11-22 --commit";
    run(root, onboard, 0);
    assert_eq!(git(root, &["status", "--porcelain"]), "A  notes.txt");
    run(root, "remove pine --now 2026-11-22 --commit", 0);
    assert!(!root.join("tenants/pine.yaml").exists());
    assert_eq!(git(root, &["status", "--porcelain"]), "A  notes.txt");
    // The file has an edit that nobody committed: it is not overwritten.
    let edited = fs::read_to_string(root.join("tenants/oak.yaml")).unwrap() + "# mine\n";
    fs::write(root.join("tenants/oak.yaml"), &edited).unwrap();
    let head = git(root, &["rev-parse", "HEAD"]);
    let (_, err) = run(root, "resume oak --now 2026-11-23 --commit", 4);
    assert!(err.contains("tenants/oak.yaml has changes that are not committed"), "{err}");
    assert_eq!(fs::read_to_string(root.join("tenants/oak.yaml")).unwrap(), edited);
    assert_eq!(git(root, &["rev-parse", "HEAD"]), head);
}

#[test]
fn no_branch_moves_where_the_change_is_refused() {
    let folder = repository();
    let root = folder.path();
    let branches = git(root, &["branch", "--list"]);
    let (_, err) = run(root, "upgrade oak --to 0.9.0 --downgrade --branch up --commit", 4);
    assert!(err.contains("plan/blocked") && err.contains("nothing was written"), "{err}");
    run(root, "retire oak --branch up --commit", 4);
    let (_, err) = run(root, "suspend oak --branch bad..name --commit", 2);
    assert!(err.contains("no name of a branch"), "{err}");
    // A branch that another work tree has checked out does not move under it.
    let other = tempfile::tempdir().unwrap();
    let path = other.path().join("wt").to_str().unwrap().to_owned();
    git(root, &["worktree", "add", "--quiet", "-b", "elsewhere", &path]);
    let (_, err) = run(root, "suspend oak --branch elsewhere --commit", 4);
    assert!(err.contains("elsewhere is checked out in the work tree"), "{err}");
    git(root, &["worktree", "remove", &path]);
    git(root, &["branch", "-D", "elsewhere"]);
    assert_eq!(git(root, &["branch", "--list"]), branches);
}

#[test]
fn a_folder_without_git_or_without_a_commit_is_told_so() {
    let folder = repository();
    let root = folder.path();
    fs::remove_dir_all(root.join(".git")).unwrap();
    let (_, err) = run(root, "suspend oak --commit", 5);
    assert!(err.contains("lies in no Git repository"), "{err}");
    git(root, &["init", "--quiet"]);
    let (_, err) = run(root, "suspend oak --commit", 5);
    assert!(err.contains("has no commit yet"), "{err}");
    let (_, err) = run(root, "log", 3);
    assert!(err.contains("there is no revision HEAD"), "{err}");
}

#[test]
fn a_fleet_in_a_folder_of_a_larger_repository_is_found_there() {
    let whole = tempfile::tempdir().unwrap();
    let (root, fleet) = (whole.path(), whole.path().join("soc/fleet"));
    let small = repository();
    crate::fleet::write(&fleet, &crate::fleet::inputs(small.path()));
    fs::write(root.join("README.md"), "x").unwrap();
    git(root, &["init", "--quiet", "--initial-branch", "main"]);
    git(root, &["add", "--all"]);
    git(root, &["commit", "--quiet", "-m", "all"]);
    run(&fleet, "suspend oak --now 2026-11-22 --branch pause --commit", 0);
    assert_eq!(git(root, &["diff", "--name-only", "main", "pause"]), "soc/fleet/tenants/oak.yaml");
    run(&fleet, "suspend oak --now 2026-11-22 --commit", 0);
    assert_eq!(git(root, &["status", "--porcelain"]), "");
    let (out, _) = run(&fleet, "log oak", 0);
    assert_eq!(out.lines().count(), 2, "{out}");
}

#[test]
fn commits_are_signed_where_git_is_told_to() {
    let folder = repository();
    let root = folder.path();
    let key = root.join(".git/key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .stdin(std::process::Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("NOT RUN: there is no ssh-keygen: apt-get install openssh-client");
        return;
    }
    git(root, &["config", "gpg.format", "ssh"]);
    git(root, &["config", "user.signingkey", key.to_str().unwrap()]);
    git(root, &["config", "commit.gpgsign", "true"]);
    run(root, "suspend oak --now 2026-11-22 --branch pause --commit", 0);
    assert!(git(root, &["cat-file", "commit", "pause"]).contains("\ngpgsig -----BEGIN SSH SIGNATURE-----"));
    // A key that is not there makes no commit, and no branch.
    fs::remove_file(&key).unwrap();
    let (_, err) = run(root, "suspend oak --now 2026-11-22 --branch other --commit", 5);
    assert!(err.contains("Git makes no commit"), "{err}");
    assert_eq!(git(root, &["branch", "--list", "other"]), "");
}

#[test]
fn a_disk_that_is_full_in_the_middle_changes_no_file() {
    let folder = repository();
    let root = folder.path();
    run(root, "onboard elm --name Elm --id 9e5c6a0d-7c3b-4f07-8bad-0d4e9f6b3c99 --now 2026-11-22 --commit", 0);
    // The second of the two files is larger than this disk lets a file become.
    let large = root.join("tenants/oak.yaml");
    let text = fs::read_to_string(&large).unwrap() + &"# what everybody should know about this tenant\n".repeat(3_000);
    fs::write(&large, &text).unwrap();
    git(root, &["commit", "--quiet", "--all", "--message", "notes"]);
    let before = fs::read_to_string(root.join("tenants/elm.yaml")).unwrap();
    let upgrade = |limit: &str| {
        let line = format!("trap '' XFSZ; {limit} exec \"$0\" upgrade --all --to 1.0.1 --downgrade");
        let mut bash = std::process::Command::new("bash");
        bash.args(["-c", &line, env!("CARGO_BIN_EXE_tenantry")]).current_dir(root).envs(crate::identity::IDENTITY);
        bash.env("XDG_CACHE_HOME", root.join(".git/cache")).output().unwrap()
    };
    let refused = upgrade("ulimit -f 64;");
    let said = crate::fleet::text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(5), "{said}");
    assert!(said.contains("cannot write tenants/oak.yaml") && said.contains("File too large"), "{said}");
    assert_eq!(fs::read_to_string(root.join("tenants/elm.yaml")).unwrap(), before, "the first is not touched");
    assert_eq!(git(root, &["status", "--porcelain"]), "", "and no draft stays");
    // With room for it, both change.
    assert_eq!(upgrade("").status.code(), Some(0));
    assert_eq!(git(root, &["diff", "--name-only"]), "tenants/elm.yaml\ntenants/oak.yaml");
}
