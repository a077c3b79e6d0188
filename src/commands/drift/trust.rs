//! Whether a revision is to be trusted at all, before a cluster is held against it.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::Tree;
use crate::cli::DriftArgs;
use crate::drift::desired::Files;
use crate::error::{Error, Result};
use crate::manifest::{Digest, PROVENANCE, STATEMENT, statement};
use crate::output::{self, Signature};

/// Most faults that are named.
const MOST: usize = 10;

/// Refuses a revision that carries no statement of what was proved about each unit as it is (`--require-statement`), or no
/// signature that Git trusts (`--require-signed`).
///
/// # Errors
/// What is missing; a guard's refusal.
pub fn check(tree: &Tree, args: &DriftArgs) -> Result<()> {
    if args.require_signed {
        signed(tree, args)?;
    }
    if args.require_statement {
        stated(tree)?;
    }
    Ok(())
}

fn signed(tree: &Tree, args: &DriftArgs) -> Result<()> {
    let revision = tree.revision.as_deref().ok_or_else(|| {
        Error::usage("a folder carries no signature").hint("drop --require-signed, or name the repository with --repo")
    })?;
    let why = match output::hold(&tree.place, revision, args.path.as_deref())?.signature()? {
        Signature::Good(_) => return Ok(()),
        Signature::Bad(why) => format!("Git does not trust its signature: {why}"),
        Signature::None => "it is not signed".to_owned(),
    };
    let error = Error::guard(format!("{revision} is not trusted, and nothing was compared with it")).cause(why);
    Err(error.hint("`tenantry verify --require-signed` says more; whom to trust, Git's configuration says"))
}

fn stated(tree: &Tree) -> Result<()> {
    let unlisted = |reason: String| Error::environment("cannot list the files of the tree").cause(reason);
    let mut units: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in tree.files.list().map_err(unlisted)? {
        if let Some((unit, name)) = unit_of(&path) {
            units.entry(unit.to_owned()).or_default().push(name.to_owned());
        }
    }
    let fault = |(unit, names): (&String, &Vec<String>)| {
        let why = of_unit(tree.files.as_ref(), &tree.prefix, unit, names).err()?;
        Some(format!("{}/{unit}/{STATEMENT}: {why}", tree.prefix))
    };
    let mut faults: Vec<String> = units.par_iter().filter_map(fault).collect();
    if faults.is_empty() {
        return Ok(());
    }
    faults.sort();
    let more = faults.len().saturating_sub(MOST);
    let what = tree.revision.as_deref().unwrap_or("the tree");
    let error = Error::guard(format!("{what} was not proved as it is, and nothing was compared with it"));
    let error = faults.iter().take(MOST).fold(error, Error::cause);
    let error = if more > 0 { error.cause(format!("and {more} more")) } else { error };
    Err(error.hint("`tenantry verify` says what was edited or added; `tenantry render` proves and states it anew"))
}

/// The unit's folder and the name in it; files that lie beside the units are nobody's.
fn unit_of(path: &str) -> Option<(&str, &str)> {
    let (first, rest) = path.split_once('/')?;
    if first != "tenants" {
        return Some((first, rest));
    }
    let length = first.len() + 1 + rest.find('/')?;
    Some((&path[..length], &path[length + 1..]))
}

fn of_unit(files: &dyn Files, prefix: &str, unit: &str, names: &[String]) -> std::result::Result<(), String> {
    if !names.iter().any(|name| name == STATEMENT) {
        return Err("nothing states what was proved".into());
    }
    let read = |name: &str| files.read(&format!("{unit}/{name}"));
    let mut digests = BTreeMap::new();
    for name in names.iter().filter(|name| !matches!(name.as_str(), STATEMENT | PROVENANCE)) {
        digests.insert(name.clone(), Digest::of(&read(name)?));
    }
    // The statement names paths from the folder in which clusters/ lies.
    let from = prefix.find("clusters/").map_or(prefix, |at| &prefix[at..]);
    statement::check(&format!("{from}/{unit}"), &read(STATEMENT)?, &digests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_told_from_what_lies_beside_them() {
        assert_eq!(unit_of("tenants/acme/rbac.yaml"), Some(("tenants/acme", "rbac.yaml")));
        assert_eq!(unit_of("system/a/b.yaml"), Some(("system", "a/b.yaml")));
        assert_eq!(unit_of("exemptions.yaml"), None);
        assert_eq!(unit_of("tenants/stray.yaml"), None);
    }
}
