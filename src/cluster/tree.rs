//! The committed tree of a cluster: from a commit of a Git repository, or from a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use git2::{ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult};
use sha2::{Digest as _, Sha256};

use crate::drift::desired::Files;
use crate::error::{Error, Result};

/// The files of one cluster at one commit. Nothing is checked out.
pub struct Commit {
    /// The commit.
    pub id: Oid,
    repository: PathBuf,
    prefix: String,
    blobs: BTreeMap<String, Oid>,
    /// A repository handle serves one thread; idle ones wait here.
    handles: Mutex<Vec<Repository>>,
}

/// Which commit of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// The tip of a branch: here, or else as the remote `origin` last had it.
    Branch(String),
    /// Whatever Git understands: a tag, a commit, `main~2`.
    Named(String),
}

impl Commit {
    /// The folder `clusters/<cluster>` below `path` at a revision.
    ///
    /// # Errors
    /// A repository or revision that cannot be read, or one without that cluster.
    pub fn open(repository: &Path, revision: &Revision, path: &str, cluster: &str) -> Result<Self> {
        let repo = open(repository)?;
        let commit = revision.find(&repo)?;
        let id = commit.id();
        let broken = |error: git2::Error| {
            Error::environment(format!("cannot read the commit {id}")).cause(error.message().to_owned())
        };
        let prefix = format!("{}{cluster}", clusters_folder(path));
        let tree = commit.tree().map_err(broken)?;
        let folder = subtree(&repo, &tree, &prefix).map_err(|_| no_cluster(&format!("the commit {id}"), &prefix))?;
        let blobs = blobs(&folder).map_err(broken)?;
        drop((folder, tree, commit));
        let handles = Mutex::new(vec![repo]);
        Ok(Commit { id, repository: repository.to_owned(), prefix, blobs, handles })
    }

    /// The folder of the cluster, from the root of the repository.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl Revision {
    /// The commit that it is now.
    ///
    /// # Errors
    /// A repository that cannot be read, or one without it.
    pub fn resolve(&self, repository: &Path) -> Result<Oid> {
        let repo = open(repository)?;
        let id = self.find(&repo)?.id();
        Ok(id)
    }

    /// Whether a commit has another one behind it.
    ///
    /// # Errors
    /// A repository that cannot be read.
    pub fn follows(repository: &Path, newer: &str, older: &str) -> Result<bool> {
        let repo = open(repository)?;
        let id = |text: &str| repo.revparse_single(text).map(|object| object.id());
        let follows = || {
            let (newer, older) = (id(newer)?, id(older)?);
            Ok(newer == older || repo.graph_descendant_of(newer, older)?)
        };
        follows().map_err(|error: git2::Error| {
            Error::environment("cannot compare two commits").cause(error.message().to_owned())
        })
    }

    fn find<'r>(&self, repo: &'r Repository) -> Result<git2::Commit<'r>> {
        let names = match self {
            Revision::Branch(branch) => vec![format!("refs/heads/{branch}"), format!("refs/remotes/origin/{branch}")],
            Revision::Named(name) => vec![name.clone()],
        };
        let find = |name: &String| repo.revparse_single(name).and_then(|object| object.peel_to_commit()).ok();
        names.iter().find_map(find).ok_or_else(|| self.absent(repo))
    }

    fn absent(&self, repo: &Repository) -> Error {
        let what = match self {
            Revision::Branch(branch) => format!("branch {branch}"),
            Revision::Named(name) => format!("revision {name}"),
        };
        let error = Error::environment(format!("the repository has no {what}"));
        match branches(repo).as_slice() {
            [] => error.hint("it has no branch at all: `tenantry render` makes the first commit"),
            known => error.hint(format!("name one with --branch or --rev; it has: {}", known.join(", "))),
        }
    }
}

fn branches(repo: &Repository) -> Vec<String> {
    let names = repo.branches(None).map(|branches| {
        let names = branches.filter_map(|branch| branch.ok()?.0.name().ok().flatten().map(str::to_owned));
        names.collect()
    });
    names.unwrap_or_default()
}

fn open(repository: &Path) -> Result<Repository> {
    Repository::open(repository).map_err(|error| {
        Error::environment(format!("cannot open the repository {}", repository.display()))
            .cause(error.message().to_owned())
            .hint("name it with --repo; a folder that is no repository with --tree")
    })
}

fn no_cluster(what: &str, prefix: &str) -> Error {
    Error::usage(format!("{what} has no {prefix}")).hint("name the cluster with --cluster, and the folder with --path")
}

/// `clusters/`, below the folder of the repository that the tree lies in.
fn clusters_folder(path: &str) -> String {
    match path.trim_matches('/') {
        "" | "." => "clusters/".to_owned(),
        path => format!("{path}/clusters/"),
    }
}

/// The clusters of a revision.
///
/// # Errors
/// A repository or revision that cannot be read.
pub fn clusters_of(repository: &Path, revision: &Revision, path: &str) -> Result<Vec<String>> {
    let repo = open(repository)?;
    let commit = revision.find(&repo)?;
    let tree = commit.tree().map_err(|error| {
        Error::environment(format!("cannot read the commit {}", commit.id())).cause(error.message().to_owned())
    })?;
    Ok(clusters(&repo, &tree, clusters_folder(path).trim_end_matches('/')))
}

