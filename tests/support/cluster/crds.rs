//! CustomResourceDefinitions of the projects whose objects we render, from those projects' own Go modules.
//!
//! None is committed: the files are copied out of the Go module cache. A module's `h1:` sum pins them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::binaries::BUILD_COMMAND;
use crate::tools::{self, Absent, NotRun};

struct Module {
    path: &'static str,
    version: &'static str,
    sum: &'static str,
    folder: &'static str,
    files: &'static [&'static str],
}

/// The newest versions whose `go.mod` a Go 1.26 toolchain accepts.
const MODULES: &[Module] = &[
    Module {
        path: "github.com/cilium/cilium",
        version: "v1.20.2",
        sum: "h1:dqiEGIcXc+gqCLYG/l7VCFJ8GHyb4HUrwbZOpkX5dL8=",
        folder: "pkg/k8s/apis/cilium.io/client/crds/v2",
        files: &["ciliumnetworkpolicies.yaml", "ciliumclusterwidenetworkpolicies.yaml"],
    },
    Module {
        path: "github.com/external-secrets/external-secrets",
        version: "v1.3.2",
        sum: "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
        folder: "config/crds/bases",
        files: &[
            "external-secrets.io_externalsecrets.yaml",
            "external-secrets.io_secretstores.yaml",
            "external-secrets.io_clustersecretstores.yaml",
            "external-secrets.io_pushsecrets.yaml",
            "generators.external-secrets.io_passwords.yaml",
            "generators.external-secrets.io_clustergenerators.yaml",
            "generators.external-secrets.io_vaultdynamicsecrets.yaml",
        ],
    },
    Module {
        path: "github.com/fluxcd/helm-controller",
        version: "v1.6.1",
        sum: "h1:b0XKTQCGlQy4nOGfEFMbn/e+/j9IMEHSDlKecbZkG9M=",
        folder: "config/crd/bases",
        files: &["helm.toolkit.fluxcd.io_helmreleases.yaml"],
    },
    Module {
        path: "github.com/fluxcd/kustomize-controller",
        version: "v1.9.6",
        sum: "h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=",
        folder: "config/crd/bases",
        files: &["kustomize.toolkit.fluxcd.io_kustomizations.yaml"],
    },
    Module {
        path: "github.com/fluxcd/source-controller",
        version: "v1.9.6",
        sum: "h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc=",
        folder: "config/crd/bases",
        files: &[
            "source.toolkit.fluxcd.io_gitrepositories.yaml",
            "source.toolkit.fluxcd.io_ocirepositories.yaml",
            "source.toolkit.fluxcd.io_helmrepositories.yaml",
            "source.toolkit.fluxcd.io_helmcharts.yaml",
        ],
    },
    Module {
        path: "github.com/cert-manager/cert-manager",
        version: "v1.21.2",
        sum: "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=",
        folder: "deploy/crds",
        files: &[
            "cert-manager.io_certificates.yaml",
            "cert-manager.io_issuers.yaml",
            "cert-manager.io_clusterissuers.yaml",
        ],
    },
    Module {
        path: "sigs.k8s.io/external-dns",
        version: "v0.22.0",
        sum: "h1:+ASJ3KF7DLqHo2LsG8Qinuh2J389MS86I19i/r8ewUc=",
        folder: "config/crd/standard",
        files: &["dnsendpoints.externaldns.k8s.io.yaml"],
    },
    Module {
        path: "github.com/argoproj/argo-cd/v3",
        version: "v3.5.7",
        sum: "h1:Xm1BF+I5OgDKUG3SDK49vn2/Y5AMyaNVko+/JT08gj0=",
        folder: "manifests/crds",
        files: &["application-crd.yaml", "applicationset-crd.yaml", "appproject-crd.yaml"],
    },
    Module {
        path: "github.com/openreports/reports-api",
        version: "v0.2.1",
        sum: "h1:g9KS3yle9Y1elmww4TK9EkD1rl6inIaiIJPX6e+u680=",
        folder: "config/crd",
        files: &["openreports.io_reports.yaml", "openreports.io_clusterreports.yaml"],
    },
    Module {
        path: "github.com/prometheus-operator/prometheus-operator",
        version: "v0.85.0",
        sum: "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        folder: "example/prometheus-operator-crd",
        files: &["monitoring.coreos.com_servicemonitors.yaml", "monitoring.coreos.com_prometheusrules.yaml"],
    },
];

/// The folder that holds one YAML file a CustomResourceDefinition.
pub fn folder(absent: Absent) -> Result<PathBuf, NotRun> {
    let names: Vec<&str> = MODULES.iter().flat_map(|module| module.files.iter().copied()).collect();
    tools::ensure(&format!("crds-{}", fingerprint()), &names, absent, BUILD_COMMAND, |folder| {
        MODULES.iter().try_for_each(|module| copy(module, folder))
    })
}

/// The modules and their versions, as a bundle of schemas records them.
pub fn sources() -> Vec<String> {
    MODULES.iter().map(|module| format!("{}@{}", module.path, module.version)).collect()
}

fn copy(module: &Module, to: &Path) -> io::Result<()> {
    let from = download(module)?.join(module.folder);
    for file in module.files {
        // The module cache is read-only; the copy must not be.
        fs::write(to.join(file), fs::read(from.join(file))?)?;
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Download {
    dir: PathBuf,
    sum: String,
}

fn download(module: &Module) -> io::Result<PathBuf> {
    let coordinate = format!("{}@{}", module.path, module.version);
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json", &coordinate]).env("GOWORK", "off").env_remove("GOFLAGS");
    let output = tools::run(go.current_dir(std::env::temp_dir()))?;
    let found: Download = serde_json::from_slice(&output.stdout)?;
    if found.sum != module.sum {
        return Err(io::Error::other(format!("{coordinate} has the sum {}, not {}", found.sum, module.sum)));
    }
    Ok(found.dir)
}

/// Names the set of files: another version or file is another folder of the cache.
fn fingerprint() -> String {
    let mut hasher = Sha256::new();
    for module in MODULES {
        for part in [module.path, module.version, module.sum, module.folder].iter().chain(module.files) {
            hasher.update(part.as_bytes());
            hasher.update([0]);
        }
    }
    hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
