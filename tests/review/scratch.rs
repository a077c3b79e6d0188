//! A fleet in a repository of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;

use crate::fleet;

/// A repository with this project's own fleet in it, on the branch `main`.
pub struct Scratch {
    folder: tempfile::TempDir,
}

/// What a command line said.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Scratch {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fleet::write(folder.path(), &fleet::inputs(fleet::root()));
        let scratch = Self { folder };
        scratch.git("init -q -b main");
        scratch.commit("fleet");
        scratch
    }

    /// The same with the charts.
    pub fn with_charts() -> Self {
        let scratch = Self::new();
        let charts = fleet::files(&fleet::root().join("charts"));
        fleet::write(&scratch.file("charts"), &charts);
        scratch.commit("charts");
        scratch
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    #[track_caller]
    pub fn git(&self, args: &str) -> String {
        let output = git(self.path(), &args.split(' ').collect::<Vec<_>>());
        fleet::succeeded(&output);
        fleet::text(&output.stdout).trim().to_owned()
    }

    #[track_caller]
    pub fn commit(&self, message: &str) -> String {
        self.git("add --all -- :!rendered");
        fleet::succeeded(&git(self.path(), &["commit", "-q", "--allow-empty", "-m", message]));
        self.git("rev-parse HEAD")
    }

    /// Replaces a text that is there once.
    #[track_caller]
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.file(file)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from:?} in {file}");
        fs::write(self.file(file), text.replace(from, to)).unwrap();
    }

    pub fn run(&self, args: &str) -> Said {
        let mut command = fleet::tenantry();
        // The program calls git for what goes over a wire and for signatures.
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let output = command.current_dir(self.path()).args(args.split(' ')).output().unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: fleet::text(&output.stdout),
            err: fleet::text(&output.stderr),
        }
    }

    /// The JSON document of a command line that must end with `code`.
    #[track_caller]
    pub fn json(&self, args: &str, code: i32) -> Value {
        let said = self.run(&format!("{args} -o json"));
        assert_eq!(said.code, code, "{args}:\n{}{}", said.out, said.err);
        let document: Value =
            serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{args}: {error}\n{}{}", said.out, said.err));
        if document["kind"] == "DiffReport" {
            static SCHEMA: LazyLock<Value> = LazyLock::new(tenantry::report::diff::schema);
            let wrong: Vec<String> = jsonschema::validator_for(&SCHEMA)
                .unwrap()
                .iter_errors(&document)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(wrong.is_empty(), "{args} breaks the published schema: {wrong:#?}");
        }
        document
    }

    /// Puts a template of the fleet's own in the place of the program's, with one text replaced.
    #[track_caller]
    pub fn template(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(fleet::root().join("templates").join(name)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from:?} in {name}");
        let path = self.file("templates").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace(from, to)).unwrap();
    }
}

/// Git with nothing of the user's.
pub fn git(folder: &Path, args: &[&str]) -> Output {
    let identity = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"];
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    command.arg("-C").arg(folder).args(identity).args(args).output().unwrap()
}
