//! The machine's own Helm, which turns a chart and values into manifests. It is given nothing but those two: no home of the
//! user's, no cluster, no repository.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::yaml::{self, Limits};

/// A Helm that answered.
#[derive(Debug, Clone)]
pub struct Helm {
    program: PathBuf,
    /// What it calls itself: `v3.18.4`.
    pub version: String,
}

/// What is to be rendered.
#[derive(Debug, Clone, Copy)]
pub struct Template<'a> {
    /// Archive or folder of the chart, with everything that it depends on.
    pub chart: &'a Path,
    /// Name of the release.
    pub release: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The values.
    pub values: &'a Value,
}

impl Helm {
    /// Finds Helm: `program`, or `helm` on the search path. `home` is an empty folder that it may use.
    ///
    /// # Errors
    /// There is none, or it does not answer.
    pub fn find(program: Option<&Path>, home: &Path) -> Result<Self> {
        let program = program.map_or_else(|| PathBuf::from("helm"), Path::to_owned);
        let failed = |why: String| {
            Error::environment(format!("cannot run Helm ({})", program.display()))
                .cause(why)
                .hint("install Helm 3 or later, or name it with --helm PATH; without --expand none is needed")
        };
        let output = command(&program, home).args(["version", "--template", "{{.Version}}"]).output();
        let output = output.map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(last_words(&output.stderr)));
        }
        Ok(Self { version: String::from_utf8_lossy(&output.stdout).trim().to_owned(), program })
    }

    /// The manifests that a chart makes of values. Objects without a namespace get the release's, where their kind has one.
    ///
    /// # Errors
    /// What Helm says against it, or what it wrote is no list of manifests.
    pub fn template(&self, what: Template<'_>, home: &Path) -> std::result::Result<Vec<Value>, String> {
        let mut command = command(&self.program, home);
        command.arg("template").arg(what.release).arg(what.chart).args(["--namespace", what.namespace]);
        command.args(["--skip-tests", "--values", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("Helm cannot be run: {error}"))?;
        let input = child.stdin.take();
        let values = what.values.to_string();
        // On a thread of its own: Helm may begin to write before it has read everything.
        let writer = std::thread::spawn(move || input.map(|mut input| input.write_all(values.as_bytes())));
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        // A Helm that refused a chart did not read the values to their end: what it says is told below.
        drop(writer.join());
        if !output.status.success() {
            return Err(last_words(&output.stderr));
        }
        let text = String::from_utf8(output.stdout).map_err(|_| "Helm wrote what is not UTF-8".to_owned())?;
        let documents = yaml::parse(&text, Limits::MANIFEST)
            .map_err(|error| format!("line {} of what Helm wrote: {}", error.span.line, error.message))?;
        let objects = documents.iter().map(|document| document.root.to_json()).filter(|value| !value.is_null());
        Ok(objects.map(|object| placed(object, what.namespace)).collect())
    }
}

fn command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    // A bare name is looked up on the search path of this process.
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", home).env("TMPDIR", home).current_dir(home).stdin(Stdio::null());
    command
}

/// What a program said last, on one line.
fn last_words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let said = lines[lines.len().saturating_sub(6)..].join("; ");
    if said.is_empty() { "it ended without a word".to_owned() } else { said }
}

/// Kinds without a namespace that charts hold.
const OF_CLUSTER: [&str; 12] = [
    "APIService",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "PersistentVolume",
    "PriorityClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingWebhookConfiguration",
];

fn placed(mut object: Value, namespace: &str) -> Value {
    let kind = object["kind"].as_str().unwrap_or_default();
    if !OF_CLUSTER.contains(&kind)
        && !kind.starts_with("Cluster")
        && !kind.starts_with("ValidatingAdmissionPolicy")
        && object["metadata"].is_object()
        && object["metadata"]["namespace"].is_null()
    {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_helm_that_is_not_there_or_fails_is_an_error_of_the_environment() {
        let home = tempfile::tempdir().unwrap();
        for program in ["/nowhere/helm", "false"] {
            let error = Helm::find(Some(Path::new(program)), home.path()).unwrap_err();
            assert_eq!(error.exit_code(), 5, "{error}");
            assert!(error.to_string().contains("--helm") || error.to_string().contains("cannot run Helm"), "{error}");
        }
    }

    #[test]
    fn what_has_a_namespace_gets_the_releases() {
        let of = |kind: &str| {
            placed(json!({ "kind": kind, "metadata": { "name": "x" } }), "n")["metadata"]["namespace"].clone()
        };
        assert_eq!((of("Service"), of("ClusterRole"), of("Namespace")), (json!("n"), Value::Null, Value::Null));
        let own = placed(json!({ "kind": "Service", "metadata": { "namespace": "m" } }), "n");
        assert_eq!(own["metadata"]["namespace"], "m");
    }
}
