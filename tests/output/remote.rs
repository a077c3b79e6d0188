//! Repositories behind a URL, and clones that push.

use std::path::{Path, PathBuf};
use std::thread;

use tenantry::error::Kind;
use tenantry::output::{Committed, Edits, Outcome, Repo, Target, WorkTree, publish};

use crate::fixture::*;
use crate::http;
use crate::writers::own_unit;

/// A folder with an empty bare repository that may be pushed to, and an empty cache.
struct Place {
    folder: tempfile::TempDir,
    bare: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = folder();
        let bare = folder.path().join("fleet.git");
        git(folder.path(), &["init", "-q", "--bare", "-b", "main", "fleet.git"]);
        git(&bare, &["config", "http.receivepack", "true"]);
        Self { folder, bare }
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// By file and by HTTP.
    fn urls(&self) -> [String; 2] {
        let address = http::serve(self.folder.path());
        [format!("file://{}", self.bare.display()), format!("{address}/fleet.git")]
    }

    fn tip(&self) -> String {
        git(&self.bare, &["rev-parse", "main"])
    }
}

fn remote(url: &str) -> Target {
    Target::parse(url, "main", None, true).unwrap()
}

fn push(target: &Target, cache: &Path, wanted: &[tenantry::manifest::tree::Unit]) -> tenantry::error::Result<Outcome> {
    let mut repo = Repo::open(target, Some(cache))?;
    publish(&mut repo, options(Edits::Refuse), |baseline| Ok((checked(&plan(baseline, wanted)), message())))
}

#[test]
fn commits_go_over_a_wire() {
    let place = Place::new();
    for url in place.urls() {
        git(&place.bare, &["update-ref", "-d", "refs/heads/main"]);
        let target = remote(&url);
        let wanted = fleet(&["acme", "blue"], &url);
        let first = committed(push(&target, &place.cache(), &wanted));
        assert_eq!((first.written, first.parent, first.work_tree), (3, None, WorkTree::None));
        assert_eq!(place.tip(), first.commit.to_string());
        assert_eq!(push(&target, &place.cache(), &wanted).unwrap(), Outcome::Unchanged { commit: Some(first.commit) });
        // Another machine knows nothing yet.
        let elsewhere = place.folder.path().join("elsewhere");
        let second = committed(push(&target, &elsewhere, &fleet(&["acme"], "two")));
        assert_eq!((second.parent, place.tip()), (Some(first.commit), second.commit.to_string()));
        let third = committed(push(&target, &place.cache(), &fleet(&["acme"], "three")));
        assert_eq!((third.parent, place.tip()), (Some(second.commit), third.commit.to_string()));
        fsck(&place.bare);
    }
}

#[test]
fn a_push_that_is_overtaken_is_planned_again_on_the_new_tip() {
    let place = Place::new();
    for url in place.urls() {
        git(&place.bare, &["update-ref", "-d", "refs/heads/main"]);
        let target = remote(&url);
        for start in ["an absent branch", "a branch"] {
            let mut repo = Repo::open(&target, Some(&place.cache())).unwrap();
            let mut overtaken = Vec::new();
            let outcome = publish(&mut repo, options(Edits::Refuse), |baseline| {
                if overtaken.len() < 3 {
                    let other = fleet(&["other"], &format!("{start} {}", overtaken.len()));
                    overtaken.push(committed(push(&target, &place.folder.path().join("other"), &other)).commit);
                }
                Ok((checked(&plan(baseline, &[unit(&tenant("acme"), start)])), message()))
            });
            let Outcome::Committed(Committed { commit, parent, .. }) = outcome.unwrap() else { panic!() };
            assert_eq!(overtaken.len(), 3);
            assert_eq!((parent, place.tip()), (overtaken.last().copied(), commit.to_string()), "{start}");
            for overtaker in overtaken {
                git(&place.bare, &["merge-base", "--is-ancestor", &overtaker.to_string(), "main"]);
            }
        }
    }
}

