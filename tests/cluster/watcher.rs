//! The program with `--watch`, and a Git repository that it follows.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::apply::Tree;
use crate::identity::IDENTITY;

/// How long something may take on a busy machine before it counts as not happening.
const LIMIT: Duration = Duration::from_secs(90);

/// A bare repository and a clone of it that commits to it.
pub struct Upstream {
    folder: TempDir,
    cluster: String,
}

impl Upstream {
    /// With a tree as its first commit, under `tree/clusters/`.
    pub fn new(tree: &Tree) -> Self {
        Self::of("c1", tree)
    }

    /// The same with the tree of a cluster of this name.
    pub fn of(cluster: &str, tree: &Tree) -> Self {
        let upstream = Upstream { folder: tempfile::tempdir().expect("a folder"), cluster: cluster.to_owned() };
        fs::create_dir(upstream.clone_path()).expect("a folder");
        git(upstream.folder.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "bare.git"]);
        git(&upstream.clone_path(), &["init", "--quiet", "--initial-branch=main"]);
        git(&upstream.clone_path(), &["remote", "add", "origin", "../bare.git"]);
        upstream.commit(tree);
        upstream
    }

    /// Commits a tree and pushes it; the commit.
    pub fn commit(&self, tree: &Tree) -> String {
        let clone = self.clone_path();
        let _ = fs::remove_dir_all(clone.join("tree"));
        crate::fleets::write_tree_of(&clone, &self.cluster, tree);
        git(&clone, &["add", "--all"]);
        git(&clone, &["commit", "--quiet", "--allow-empty", "-m", "tree"]);
        git(&clone, &["push", "--quiet", "--force", "origin", "HEAD:main"]);
        git(&clone, &["rev-parse", "HEAD"])
    }

    /// Rewrites the branch: another first commit with the same tree.
    pub fn rewrite(&self) -> String {
        let clone = self.clone_path();
        git(&clone, &["checkout", "--quiet", "--orphan", "other"]);
        git(&clone, &["commit", "--quiet", "-m", "rewritten"]);
        git(&clone, &["push", "--quiet", "--force", "origin", "HEAD:main"]);
        git(&clone, &["rev-parse", "HEAD"])
    }

    /// Takes the rewriting back.
    pub fn restore(&self, commit: &str) {
        let clone = self.clone_path();
        git(&clone, &["checkout", "--quiet", "-B", "main", commit]);
        git(&clone, &["push", "--quiet", "--force", "origin", "HEAD:main"]);
    }

    /// Takes the remote away, or brings it back.
    pub fn reachable(&self, reachable: bool) {
        let (here, away) = (self.folder.path().join("bare.git"), self.folder.path().join("away.git"));
        let (from, to) = if reachable { (away, here) } else { (here, away) };
        fs::rename(from, to).expect("moved");
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("file://{}", self.folder.path().join("bare.git").display())
    }

    /// The folder that holds `bare.git`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn clone_path(&self) -> PathBuf {
        self.folder.path().join("clone")
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(folder).args(arguments).envs(IDENTITY);
    let output = crate::tools::run(&mut git).unwrap_or_else(|error| panic!("{error}"));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A running checker; ended when dropped.
pub struct Watcher {
    child: Child,
    address: String,
    home: TempDir,
}

impl Watcher {
    /// Starts `drift --watch` with these arguments besides, and waits until it listens.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(arguments, &[])
    }

    /// The same with these variables in its environment.
    pub fn start_in(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let log = File::create(home.path().join("log")).expect("a log");
        let mut program = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        program.args(arguments).current_dir(home.path()).env_clear().env("HOME", home.path());
        program.env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(IDENTITY);
        program.envs(environment.iter().copied());
        let child = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("it starts");
        let mut watcher = Watcher { child, address: String::new(), home };
        let start = Instant::now();
        while watcher.address.is_empty() {
            let log = watcher.log();
            let ended = watcher.child.try_wait().expect("a state");
            assert!(ended.is_none() && start.elapsed() < LIMIT, "{ended:?}: {log}");
            let line = log
                .lines()
                .find_map(|line| serde_json::from_str::<Value>(line).ok()?["address"].as_str().map(str::to_owned));
            watcher.address = line.unwrap_or_default();
            std::thread::sleep(Duration::from_millis(20));
        }
        watcher
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// Status and body of a path.
    pub fn get(&self, path: &str) -> (u16, String) {
        let ask = || {
            let mut stream = TcpStream::connect(&self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            Ok::<_, std::io::Error>(text)
        };
        let text = ask().unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.log()));
        let status = text.split_whitespace().nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
        (status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// The report, as soon as `holds` says yes to it.
    pub fn report(&self, what: &str, mut holds: impl FnMut(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let held = self.wait(|| {
            let (status, body) = self.get("/report.json");
            last = serde_json::from_str(&body).unwrap_or_default();
            status == 200 && holds(&last)
        });
        assert!(held, "{what} does not happen:\n{last:#}\n{}\n{}", self.get("/readyz").1, self.log());
        last
    }

    /// Waits until a path says something, with a status.
    pub fn says(&self, path: &str, status: u16, text: &str) {
        let mut last = (0, String::new());
        let held = self.wait(|| {
            last = self.get(path);
            last.0 == status && last.1.contains(text)
        });
        assert!(held, "{path} does not say {status} {text:?}:\n{last:?}\n{}", self.log());
    }

    /// Tells it to end; its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        crate::tools::run(Command::new("kill").args(["-TERM", &id])).expect("it is told");
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            if let Some(status) = self.child.try_wait().expect("a state") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end: {}", self.log());
    }

    fn wait(&self, mut holds: impl FnMut() -> bool) -> bool {
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            if holds() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
