//! Whose a live object was that the fleet renders no more.
//!
//! A tenant has objects in other namespaces than its own: what lets the control plane reach it, its secrets there, its
//! release. What brought an object, its labels, then its name tell.

use std::collections::BTreeMap;

use crate::drift::kind::Gvk;
use crate::drift::node::Node;
use crate::plan::names::{SYSTEM_NAMESPACE, namespace, system_unit, tenant_unit};

/// What tells the tenants of a cluster.
pub struct Owners<'a> {
    cluster: &'a str,
    /// Slugs by id.
    slugs: BTreeMap<String, String>,
    /// The unit that tells the GitOps engine what to sync.
    delivery: Option<String>,
}

/// Label with a tenant's id.
const ID: &str = "tenant-id";
/// Label of what Flux applied: the Kustomization.
const FLUX: &str = "kustomize.toolkit.fluxcd.io/name";

impl<'a> Owners<'a> {
    /// `known` are ids and slugs of the fleet; `delivery` is the unit that tells the GitOps engine what to sync.
    pub fn new(cluster: &'a str, known: impl Iterator<Item = (String, String)>, delivery: Option<String>) -> Self {
        Self { cluster, slugs: known.collect(), delivery }
    }

    /// Learns from an object which slug belongs to an id: of a tenant that the fleet has forgotten, the cluster knows it.
    pub fn learn(&mut self, kind: &str, object: &Node<'_>) {
        let slug = slug_in_place(kind, object).or_else(|| slug_in_name(object));
        let (Some(id), Some(slug)) = (label(object, ID), slug) else { return };
        self.slugs.entry(id.to_owned()).or_insert_with(|| slug.to_owned());
    }

    /// The unit that an object belonged to.
    pub fn unit_of(&self, gvk: &Gvk, object: &Node<'_>) -> String {
        let tenant = |slug: &str| tenant_unit(self.cluster, slug);
        if let Some(slug) = slug_in_place(&gvk.kind, object) {
            return tenant(slug);
        }
        if self.is_delivery(gvk, object) {
            return self.delivery.clone().unwrap_or_else(|| system_unit(self.cluster));
        }
        if let Some(unit) = label(object, FLUX) {
            return unit.strip_prefix(&namespace("")).map_or_else(|| system_unit(self.cluster), tenant);
        }
        let released = object.at(&["spec", "destination", "namespace"]).and_then(Node::as_text);
        let id = label(object, ID).or_else(|| id_in_name(object));
        // Of an id that nothing explains, at least the id is said.
        let by_id = || id.map(|id| self.slugs.get(id).map_or(id, String::as_str));
        let slug = released.and_then(slug_of).or_else(by_id).or_else(|| slug_in_name(object));
        slug.map_or_else(|| system_unit(self.cluster), tenant)
    }

    /// Whether it tells the engine what to sync; a release is the unit's own.
    fn is_delivery(&self, gvk: &Gvk, object: &Node<'_>) -> bool {
        match gvk.group.as_str() {
            "kustomize.toolkit.fluxcd.io" => true,
            "source.toolkit.fluxcd.io" => gvk.kind == "GitRepository",
            "argoproj.io" => object.at(&["spec", "source", "chart"]).is_none(),
            _ => false,
        }
    }
}

fn text<'n>(object: &'n Node<'_>, field: &str) -> Option<&'n str> {
    object.at(&["metadata", field]).and_then(Node::as_text)
}

fn label<'n>(object: &'n Node<'_>, key: &str) -> Option<&'n str> {
    object.at(&["metadata", "labels", key]).and_then(Node::as_text)
}

/// The tenant whose namespace it is.
fn slug_of(place: &str) -> Option<&str> {
    place.strip_prefix(&namespace("")).filter(|slug| !slug.is_empty())
}

/// The tenant in whose namespace it lies, or whose namespace it is.
fn slug_in_place<'n>(kind: &str, object: &'n Node<'_>) -> Option<&'n str> {
    slug_of(text(object, if kind == "Namespace" { "name" } else { "namespace" })?)
}

