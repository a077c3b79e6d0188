//! A small fleet in a Git repository of its own.

use std::path::Path;
use std::process::{Command, Output};

use crate::fleet;
use crate::identity::IDENTITY;

/// The same commits every time.
const DATES: [(&str, &str); 2] =
    [("GIT_AUTHOR_DATE", "@1700000000 +0000"), ("GIT_COMMITTER_DATE", "@1700000000 +0000")];

/// Runs Git in a folder and gives what it prints.
#[track_caller]
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").current_dir(folder).args(arguments).envs(IDENTITY).envs(DATES).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", fleet::text(&output.stderr));
    fleet::text(&output.stdout).trim_end().to_owned()
}

/// The program in a folder, with Git's environment and a cache beside the folder's own repository.
pub fn program(folder: &Path) -> Command {
    let mut command = fleet::tenantry();
    command.current_dir(folder).envs(IDENTITY).envs(DATES).env("PATH", std::env::var("PATH").unwrap());
    command.env("XDG_CACHE_HOME", folder.join(".git/cache"));
    command
}

/// The program in a folder, with the words of a line as its arguments.
pub fn tenantry(folder: &Path, line: &str) -> Output {
    program(folder).args(line.split(' ')).output().unwrap()
}

/// Runs the program, which must end with this code; gives what it wrote to standard output and standard error.
#[track_caller]
pub fn run(folder: &Path, line: &str, code: i32) -> (String, String) {
    let output = tenantry(folder, line);
    let (out, err) = (fleet::text(&output.stdout), fleet::text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "tenantry {line}\n{out}{err}");
    (out, err)
}

/// A copy of the smallest fleet, committed on `main`.
pub fn repository() -> tempfile::TempDir {
    let known = fleet::fleets().into_iter().find(|known| known.name == "cilium-flux-gcp").unwrap();
    let folder = fleet::copy(&known.root);
    std::fs::write(folder.path().join(".gitignore"), "/rendered/\n").unwrap();
    git(folder.path(), &["init", "--quiet", "--initial-branch", "main"]);
    git(folder.path(), &["add", "--all"]);
    git(folder.path(), &["commit", "--quiet", "--message", "a fleet"]);
    folder
}
