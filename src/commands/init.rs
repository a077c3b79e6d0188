//! `init`: starts a fleet.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use super::screen::Screen;
use super::{bootstrap, codeowners};
use crate::cli::InitArgs;
use crate::config::install::GitopsEngine;
use crate::error::{Error, Result, exit};
use crate::source::Source;

/// What a new fleet consists of, beside what follows from it.
const FILES: [(&str, &str); 20] = [
    ("install.yaml", include_str!("../../install.yaml")),
    ("compatibility.yaml", include_str!("../../compatibility.yaml")),
    ("tenants/acme.yaml", include_str!("../../tenants/acme.yaml")),
    ("policies/rotation/default.yaml", include_str!("../../policies/rotation/default.yaml")),
    ("policies/rotation/regulated.yaml", include_str!("../../policies/rotation/regulated.yaml")),
    (
        "policies/admission/controller-namespaces.yaml",
        include_str!("../../policies/admission/controller-namespaces.yaml"),
    ),
    ("policies/admission/credentials.yaml", include_str!("../../policies/admission/credentials.yaml")),
    ("policies/admission/images.yaml", include_str!("../../policies/admission/images.yaml")),
    ("policies/admission/names.yaml", include_str!("../../policies/admission/names.yaml")),
    ("policies/admission/namespaces.yaml", include_str!("../../policies/admission/namespaces.yaml")),
    ("policies/admission/pods.yaml", include_str!("../../policies/admission/pods.yaml")),
    ("policies/admission/roles.yaml", include_str!("../../policies/admission/roles.yaml")),
    ("policies/admission/services.yaml", include_str!("../../policies/admission/services.yaml")),
    (".gitignore", "/rendered/\n"),
    (".github/actions/tenantry/action.yaml", include_str!("init/github-action.yaml")),
    (".github/workflows/tenantry.yaml", include_str!("init/github-review.yaml")),
    (".github/workflows/tenantry-scheduled.yaml", include_str!("init/github-scheduled.yaml")),
    (".gitlab-ci.yml", include_str!("init/gitlab.yaml")),
    (".pre-commit-config.yaml", include_str!("init/pre-commit.yaml")),
    ("README.md", include_str!("init/README.md")),
];

/// Runs the command: writes every file or none.
pub fn run(screen: &Screen, args: &InitArgs) -> Result<u8> {
    let mut files: Vec<(String, String)> =
        FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    files.extend(derived()?);
    let is_there = |path: &&str| args.dir.join(path).symlink_metadata().is_ok();
    let present: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).filter(is_there).collect();
    if !present.is_empty() {
        let error = Error::guard(format!("{} holds files that would be overwritten", args.dir.display()));
        return Err(error.cause(present.join(", ")).hint("name an empty folder"));
    }
    for (path, text) in files {
        write_new(&args.dir.join(path), &text)?;
    }
    screen.say(&format!("a fleet with one tenant lies in {}", args.dir.display()));
    screen.say("next: edit install.yaml, then run `tenantry check` and `tenantry render` there");
    Ok(exit::OK)
}

/// What follows from the new fleet: who reviews, and what is applied to each cluster once.
fn derived() -> Result<Vec<(String, String)>> {
    let config = FILES.iter().filter(|(path, _)| path.ends_with(".yaml") && !path.starts_with('.'));
    let (fleet, findings) = crate::config::parse(&Source::from_texts(config.copied()));
    let fleet = fleet.ok_or_else(|| {
        findings
            .iter()
            .fold(Error::internal("the new fleet is invalid"), |error, finding| error.cause(&finding.message))
    })?;
    let mut files = vec![("CODEOWNERS".to_owned(), codeowners::block(&fleet, "")?)];
    for cluster in &fleet.install.clusters {
        for (folder, engine) in [("flux", GitopsEngine::Flux), ("argocd", GitopsEngine::Argocd)] {
            let text = bootstrap::manifests(&fleet.install, engine, cluster.name.as_str());
            files.push((format!("bootstrap/{folder}/{}.yaml", cluster.name), text));
        }
    }
    Ok(files)
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    let failed = |error: std::io::Error| Error::environment(format!("cannot write {}", path.display())).cause(error);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    // A file that came in between is never overwritten.
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
