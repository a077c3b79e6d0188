//! Objects that the cluster has and Git lacks.
//!
//! Kinds of which every object in a managed namespace comes from Git; bindings that reach a tenant's accounts from
//! elsewhere; namespaces that pass for a tenant's. Nothing that is written on a live object excuses it, except an owner of
//! a kind that makes such objects.

use super::catalog::KindInfo;
use super::classify::{self, Judgement};
use super::desired::{Desired, split_key};
use super::kind::{EXCLUSIVE, Known};
use super::node::Node;

/// What an object that Git lacks does, if it is one that Git should have. `key` is `namespace/name` or `name`.
pub fn judge(desired: &Desired, info: &KindInfo, key: &str, live: &Node<'_>) -> Option<Judgement> {
    if !desired.filter.selects(live) {
        return None;
    }
    let (namespace, name) = split_key(key);
    let managed = namespace.is_some_and(|namespace| desired.namespaces.contains_key(namespace));
    let suspicious = match info.known {
        Known::Namespace => passes_for_tenant(desired, live),
        Known::ClusterRoleBinding => !is_bootstrap(name, live) && reaches_accounts(desired, live),
        Known::RoleBinding if !managed => reaches_accounts(desired, live),
        _ => managed && is_exclusive(info) && !owner_makes_such(info.known, live),
    };
    suspicious.then(|| classify::extra(info.known, live))
}

/// Whether every object of the kind in a managed namespace comes from Git.
pub fn is_exclusive(info: &KindInfo) -> bool {
    EXCLUSIVE.iter().any(|(group, kind)| *group == info.gvk.group && *kind == info.gvk.kind)
}

/// Labelled as a tenant of an install whose tenants Git declares.
fn passes_for_tenant(desired: &Desired, live: &Node<'_>) -> bool {
    if desired.filter.tenants.is_some() || desired.filter.shard.is_some() {
        return false; // the other tenants are not known
    }
    let label = |key: &str| live.at(&["metadata", "labels", key]).and_then(Node::as_text);
    let install = label("install-id");
    let ours = desired
        .namespaces
        .values()
        .any(|namespace| namespace.install_id.is_some() && namespace.install_id.as_deref() == install);
    label("tenant") == Some("true") && ours
}

/// Whether a subject is an account of a managed namespace, or a group that holds such accounts.
fn reaches_accounts(desired: &Desired, binding: &Node<'_>) -> bool {
    let managed = |namespace: &str| desired.namespaces.contains_key(namespace);
    let subjects = binding.get("subjects").and_then(Node::as_list).unwrap_or_default();
    subjects.iter().any(|subject| {
        let text = |field: &str| subject.get(field).and_then(Node::as_text).unwrap_or_default();
        match (text("kind"), text("name")) {
            ("ServiceAccount", _) => managed(text("namespace")),
            ("User", user) => {
                let account = user.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'));
                account.is_some_and(|(namespace, _)| managed(namespace))
            }
            ("Group", "system:serviceaccounts" | "system:authenticated" | "system:unauthenticated") => true,
            ("Group", group) => group.strip_prefix("system:serviceaccounts:").is_some_and(managed),
            _ => false,
        }
    })
}

/// The bindings to such groups that every API server makes for itself, as long as they say what it makes them say.
fn is_bootstrap(name: &str, binding: &Node<'_>) -> bool {
    const BOOTSTRAP: [(&str, &[&str]); 4] = [
        ("system:basic-user", &["system:authenticated"]),
        ("system:discovery", &["system:authenticated"]),
        ("system:public-info-viewer", &["system:authenticated", "system:unauthenticated"]),
        ("system:service-account-issuer-discovery", &["system:serviceaccounts"]),
    ];
    let Some((_, groups)) = BOOTSTRAP.iter().find(|(known, _)| *known == name) else { return false };
    let role = binding.at(&["roleRef", "name"]).and_then(Node::as_text);
    let subjects = binding.get("subjects").and_then(Node::as_list).unwrap_or_default();
    role == Some(name)
        && subjects.iter().all(|subject| {
            let group = subject.get("kind").and_then(Node::as_text) == Some("Group");
            group && subject.get("name").and_then(Node::as_text).is_some_and(|name| groups.contains(&name))
        })
}

/// Whether a controller owns it whose objects are of that kind: cert-manager's shim makes Certificates for Ingresses, a
/// ClusterExternalSecret makes ExternalSecrets.
fn owner_makes_such(kind: Known, live: &Node<'_>) -> bool {
    let makers: &[(&str, &str)] = match kind {
        Known::Certificate => &[("networking.k8s.io/", "Ingress"), ("gateway.networking.k8s.io/", "Gateway")],
        Known::ExternalSecret => &[("external-secrets.io/", "ClusterExternalSecret")],
        Known::PushSecret => &[("external-secrets.io/", "ClusterPushSecret")],
        _ => &[],
    };
    let owners = live.at(&["metadata", "ownerReferences"]).and_then(Node::as_list).unwrap_or_default();
    owners.iter().any(|owner| {
        let text = |field: &str| owner.get(field).and_then(Node::as_text).unwrap_or_default();
        owner.get("controller") == Some(&Node::Bool(true))
            && makers.iter().any(|(group, kind)| text("apiVersion").starts_with(group) && text("kind") == *kind)
    })
}

