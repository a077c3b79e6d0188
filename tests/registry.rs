//! The charts with a real registry on loopback and real Helm: published once, pulled byte for byte, never overwritten,
//! and never half.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/cluster/process.rs"]
mod process;
#[path = "support/registry.rs"]
mod registry;
#[path = "support/tools.rs"]
mod tools;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use registry::{ACCOUNT, Registry};
use serde_json::Value;
use tempfile::TempDir;

/// Builds the registry into the cache of test tools: `cargo test --test registry -- --ignored build_registry`.
#[test]
#[ignore = "builds a program for minutes; run it by name"]
fn build_registry() {
    eprintln!("{}", registry::program(tools::Absent::Make).expect("made, or panicked").display());
}

macro_rules! needed {
    ($tool:expr) => {
        match $tool {
            Ok(tool) => tool,
            Err(not_run) => return not_run.report(),
        }
    };
}

/// A copy of this repository's charts, with the record that belongs to them.
fn charts() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = fleet::files(&fleet::root().join("charts"));
    fleet::write(&folder.path().join("charts"), &files);
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    fleet::tenantry().current_dir(folder).env("HOME", folder).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    fleet::text(&output.stdout) + &fleet::text(&output.stderr)
}

#[track_caller]
fn ended(output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
    for word in words {
        assert!(said(output).contains(word), "{word:?} in {}", said(output));
    }
}

fn push(folder: &Path, host: &str) -> Output {
    run(folder, &["charts", "push", &format!("oci://{host}/charts"), "--plain-http"])
}

fn helm(helm: &Path, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(helm);
    command.env_clear().env("HOME", folder).current_dir(folder).args(arguments).arg("--plain-http");
    command.output().unwrap()
}

