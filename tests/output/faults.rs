//! Everything that can be wrong with a repository or a disk: a clear error of the environment, and nothing half written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tenantry::error::{Error, Kind};
use tenantry::output::{Edits, Target, dir};

use crate::fixture::*;

#[track_caller]
fn assert_environment(error: &Error, words: &[&str]) {
    assert_eq!((error.kind(), error.exit_code()), (Kind::Environment, 5), "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is missing in: {error}");
    }
}

/// A bare repository with one render.
fn bare(folder: &Path) -> PathBuf {
    let path = folder.join("bare.git");
    git(folder, &["init", "-q", "--bare", "-b", "main", "bare.git"]);
    render(&target(&path), &fleet(&["acme"], "one")).unwrap();
    path
}

#[test]
fn what_is_no_repository_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::create_dir(&plain).unwrap();
    fs::write(plain.join("notes.txt"), "mine").unwrap();
    let error = render(&target(&plain), &fleet(&["acme"], "one")).unwrap_err();
    assert_environment(&error, &["plain is not a Git repository", "git init"]);
    assert_eq!(fs::read_dir(&plain).unwrap().count(), 1);

    let error = render(&target(&plain.join("notes.txt")), &fleet(&["acme"], "one")).unwrap_err();
    assert_environment(&error, &["notes.txt"]);
    let error = render(&target(&plain.join("notes.txt/below")), &fleet(&["acme"], "one")).unwrap_err();
    assert_environment(&error, &["notes.txt"]);

    git(&plain, &["init", "-q"]);
    fs::create_dir(plain.join("inner")).unwrap();
    fs::write(plain.join("inner/x"), "mine").unwrap();
    let error = render(&target(&plain.join("inner")), &fleet(&["acme"], "one")).unwrap_err();
    assert_environment(&error, &["inner is not a Git repository", "--path"]);
}

#[test]
fn corrupted_objects_are_named() {
    // The commit, the tree of the branch, a tree above the units, the record and a file of the unit that is written.
    let places =
        ["main", "main^{tree}", "main:clusters/eu-1/tenants", "main:clusters/eu-1/tenants/acme/provenance.json"];
    for place in places {
        for damage in ["garbage", "removed"] {
            let folder = tempfile::tempdir().unwrap();
            let path = bare(folder.path());
            let oid = git(&path, &["rev-parse", place]);
            unpack(&path);
            let object = path.join("objects").join(&oid[..2]).join(&oid[2..]);
            fs::remove_file(&object).unwrap();
            if damage == "garbage" {
                fs::write(&object, "garbage").unwrap();
            }
            let tip = fs::read_to_string(path.join("refs/heads/main")).unwrap();
            let before = listing(&path);
            let error = render(&target(&path), &fleet(&["acme"], "two")).unwrap_err();
            assert_environment(&error, &["git fsck"]);
            assert_eq!(fs::read_to_string(path.join("refs/heads/main")).unwrap(), tip);
            assert_eq!(listing(&path), before, "{place} {damage}");
        }
    }
}

#[test]
fn a_corrupted_branch_or_head_is_an_error_and_not_an_absent_branch() {
    let folder = tempfile::tempdir().unwrap();
    let path = bare(folder.path());
    for content in ["garbage\n", "", "ref: refs/heads/other\n"] {
        fs::write(path.join("refs/heads/main"), content).unwrap();
        let error = render(&target(&path), &fleet(&["acme"], "two")).unwrap_err();
        assert_environment(&error, &["refs/heads/main"]);
        assert_eq!(fs::read_to_string(path.join("refs/heads/main")).unwrap(), content);
    }
    let path = folder.path().join("cut.git");
    git(folder.path(), &["init", "-q", "--bare", "cut.git"]);
    fs::remove_file(path.join("HEAD")).unwrap();
    assert_environment(&render(&target(&path), &fleet(&["acme"], "two")).unwrap_err(), &["cut.git"]);
}

