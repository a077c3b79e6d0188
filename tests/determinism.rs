//! Same inputs, same bytes: over runs, threads, folders, locales, time zones and orders of files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/fleet.rs"]
mod fleet;

use std::path::Path;
use std::process::Command;

/// Commits a fleet into a new repository and gives the id of the commit's tree.
fn tree_of(fleet: &Path, change: impl FnOnce(&mut Command)) -> git2::Oid {
    let folder = tempfile::tempdir().unwrap();
    let repo = folder.path().join("rendered.git");
    let mut command = fleet::tenantry();
    command.arg("-C").arg(fleet).arg("render").arg("--repo").arg(&repo);
    change(&mut command);
    fleet::succeeded(&command.output().unwrap());
    let repository = git2::Repository::open(&repo).unwrap();
    let tree = repository.find_reference("refs/heads/main").unwrap().peel_to_tree().unwrap();
    tree.id()
}

/// The commit's tree holds the bytes of every file, so that equal ids are equal bytes.
#[test]
fn runs_threads_locale_and_time_zone_do_not_show() {
    let fleet = fleet::root();
    let first = tree_of(fleet, |_| {});
    let environments = [
        ("1", "C", "UTC"),
        ("2", "de_DE.UTF-8", "Asia/Kathmandu"),
        ("7", "tr_TR.UTF-8", "America/St_Johns"),
        ("1", "ja_JP.UTF-8", "Pacific/Kiritimati"),
        ("2", "POSIX", "UTC"),
        ("7", "C.UTF-8", "Pacific/Marquesas"),
        ("1", "ar_EG.UTF-8", "Asia/Tehran"),
        ("2", "C", "Europe/Berlin"),
        ("7", "zh_CN.UTF-8", "Asia/Shanghai"),
    ];
    for (run, (threads, locale, zone)) in environments.into_iter().enumerate() {
        let id = tree_of(fleet, |command| {
            let epoch = (1_000_000_000 + run * 77_777_777).to_string();
            command.env("RAYON_NUM_THREADS", threads).env("LC_ALL", locale).env("LANG", locale).env("TZ", zone);
            command.env("SOURCE_DATE_EPOCH", epoch).env("HOME", format!("/nowhere/{run}"));
        });
        assert_eq!(id, first, "{threads} threads, {locale}, {zone}");
    }
}

#[test]
fn the_folder_and_the_order_of_its_files_do_not_show() {
    for case in fleet::fleets() {
        let inputs = fleet::inputs(&case.root);
        let first = tree_of(&case.root, |_| {});
        for reverse in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let other = folder.path().join("a folder, elsewhere");
            if reverse {
                fleet::write(&other, inputs.iter().rev());
            } else {
                // Names by their last letter: neither the order of names nor its reverse.
                let mut shuffled: Vec<_> = inputs.iter().collect();
                shuffled.sort_by_key(|(path, _)| path.bytes().rev().skip(5).collect::<Vec<_>>());
                fleet::write(&other, shuffled);
            }
            assert_eq!(tree_of(&other, |_| {}), first, "{} in another folder, reverse: {reverse}", case.name);
        }
    }
}

/// The other side: what is a different input gives a different tree.
#[test]
fn another_input_gives_another_tree() {
    let copy = fleet::copy(fleet::root());
    let first = tree_of(copy.path(), |_| {});
    let path = copy.path().join("tenants/acme.yaml");
    let text = std::fs::read_to_string(&path).unwrap().replace("Acme Corp", "Acme Corporation");
    std::fs::write(path, text).unwrap();
    assert_ne!(tree_of(copy.path(), |_| {}), first);
}

/// A folder holds the same files as the commit.
#[test]
fn folder_and_commit_hold_the_same_files() {
    let case = &fleet::fleets()[0];
    let folder = tempfile::tempdir().unwrap();
    let repo = folder.path().join("rendered.git");
    let output = fleet::tenantry().arg("-C").arg(&case.root).args(["render", "--repo"]).arg(&repo).output().unwrap();
    fleet::succeeded(&output);
    let repository = git2::Repository::open(&repo).unwrap();
    let tree = repository.find_reference("refs/heads/main").unwrap().peel_to_tree().unwrap();
    let mut committed = fleet::Files::new();
    tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
        if let Ok(blob) = repository.find_blob(entry.id()) {
            committed.insert(format!("{folder}{}", entry.name().unwrap()), blob.content().to_vec());
        }
        git2::TreeWalkResult::Ok
    })
    .unwrap();
    assert_eq!(committed.keys().collect::<Vec<_>>(), fleet::rendered(&case.root).keys().collect::<Vec<_>>());
    assert_eq!(committed, fleet::rendered(&case.root));
}
