//! Writes files of the fleet: all of them or, if one fails, none.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::proposal::FileChange;
use crate::error::{Error, Result};
use crate::history;

/// A file that was made ready beside its place.
struct Ready<'a> {
    change: &'a FileChange,
    file: PathBuf,
    draft: PathBuf,
}

/// Replaces, makes and removes the files. Their new texts are on the disk before the first of them takes its place.
///
/// # Errors
/// A file is not what it was when it was read, or cannot be written. What was replaced already is put back.
pub fn all(root: &Path, changes: &[FileChange]) -> Result<()> {
    let mut ready = Vec::new();
    for change in changes {
        let file = root.join(&change.path);
        let draft = history::draft(&file);
        let prepared = prepare(change, &file, &draft);
        ready.push(Ready { change, file, draft });
        if let Err(error) = prepared {
            clear(&ready);
            return Err(error);
        }
    }
    for (at, one) in ready.iter().enumerate() {
        if let Err(error) = place(one) {
            ready[..at].iter().for_each(put_back);
            clear(&ready);
            return Err(Error::environment(format!("cannot write {}", one.change.path))
                .cause(error)
                .hint("nothing was changed: the other files are as they were"));
        }
    }
    Ok(())
}

fn prepare(change: &FileChange, file: &Path, draft: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::environment(format!("cannot write {}", change.path)).cause(error);
    let there = match fs::read_to_string(file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    if there != change.before {
        let error = Error::environment(format!("{} changed while this ran", change.path));
        return Err(error.hint("run it again"));
    }
    let Some(text) = &change.after else { return Ok(()) };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut out = fs::File::create(draft).map_err(failed)?;
    if let Ok(found) = fs::metadata(file) {
        fs::set_permissions(draft, found.permissions()).map_err(failed)?;
    }
    out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(failed)
}

fn place(one: &Ready<'_>) -> std::io::Result<()> {
    match one.change.after {
        Some(_) => fs::rename(&one.draft, &one.file),
        None => fs::remove_file(&one.file),
    }
}

fn put_back(one: &Ready<'_>) {
    // The error that led here is what is told; this is the best that can be done about the files before it.
    let _ = match &one.change.before {
        Some(text) => fs::write(&one.file, text),
        None => fs::remove_file(&one.file),
    };
}

fn clear(ready: &[Ready<'_>]) {
    for one in ready {
        let _ = fs::remove_file(&one.draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, before: Option<&str>, after: Option<&str>) -> FileChange {
        FileChange { path: path.into(), before: before.map(str::to_owned), after: after.map(str::to_owned) }
    }

    #[test]
    fn all_files_change_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let text = |name: &str| fs::read_to_string(root.join(name)).ok();
        fs::write(root.join("a"), "1").unwrap();
        fs::write(root.join("b"), "1").unwrap();
        all(root, &[change("a", Some("1"), Some("2")), change("t/new", None, Some("x")), change("b", Some("1"), None)])
            .unwrap();
        assert_eq!((text("a"), text("t/new"), text("b")), (Some("2".into()), Some("x".into()), None));
        // Somebody saved the second file in between.
        let error = all(root, &[change("a", Some("2"), Some("3")), change("t/new", Some("y"), Some("z"))]).unwrap_err();
        assert_eq!(error.exit_code(), 5);
        assert_eq!((text("a"), text("t/new")), (Some("2".into()), Some("x".into())));
        // The second cannot be read: the first is not touched.
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/inner"), "").unwrap();
        let stuck = change("d", None, Some("z"));
        assert!(all(root, &[change("a", Some("2"), Some("3")), stuck]).is_err());
        assert_eq!(text("a"), Some("2".into()));
        let left: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 3, "{left:?}");
    }

    #[test]
    fn what_was_replaced_is_put_back_when_a_later_file_cannot_take_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("a"), "1").unwrap();
        // The last is ready and cannot be removed any more: somebody else was faster.
        let changes = [change("a", Some("1"), Some("2")), change("new", None, Some("x")), change("gone", None, None)];
        let error = all(root, &changes).unwrap_err();
        assert!(error.to_string().contains("cannot write gone"), "{error}");
        assert_eq!(fs::read_to_string(root.join("a")).unwrap(), "1");
        let left: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["a"], "neither the new file nor a draft stays");
    }
}
