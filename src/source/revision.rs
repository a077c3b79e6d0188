//! Reads the files of a fleet from a revision of the repository that it lies in. Nothing is checked out.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult};
use rayon::prelude::*;

use super::{MAX_FILE_BYTES, Source, decode, is_wanted};
use crate::error::{Error, Result};
use crate::finding::{Finding, Location};

/// Blobs that one thread reads with one handle.
const MANY: usize = 512;
/// Mode of a symbolic link.
const LINK: i32 = 0o120_000;
/// Links that may lead to each other.
const LINKS: usize = 8;
/// Files of the top folder.
const TOP: [&str; 2] = ["install.yaml", "compatibility.yaml"];
/// Files of a chart that are read as text.
const CHART: [&str; 3] = ["Chart.yaml", "values.schema.json", "values.yaml"];

/// A file of the revision.
struct Found {
    path: String,
    oid: Oid,
}

/// Reads the fleet in `folder` (empty for the top) of a commit, as [`super::load`] reads one from disk. A commit without a
/// fleet there is an empty source.
///
/// # Errors
/// The repository or the commit cannot be read. What is wrong with single files is found in [`Source::findings`].
pub fn at(repository: &Path, commit: Oid, folder: &str) -> Result<Source> {
    let broken = |error: git2::Error| {
        let error = Error::environment(format!("cannot read the commit {commit}")).cause(error.message());
        error.hint("a shallow clone lacks old commits: fetch the whole history (fetch-depth: 0)")
    };
    let git = Repository::open(repository).map_err(broken)?;
    let root = git.find_commit(commit).and_then(|commit| commit.tree()).map_err(broken)?;
    let tree = match folder {
        "" => root,
        folder => match root.get_path(Path::new(folder)).and_then(|entry| entry.to_object(&git)?.peel_to_tree()) {
            Ok(tree) => tree,
            Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(Source::default()),
            Err(error) => return Err(broken(error)),
        },
    };
    let mut source = Source::default();
    let (mut texts, mut charts) = (Vec::new(), Vec::new());
    tree.walk(TreeWalkMode::PreOrder, |parent, entry| {
        let path = format!("{parent}{}", String::from_utf8_lossy(entry.name_bytes()));
        if entry.kind() == Some(ObjectType::Tree) {
            return if is_part(&path) { TreeWalkResult::Ok } else { TreeWalkResult::Skip };
        }
        let (text, chart) = (is_text(&path), path.starts_with("charts/"));
        if !text && !chart {
            return TreeWalkResult::Ok;
        }
        match resolve(&git, &tree, &path, entry.id(), entry.filemode()) {
            Ok(oid) => {
                if text {
                    texts.push(Found { path: path.clone(), oid });
                }
                if chart {
                    charts.push(Found { path, oid });
                }
            }
            Err(finding) => source.findings.push(*finding),
        }
        TreeWalkResult::Ok
    })
    .map_err(broken)?;
    for (path, bytes) in blobs(git.path(), &texts).map_err(broken)? {
        match decode(&path, bytes) {
            Ok(text) => drop(source.files.insert(path, text)),
            Err(finding) => source.findings.push(finding),
        }
    }
    source.charts = blobs(git.path(), &charts).map_err(broken)?;
    source.findings.sort();
    Ok(source)
}

/// Whether a folder is part of a fleet.
fn is_part(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let top = path.split('/').next().unwrap_or(path);
    matches!(top, "tenants" | "policies" | "templates" | "charts") && (top == "charts" || !name.starts_with('.'))
}

/// Whether a file is read as text.
fn is_text(path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return TOP.contains(&path) };
    if name.starts_with('.') || name.ends_with('~') {
        return false;
    }
    match folder.strip_prefix("charts/") {
        Some("soctalk-system" | "soctalk-tenant") => CHART.contains(&name),
        Some(_) => false,
        None => folder != "charts" && is_wanted(folder, name),
    }
}

