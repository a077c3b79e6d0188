//! The CI recipes that `init` writes: their commands run, in order, in a scratch clone, as far as a machine without CI can.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_yaml::Value;

use crate::fleet;
use crate::scratch::git;

/// A fleet that `init` wrote, with a remote, on a branch with a change.
struct Clone {
    folder: tempfile::TempDir,
}

impl Clone {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clone = Self { folder };
        let fleet = clone.fleet();
        fs::create_dir(&fleet).unwrap();
        fleet::succeeded(&fleet::tenantry().arg("init").arg(&fleet).output().unwrap());
        let remote = clone.folder.path().join("fleet.git");
        for args in [
            vec!["init", "-q", "-b", "main"],
            vec!["add", "--all"],
            vec!["commit", "-q", "-m", "fleet"],
            vec!["clone", "-q", "--bare", ".", remote.to_str().unwrap()],
            vec!["remote", "add", "origin", remote.to_str().unwrap()],
            vec!["fetch", "-q", "origin"],
            vec!["switch", "-q", "-c", "customer"],
        ] {
            fleet::succeeded(&git(&fleet, &args));
        }
        let acme = fleet.join("tenants/acme.yaml");
        let text = fs::read_to_string(&acme).unwrap().replace("Acme Corp", "Acme Two");
        fs::write(acme, text).unwrap();
        fleet::succeeded(&git(&fleet, &["commit", "-q", "-a", "-m", "rename"]));
        fleet::succeeded(&git(clone.folder.path(), &["init", "-q", "--bare", "-b", "main", "rendered.git"]));
        clone
    }

    fn fleet(&self) -> PathBuf {
        self.folder.path().join("fleet")
    }

    /// The variables that CI systems set.
    fn variables(&self) -> BTreeMap<&'static str, String> {
        let base = fleet::text(&git(&self.fleet(), &["rev-parse", "origin/main"]).stdout).trim().to_owned();
        BTreeMap::from([
            ("GITHUB_BASE_REF", "main".to_owned()),
            ("GITHUB_STEP_SUMMARY", self.folder.path().join("summary.md").display().to_string()),
            ("RUNNER_TEMP", self.folder.path().display().to_string()),
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", base),
            ("RENDERED_REPOSITORY", format!("file://{}", self.folder.path().join("rendered.git").display())),
            ("XDG_CACHE_HOME", self.folder.path().join("cache").display().to_string()),
            ("CLUSTER", "eu-1".to_owned()),
            ("KUBECONFIG", "kubeconfig".to_owned()),
        ])
    }

    /// Runs a command line of a recipe as CI does.
    #[track_caller]
    fn run(&self, line: &str, expected: &[i32]) {
        let program = Path::new(env!("CARGO_BIN_EXE_tenantry")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", line])
            .current_dir(self.fleet())
            .env_clear()
            .env("PATH", path)
            .env("HOME", "/nowhere")
            .envs(self.variables())
            .output()
            .unwrap();
        let code = output.status.code().unwrap_or(-1);
        assert!(
            expected.contains(&code),
            "{line}\nended with {code}, not {expected:?}:\n{}{}",
            fleet::text(&output.stdout),
            fleet::text(&output.stderr)
        );
    }
}

