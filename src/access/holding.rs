//! What each subject may do to Secrets by grants of its own, in a form in which two states can be compared.

use std::collections::{BTreeMap, BTreeSet};

use super::escalation::{Act, amounts};
use super::rbac::Grants;
use super::subject::Subject;

/// Somebody and what they may do to Secrets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holding {
    /// Who.
    pub subject: Subject,
    /// What.
    pub act: Act,
    /// Where; none for every namespace.
    pub namespace: Option<String>,
    /// The Secret, or the account that is acted as; none for every one.
    pub name: Option<String>,
}

/// By what somebody may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// Verbs and resources: `get secrets`.
    pub rights: BTreeSet<String>,
    /// Why they amount to it; nothing where they plainly do.
    pub why: &'static str,
}

/// Everything that is held.
pub type Holdings = BTreeMap<Holding, Rights>;

/// What the grants amount to, one line a subject, act and object.
pub fn holdings(grants: &Grants) -> Holdings {
    let mut found = Holdings::new();
    for grant in &grants.grants {
        for amount in amounts(&grant.rule, grant.scope.is_none()) {
            let every = [None];
            let names: Vec<Option<&String>> = match amount.names {
                [] => every.to_vec(),
                names if matches!(amount.act, Act::Read | Act::Write | Act::Become) => names.iter().map(Some).collect(),
                _ => every.to_vec(),
            };
            for name in names {
                let holding = Holding {
                    subject: grant.subject.clone(),
                    act: amount.act,
                    namespace: grant.scope.clone().filter(|_| amount.act != Act::Own),
                    name: name.cloned(),
                };
                let rights = found.entry(holding).or_default();
                rights.rights.insert(amount.right.clone());
                rights.why = amount.why;
            }
        }
    }
    found
}

impl Holding {
    /// Whether who holds the other may do this already.
    pub fn is_within(&self, other: &Self) -> bool {
        let place = other.namespace.is_none() || other.namespace == self.namespace;
        let name = other.name.is_none() || other.name == self.name;
        let act = match other.act {
            Act::Own => true,
            // A pod of the namespace mounts its Secrets and runs as its accounts.
            Act::Run => matches!(self.act, Act::Read | Act::Run | Act::Become),
            act => act == self.act && name,
        };
        act && place && other.subject.covers(&self.subject)
    }

    /// The same with other names.
    #[must_use]
    pub fn renamed(&self, names: impl Fn(&str) -> String) -> Self {
        Self {
            subject: self.subject.renamed(&names),
            act: self.act,
            namespace: self.namespace.as_deref().map(&names),
            name: self.name.as_deref().map(&names),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(act: Act, namespace: Option<&str>, name: Option<&str>) -> Holding {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Holding { subject: Subject::account("a", "x"), act, namespace: own(namespace), name: own(name) }
    }

    #[test]
    fn what_is_held_already_is_nothing_new() {
        let one = holding(Act::Read, Some("a"), Some("s"));
        for (wider, within) in [
            (holding(Act::Read, Some("a"), None), true),
            (holding(Act::Read, None, None), true),
            (holding(Act::Run, Some("a"), None), true),
            (holding(Act::Own, None, None), true),
            (holding(Act::Read, Some("b"), None), false),
            (holding(Act::Read, Some("a"), Some("t")), false),
            (holding(Act::Write, Some("a"), Some("s")), false),
            (holding(Act::Promote, Some("a"), None), false),
        ] {
            assert_eq!(one.is_within(&wider), within, "{wider:?}");
        }
        let everybody = Holding { subject: Subject::Accounts(Some("a".into())), ..one.clone() };
        assert!(one.is_within(&everybody) && !everybody.is_within(&one));
    }
}
