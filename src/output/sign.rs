//! Signatures of commits, made and checked by the machine's own `git`: it knows the user's keys, agents and formats.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use git2::{Oid, Repository};

use super::message::{Identity, Message};
use crate::error::{Error, Result};

/// What is known of the signature of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signature {
    /// The commit carries none.
    None,
    /// Git trusts it; what Git says of the signer.
    Good(String),
    /// Git does not trust it, or cannot tell; why.
    Bad(String),
}

/// Whether commits are to be signed, as Git's configuration says (`commit.gpgSign`).
pub(super) fn is_wanted(git: &Repository) -> bool {
    git.config().and_then(|config| config.get_bool("commit.gpgsign")).unwrap_or(false)
}

/// Makes a signed commit; its tree must be in the repository already.
pub(super) fn commit(
    git: &Repository,
    (tree, parent): (Oid, Option<Oid>),
    unsigned: &[u8],
    (author, message): (&Identity, &Message),
) -> Result<Oid> {
    let failed = |why: String| {
        Error::environment("cannot sign the commit").cause(why.trim().to_owned()).hint(
            "Git signs as `commit.gpgSign`, `gpg.format` and `user.signingKey` say; \
             `git config commit.gpgSign false` in the output repository renders without",
        )
    };
    let text = String::from_utf8_lossy(unsigned);
    let body = text.split_once("\n\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    // With the mark, small numbers are seconds too.
    let date = format!("@{}", message.time.stamp());
    let mut command = git_in(git.path());
    // A commit is safe on disk before a branch points at it.
    command.args(["-c", "core.fsync=committed,loose-object", "commit-tree", "-S", "-F", "-"]);
    if let Some(parent) = parent {
        command.args(["-p", &parent.to_string()]);
    }
    command.arg(tree.to_string());
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), author.plain_name());
        command.env(format!("GIT_{who}_EMAIL"), author.plain_email());
        command.env(format!("GIT_{who}_DATE"), &date);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(format!("`git` cannot be run: {error}")))?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(body.as_bytes()).map_err(|error| failed(error.to_string()))?;
    }
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let id = String::from_utf8_lossy(&output.stdout);
    Oid::from_str(id.trim()).map_err(|error| failed(error.message().to_owned()))
}

/// What Git says of the signature of a commit.
///
/// # Errors
/// The repository or the commit cannot be read, or there is no `git` to ask.
pub fn signature(repository: &Path, commit: Oid) -> Result<Signature> {
    let git = Repository::open(repository)
        .map_err(|error| Error::environment("cannot open the repository").cause(error.message()))?;
    if git.extract_signature(&commit, None).is_err() {
        return Ok(Signature::None);
    }
    let output = git_in(git.path())
        .args(["verify-commit", "--verbose", &commit.to_string()])
        .output()
        .map_err(|error| Error::environment("cannot run `git` to check the signature").cause(error))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Ok(if output.status.success() { Signature::Good(said) } else { Signature::Bad(said) })
}

fn git_in(folder: &Path) -> Command {
    let mut command = Command::new("git");
    // A run inside a Git hook inherits variables that point at the hook's repository.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_QUARANTINE_PATH"] {
        command.env_remove(variable);
    }
    command.arg("--git-dir").arg(folder).env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
    command
}
