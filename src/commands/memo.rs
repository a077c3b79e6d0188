//! Where the memo of a fleet lies: in the user's cache, one file a folder of a fleet.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::fleet::Loaded;
use crate::manifest::Digest;
use crate::memo::Memo;

/// What earlier runs of this very program found out about the fleet in a folder.
pub fn load(root: &Path) -> Memo {
    let (Some(path), Some(build)) = (path(root), build()) else { return Memo::default() };
    fs::read(path).map(|bytes| Memo::decode(bytes, &build)).unwrap_or_default()
}

/// Keeps what this run found out. A memo that cannot be written costs the next run time, nothing else.
pub fn save(root: &Path, loaded: &Loaded) {
    let (Some(path), Some(build), Some(fleet)) = (path(root), build(), &loaded.fleet) else { return };
    let Some(bytes) = loaded.memo.encode(fleet.texts.values(), &build) else { return };
    let Some(folder) = path.parent() else { return };
    // Two runs at once write two files; the one that is renamed last stays.
    let unfinished = path.with_extension(std::process::id().to_string());
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&unfinished, bytes));
    if written.and_then(|()| fs::rename(&unfinished, &path)).is_err() {
        let _ = fs::remove_file(&unfinished);
    }
}

fn path(root: &Path) -> Option<PathBuf> {
    let root = fs::canonicalize(root).ok()?;
    let name = Digest::of(root.as_os_str().as_encoded_bytes()).to_string();
    Some(super::cache_folder()?.join("memo").join(name.trim_start_matches("sha256:")))
}

/// Tells this build from every other, also while it is developed: its version, and size and age of its file.
fn build() -> Option<Digest> {
    let program = fs::metadata(std::env::current_exe().ok()?).ok()?;
    let age = program.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let (size, age) = (program.len().to_le_bytes(), age.as_nanos().to_le_bytes());
    Some(Digest::of_parts([super::version().as_bytes(), &size[..], &age[..]]))
}
