//! The verdict: every grant is one that the inventory or a duty asks for, and every reader of the inventory is granted.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::RwLock;

use rayon::prelude::*;

use super::duties::{self, Atom};
use super::escalation::{Act, amounts};
use super::expected::Expected;
use super::rbac::{Grant, Grants};
use super::rule::Rule;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// Somebody reads a Secret that the inventory does not give them.
    UnexpectedReader,
    /// A Secret is named that nothing renders.
    UnknownSecret,
    /// Somebody reads every Secret of a namespace or of the cluster.
    EverySecret,
    /// Somebody may change a Secret.
    Writer,
    /// A right that amounts to reading Secrets, or to more.
    Escalation,
    /// Any other right that no duty asks for.
    BeyondDuty,
    /// A reader of the inventory is not granted what it needs.
    MissingReader,
}

/// A grant that nothing asks for, or a reader that is not granted.
#[derive(Debug, Clone)]
pub struct Fault<'g> {
    /// What is wrong.
    pub kind: FaultKind,
    /// The grant; none where one is missing.
    pub grant: Option<&'g Grant>,
    /// The object that it is about: a Secret, or the role.
    pub object: String,
    /// What is wrong, in one line.
    pub message: String,
    /// Why, if it is not plain.
    pub why: Option<&'static str>,
    /// Namespace that lacks the grant, where one is missing.
    pub namespace: Option<String>,
}

/// Everything that is wrong with the grants, in their order; then what is missing of those that are `required`. `known` holds
/// at least those.
pub fn judge<'g>(grants: &'g Grants, required: &Expected, known: &Expected) -> Vec<Fault<'g>> {
    let innocent = Innocent::default();
    let judged = grants.grants.par_iter().flat_map_iter(|grant| innocent.or_judge(grant, known));
    let mut faults: Vec<Fault<'g>> = judged.collect();
    let granted: HashSet<(&str, &str, &str)> = grants.grants.iter().flat_map(named).collect();
    let every: HashSet<(&str, &str)> = grants.grants.iter().filter_map(every_of_namespace).collect();
    let mut missing: Vec<Fault<'g>> = Vec::new();
    for (namespace, secret, readers) in required.all() {
        let lacks = |reader: &&&'static str| {
            !granted.contains(&(namespace, secret, **reader)) && !every.contains(&(namespace, **reader))
        };
        for reader in readers.iter().filter(lacks) {
            missing.push(Fault {
                kind: FaultKind::MissingReader,
                grant: None,
                object: format!("Secret {namespace}/{secret}"),
                message: format!(
                    "{namespace}/{reader} may not read Secret {namespace}/{secret}, which the inventory gives it"
                ),
                why: None,
                namespace: Some(namespace.to_owned()),
            });
        }
    }
    missing.sort_by(|a, b| a.message.cmp(&b.message));
    faults.extend(missing);
    faults
}

/// Whether a rule is what the inventory asks for in form: `get` on named Secrets.
fn reads_by_name(rule: &Rule) -> bool {
    rule.groups == [""] && rule.resources == ["secrets"] && rule.verbs == ["get"] && !rule.names.is_empty()
}

/// Secrets that a grant names for an account of its own namespace: namespace, Secret, account.
fn named(grant: &Grant) -> impl Iterator<Item = (&str, &str, &str)> {
    let own = match (&grant.subject, &grant.scope) {
        (super::Subject::Account { namespace, name }, Some(scope))
            if namespace == scope && grant.rule.is_about("", "secrets") && !grant.rule.granted(&["get"]).is_empty() =>
        {
            Some((scope.as_str(), name.as_str()))
        }
        _ => None,
    };
    own.into_iter().flat_map(|(scope, name)| grant.rule.names.iter().map(move |secret| (scope, secret.as_str(), name)))
}

/// An account that reads every Secret of its namespace: too much, but nothing is missing.
fn every_of_namespace(grant: &Grant) -> Option<(&str, &str)> {
    let super::Subject::Account { namespace, name } = &grant.subject else { return None };
    let own = grant.scope.as_ref() == Some(namespace) && grant.rule.names.is_empty();
    let reads = grant.rule.is_about("", "secrets") && !grant.rule.granted(&["get"]).is_empty();
    (own && reads).then_some((namespace, name))
}

/// Rules in which nothing was wrong for an account of its own namespace: the same is right in every tenant's.
#[derive(Default)]
struct Innocent<'g>(RwLock<HashMap<&'g str, HashSet<&'g Rule>>>);

impl<'g> Innocent<'g> {
    fn or_judge(&self, grant: &'g Grant, expected: &Expected) -> Vec<Fault<'g>> {
        let Some(account) = at_home(grant, expected) else { return judge_one(grant, expected) };
        let is_known = |known: &HashMap<&str, HashSet<&Rule>>| {
            known.get(account).is_some_and(|rules| rules.contains(grant.rule.as_ref()))
        };
        if self.0.read().is_ok_and(|known| is_known(&known)) {
            return Vec::new();
        }
        let faults = judge_one(grant, expected);
        if faults.is_empty()
            && let Ok(mut known) = self.0.write()
        {
            known.entry(account).or_default().insert(&grant.rule);
        }
        faults
    }
}

/// The name of an account that is granted something in its own namespace, which is one of many of its sort. Named Secrets
/// are another matter: they are the inventory's, namespace by namespace.
fn at_home<'g>(grant: &'g Grant, expected: &Expected) -> Option<&'g str> {
    let super::Subject::Account { namespace, name } = &grant.subject else { return None };
    let is_own = grant.scope.as_ref() == Some(namespace) && expected.is_managed(namespace);
    (is_own && !duties::is_particular(namespace) && !reads_by_name(&grant.rule)).then_some(name)
}

