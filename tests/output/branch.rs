//! One writer, one branch: what stands there afterwards, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tenantry::error::Kind;
use tenantry::manifest::tree::{Changes, Unit};
use tenantry::output::{Baseline, EditKind, Edits, Outcome, Repo, Target};

use crate::fixture::*;

fn bare() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "--bare", "-b", "trunk"]);
    folder
}

/// Adds or replaces files by a commit of somebody else.
fn foreign_commit(repository: &Path, files: &[(&str, Option<&str>)], message: &str) -> String {
    let index = repository.join("foreign-index");
    let index = format!("GIT_INDEX_FILE={}", index.display());
    let with_index = |script: &str| {
        let mut shell = std::process::Command::new("env");
        shell.arg(&index).args(["sh", "-c", script]).current_dir(repository).envs(IDENTITY);
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    with_index("git read-tree main 2>/dev/null || git read-tree --empty");
    for (path, text) in files {
        let entry = match text {
            Some(text) => format!("100644 $(printf '%s' '{text}' | git hash-object -w --stdin)"),
            None => format!("0 {}", "0".repeat(40)),
        };
        with_index(&format!("printf '%s\\t%s\\n' \"{entry}\" '{path}' | git update-index --index-info"));
    }
    let parent = with_index("git rev-parse -q --verify main || true");
    let parent = if parent.is_empty() { parent } else { format!("-p {parent}") };
    with_index(&format!("git update-ref refs/heads/main $(git commit-tree $(git write-tree) {parent} -m '{message}')"));
    git(repository, &["rev-parse", "main"])
}

fn discard(target: &Target, wanted: &[Unit]) -> Outcome {
    let mut repo = Repo::open(target, None).unwrap();
    let baseline = repo.baseline().unwrap();
    repo.commit(&baseline, &checked(&plan(&baseline, wanted)), &message(), options(Edits::Discard)).unwrap()
}

fn read(target: &Target) -> Baseline {
    Repo::open(target, None).unwrap().baseline().unwrap()
}

#[test]
fn commits_what_changed_and_nothing_if_nothing_did() {
    let folder = bare();
    let target = target(folder.path());
    assert_eq!(render(&target, &[]).unwrap(), Outcome::Unchanged { commit: None });
    let mut wanted = fleet(&["acme", "blue"], "one");
    let first = committed(render(&target, &wanted));
    assert_eq!(render(&target, &wanted).unwrap(), Outcome::Unchanged { commit: Some(first.commit) });
    wanted[1] = unit(&tenant("acme"), "two");
    let second = committed(render(&target, &wanted));
    assert_eq!((second.written, second.kept, second.parent), (1, 2, Some(first.commit)));
    let changed = git(folder.path(), &["diff", "--name-only", "main~1", "main"]);
    assert!(changed.lines().all(|file| file.starts_with("clusters/eu-1/tenants/acme/")), "{changed}");
    let all =
        Changes { write: wanted.iter().map(|unit| (unit.path.clone(), unit.clone())).collect(), ..Changes::default() };
    let mut repo = Repo::open(&target, None).unwrap();
    let baseline = repo.baseline().unwrap();
    assert!(!repo.is_stale(&baseline, &checked(&all), options(Edits::Refuse)).unwrap());
    let again = repo.commit(&baseline, &checked(&all), &message(), options(Edits::Refuse)).unwrap();
    assert_eq!(again, Outcome::Unchanged { commit: Some(second.commit) });
    fsck(folder.path());
    let listed = files(folder.path(), "main");
    assert_eq!(listed.len(), 12);
    let file = String::from_utf8(wanted[1].files["policies/default-deny.yaml"].clone()).unwrap();
    assert_eq!(listed["clusters/eu-1/tenants/acme/policies/default-deny.yaml"], file.trim());
}

#[test]
fn the_same_input_makes_the_same_commit() {
    let commits: Vec<_> = (0..2)
        .map(|_| {
            let folder = bare();
            committed(render(&target(folder.path()), &fleet(&["acme", "blue"], "one"))).commit
        })
        .collect();
    assert_eq!(commits[0], commits[1]);
}

#[test]
fn many_units_of_several_shapes_make_a_sound_pack() {
    let folder = bare();
    let mut wanted: Vec<Unit> =
        (0..300).map(|number| unit(&tenant(&format!("t{number}")), &number.to_string())).collect();
    for (number, unit) in wanted.iter_mut().enumerate() {
        let noise: Vec<u8> = (0..number * 37).map(|place| (place * number * 31 % 251) as u8).collect();
        unit.files.insert(format!("{}.bin", number % 3), noise);
        unit.files.insert("same.yaml".into(), "a: b\n".repeat(40).into());
        unit.files.insert("empty.yaml".into(), Vec::new());
    }
    let done = committed(render(&target(folder.path()), &wanted));
    assert_eq!(done.written, 300);
    fsck(folder.path());
    let unpacked = tempfile::tempdir().unwrap();
    git(unpacked.path(), &["clone", "-q", folder.path().to_str().unwrap(), "clone", "-b", "main"]);
    for unit in &wanted {
        for (file, bytes) in &unit.files {
            assert_eq!(&fs::read(unpacked.path().join("clone").join(&unit.path).join(file)).unwrap(), bytes);
        }
    }
    let pack = fs::read_dir(folder.path().join("objects/pack")).unwrap().map(|file| file.unwrap().path());
    let index = pack.into_iter().find(|path| path.extension().is_some_and(|end| end == "idx")).unwrap();
    git(folder.path(), &["verify-pack", index.to_str().unwrap()]);
}

#[test]
fn a_folder_of_the_repository_is_ours_and_the_rest_is_not() {
    let folder = bare();
    foreign_commit(folder.path(), &[("README.md", Some("mine")), ("fleet/notes.txt", Some("mine"))], "start");
    let target = Target::parse(folder.path().to_str().unwrap(), "main", Some("fleet/rendered"), false).unwrap();
    let wanted = fleet(&["acme"], "one");
    let done = committed(render(&target, &wanted));
    assert_eq!(git(folder.path(), &["rev-parse", "main:fleet/rendered"]), done.tree.to_string());
    let listed = files(folder.path(), "main");
    assert_eq!(listed.len(), 2 + 8);
    assert_eq!((&*listed["README.md"], &*listed["fleet/notes.txt"]), ("mine", "mine"));
    assert!(listed.contains_key("fleet/rendered/clusters/eu-1/tenants/acme/provenance.json"));
    assert!(matches!(render(&target, &wanted).unwrap(), Outcome::Unchanged { .. }));
    fsck(folder.path());
}

#[test]
fn removes_what_it_owns_and_nothing_else() {
    let folder = bare();
    let target = target(folder.path());
    render(&target, &fleet(&["acme", "blue"], "one")).unwrap();
    let mine = "clusters/eu-1/tenants/acme/mine/notes.txt";
    foreign_commit(folder.path(), &[(mine, Some("mine"))], "notes");
    let mut repo = Repo::open(&target, None).unwrap();
    let baseline = repo.baseline().unwrap();
    assert!(baseline.edits.is_empty());
    let remove = vec![tenant("acme"), tenant("blue"), tenant("never-was")];
    let changes = Changes { remove, ..Changes::default() };
    let done = committed(repo.commit(&baseline, &checked(&changes), &message(), options(Edits::Refuse)));
    assert_eq!(done.removed, 2);
    let listed = files(folder.path(), "main");
    let tenants: Vec<&String> = listed.keys().filter(|path| path.contains("/tenants/")).collect();
    assert_eq!(tenants, [mine]);
    fsck(folder.path());
}

#[test]
fn an_edit_by_hand_stops_the_run_and_is_shown() {
    let folder = bare();
    let target = target(folder.path());
    let wanted = fleet(&["acme", "blue"], "one");
    render(&target, &wanted).unwrap();
    let file = "clusters/eu-1/tenants/acme/namespace.yaml";
    let edited = files(folder.path(), "main")[file].replace("text: one", "text: by hand") + "\n";
    foreign_commit(folder.path(), &[(file, Some(&edited))], "hot fix");

    for cache in ["kept", "removed"] {
        if cache == "removed" {
            let _ = fs::remove_file(folder.path().join("tenantry/units"));
        }
        let baseline = read(&target);
        assert_eq!(baseline.edits.len(), 1);
        assert_eq!(baseline.edits[0].kind, EditKind::Changed);
        let diff = baseline.edits[0].diff.clone().unwrap();
        assert!(diff.contains("\n-  text: one\n+  text: by hand\n"), "{diff}");
        assert_eq!(baseline.keepable(&tenant("acme"), VERSION), None);
        assert!(baseline.keepable(&tenant("blue"), VERSION).is_some());
        let error = render(&target, &wanted).unwrap_err();
        assert_eq!(error.kind(), Kind::Guard);
        assert!(error.to_string().contains(file) && error.to_string().contains("+  text: by hand"), "{error}");
    }
    let Outcome::Committed(done) = discard(&target, &wanted) else { panic!() };
    assert_eq!((done.written, done.kept), (1, 2));
    assert!(read(&target).edits.is_empty());
}

#[test]
fn every_kind_of_edit_is_found_and_can_be_discarded() {
    let file = "clusters/eu-1/tenants/acme/namespace.yaml";
    let record = "clusters/eu-1/tenants/acme/provenance.json";
    let inside = "clusters/eu-1/tenants/acme/namespace.yaml/x";
    type Files<'a> = &'a [(&'a str, Option<&'a str>)];
    let edits: [(Files<'_>, EditKind); 4] = [
        (&[(file, Some("mine"))], EditKind::Changed),
        (&[(file, None)], EditKind::Missing),
        (&[(file, None), (inside, Some("mine"))], EditKind::Missing),
        (&[(record, Some("{"))], EditKind::Provenance(String::new())),
    ];
    for (changes, kind) in edits {
        let folder = bare();
        let target = target(folder.path());
        let wanted = fleet(&["acme"], "one");
        let before = committed(render(&target, &wanted)).tree;
        foreign_commit(folder.path(), changes, "by hand");
        let found = read(&target).edits.remove(0).kind;
        assert_eq!(std::mem::discriminant(&found), std::mem::discriminant(&kind), "{changes:?}");
        assert_eq!(render(&target, &wanted).unwrap_err().kind(), Kind::Guard);
        if changes.len() == 2 {
            // A folder of somebody else's files stands where ours was: that is more than an edit of ours.
            let mut repo = Repo::open(&target, None).unwrap();
            let baseline = repo.baseline().unwrap();
            let refused =
                repo.commit(&baseline, &checked(&plan(&baseline, &wanted)), &message(), options(Edits::Discard));
            assert!(refused.unwrap_err().to_string().contains(inside));
            continue;
        }
        let Outcome::Committed(done) = discard(&target, &wanted) else { panic!() };
        assert_eq!(done.tree, before);
        fsck(folder.path());
    }
}

#[test]
fn an_executable_bit_is_an_edit() {
    let folder = bare();
    let target = target(folder.path());
    let wanted = fleet(&["acme"], "one");
    let before = committed(render(&target, &wanted)).tree;
    let script = "export GIT_INDEX_FILE=index2; git read-tree main && \
        git ls-files -s clusters/eu-1/tenants/acme/namespace.yaml | sed s/100644/100755/ | git update-index --index-info && \
        git update-ref refs/heads/main $(git commit-tree $(git write-tree) -p main -m mode)";
    assert!(
        std::process::Command::new("sh")
            .args(["-c", script])
            .current_dir(folder.path())
            .envs(IDENTITY)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(read(&target).edits[0].kind, EditKind::Mode);
    let Outcome::Committed(done) = discard(&target, &wanted) else { panic!() };
    assert_eq!(done.tree, before);
}

#[test]
fn foreign_files_in_the_way_are_named_and_stay() {
    for (path, named) in [
        ("clusters/eu-1/tenants/acme/namespace.yaml", "clusters/eu-1/tenants/acme/namespace.yaml"),
        ("clusters/eu-1/tenants/acme/policies", "clusters/eu-1/tenants/acme/policies"),
        ("clusters/eu-1/tenants/acme", "clusters/eu-1/tenants/acme"),
        ("clusters/eu-1", "clusters/eu-1"),
    ] {
        let folder = bare();
        let target = target(folder.path());
        let before = foreign_commit(folder.path(), &[(path, Some("mine"))], "mine");
        let error = render(&target, &fleet(&["acme"], "one")).unwrap_err();
        assert_eq!(error.kind(), Kind::Guard, "{path}");
        assert!(error.to_string().contains(named), "{error}");
        assert_eq!(git(folder.path(), &["rev-parse", "main"]), before);
    }
    // The very same content is adopted.
    let folder = bare();
    let wanted = fleet(&["acme"], "one");
    let text = String::from_utf8(wanted[1].files["namespace.yaml"].clone()).unwrap();
    foreign_commit(folder.path(), &[("clusters/eu-1/tenants/acme/namespace.yaml", Some(&text))], "mine");
    committed(render(&target(folder.path()), &wanted));
}

#[test]
fn a_squashed_or_merged_history_is_verified_file_by_file() {
    let folder = bare();
    let target = target(folder.path());
    let wanted = fleet(&["acme", "blue"], "one");
    render(&target, &wanted).unwrap();
    let script = "git update-ref refs/heads/main $(git commit-tree main^{tree} -m squashed)";
    assert!(
        std::process::Command::new("sh")
            .args(["-c", script])
            .current_dir(folder.path())
            .envs(IDENTITY)
            .status()
            .unwrap()
            .success()
    );
    fs::remove_dir_all(folder.path().join("tenantry")).unwrap();
    let baseline = read(&target);
    assert_eq!((baseline.units.len(), baseline.edits.len()), (3, 0));
    assert!(matches!(render(&target, &wanted).unwrap(), Outcome::Unchanged { .. }));
    foreign_commit(folder.path(), &[("clusters/eu-1/system/namespace.yaml", Some("mine"))], "by hand");
    let edits = read(&target).edits;
    assert_eq!((edits.len(), &edits[0].diff), (1, &None));
}

#[test]
fn a_broken_cache_changes_nothing() {
    let folder = bare();
    let target = target(folder.path());
    let wanted = fleet(&["acme"], "one");
    let done = committed(render(&target, &wanted));
    let expected = read(&target);
    for content in [&b""[..], b"tnunits1", b"garbage of some length that is no cache at all, really not"] {
        fs::write(folder.path().join("tenantry/units"), content).unwrap();
        assert_eq!(read(&target), expected);
        assert_eq!(render(&target, &wanted).unwrap(), Outcome::Unchanged { commit: Some(done.commit) });
    }
}

#[test]
fn misuse_is_a_defect_and_no_commit() {
    let folder = bare();
    let target = target(folder.path());
    let good = unit(&tenant("acme"), "one");
    let write =
        |unit: Unit, path: &str| Changes { write: BTreeMap::from([(path.to_owned(), unit)]), ..Changes::default() };
    let mut evil = good.clone();
    evil.files.insert("../../../../x".into(), Vec::new());
    let mut record = good.clone();
    record.files.insert("provenance.json".into(), Vec::new());
    let elsewhere = unit("elsewhere/acme", "one");
    let keep = Changes { keep: BTreeMap::from([(good.path.clone(), good.inputs)]), ..Changes::default() };
    let both = Changes { remove: vec![good.path.clone()], ..write(good.clone(), &good.path) };
    for changes in [write(evil, &good.path), write(record, &good.path), write(elsewhere, "elsewhere/acme"), keep, both]
    {
        let mut repo = Repo::open(&target, None).unwrap();
        let baseline = repo.baseline().unwrap();
        let error = repo.commit(&baseline, &checked(&changes), &message(), options(Edits::Refuse)).unwrap_err();
        assert_eq!(error.kind(), Kind::Internal);
    }
    assert_eq!(git(folder.path(), &["for-each-ref"]), "");
}
