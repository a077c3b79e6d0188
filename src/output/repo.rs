//! An output repository: open it, read its baseline, make one commit on it.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Oid, Repository, RepositoryInitOptions, RepositoryOpenFlags};

use super::baseline;
use super::cache::Cache;
use super::checkout::{self, Checkout};
use super::compose::{self, Order};
use super::fault;
use super::files::Work;
use super::lock::Writer;
use super::message::{Identity, Message};
use super::refs::{self, Moved};
use super::target::{Location, Target};
use super::tree;
use super::units::{Baseline, Edits, Intact};
use crate::error::{Error, Result};
use crate::manifest::tree::Changes;

/// How often a write is planned again because somebody else was faster.
const ATTEMPTS: usize = 20;

/// A repository that rendered trees are committed to. It is made by the first commit if it is absent.
pub struct Repo {
    git: Option<Repository>,
    target: Target,
    cache: Cache,
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
/// What reading, planning or committing fails with; a guard error after 20 attempts.
pub fn publish(
    repo: &mut Repo,
    options: Options<'_>,
    mut plan: impl FnMut(&Baseline) -> Result<(Changes, Message)>,
) -> Result<Outcome> {
    for _ in 0..ATTEMPTS {
        let baseline = repo.baseline()?;
        let (changes, message) = plan(&baseline)?;
        match repo.commit(&baseline, &changes, &message, options)? {
            Outcome::Moved { .. } => {}
            done => return Ok(done),
        }
    }
    Err(Error::environment(format!("{} moved on {ATTEMPTS} times while a commit was made for it", repo.target.branch))
        .hint("somebody commits to it without pause: run again when it is quiet"))
}

impl Repo {
    /// Opens the repository of a target; an absent or empty folder is accepted, and made a repository by the first
    /// commit.
    ///
    /// # Errors
    /// An environment error if the path is something else, or cannot be read.
    pub fn open(target: &Target, _cache: Option<&Path>) -> Result<Self> {
        let git = match &target.location {
            Location::Path(path) => open(path)?,
            Location::Url(_) => return Err(Error::environment("remote repositories are not supported yet")),
        };
        let cache = Cache::load(&git.as_ref().map_or_else(PathBuf::new, |git| Cache::place(&ours(git))));
        Ok(Self { git, target: target.clone(), cache })
    }

    /// Reads what the branch holds.
    ///
    /// # Errors
    /// An environment error if an object that is needed cannot be read.
    pub fn baseline(&mut self) -> Result<Baseline> {
        let Some(git) = &self.git else { return Ok(Baseline::default()) };
        let Some(tip) = refs::tip(git, &self.target.reference())? else { return Ok(Baseline::default()) };
        let odb = git.odb().map_err(|error| fault::git("cannot open the object database", &error))?;
        let path = self.target.path.as_deref();
        let root = tree::find(&odb, tree::of_commit(git, tip)?, path.unwrap_or_default())?;
        let Some(root) = root.filter(|root| root.is_folder()) else {
            return Ok(Baseline { tip: Some(tip), ..Baseline::default() });
        };
        let (units, edits) = baseline::read(git, tip, root.oid, path, &mut self.cache)?;
        self.cache.save(&Cache::place(&ours(git)));
        Ok(Baseline { tip: Some(tip), units, edits })
    }

    /// Makes one commit of what is wanted on the commit that the baseline was read from.
    ///
    /// # Errors
    /// A guard error if a file was edited by hand or a foreign file is in the way; an environment error if the
    /// repository or the disk fails. In every case the branch is where it was.
    pub fn commit(
        &mut self,
        baseline: &Baseline,
        changes: &Changes,
        message: &Message,
        options: Options<'_>,
    ) -> Result<Outcome> {
        baseline.admit(changes, options.edits)?;
        if baseline.tip.is_none() && changes.write.is_empty() {
            return Ok(Outcome::Unchanged { commit: None });
        }
        let git = match self.git.take() {
            Some(git) => git,
            None => create(&self.target)?,
        };
        let git = self.git.insert(git);
        let commit = Commit { git, target: &self.target, baseline, changes };
        let (outcome, known) = commit.make(message, options)?;
        known.into_iter().for_each(|(tree, intact)| self.cache.put(tree, intact));
        self.cache.save(&Cache::place(&ours(git)));
        Ok(outcome)
    }
}

/// Trees of units that were written, and what is known of them.
type Known = Vec<(Oid, Intact)>;

/// One commit on its way.
struct Commit<'a> {
    git: &'a Repository,
    target: &'a Target,
    baseline: &'a Baseline,
    changes: &'a Changes,
}

