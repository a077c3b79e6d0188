//! One commit on a branch of the fleet's own repository. Only the named files change; what else is staged or edited in the
//! work tree stays as it is.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use git2::build::TreeUpdateBuilder;
use git2::{ErrorCode, FileMode, ObjectType, Oid, Repository};

use crate::error::{Error, Result};

/// A file below the fleet's folder, and its bytes; `None` removes it.
pub type File<'a> = (&'a str, Option<&'a str>);

/// Where a fleet lies in its repository.
pub struct Place {
    /// The repository.
    pub git: Repository,
    /// The fleet's folder in it, with `/` behind; empty for the top.
    pub prefix: String,
}

impl Place {
    /// Finds the repository of a fleet; `None` if it lies in none.
    ///
    /// # Errors
    /// There is one, and it cannot be read.
    pub fn find(root: &Path) -> Result<Option<Self>> {
        let git = match Repository::discover(root) {
            Ok(git) => git,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(failed("cannot open the fleet's repository", &error)),
        };
        let real = |path: &Path| fs::canonicalize(path).ok();
        let below = git
            .workdir()
            .and_then(real)
            .zip(real(root))
            .and_then(|(top, root)| Some(root.strip_prefix(&top).ok()?.to_str()?.to_owned()));
        let Some(below) = below else { return Ok(None) };
        let prefix = if below.is_empty() { below } else { format!("{below}/") };
        Ok(Some(Self { git, prefix }))
    }

    /// The fleet's folder without the `/` behind.
    pub fn folder(&self) -> &str {
        self.prefix.trim_end_matches('/')
    }
}

/// The commit that a change is made on, and the branch that moves to it.
pub struct Ground {
    place: Place,
    /// The commit.
    pub base: Oid,
    /// Full name of the branch.
    reference: String,
    /// Whether the branch is there already.
    exists: bool,
    /// Whether it is checked out in the fleet's own work tree, which then comes along.
    is_head: bool,
}

impl Ground {
    /// Finds the ground of a commit: on `branch`, made from HEAD if absent; without one, on the branch that is checked out.
    ///
    /// # Errors
    /// The fleet lies in no repository, HEAD has no commit or no branch, or the branch is checked out elsewhere.
    pub fn find(root: &Path, branch: Option<&str>) -> Result<Self> {
        let place = Place::find(root)?.ok_or_else(|| {
            Error::environment(format!("{} lies in no Git repository", root.display()))
                .hint("run `git init` there and commit the fleet, or leave out --commit")
        })?;
        let git = &place.git;
        let head = git.head().map_err(|error| {
            failed("the fleet's repository has no commit yet", &error).hint("commit the fleet first")
        })?;
        let base = head.peel_to_commit().map_err(|error| failed("cannot read HEAD", &error))?.id();
        let at = head.is_branch().then(|| head.name().ok().map(str::to_owned)).flatten();
        let reference = match (branch, &at) {
            (Some(name), _) => format!("refs/heads/{name}"),
            (None, Some(at)) => at.clone(),
            (None, None) => {
                return Err(Error::usage("no branch is checked out").hint("name one: --branch NAME"));
            }
        };
        if !git2::Reference::is_valid_name(&reference) {
            let name = branch.unwrap_or_default();
            return Err(
                Error::usage(format!("{name:?} is no name of a branch")).hint("see `git help check-ref-format`")
            );
        }
        let is_head = at.as_deref() == Some(reference.as_str());
        let tip = match git.find_reference(&reference) {
            Ok(found) => Some(found.peel_to_commit().map_err(|error| failed("cannot read the branch", &error))?.id()),
            Err(error) if error.code() == ErrorCode::NotFound => None,
            Err(error) => return Err(failed("cannot read the branch", &error)),
        };
        drop(head);
        let ground = Self { base: tip.unwrap_or(base), exists: tip.is_some(), place, reference, is_head };
        if !is_head {
            ground.refuse_elsewhere()?;
        }
        Ok(ground)
    }

    /// Name of the branch.
    pub fn branch(&self) -> &str {
        self.reference.trim_start_matches("refs/heads/")
    }

