//! Whom a binding is about.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A subject of a binding, or an account that acts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A service account.
    Account {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Every service account of a namespace; of every namespace if none is named.
    Accounts(Option<String>),
    /// Everybody who has or has not logged in: `system:authenticated`, `system:unauthenticated`.
    Everybody(String),
    /// A person or machine.
    User(String),
    /// A group of people.
    Group(String),
}

impl Subject {
    /// An account.
    pub fn account(namespace: &str, name: &str) -> Self {
        Self::Account { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// Reads an entry of `subjects`. An account without a namespace has that of its binding.
    ///
    /// # Errors
    /// What is wrong with the entry.
    pub fn read(entry: &Value, namespace: Option<&str>) -> Result<Self, String> {
        let text = |field: &str| entry[field].as_str().filter(|text| !text.is_empty());
        let name = text("name").ok_or("a subject has no name")?;
        match text("kind") {
            Some("ServiceAccount") => {
                let namespace = text("namespace").or(namespace).ok_or("a service account has no namespace")?;
                Ok(Self::account(namespace, name))
            }
            Some("User") => {
                Ok(match name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
                    Some((namespace, name)) => Self::account(namespace, name),
                    None => Self::User(name.to_owned()),
                })
            }
            Some("Group") => Ok(match name {
                "system:serviceaccounts" => Self::Accounts(None),
                "system:authenticated" | "system:unauthenticated" => Self::Everybody(name.to_owned()),
                _ => match name.strip_prefix("system:serviceaccounts:") {
                    Some(namespace) => Self::Accounts(Some(namespace.to_owned())),
                    None => Self::Group(name.to_owned()),
                },
            }),
            other => Err(format!("a subject has the kind {:?}", other.unwrap_or_default())),
        }
    }

    /// The same under other names.
    #[must_use]
    pub fn renamed(&self, names: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Account { namespace, name } => Self::Account { namespace: names(namespace), name: names(name) },
            Self::Accounts(namespace) => Self::Accounts(namespace.as_deref().map(names)),
            Self::Everybody(group) => Self::Everybody(group.clone()),
            Self::User(name) => Self::User(names(name)),
            Self::Group(name) => Self::Group(names(name)),
        }
    }

    /// Whether what this subject is granted, the other may do.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Accounts(None), Self::Account { .. } | Self::Accounts(_)) => true,
            (Self::Accounts(Some(own)), Self::Account { namespace, .. }) => own == namespace,
            (Self::Everybody(group), _) => group == "system:authenticated" || self == other,
            _ => self == other,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { namespace, name } => write!(out, "{namespace}/{name}"),
            Self::Accounts(Some(namespace)) => write!(out, "every account of {namespace}"),
            Self::Accounts(None) => out.write_str("every account of every namespace"),
            Self::Everybody(group) => write!(out, "everybody ({group})"),
            Self::User(name) => write!(out, "user {name}"),
            Self::Group(name) => write!(out, "group {name}"),
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_account_under_all_its_names() {
        let own = Subject::account("a", "x");
        let read = |entry: Value| Subject::read(&entry, Some("a")).unwrap();
        assert_eq!(read(json!({ "kind": "ServiceAccount", "name": "x" })), own);
        assert_eq!(read(json!({ "kind": "User", "name": "system:serviceaccount:a:x" })), own);
        for (group, covers) in [
            ("system:serviceaccounts:a", true),
            ("system:serviceaccounts:b", false),
            ("system:serviceaccounts", true),
            ("system:authenticated", true),
            ("system:unauthenticated", false),
            ("auditors", false),
        ] {
            assert_eq!(read(json!({ "kind": "Group", "name": group })).covers(&own), covers, "{group}");
        }
        assert!(Subject::read(&json!({ "kind": "Robot", "name": "x" }), None).is_err());
        assert!(Subject::read(&json!({ "kind": "ServiceAccount", "name": "x" }), None).is_err());
    }
}
