//! A small fleet to write, and Git to ask what came of it.

pub use crate::identity::IDENTITY;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock};

use tenantry::check::{Input, Kept, Verdict, Verified};
use tenantry::config::Fleet;
use tenantry::error::Result;
use tenantry::manifest::tree::{Changes, Digest, Unit};
use tenantry::memo::Memo;
use tenantry::output::{Baseline, Committed, Edits, Identity, Message, Options, Outcome, Repo, Target, Time};
use tenantry::render::RenderedUnit;
use tenantry::source::Source;

/// The version that these tests pretend to be.
pub const VERSION: &str = "0.1.0";

/// A temporary folder in memory if there is such a place: what these tests kill are processes, not machines, and
/// waiting for a disk would be most of their time.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A unit of three files, one in a folder, that differ by `text`.
pub fn unit(path: &str, text: &str) -> Unit {
    let files = ["kustomization.yaml", "namespace.yaml", "policies/default-deny.yaml"];
    let name = path.rsplit('/').next().unwrap();
    let file = |file: &str| {
        let lines: String = (0..20).map(|line| format!("  label-{line}: tenant-{name}\n")).collect();
        format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {file}\n  text: {text}\n{lines}").into_bytes()
    };
    Unit {
        path: path.to_owned(),
        inputs: Digest::of(format!("{path}\n{text}").as_bytes()),
        files: files.into_iter().map(|name| (name.to_owned(), file(name))).collect(),
    }
}

/// Path of the unit of a tenant.
pub fn tenant(slug: &str) -> String {
    format!("clusters/eu-1/tenants/{slug}")
}

/// Changes that bring the units to what is wanted: equal ones are kept, the rest is written.
pub fn plan(baseline: &Baseline, wanted: &[Unit]) -> Changes {
    let mut changes = Changes::default();
    for unit in wanted {
        match baseline.keepable(&unit.path, VERSION) {
            Some(inputs) if inputs == unit.inputs => drop(changes.keep.insert(unit.path.clone(), inputs)),
            _ => drop(changes.write.insert(unit.path.clone(), unit.clone())),
        }
    }
    changes
}

/// A cluster that no fleet has.
const NOWHERE: &str = "clusters/nowhere/";

/// Changes that passed the gate, which sees no manifests here: these tests are about where bytes go.
pub fn checked(changes: &Changes) -> Verified {
    static FLEET: LazyLock<(Source, Fleet)> = LazyLock::new(|| {
        let source = tenantry::source::load(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let fleet = tenantry::config::parse(&source).0.unwrap();
        (source, fleet)
    });
    let plan = tenantry::plan::plan(&FLEET.1, &FLEET.0).0.unwrap();
    let settled = plan.clusters.iter().map(|cluster| cluster.cluster.name.to_string()).collect();
    let bare = |unit: &Unit| RenderedUnit {
        // Of no cluster of the fleet: nothing is asked of it.
        path: format!("{NOWHERE}{}", unit.path),
        tenant: None,
        inputs: unit.inputs,
        files: BTreeMap::new(),
    };
    let units = Arc::new(changes.write.values().map(bare).collect());
    let (kept, memo, source) = (Kept::default(), Memo::default(), Source::default());
    let input = Input { source: &source, plan: &plan, units: &units, kept: &kept, settled: &settled, memo: &memo };
    let finish = |unit: &RenderedUnit, _: &[Verdict]| changes.write[&unit.path[NOWHERE.len()..]].clone();
    let mut report = tenantry::check::run(&input);
    let verified = report.admit(changes.keep.clone(), changes.remove.clone(), finish);
    verified.unwrap_or_else(|| panic!("{:#?}", report.findings))
}

/// A fleet of some tenants and the system unit, all of one text.
pub fn fleet(slugs: &[&str], text: &str) -> Vec<Unit> {
    let paths = ["clusters/eu-1/system".to_owned()].into_iter().chain(slugs.iter().map(|slug| tenant(slug)));
    paths.map(|path| unit(&path, text)).collect()
}

pub fn message() -> Message {
    Message {
        subject: "render: fleet".into(),
        trailers: vec![("Source-Revision".into(), "0123abc".into())],
        time: Time { seconds: 1_700_000_000, offset: 60 },
        author: Some(Identity { name: "A".into(), email: "a@example.com".into() }),
        ..Message::default()
    }
}

pub fn options(edits: Edits) -> Options<'static> {
    Options { tool_version: VERSION, edits }
}

pub fn target(path: &Path) -> Target {
    Target::parse(path.to_str().unwrap(), "main", None, false).unwrap()
}

/// Opens, plans and commits once.
pub fn render(target: &Target, wanted: &[Unit]) -> Result<Outcome> {
    let mut repo = Repo::open(target, None)?;
    let baseline = repo.baseline()?;
    let changes = plan(&baseline, wanted);
    repo.commit(&baseline, &checked(&changes), &message(), options(Edits::Refuse))
}

/// The commit that an outcome must be.
#[track_caller]
pub fn committed(outcome: Result<Outcome>) -> Committed {
    match outcome {
        Ok(Outcome::Committed(done)) => done,
        other => panic!("nothing was committed: {other:?}"),
    }
}

/// Runs Git in a folder, undisturbed by the configuration of the machine, and returns what it prints.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").current_dir(folder).args(arguments).envs(IDENTITY).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "git {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Checks the repository as strictly as Git can; nothing may be reported.
pub fn fsck(folder: &Path) {
    let report = git(folder, &["fsck", "--full", "--strict", "--no-dangling"]);
    assert_eq!(report, "");
}

/// The files of a commit, by path.
pub fn files(folder: &Path, revision: &str) -> BTreeMap<String, String> {
    let list = git(folder, &["ls-tree", "-r", "--name-only", revision]);
    list.lines().map(|path| (path.to_owned(), git(folder, &["show", &format!("{revision}:{path}")]))).collect()
}
