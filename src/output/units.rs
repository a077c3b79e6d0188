//! Units as the output holds them: where they may lie, what is recorded of them, what of them was edited by hand.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::manifest::tree::{Changes, Digest, PROVENANCE, Provenance};

/// Folder that all units lie in: `clusters/<cluster>/<unit>` and `clusters/<cluster>/tenants/<slug>`.
pub(super) const ROOT: &str = "clusters";
/// Folder of a cluster that holds a unit a tenant.
pub(super) const TENANTS: &str = "tenants";

/// What to do about owned files that somebody edited by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Edits {
    /// Stop with a guard error that shows the edits.
    #[default]
    Refuse,
    /// Overwrite them.
    Discard,
}

/// What the output held when it was read: every later write starts from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// The commit at the tip of the branch; `None` if the branch is absent, and always for a directory.
    pub tip: Option<git2::Oid>,
    /// Units by path.
    pub units: BTreeMap<String, Recorded>,
    /// Owned files that differ from what was written, sorted.
    pub edits: Vec<Edit>,
    /// Where it was read from.
    pub(super) place: super::before::Place,
    /// Where the branch is in the repository here: behind the tip if its remote is further on.
    pub(super) local: Option<git2::Oid>,
    /// Where the branch is at the remote, if there is one.
    pub(super) there: Option<git2::Oid>,
}

/// What the output records of one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Digest of the inputs that the unit was rendered from, and version of the program that did it;
    /// `None` if the provenance file cannot be read or an owned file was edited: such a unit cannot be kept.
    pub intact: Option<Intact>,
    /// Owned files of a unit that is not intact, as far as its provenance or the history tells them.
    pub(super) owned: Option<Vec<String>>,
}

/// The record of a unit whose owned files are as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intact {
    /// Digest of everything that the unit was rendered from.
    pub inputs: Digest,
    /// Version of the program that rendered it.
    pub tool_version: Arc<str>,
}

/// One owned file that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// Path of the unit.
    pub unit: String,
    /// Path of the file below the unit.
    pub file: String,
    /// How it differs.
    pub kind: EditKind,
    /// Unified diff from what was written to what is there, if the original is in the history.
    pub diff: Option<String>,
}

/// How an owned file differs from what was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EditKind {
    /// Its content is another.
    Changed,
    /// It is gone.
    Missing,
    /// It is no ordinary file any more: executable, a link, a folder.
    Mode,
    /// It is the provenance file, and cannot be read.
    Provenance(String),
}

impl Baseline {
    /// Digest of the inputs of a unit that may be kept as it is, provided that this version of the program rendered it.
    pub fn keepable(&self, unit: &str, tool_version: &str) -> Option<Digest> {
        let intact = self.units.get(unit)?.intact.as_ref()?;
        (*intact.tool_version == *tool_version).then_some(intact.inputs)
    }

    /// Refuses to go on with edited files.
    ///
    /// # Errors
    /// A guard error that shows every edit.
    pub fn refuse_edits(&self) -> Result<()> {
        if self.edits.is_empty() {
            return Ok(());
        }
        let count = self.edits.len();
        let files = if count == 1 { "1 rendered file was".to_owned() } else { format!("{count} rendered files were") };
        let error = Error::guard(format!("{files} edited by hand in the output"));
        let error = self.edits.iter().fold(error, Error::cause);
        Err(error
            .hint("move the change into the tenant's or the install's config, or into a template")
            .hint("`--discard-edits` overwrites these files with what the config says"))
    }

    /// Checks what a write asks for against what was read.
    pub(super) fn admit(&self, changes: &Changes, edits: Edits) -> Result<()> {
        if edits == Edits::Refuse {
            self.refuse_edits()?;
        }
        for (path, unit) in &changes.write {
            let files = unit.files.keys().map(String::as_str);
            if *path != unit.path || !is_unit(path) || files.chain([path.as_str()]).any(|path| !is_plain(path)) {
                return Err(Error::internal(format!("{path} cannot be written as a unit: its paths are malformed")));
            }
            if unit.files.contains_key(PROVENANCE) {
                return Err(Error::internal(format!("{path} was rendered with a {PROVENANCE} of its own")));
            }
        }
        for (path, inputs) in &changes.keep {
            let recorded = self.units.get(path).and_then(|unit| unit.intact.as_ref());
            if recorded.is_none_or(|intact| intact.inputs != *inputs) || changes.write.contains_key(path) {
                return Err(Error::internal(format!("{path} cannot be kept: the output does not hold it so")));
            }
        }
        for path in &changes.remove {
            if changes.write.contains_key(path) || changes.keep.contains_key(path) {
                return Err(Error::internal(format!("{path} is to be removed and to stay at once")));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}: ", self.unit, self.file)?;
        match &self.kind {
            EditKind::Changed => f.write_str("its content differs from what was rendered")?,
            EditKind::Missing => f.write_str("it was rendered and is gone")?,
            EditKind::Mode => f.write_str("it is no ordinary file any more")?,
            EditKind::Provenance(why) => write!(f, "it cannot be read ({why})")?,
        }
        match &self.diff {
            Some(diff) => write!(f, "\n{}", diff.trim_end()),
            None => Ok(()),
        }
    }
}

/// Whether units may lie at a path.
pub(super) fn is_unit(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        [ROOT, _, name] => *name != TENANTS,
        [ROOT, _, TENANTS, _] => true,
        _ => false,
    }
}

