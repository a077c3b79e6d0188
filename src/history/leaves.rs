//! Acknowledgements of deletions in the commits of the fleet that were not rendered yet.

use git2::Oid;

use super::Place;
use super::tree::broken;
use crate::error::Result;
use crate::plan::budget::{Leave, leaves};

/// Commits that are looked at.
const COMMITS: usize = 5_000;

/// The trailers of the commits that HEAD has and `since` has not; of HEAD's own side of its last merge where `since` is not
/// known here.
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
    Ok(found)
}
