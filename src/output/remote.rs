//! Another repository, reached through the `git` of the machine.
//!
//! Objects are read and written by libgit2, but what goes over a wire goes through `git fetch` and `git push`: only they
//! know the user's credential helpers, proxies, certificates and SSH configuration, and libgit2 would bring a TLS
//! library of its own that knows none of them.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use git2::Oid;

use super::target::masked;
use crate::error::{Error, Result};

/// Where a branch is pushed to.
#[derive(Debug)]
pub(super) struct Remote {
    /// The Git folder of the repository here.
    pub git: PathBuf,
    /// A URL, or the name of a configured remote.
    pub name: String,
    /// The full name of the branch there.
    pub branch: String,
    /// The reference here that follows it.
    pub tracking: String,
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The branch there is at the new commit.
    Yes,
    /// The branch there was not where it was expected, and stays there.
    No(Option<Oid>),
}

impl Remote {
    /// Where the branch is there; `None` if it is absent.
    pub(super) fn tip(&self) -> Result<Option<Oid>> {
        let output = self.run(&["ls-remote", "--quiet", "--", &self.name, &self.branch])?;
        if !output.status.success() {
            return Err(self.failed("cannot read", &output));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines().filter_map(|line| line.split_once('\t'));
        let found = lines.find(|(_, name)| *name == self.branch).map(|(oid, _)| Oid::from_str(oid));
        found.transpose().map_err(|error| self.failed("cannot understand", &output).cause(error.message()))
    }

    /// Brings the branch's objects here.
    pub(super) fn fetch(&self) -> Result<()> {
        let refspec = format!("+{}:{}", self.branch, self.tracking);
        let output =
            self.run(&["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", &self.name, &refspec])?;
        if output.status.success() { Ok(()) } else { Err(self.failed("cannot fetch from", &output)) }
    }

    /// Moves the branch there from `old` to `new`, which follows it: a compare-and-swap, and never a loss.
    ///
    /// The lease makes Git refuse if the branch is not at `old`; that `new` follows `old` makes it a fast-forward.
    pub(super) fn push(&self, old: Option<Oid>, new: Oid) -> Result<Pushed> {
        let expected = old.map(|old| old.to_string()).unwrap_or_default();
        let lease = format!("--force-with-lease={}:{expected}", self.branch);
        let refspec = format!("{new}:{}", self.branch);
        let output = self.run(&["push", "--quiet", "--porcelain", &lease, "--", &self.name, &refspec])?;
        if output.status.success() {
            return Ok(Pushed::Yes);
        }
        // Whatever Git says, where the branch is now tells what happened; its answer may also have got lost.
        match self.tip()? {
            tip if tip == Some(new) => Ok(Pushed::Yes),
            tip if tip != old => Ok(Pushed::No(tip)),
            _ => Err(self.failed("cannot push to", &output).hint("nothing was written: the branch is where it was")),
        }
    }

    fn run(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new("git");
        // A run inside a Git hook inherits variables that point at the hook's repository.
        for name in [
            "GIT_DIR",
            "GIT_WORK_TREE",
            "GIT_INDEX_FILE",
            "GIT_OBJECT_DIRECTORY",
            "GIT_COMMON_DIR",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            "GIT_NAMESPACE",
            "GIT_PREFIX",
            "GIT_QUARANTINE_PATH",
        ] {
            command.env_remove(name);
        }
        command.arg("--git-dir").arg(&self.git).args(arguments).env("LC_ALL", "C").stdin(Stdio::null());
        if !io::stderr().is_terminal() {
            command.env("GIT_TERMINAL_PROMPT", "0");
        }
        // A remote that says nothing for half a minute has gone; whoever knows better says so.
        for (name, value) in [("GIT_HTTP_LOW_SPEED_LIMIT", "1"), ("GIT_HTTP_LOW_SPEED_TIME", "30")] {
            if std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        command.output().map_err(|error| {
            Error::environment("cannot run `git`")
                .cause(error)
                .hint("install Git: it transports commits to and from remote repositories")
        })
    }

    fn failed(&self, what: &str, output: &Output) -> Error {
        let text = [&output.stdout[..], &output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let said =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "Done" && !line.starts_with("To "));
        let error = Error::environment(format!("{what} the output repository {}", masked(&self.name)));
        let error = said.fold(error, |error, line| error.cause(self.without_secrets(line)));
        error.hint("check the address, the network, and the right to write there; `git ls-remote` shows more")
    }

    /// What Git says may repeat the URL with its password.
    fn without_secrets(&self, line: &str) -> String {
        let line = line.replace(&self.name, &masked(&self.name));
        let secret = self.name.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'));
        match secret {
            Some((secret, _)) => secret.split(':').fold(line.replace(secret, "***"), |line, part| match part.len() {
                0..4 => line,
                _ => line.replace(part, "***"),
            }),
            None => line,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn never_repeats_a_password() {
        let remote = Remote {
            git: PathBuf::new(),
            name: "https://someone:canary@host/x.git".into(),
            branch: "refs/heads/main".into(),
            tracking: String::new(),
        };
        let said = "fatal: unable to access 'https://someone:canary@host/x.git/': canary is wrong for someone";
        let output = Output { status: ExitStatus::from_raw(256), stdout: Vec::new(), stderr: said.into() };
        let shown = remote.failed("cannot read", &output).to_string();
        assert!(!shown.contains("canary") && !shown.contains("someone"), "{shown}");
        assert!(shown.contains("https://host/x.git"), "{shown}");
    }
}
