//! An output repository: open it, read its baseline, make one commit on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{ErrorCode, Oid, Repository, RepositoryInitOptions, RepositoryOpenFlags};

use super::baseline::{self, Place};
use super::cache::Cache;
use super::commit::Commit;
use super::fault;
use super::lock::{LOCK, Writer};
use super::message::Message;
use super::refs;
use super::remote::Remote;
use super::target::{Location, Target};
use super::tree::{self, Memo};
use super::units::{Baseline, Edits};
use crate::check::Verified;
use crate::error::{Error, Result};
use crate::manifest::tree::Digest;

/// How often a write is planned again because somebody else was faster.
const ATTEMPTS: u32 = 30;

/// A repository that rendered trees are committed to. It is made by the first commit if it is absent.
pub struct Repo {
    git: Option<Repository>,
    target: Target,
    cache: Cache,
    memo: Memo,
    remote: Option<Remote>,
}

/// How a write is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Version of the program, for the provenance files.
    pub tool_version: &'a str,
    /// What to do about files that were edited by hand.
    pub edits: Edits,
}

/// What came of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The branch holds all that is wanted already.
    Unchanged {
        /// The tip; `None` if there is neither a branch nor anything to put on it.
        commit: Option<Oid>,
    },
    /// One commit was made.
    Committed(Committed),
    /// Somebody else moved the branch since the baseline was read, and nothing was written: plan again.
    Moved {
        /// Where the branch is now.
        tip: Option<Oid>,
    },
}

/// A commit that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its id.
    pub commit: Oid,
    /// The commit that it follows; `None` for the first.
    pub parent: Option<Oid>,
    /// Its tree of units: what the trailer `Tenantry-Tree` names.
    pub tree: Oid,
    /// Units whose files changed.
    pub written: usize,
    /// Units that were rendered again and came out the same.
    pub same: usize,
    /// Units that were not rendered again.
    pub kept: usize,
    /// Units that were removed.
    pub removed: usize,
    /// What became of the work tree.
    pub work_tree: WorkTree,
}

/// What became of the work tree of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkTree {
    /// There is none, or it has another branch checked out.
    None,
    /// Its files and index are those of the commit.
    Updated {
        /// Number of files written or removed.
        files: usize,
    },
    /// The commit stands, but these paths were left as they were.
    Left {
        /// Why.
        reason: String,
        /// Paths that changed in the meantime; empty if none was touched.
        paths: Vec<String>,
    },
}

/// Reads the baseline, lets the caller plan on it, and commits; again on the new tip if somebody else was faster.
///
/// # Errors
/// What reading, planning or committing fails with; an environment error after 30 attempts.
pub fn publish(
    repo: &mut Repo,
    options: Options<'_>,
    mut plan: impl FnMut(&Baseline) -> Result<(Verified, Message)>,
) -> Result<Outcome> {
    for attempt in 0..ATTEMPTS {
        let baseline = repo.baseline()?;
        let (verified, message) = plan(&baseline)?;
        match repo.commit(&baseline, &verified, &message, options)? {
            Outcome::Moved { .. } => std::thread::sleep(pause(attempt)),
            done => return Ok(done),
        }
    }
    Err(Error::environment(format!("{} moved on {ATTEMPTS} times while a commit was made for it", repo.target.branch))
        .hint("somebody commits to it without pause: run again when it is quiet"))
}

/// How long a writer that lost a race waits: longer each time, and not as long as the others, so that none starves.
fn pause(attempt: u32) -> Duration {
    let own = std::process::id() % 17;
    Duration::from_millis(u64::from((attempt + 1) * (own + 4)).min(100))
}

/// Brings a branch of a remote repository here: where its copy lies, and where the branch is.
///
/// # Errors
/// An environment error if the remote cannot be reached or has no such branch.
pub fn fetch(url: &str, branch: &str, cache: Option<&Path>) -> Result<(PathBuf, Oid)> {
    let target = Target::parse(url, branch, None, true)?;
    let repo = Repo::open(&target, cache)?;
    let git = repo.git.as_ref().ok_or_else(|| Error::environment(format!("{} is empty", target.location)))?;
    let tip = tips(git, &target, repo.remote.as_ref())?.tip;
    let tip = tip.ok_or_else(|| Error::environment(format!("{} has no branch {branch}", target.location)))?;
    Ok((git.path().to_owned(), tip))
}

