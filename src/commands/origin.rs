//! The revision of the fleet's own repository that a render came from.

use std::path::Path;

use crate::error::{Error, Result};

/// Where the files came from, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Commit of the fleet's repository, with `-dirty` if files of the fleet differ from it.
    pub revision: Option<String>,
    /// Time of that commit; of the run where there is none (seconds since 1970-01-01 UTC).
    pub seconds: i64,
}

/// Looks at the repository that the fleet lies in. Without one, `SOURCE_DATE_EPOCH` or the clock gives the time.
///
/// # Errors
/// None at present: a fleet need not lie in a repository.
pub fn of(root: &Path) -> Result<Origin> {
    let found = git2::Repository::discover(root).ok().and_then(|repository| {
        let head = repository.head().ok()?.peel_to_commit().ok()?;
        let (id, seconds) = (head.id().to_string(), head.time().seconds());
        let dirty = is_dirty(&repository, root);
        Some(Origin { revision: Some(if dirty { format!("{id}-dirty") } else { id }), seconds })
    });
    Ok(found.unwrap_or_else(|| Origin { revision: None, seconds: now() }))
}

fn is_dirty(repository: &git2::Repository, root: &Path) -> bool {
    let mut options = git2::StatusOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(true).include_ignored(false);
    let inside = std::fs::canonicalize(root).ok();
    let workdir = repository.workdir().and_then(|path| std::fs::canonicalize(path).ok());
    if let (Some(inside), Some(workdir)) = (inside, workdir)
        && let Ok(below) = inside.strip_prefix(&workdir)
    {
        for part in ["install.yaml", "compatibility.yaml", "tenants", "policies", "templates", "charts"] {
            options.pathspec(below.join(part));
        }
    }
    // A state that cannot be read is not called clean.
    repository.statuses(Some(&mut options)).map_or(true, |statuses| !statuses.is_empty())
}

/// Refuses a `SOURCE_DATE_EPOCH` that is no time: the clock would stand in for it, and the same input make another output.
///
/// # Errors
/// A usage error.
pub fn admit() -> Result<()> {
    let Some(given) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(()) };
    let seconds = given.to_str().and_then(|text| text.parse().ok());
    match seconds.map(jiff::Timestamp::from_second) {
        Some(Ok(_)) => Ok(()),
        _ => Err(Error::usage(format!("SOURCE_DATE_EPOCH is no time: {given:?}"))
            .hint("give seconds since 1970-01-01 UTC, or leave it unset")),
    }
}

/// Seconds since 1970-01-01 UTC: `SOURCE_DATE_EPOCH`, else the clock.
pub fn now() -> i64 {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| jiff::Timestamp::now().as_second())
}

/// The day of [`now`], in UTC.
pub fn today() -> jiff::civil::Date {
    jiff::Timestamp::from_second(now()).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).date()
}
