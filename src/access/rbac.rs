//! Roles and bindings, joined into grants.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::rule::Rule;
use super::subject::Subject;
use crate::network::{LineIndex, Place, Source};

/// The API group of roles and bindings.
const GROUP: &str = "rbac.authorization.k8s.io/";

/// What a binding grants a subject by one rule of its role.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Who.
    pub subject: Subject,
    /// The namespace in which it holds; none for every namespace and the cluster itself.
    pub scope: Option<String>,
    /// What.
    pub rule: Arc<Rule>,
    /// The role, as `Role namespace/name`.
    pub role: Arc<str>,
    /// The binding, as `RoleBinding namespace/name`.
    pub binding: Arc<str>,
    rule_at: At,
    binding_at: At,
}

/// An item of a list of a document; the line is looked up when it is reported.
#[derive(Debug, Clone)]
struct At {
    file: Arc<str>,
    lines: Option<LineIndex>,
    list: &'static str,
    item: usize,
}

impl At {
    fn place(&self) -> Place {
        let line = |lines: &LineIndex| lines.line(&format!("/{}/{}", self.list, self.item));
        Place { file: Arc::clone(&self.file), line: self.lines.as_ref().map_or(1, line) }
    }
}

impl Grant {
    /// The rendered line of the rule.
    pub fn rule_place(&self) -> Place {
        self.rule_at.place()
    }

    /// The rendered line of the subject.
    pub fn binding_place(&self) -> Place {
        self.binding_at.place()
    }

    /// The file of the rule.
    pub fn rule_file(&self) -> &str {
        &self.rule_at.file
    }

    /// The file of the binding.
    pub fn binding_file(&self) -> &str {
        &self.binding_at.file
    }
}

/// A role or binding of which nothing can be concluded.
#[derive(Debug, Clone)]
pub struct Unresolved {
    /// The object.
    pub object: String,
    /// Where.
    pub place: Place,
    /// Why.
    pub reason: String,
}

/// Everything that the RBAC of a cluster grants.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// The grants, in the order of the documents.
    pub grants: Vec<Grant>,
    /// What could not be understood: nothing is proved while there is any.
    pub unresolved: Vec<Unresolved>,
    /// Accounts that are declared.
    pub accounts: BTreeSet<Subject>,
}

struct Role {
    rules: Vec<(Arc<Rule>, At)>,
    /// Labels by which cluster roles are aggregated into it: one selector each.
    aggregates: Vec<BTreeMap<String, String>>,
    labels: BTreeMap<String, String>,
}

struct Binding<'s> {
    source: &'s Source,
    name: String,
    scope: Option<String>,
}

type Key = (Option<String>, String);