    /// Where the fleet lies.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The text of a file of the fleet in the base; `None` if it is not there.
    ///
    /// # Errors
    /// It cannot be read, or is no ordinary file of text.
    pub fn read(&self, path: &str) -> Result<Option<String>> {
        let Some((oid, mode)) = self.entry(path)? else { return Ok(None) };
        if mode == i32::from(FileMode::Link) {
            return Err(Error::guard(format!("{path} is a link: it is not edited")).hint("put the file itself there"));
        }
        let blob = self.place.git.find_blob(oid).map_err(|error| failed(format!("cannot read {path}"), &error))?;
        String::from_utf8(blob.content().to_vec()).map(Some).map_err(|_| Error::user(format!("{path} is not UTF-8")))
    }

    /// Commits the files and moves the branch. The author is who Git's environment and configuration say.
    ///
    /// # Errors
    /// A guard error if a file was edited and not committed; an environment error if Git fails or somebody else moved the
    /// branch. The branch is where it was then.
    pub fn commit(&self, files: &[File<'_>], message: &str, seconds: Option<i64>) -> Result<Oid> {
        let git = &self.place.git;
        if self.is_head {
            files.iter().try_for_each(|(path, _)| self.refuse_edited(path))?;
        }
        let parent = git.find_commit(self.base).map_err(|error| failed("cannot read the base", &error))?;
        let base = parent.tree().map_err(|error| failed("cannot read the base", &error))?;
        let mut update = TreeUpdateBuilder::new();
        for (path, text) in files {
            let full = format!("{}{path}", self.place.prefix);
            match text {
                Some(text) => {
                    let oid = git.blob(text.as_bytes()).map_err(|error| failed("cannot write an object", &error))?;
                    let mode = self.entry(path)?.map_or(FileMode::Blob, |(_, mode)| match mode {
                        mode if mode == i32::from(FileMode::BlobExecutable) => FileMode::BlobExecutable,
                        _ => FileMode::Blob,
                    });
                    update.upsert(full, oid, mode);
                }
                None => drop(update.remove(full)),
            }
        }
        let tree = update.create_updated(git, &base).map_err(|error| failed("cannot write an object", &error))?;
        let commit = self.object(tree, message, seconds)?;
        if self.is_head {
            self.bring_along(files)?;
        }
        self.advance(commit)?;
        Ok(commit)
    }

    /// Blob and mode of a file in the base.
    fn entry(&self, path: &str) -> Result<Option<(Oid, i32)>> {
        let unreadable = |error: git2::Error| failed(format!("cannot read {path}"), &error);
        let commit = self.place.git.find_commit(self.base).map_err(unreadable)?;
        let found = commit.tree().and_then(|tree| tree.get_path(Path::new(&format!("{}{path}", self.place.prefix))));
        match found {
            Ok(entry) if entry.kind() == Some(ObjectType::Blob) => Ok(Some((entry.id(), entry.filemode()))),
            Ok(_) => Err(Error::user(format!("{path} is no file"))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(unreadable(error)),
        }
    }

    /// Makes the commit object with the machine's own `git`, which knows who commits and whether to sign.
    fn object(&self, tree: Oid, message: &str, seconds: Option<i64>) -> Result<Oid> {
        let git = &self.place.git;
        let signs = git.config().and_then(|config| config.get_bool("commit.gpgsign")).unwrap_or(false);
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(git.path()).args(["commit-tree", &tree.to_string(), "-p", &self.base.to_string()]);
        if signs {
            command.arg("-S");
        }
        if let Some(seconds) = seconds {
            for name in ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"] {
                if std::env::var_os(name).is_none() {
                    command.env(name, format!("@{seconds} +0000"));
                }
            }
        }
        command.env_remove("GIT_INDEX_FILE").env_remove("GIT_WORK_TREE").env("LC_ALL", "C");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let broken = |error: std::io::Error| {
            Error::environment("cannot run `git`").cause(error).hint("install Git: it makes the commit")
        };
        let mut child = command.spawn().map_err(broken)?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(message.as_bytes()).map_err(broken)?;
        }
        let output = child.wait_with_output().map_err(broken)?;
        let said = String::from_utf8_lossy(&output.stderr);
        let made = String::from_utf8_lossy(&output.stdout);
        match Oid::from_str(made.trim()) {
            Ok(oid) if output.status.success() => Ok(oid),
            _ => {
                let error = Error::environment("Git makes no commit");
                let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
                Err(lines.fold(error, Error::cause).hint("git config user.name and user.email say who commits"))
            }
        }
    }

