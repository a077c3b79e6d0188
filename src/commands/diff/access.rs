//! Access that a change adds and removes, unit by unit: a binding and its role lie in one unit.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::access::{Grants, Holdings};
use crate::check::access::sources;
use crate::diff::Naming;
use crate::diff::access::{AccessChange, changes, held};
use crate::plan::names::namespace;
use crate::render::RenderedUnit;

/// One side of a unit.
pub type Half<'a> = Option<(&'a RenderedUnit, &'a Naming)>;

/// What comes and goes in a unit, and roles and bindings of which nothing can be told. Where a whole unit comes or goes, what
/// its own accounts may do to its own Secrets comes and goes with it, and is not told again.
pub fn of_unit(before: Half<'_>, after: Half<'_>) -> (Vec<AccessChange>, Vec<String>) {
    if !differs(before, after) {
        return (Vec::new(), Vec::new());
    }
    let mut doubts = Vec::new();
    let (old, new) = (side(before, "before", &mut doubts), side(after, "after", &mut doubts));
    let mut found = changes(&old, &new);
    if let (Some((_, naming)), None) | (None, Some((_, naming))) = (before, after) {
        let own = naming.slug.as_deref().map(|slug| naming.hide(&namespace(slug)).into_owned());
        found.retain(|change| !change.inner || change.namespace != own);
    }
    (found, doubts)
}

/// Whether any file with roles, bindings or accounts differs.
fn differs(before: Half<'_>, after: Half<'_>) -> bool {
    let (Some((old, of_old)), Some((new, of_new))) = (before, after) else { return true };
    let names: BTreeSet<&String> = old.files.keys().chain(new.files.keys()).collect();
    names.into_iter().any(|name| match (old.files.get(name), new.files.get(name)) {
        (Some(one), Some(other)) if of_old == of_new && one.same_as(other) => false,
        (one, other) => [one, other].into_iter().flatten().any(|content| {
            content.identities().iter().any(|id| id.api_version.starts_with("rbac.authorization.k8s.io/"))
        }),
    })
}

fn side(half: Half<'_>, when: &str, doubts: &mut Vec<String>) -> Holdings {
    let Some((unit, naming)) = half else { return Holdings::new() };
    let list = Arc::new(vec![unit.clone()]);
    let grants = Grants::read(&sources(&list, 0));
    let doubt = |one: &crate::access::Unresolved| {
        format!("access {when} the change: {}: {}: {}", one.place, one.object, one.reason)
    };
    doubts.extend(grants.unresolved.iter().map(doubt));
    held(&grants, naming)
}