impl Repo {
    /// Opens the repository of a target. An absent or empty folder is accepted, and made a repository by the first
    /// commit. A repository behind a URL is copied into the folder `cache`, and refused without one.
    ///
    /// # Errors
    /// An environment error if the path is something else, or cannot be read, or has no remote to push to.
    pub fn open(target: &Target, cache: Option<&Path>) -> Result<Self> {
        let (git, remote) = match &target.location {
            Location::Path(path) => {
                let git = open(path)?;
                let remote = target.push.then(|| configured(git.as_ref(), target)).transpose()?;
                (git, remote)
            }
            Location::Url(url) => {
                let git = copy(url, cache)?;
                let remote = remote(&git, target, url.clone(), "origin");
                (Some(git), Some(remote))
            }
        };
        let cache = Cache::load(&git.as_ref().map_or_else(PathBuf::new, |git| Cache::place(&ours(git))));
        Ok(Self { git, target: target.clone(), cache, memo: Memo::default(), remote })
    }

    /// Reads what the branch holds: here, or at the remote if that is further on.
    ///
    /// # Errors
    /// An environment error if the remote cannot be reached, has diverged, or an object that is needed cannot be read.
    pub fn baseline(&mut self) -> Result<Baseline> {
        let Some(git) = &self.git else { return Ok(Baseline::default()) };
        self.memo.borrow_mut().clear();
        let mut baseline = tips(git, &self.target, self.remote.as_ref())?;
        let Some(tip) = baseline.tip else { return Ok(baseline) };
        let odb = git.odb().map_err(|error| fault::git("cannot open the object database", &error))?;
        let path = self.target.path.as_deref();
        let root = tree::find(&odb, &self.memo, tree::of_commit(git, tip)?, path.unwrap_or_default())?;
        if let Some(root) = root.filter(|root| root.is_folder()) {
            let place = Place { tip, path, root: root.oid };
            (baseline.units, baseline.edits) = baseline::read(git, place, &self.memo, &mut self.cache)?;
            self.cache.save(&Cache::place(&ours(git)));
        }
        Ok(baseline)
    }

    /// Whether a commit would change anything; nothing is written.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit) that can be told beforehand.
    pub fn is_stale(&self, baseline: &Baseline, verified: &Verified, options: Options<'_>) -> Result<bool> {
        let changes = verified.changes();
        baseline.admit(changes, options.edits)?;
        match &self.git {
            Some(git) => Commit { git, memo: &self.memo, target: &self.target, remote: None, baseline, changes }
                .is_stale(options),
            None => Ok(!changes.write.is_empty()),
        }
    }

    /// Makes one commit of what is wanted on the commit that the baseline was read from, and pushes it if the target
    /// says so; the branch here follows only when the push has succeeded.
    ///
    /// # Errors
    /// A guard error if a file was edited by hand or a foreign file is in the way; an environment error if the
    /// repository, the remote or the disk fails. In every case the branch is where it was.
    pub fn commit(
        &mut self,
        baseline: &Baseline,
        verified: &Verified,
        message: &Message,
        options: Options<'_>,
    ) -> Result<Outcome> {
        let changes = verified.changes();
        baseline.admit(changes, options.edits)?;
        if baseline.tip.is_none() && changes.write.is_empty() {
            return Ok(Outcome::Unchanged { commit: None });
        }
        let git = match self.git.take() {
            Some(git) => git,
            None => create(&self.target)?,
        };
        let git = self.git.insert(git);
        let commit =
            Commit { git, memo: &self.memo, target: &self.target, remote: self.remote.as_ref(), baseline, changes };
        let (outcome, known) = commit.make(message, options)?;
        known.into_iter().for_each(|(tree, intact)| self.cache.put(tree, intact));
        self.cache.save(&Cache::place(&ours(git)));
        Ok(outcome)
    }
}

/// Where the branch is, here and at the remote, and which of the two is to be built on.
fn tips(git: &Repository, target: &Target, remote: Option<&Remote>) -> Result<Baseline> {
    let here = matches!(target.location, Location::Path(_));
    let local = if here { refs::tip(git, &target.reference())? } else { None };
    let Some(remote) = remote else { return Ok(Baseline { tip: local, local, ..Baseline::default() }) };
    let there = remote.tip()?;
    // That its commit is here says nothing of its trees: another writer's fetch, or one that was killed, may have brought
    // the one and not the others. A reference moves only once everything is here.
    if there.is_some() && there != local && there != refs::tip(git, &remote.tracking)? {
        let ours = ours(git);
        fs::create_dir_all(&ours).map_err(|error| fault::disk("create", &ours, &error))?;
        let _writer = Writer::of_file(&ours.join(LOCK))?;
        remote.fetch()?;
    }
    let follows = |one: Oid, two: Oid| {
        let found = git.graph_descendant_of(one, two);
        Ok::<_, Error>(one == two || found.map_err(|error| fault::git("cannot compare the branches", &error))?)
    };
    let tip = match (local, there) {
        (Some(local), Some(there)) if follows(there, local)? => Some(there),
        (Some(local), Some(there)) if follows(local, there)? => Some(local),
        (Some(_), Some(_)) => {
            let error = Error::environment(format!("{} and its remote have diverged", target.branch));
            return Err(error.hint("merge or rebase it in the clone: nothing is ever forced"));
        }
        (local, there) => there.or(local),
    };
    Ok(Baseline { tip, local, there, ..Baseline::default() })
}

