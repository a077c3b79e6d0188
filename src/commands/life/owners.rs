//! `CODEOWNERS` follows the tiers: a pull request that onboards a regulated tenant names its reviewers itself.

use std::fs;

use super::base::Base;
use super::proposal::{FileChange, Proposal};
use crate::commands::codeowners;
use crate::commands::fleet::Loaded;
use crate::error::{Kind, Result};
use crate::history::Place;

/// Adds the file to the proposal, where the fleet has one of ours and the change makes it another.
///
/// # Errors
/// The file cannot be read, or is half ours.
pub fn follow(base: &Base, proposal: &mut Proposal, after: &Loaded) -> Result<()> {
    let Some(fleet) = &after.fleet else { return Ok(()) };
    let prefix = Place::find(&base.root)?.map(|place| place.prefix).unwrap_or_default();
    if !prefix.is_empty() {
        // It lies at the top of the repository, outside of the fleet: a person brings it along.
        let path = codeowners::place(&base.root)?.path;
        let text = fs::read_to_string(path).unwrap_or_default();
        if codeowners::updated(&text, fleet, &prefix)?.is_some() {
            proposal.next.push("`tenantry codeowners`: who reviews a tenant follows its tier".into());
        }
        return Ok(());
    }
    let before = match base.text(codeowners::FILE) {
        Ok(Some(before)) => before,
        Ok(None) => return Ok(()),
        // A link leads to a file that is not written through: no reason to refuse the tenant's own change.
        Err(error) if error.kind() == Kind::Guard => return Ok(()),
        Err(error) => return Err(error),
    };
    if let Some(text) = codeowners::updated(&before, fleet, &prefix)? {
        let path = codeowners::FILE.to_owned();
        proposal.files.push(FileChange { path, before: Some(before), after: Some(text) });
        proposal.notes.push(format!("{} follows: who reviews a tenant is told by its tier", codeowners::FILE));
    }
    Ok(())
}