/// `reference@digest` of what a push printed, one a chart.
fn digests(output: &Output) -> Vec<(String, String)> {
    let text = fleet::text(&output.stdout);
    text.lines().map(|line| line.split_once('@').unwrap()).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

#[test]
fn what_is_pushed_is_what_helm_pulls() {
    let program = needed!(tools::helm());
    let registry = needed!(Registry::start(false));
    let folder = charts();
    let first = push(folder.path(), &registry.host);
    ended(&first, 0, &["soctalk-system:1.1.0 published", "soctalk-tenant:1.1.0 published", "digests:"]);
    let published = digests(&first);
    assert_eq!(published.len(), 2);

    // The archives, and what is known of them before a push.
    let packed = run(folder.path(), &["charts", "package", "-o", "json"]);
    ended(&packed, 0, &[]);
    let packed: Value = serde_json::from_slice(&packed.stdout).unwrap();
    for ((reference, digest), packed) in published.iter().zip(packed.as_array().unwrap()) {
        assert_eq!(packed["manifestDigest"], digest.as_str());
        let archive = fs::read(folder.path().join(packed["file"].as_str().unwrap())).unwrap();
        let (name, version) = reference.rsplit_once(':').unwrap();
        let pinned = format!("{name}@{digest}");
        for (to, arguments) in [("version", vec![name, "--version", version]), ("digest", vec![pinned.as_str()])] {
            let to = folder.path().join(to);
            fs::create_dir_all(&to).unwrap();
            let pulled = helm(
                &program,
                folder.path(),
                &[&["pull", "--destination", to.to_str().unwrap()], &arguments[..]].concat(),
            );
            fleet::succeeded(&pulled);
            let files = fleet::files(&to);
            assert!(files.values().any(|bytes| *bytes == archive), "{arguments:?}: {:?}", files.keys());
        }
        let namespace = if name.ends_with("tenant") { "tenant-example" } else { "soctalk-system" };
        fleet::succeeded(&helm(&program, folder.path(), &["template", &pinned, "--namespace", namespace]));
    }

    let again = push(folder.path(), &registry.host);
    ended(&again, 0, &["soctalk-tenant:1.1.0 is published already, with the same content"]);
    assert_eq!(digests(&again), published);
}

#[test]
fn a_published_version_never_changes() {
    let registry = needed!(Registry::start(false));
    let folder = charts();
    let before = push(folder.path(), &registry.host);
    ended(&before, 0, &[]);
    let notes = folder.path().join("charts/soctalk-tenant/templates/NOTES.txt");
    let text = fs::read_to_string(&notes).unwrap();
    fs::write(&notes, text.clone() + "More.\n").unwrap();
    ended(&push(folder.path(), &registry.host), 4, &["published with other content", "raise `version`"]);
    fs::write(&notes, text).unwrap();
    assert_eq!(digests(&push(folder.path(), &registry.host)), digests(&before), "the registry still has the first");
}

/// The digest of a push, written into install.yaml, is what Flux is told to take.
#[test]
fn a_pushed_digest_pins_the_source() {
    let registry = needed!(Registry::start(false));
    let folder = charts();
    let first = push(folder.path(), &registry.host);
    ended(&first, 0, &[]);
    let published = digests(&first);
    assert_eq!(published.len(), 2);
    fleet::write(folder.path(), &fleet::inputs(fleet::root()));
    let install = folder.path().join("install.yaml");
    let pins: String = published
        .iter()
        .map(|(reference, digest)| {
            let name = reference.rsplit_once('/').unwrap().1.replace(':', ":\n      ");
            format!("    {name}: {digest}\n")
        })
        .collect();
    let text = fs::read_to_string(&install).unwrap();
    fs::write(&install, text.replacen("  verify:", &format!("  digests:\n{pins}  verify:"), 1)).unwrap();
    ended(&run(folder.path(), &["render", "--out", "out"]), 0, &[]);
    for (unit, (_, digest)) in ["system", "tenants/acme"].iter().zip(&published) {
        let release =
            fs::read_to_string(folder.path().join(format!("out/clusters/eu-1/{unit}/helmrelease.yaml"))).unwrap();
        assert!(release.contains(&format!("digest: {digest}")), "{unit}:\n{release}");
    }
}

#[test]
fn only_who_may_publishes_and_no_password_is_told() {
    let registry = needed!(Registry::start(true));
    let folder = charts();
    let url = format!("oci://{}/charts", registry.host);
    let with = |variables: &[(&str, &str)]| {
        let mut command = fleet::tenantry();
        command.current_dir(folder.path()).env("HOME", folder.path()).envs(variables.iter().copied());
        command.args(["charts", "push", &url, "--plain-http"]).output().unwrap()
    };
    let refused = ["does not let us in", "docker login"];
    ended(&with(&[]), 5, &[refused[0], refused[1], "no credentials"]);
    let by_environment =
        |password| [("TENANTRY_REGISTRY_USERNAME", ACCOUNT.0), ("TENANTRY_REGISTRY_PASSWORD", password)];
    let wrong = with(&by_environment("wrong-Password-2"));
    ended(&wrong, 5, &[refused[0], "TENANTRY_REGISTRY_USERNAME and TENANTRY_REGISTRY_PASSWORD"]);
    assert!(!said(&wrong).contains("wrong-Password-2"), "{}", said(&wrong));
    ended(&with(&by_environment(ACCOUNT.1)[..1]), 2, &["go together"]);
    assert!(!registry.get("/v2/_catalog").contains("soctalk"), "nothing is there");

    // The Docker config: the password itself, then a helper; each wrong first.
    let docker = folder.path().join("docker");
    fs::create_dir(&docker).unwrap();
    let config = |text: String| fs::write(docker.join("config.json"), text).unwrap();
    let docker_config = [("DOCKER_CONFIG", docker.to_str().unwrap())];
    config(format!(
        r#"{{"auths":{{"{}":{{"username":"{}","password":"wrong-Password-2"}}}}}}"#,
        registry.host, ACCOUNT.0
    ));
    let wrong = with(&docker_config);
    ended(&wrong, 5, &[refused[0], "config.json"]);
    assert!(!said(&wrong).contains("wrong-Password-2"), "{}", said(&wrong));
    config("{ broken".into());
    ended(&with(&docker_config), 5, &["cannot use the credentials", "config.json"]);
    config(format!(r#"{{"credHelpers":{{"{}":"test"}}}}"#, registry.host));
    let helper = docker.join("docker-credential-test");
    let path = format!("{}:/usr/bin:/bin", docker.display());
    let helper_config = [docker_config[0], ("PATH", path.as_str())];
    let helper_says = |text: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(&helper, format!("#!/bin/sh\ncat >/dev/null\n{text}\n")).unwrap();
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    };
    helper_says("echo hunter2-Secret; exit 1");
    let failed = with(&helper_config);
    ended(&failed, 5, &["the credential helper"]);
    assert!(!said(&failed).contains("hunter2"), "{}", said(&failed));
    helper_says(&format!(r#"echo '{{"ServerURL":"x","Username":"{}","Secret":"{}"}}'"#, ACCOUNT.0, ACCOUNT.1));
    ended(&with(&helper_config), 0, &["soctalk-tenant:1.1.0 published"]);
    ended(&with(&by_environment(ACCOUNT.1)), 0, &["soctalk-tenant:1.1.0 is published already"]);
}

#[test]
fn a_registry_that_is_down_is_said_to_be() {
    let folder = charts();
    ended(
        &push(folder.path(), &registry::free_host()),
        5,
        &["cannot log in to", "efused", "run the same command again"],
    );
    // TLS is spoken unless told otherwise: a registry without it is none.
    let registry = needed!(Registry::start(false));
    ended(
        &run(folder.path(), &["charts", "push", &format!("oci://{}/charts", registry.host)]),
        5,
        &["cannot log in to"],
    );
}

#[test]
fn what_is_cut_off_leaves_nothing_behind_and_can_be_repeated() {
    let registry = needed!(Registry::start(false));
    let folder = charts();
    let mut cuts = 0;
    // In the archive, in the configuration, and before the manifest: wherever it happens.
    for after in [600, 8_000, 20_000, 30_000, 40_000] {
        let wire = registry::cut_wire(&registry.host, after);
        let output = run(folder.path(), &["charts", "push", &format!("oci://{wire}/cut-{after}"), "--plain-http"]);
        if output.status.success() {
            continue; // the wire was long enough
        }
        ended(&output, 5, &["cannot "]);
        cuts += 1;
        // What was said to be published is, whole; nothing else is visible.
        for chart in ["soctalk-system", "soctalk-tenant"] {
            let tags = registry.get(&format!("/v2/cut-{after}/{chart}/tags/list"));
            let visible = tags.contains("\"1.1.0\"");
            let told = fleet::text(&output.stderr).contains(&format!("{chart}:1.1.0 published"));
            assert_eq!(visible, told, "{after}: {tags}\n{}", said(&output));
        }
        let url = format!("oci://{}/cut-{after}", registry.host);
        ended(&run(folder.path(), &["charts", "push", &url, "--plain-http"]), 0, &["soctalk-tenant:1.1.0 published"]);
    }
    assert!(cuts >= 3, "{cuts} cuts");
}

#[test]
fn tags_are_locked_to_what_they_stand_for() {
    let program = needed!(tools::helm());
    let registry = needed!(Registry::start(false));
    let folder = charts();
    let first = push(folder.path(), &registry.host);
    ended(&first, 0, &[]);
    let published = digests(&first);
    let (_, digest) = &published[1];
    // Any artifact stands for an image here: a tag is a tag.
    let values = folder.path().join("charts/soctalk-tenant/values.yaml");
    let text = fs::read_to_string(&values).unwrap();
    let image = |tag: &str| {
        let mut lines = text.lines().map(str::to_owned).collect::<Vec<_>>();
        for at in 0..lines.len() {
            if lines[at].trim_start().starts_with("repository:") {
                let indent = lines[at].split("repository").next().unwrap().to_owned();
                lines[at] = format!("{indent}repository: {}/charts/soctalk-tenant", registry.host);
                lines[at + 1] = format!("{indent}tag: {tag}");
            }
        }
        fs::write(&values, lines.join("\n") + "\n").unwrap();
    };
    let lock = folder.path().join("charts/soctalk-tenant/images.lock.yaml");
    let pin = || run(folder.path(), &["charts", "pin", "soctalk-tenant", "--plain-http"]);

    image("9.9.9");
    ended(&pin(), 5, &["has no image", "no lock was written"]);
    assert!(!lock.exists());
    image("1.1.0");
    ended(&pin(), 0, &[&format!("charts/soctalk-tenant:1.1.0 {digest}")]);
    let first = fs::read(&lock).unwrap();
    ended(&pin(), 0, &[]);
    assert_eq!(fs::read(&lock).unwrap(), first);
    ended(&run(folder.path(), &["charts", "verify"]), 0, &[]);

    let chart = folder.path().join("charts/soctalk-tenant");
    let templated =
        helm(&program, folder.path(), &["template", chart.to_str().unwrap(), "--namespace", "tenant-example"]);
    fleet::succeeded(&templated);
    let templated = fleet::text(&templated.stdout);
    let images: Vec<&str> = templated.lines().filter_map(|line| line.trim().strip_prefix("image: ")).collect();
    assert!(images.len() >= 8, "{images:?}");
    let pinned = format!("{}/charts/soctalk-tenant@{digest}", registry.host);
    assert!(images.iter().all(|image| *image == pinned), "{images:?}");

    // A lock of other tags is no lock.
    image("1.2.0");
    ended(&run(folder.path(), &["charts", "verify"]), 1, &["1.2.0 of values.yaml is not locked", "charts pin"]);
}