/// The remote that a clone pushes its branch to.
fn configured(git: Option<&Repository>, target: &Target) -> Result<Remote> {
    let none = || {
        let error = Error::environment(format!("{} has no remote to push to", target.location));
        error.hint("add one with `git remote add origin URL`, or leave `--push` out")
    };
    let git = git.ok_or_else(none)?;
    let configured = git.branch_upstream_remote(&target.reference()).ok();
    let configured = configured.and_then(|name| name.as_str().ok().map(str::to_owned)).filter(|name| name != ".");
    let name = configured.unwrap_or_else(|| "origin".into());
    git.find_remote(&name).map_err(|_| none())?;
    Ok(remote(git, target, name.clone(), &name))
}

fn remote(git: &Repository, target: &Target, name: String, short: &str) -> Remote {
    let tracking = format!("refs/remotes/{short}/{}", target.branch);
    Remote { git: git.path().to_owned(), name, branch: target.reference(), tracking }
}

/// Our folder in a repository: lock, journal, drafts and cache.
pub(super) fn ours(git: &Repository) -> PathBuf {
    git.commondir().join("tenantry")
}

/// Opens a repository on this machine; `None` if there is nothing yet.
fn open(path: &Path) -> Result<Option<Repository>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault::disk("open the output repository", path, &error)),
    };
    if entries.into_iter().next().is_none() {
        return Ok(None);
    }
    let none: [&Path; 0] = [];
    match Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, none) {
        Ok(git) => Ok(Some(git)),
        Err(error) if error.code() == ErrorCode::NotFound => {
            let error = Error::environment(format!("{} is not a Git repository", path.display()));
            Err(match Repository::discover(path) {
                Ok(outer) => error.hint(format!(
                    "it lies in the repository {}: name that one, with `--path` for the folder in it",
                    outer.workdir().unwrap_or(outer.path()).display()
                )),
                Err(_) => error.hint("name an absent or empty folder to have one made, or run `git init` there"),
            })
        }
        Err(error) => Err(fault::git(format!("cannot open the output repository {}", path.display()), &error)),
    }
}

/// Makes a repository with a work tree, so that people can look at the files.
fn create(target: &Target) -> Result<Repository> {
    let Location::Path(path) = &target.location else {
        return Err(Error::internal("a remote repository cannot be made"));
    };
    init(path, RepositoryInitOptions::new().initial_head(&target.branch))
}

/// The copy of a remote repository; it is derived, and may be removed at any time.
fn copy(url: &str, cache: Option<&Path>) -> Result<Repository> {
    let cache = cache.ok_or_else(|| {
        Error::environment("there is no folder for copies of remote repositories").hint("set XDG_CACHE_HOME or HOME")
    })?;
    let digest = Digest::of(url.as_bytes()).to_string();
    let path = cache.join("repositories").join(format!("{}.git", &digest["sha256:".len()..][..32]));
    match open(&path)? {
        Some(git) => Ok(git),
        None => init(&path, RepositoryInitOptions::new().bare(true)),
    }
}

/// Makes a repository beside its place first, and renames it then: there is never half of one.
fn init(path: &Path, options: &mut RepositoryInitOptions) -> Result<Repository> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| Error::usage(format!("{} has no name", path.display())))?;
    fs::create_dir_all(parent).map_err(|error| fault::disk("create", parent, &error))?;
    let _writer = Writer::of_folder(parent)?;
    if let Some(made) = open(path)? {
        return Ok(made);
    }
    let draft = parent.join(format!(".{}.tenantry-new", name.to_string_lossy()));
    let _ = fs::remove_dir_all(&draft);
    let made = Repository::init_opts(&draft, options.no_reinit(true).external_template(false)).map(drop);
    let placed = made.map_err(|error| fault::git(format!("cannot make a repository in {}", path.display()), &error));
    let placed = placed
        .and_then(|()| fs::rename(&draft, path).map_err(|error| fault::disk("make a repository in", path, &error)));
    if placed.is_err() {
        let _ = fs::remove_dir_all(&draft);
    }
    placed?;
    Repository::open(path).map_err(|error| fault::git(format!("cannot open {}", path.display()), &error))
}
