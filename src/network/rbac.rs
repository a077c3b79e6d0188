//! Who may change the labels that policies rely on: RBAC grants on namespaces and on policies.
//!
//! Source: Kubernetes documentation, *Using RBAC Authorization*. Whoever may write a Namespace may give it any label,
//! and so any peer that policies select by namespace label.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::input::Refusal;
use super::label::{Interner, Sym};
use super::objects::{At, Identity};
use super::reader::Node;

/// Grants and bindings, not yet joined.
#[derive(Default, Debug)]
pub(crate) struct Grants {
    pub roles: Vec<Role>,
    pub bindings: Vec<Binding>,
}

#[derive(Debug)]
pub(crate) struct Role {
    pub identity: Identity,
    pub is_cluster_role: bool,
    /// Rules that let their holder write something that isolation depends on: the field and what it grants.
    pub powers: Vec<(At, Power)>,
}

/// Something that isolation depends on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// To write namespaces, their labels included.
    WriteNamespaces,
    /// To write policies.
    WritePolicies,
}

#[derive(Debug)]
pub(crate) struct Binding {
    pub identity: Identity,
    pub is_cluster_binding: bool,
    pub role: Sym,
    pub role_is_cluster: bool,
    /// Service accounts: namespace and name. Groups of accounts of a namespace have no name.
    pub accounts: Vec<(Option<Sym>, Option<Sym>)>,
}

const WRITE_VERBS: &[&str] = &["create", "update", "patch", "*"];

/// Reads the rules of a Role or ClusterRole.
pub(crate) fn role(node: &Node<'_, '_>, identity: Identity, is_cluster_role: bool) -> Result<Role, Refusal> {
    let mut powers = Vec::new();
    if let Some(rules) = node.get("rules") {
        for rule in rules.list()? {
            let at = At { document: identity.at.document, pointer: rule.pointer().into() };
            powers.extend(rule_powers(&rule)?.into_iter().map(|power| (at.clone(), power)));
        }
    }
    Ok(Role { identity, is_cluster_role, powers })
}

fn rule_powers(rule: &Node<'_, '_>) -> Result<Vec<Power>, Refusal> {
    let texts = |field: &'static str| -> Result<Vec<String>, Refusal> {
        let Some(list) = rule.get(field) else { return Ok(Vec::new()) };
        list.list()?.map(|item| item.text().map(str::to_owned)).collect()
    };
    let (groups, resources, verbs) = (texts("apiGroups")?, texts("resources")?, texts("verbs")?);
    // A grant on named objects only is as good as none for other namespaces, but may name one's own.
    let writes = verbs.iter().any(|verb| WRITE_VERBS.contains(&verb.as_str()));
    let has = |list: &[String], names: &[&str]| list.iter().any(|item| item == "*" || names.contains(&item.as_str()));
    let mut powers = Vec::new();
    if writes && has(&groups, &[""]) && has(&resources, &["namespaces"]) {
        powers.push(Power::WriteNamespaces);
    }
    let networking = has(&groups, &["networking.k8s.io"]) && has(&resources, &["networkpolicies"]);
    let cilium =
        has(&groups, &["cilium.io"]) && has(&resources, &["ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies"]);
    if writes && (networking || cilium) {
        powers.push(Power::WritePolicies);
    }
    Ok(powers)
}

/// Reads a RoleBinding or ClusterRoleBinding.
pub(crate) fn binding(
    node: &Node<'_, '_>,
    identity: Identity,
    is_cluster_binding: bool,
    interner: &mut Interner,
) -> Result<Binding, Refusal> {
    let reference = node.need("roleRef")?;
    let role = interner.intern(reference.need("name")?.text()?);
    let role_is_cluster = reference.need("kind")?.text()? == "ClusterRole";
    let mut accounts = Vec::new();
    if let Some(subjects) = node.get("subjects") {
        for subject in subjects.list()? {
            let name = subject.need("name")?.text()?;
            match subject.need("kind")?.text()? {
                "ServiceAccount" => {
                    let namespace = subject.get("namespace").map(|field| field.text()).transpose()?;
                    let namespace = namespace.map_or(identity.namespace, |text| interner.intern(text));
                    accounts.push((Some(namespace), Some(interner.intern(name))));
                }
                "Group" => accounts.extend(group_accounts(name, interner)),
                _ => {}
            }
        }
    }
    Ok(Binding { identity, is_cluster_binding, role, role_is_cluster, accounts })
}

fn group_accounts(name: &str, interner: &mut Interner) -> Option<(Option<Sym>, Option<Sym>)> {
    match name {
        "system:serviceaccounts" | "system:authenticated" => Some((None, None)),
        _ => name.strip_prefix("system:serviceaccounts:").map(|namespace| (Some(interner.intern(namespace)), None)),
    }
}

/// A service account that has a power, and the rule and binding that give it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Holder {
    /// Absent for every account of every namespace.
    pub namespace: Option<Sym>,
    /// Absent for every account of the namespace.
    pub account: Option<Sym>,
    pub power: Power,
    pub rule: At,
    pub binding: At,
}

impl Grants {
    /// Everyone who has a power over the whole cluster or over a namespace. A RoleBinding gives nothing on namespaces,
    /// which are cluster-scoped, and nothing outside of its own namespace.
    pub fn holders(&self) -> Vec<Holder> {
        let mut holders = Vec::new();
        for binding in &self.bindings {
            let role = self.roles.iter().find(|role| {
                let is_near = role.is_cluster_role || role.identity.namespace == binding.identity.namespace;
                role.identity.name == binding.role && role.is_cluster_role == binding.role_is_cluster && is_near
            });
            for (rule, power) in role.iter().flat_map(|role| &role.powers) {
                if *power == Power::WriteNamespaces && !binding.is_cluster_binding {
                    continue;
                }
                for (namespace, account) in &binding.accounts {
                    let (namespace, account, power) = (*namespace, *account, *power);
                    let (rule, binding) = (rule.clone(), binding.identity.at.clone());
                    holders.push(Holder { namespace, account, power, rule, binding });
                }
            }
        }
        holders.sort();
        holders
    }
}
