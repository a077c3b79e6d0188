//! Asks a policy about an object, as the API server does when the object is created, or applied again.

use kube_cel::cel::Value as Cel;
use serde_json::{Map, Value, json};

use super::matching::Resource;
use super::policy::{Binding, Policy, ROOTS};
use crate::cel::{self, Compiled, Outcome};

/// An object and what the API server knows beside it.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// What kind it is.
    pub resource: &'a Resource,
    /// The object, or what policies read of it.
    pub object: &'a Value,
    /// What was there before; none on creation.
    pub old: Option<&'a Value>,
    /// Its name.
    pub name: &'a str,
    /// Its namespace, whole.
    pub namespace: Option<&'a Value>,
    /// Name of its namespace.
    pub namespace_name: Option<&'a str>,
    /// Labels of its namespace, or its own if it is a namespace; none for other objects of the cluster.
    pub namespace_labels: Option<&'a Map<String, Value>>,
    /// Labels of the object.
    pub labels: &'a Map<String, Value>,
    /// Who asks.
    pub user: &'a str,
}

/// Whether a policy was asked at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The policy is not about such objects.
    No,
    /// It is; this is what it said.
    Yes(Verdict),
}

/// What a policy says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing stands against it.
    Allowed,
    /// It is refused, with these messages.
    Refused(Vec<String>),
    /// It cannot be told without an API server, and why.
    NotCheckable(String),
}

impl Policy {
    /// Whether it could be about objects of this kind.
    pub fn knows(&self, resource: &Resource) -> bool {
        ["CREATE", "UPDATE"].iter().any(|operation| self.constraints.knows(resource, operation))
    }

    /// Whether its verdict depends on more than the object: on its name, on its namespace.
    pub fn reads_around(&self) -> bool {
        !self.reads["request"].is_presence() || !self.reads["namespaceObject"].is_presence()
    }

    /// Whether it is about an object when it is created, or else when it is applied again.
    pub fn meets(&self, subject: &Subject<'_>) -> bool {
        let meets = |limits: &super::matching::Match, operation: &str| {
            let by = |labels| limits.meets(subject.resource, operation, subject.name, labels, subject.namespace_labels);
            // An update is selected by what was there as well: nothing escapes by dropping its labels.
            let before = subject.old.and_then(|old| old["metadata"]["labels"].as_object());
            by(subject.labels) || before.is_some_and(by)
        };
        let operations: &[&str] = if subject.old.is_some() { &["UPDATE"] } else { &["CREATE"] };
        operations.iter().any(|operation| {
            meets(&self.constraints, operation) && self.bindings.iter().any(|binding| meets(&binding.limits, operation))
        })
    }

    /// Whether it is about an object when it is created or when it is applied again.
    pub fn is_met(&self, subject: &Subject<'_>) -> bool {
        let again = Subject { old: Some(subject.object), ..subject.clone() };
        self.meets(subject) || self.meets(&again)
    }

    /// Asks it. It is about the object: see [`Policy::meets`].
    pub fn ask(&self, subject: &Subject<'_>) -> Verdict {
        let mut verdict = Verdict::Allowed;
        for binding in &self.bindings {
            match self.ask_as(subject, binding) {
                Verdict::Allowed => {}
                other => verdict = other,
            }
        }
        verdict
    }

    /// Asks it about creation and, if it compares, about being applied again.
    pub fn ask_all(&self, subject: &Subject<'_>) -> Asked {
        let again = Subject { old: Some(subject.object), ..subject.clone() };
        let mut asked = Asked::No;
        for subject in [subject, &again] {
            if subject.old.is_some() && !self.compares && asked != Asked::No {
                continue;
            }
            if self.meets(subject) {
                match self.ask(subject) {
                    Verdict::Allowed if asked == Asked::No => asked = Asked::Yes(Verdict::Allowed),
                    Verdict::Allowed => {}
                    other => return Asked::Yes(other),
                }
            }
        }
        asked
    }

