//! The deletion budget, with what was acknowledged in the fleet's own history.

use std::path::Path;

use super::fleet::Loaded;
use crate::cli::CheckArgs;
use crate::config::locate;
use crate::error::Result;
use crate::finding::{Finding, Severity};
use crate::history::{Place, leaves_since};
use crate::manifest::Changes;
use crate::output::{Baseline, Repo, Target};
use crate::plan::budget::{self, Budget, Limit, Verdict};
use crate::plan::vanished::Vanished;

/// What the command line says of deletions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// Limits.
    pub limits: &'a [Limit],
    /// Tenants that may go.
    pub named: &'a [String],
}

/// Judges the changes of a render on the output that they are made on.
pub fn judge(
    root: &Path,
    loaded: &Loaded,
    baseline: &Baseline,
    changes: &Changes,
    given: Given<'_>,
) -> Result<Verdict> {
    let vanished = baseline.vanished(changes)?;
    let tenants = baseline.units.keys().filter(|path| path.contains("/tenants/")).count();
    weigh(root, loaded, &vanished, tenants, baseline.source_revision()?.as_deref(), given)
}

/// Judges what vanishes. `since` is the commit of the fleet that the output holds: newer ones may acknowledge deletions.
pub fn weigh(
    root: &Path,
    loaded: &Loaded,
    vanished: &Vanished,
    tenants: usize,
    since: Option<&str>,
    given: Given<'_>,
) -> Result<Verdict> {
    let Some(fleet) = &loaded.fleet else { return Ok(Verdict::default()) };
    let limits = Budget::new(&fleet.install.guard, given.limits);
    let first = budget::judge(vanished, tenants, &limits, &[], given.named);
    if first.findings.is_empty() {
        return Ok(first);
    }
    let leaves = match Place::find(root)? {
        Some(place) => leaves_since(&place, since)?,
        None => Vec::new(),
    };
    let mut verdict = budget::judge(vanished, tenants, &limits, &leaves, given.named);
    for finding in &mut verdict.findings {
        finding.location = Some(locate(&loaded.source, "install.yaml", "/guard"));
    }
    Ok(verdict)
}

/// The same, as warnings: nothing is written anyway.
pub fn warnings(verdict: Verdict) -> Vec<Finding> {
    let warn = |finding: Finding| Finding { severity: Severity::Warning, ..finding };
    verdict.findings.into_iter().map(warn).collect()
}

/// What a render of everything into a repository would delete beyond the budget.
pub fn against(root: &Path, loaded: &Loaded, changes: &Changes, args: &CheckArgs) -> Result<Vec<Finding>> {
    let Some(against) = &args.against else { return Ok(Vec::new()) };
    let is_relative = !against.contains(':') && !Path::new(against).is_absolute();
    let location = if is_relative { root.join(against).display().to_string() } else { against.clone() };
    let is_url = against.contains("://");
    let target = Target::parse(&location, &args.branch, args.path.as_deref(), is_url)?;
    let baseline = Repo::open(&target, super::cache_folder().as_deref())?.baseline()?;
    let gone = baseline.units.keys().filter(|path| !changes.write.contains_key(*path));
    let changes = Changes { remove: gone.cloned().collect(), ..changes.clone() };
    Ok(warnings(judge(root, loaded, &baseline, &changes, Given::default())?))
}
