//! The whole life of a tenant, with a fleet behind a file remote and an output behind an HTTP remote; and two people who
//! onboard at the same time.

use std::fs;
use std::path::{Path, PathBuf};

use crate::identity::IDENTITY;
use crate::scratch::{git, repository, run};

/// A fleet's remote, a clone that works on branches, and an output's remote.
struct Stage {
    folder: tempfile::TempDir,
    output: String,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fleet = repository();
        let root = folder.path();
        git(root, &["clone", "--quiet", "--bare", fleet.path().to_str().unwrap(), "fleet.git"]);
        git(root, &["clone", "--quiet", "fleet.git", "work"]);
        git(root, &["init", "--quiet", "--bare", "--initial-branch", "main", "rendered.git"]);
        git(&root.join("rendered.git"), &["config", "http.receivepack", "true"]);
        let output = format!("{}/rendered.git", crate::http::serve(root));
        Self { folder, output }
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn rendered(&self) -> PathBuf {
        self.folder.path().join("rendered.git")
    }

    /// A verb on a branch, as a pull request that is merged, rendered and pushed.
    #[track_caller]
    fn step(&self, branch: &str, line: &str) {
        let (title, _) = self.propose(branch, line);
        assert!(title.contains("### What changes") && title.contains("### Proved"), "{title}");
        self.merge(branch);
        self.render();
    }

    #[track_caller]
    fn propose(&self, branch: &str, line: &str) -> (String, String) {
        let work = self.work();
        git(&work, &["pull", "--quiet", "--ff-only", "origin", "main"]);
        let said = run(&work, &format!("{line} --branch {branch} --commit"), 0);
        git(&work, &["push", "--quiet", "origin", branch]);
        said
    }

    /// What a forge does.
    #[track_caller]
    fn merge(&self, branch: &str) {
        let work = self.work();
        git(&work, &["pull", "--quiet", "--ff-only", "origin", "main"]);
        git(&work, &["merge", "--quiet", "--no-ff", "-m", &format!("Merge {branch}"), branch]);
        git(&work, &["push", "--quiet", "origin", "main"]);
    }

    #[track_caller]
    fn render(&self) {
        run(&self.work(), &format!("render --repo {} --push", self.output), 0);
        for repository in [self.folder.path().join("fleet.git"), self.rendered()] {
            assert_eq!(git(&repository, &["fsck", "--full", "--strict", "--no-dangling"]), "");
        }
        self.verify();
    }

    /// What was pushed is what the fleet's remote renders to, seen over HTTP and in the bare repositories themselves.
    #[track_caller]
    fn verify(&self) {
        let (rendered, fleet) = (self.rendered(), self.folder.path().join("fleet.git"));
        let over_http =
            format!("verify --repo {} --source {}", self.output, self.output.replace("rendered.git", "fleet.git"));
        run(&self.work(), &over_http, 0);
        run(&self.work(), &format!("verify --repo {} --source {}", rendered.display(), fleet.display()), 0);
    }

    /// A file of the output, or nothing if it is not there.
    fn file(&self, path: &str) -> Option<String> {
        let output = std::process::Command::new("git")
            .current_dir(self.rendered())
            .args(["show", &format!("main:clusters/gke-eu/tenants/{path}")])
            .envs(IDENTITY)
            .output()
            .unwrap();
        output.status.success().then(|| crate::fleet::text(&output.stdout))
    }
}

fn holds(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).unwrap().contains(text)
}