    fn ask_as(&self, subject: &Subject<'_>, binding: &Binding) -> Verdict {
        if self.has_parameters && binding.parameters.is_none() {
            return Verdict::NotCheckable("its parameters are not among the policies' files".into());
        }
        let mut known = Variables::of(self, subject, binding);
        for condition in &self.conditions {
            match known.run(condition) {
                Outcome::Value(Cel::Bool(true)) => {}
                Outcome::Value(Cel::Bool(false)) => return Verdict::Allowed,
                Outcome::Unsupported(reason) => return Verdict::NotCheckable(reason),
                Outcome::Value(_) | Outcome::Failed(_) if self.fails_closed => {
                    return Verdict::Refused(vec![format!("a match condition fails: {}", condition.text())]);
                }
                Outcome::Value(_) | Outcome::Failed(_) => return Verdict::Allowed,
            }
        }
        for (name, variable) in &self.variables {
            match known.run(variable) {
                Outcome::Value(value) => known.compose(name, value),
                Outcome::Unsupported(reason) => return Verdict::NotCheckable(reason),
                // It counts only where it is used.
                Outcome::Failed(_) => {}
            }
        }
        let mut messages = Vec::new();
        for validation in &self.validations {
            match known.run(&validation.expression) {
                Outcome::Value(Cel::Bool(true)) => {}
                Outcome::Unsupported(reason) => return Verdict::NotCheckable(reason),
                Outcome::Failed(_) if !self.fails_closed => {}
                Outcome::Failed(reason) => {
                    messages.push(format!("an expression fails ({reason}): {}", short(validation.expression.text())));
                }
                Outcome::Value(_) => messages.push(known.message(validation)),
            }
        }
        if messages.is_empty() { Verdict::Allowed } else { Verdict::Refused(messages) }
    }
}

/// The variables of a request, as values of CEL.
struct Variables {
    roots: Vec<(&'static str, Cel)>,
    composed: Vec<(String, Cel)>,
}

impl Variables {
    fn of(policy: &Policy, subject: &Subject<'_>, binding: &Binding) -> Self {
        let null = Value::Null;
        let of = |root: &str| match root {
            "object" => cel::plain(subject.object),
            "oldObject" => cel::plain(subject.old.unwrap_or(&null)),
            "request" => cel::plain(&request(subject)),
            "namespaceObject" => cel::plain(subject.namespace.unwrap_or(&null)),
            _ => cel::plain(binding.parameters.as_ref().unwrap_or(&null)),
        };
        let named = ROOTS.into_iter().filter(|root| policy.named.contains(root));
        Self { roots: named.map(|root| (root, of(root))).collect(), composed: Vec::new() }
    }

    fn compose(&mut self, name: &str, value: Cel) {
        self.composed.push((name.to_owned(), value));
    }

    fn run(&self, expression: &Compiled) -> Outcome {
        let mut variables: Vec<(&str, Cel)> = self.roots.iter().map(|(name, value)| (*name, value.clone())).collect();
        if expression.names("variables") {
            variables.push(("variables", cel::map(self.composed.iter().cloned())));
        }
        expression.run(&variables)
    }

    fn message(&self, validation: &super::policy::Validation) -> String {
        let told = validation.message_expression.as_ref().and_then(|message| match self.run(message) {
            Outcome::Value(Cel::String(text)) => Some(text.as_str().to_owned()),
            _ => None,
        });
        let told = told.or_else(|| validation.message.clone());
        told.unwrap_or_else(|| format!("it does not hold: {}", short(validation.expression.text())))
    }
}

/// What is asked, as the API server tells a policy.
fn request(subject: &Subject<'_>) -> Value {
    let resource = subject.resource;
    let mut request = json!({
        "operation": if subject.old.is_some() { "UPDATE" } else { "CREATE" },
        "name": subject.name,
        "dryRun": false,
        "kind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "resource": {"group": resource.group, "version": resource.version, "resource": resource.plural},
        "userInfo": {"username": subject.user, "groups": groups(subject.user)},
    });
    if let Some(namespace) = subject.namespace_name {
        request["namespace"] = namespace.into();
    }
    request
}

/// Groups that the API server gives a ServiceAccount.
fn groups(user: &str) -> Vec<String> {
    let account = user.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    let of_account = account.into_iter().flat_map(|(namespace, _)| {
        ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]
    });
    of_account.chain(["system:authenticated".to_owned()]).collect()
}

/// Labels of a namespace, with that which the API server gives to each.
pub fn labels_of_namespace(namespace: &Value, name: &str) -> Map<String, Value> {
    let mut labels = namespace.pointer("/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default();
    labels.insert("kubernetes.io/metadata.name".into(), name.into());
    labels
}

fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > 120 { line.chars().take(117).collect::<String>() + "..." } else { line }
}
