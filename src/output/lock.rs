//! Locks that do not outlive a killed process.
//!
//! [`Writer`] is an advisory lock that the kernel drops with its holder: one writer of this program at a time.
//! [`Replacement`] replaces a file of Git's (a reference, the index) under Git's own protocol, `<file>.lock` created
//! exclusively and renamed: the lock is a hard link to a file in our folder, so that the next writer can tell a lock
//! that a killed writer of ours left behind (same inode) from one that Git holds, and removes only the former.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::fault;
use super::pack::sync_folder;
use crate::error::{Error, Result};

/// Name of the lock file in our folder of a repository.
pub(super) const LOCK: &str = "lock";
/// How long another writer of this program is waited for: a cold commit of 10,000 units takes seconds.
const WRITER_PATIENCE: Duration = Duration::from_secs(120);
/// How long another Git process is waited for; Git itself holds these locks for milliseconds.
const GIT_PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(5);

/// The right to be the one writer of this program on a repository or directory, until dropped or killed.
#[derive(Debug)]
pub(super) struct Writer {
    _file: File,
}

impl Writer {
    /// Waits for the right that a lock file stands for; the file is made if absent, and stays.
    pub(super) fn of_file(path: &Path) -> Result<Self> {
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        Self::take(opened.map_err(|error| fault::disk("open", path, &error))?, path)
    }

    /// Takes the right that a lock file stands for if it is free, and if its folder is there.
    pub(super) fn try_file(path: &Path) -> Option<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).ok()?;
        file.try_lock().ok().map(|()| Self { _file: file })
    }

    /// Waits for the right that a folder stands for; nothing is left behind in it.
    pub(super) fn of_folder(path: &Path) -> Result<Self> {
        Self::take(File::open(path).map_err(|error| fault::disk("open", path, &error))?, path)
    }

    fn take(file: File, path: &Path) -> Result<Self> {
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if start.elapsed() < WRITER_PATIENCE => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let error = Error::environment("another run is writing to the same output");
                    return Err(error
                        .cause(format!("it has held {} for {} s", path.display(), WRITER_PATIENCE.as_secs()))
                        .hint("wait for it to end, or end it"));
                }
                Err(TryLockError::Error(error)) => return Err(fault::disk("lock", path, &error)),
            }
        }
    }
}

/// A file of Git's that is locked and will be replaced as a whole, or not at all.
#[derive(Debug)]
pub(super) struct Replacement {
    target: PathBuf,
    lock: PathBuf,
    twin: PathBuf,
    file: File,
    done: bool,
}

impl Replacement {
    /// Locks `target`; `ours` is our folder in the repository, `name` tells the lock from others in it.
    /// The [`Writer`] right must be held.
    pub(super) fn lock(target: &Path, ours: &Path, name: &str) -> Result<Self> {
        let lock = with_suffix(target, ".lock");
        let twin = ours.join(format!("{name}.twin"));
        clear(&twin, &lock)?;
        let created = OpenOptions::new().read(true).write(true).create_new(true).open(&twin);
        let file = created.map_err(|error| fault::disk("write", &twin, &error))?;
        let start = Instant::now();
        loop {
            match link(&twin, &lock) {
                Ok(()) => return Ok(Self { target: target.to_owned(), lock, twin, file, done: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && start.elapsed() < GIT_PATIENCE => {
                    thread::sleep(PAUSE);
                }
                Err(error) => {
                    let _ = fs::remove_file(&twin);
                    let failed = fault::disk("lock", target, &error);
                    return Err(match error.kind() {
                        io::ErrorKind::AlreadyExists => failed.hint(format!(
                            "another Git process is at work; if none is, it died: remove {}",
                            lock.display()
                        )),
                        _ => failed,
                    });
                }
            }
        }
    }

    /// Writes the content and puts it in the target's place, durably.
    pub(super) fn replace(mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_all());
        written.map_err(|error| fault::disk("write", &self.lock, &error))?;
        fs::rename(&self.lock, &self.target).map_err(|error| fault::disk("rename", &self.lock, &error))?;
        self.done = true;
        let _ = fs::remove_file(&self.twin);
        self.target.parent().map_or(Ok(()), sync_folder)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.lock);
            let _ = fs::remove_file(&self.twin);
        }
    }
}

/// Removes what a killed writer left: our file, and Git's lock if it is the same file.
fn clear(twin: &Path, lock: &Path) -> Result<()> {
    let Ok(left) = fs::symlink_metadata(twin) else { return Ok(()) };
    if fs::symlink_metadata(lock).is_ok_and(|held| same(&left, &held)) {
        fs::remove_file(lock).map_err(|error| fault::disk("remove", lock, &error))?;
    }
    fs::remove_file(twin).map_err(|error| fault::disk("remove", twin, &error))
}

fn same(one: &fs::Metadata, two: &fs::Metadata) -> bool {
    one.ino() == two.ino() && one.dev() == two.dev()
}

/// Links, or where the file system has no links creates exclusively; such a lock is not recognised after a kill.
fn link(twin: &Path, lock: &Path) -> io::Result<()> {
    fs::hard_link(twin, lock)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    PathBuf::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("ref");
        let ours = folder.path().join("ours");
        fs::create_dir(&ours).unwrap();
        Replacement::lock(&target, &ours, "x").unwrap().replace(b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(fs::read_dir(&ours).unwrap().count(), 0);
        drop(Replacement::lock(&target, &ours, "x").unwrap());
        assert!(!folder.path().join("ref.lock").exists());
    }

    #[test]
    fn removes_the_lock_of_a_killed_writer_but_not_gits() {
        let folder = tempfile::tempdir().unwrap();
        let (target, lock) = (folder.path().join("ref"), folder.path().join("ref.lock"));
        let killed = Replacement::lock(&target, folder.path(), "x").unwrap();
        std::mem::forget(killed);
        assert!(lock.exists());
        Replacement::lock(&target, folder.path(), "x").unwrap().replace(b"new").unwrap();

        let killed = Replacement::lock(&target, folder.path(), "x").unwrap();
        std::mem::forget(killed);
        fs::remove_file(&lock).unwrap();
        fs::write(&lock, b"git's").unwrap();
        let error = Replacement::lock(&target, folder.path(), "x").unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Environment);
        assert_eq!(fs::read(&lock).unwrap(), b"git's");
    }
}