#[test]
fn a_name_above_or_below_another_branch_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = bare(folder.path());
    let below = Target::parse(path.to_str().unwrap(), "main/rendered", None, false).unwrap();
    let error = render(&below, &fleet(&["acme"], "one")).unwrap_err();
    assert_environment(&error, &["refs/heads/main/rendered cannot be made", "refs/heads/main exists"]);
    git(&path, &["pack-refs", "--all"]);
    assert_environment(&render(&below, &fleet(&["acme"], "one")).unwrap_err(), &["refs/heads/main exists"]);
    // Empty folders of deleted branches are not in the way.
    git(&path, &["branch", "a/b", "main"]);
    git(&path, &["branch", "-D", "a/b"]);
    fs::create_dir_all(path.join("refs/heads/a/b")).unwrap();
    let above = Target::parse(path.to_str().unwrap(), "a", None, false).unwrap();
    committed(render(&above, &fleet(&["acme"], "one")));
    fsck(&path);
}

#[test]
fn packed_references_and_collected_objects_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = bare(folder.path());
    git(&path, &["gc", "-q", "--prune=now"]);
    assert!(!path.join("refs/heads/main").exists());
    committed(render(&target(&path), &fleet(&["acme"], "two")));
    fsck(&path);
}

#[test]
fn a_missing_remote_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let open = |location: &str| {
        let target = Target::parse(location, "main", None, true).unwrap();
        let mut repo = tenantry::output::Repo::open(&target, Some(&cache))?;
        repo.baseline().map(drop)
    };
    let absent = format!("file://{}/absent.git", folder.path().display());
    assert_environment(&open(&absent).unwrap_err(), &["absent.git", "git ls-remote"]);
    // Port 1 of this machine: nobody listens there.
    assert_environment(&open("http://me:canary@127.0.0.1:1/x.git").unwrap_err(), &["http://127.0.0.1:1/x.git"]);
    assert!(!open("http://me:canary@127.0.0.1:1/x.git").unwrap_err().to_string().contains("canary"));
    let path = bare(folder.path());
    assert_environment(&open(path.to_str().unwrap()).unwrap_err(), &["has no remote to push to"]);
    assert_environment(&open(folder.path().join("none").to_str().unwrap()).unwrap_err(), &["has no remote"]);
    git(&path, &["remote", "add", "origin", &absent]);
    assert_environment(&open(path.to_str().unwrap()).unwrap_err(), &["cannot read the output repository origin"]);
}

/// Runs a check on a small file system of its own: in a child, since mounting needs a name space. Skipped where the
/// machine does not let one mount; the limits below then stand alone.
fn on_own_disk(check: &str, size: &str) -> bool {
    let script =
        "mount -t tmpfs -o size=$SIZE tmpfs $DISK && exec \"$TEST\" --exact faults::on_a_small_disk --nocapture";
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", script])
        .env("SIZE", size)
        .env("DISK", folder.path())
        .env("TEST", std::env::current_exe().unwrap())
        .env("OUTPUT_CHECK", check)
        .output();
    let Ok(output) = output else { return false };
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if said.contains("mount:") || said.contains("unshare:") {
        return false;
    }
    assert!(output.status.success(), "{said}");
    true
}

/// The child's half of [`on_own_disk`].
#[test]
fn on_a_small_disk() {
    let Some(check) = std::env::var_os("OUTPUT_CHECK") else { return };
    let disk = PathBuf::from(std::env::var_os("DISK").unwrap());
    match check.to_str().unwrap() {
        "full" => full_disk(&disk),
        "read-only" => read_only_disk(&disk),
        other => panic!("{other}"),
    }
}

/// A fleet that does not compress.
fn large(text: &str) -> Vec<tenantry::manifest::tree::Unit> {
    let mut wanted = fleet(&["acme", "blue"], text);
    let mut seed = 7_u32;
    for unit in &mut wanted {
        let noise = (0..400_000).map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        });
        unit.files.insert("noise.bin".into(), noise.collect());
    }
    wanted
}

fn full_disk(disk: &Path) {
    let path = bare(disk);
    let tip = git(&path, &["rev-parse", "main"]);
    let before = listing(&path);
    let error = render(&target(&path), &large("two")).unwrap_err();
    assert_environment(&error, &["No space left on device", "free some space"]);
    assert_eq!((git(&path, &["rev-parse", "main"]), listing(&path)), (tip, before));
    fsck(&path);
    committed(render(&target(&path), &fleet(&["acme"], "two")));

    let out = disk.join("out");
    let write = |wanted: &[_]| {
        let baseline = dir::baseline(&out)?;
        dir::write(&out, &baseline, &checked(&plan(&baseline, wanted)), options(Edits::Refuse))
    };
    write(&fleet(&["acme"], "one")).unwrap();
    let before = listing(disk);
    let error = write(&large("two")).unwrap_err();
    assert_environment(&error, &["No space left on device"]);
    assert_eq!(listing(disk), before);
    write(&fleet(&["acme"], "two")).unwrap();

    let clone = disk.join("clone");
    assert_environment(&render(&target(&clone), &large("two")).unwrap_err(), &["No space left on device"]);
    assert_eq!(git(&clone, &["for-each-ref"]), "");
}

