//! Acknowledgements of deletions in what the fleet committed and nobody rendered yet: trailers, and lines of a file.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{Oid, Repository};

use super::Place;
use super::tree::broken;
use crate::error::Result;
use crate::plan::budget::{FILE, Leave, leaves};

/// Commits that are looked at.
const COMMITS: usize = 5_000;

/// The trailers of the commits that HEAD has and `since` has not, and the lines that they added to the file of
/// acknowledgements; of HEAD's own side of its last merge where `since` is not known here.
///
/// # Errors
/// The history cannot be read.
pub fn leaves_since(place: &Place, since: Option<&str>) -> Result<Vec<Leave>> {
    let git = &place.git;
    let Ok(head) = git.head().and_then(|head| head.peel_to_commit()) else { return Ok(Vec::new()) };
    let known = since.and_then(|text| Oid::from_str(text).ok()).filter(|oid| git.find_commit(*oid).is_ok());
    let hidden = known.or_else(|| head.parent_id(0).ok());
    let mut walk = git.revwalk().map_err(|error| broken(&error))?;
    walk.push(head.id()).map_err(|error| broken(&error))?;
    if let Some(hidden) = hidden.filter(|hidden| *hidden != head.id()) {
        walk.hide(hidden).map_err(|error| broken(&error))?;
    }
    let mut found = Vec::new();
    for oid in walk.take(COMMITS) {
        let commit = git.find_commit(oid.map_err(|error| broken(&error))?).map_err(|error| broken(&error))?;
        let id = commit.id().to_string();
        found.extend(leaves(&String::from_utf8_lossy(commit.message_bytes()), &id));
        if Some(commit.id()) == known {
            break;
        }
    }
    let file = format!("{}{FILE}", place.prefix);
    let before = hidden.map(|commit| text(git, commit, &file)).transpose()?.unwrap_or_default();
    let added = added(&before, &text(git, head.id(), &file)?);
    found.extend(leaves(&added, &format!("{FILE} at {}", head.id())));
    Ok(found)
}

/// The text of a file in a commit; empty if it is not there.
fn text(git: &Repository, commit: Oid, path: &str) -> Result<String> {
    let tree = git.find_commit(commit).and_then(|commit| commit.tree()).map_err(|error| broken(&error))?;
    let Ok(entry) = tree.get_path(Path::new(path)) else { return Ok(String::new()) };
    let Ok(blob) = git.find_blob(entry.id()) else { return Ok(String::new()) };
    Ok(String::from_utf8_lossy(blob.content()).into_owned())
}

/// The lines that are more often in a text than they were: what was said once holds once.
fn added(before: &str, after: &str) -> String {
    let mut old: BTreeMap<&str, usize> = BTreeMap::new();
    before.lines().for_each(|line| *old.entry(line.trim()).or_default() += 1);
    let mut new = String::new();
    for line in after.lines().map(str::trim) {
        match old.get_mut(line) {
            Some(left) if *left > 0 => *left -= 1,
            _ => new.extend([line, "\n"]),
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::added;

    #[test]
    fn a_line_that_was_there_says_nothing_again() {
        assert_eq!(added("a\nb\n", "b\nc\na\n"), "c\n");
        assert_eq!(added("a\n", "a\na\n"), "a\n");
        assert_eq!(added("a\n", ""), "");
    }
}
