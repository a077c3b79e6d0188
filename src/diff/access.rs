//! What a change does to who can read or change which Secret.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::naming::Naming;
use crate::access::{Act, Grants, Holding, Holdings, holdings};

/// Whether access comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessAction {
    /// Somebody may what they could not.
    Added,
    /// Somebody may no more what they could.
    Removed,
}

/// Access that comes or goes. Texts hold the tenant's own names as placeholders ([`Naming`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessChange {
    /// Whether it comes or goes.
    pub action: AccessAction,
    /// What somebody may.
    pub act: Act,
    /// Who.
    pub subject: String,
    /// The namespace; none for every one.
    pub namespace: Option<String>,
    /// The Secrets, or the accounts that are acted as; none for every one.
    pub names: Vec<String>,
    /// By which rights: `get secrets`.
    pub rights: String,
    /// Why they amount to it.
    pub why: &'static str,
    /// Whether it stays inside one namespace: an account of it and what lies in it.
    pub inner: bool,
}

/// What the grants of a unit amount to, without the unit's own names.
pub fn held(grants: &Grants, naming: &Naming) -> Holdings {
    let hide = |text: &str| naming.hide(text).into_owned();
    holdings(grants).into_iter().map(|(holding, rights)| (holding.renamed(hide), rights)).collect()
}

/// What comes and what goes. What somebody holds by a wider right already is no change.
pub fn changes(before: &Holdings, after: &Holdings) -> Vec<AccessChange> {
    let mut found = one_way(AccessAction::Added, after, before);
    found.extend(one_way(AccessAction::Removed, before, after));
    found.sort();
    found
}

fn one_way(action: AccessAction, here: &Holdings, there: &Holdings) -> Vec<AccessChange> {
    let is_held = |holding: &Holding| there.contains_key(holding) || there.keys().any(|other| holding.is_within(other));
    let fresh: BTreeSet<&Holding> = here.keys().filter(|holding| !is_held(holding)).collect();
    // Of what comes, the widest is told.
    let widest = |one: &&Holding| !fresh.iter().any(|other| other != one && one.is_within(other));
    fresh.iter().copied().filter(widest).map(|holding| change(action, holding, here)).collect()
}

fn change(action: AccessAction, holding: &Holding, here: &Holdings) -> AccessChange {
    let rights = here.get(holding).cloned().unwrap_or_default();
    let own = match &holding.subject {
        crate::access::Subject::Account { namespace, .. } => Some(namespace),
        _ => None,
    };
    AccessChange {
        action,
        act: holding.act,
        subject: holding.subject.to_string(),
        namespace: holding.namespace.clone(),
        names: holding.name.iter().cloned().collect(),
        rights: rights.rights.into_iter().collect::<Vec<_>>().join("; "),
        why: rights.why,
        inner: own.is_some() && own == holding.namespace.as_ref(),
    }
}

impl AccessChange {
    /// What somebody may, in words: `read Secret tenant-acme/adapter-token`.
    pub fn what(&self) -> String {
        let place = |every: &str| match &self.namespace {
            Some(namespace) => format!("{every} of {namespace}"),
            None => format!("{every} of every namespace"),
        };
        let object = |kind: &str| {
            let many = if self.names.len() > 1 { "s" } else { "" };
            match (&self.namespace, self.names.join(", ")) {
                (_, names) if names.is_empty() => place(&format!("every {kind}")),
                (Some(namespace), names) => format!("{kind}{many} {namespace}/{names}"),
                (None, names) => format!("{kind}{many} {names} of every namespace"),
            }
        };
        match self.act {
            Act::Read => format!("read {}", object("Secret")),
            Act::Write => format!("change {}", object("Secret")),
            Act::Run => format!("read {} and act as its accounts", place("every Secret")),
            Act::Become => format!("act as {}, and read what it reads", object("account")),
            Act::Promote => format!("hand on rights: {}", place("roles and bindings")),
            Act::Own => "do everything, everywhere".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Rights, Subject};

    fn of(list: &[(&str, Act, &str, Option<&str>)]) -> Holdings {
        let one = |(subject, act, namespace, name): &(&str, Act, &str, Option<&str>)| {
            let holding = Holding {
                subject: Subject::Group((*subject).into()),
                act: *act,
                namespace: Some((*namespace).into()),
                name: name.map(str::to_owned),
            };
            (holding, Rights { rights: ["get secrets".to_owned()].into(), why: "" })
        };
        list.iter().map(one).collect()
    }

    fn told(before: &Holdings, after: &Holdings) -> Vec<(AccessAction, String)> {
        changes(before, after).into_iter().map(|one| (one.action, format!("{} {}", one.subject, one.what()))).collect()
    }

    #[test]
    fn only_what_somebody_could_not_do_before_comes() {
        let named = of(&[("a", Act::Read, "n", Some("s"))]);
        let every = of(&[("a", Act::Read, "n", None), ("a", Act::Read, "n", Some("s"))]);
        let added = (AccessAction::Added, "group a read every Secret of n".to_owned());
        assert_eq!(told(&named, &every), [added], "and the named one is no news");
        let removed = (AccessAction::Removed, "group a read every Secret of n".to_owned());
        assert_eq!(told(&every, &named), [removed]);
        assert_eq!(told(&every, &every), []);
        let other = of(&[("b", Act::Read, "n", Some("s"))]);
        assert_eq!(
            told(&named, &other),
            [
                (AccessAction::Added, "group b read Secret n/s".to_owned()),
                (AccessAction::Removed, "group a read Secret n/s".to_owned())
            ]
        );
    }
}