impl Commit<'_> {
    fn make(&self, message: &Message, options: Options<'_>) -> Result<(Outcome, Known)> {
        let (git, parent) = (self.git, self.baseline.tip);
        let old = parent.map(|parent| tree::of_commit(git, parent)).transpose()?;
        let path = self.target.path.as_deref();
        let (ours, branch) = (ours(git), self.target.reference());
        let work = checkout::concerned(git, &branch)?;
        let (baseline, changes) = (self.baseline, self.changes);
        let order = Order { old, path, baseline, changes, tool_version: options.tool_version, list: work.is_some() };
        let mut composed = compose::compose(git, order)?;
        let known = std::mem::take(&mut composed.known);
        if old == Some(composed.tree) {
            return Ok((Outcome::Unchanged { commit: parent }, known));
        }
        let author = message.author.clone().unwrap_or_else(|| Identity::configured(git));
        let bytes = message.commit(composed.tree, composed.units, parent, &author)?;
        let commit = composed.pack.add(ObjectType::Commit, &bytes, None);

        fs::create_dir_all(&ours).map_err(|error| fault::disk("create", &ours, &error))?;
        let _writer = Writer::of_file(&ours.join("lock"))?;
        checkout::recover(git, &ours)?;
        let tip = refs::tip(git, &branch)?;
        if tip != parent {
            return Ok((Outcome::Moved { tip }, known));
        }
        let checkout = work.map(|root| Checkout {
            git,
            work: Work { root, ours: &ours },
            changes: std::mem::take(&mut composed.changes),
        });
        if let Some(checkout) = &checkout {
            checkout.admit()?;
        }
        composed.pack.write(&git.commondir().join("objects/pack"))?;
        if checkout.is_some() {
            checkout::announce(&ours, &branch, old, composed.tree)?;
        }
        let moved = refs::advance(git, &ours, &branch, (parent, commit), (&author, message.time));
        if !matches!(moved, Ok(Moved::Yes)) {
            checkout::done(&ours);
        }
        if let Moved::No(tip) = moved? {
            return Ok((Outcome::Moved { tip }, known));
        }
        let committed = Committed {
            commit,
            parent,
            tree: composed.units,
            written: composed.written,
            same: composed.same,
            kept: self.changes.keep.len(),
            removed: composed.removed,
            work_tree: checkout.map_or(WorkTree::None, |checkout| bring_along(&checkout, &ours)),
        };
        Ok((Outcome::Committed(committed), known))
    }
}

/// The commit stands; what hinders the work tree is told, and no failure of the run.
fn bring_along(checkout: &Checkout<'_>, ours: &Path) -> WorkTree {
    match checkout.apply() {
        Ok(paths) if paths.is_empty() => {
            checkout::done(ours);
            WorkTree::Updated { files: checkout.changes.len() }
        }
        Ok(paths) => {
            checkout::done(ours);
            WorkTree::Left { reason: "they changed while the commit was made".into(), paths }
        }
        Err(error) => WorkTree::Left { reason: error.to_string(), paths: Vec::new() },
    }
}

/// Our folder in a repository: lock, journal, drafts and cache.
fn ours(git: &Repository) -> PathBuf {
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

/// Makes a repository with a work tree, so that people can look at the files; beside its place first, then renamed.
fn create(target: &Target) -> Result<Repository> {
    let Location::Path(path) = &target.location else {
        return Err(Error::internal("a remote repository cannot be made"));
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| Error::usage(format!("{} has no name", path.display())))?;
    fs::create_dir_all(parent).map_err(|error| fault::disk("create", parent, &error))?;
    let _writer = Writer::of_folder(parent)?;
    if let Some(made) = open(path)? {
        return Ok(made);
    }
    let draft = parent.join(format!(".{}.tenantry-new", name.to_string_lossy()));
    let _ = fs::remove_dir_all(&draft);
    let mut options = RepositoryInitOptions::new();
    options.no_reinit(true).external_template(false).initial_head(&target.branch);
    let made = Repository::init_opts(&draft, &options).map(drop);
    let placed = made.map_err(|error| fault::git(format!("cannot make a repository in {}", path.display()), &error));
    let placed = placed
        .and_then(|()| fs::rename(&draft, path).map_err(|error| fault::disk("make a repository in", path, &error)));
    if placed.is_err() {
        let _ = fs::remove_dir_all(&draft);
    }
    placed?;
    Repository::open(path).map_err(|error| fault::git(format!("cannot open {}", path.display()), &error))
}