impl Grants {
    /// Joins the roles and bindings among the documents.
    pub fn read<'s>(sources: impl IntoIterator<Item = &'s Source>) -> Self {
        let mut own = Self::default();
        let (mut roles, mut bindings): (HashMap<Key, Role>, Vec<Binding<'s>>) = (built_in(), Vec::new());
        for source in sources {
            let value = &source.value;
            let (kind, metadata) = (text(value, "kind"), &value["metadata"]);
            let name = text(metadata, "name").to_owned();
            let namespace = metadata["namespace"].as_str().map(str::to_owned);
            if kind == "ServiceAccount" {
                own.accounts.insert(Subject::account(namespace.as_deref().unwrap_or_default(), &name));
            }
            if !text(value, "apiVersion").starts_with(GROUP) {
                continue;
            }
            match kind {
                "Role" | "ClusterRole" => {
                    let scope = if kind == "Role" { namespace } else { None };
                    match role(source) {
                        Ok(role) => drop(roles.insert((scope, name), role)),
                        Err(reason) => own.unresolved.push(unresolved(source, kind, reason)),
                    }
                }
                "RoleBinding" => bindings.push(Binding { source, name, scope: namespace }),
                "ClusterRoleBinding" => bindings.push(Binding { source, name, scope: None }),
                _ => {}
            }
        }
        aggregate(&mut roles);
        for binding in &bindings {
            own.join(&roles, binding);
        }
        own
    }

    fn join(&mut self, roles: &HashMap<Key, Role>, binding: &Binding<'_>) {
        let value = &binding.source.value;
        let kind = if binding.scope.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
        let (role_kind, role_name) = (text(&value["roleRef"], "kind"), text(&value["roleRef"], "name").to_owned());
        let key = (binding.scope.clone().filter(|_| role_kind == "Role"), role_name.clone());
        let Some(role) = roles.get(&key).filter(|_| role_kind != "Role" || binding.scope.is_some()) else {
            let reason = format!("nothing renders the {role_kind} {role_name} that it refers to");
            self.unresolved.push(unresolved(binding.source, kind, reason));
            return;
        };
        // A unit is judged by itself when it changes: what decides of its grants lies in it.
        let own = unit(&binding.source.file);
        let is_elsewhere = |at: &At| at.lines.is_some() && unit(&at.file) != own;
        if role.rules.iter().any(|(_, at)| is_elsewhere(at)) {
            let reason = format!("the {role_kind} {role_name} that it refers to is rendered in another unit");
            self.unresolved.push(unresolved(binding.source, kind, reason));
        }
        let role_id: Arc<str> = object(role_kind, key.0.as_deref(), &role_name).into();
        let binding_id: Arc<str> = object(kind, binding.scope.as_deref(), &binding.name).into();
        let at = |item: usize| At {
            file: Arc::clone(&binding.source.file),
            lines: Some(binding.source.lines.clone()),
            list: "subjects",
            item,
        };
        for (index, entry) in value["subjects"].as_array().into_iter().flatten().enumerate() {
            let subject = match Subject::read(entry, binding.scope.as_deref()) {
                Ok(subject) => subject,
                Err(reason) => {
                    self.unresolved.push(unresolved(binding.source, kind, reason));
                    continue;
                }
            };
            self.grants.extend(role.rules.iter().map(|(rule, rule_at)| Grant {
                subject: subject.clone(),
                scope: binding.scope.clone(),
                rule: Arc::clone(rule),
                role: Arc::clone(&role_id),
                binding: Arc::clone(&binding_id),
                rule_at: rule_at.clone(),
                binding_at: at(index),
            }));
        }
    }
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

/// The unit of a file.
fn unit(file: &str) -> Option<&str> {
    file.rsplit_once('/').map(|(unit, _)| unit)
}

fn object(kind: &str, namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

fn unresolved(source: &Source, kind: &str, reason: String) -> Unresolved {
    let metadata = &source.value["metadata"];
    let place = Place { file: Arc::clone(&source.file), line: source.lines.line("") };
    Unresolved { object: object(kind, metadata["namespace"].as_str(), text(metadata, "name")), place, reason }
}

fn role(source: &Source) -> Result<Role, String> {
    let mut rules = Vec::new();
    for (item, value) in source.value["rules"].as_array().into_iter().flatten().enumerate() {
        if let Some(rule) = Rule::read(value)? {
            let (file, lines) = (Arc::clone(&source.file), Some(source.lines.clone()));
            rules.push((Arc::new(rule), At { file, lines, list: "rules", item }));
        }
    }
    let labels = |value: &Value| -> BTreeMap<String, String> {
        let map = value.as_object().into_iter().flatten();
        map.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    };
    let mut aggregates = Vec::new();
    for selector in source.value["aggregationRule"]["clusterRoleSelectors"].as_array().into_iter().flatten() {
        if !selector["matchExpressions"].is_null() {
            return Err("an aggregation rule selects by expressions: write it with matchLabels".into());
        }
        aggregates.push(labels(&selector["matchLabels"]));
    }
    Ok(Role { rules, aggregates, labels: labels(&source.value["metadata"]["labels"]) })
}

/// Fills the cluster roles that are made of others. (The controller replaces whatever rules they have themselves.)
fn aggregate(roles: &mut HashMap<Key, Role>) {
    let aggregated: Vec<Key> =
        roles.iter().filter(|(_, role)| !role.aggregates.is_empty()).map(|(key, _)| key.clone()).collect();
    // A role that is made of others may itself be a part: as many rounds as there are such roles settle all.
    for _ in 0..aggregated.len() {
        for key in &aggregated {
            let Some(selectors) = roles.get(key).map(|role| role.aggregates.clone()) else { continue };
            let selects = |labels: &BTreeMap<String, String>| {
                selectors.iter().any(|selector| selector.iter().all(|(name, value)| labels.get(name) == Some(value)))
            };
            let mut rules: Vec<(Arc<Rule>, At)> = Vec::new();
            let parts =
                roles.iter().filter(|(other, role)| other.0.is_none() && *other != key && selects(&role.labels));
            for (rule, at) in parts.flat_map(|(_, role)| &role.rules) {
                if !rules.iter().any(|(known, _)| known == rule) {
                    rules.push((rule.clone(), at.clone()));
                }
            }
            rules.sort_by(|a, b| a.0.cmp(&b.0));
            if let Some(role) = roles.get_mut(key) {
                role.rules = rules;
            }
        }
    }
}

/// The roles that every cluster has, as far as they matter to Secrets.
fn built_in() -> HashMap<Key, Role> {
    let rule = |groups: &[&str], resources: &[&str], verbs: &[&str]| {
        let own = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
        let at = At { file: "(Kubernetes)".into(), lines: None, list: "rules", item: 0 };
        (Arc::new(Rule { groups: own(groups), resources: own(resources), verbs: own(verbs), names: Vec::new() }), at)
    };
    let write = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    let edit = || {
        vec![
            rule(&[""], &["secrets", "pods", "pods/exec", "pods/attach", "configmaps", "services"], &write),
            rule(&[""], &["serviceaccounts"], &["impersonate"]),
            rule(
                &["apps", "batch"],
                &["deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs"],
                &write,
            ),
        ]
    };
    let mut admin = edit();
    admin.push(rule(&["rbac.authorization.k8s.io"], &["roles", "rolebindings"], &write));
    let view = vec![rule(
        &["", "apps", "batch"],
        &["pods", "configmaps", "services", "deployments"],
        &["get", "list", "watch"],
    )];
    let roles =
        [("cluster-admin", vec![rule(&["*"], &["*"], &["*"])]), ("admin", admin), ("edit", edit()), ("view", view)];
    let role = |rules| Role { rules, aggregates: Vec::new(), labels: BTreeMap::new() };
    roles.into_iter().map(|(name, rules)| ((None, name.to_owned()), role(rules))).collect()
}