#[test]
fn a_copy_that_has_a_commit_without_its_trees_is_completed() {
    let place = Place::new();
    let [file, _] = place.urls();
    let (target, other) = (remote(&file), place.folder.path().join("other"));
    committed(push(&target, &place.cache(), &fleet(&["acme"], "one")));
    Repo::open(&target, Some(&other)).unwrap().baseline().unwrap();
    let second = committed(push(&target, &place.cache(), &fleet(&["acme"], "two"))).commit.to_string();
    // As a fetch leaves it that was killed, or is under way: it unpacks the commit before its trees.
    let copy = std::fs::read_dir(other.join("repositories")).unwrap().next().unwrap().unwrap().path();
    let commit = place.folder.path().join("commit");
    std::fs::write(&commit, git(&place.bare, &["cat-file", "commit", &second]) + "\n").unwrap();
    assert_eq!(git(&copy, &["hash-object", "-t", "commit", "-w", commit.to_str().unwrap()]), second);
    let baseline = Repo::open(&target, Some(&other)).unwrap().baseline().unwrap();
    assert_eq!(baseline.units.len(), 2);
    committed(push(&target, &other, &fleet(&["acme"], "three")));
}

#[test]
fn eight_writers_push_at_once_and_nothing_is_lost() {
    let place = Place::new();
    let [_, url] = place.urls();
    let writers: Vec<_> = (0..8)
        .map(|number| {
            let (target, cache) = (remote(&url), place.folder.path().join(format!("cache-{}", number % 4)));
            thread::spawn(move || {
                let mut repo = Repo::open(&target, Some(&cache)).unwrap();
                publish(&mut repo, options(Edits::Refuse), own_unit(number, 0))
            })
        })
        .collect();
    let mut made: Vec<String> =
        writers.into_iter().map(|writer| committed(writer.join().unwrap()).commit.to_string()).collect();
    let mut history: Vec<String> = git(&place.bare, &["rev-list", "main"]).lines().map(str::to_owned).collect();
    made.sort();
    history.sort();
    assert_eq!(history, made);
    fsck(&place.bare);
}

#[test]
fn what_the_remote_refuses_is_told_and_nothing_moves() {
    let place = Place::new();
    let [file, http] = place.urls();
    committed(push(&remote(&file), &place.cache(), &fleet(&["acme"], "one")));
    let tip = place.tip();
    let hook = place.bare.join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\necho 'main is protected' >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for url in [file, http] {
        let error = push(&remote(&url), &place.cache(), &fleet(&["acme"], "two")).unwrap_err();
        assert_eq!((error.kind(), error.exit_code()), (Kind::Environment, 5));
        assert!(error.to_string().contains("main is protected"), "{error}");
        assert_eq!(place.tip(), tip);
    }
    // A repository that takes no pushes over HTTP at all.
    std::fs::remove_file(&hook).unwrap();
    git(&place.bare, &["config", "http.receivepack", "false"]);
    let [_, http] = place.urls();
    let error = push(&remote(&http), &place.cache(), &fleet(&["acme"], "two")).unwrap_err();
    assert_eq!(error.exit_code(), 5, "{error}");
}

#[test]
fn a_rewound_or_deleted_branch_is_not_brought_back() {
    let place = Place::new();
    let [file, _] = place.urls();
    let first = committed(push(&remote(&file), &place.cache(), &fleet(&["acme"], "one"))).commit;
    committed(push(&remote(&file), &place.cache(), &fleet(&["acme"], "two")));
    for rewound in
        [&["update-ref", "refs/heads/main", &first.to_string()][..], &["update-ref", "-d", "refs/heads/main"]]
    {
        let mut repo = Repo::open(&remote(&file), Some(&place.cache())).unwrap();
        let baseline = repo.baseline().unwrap();
        git(&place.bare, rewound);
        let changes = plan(&baseline, &fleet(&["acme"], "three"));
        let outcome = repo.commit(&baseline, &checked(&changes), &message(), options(Edits::Refuse)).unwrap();
        let expected = (rewound.len() == 3 && rewound[1] != "-d").then_some(first);
        assert_eq!(outcome, Outcome::Moved { tip: expected });
    }
}