/// The blob of a file; links are followed inside the revision only.
fn resolve(
    git: &Repository,
    tree: &git2::Tree<'_>,
    path: &str,
    oid: Oid,
    mode: i32,
) -> std::result::Result<Oid, Box<Finding>> {
    let refuse = || {
        let finding = Finding::invalid("source/outside", format!("{path} is a link that leads out of the fleet"));
        Box::new(finding.at(Location::file(path)).hint("put the file itself here"))
    };
    let (mut path_now, mut oid, mut mode) = (path.to_owned(), oid, mode);
    for _ in 0..LINKS {
        if mode != LINK {
            return Ok(oid);
        }
        let target = git.find_blob(oid).map_err(|_| refuse())?;
        let target = std::str::from_utf8(target.content()).map_err(|_| refuse())?;
        path_now = joined(&path_now, target).ok_or_else(refuse)?;
        let entry = tree.get_path(Path::new(&path_now)).map_err(|_| refuse())?;
        (oid, mode) = (entry.id(), entry.filemode());
    }
    Err(refuse())
}

/// The path that a link in a file's place leads to; `None` if it leads out.
fn joined(path: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Reads blobs, on all cores if there are many.
fn blobs(repository: &Path, found: &[Found]) -> std::result::Result<BTreeMap<String, Vec<u8>>, git2::Error> {
    let pieces: Vec<Vec<(String, Vec<u8>)>> = found
        .par_chunks(MANY)
        .map(|piece| {
            let git = Repository::open(repository)?;
            let odb = git.odb()?;
            let read = piece.iter().map(|one| {
                let (size, _) = odb.read_header(one.oid)?;
                // One byte more than is allowed is enough to refuse it.
                let bytes =
                    if size as u64 > MAX_FILE_BYTES { vec![0; size] } else { odb.read(one.oid)?.data().to_vec() };
                Ok((one.path.clone(), bytes))
            });
            read.collect()
        })
        .collect::<std::result::Result<_, git2::Error>>()?;
    Ok(pieces.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn git(folder: &Path, args: &[&str]) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@t"];
        let done = Command::new("git").arg("-C").arg(folder).args(identity).args(args).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    #[test]
    fn a_revision_gives_the_files_that_the_folder_gave() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let scratch = tempfile::tempdir().unwrap();
        let fleet = scratch.path().join("fleet");
        let from_disk = super::super::load(own).unwrap();
        for (path, bytes) in from_disk
            .charts
            .iter()
            .map(|(path, bytes)| (path, bytes.clone()))
            .chain(from_disk.files.iter().map(|(path, text)| (path, text.clone().into_bytes())))
        {
            let path = fleet.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        std::fs::write(fleet.join("tenants/.swp"), "x").unwrap();
        git(scratch.path(), &["init", "-q"]);
        git(scratch.path(), &["add", "-A"]);
        git(scratch.path(), &["commit", "-q", "-m", "x"]);
        let head = Repository::open(scratch.path()).unwrap().head().unwrap().target().unwrap();
        let found = at(scratch.path(), head, "fleet").unwrap();
        assert_eq!(found.files, from_disk.files);
        assert_eq!(found.charts, from_disk.charts);
        assert_eq!(found.findings, []);
        assert!(at(scratch.path(), head, "").unwrap().files.is_empty(), "there is no fleet at the top");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_inside_the_fleet_and_refused_outside() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::create_dir(scratch.path().join("tenants")).unwrap();
        std::fs::write(scratch.path().join("install.yaml"), "a: b\n").unwrap();
        std::os::unix::fs::symlink("../install.yaml", scratch.path().join("tenants/in.yaml")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", scratch.path().join("tenants/out.yaml")).unwrap();
        std::os::unix::fs::symlink("loop.yaml", scratch.path().join("tenants/loop.yaml")).unwrap();
        git(scratch.path(), &["init", "-q"]);
        git(scratch.path(), &["add", "-A"]);
        git(scratch.path(), &["commit", "-q", "-m", "x"]);
        let head = Repository::open(scratch.path()).unwrap().head().unwrap().target().unwrap();
        let found = at(scratch.path(), head, "").unwrap();
        assert_eq!(found.text("tenants/in.yaml"), Some("a: b\n"));
        let refused: Vec<&str> = found.findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(refused, ["source/outside", "source/outside"]);
    }
}
