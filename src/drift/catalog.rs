//! The kinds of a cluster: where their objects are found, and how two of them are made comparable.

use std::collections::BTreeMap;

use super::builtin;
use super::crd::Definition;
use super::explain::{self, Explanations, Silenced};
use super::kind::{Gvk, Known};
use super::node::Node;
use super::shape::{Origin, Shape};

/// What is known about one kind at one version.
#[derive(Debug, Clone)]
pub struct KindInfo {
    /// The kind.
    pub gvk: Gvk,
    /// The name in paths: `networkpolicies`.
    pub plural: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Which of the kinds known by heart it is.
    pub known: Known,
    /// Whose conventions hold.
    pub origin: Origin,
    /// Whether every default is known. If not, an addition may be a default, and cannot be judged.
    pub exact: bool,
    shape: Shape,
    explanations: Explanations,
}

/// The kinds that were looked up.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    kinds: BTreeMap<Gvk, KindInfo>,
    absent: BTreeMap<Gvk, String>,
}

impl Catalog {
    /// Adds a kind that the cluster serves.
    pub fn insert(&mut self, info: KindInfo) {
        self.absent.remove(&info.gvk);
        self.kinds.insert(info.gvk.clone(), info);
    }

    /// Notes that the cluster does not serve a kind, and why that is known.
    pub fn insert_absent(&mut self, gvk: Gvk, reason: impl Into<String>) {
        self.absent.insert(gvk, reason.into());
    }

    /// The kind, if the cluster serves it.
    pub fn get(&self, gvk: &Gvk) -> Option<&KindInfo> {
        self.kinds.get(gvk)
    }

    /// Why the cluster does not serve a kind, if it was looked up and is not there.
    pub fn why_absent(&self, gvk: &Gvk) -> Option<&str> {
        self.absent.get(gvk).map(String::as_str)
    }

    /// Whether a kind was looked up.
    pub fn knows(&self, gvk: &Gvk) -> bool {
        self.kinds.contains_key(gvk) || self.absent.contains_key(gvk)
    }

    /// The kinds that the cluster serves.
    pub fn kinds(&self) -> impl Iterator<Item = &KindInfo> {
        self.kinds.values()
    }
}

impl KindInfo {
    /// A built-in kind.
    pub fn builtin(gvk: Gvk, plural: impl Into<String>, namespaced: bool, allowed_prefixes: &[String]) -> Self {
        let known = gvk.known();
        KindInfo {
            plural: plural.into(),
            namespaced,
            known,
            origin: Origin::Builtin,
            exact: known.has_table(),
            shape: builtin::shape(known),
            explanations: Explanations::of(known, allowed_prefixes),
            gvk,
        }
    }

    /// A custom resource whose definition was read. None if the definition does not serve that version.
    pub fn custom(definition: &Definition, version: &str, allowed_prefixes: &[String]) -> Option<Self> {
        let shape = definition.versions.get(version)?.clone();
        let gvk = Gvk { group: definition.group.clone(), version: version.to_owned(), kind: definition.kind.clone() };
        let known = gvk.known();
        Some(KindInfo {
            plural: definition.plural.clone(),
            namespaced: definition.namespaced,
            known,
            origin: Origin::Custom,
            exact: true,
            shape,
            explanations: Explanations::of(known, allowed_prefixes),
            gvk,
        })
    }

    /// A custom resource whose definition could not be read.
    pub fn undefined(gvk: Gvk, plural: impl Into<String>, namespaced: bool, allowed_prefixes: &[String]) -> Self {
        let known = gvk.known();
        KindInfo {
            plural: plural.into(),
            namespaced,
            known,
            origin: Origin::Custom,
            exact: false,
            shape: builtin::shape(Known::Other),
            explanations: Explanations::of(known, allowed_prefixes),
            gvk,
        }
    }

    /// What is known about the fields.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Brings a committed object into the form that the API server would give it.
    pub fn canonical_desired(&self, name: &str, object: &mut Node<'_>) -> Silenced {
        strip_identity(object);
        if self.origin == Origin::Builtin {
            self.shape.prune(object, self.origin);
            builtin::compute_defaults(self.known, name, object);
        }
        self.shape.apply_defaults(object);
        self.shape.prune(object, self.origin);
        self.shape.normalise(object);
        drop_empty_metadata(object);
        self.explanations.silenced_by(object)
    }