/// The tenant that the name of an object of the control plane ends with: `wazuh-edge-tenant-acme`.
fn slug_in_name<'n>(object: &'n Node<'_>) -> Option<&'n str> {
    let name = text(object, "name").filter(|_| text(object, "namespace") == Some(SYSTEM_NAMESPACE))?;
    name.rsplit_once("-tenant-").map(|(_, slug)| slug).filter(|slug| !slug.is_empty())
}

/// The id in a name: `tenant-<id>-wazuh`.
fn id_in_name<'n>(object: &'n Node<'_>) -> Option<&'n str> {
    const LENGTH: usize = 36;
    let id = text(object, "name")?.strip_prefix(&namespace(""))?.get(..LENGTH)?;
    uuid::Uuid::try_parse(id).is_ok().then_some(id)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ACME: &str = "0b6f7d1a-8f4e-4c57-9d2a-1a5b0c7e4f01";

    fn owned(value: &Value) -> Node<'static> {
        Node::from_json(value.to_string().as_bytes()).unwrap().into_owned()
    }

    #[test]
    fn place_label_and_name_tell_whose_an_object_was() {
        let other = "5a1e2c6f-3e9d-4bac-8c7f-6f0a5b2d9e06";
        let known = [(ACME.to_owned(), "acme".to_owned())];
        let mut owners = Owners::new("eu", known.into_iter(), Some("clusters/eu/flux".into()));
        let made = |kind: &str, place: &str, name: &str, labels: Value| json!({"kind": kind, "metadata": {"namespace": place, "name": name, "labels": labels}});
        let system = "soctalk-system";
        let policy = made("CiliumNetworkPolicy", system, "llm-tenant-oak", json!({"tenant-id": other}));
        owners.learn("CiliumNetworkPolicy", &owned(&policy));
        let rows = [
            ("v1", made("Role", "tenant-acme", "r", json!({})), "tenants/acme"),
            ("v1", made("Namespace", "", "tenant-acme", json!({})), "tenants/acme"),
            ("v1", made("Role", system, "r", json!({"tenant-id": ACME})), "tenants/acme"),
            ("v1", made("Role", system, "r", json!({"tenant-id": other})), "tenants/oak"),
            ("v1", made("Password", system, &format!("tenant-{ACME}-wazuh"), json!({})), "tenants/acme"),
            ("v1", made("Password", system, &format!("tenant-{other}-wazuh"), json!({})), "tenants/oak"),
            ("v1", made("Policy", system, "wazuh-edge-tenant-elm", json!({})), "tenants/elm"),
            ("v1", made("Role", system, "r", json!({ FLUX: "tenant-elm" })), "tenants/elm"),
            ("kustomize.toolkit.fluxcd.io/v1", made("Kustomization", "flux-system", "tenant-elm", json!({})), "flux"),
            // Those of the control plane, and what only looks like a tenant's.
            ("v1", made("Role", system, "r", json!({})), "system"),
            ("v1", made("Role", system, "r", json!({ FLUX: "soctalk-system" })), "system"),
            ("v1", made("ClusterRole", "", "tenant-reader", json!({})), "system"),
            ("v1", made("Role", "monitoring", "of-tenant-acme", json!({})), "system"),
        ];
        for (version, value, unit) in rows {
            let kind = value["kind"].as_str().unwrap();
            let found = owners.unit_of(&Gvk::new(version, kind), &owned(&value));
            assert_eq!(found, format!("clusters/eu/{unit}"), "{value}");
        }
    }

    #[test]
    fn of_argo_s_applications_the_release_is_the_tenant_s_own() {
        let owners = Owners::new("eu", std::iter::empty(), Some("clusters/eu/argocd".into()));
        let of = |source: Value| {
            let value = json!({"kind": "Application", "metadata": {"namespace": "argocd", "name": "tenant-elm"},
                "spec": {"source": source, "destination": {"namespace": "tenant-elm"}}});
            owners.unit_of(&Gvk::new("argoproj.io/v1alpha1", "Application"), &owned(&value))
        };
        assert_eq!(of(json!({"chart": "soctalk-tenant"})), "clusters/eu/tenants/elm");
        assert_eq!(of(json!({"path": "clusters/eu/tenants/elm"})), "clusters/eu/argocd");
    }
}
