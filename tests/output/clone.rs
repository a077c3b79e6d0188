//! Repositories with a work tree: what people see in it, and what of theirs is left alone.

use std::fs;
use std::path::Path;

use tenantry::error::Kind;
use tenantry::output::{Outcome, Repo, WorkTree};

use crate::fixture::*;

/// A clone with the branch checked out and one render on it.
fn clone() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = folder();
    let path = folder.path().join("clone");
    render(&target(&path), &fleet(&["acme", "blue"], "one")).unwrap();
    (folder, path)
}

fn status(path: &Path) -> String {
    git(path, &["status", "--porcelain"])
}

const FILE: &str = "clusters/eu-1/tenants/acme/namespace.yaml";

#[test]
fn an_absent_folder_becomes_a_clone_that_people_can_browse() {
    let folder = folder();
    let path = folder.path().join("some/rendered");
    let target = target(&path);
    let wanted = fleet(&["acme", "blue"], "one");
    let mut repo = Repo::open(&target, None).unwrap();
    let baseline = repo.baseline().unwrap();
    assert!(repo.is_stale(&baseline, &checked(&plan(&baseline, &wanted)), options(Default::default())).unwrap());
    assert!(!folder.path().join("some").exists(), "looking must not make anything");

    let done = committed(render(&target, &wanted));
    assert_eq!((done.written, done.kept, done.removed, done.parent), (3, 0, 0, None));
    assert_eq!(done.work_tree, WorkTree::Updated { files: 12 });
    fsck(&path);
    assert_eq!(status(&path), "");
    assert_eq!(git(&path, &["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert_eq!(fs::read(path.join(FILE)).unwrap(), wanted[1].files["namespace.yaml"]);
    let trailers = git(&path, &["log", "-1", "--format=%(trailers)"]);
    assert_eq!(trailers, format!("Source-Revision: 0123abc\nTenantry-Tree: {}", done.tree));
    assert_eq!(git(&path, &["log", "-1", "--format=%an %ad", "--date=iso"]), "A 2023-11-14 23:13:20 +0100");
    assert_eq!(git(&path, &["reflog", "-1", "--format=%H %gs"]), format!("{} tenantry: render", done.commit));
    assert_eq!(render(&target, &wanted).unwrap(), Outcome::Unchanged { commit: Some(done.commit) });
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn files_follow_the_branch_and_other_work_is_left_alone() {
    let (_folder, path) = clone();
    fs::write(path.join("notes.txt"), "mine").unwrap();
    fs::write(path.join("clusters/eu-1/tenants/blue/notes.txt"), "mine").unwrap();
    git(&path, &["add", "notes.txt"]);
    fs::write(path.join("clusters/eu-1/tenants/blue/namespace.yaml"), "in work").unwrap();

    let mut repo = Repo::open(&target(&path), None).unwrap();
    let baseline = repo.baseline().unwrap();
    let mut changes = plan(&baseline, &[unit(&tenant("acme"), "two"), unit(&tenant("coral"), "two")]);
    changes.remove = vec!["clusters/eu-1/system".into()];
    let done = committed(repo.commit(&baseline, &checked(&changes), &message(), options(Default::default())));
    assert_eq!(done.work_tree, WorkTree::Updated { files: 4 + 4 + 4 });
    assert!(fs::read_to_string(path.join(FILE)).unwrap().contains("text: two"));
    assert!(!path.join("clusters/eu-1/system").exists());
    let expected = "M clusters/eu-1/tenants/blue/namespace.yaml\nA  notes.txt\n?? clusters/eu-1/tenants/blue/notes.txt";
    assert_eq!(status(&path), expected);
    fsck(&path);
}

#[test]
fn uncommitted_changes_in_the_way_are_refused_before_anything_is_written() {
    type Spoil = fn(&Path);
    let spoils: [(&str, Spoil); 6] = [
        ("edited", |path| fs::write(path.join(FILE), "mine").unwrap()),
        ("staged", |path| {
            fs::write(path.join(FILE), "mine").unwrap();
            git(path, &["add", "."]);
        }),
        ("removed", |path| fs::remove_file(path.join(FILE)).unwrap()),
        ("staged removal", |path| drop(git(path, &["rm", "-q", FILE]))),
        ("executable", |path| drop(git(path, &["update-index", "--chmod=+x", FILE]))),
        ("untracked in the way", |path| {
            fs::create_dir_all(path.join("clusters/eu-1/tenants/coral")).unwrap();
            fs::write(path.join("clusters/eu-1/tenants/coral/namespace.yaml"), "mine").unwrap();
        }),
    ];
    for (name, spoil) in spoils {
        let (_folder, path) = clone();
        spoil(&path);
        let (tip, before) = (git(&path, &["rev-parse", "HEAD"]), status(&path));
        let wanted = [unit(&tenant("acme"), "two"), unit(&tenant("coral"), "two")];
        let error = render(&target(&path), &wanted).unwrap_err();
        assert_eq!((error.kind(), error.exit_code()), (Kind::Environment, 5), "{name}: {error}");
        let named = if name.starts_with("untracked") { "coral/namespace.yaml" } else { FILE };
        assert!(error.to_string().contains(named), "{name}: {error}");
        assert_eq!((git(&path, &["rev-parse", "HEAD"]), status(&path)), (tip, before), "{name}");
        assert_eq!(
            git(&path, &["count-objects", "-v"]).lines().find(|line| line.starts_with("packs")),
            Some("packs: 1")
        );
    }
}

#[test]
fn a_merge_in_progress_is_not_disturbed() {
    let (_folder, path) = clone();
    fs::write(path.join(".git/MERGE_HEAD"), git(&path, &["rev-parse", "HEAD"]) + "\n").unwrap();
    let error = render(&target(&path), &fleet(&["acme"], "two")).unwrap_err();
    assert_eq!(error.exit_code(), 5);
    assert!(error.to_string().contains("merge"), "{error}");
}

#[test]
fn a_detached_head_or_another_branch_keeps_its_work_tree() {
    for place in [&["checkout", "-q", "--detach"][..], &["checkout", "-q", "-b", "work"]] {
        let (_folder, path) = clone();
        git(&path, place);
        fs::write(path.join(FILE), "mine").unwrap();
        let done = committed(render(&target(&path), &fleet(&["acme", "blue"], "two")));
        assert_eq!(done.work_tree, WorkTree::None);
        assert_eq!(git(&path, &["rev-parse", "main"]), done.commit.to_string());
        assert_eq!(status(&path), format!("M {FILE}"));
        assert_eq!(fs::read_to_string(path.join(FILE)).unwrap(), "mine");
    }
}

#[test]
fn an_absent_branch_starts_a_history_of_its_own() {
    let folder = folder();
    git(folder.path(), &["init", "-q", "-b", "work"]);
    fs::write(folder.path().join("README.md"), "mine").unwrap();
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "-q", "-m", "mine"]);
    let done = committed(render(&target(folder.path()), &fleet(&["acme"], "one")));
    assert_eq!((done.parent, done.work_tree), (None, WorkTree::None));
    assert_eq!(files(folder.path(), "main").len(), 8);
    assert_eq!(status(folder.path()), "");
}

#[test]
fn an_empty_clone_is_filled() {
    let folder = folder();
    git(folder.path(), &["init", "-q", "-b", "main"]);
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let done = committed(render(&target(folder.path()), &fleet(&["acme"], "one")));
    assert_eq!(done.work_tree, WorkTree::Updated { files: 8 });
    assert_eq!(status(folder.path()), "?? notes.txt");
    fsck(folder.path());
}

#[test]
fn linked_work_trees_follow_if_named_and_are_never_left_behind() {
    let (folder, path) = clone();
    git(&path, &["checkout", "-q", "-b", "work"]);
    let linked = folder.path().join("linked");
    git(&path, &["worktree", "add", "-q", linked.to_str().unwrap(), "main"]);
    let wanted = fleet(&["acme", "blue"], "two");
    let error = render(&target(&path), &wanted).unwrap_err();
    assert_eq!(error.exit_code(), 5);
    assert!(error.to_string().contains("linked"), "{error}");
    let done = committed(render(&target(&linked), &wanted));
    assert_eq!(done.work_tree, WorkTree::Updated { files: 12 });
    assert_eq!((status(&linked), status(&path)), (String::new(), String::new()));
    git(&path, &["worktree", "remove", linked.to_str().unwrap()]);
    fsck(&path);
}

#[test]
fn sparse_checkouts_stay_sparse() {
    let (_folder, path) = clone();
    git(&path, &["sparse-checkout", "set", "--no-sparse-index", "clusters/eu-1/system"]);
    assert!(!path.join(FILE).exists());
    committed(render(&target(&path), &fleet(&["acme", "blue"], "two")));
    assert!(!path.join(FILE).exists());
    assert_eq!(status(&path), "");
    let system = fs::read_to_string(path.join("clusters/eu-1/system/namespace.yaml")).unwrap();
    assert!(system.contains("text: two"));
}

#[test]
fn links_in_the_work_tree_are_not_followed() {
    let (folder, path) = clone();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, path.join("clusters/eu-1/tenants/coral")).unwrap();
    let done = render(&target(&path), &[unit(&tenant("coral"), "one")]);
    let refused = match done {
        Ok(Outcome::Committed(done)) => matches!(done.work_tree, WorkTree::Left { .. }),
        Ok(_) => false,
        Err(error) => error.exit_code() == 5,
    };
    assert!(refused);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn a_lock_of_a_killed_git_is_named() {
    let (_folder, path) = clone();
    fs::write(path.join(".git/refs/heads/main.lock"), "").unwrap();
    let error = render(&target(&path), &fleet(&["acme", "blue"], "two")).unwrap_err();
    assert_eq!(error.exit_code(), 5);
    assert!(error.to_string().contains("refs/heads/main.lock"), "{error}");
    fs::remove_file(path.join(".git/refs/heads/main.lock")).unwrap();
    committed(render(&target(&path), &fleet(&["acme", "blue"], "two")));
    assert_eq!(status(&path), "");
}
