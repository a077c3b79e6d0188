//! Which revision of the fleet's repository a change is compared with.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, Oid, Repository};

use crate::error::{Error, Result};

/// The fleet's repository, and where the fleet lies in it.
pub struct Home {
    git: Repository,
    /// Folder of the fleet from the top of the repository; empty for the top.
    pub folder: String,
}

/// A revision, and how it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The commit.
    pub commit: Oid,
    /// What it was found by: `origin/main`.
    pub name: String,
}

impl Home {
    /// Finds the repository that a fleet lies in.
    ///
    /// # Errors
    /// The fleet lies in none, or in one without files of its own (bare).
    pub fn of(root: &Path) -> Result<Self> {
        let git = Repository::discover(root).map_err(|error| {
            Error::environment(format!("{} lies in no Git repository", root.display()))
                .cause(error.message())
                .hint("compare with an output repository instead: --repo rendered")
        })?;
        let folder = |path: &Path| std::fs::canonicalize(path).ok();
        let inside = git.workdir().and_then(folder).zip(folder(root));
        let below = inside.and_then(|(top, root)| Some(root.strip_prefix(&top).ok()?.to_str()?.to_owned()));
        let folder = below.ok_or_else(|| {
            Error::environment(format!("the repository of {} has no work tree", root.display()))
                .hint("run this in a clone with its files checked out")
        })?;
        Ok(Self { git, folder })
    }

    /// Folder of the repository itself.
    pub fn path(&self) -> PathBuf {
        self.git.path().to_owned()
    }

    /// A revision by what a person calls it.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn revision(&self, name: &str) -> Result<Named> {
        let found = self.git.revparse_single(name).and_then(|object| object.peel_to_commit());
        let commit = found.map_err(|error| {
            let error = Error::usage(format!("the fleet's repository has no revision {name}")).cause(error.message());
            error.hint("CI clones are often shallow and of one branch: fetch it first (git fetch origin main)")
        })?;
        Ok(Named { commit: commit.id(), name: name.to_owned() })
    }

    /// Where `head` (the commit that is checked out, if none is given) left `base` (else the default branch).
    ///
    /// # Errors
    /// There is no commit, no such revision, or no common ancestor at hand.
    pub fn merge_base(&self, base: Option<&str>, head: Option<Oid>) -> Result<Named> {
        let head = match head {
            Some(head) => head,
            None => {
                self.git.head().and_then(|head| head.peel_to_commit()).map(|commit| commit.id()).map_err(|error| {
                    Error::usage("the fleet's repository has no commit yet: there is nothing to compare with")
                        .cause(error.message())
                })?
            }
        };
        let base = match base {
            Some(base) => self.revision(base)?,
            None => self.default_branch().unwrap_or_else(|| Named { commit: head, name: "HEAD".into() }),
        };
        match self.git.merge_base(head, base.commit) {
            Ok(commit) => Ok(Named { commit, name: base.name }),
            Err(error) if error.code() == ErrorCode::NotFound && self.git.is_shallow() => Err(Error::environment(
                format!("this clone is too shallow to tell where the branch left {}", base.name),
            )
            .hint("fetch the whole history: `git fetch --unshallow`, or fetch-depth: 0 in CI")),
            Err(error) if error.code() == ErrorCode::NotFound => {
                Err(Error::usage(format!("{} and what is checked out have no common commit", base.name))
                    .hint("name a revision of this history with --base"))
            }
            Err(error) => Err(Error::environment("cannot read the fleet's repository").cause(error.message())),
        }
    }

    /// The newest commit of what is checked out in which a file of the fleet is as wanted.
    ///
    /// # Errors
    /// The repository cannot be read.
    pub fn newest_with(&self, file: &str, wanted: impl Fn(&[u8]) -> bool) -> Result<Option<Oid>> {
        let broken =
            |error: git2::Error| Error::environment("cannot read the fleet's repository").cause(error.message());
        let path = if self.folder.is_empty() { file.to_owned() } else { format!("{}/{file}", self.folder) };
        let mut walk = self.git.revwalk().map_err(broken)?;
        if walk.push_head().is_err() {
            return Ok(None); // no commit yet
        }
        walk.set_sorting(git2::Sort::TIME | git2::Sort::TOPOLOGICAL).map_err(broken)?;
        let mut seen = std::collections::BTreeMap::new();
        for commit in walk {
            // Where a shallow clone ends, nothing older is known.
            let Ok(commit) = commit else { return Ok(None) };
            let tree = self.git.find_commit(commit).and_then(|commit| commit.tree()).map_err(broken)?;
            let Ok(entry) = tree.get_path(Path::new(&path)) else { continue };
            let fits = match seen.get(&entry.id()) {
                Some(fits) => *fits,
                None => self.git.find_blob(entry.id()).is_ok_and(|blob| wanted(blob.content())),
            };
            seen.insert(entry.id(), fits);
            if fits {
                return Ok(Some(commit));
            }
        }
        Ok(None)
    }

    /// The branch that changes go to: the remote's, as the remote says, else by its usual names.
    fn default_branch(&self) -> Option<Named> {
        let known = self.git.find_reference("refs/remotes/origin/HEAD").ok();
        let known = known.and_then(|reference| reference.symbolic_target().ok().flatten().map(str::to_owned));
        let configured = self.git.config().ok().and_then(|config| config.get_string("init.defaultBranch").ok());
        let usual = ["refs/remotes/origin/main", "refs/remotes/origin/master", "refs/heads/main", "refs/heads/master"];
        let own = configured.map(|name| format!("refs/heads/{name}"));
        known.into_iter().chain(usual.map(str::to_owned)).chain(own).find_map(|name| {
            let commit = self.git.find_reference(&name).ok()?.peel_to_commit().ok()?;
            let short = name.trim_start_matches("refs/remotes/").trim_start_matches("refs/heads/");
            Some(Named { commit: commit.id(), name: short.to_owned() })
        })
    }
}
