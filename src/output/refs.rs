//! Moves a branch by compare-and-swap, durably.
//!
//! Done here rather than by libgit2, because a process that is killed inside libgit2's update leaves a lock file that
//! nobody may tell from a live one, and because libgit2 does not flush references to the disk.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use git2::{ErrorCode, Oid, Repository};

use super::fault;
use super::lock::Replacement;
use super::message::{Identity, Time};
use crate::error::{Error, Result};

/// What became of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    /// The branch is at the new commit.
    Yes,
    /// The branch was not where it was expected, and stays there.
    No(Option<Oid>),
}

/// The tip of a branch; `None` if it is absent.
pub(super) fn tip(git: &Repository, name: &str) -> Result<Option<Oid>> {
    match git.find_reference(name) {
        Ok(reference) => match (reference.target(), reference.symbolic_target_bytes()) {
            (Some(oid), _) => Ok(Some(oid)),
            _ => Err(Error::environment(format!("{name} is a symbolic reference"))
                .hint("name the branch that it stands for")),
        },
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(fault::git(format!("cannot read {name}"), &error)),
    }
}

/// Moves `name` from `old` to `new`; the writer's right must be held, and `ours` be our folder in the repository.
pub(super) fn advance(
    git: &Repository,
    ours: &Path,
    name: &str,
    (old, new): (Option<Oid>, Oid),
    (who, time): (&Identity, Time),
) -> Result<Moved> {
    let file = git.commondir().join(name);
    if old.is_none() {
        make_room(git, name, &file)?;
    }
    let replacement = Replacement::lock(&file, ours, "branch")?;
    let current = tip(git, name)?;
    if current != old {
        return Ok(Moved::No(current));
    }
    replacement.replace(format!("{new}\n").as_bytes())?;
    log(git, name, (old, new), &who.stamp(time));
    Ok(Moved::Yes)
}

/// Makes the folders of a new branch, and refuses a name that lies above or below another branch's.
fn make_room(git: &Repository, name: &str, file: &Path) -> Result<()> {
    let failed = |error: git2::Error| fault::git("cannot list the branches", &error);
    for other in git.references().map_err(failed)?.names() {
        let Ok(other) = other else { continue };
        let nested = |one: &str, two: &str| one.strip_prefix(two).is_some_and(|rest| rest.starts_with('/'));
        if nested(other, name) || nested(name, other) {
            return Err(Error::environment(format!("{name} cannot be made, since {other} exists"))
                .hint("choose another branch: Git keeps branches as files in folders"));
        }
    }
    // Git leaves empty folders of deleted branches behind.
    remove_empty(file);
    let parent = file.parent().unwrap_or(file);
    fs::create_dir_all(parent).map_err(|error| fault::disk("create", parent, &error))
}

fn remove_empty(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        remove_empty(&entry.path());
    }
    let _ = fs::remove_dir(folder);
}

/// Tells the reflogs, as Git would; they help a person and decide nothing, so a failure is let pass.
fn log(git: &Repository, name: &str, (old, new): (Option<Oid>, Oid), stamp: &str) {
    let wanted = git.config().and_then(|config| config.get_bool("core.logallrefupdates")).unwrap_or(!git.is_bare());
    let line = format!("{} {new} {stamp}\ttenantry: render\n", old.unwrap_or(Oid::ZERO_SHA1));
    let append = |path: &Path| {
        if wanted || path.exists() {
            let made = path.parent().map_or(Ok(()), fs::create_dir_all);
            let opened = made.and_then(|()| OpenOptions::new().create(true).append(true).open(path));
            let _ = opened.and_then(|mut file| file.write_all(line.as_bytes()));
        }
    };
    append(&git.commondir().join("logs").join(name));
    let head = git.find_reference("HEAD").ok();
    if head.is_some_and(|head| head.symbolic_target_bytes() == Some(name.as_bytes())) {
        append(&git.path().join("logs/HEAD"));
    }
}
