//! Failures of the repository and of the disk as errors of this program: what, why, what next.

use std::io;
use std::path::Path;

use git2::{ErrorClass, ErrorCode, Oid};

use crate::error::Error;

/// A failure that libgit2 reported.
pub(super) fn git(what: impl Into<String>, error: &git2::Error) -> Error {
    let failed = Error::environment(what).cause(error.message());
    match (error.class(), error.code()) {
        (_, ErrorCode::Owner) => failed.hint(
            "the folder belongs to another user: run as its owner, or `git config --global --add safe.directory PATH`",
        ),
        (_, ErrorCode::Locked) => {
            failed.hint("another Git process is at work: wait for it, or remove the lock file if none is")
        }
        (ErrorClass::Odb | ErrorClass::Zlib | ErrorClass::Object | ErrorClass::Tree | ErrorClass::Indexer, _) => {
            failed.hint("run `git fsck --full` in the repository, and restore what it names from another clone")
        }
        _ => failed,
    }
}

/// An object that should be there cannot be read.
pub(super) fn object(oid: Oid, error: &git2::Error) -> Error {
    Error::environment(format!("cannot read object {oid} of the output repository"))
        .cause(error.message())
        .hint("run `git fsck --full` in the repository, and restore what it names from another clone")
}

/// An object is there, but not what it should be.
pub(super) fn malformed(oid: Oid, why: &str) -> Error {
    Error::environment(format!("object {oid} of the output repository is malformed"))
        .cause(why)
        .hint("run `git fsck --full` in the repository, and restore what it names from another clone")
}

/// A failure of the file system at a path; `doing` continues "cannot": `write`, `rename`.
pub(super) fn disk(doing: &str, path: &Path, error: &io::Error) -> Error {
    let failed = Error::environment(format!("cannot {doing} {}", path.display())).cause(error);
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            failed.hint("make the output writable for this user, or choose another place")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            failed.hint("free some space and run again: nothing was changed")
        }
        _ => failed,
    }
}