fn subtree<'r>(
    repo: &'r Repository,
    tree: &git2::Tree<'_>,
    path: &str,
) -> std::result::Result<git2::Tree<'r>, git2::Error> {
    tree.get_path(Path::new(path))?.to_object(repo)?.peel_to_tree()
}

fn blobs(folder: &git2::Tree<'_>) -> std::result::Result<BTreeMap<String, Oid>, git2::Error> {
    let mut blobs = BTreeMap::new();
    folder.walk(TreeWalkMode::PreOrder, |parent, entry| {
        if entry.kind() == Some(ObjectType::Blob) {
            blobs.insert(format!("{parent}{}", String::from_utf8_lossy(entry.name_bytes())), entry.id());
        }
        TreeWalkResult::Ok
    })?;
    Ok(blobs)
}

fn clusters(repo: &Repository, tree: &git2::Tree<'_>, folder: &str) -> Vec<String> {
    let names = subtree(repo, tree, folder).map(|folder| {
        let folders = folder.iter().filter(|entry| entry.kind() == Some(ObjectType::Tree));
        folders.map(|entry| String::from_utf8_lossy(entry.name_bytes()).into_owned()).collect()
    });
    names.unwrap_or_default()
}

impl Files for Commit {
    fn list(&self) -> std::result::Result<Vec<String>, String> {
        Ok(self.blobs.keys().cloned().collect())
    }

    fn read(&self, path: &str) -> std::result::Result<Vec<u8>, String> {
        let id = *self.blobs.get(path).ok_or_else(|| "no such file in the commit".to_owned())?;
        let idle = self.handles.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let repo = match idle {
            Some(repo) => repo,
            None => Repository::open(&self.repository).map_err(|error| error.message().to_owned())?,
        };
        let content =
            repo.find_blob(id).map(|blob| blob.content().to_vec()).map_err(|error| error.message().to_owned());
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).push(repo);
        content
    }
}

/// The files of a folder, for a tree that is no repository.
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder `clusters/<cluster>` below a root.
    ///
    /// # Errors
    /// A root without that cluster.
    pub fn open(root: &Path, cluster: &str) -> Result<Self> {
        let folder = root.join("clusters").join(cluster);
        if !folder.is_dir() {
            return Err(no_cluster(&root.display().to_string(), &format!("clusters/{cluster}")));
        }
        Ok(Folder { root: folder })
    }
}

/// The clusters of a folder.
///
/// # Errors
/// A folder that cannot be read.
pub fn clusters_in(root: &Path) -> Result<Vec<String>> {
    let read = || {
        let entries = std::fs::read_dir(root.join("clusters"))?.collect::<std::io::Result<Vec<_>>>()?;
        let folders = entries.iter().filter(|entry| entry.path().is_dir());
        let mut names: Vec<String> = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        Ok(names)
    };
    read().map_err(|error: std::io::Error| {
        Error::environment(format!("cannot read the clusters of {}", root.display()))
            .cause(error)
            .hint("name a folder that `tenantry render --out` wrote")
    })
}

impl Folder {
    /// A digest of what the folder looks like: names, sizes and times of its files. Another content has another one, unless
    /// somebody sets clocks back.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn digest(&self) -> Result<String> {
        let unreadable = |error: &dyn std::fmt::Display| {
            Error::environment(format!("cannot read the folder {}", self.root.display())).cause(error)
        };
        let paths = self.list().map_err(|reason| unreadable(&reason))?;
        digest_of(&self.root, paths).map_err(|error| unreadable(&error))
    }
}

/// A digest of what parts of a folder look like, as [`Folder::digest`]; parts are files and folders. What is not there
/// counts as such.
///
/// # Errors
/// What cannot be read.
pub fn appearance(root: &Path, parts: &[&str]) -> std::io::Result<String> {
    let mut paths = Vec::new();
    for part in parts {
        let path = root.join(part);
        if path.is_dir() {
            walk(&path, &format!("{part}/"), &mut paths)?;
        } else if path.exists() {
            paths.push((*part).to_owned());
        }
    }
    paths.sort();
    digest_of(root, paths)
}

fn digest_of(root: &Path, paths: Vec<String>) -> std::io::Result<String> {
    let mut digest = Sha256::new();
    for path in paths {
        let metadata = std::fs::metadata(root.join(&path))?;
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let nanoseconds = modified.map_or(0, |time| time.as_nanos());
        digest.update(format!("{path}\0{}\0{nanoseconds}\n", metadata.len()));
    }
    Ok(digest.finalize().iter().take(20).map(|byte| format!("{byte:02x}")).collect())
}

impl Files for Folder {
    fn list(&self) -> std::result::Result<Vec<String>, String> {
        let mut paths = Vec::new();
        walk(&self.root, "", &mut paths).map_err(|error| format!("{}: {error}", self.root.display()))?;
        paths.sort();
        Ok(paths)
    }

    fn read(&self, path: &str) -> std::result::Result<Vec<u8>, String> {
        std::fs::read(self.root.join(path)).map_err(|error| error.to_string())
    }
}

fn walk(folder: &Path, prefix: &str, paths: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Links are not followed: what they point to is not in the tree.
        let kind = entry.file_type()?;
        if kind.is_dir() && name != ".git" {
            walk(&entry.path(), &format!("{prefix}{name}/"), paths)?;
        } else if kind.is_file() {
            paths.push(format!("{prefix}{name}"));
        }
    }
    Ok(())
}