/// A clone of the bare repository with the branch checked out.
fn clone(place: &Place, name: &str) -> (PathBuf, Target) {
    git(place.folder.path(), &["clone", "-q", "fleet.git", name]);
    let path = place.folder.path().join(name);
    let target = Target::parse(path.to_str().unwrap(), "main", None, true).unwrap();
    (path, target)
}

#[test]
fn a_clone_pushes_and_follows_only_when_the_push_went_through() {
    let place = Place::new();
    let (path, target) = clone(&place, "one");
    let first = committed(push(&target, &place.cache(), &fleet(&["acme"], "one")));
    assert_eq!(first.work_tree, WorkTree::Updated { files: 8 });
    let tips = |path: &Path| [git(path, &["rev-parse", "main"]), git(path, &["rev-parse", "origin/main"]), place.tip()];
    assert_eq!(tips(&path), [(); 3].map(|()| first.commit.to_string()));
    assert_eq!(git(&path, &["status", "--porcelain"]), "");

    // Somebody else pushed: this clone is behind, and goes all the way in one step.
    let (other_path, other) = clone(&place, "two");
    committed(push(&other, &place.cache(), &fleet(&["blue"], "two")));
    let third = committed(push(&target, &place.cache(), &fleet(&["acme"], "three")));
    assert_eq!(tips(&path), [(); 3].map(|()| third.commit.to_string()));
    assert_eq!(git(&path, &["status", "--porcelain"]), "");
    assert!(path.join("clusters/eu-1/tenants/blue/namespace.yaml").exists());

    // Behind with nothing to render: it catches up.
    let wanted = fleet(&["acme", "blue"], "three");
    let fourth = committed(push(&target, &place.cache(), &wanted));
    assert_eq!(push(&other, &place.cache(), &wanted).unwrap(), Outcome::Unchanged { commit: Some(fourth.commit) });
    assert_eq!(tips(&other_path), [(); 3].map(|()| fourth.commit.to_string()));
    assert_eq!(git(&other_path, &["status", "--porcelain"]), "");

    // A refused push leaves the clone where it was.
    let hook = place.bare.join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(push(&target, &place.cache(), &fleet(&["acme"], "five")).unwrap_err().exit_code(), 5);
    assert_eq!(tips(&path), [(); 3].map(|()| fourth.commit.to_string()));
    assert_eq!(git(&path, &["status", "--porcelain"]), "");
}

#[test]
fn commits_that_were_not_pushed_are_and_diverged_branches_are_refused() {
    let place = Place::new();
    let (path, target) = clone(&place, "one");
    committed(push(&target, &place.cache(), &fleet(&["acme"], "one")));
    git(&path, &["commit", "-q", "--allow-empty", "-m", "mine"]);
    let mine = git(&path, &["rev-parse", "main"]);
    assert!(matches!(push(&target, &place.cache(), &fleet(&["acme"], "one")).unwrap(), Outcome::Unchanged { .. }));
    assert_eq!(place.tip(), mine);

    git(&path, &["commit", "-q", "--allow-empty", "-m", "diverges"]);
    let (_, other) = clone(&place, "two");
    let there = committed(push(&other, &place.cache(), &fleet(&["acme"], "two"))).commit;
    let error = push(&target, &place.cache(), &fleet(&["acme"], "three")).unwrap_err();
    assert_eq!(error.exit_code(), 5);
    assert!(error.to_string().contains("diverged"), "{error}");
    assert_eq!(place.tip(), there.to_string());
}

#[test]
fn a_url_that_is_not_pushed_to_makes_no_sense() {
    let error = Target::parse("https://example.com/fleet.git", "main", None, false).unwrap_err();
    assert_eq!(error.exit_code(), 2);
}