#[cfg(test)]
mod tests {
    use super::super::desired::{ManagedNamespace, Unit};
    use super::super::filter::Filter;
    use super::super::kind::Gvk;
    use super::*;

    fn desired() -> Desired {
        let mut desired = Desired::default();
        let namespace = ManagedNamespace { unit: Unit::Tenant("acme".into()), install_id: Some("i1".into()) };
        desired.namespaces.insert("tenant-acme".into(), namespace);
        desired
    }

    fn found(api_version: &str, kind: &str, key: &str, json: &str) -> bool {
        let info = KindInfo::builtin(Gvk::new(api_version, kind), "x", true, &[]);
        judge(&desired(), &info, key, &Node::from_json(json.as_bytes()).unwrap()).is_some()
    }

    #[test]
    fn exclusive_kinds_in_managed_namespaces_only() {
        let network = "networking.k8s.io/v1";
        assert!(found(network, "NetworkPolicy", "tenant-acme/x", "{}"));
        assert!(!found(network, "NetworkPolicy", "other/x", "{}"));
        assert!(!found("v1", "ConfigMap", "tenant-acme/x", "{}"));
    }

    #[test]
    fn an_owner_excuses_only_what_its_kind_makes() {
        let owned = |version: &str, kind: &str| {
            format!(
                r#"{{"metadata":{{"ownerReferences":[{{"apiVersion":"{version}","kind":"{kind}","controller":true}}]}}}}"#
            )
        };
        let certificate = |json: &str| found("cert-manager.io/v1", "Certificate", "tenant-acme/x", json);
        assert!(!certificate(&owned("networking.k8s.io/v1", "Ingress")));
        assert!(certificate(&owned("v1", "ConfigMap")));
        let policy = |json: &str| found("networking.k8s.io/v1", "NetworkPolicy", "tenant-acme/x", json);
        assert!(policy(&owned("networking.k8s.io/v1", "Ingress")));
    }

    #[test]
    fn bindings_that_reach_a_tenants_accounts() {
        let binding = |subject: &str| format!(r#"{{"roleRef":{{"name":"r"}},"subjects":[{subject}]}}"#);
        let rbac = "rbac.authorization.k8s.io/v1";
        for (subject, reaches) in [
            (r#"{"kind":"ServiceAccount","name":"a","namespace":"tenant-acme"}"#, true),
            (r#"{"kind":"ServiceAccount","name":"a","namespace":"kube-system"}"#, false),
            (r#"{"kind":"User","name":"system:serviceaccount:tenant-acme:a"}"#, true),
            (r#"{"kind":"User","name":"jane"}"#, false),
            (r#"{"kind":"Group","name":"system:serviceaccounts:tenant-acme"}"#, true),
            (r#"{"kind":"Group","name":"system:serviceaccounts:kube-system"}"#, false),
            (r#"{"kind":"Group","name":"system:serviceaccounts"}"#, true),
            (r#"{"kind":"Group","name":"system:authenticated"}"#, true),
        ] {
            assert_eq!(found(rbac, "ClusterRoleBinding", "x", &binding(subject)), reaches, "{subject}");
            assert_eq!(found(rbac, "RoleBinding", "kube-system/x", &binding(subject)), reaches, "{subject}");
        }
    }

    #[test]
    fn bootstrap_bindings_are_known_only_while_they_are_themselves() {
        let binding = |role: &str, group: &str| {
            format!(r#"{{"roleRef":{{"name":"{role}"}},"subjects":[{{"kind":"Group","name":"{group}"}}]}}"#)
        };
        let rbac = "rbac.authorization.k8s.io/v1";
        let name = "system:discovery";
        assert!(!found(rbac, "ClusterRoleBinding", name, &binding(name, "system:authenticated")));
        assert!(found(rbac, "ClusterRoleBinding", name, &binding("cluster-admin", "system:authenticated")));
        assert!(found(rbac, "ClusterRoleBinding", name, &binding(name, "system:unauthenticated")));
    }

    #[test]
    fn namespaces_that_pass_for_tenants() {
        let labels =
            |install: &str| format!(r#"{{"metadata":{{"labels":{{"tenant":"true","install-id":"{install}"}}}}}}"#);
        assert!(found("v1", "Namespace", "tenant-ghost", &labels("i1")));
        assert!(!found("v1", "Namespace", "tenant-ghost", &labels("i2")));
        assert!(!found("v1", "Namespace", "kube-system", "{}"));
        let mut part = desired();
        part.filter = Filter { tenants: Some(std::collections::BTreeSet::new()), ..Filter::default() };
        assert!(!passes_for_tenant(&part, &Node::from_json(labels("i1").as_bytes()).unwrap()));
    }
}
