//! The image of the `Containerfile` and the rendered Deployment agree, as far as that can be told without building it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

/// The instructions of a Containerfile with their words, without comments; lines that go on are one.
fn instructions(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let words = |line: &str| {
        let (name, rest) = line.trim().split_once(' ')?;
        Some((name.to_owned(), rest.trim().to_owned()))
    };
    joined.lines().filter_map(words).collect()
}

/// What the last stage says of an instruction.
fn last<'a>(stage: &'a [(String, String)], name: &str) -> &'a str {
    let found = stage.iter().rev().find(|(instruction, _)| instruction == name);
    found.map(|(_, rest)| rest.as_str()).unwrap_or_else(|| panic!("no {name} in the last stage"))
}

/// The Deployment of the checker as it is rendered.
fn deployment() -> Value {
    let path = "tests/golden/repository/expected/clusters/eu-1/system/drift.yaml";
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path);
    let mut found = text.split("\n---\n").map(|text| serde_yaml::from_str::<Value>(text).expect("YAML"));
    found.find(|object| object["kind"] == "Deployment").expect("a Deployment")
}

#[test]
fn the_image_is_what_the_rendered_deployment_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("Containerfile")).expect("a Containerfile");
    let all = instructions(&text);
    let stages: Vec<usize> = (0..all.len()).filter(|at| all[*at].0 == "FROM").collect();
    let [build_at, run_at] = stages.as_slice() else { panic!("{} stages, not two", stages.len()) };
    let (arguments, build, run) = (&all[..*build_at], &all[*build_at..*run_at], &all[*run_at..]);
    // Both bases can be pinned from outside, and nothing else can be swapped.
    assert_eq!((build[0].1.as_str(), run[0].1.as_str()), ("${BUILDER} AS build", "${RUNTIME}"));
    let names: Vec<&str> = arguments.iter().filter_map(|(_, rest)| Some(rest.split_once('=')?.0)).collect();
    assert_eq!(names, ["BUILDER", "RUNTIME"]);

    // The program goes from where cargo leaves it to where it is started.
    let program = json!([last(run, "COPY").rsplit(' ').next().expect("a place")]);
    let made = format!("{}/target/release/{}", last(build, "WORKDIR"), env!("CARGO_PKG_NAME"));
    assert_eq!(last(run, "COPY"), format!("--from=build {made} {}", program[0].as_str().expect("text")));
    assert_eq!(serde_json::from_str::<Value>(last(run, "ENTRYPOINT")).expect("the exec form"), program);
    assert!(last(build, "RUN").contains("cargo build --release --locked --bin tenantry "));
    assert_eq!(program[0], "/usr/local/bin/tenantry", "the Job of the documentation looks for it in PATH");

    let deployment = deployment();
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!((&container["command"], &container["args"][0]), (&Value::Null, &json!("drift")));
    let user = &pod["securityContext"];
    assert_eq!(last(run, "USER"), format!("{}:{}", user["runAsUser"], user["runAsGroup"]));
    assert_eq!((&user["runAsNonRoot"], &user["fsGroup"]), (&json!(true), &user["runAsGroup"]));
    assert_eq!(last(run, "EXPOSE"), container["ports"][0]["containerPort"].to_string());
    // The root file system is read-only there: what is written goes to the one folder that is mounted.
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    let home = last(run, "ENV").strip_prefix("HOME=").expect("HOME");
    assert_eq!((home, container["env"][0].clone()), (last(run, "WORKDIR"), json!({"name": "HOME", "value": home})));
    let mounts: Vec<&Value> =
        container["volumeMounts"].as_array().expect("mounts").iter().map(|mount| &mount["mountPath"]).collect();
    assert!(mounts.contains(&&json!(home)), "{mounts:?}");
}

#[test]
fn nothing_that_the_program_is_built_of_is_left_out_of_the_image() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignored = std::fs::read_to_string(root.join(".containerignore")).expect("what is left out");
    let left_out: Vec<&str> = ignored.lines().map(|line| line.trim_start_matches('/')).collect();
    for needed in ["src", "Cargo.toml", "Cargo.lock", "build.rs", "templates", "benches"] {
        assert!(!left_out.contains(&needed) && root.join(needed).exists(), "{needed}");
    }
    assert!(left_out.contains(&"target") && left_out.contains(&".git"), "gigabytes would be sent along");
}

#[test]
fn a_linter_finds_nothing_in_the_containerfile() {
    let hadolint = match crate::tools::hadolint() {
        Ok(hadolint) => hadolint,
        Err(not_run) => return not_run.report(),
    };
    let lint =
        |path: &Path| -> Output { Command::new(&hadolint).args(["--no-color"]).arg(path).output().expect("it runs") };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = lint(&root.join("Containerfile"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    // It would say so: the same file that ends as root.
    let folder = tempfile::tempdir().expect("a folder");
    let text = std::fs::read_to_string(root.join("Containerfile")).expect("a Containerfile");
    let worse = folder.path().join("Containerfile");
    std::fs::write(&worse, text.replace("USER 65532:65532", "USER root")).expect("a file");
    let output = lint(&worse);
    assert!(String::from_utf8_lossy(&output.stdout).contains("DL3002") && !output.status.success());
}
