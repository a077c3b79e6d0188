//! What accounts may do beside reading the Secrets that the inventory gives them, and who acts by rights from elsewhere.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::subject::Subject;
use crate::plan::names::SYSTEM_NAMESPACE;
use crate::yaml::{self, Limits};

static TABLE: LazyLock<Table> = LazyLock::new(|| read(include_str!("duties.yaml")).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    duties: Vec<Duty>,
    outsiders: Vec<Outsider>,
}

/// What an account may do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Duty {
    account: String,
    r#in: String,
    why: String,
    may: Vec<Permission>,
}

/// A part of a duty. `*` stands for every group or resource that is not named in `except`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Permission {
    groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
}

/// Somebody who can read Secrets by rights that no fleet renders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outsider {
    /// Who.
    pub name: String,
    /// Which Secrets, and why.
    pub why: String,
}

/// One verb on one resource of one group, on one named object or on all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Atom<'a> {
    /// The group.
    pub group: &'a str,
    /// The resource.
    pub resource: &'a str,
    /// The verb.
    pub verb: &'a str,
    /// The object; none for all.
    pub name: Option<&'a str>,
    /// Whether it amounts to more than its name says: then only its own name permits it.
    pub escalates: bool,
}

/// Those who act by rights from elsewhere.
pub fn outsiders() -> &'static [Outsider] {
    &TABLE.outsiders
}

/// Whether a duty is one of this namespace alone. In all others, accounts of one name have the same duties.
pub fn is_particular(namespace: &str) -> bool {
    let is_home = |duty: &Duty| duty.account.split_once('/').is_some_and(|(home, _)| home == namespace);
    TABLE.duties.iter().any(|duty| duty.r#in == namespace || is_home(duty))
}

/// Why an account has rights beside the inventory's, if it has any by its duties.
pub fn reason(subject: &Subject) -> Option<&'static str> {
    let Subject::Account { namespace, name } = subject else { return None };
    TABLE.duties.iter().find(|duty| duty.is_of(namespace, name)).map(|duty| duty.why.as_str())
}

/// Whether a subject's duties permit something, in a namespace or (without one) in the whole cluster.
pub fn permits(subject: &Subject, scope: Option<&str>, managed: impl Fn(&str) -> bool, atom: &Atom<'_>) -> bool {
    let Subject::Account { namespace, name } = subject else { return false };
    let applies = |duty: &&Duty| {
        duty.is_of(namespace, name)
            && match (duty.r#in.as_str(), scope) {
                ("cluster", scope) => scope.is_none(),
                ("managed", Some(scope)) => scope == namespace && managed(scope),
                (own, Some(scope)) => own == scope && (duty.account.contains('/') || scope == namespace),
                (_, None) => false,
            }
    };
    TABLE.duties.iter().filter(applies).flat_map(|duty| &duty.may).any(|may| may.permits(atom))
}

impl Duty {
    fn is_of(&self, namespace: &str, name: &str) -> bool {
        match self.account.split_once('/') {
            Some((own, account)) => own == namespace && account == name,
            None => self.account == name && (self.r#in == "managed" || self.r#in == SYSTEM_NAMESPACE),
        }
    }
}

impl Permission {
    fn permits(&self, atom: &Atom<'_>) -> bool {
        let has = |own: &[String], word: &str| {
            own.iter().any(|one| if one == "*" { word != "*" && !atom.escalates } else { one == word })
        };
        let whole = atom.resource.split('/').next().unwrap_or_default();
        has(&self.groups, atom.group)
            && has(&self.resources, atom.resource)
            && !self.except.iter().any(|out| out == whole)
            && self.verbs.iter().any(|verb| verb == atom.verb)
            && (self.names.is_empty() || atom.name.is_some_and(|name| self.names.iter().any(|own| own == name)))
    }
}

fn read(text: &str) -> Option<Table> {
    let documents = yaml::parse(text, Limits::MANIFEST).ok()?;
    serde_json::from_value(documents.first()?.root.to_json()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_whole() {
        assert!(read(include_str!("duties.yaml")).is_some());
        assert!(TABLE.duties.len() > 3 && outsiders().len() > 3);
    }

    #[test]
    fn a_duty_holds_for_its_account_in_its_place_only() {
        let atom = |group, resource, verb| Atom { group, resource, verb, name: None, escalates: false };
        let may = |account: (&str, &str), scope: Option<&str>, atom: &Atom<'_>| {
            permits(&Subject::account(account.0, account.1), scope, |namespace| namespace.starts_with("tenant-"), atom)
        };
        let secrets = atom("", "secrets", "get");
        assert!(may(("tenant-a", "helm-deployer"), Some("tenant-a"), &secrets));
        assert!(!may(("tenant-a", "helm-deployer"), Some("tenant-b"), &secrets));
        assert!(!may(("tenant-a", "helm-deployer"), None, &secrets));
        assert!(!may(("other", "helm-deployer"), Some("other"), &secrets));
        assert!(!may(("tenant-a", "thehive"), Some("tenant-a"), &secrets));
        let drift = ("soctalk-system", "tenantry-drift-sa");
        assert!(may(drift, None, &atom("apps", "deployments", "list")));
        assert!(!may(drift, None, &secrets));
        assert!(!may(drift, None, &atom("*", "*", "list")));
        assert!(!may(drift, None, &atom("apps", "deployments", "*")));
        assert!(!may(drift, None, &Atom { escalates: true, ..atom("", "nodes/proxy", "get") }));
    }
}
