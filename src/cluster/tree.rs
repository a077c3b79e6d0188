//! The committed tree of a cluster: from a commit of a Git repository, or from a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use git2::{ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult};

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

impl Commit {
    /// The folder `clusters/<cluster>` at a revision (branch, tag, commit).
    ///
    /// # Errors
    /// A repository or revision that cannot be read, or one without that cluster.
    pub fn open(repository: &Path, revision: &str, cluster: &str) -> Result<Self> {
        let failed = |what: String, error: git2::Error| Error::environment(what).cause(error.message());
        let repo = Repository::open(repository)
            .map_err(|error| failed(format!("cannot open the repository {}", repository.display()), error))?;
        let commit = repo
            .revparse_single(revision)
            .and_then(|object| object.peel_to_commit())
            .map_err(|error| failed(format!("cannot find the revision {revision}"), error))?;
        let id = commit.id();
        let prefix = format!("clusters/{cluster}");
        let tree = commit.tree().map_err(|error| failed(format!("cannot read the commit {id}"), error))?;
        let Ok(folder) = subtree(&repo, &tree, &prefix) else {
            let known = clusters(&repo, &tree).join(", ");
            return Err(Error::usage(format!("the commit {id} has no {prefix}"))
                .hint(format!("name a cluster with --cluster; the commit has: {known}")));
        };
        let blobs =
            blobs(&folder).map_err(|error| failed(format!("cannot read {prefix} of the commit {id}"), error))?;
        drop((folder, tree, commit));
        let handles = Mutex::new(vec![repo]);
        Ok(Commit { id, repository: repository.to_owned(), prefix, blobs, handles })
    }

    /// The path of a file from the root of the repository.
    pub fn full_path(&self, path: &str) -> String {
        format!("{}/{path}", self.prefix)
    }
}

/// The clusters of a revision.
///
/// # Errors
/// A repository or revision that cannot be read.
pub fn clusters_of(repository: &Path, revision: &str) -> Result<Vec<String>> {
    let read = || {
        let repo = Repository::open(repository)?;
        let tree = repo.revparse_single(revision)?.peel_to_commit()?.tree()?;
        Ok(clusters(&repo, &tree))
    };
    read().map_err(|error: git2::Error| {
        Error::environment(format!("cannot read {revision} of {}", repository.display())).cause(error.message())
    })
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

fn clusters(repo: &Repository, tree: &git2::Tree<'_>) -> Vec<String> {
    let names = subtree(repo, tree, "clusters").map(|folder| {
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

/// The files of a folder, for a checkout that is mounted.
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder of one cluster.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Folder { root: root.into() }
    }
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