    fn advance(&self, commit: Oid) -> Result<()> {
        let git = &self.place.git;
        let note = "tenantry: change of the fleet";
        let moved = match self.exists {
            true => git.reference_matching(&self.reference, commit, true, self.base, note),
            false => git.reference(&self.reference, commit, false, note),
        };
        moved.map(drop).map_err(|error| {
            failed(format!("{} was moved by somebody else", self.branch()), &error).hint("run it again on the new tip")
        })
    }

    /// Files and index of the work tree are brought to the commit before the branch moves to it.
    fn bring_along(&self, files: &[File<'_>]) -> Result<()> {
        let git = &self.place.git;
        let mut index = git.index().map_err(|error| failed("cannot read the index", &error))?;
        for (path, text) in files {
            let full = format!("{}{path}", self.place.prefix);
            let file = self.on_disk(path);
            let done = match text {
                Some(text) => write(&file, text).and_then(|()| {
                    index.add_path(Path::new(&full)).map_err(|error| failed("cannot write the index", &error))
                }),
                None => fs::remove_file(&file)
                    .map_err(|error| Error::environment(format!("cannot remove {path}")).cause(error))
                    .and_then(|()| {
                        index.remove_path(Path::new(&full)).map_err(|error| failed("cannot write the index", &error))
                    }),
            };
            done?;
        }
        index.write().map_err(|error| failed("cannot write the index", &error))
    }

    fn on_disk(&self, path: &str) -> PathBuf {
        let top = self.place.git.workdir().unwrap_or(Path::new("."));
        top.join(format!("{}{path}", self.place.prefix))
    }

    /// A file with changes that nobody committed is not overwritten.
    fn refuse_edited(&self, path: &str) -> Result<()> {
        let full = format!("{}{path}", self.place.prefix);
        let staged = self.place.git.index().map_err(|error| failed("cannot read the index", &error))?;
        let staged = staged.get_path(Path::new(&full), 0).map(|entry| entry.id);
        let committed = self.entry(path)?.map(|(oid, _)| oid);
        let there = match fs::read(self.on_disk(path)) {
            Ok(bytes) => Oid::hash_object(ObjectType::Blob, &bytes).ok(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::environment(format!("cannot read {path}")).cause(error)),
        };
        if staged == committed && there == committed {
            return Ok(());
        }
        Err(Error::guard(format!("{path} has changes that are not committed"))
            .hint("commit or stash them first, or use --branch: it starts from what is committed"))
    }

    /// A branch that another work tree has checked out may not move under it.
    fn refuse_elsewhere(&self) -> Result<()> {
        let git = &self.place.git;
        let Ok(names) = git.worktrees() else { return Ok(()) };
        for name in names.iter().flatten().flatten() {
            let other = git.find_worktree(name).and_then(|found| Repository::open_from_worktree(&found));
            let at = other.ok().and_then(|other| other.head().ok()?.name().ok().map(str::to_owned));
            if at.as_deref() == Some(self.reference.as_str()) {
                return Err(Error::guard(format!("{} is checked out in the work tree {name}", self.branch()))
                    .hint("choose another branch, or run it there"));
            }
        }
        Ok(())
    }
}

/// Writes a file beside its place first: it is never there by half.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let failed = |error: std::io::Error| Error::environment(format!("cannot write {}", path.display())).cause(error);
    let draft = draft(path);
    let written = fs::write(&draft, text).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written.map_err(failed)
}

/// A hidden name beside a file.
pub(crate) fn draft(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!(".{name}.{}~", std::process::id()))
}

fn failed(what: impl Into<String>, error: &git2::Error) -> Error {
    Error::environment(what).cause(error.message())
}