    /// Brings a live object into the same form, without the additions that need no explanation.
    pub fn canonical_live(&self, object: &mut Node<'_>, silenced: Silenced) {
        strip_identity(object);
        self.explanations.strip(object, silenced);
        if self.origin == Origin::Builtin {
            self.shape.prune(object, self.origin);
        }
        self.shape.normalise(object);
        drop_empty_metadata(object);
    }
}

/// Takes out what names the object, what the server writes, and the status.
fn strip_identity(object: &mut Node<'_>) {
    let Some(object) = object.as_map_mut() else { return };
    object.retain(|key, _| !matches!(key, "apiVersion" | "kind" | "status"));
    if let Some(metadata) = object.get_mut("metadata").and_then(Node::as_map_mut) {
        metadata.retain(|key, _| matches!(key, "labels" | "annotations" | "finalizers" | "ownerReferences"));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Node::as_map_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
}

/// Takes out empty labels, annotations and finalizers, and metadata that holds nothing else.
fn drop_empty_metadata(object: &mut Node<'_>) {
    explain::drop_empty_metadata(object);
    if let Some(object) = object.as_map_mut()
        && object.get("metadata").is_some_and(Node::is_empty)
    {
        object.remove("metadata");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(api_version: &str, kind: &str) -> KindInfo {
        KindInfo::builtin(Gvk::new(api_version, kind), "x", true, &[])
    }

    /// Whether a live object is what a committed one becomes.
    fn same(info: &KindInfo, desired: &str, live: &str) -> bool {
        let mut desired = Node::from_json(desired.as_bytes()).unwrap();
        let mut live = Node::from_json(live.as_bytes()).unwrap();
        let silenced = info.canonical_desired("n", &mut desired);
        info.canonical_live(&mut live, silenced);
        desired.fingerprint(&mut Vec::new()) == live.fingerprint(&mut Vec::new())
    }

    #[test]
    fn server_metadata_and_status_do_not_count() {
        let desired = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"n","labels":{}},"data":{"a":""}}"#;
        let live = r#"{"metadata":{"name":"n","namespace":"x","uid":"1","resourceVersion":"2","generation":3,
            "creationTimestamp":"2026-01-01T00:00:00Z","managedFields":[{}]},"data":{"a":""},"status":{"a":1}}"#;
        assert!(same(&info("v1", "ConfigMap"), desired, live));
        assert!(!same(&info("v1", "ConfigMap"), desired, &live.replace(r#""a":"""#, r#""a":"b""#)));
    }

    #[test]
    fn a_minimal_service_equals_what_the_server_makes_of_it() {
        let desired = r#"{"metadata":{"name":"n"},"spec":{"selector":{"a":"b"},"ports":[{"port":443},{"port":53,"protocol":"UDP","targetPort":"dns"}]}}"#;
        let live = r#"{"metadata":{"name":"n"},"spec":{"clusterIP":"10.96.0.7","clusterIPs":["10.96.0.7"],"internalTrafficPolicy":"Cluster",
            "ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack","ports":[{"port":53,"protocol":"UDP","targetPort":"dns"},{"port":443,"protocol":"TCP","targetPort":443}],
            "selector":{"a":"b"},"sessionAffinity":"None","type":"ClusterIP"},"status":{"loadBalancer":{}}}"#;
        let service = info("v1", "Service");
        assert!(same(&service, desired, live));
        assert!(!same(&service, desired, &live.replace(":443,\"protocol\"", ":444,\"protocol\"")));
        assert!(!same(&service, desired, &live.replace("\"dns\"", "53")));
        assert!(!same(&service, desired, &live.replace("\"type\"", "\"externalIPs\":[\"192.0.2.1\"],\"type\"")));
    }

    #[test]
    fn an_empty_list_of_rules_is_no_rules() {
        let role = info("rbac.authorization.k8s.io/v1", "Role");
        assert!(same(&role, r#"{"rules":[]}"#, r#"{"rules":null}"#));
        assert!(!same(&role, r#"{"rules":[]}"#, r#"{"rules":[{"verbs":["get"]}]}"#));
    }
}
