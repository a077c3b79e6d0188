//! What a reviewer waits for: `diff` of a fleet-wide upgrade against the cold render of the same fleet, and `log` of a long
//! history against `git log --name-status` of the same. Every ratio is of one run.
//!
//! `cargo bench --bench review -- [--tenants N] [--commits N] [--files N]`

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, missing_docs)] // A bench is read by people.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TENANTRY: &str = env!("CARGO_BIN_EXE_tenantry");
/// What a comment on a pull request may hold, in characters.
const COMMENT: usize = 65_536;
/// Repeats; the median counts.
const REPEATS: usize = 3;

#[path = "support/fleet.rs"]
#[allow(dead_code, reason = "other benches look further into it")]
mod fleet;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str, default: usize| {
        let at = arguments.iter().position(|found| found == name).and_then(|at| arguments.get(at + 1));
        at.map_or(default, |count| count.parse().expect("a number"))
    };
    let folder = tempfile::tempdir().unwrap();
    println!("{:<58} {:>10}  {:>10}", "", "median", "ratio");
    upgrade(&folder.path().join("fleet"), option("--tenants", 10_000));
    history(&folder.path().join("history"), option("--commits", 3_000), option("--files", 10_000));
}

/// Another version of the chart for every tenant that follows the install's, and another model.
fn upgrade(root: &Path, tenants: usize) {
    for (path, text) in fleet::files(tenants) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::write(root.join(".gitignore"), "/out.git\n/.tenantry\n/*.json\n/*.md\n").unwrap();
    git(root, &["init", "-q", "-b", "main"]);
    git(root, &["add", "--all"]);
    git(root, &["commit", "-q", "-m", "fleet"]);
    let cold = median(|| {
        let _ = fs::remove_dir_all(root.join("out.git"));
        git(root, &["init", "-q", "--bare", "out.git"]);
        tenantry(root, &["render", "--repo", "out.git"], &[0])
    });
    println!("-- {tenants} tenants, fleet-wide upgrade");
    row("cold: render, check and commit", cold, None);
    let install = root.join("install.yaml");
    let text = fs::read_to_string(&install).unwrap();
    let changed = text.replace("tenantVersion: 1.1.0", "tenantVersion: 1.0.1").replace("model: gpt-4o", "model: gpt-5");
    assert_ne!(text, changed);
    fs::write(&install, changed).unwrap();
    let diff = median(|| tenantry(root, &["diff", "-o", "json=diff.json", "-o", "markdown=diff.md"], &[1]));
    row("diff against the merge base, as JSON and Markdown", diff, Some((cold, "cold")));
    let against = median(|| tenantry(root, &["diff", "--repo", "out.git", "-o", "json=repo.json"], &[1]));
    row("diff against the output repository", against, Some((cold, "cold")));
    let length = fs::read_to_string(root.join("diff.md")).unwrap().chars().count();
    println!("{:<58} {length:>10}  of {COMMENT} characters", "  its Markdown");
    assert!(length <= COMMENT, "a comment holds {COMMENT} characters");
}

/// A history in which most commits touch a few tenants.
fn history(root: &Path, commits: usize, files: usize) {
    fs::create_dir_all(root).unwrap();
    git(root, &["init", "-q", "-b", "main"]);
    import(root, commits, files);
    git(root, &["reset", "-q", "--hard"]);
    println!("-- {commits} commits, {files} files");
    let floor = median(|| timed(|| git(root, &["log", "--name-status", "--format=%H"])));
    row("git log --name-status", floor, None);
    let all = median(|| tenantry(root, &["log", "-o", "json"], &[0]));
    row("log", all, Some((floor, "git log")));
    let floor = median(|| timed(|| git(root, &["log", "--name-status", "--format=%H", "--", "tenants/t00001.yaml"])));
    row("git log --name-status of one file", floor, None);
    let one = median(|| tenantry(root, &["log", "t00001", "-o", "json"], &[0]));
    row("log of one tenant", one, Some((floor, "git log")));
}

/// The history as a stream: the first commit has every file, each other one changes three.
fn import(root: &Path, commits: usize, files: usize) {
    let mut import =
        Command::new("git").arg("-C").arg(root).args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut out = std::io::BufWriter::new(import.stdin.take().unwrap());
    let tenant = |number: usize, state: &str| {
        format!(
            "apiVersion: tenantry.io/v1\nkind: Tenant\ntenant:\n  id: 0b6f7d1a-8f4e-4c57-9d2a-{number:012x}\n  slug: t{number:05}\n  \
             displayName: T{number}\n  cluster: c0\nlifecycle:\n  state: {state}\n"
        )
    };
    let states = ["active", "suspended"];
    for commit in 0..commits {
        let message = format!("change {commit}");
        writeln!(out, "commit refs/heads/main\ncommitter Ada <ada@example.com> {} +0000", 1_700_000_000 + commit * 60)
            .unwrap();
        writeln!(out, "data {}\n{message}", message.len()).unwrap();
        let touched: Vec<usize> = match commit {
            0 => (0..files).collect(),
            _ => (0..3).map(|part| (commit * 7 + part * 3_331) % files).collect(),
        };
        for number in touched {
            let text = tenant(number, states[commit % 2]);
            writeln!(out, "M 100644 inline tenants/t{number:05}.yaml\ndata {}\n{text}", text.len()).unwrap();
        }
        writeln!(out).unwrap();
    }
    drop(out);
    assert!(import.wait().unwrap().success());
}

fn tenantry(root: &Path, arguments: &[&str], codes: &[i32]) -> Duration {
    timed(|| {
        let output = Command::new(TENANTRY).arg("-C").arg(root).args(arguments).current_dir(root).output().unwrap();
        let code = output.status.code().unwrap_or(-1);
        assert!(codes.contains(&code), "{arguments:?}: {code}\n{}", String::from_utf8_lossy(&output.stderr));
    })
}

fn git(root: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0"];
    let output = Command::new("git").arg("-C").arg(root).args(identity).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut work: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..REPEATS).map(|_| work()).collect();
    times.sort();
    times[REPEATS / 2]
}

fn row(name: &str, time: Duration, floor: Option<(Duration, &str)>) {
    let ratio = floor.map(|(floor, what)| format!("{:9.3} x {what}", time.as_secs_f64() / floor.as_secs_f64()));
    println!("{name:<58} {:8.3} s  {}", time.as_secs_f64(), ratio.unwrap_or_default());
}
