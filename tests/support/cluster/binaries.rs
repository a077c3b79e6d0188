//! etcd, kube-apiserver and kube-controller-manager, built from their Go modules.
//!
//! The modules under `tests/cluster/tools/` pin the versions (`go.mod`) and every byte (`go.sum`).

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{self, Absent, NotRun};

/// The command that builds what the suite needs.
pub const BUILD_COMMAND: &str = "cargo test --test cluster -- --ignored build_tools";

/// A Kubernetes minor version that the suite runs against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// The newest one that the Go module proxy serves.
    Newest,
    /// The one before.
    Previous,
}

/// The programs of one control plane.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The key-value store of the API server.
    pub etcd: PathBuf,
    /// The API server.
    pub apiserver: PathBuf,
    /// The controllers: namespaces that really go, garbage collection, aggregated ClusterRoles.
    pub controller_manager: PathBuf,
}

impl Version {
    /// Both, newest first.
    pub const ALL: [Version; 2] = [Version::Newest, Version::Previous];

    fn folder(self) -> &'static str {
        match self {
            Version::Newest => "kubernetes-1.36",
            Version::Previous => "kubernetes-1.35",
        }
    }

    fn pin(self) -> &'static str {
        match self {
            Version::Newest => include_str!("../../cluster/tools/kubernetes-1.36/go.mod"),
            Version::Previous => include_str!("../../cluster/tools/kubernetes-1.35/go.mod"),
        }
    }
}

/// The programs of `version`: from `KUBEBUILDER_ASSETS` (newest version only), else from the cache, else built if allowed.
pub fn binaries(version: Version, absent: Absent) -> Result<Binaries, NotRun> {
    let asset = |program| tools::from_kubebuilder_assets(program).filter(|_| version == Version::Newest);
    let etcd = match asset("etcd") {
        Some(path) => path,
        None => etcd(absent)?.join("etcd"),
    };
    if let (Some(apiserver), Some(controller_manager)) = (asset("kube-apiserver"), asset("kube-controller-manager")) {
        return Ok(Binaries { etcd, apiserver, controller_manager });
    }
    let folder = kubernetes(version, absent)?;
    let apiserver = asset("kube-apiserver").unwrap_or_else(|| folder.join("kube-apiserver"));
    Ok(Binaries { etcd, apiserver, controller_manager: folder.join("kube-controller-manager") })
}

fn etcd(absent: Absent) -> Result<PathBuf, NotRun> {
    const MODULE: &str = "go.etcd.io/etcd/server/v3";
    let version = required(include_str!("../../cluster/tools/etcd/go.mod"), MODULE);
    tools::ensure(&format!("etcd-{version}"), &["etcd"], absent, BUILD_COMMAND, |folder| {
        build("etcd", MODULE, &folder.join("etcd"), "-s -w")
    })
}

fn kubernetes(version: Version, absent: Absent) -> Result<PathBuf, NotRun> {
    const PROGRAMS: [&str; 2] = ["kube-apiserver", "kube-controller-manager"];
    let number = required(version.pin(), "k8s.io/kubernetes");
    tools::ensure(&format!("kubernetes-{number}"), &PROGRAMS, absent, BUILD_COMMAND, |folder| {
        for program in PROGRAMS {
            let package = format!("k8s.io/kubernetes/cmd/{program}");
            build(version.folder(), &package, &folder.join(program), &linker_flags(number))?;
        }
        Ok(())
    })
}

/// A server that does not know its own version refuses feature gates, so the version is linked in as in a release.
fn linker_flags(version: &str) -> String {
    let mut parts = version.split('.');
    let (major, minor) = (parts.next().unwrap_or("1"), parts.next().unwrap_or("0"));
    let set = |name: &str, value: &str| format!(" -X k8s.io/component-base/version.{name}={value}");
    let git_version = format!("v{version}");
    ["-s -w".to_owned(), set("gitVersion", &git_version), set("gitMajor", major), set("gitMinor", minor)].concat()
}

fn build(module: &str, package: &str, to: &Path, linker_flags: &str) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/tools").join(module);
    eprintln!("building {package} (once; it takes minutes)");
    let mut go = Command::new("go");
    go.current_dir(folder).env("CGO_ENABLED", "0").env("GOWORK", "off").env_remove("GOFLAGS");
    go.args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", linker_flags, "-o"]);
    go.arg(to).arg(package);
    tools::run(&mut go).map(drop)
}

/// The version, without `v`, at which a `go.mod` requires `module`.
fn required(go_mod: &'static str, module: &str) -> &'static str {
    let version = go_mod.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word == "require");
        (words.next() == Some(module)).then(|| words.next()).flatten()
    });
    version.and_then(|version| version.strip_prefix('v')).expect("go.mod requires the module at a version")
}