/// Whether a path is relative, with `/`, and can be checked out everywhere.
pub(super) fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.eq_ignore_ascii_case(".git")
            && !part.contains(['\\', '\0'])
    })
}

/// The owned files of a unit: those that its provenance lists, and the provenance file itself.
pub(super) fn owned(provenance: &Provenance) -> impl Iterator<Item = &str> {
    provenance.files.keys().map(String::as_str).chain([PROVENANCE])
}

/// A foreign file at a path that is to be written.
pub(super) fn in_the_way(unit: &str, files: &[String]) -> Error {
    let error = files
        .iter()
        .fold(Error::guard(format!("files that were not rendered are in the way in {unit}")), |error, file| {
            error.cause(format!("{unit}/{file}"))
        });
    error.hint("move or remove them: only files that the provenance file lists are ever replaced")
}

/// Finds the paths that cannot be written: what is there is foreign, or lies in the way as a file or as a folder.
///
/// `present` are all leaves of the unit's folder that are not owned; `same` tells whether one equals what is wanted.
pub(super) fn blocked<'a>(
    wanted: impl Iterator<Item = &'a str>,
    foreign: &BTreeMap<Vec<u8>, ()>,
    same: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut found = Vec::new();
    for path in wanted {
        let bytes = path.as_bytes();
        if foreign.contains_key(bytes) && !same(path) {
            found.push(path.to_owned());
        }
        let parents = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(place, _)| &bytes[..place]);
        found.extend(parents.filter(|parent| foreign.contains_key(*parent)).map(lossy));
        let mut inside = bytes.to_vec();
        inside.push(b'/');
        let below = foreign.range(inside.clone()..).take_while(|(other, ())| other.starts_with(&inside));
        found.extend(below.map(|(other, ())| lossy(other)));
    }
    found.sort();
    found.dedup();
    found
}

fn lossy(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// A unified diff of two texts, cut after some 200 lines; binary content is only mentioned.
pub(super) fn unified(file: &str, old: &[u8], new: &[u8]) -> String {
    let (Ok(old), Ok(new)) = (std::str::from_utf8(old), std::str::from_utf8(new)) else {
        return format!("--- a/{file}\n+++ b/{file}\n(binary)\n");
    };
    let diff = similar::TextDiff::from_lines(old, new);
    let text = diff.unified_diff().context_radius(3).header(&format!("a/{file}"), &format!("b/{file}")).to_string();
    const LINES: usize = 200;
    let mut lines = text.lines();
    let mut shown: Vec<&str> = lines.by_ref().take(LINES).collect();
    let more = lines.count();
    let rest = format!("({more} more lines)");
    if more > 0 {
        shown.push(&rest);
    }
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_where_units_lie() {
        for unit in ["clusters/eu-1/system", "clusters/eu-1/flux", "clusters/eu-1/tenants/acme"] {
            assert!(is_unit(unit), "{unit}");
        }
        for other in ["clusters/eu-1", "clusters/eu-1/tenants", "clusters/eu-1/a/b", "docs/eu-1/system", ""] {
            assert!(!is_unit(other), "{other}");
        }
    }

    #[test]
    fn plain_paths_only() {
        for path in ["../x", "a//b", "/a", "a/", ".", "a/.git/x", "a\\b", ""] {
            assert!(!is_plain(path), "{path}");
        }
        assert!(is_plain("clusters/eu-1/tenants/acme/x.yaml"));
    }

    #[test]
    fn foreign_files_block_as_file_parent_and_folder() {
        let foreign =
            BTreeMap::from([(b"a".to_vec(), ()), (b"b/c".to_vec(), ()), (b"d".to_vec(), ()), (b"e".to_vec(), ())]);
        let wanted = ["a/x.yaml", "b", "d", "e", "f"];
        assert_eq!(blocked(wanted.into_iter(), &foreign, |path| path == "e"), ["a", "b/c", "d"]);
    }
}