fn read_only_disk(disk: &Path) {
    let path = bare(disk);
    let clone = disk.join("clone");
    render(&target(&clone), &fleet(&["acme"], "one")).unwrap();
    let out = disk.join("out");
    let baseline = dir::baseline(&out).unwrap();
    dir::write(&out, &baseline, &checked(&plan(&baseline, &fleet(&["acme"], "one"))), options(Edits::Refuse)).unwrap();
    assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(disk).status().unwrap().success());

    let before = listing(disk);
    for place in [&path, &clone] {
        let error = render(&target(place), &fleet(&["acme"], "two")).unwrap_err();
        assert_environment(&error, &["Read-only file system", "make the output writable"]);
    }
    let error = render(&target(&disk.join("absent")), &fleet(&["acme"], "two")).unwrap_err();
    assert_environment(&error, &["Read-only file system", "absent"]);
    // Looking needs no right to write.
    assert!(matches!(
        render(&target(&path), &fleet(&["acme"], "one")),
        Ok(tenantry::output::Outcome::Unchanged { .. })
    ));
    let baseline = dir::baseline(&out).unwrap();
    let changes = plan(&baseline, &fleet(&["acme"], "two"));
    let error = dir::write(&out, &baseline, &checked(&changes), options(Edits::Refuse)).unwrap_err();
    assert_environment(&error, &["Read-only file system"]);
    assert_eq!(listing(disk), before);
}

#[test]
fn a_full_disk_leaves_everything_as_it_was() {
    if on_own_disk("full", "1m") {
        return;
    }
    // No right to mount: a limit on the size of files stands in for the disk.
    let folder = tempfile::tempdir().unwrap();
    bare(folder.path());
    let script = "ulimit -f 400; trap '' XFSZ; exec \"$TEST\" --exact faults::under_a_size_limit --nocapture";
    let mut limited = Command::new("sh");
    limited.args(["-c", script]).env("TEST", std::env::current_exe().unwrap()).env("OUTPUT_LIMITED", folder.path());
    let output = limited.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The child's half of the fallback of [`a_full_disk_leaves_everything_as_it_was`].
#[test]
fn under_a_size_limit() {
    let Some(folder) = std::env::var_os("OUTPUT_LIMITED") else { return };
    let path = PathBuf::from(folder).join("bare.git");
    let before = listing(&path);
    let error = render(&target(&path), &large("two")).unwrap_err();
    assert_environment(&error, &["File too large"]);
    assert_eq!(listing(&path), before);
    fsck(&path);
}

#[test]
fn a_read_only_disk_is_named_and_can_be_read() {
    if !on_own_disk("read-only", "2m") {
        // No right to mount: a file where a folder must be made is refused alike, whoever runs this.
        let folder = tempfile::tempdir().unwrap();
        let path = bare(folder.path());
        fs::remove_dir_all(path.join("tenantry")).unwrap();
        fs::write(path.join("tenantry"), "in the way").unwrap();
        assert_environment(&render(&target(&path), &fleet(&["acme"], "two")).unwrap_err(), &["tenantry"]);
    }
}

/// Turns packs into loose objects.
fn unpack(path: &Path) {
    let script = "mkdir old && mv objects/pack/* old/ && for pack in old/*.pack; do git unpack-objects -q < $pack; done && rm -rf old";
    let status = Command::new("sh").args(["-c", script]).current_dir(path).envs(IDENTITY).status().unwrap();
    assert!(status.success());
    // A cache that was not written, since somebody else held the lock, is as good.
    let _ = fs::remove_file(path.join("tenantry/units"));
}

/// Every path below a folder with its size; our lock and cache aside.
fn listing(path: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
            let ours = folder.ends_with("tenantry") && ["lock", "units"].iter().any(|name| entry.file_name() == **name);
            if !ours {
                let size = if entry.file_type().unwrap().is_dir() { 0 } else { entry.metadata().unwrap().len() };
                found.push((entry.path(), size));
            }
        }
    }
    found.sort();
    found
}
