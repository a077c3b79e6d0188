//! Speed of the output edge, as ratios to `git fast-import` of the same tree in the same run.
//!
//! `cargo bench --bench output [-- UNITS]`; 10,000 units by default. Needs `git`, and some 500 MB in the temporary folder.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tenantry::check::{Input, Kept, Verdict, Verified};
use tenantry::manifest::tree::{Changes, Digest, Provenance, Unit};
use tenantry::memo::Memo;
use tenantry::output::{Edits, Identity, Message, Options, Outcome, Repo, Target, Time, dir};
use tenantry::render::RenderedUnit;

const OPTIONS: Options<'static> = Options { tool_version: "0.1.0", edits: Edits::Refuse };
/// Times a short measurement is repeated; the median counts.
const REPEATS: usize = 11;

fn main() {
    let count = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(10_000);
    let units: BTreeMap<String, Unit> =
        (0..count).map(|number| unit(number, "one")).map(|unit| (unit.path.clone(), unit)).collect();
    let bytes: usize = units.values().flat_map(|unit| unit.files.values()).map(Vec::len).sum();
    let files: usize = units.values().map(|unit| unit.files.len() + 1).sum();
    println!("{count} units, {files} files, {} MB", bytes / 1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let write = Changes { write: units.clone(), ..Changes::default() };

    if std::env::args().any(|argument| argument == "profile") {
        return profile(folder.path(), &write);
    }
    let imported = fast_import(&folder.path().join("imported.git"), &units);
    let floor = imported.as_secs_f64();
    println!(
        "{:<58} {floor:8.3} s  {:>5} MB",
        "git fast-import",
        size(&folder.path().join("imported.git/objects/pack"))
    );
    let row = |name: &str, time: Duration| {
        println!("{name:<58} {:8.3} s  {:8.4} x fast-import", time.as_secs_f64(), time.as_secs_f64() / floor);
    };

    let bare = folder.path().join("bare.git");
    git(folder.path(), &["init", "-q", "--bare", "bare.git"]);
    row("cold commit to a bare repository", timed(|| commit(&bare, &write)));
    println!("{:<58} {:>20} MB", "  its pack", size(&bare.join("objects/pack")));
    if std::env::args().any(|argument| argument == "cold") {
        return;
    }
    row("rendered again, all the same", timed(|| commit(&bare, &write)));
    row("baseline from the cache", median(|| assert_eq!(baseline(&bare), count)));
    let mut text = 0;
    row(
        "baseline and commit of one changed unit",
        median(|| {
            text += 1;
            commit(&bare, &one(&text.to_string()));
        }),
    );
    fs::remove_file(bare.join("tenantry/units")).unwrap();
    row("baseline without the cache, from the history", timed(|| assert_eq!(baseline(&bare), count)));
    fs::remove_file(bare.join("tenantry/units")).unwrap();
    git(
        &bare,
        &[
            "-c",
            "user.name=T",
            "-c",
            "user.email=t",
            "update-ref",
            "refs/heads/main",
            &git(&bare, &["-c", "user.name=T", "-c", "user.email=t", "commit-tree", "main^{tree}", "-m", "squashed"]),
        ],
    );
    row("baseline without cache and history: every file read", timed(|| assert_eq!(baseline(&bare), count)));
    row("fsck by git, for comparison", timed(|| drop(git(&bare, &["fsck", "--full", "--no-dangling"]))));

    let clone = folder.path().join("clone");
    row("cold commit to a clone, files checked out", timed(|| commit(&clone, &write)));
    assert_eq!(git(&clone, &["status", "--porcelain"]), "");
    row(
        "baseline and commit of one changed unit in the clone",
        median(|| {
            text += 1;
            commit(&clone, &one(&text.to_string()));
        }),
    );
    let checkout = timed(|| drop(git(folder.path(), &["clone", "-q", "clone", "checkout"])));
    row("git clone and checkout, for comparison", checkout);

    let out = folder.path().join("out");
    row("cold write to a directory", timed(|| write_files(&out, &write)));
    row("baseline and write of one changed unit in the directory", timed(|| write_files(&out, &one("dir"))));
}

/// The parts worth a profiler: one cold commit, then many small ones.
fn profile(folder: &Path, write: &Changes) {
    git(folder, &["init", "-q", "--bare", "bare.git"]);
    let bare = folder.join("bare.git");
    println!("cold {:?}", timed(|| commit(&bare, write)));
    for text in 0..100 {
        println!("one {:?}", timed(|| commit(&bare, &one(&text.to_string()))));
    }
}

/// A unit of ten files of 1.4 KB that differ from other units' as those of a real fleet do.
fn unit(number: usize, text: &str) -> Unit {
    let slug = format!("customer-{:05}", number * 7919 % 100_003);
    let (id, port) = (Digest::of(slug.as_bytes()).to_string(), 20_000 + number * 2);
    let file = |file: usize| {
        let mut yaml = format!(
            "apiVersion: example.io/v1\nkind: Kind{file}\nmetadata:\n  name: object-{file}\n  namespace: tenant-{slug}\n  labels:\n"
        );
        for label in 0..8 {
            yaml.push_str(&format!("    soctalk.io/label-{label}: \"value {label} of file {file}\"\n"));
        }
        yaml.push_str(&format!("    tenantry.io/tenant: {slug}\n  annotations:\n    id: \"{}\"\nspec:\n", &id[7..43]));
        let variant = number % 3;
        for line in 0..10 + variant {
            yaml.push_str(&format!(
                "  setting-{line}:\n    value: \"{}\"\n    ports: [{port}, {}]\n",
                line * file,
                port + 1
            ));
        }
        yaml.push_str(&format!(
            "  text: \"{text}\"\n  host: wazuh.{slug}.mssp.example.com\n  cpu: \"{}m\"\n",
            500 + number % 17
        ));
        yaml.into_bytes()
    };
    Unit {
        path: format!("clusters/eu-{}/tenants/{slug}", number % 2),
        inputs: Digest::of(format!("{slug} {text}").as_bytes()),
        files: (0..10).map(|number| (format!("file-{number}.yaml"), file(number))).collect(),
    }
}

/// One changed unit.
fn one(text: &str) -> Changes {
    let unit = unit(4321 % 1000, text);
    Changes { write: BTreeMap::from([(unit.path.clone(), unit)]), ..Changes::default() }
}

fn target(path: &Path) -> Target {
    Target::parse(path.to_str().unwrap(), "main", None, false).unwrap()
}

fn baseline(path: &Path) -> usize {
    let baseline = Repo::open(&target(path), None).unwrap().baseline().unwrap();
    assert!(baseline.edits.is_empty());
    baseline.units.len()
}

/// A cluster that no fleet has.
const NOWHERE: &str = "clusters/nowhere/";

/// Changes that passed the gate, which sees no manifests here: this is about where bytes go.
fn checked(changes: &Changes) -> Verified {
    let source = tenantry::source::load(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let fleet = tenantry::config::parse(&source).0.unwrap();
    let plan = tenantry::plan::plan(&fleet, &source).0.unwrap();
    let settled = plan.clusters.iter().map(|cluster| cluster.cluster.name.to_string()).collect();
    let bare = |unit: &Unit| RenderedUnit {
        // Of no cluster of the fleet: nothing is asked of it.
        path: format!("{NOWHERE}{}", unit.path),
        tenant: None,
        inputs: unit.inputs,
        files: BTreeMap::new(),
    };
    let units = std::sync::Arc::new(changes.write.values().map(bare).collect());
    let (kept, memo) = (Kept::default(), Memo::default());
    let input = Input { source: &source, plan: &plan, units: &units, kept: &kept, settled: &settled, memo: &memo };
    let finish = |unit: &RenderedUnit, _: &[Verdict]| changes.write[&unit.path[NOWHERE.len()..]].clone();
    tenantry::check::run(&input).admit(changes.keep.clone(), changes.remove.clone(), finish).unwrap()
}

fn commit(path: &Path, changes: &Changes) {
    let mut repo = Repo::open(&target(path), None).unwrap();
    let baseline = repo.baseline().unwrap();
    let message = Message {
        subject: "render".into(),
        time: Time { seconds: 1_700_000_000, offset: 0 },
        author: Some(Identity { name: "A".into(), email: "a@example.com".into() }),
        ..Message::default()
    };
    let outcome = repo.commit(&baseline, &checked(changes), &message, OPTIONS).unwrap();
    assert!(!matches!(outcome, Outcome::Moved { .. }));
}

fn write_files(path: &Path, changes: &Changes) {
    let baseline = dir::baseline(path).unwrap();
    let outcome = dir::write(path, &baseline, &checked(changes), OPTIONS).unwrap();
    assert!(matches!(outcome, dir::Outcome::Written { .. }));
}

/// Has Git import the same files in one commit; the stream is made beforehand.
fn fast_import(path: &Path, units: &BTreeMap<String, Unit>) -> Duration {
    fs::create_dir(path).unwrap();
    git(path, &["init", "-q", "--bare", "."]);
    let mut stream = b"commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\ndata 6\nrender\n".to_vec();
    let mut file = |path: &str, bytes: &[u8]| {
        stream.extend_from_slice(format!("M 100644 inline {path}\ndata {}\n", bytes.len()).as_bytes());
        stream.extend_from_slice(bytes);
        stream.push(b'\n');
    };
    for unit in units.values() {
        unit.files.iter().for_each(|(name, bytes)| file(&format!("{}/{name}", unit.path), bytes));
        file(&format!("{}/provenance.json", unit.path), &Provenance::of(unit, "0.1.0").to_bytes());
    }
    timed(|| {
        let mut child = Command::new("git")
            .current_dir(path)
            .args(["fast-import", "--quiet"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&stream).unwrap();
        assert!(child.wait().unwrap().success());
    })
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..REPEATS).map(|_| timed(&mut work)).collect();
    times.sort();
    times[REPEATS / 2]
}

fn size(folder: &Path) -> u64 {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum::<u64>() / 1_000_000
}