fn judge_one<'g>(grant: &'g Grant, expected: &Expected) -> Vec<Fault<'g>> {
    if reads_by_name(&grant.rule) && grant.scope.is_some() {
        return grant.rule.names.iter().filter_map(|name| of_name(grant, expected, name)).collect();
    }
    let (subject, scope) = (&grant.subject, grant.scope.as_deref());
    let mut kinds: BTreeSet<(FaultKind, String, Option<&'static str>)> = BTreeSet::new();
    let names: Vec<Option<&str>> = match grant.rule.names.as_slice() {
        [] => vec![None],
        names => names.iter().map(|name| Some(name.as_str())).collect(),
    };
    for group in &grant.rule.groups {
        for resource in &grant.rule.resources {
            for verb in &grant.rule.verbs {
                let own = |list: &str| vec![list.to_owned()];
                let rule = Rule { groups: own(group), resources: own(resource), verbs: own(verb), ..Rule::default() };
                let amounts = amounts(&rule, scope.is_none());
                for name in &names {
                    let atom = Atom { group, resource, verb, name: *name, escalates: !amounts.is_empty() };
                    if duties::permits(subject, scope, |namespace| expected.is_managed(namespace), &atom) {
                        continue;
                    }
                    kinds.extend(amounts.iter().map(|amount| (kind(amount.act, *name), right(&atom), why(amount.why))));
                    if amounts.is_empty() {
                        kinds.insert((FaultKind::BeyondDuty, right(&atom), None));
                    }
                }
            }
        }
    }
    folded(grant, kinds)
}

/// What the inventory says of one named Secret.
fn of_name<'g>(grant: &'g Grant, expected: &Expected, name: &str) -> Option<Fault<'g>> {
    let (subject, scope) = (&grant.subject, grant.scope.as_deref()?);
    let readers = expected.readers(scope, name);
    let is_reader = matches!(subject, super::Subject::Account { namespace, name }
        if namespace == scope && readers.is_some_and(|readers| readers.contains(&name.as_str())));
    if is_reader {
        return None;
    }
    let (kind, message) = match readers {
        Some(readers) => {
            let readers = readers.join(", ");
            let message = format!("{subject} may read Secret {scope}/{name}, which the inventory gives to {readers}");
            (FaultKind::UnexpectedReader, message)
        }
        None => {
            let message = format!("{subject} may read Secret {scope}/{name}, which nothing renders");
            (FaultKind::UnknownSecret, message)
        }
    };
    let object = format!("Secret {scope}/{name}");
    Some(Fault { kind, grant: Some(grant), object, message, why: None, namespace: None })
}

fn kind(act: Act, name: Option<&str>) -> FaultKind {
    match (act, name) {
        (Act::Read, Some(_)) => FaultKind::UnexpectedReader,
        (Act::Read, None) => FaultKind::EverySecret,
        (Act::Write, _) => FaultKind::Writer,
        _ => FaultKind::Escalation,
    }
}

fn why(text: &'static str) -> Option<&'static str> {
    (!text.is_empty()).then_some(text)
}

/// `get secrets`, `list deployments.apps`, `get secrets a`.
fn right(atom: &Atom<'_>) -> String {
    let group = if atom.group.is_empty() { String::new() } else { format!(".{}", atom.group) };
    let name = atom.name.map(|name| format!(" {name}")).unwrap_or_default();
    format!("{} {}{group}{name}", atom.verb, atom.resource)
}

/// How many rights a finding names.
const SHOWN: usize = 6;

/// One fault a kind.
fn folded<'g>(grant: &'g Grant, kinds: BTreeSet<(FaultKind, String, Option<&'static str>)>) -> Vec<Fault<'g>> {
    let mut faults: Vec<(FaultKind, Vec<String>, Option<&'static str>)> = Vec::new();
    for (kind, right, why) in kinds {
        match faults.last_mut() {
            Some(last) if last.0 == kind => {
                if last.1.last() != Some(&right) {
                    last.1.push(right);
                }
                last.2 = last.2.or(why);
            }
            _ => faults.push((kind, vec![right], why)),
        }
    }
    let place = grant.scope.as_ref().map_or_else(|| "in every namespace".to_owned(), |scope| format!("in {scope}"));
    let fault = |(kind, rights, why): (FaultKind, Vec<String>, Option<&'static str>)| {
        let more = rights.len().saturating_sub(SHOWN);
        let shown = rights[..rights.len() - more].join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let what = match kind {
            FaultKind::EverySecret => "may read every Secret",
            FaultKind::Writer => "may change Secrets",
            FaultKind::UnexpectedReader => "may read Secrets by more than `get`",
            FaultKind::Escalation => "has a right that amounts to reading Secrets",
            _ => "has a right that no duty asks for",
        };
        let message = format!("{} {what} {place}: {shown}{more}", grant.subject);
        Fault { kind, grant: Some(grant), object: grant.role.to_string(), message, why, namespace: None }
    };
    faults.into_iter().map(fault).collect()
}
