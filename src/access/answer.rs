//! Answers: who can read a Secret, and what somebody can read, by which grants.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::escalation::{Act, amounts};
use super::rbac::{Grant, Grants};
use super::subject::Subject;

/// Somebody who can read a Secret.
#[derive(Debug, Clone)]
pub struct Reader<'g> {
    /// Who.
    pub subject: Subject,
    /// By what.
    pub ways: Vec<Way<'g>>,
}

/// A grant by which somebody reads a Secret, or becomes somebody who does.
#[derive(Debug, Clone)]
pub struct Way<'g> {
    /// The grant.
    pub grant: &'g Grant,
    /// The right, such as `get secrets`.
    pub right: String,
    /// Why it amounts to reading; nothing where it plainly does.
    pub why: &'static str,
    /// The account that is acted as, where that is how.
    pub via: Option<Subject>,
}

/// Everybody who can read a Secret, by subject; accounts that somebody can act as are followed.
pub fn readers<'g>(grants: &'g Grants, namespace: &str, secret: &str) -> Vec<Reader<'g>> {
    let mut found: BTreeMap<Subject, Vec<Way<'g>>> = BTreeMap::new();
    let reaches = |grant: &Grant| grant.scope.as_deref().is_none_or(|scope| scope == namespace);
    for grant in &grants.grants {
        for amount in amounts(&grant.rule, grant.scope.is_none()) {
            let named = amount.names.is_empty() || amount.names.iter().any(|name| name == secret);
            let direct = match amount.act {
                Act::Read => named && reaches(grant),
                Act::Run | Act::Promote => reaches(grant),
                Act::Own => true,
                Act::Write | Act::Become => false,
            };
            if direct {
                let way = Way { grant, right: amount.right, why: amount.why, via: None };
                found.entry(grant.subject.clone()).or_default().push(way);
            }
        }
    }
    // Accounts that read it may be acted as: as long as that finds somebody new.
    let mut fresh: Vec<Subject> = found.keys().cloned().collect();
    while let Some(account) = fresh.pop() {
        for (subject, way) in actors(grants, &account) {
            if subject != account && !found.contains_key(&subject) {
                fresh.push(subject.clone());
                found.entry(subject).or_default().push(way);
            }
        }
    }
    found.into_iter().map(|(subject, ways)| Reader { subject, ways }).collect()
}

/// Those who can act as an account.
fn actors<'g>(grants: &'g Grants, account: &Subject) -> Vec<(Subject, Way<'g>)> {
    let Subject::Account { namespace, name } = account else { return Vec::new() };
    let mut found = Vec::new();
    for grant in grants.grants.iter().filter(|grant| grant.scope.as_deref().is_none_or(|scope| scope == namespace)) {
        for amount in amounts(&grant.rule, grant.scope.is_none()) {
            let named = amount.names.is_empty() || amount.names.iter().any(|own| own == name);
            if amount.act == Act::Run || (amount.act == Act::Become && named) {
                let way = Way { grant, right: amount.right, why: amount.why, via: Some(account.clone()) };
                found.push((grant.subject.clone(), way));
            }
        }
    }
    found
}

/// What somebody can read.
#[derive(Debug, Clone)]
pub struct Reached<'g> {
    /// Namespace of the Secret.
    pub namespace: String,
    /// The Secret; none for every one of the namespace, and those to come.
    pub secret: Option<String>,
    /// By what.
    pub way: Way<'g>,
}

/// Everything that somebody can read.
pub fn reach<'g>(grants: &'g Grants, subject: &Subject) -> Vec<Reached<'g>> {
    let (mut found, mut seen, mut open) = (Vec::new(), BTreeSet::new(), vec![(subject.clone(), false)]);
    seen.insert(subject.clone());
    while let Some((who, acted)) = open.pop() {
        let via = acted.then(|| who.clone());
        for grant in grants.grants.iter().filter(|grant| grant.subject.covers(&who)) {
            for amount in amounts(&grant.rule, grant.scope.is_none()) {
                let way = Way { grant, right: amount.right.clone(), why: amount.why, via: via.clone() };
                match amount.act {
                    Act::Read if !amount.names.is_empty() => found.extend(amount.names.iter().map(|name| Reached {
                        namespace: grant.scope.clone().unwrap_or_else(|| "*".into()),
                        secret: Some(name.clone()),
                        way: way.clone(),
                    })),
                    Act::Read | Act::Run | Act::Promote | Act::Own => found.push(Reached {
                        namespace: grant.scope.clone().filter(|_| amount.act != Act::Own).unwrap_or_else(|| "*".into()),
                        secret: None,
                        way,
                    }),
                    Act::Write | Act::Become => {}
                }
                if matches!(amount.act, Act::Run | Act::Become) {
                    let accounts = grants.accounts.iter().filter(|account| is_actable(account, grant, amount.names));
                    for account in accounts.filter(|account| seen.insert((*account).clone())) {
                        open.push((account.clone(), true));
                    }
                }
            }
        }
    }
    found
}

fn is_actable(account: &Subject, grant: &Grant, names: &[String]) -> bool {
    let Subject::Account { namespace, name } = account else { return false };
    grant.scope.as_ref().is_none_or(|scope| scope == namespace)
        && (names.is_empty() || names.iter().any(|own| own == name))
}

/// Who reads each Secret by a grant of their own.
#[derive(Debug, Default)]
pub struct DirectReaders<'g> {
    named: HashMap<(&'g str, &'g str), BTreeSet<&'g Subject>>,
    /// By namespace; none for those of the whole cluster.
    every: HashMap<Option<&'g str>, BTreeSet<&'g Subject>>,
}

/// Who reads each Secret by a grant of their own: one pass.
pub fn direct_readers(grants: &Grants) -> DirectReaders<'_> {
    let mut own = DirectReaders::default();
    for grant in &grants.grants {
        for amount in amounts(&grant.rule, grant.scope.is_none()) {
            let scope = grant.scope.as_deref();
            match (amount.act, scope) {
                (Act::Read, Some(scope)) if !amount.names.is_empty() => {
                    for name in amount.names {
                        own.named.entry((scope, name)).or_default().insert(&grant.subject);
                    }
                }
                (Act::Read | Act::Run | Act::Own, scope) => {
                    own.every.entry(scope).or_default().insert(&grant.subject);
                }
                _ => {}
            }
        }
    }
    own
}

impl<'g> DirectReaders<'g> {
    /// The readers of a Secret, in order.
    pub fn of(&self, namespace: &str, secret: &str) -> BTreeSet<&'g Subject> {
        let named = self.named.get(&(namespace, secret)).into_iter().flatten();
        let every = [Some(namespace), None].into_iter().flat_map(|scope| self.every.get(&scope).into_iter().flatten());
        named.chain(every).copied().collect()
    }
}