#[test]
fn a_tenant_lives_from_onboarding_to_the_end_of_its_tombstone() {
    let stage = Stage::new();
    let work = stage.work();
    stage.render();
    stage.step(
        "onboard/elm",
        "onboard elm --name Elm --id 9e5c6a0d-7c3b-4f07-8bad-0d4e9f6b3c99 --cidr 192.0.2.0/24 --now 2026-01-05",
    );
    assert!(stage.file("elm/namespace.yaml").is_some(), "the new tenant is in the output");
    assert!(holds(&work.join("tenants/elm.yaml"), "edgePorts: { events: 30004, enrollment: 30005 }"));
    stage.step("activate/elm", "activate elm --now 2026-01-06");

    // Two waves: one tenant first, the other one when asked to continue.
    let version = |slug: &str| stage.file(&format!("{slug}/helmrelease.yaml")).unwrap().contains("1.0.1");
    stage.step("wave/1", "upgrade --all --to 1.0.1 --downgrade --canary 1");
    assert!(version("elm") ^ version("oak"), "exactly one tenant went first");
    stage.step("wave/2", "upgrade --all --to 1.0.1 --downgrade --continue");
    assert!(version("elm") && version("oak"));

    stage.step("rotate/elm", "rotate elm wazuh-bootstrap --now 2026-03-01");
    assert!(stage.file("elm/secrets.yaml").unwrap().contains("wazuh-bootstrap-v2"));
    stage.step("leave/elm", "decommission elm --now 2026-04-01");
    run(&work, "retire elm --now 2026-04-30", 4);
    stage.step("retire/elm", "retire elm --now 2026-05-01");
    assert_eq!(stage.file("elm/namespace.yaml"), None, "its manifests are gone");
    run(&work, "remove elm --now 2027-04-30", 4);
    let tip = git(&stage.rendered(), &["rev-parse", "main"]);
    stage.step("remove/elm", "remove elm --now 2027-05-01");
    assert!(!work.join("tenants/elm.yaml").exists());
    assert_eq!(git(&stage.rendered(), &["rev-parse", "main"]), tip, "a tombstone that goes changes no manifest");

    let rendered = stage.rendered();
    let (log, _) = run(&work, &format!("log elm -o json --repo {}", rendered.to_str().unwrap()), 0);
    let log: serde_json::Value = serde_json::from_str(&log).unwrap();
    let events: Vec<String> =
        log["events"].as_array().unwrap().iter().map(|event| event_line(event, &rendered)).collect();
    assert_eq!(
        events,
        [
            "removed retired> Ada -",
            "state decommissioning>retired Ada output",
            "state active>decommissioning Ada output",
            "rotated v1>v2 Ada output",
            "upgraded default>1.0.1 Ada output",
            "state provisioning>active Ada output",
            "onboarded >provisioning Ada output",
        ]
    );
}

/// An event in short; whether its output commit is one.
fn event_line(event: &serde_json::Value, rendered: &Path) -> String {
    let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    let output = match event["output"].as_str() {
        Some(commit) => git(rendered, &["cat-file", "-t", commit]).replace("commit", "output"),
        None => "-".into(),
    };
    format!("{} {}>{} {} {output}", text("event"), text("from"), text("to"), text("author"))
}

#[test]
fn two_onboardings_that_chose_the_same_ports_meet_at_the_second_merge() {
    let stage = Stage::new();
    let work = stage.work();
    let onboard = |slug: &str, id: &str, day: &str| {
        let line = format!("onboard {slug} --name {slug} --id 9e5c6a0d-7c3b-4f07-8bad-0d4e9f6b3c{id} --now {day}");
        stage.propose(&format!("onboard/{slug}"), &line);
    };
    // Both start from the same main, and see the same free pair.
    onboard("elm", "98", "2026-01-05");
    onboard("ash", "99", "2026-01-06");
    stage.merge("onboard/elm");
    stage.render();
    git(&work, &["merge", "--quiet", "--no-ff", "-m", "second", "onboard/ash"]);
    let (_, err) = run(&work, "check", 3);
    for part in [
        "the ports 30004/30005 belong to tenant elm",
        "tenants/ash.yaml:12:3",
        "tenants/elm.yaml:12:3",
        "`tenantry set ash wazuhIngress.edgePorts=free`",
    ] {
        assert!(err.contains(part), "{part}\n{err}");
    }
    run(&work, &format!("render --repo {} --push", stage.output), 3);
    // The one command that repairs it.
    run(&work, "set ash wazuhIngress.edgePorts=free --commit", 0);
    assert!(holds(&work.join("tenants/ash.yaml"), "events: 30006, enrollment: 30007"));
    run(&work, "check", 0);
    git(&work, &["push", "--quiet", "origin", "main"]);
    stage.render();
    assert!(stage.file("ash/namespace.yaml").is_some());
    // Nobody is in anybody's way now: the pair stays what it is.
    run(&work, "set ash wazuhIngress.edgePorts=free", 4);
}