/// The command lines of a recipe, in order: those of Git and of this program, and what puts their reports together.
fn lines(recipe: &str) -> Vec<String> {
    fn walk(value: &Value, key: &str, found: &mut Vec<String>) {
        match value {
            Value::Mapping(map) => {
                for (name, value) in map {
                    walk(value, name.as_str().unwrap_or_default(), found);
                }
            }
            Value::Sequence(items) => items.iter().for_each(|item| walk(item, key, found)),
            Value::String(text) if key == "run" || key == "script" => found.push(text.clone()),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&serde_yaml::from_str(recipe).unwrap(), "", &mut found);
    found.retain(|line| ["tenantry ", "git ", "cat "].iter().any(|start| line.starts_with(start)));
    found
}

#[test]
fn every_command_of_every_recipe_runs() {
    let mut ran = 0;
    for recipes in
        [&[".github/workflows/tenantry.yaml", ".github/workflows/tenantry-scheduled.yaml"][..], &[".gitlab-ci.yml"]]
    {
        let clone = Clone::new();
        for recipe in recipes {
            let text = fs::read_to_string(clone.fleet().join(recipe)).unwrap();
            let commands = lines(&text);
            assert!(commands.len() >= 3, "{recipe}: {commands:?}");
            for command in commands {
                ran += 1;
                if command.starts_with("tenantry render") {
                    // Merged: what the branch changes is on main now.
                    clone.run("git switch -q main && git merge -q --ff-only customer", &[0]);
                }
                match command.split_once(" --kubeconfig ") {
                    // There is no cluster here: a dump of what was rendered stands for it.
                    Some((head, rest)) => {
                        let (_, reports) = rest.split_once(" -o ").unwrap();
                        clone.run(
                            "git clone -q \"$RENDERED_REPOSITORY\" ../tree; \
                             find ../tree/clusters/eu-1 -name '*.yaml' ! -name kustomization.yaml -exec cat {} + > ../dump.yaml",
                            &[0],
                        );
                        clone.run(&format!("{head} --live ../dump.yaml -o {reports}"), &[0, 1, 6]);
                        assert!(clone.fleet().join("drift.sarif").exists() && clone.fleet().join("drift.md").exists());
                    }
                    None => clone.run(&command, &[0]),
                }
            }
        }
        assert!(fs::read_to_string(clone.fleet().join("diff.md")).unwrap().contains("Acme Two"));
        let rendered = clone.folder.path().join("rendered.git");
        assert_eq!(fleet::text(&git(&rendered, &["rev-list", "--count", "main"]).stdout).trim(), "1");
    }
    assert!(ran >= 14, "{ran}");
}

#[test]
fn a_recipe_fails_where_it_must() {
    let clone = Clone::new();
    let fleet = clone.fleet();
    let review = fs::read_to_string(fleet.join(".github/workflows/tenantry.yaml")).unwrap();
    let command = |start: &str| lines(&review).into_iter().find(|line| line.starts_with(start)).unwrap();
    // A tenant that becomes regulated without its owners.
    let acme = fleet.join("tenants/acme.yaml");
    let text = fs::read_to_string(&acme).unwrap();
    fs::write(&acme, text.replace("  cluster: eu-1", "  cluster: eu-1\n  tier: regulated")).unwrap();
    clone.run(&command("tenantry codeowners"), &[1]);
    clone.run("tenantry codeowners", &[0]);
    clone.run(&command("tenantry codeowners"), &[0]);
    assert!(fs::read_to_string(fleet.join("CODEOWNERS")).unwrap().contains("/tenants/acme.yaml "));
    fs::write(&acme, "broken").unwrap();
    clone.run(&command("tenantry check"), &[3]);
    clone.run(&command("tenantry diff"), &[3]);
    clone.run(&command("tenantry verify"), &[5]);
}

#[test]
fn this_repository_uses_what_init_writes() {
    let folder = tempfile::tempdir().unwrap();
    fleet::succeeded(&fleet::tenantry().arg("init").arg(folder.path().join("f")).output().unwrap());
    for file in [
        ".github/workflows/tenantry.yaml",
        ".github/workflows/tenantry-scheduled.yaml",
        ".gitlab-ci.yml",
        ".pre-commit-config.yaml",
    ] {
        let (own, written) = (fs::read(fleet::root().join(file)), fs::read(folder.path().join("f").join(file)));
        assert!(
            own.unwrap() == written.unwrap(),
            "{file} differs from what `init` writes: copy src/commands/init/ here"
        );
    }
    let output = fleet::tenantry().arg("-C").arg(fleet::root()).args(["codeowners", "--check"]).output().unwrap();
    fleet::succeeded(&output);
    for engine in ["flux", "argocd"] {
        for cluster in ["eu-1", "us-1"] {
            let text = fs::read_to_string(folder.path().join(format!("f/bootstrap/{engine}/{cluster}.yaml"))).unwrap();
            assert!(text.contains(&format!("clusters/{cluster}/{engine}")), "{text}");
        }
    }
}
