//! Whether the pods of a policy that goes stay held back by another: then nothing opens.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::naming::Naming;
use crate::drift::node::Node;
use crate::render::RenderedUnit;

/// Policies of a unit that hold back every pod of their namespace.
#[derive(Debug, Default)]
pub(super) struct Fences(Vec<Fence>);

#[derive(Debug)]
struct Fence {
    namespace: Option<String>,
    name: String,
    directions: BTreeSet<&'static str>,
}

const DIRECTIONS: [&str; 2] = ["Ingress", "Egress"];

impl Fences {
    /// Those of a unit, without its own names.
    pub(super) fn of(unit: &RenderedUnit, naming: &Naming) -> Self {
        let policies = unit.files.values().flat_map(|content| content.objects_that(|id| id.kind == "NetworkPolicy"));
        let fences = policies.filter_map(|(_, object)| {
            let selector = object["spec"]["podSelector"].as_object()?;
            let is_empty = |part: &Value| {
                part.as_object().is_some_and(Map::is_empty) || part.as_array().is_some_and(Vec::is_empty)
            };
            let every = selector.values().all(is_empty);
            let types = object["spec"]["policyTypes"].as_array()?;
            let text = |field: &str| object["metadata"][field].as_str().map(|text| naming.hide(text).into_owned());
            every.then(|| Fence {
                namespace: text("namespace"),
                name: text("name").unwrap_or_default(),
                directions: DIRECTIONS.into_iter().filter(|one| types.iter().any(|kind| kind == one)).collect(),
            })
        });
        Self(fences.collect())
    }

    /// The policy that holds back the pods of one that goes, in every direction in which that one did.
    pub(super) fn around(&self, namespace: Option<&str>, policy: &Node<'_>) -> Option<&str> {
        let held = directions(policy)?;
        let fence = |fence: &&Fence| fence.namespace.as_deref() == namespace && held.is_subset(&fence.directions);
        self.0.iter().find(fence).map(|fence| fence.name.as_str())
    }
}

/// The directions in which a policy holds pods back; `None` if it also refuses what others may allow, or cannot be told.
fn directions(policy: &Node<'_>) -> Option<BTreeSet<&'static str>> {
    let spec = policy.get("spec")?;
    if ["ingressDeny", "egressDeny", "enableDefaultDeny"].iter().any(|field| spec.get(field).is_some()) {
        return None;
    }
    if let Some(types) = spec.get("policyTypes").and_then(Node::as_list) {
        return Some(
            DIRECTIONS.into_iter().filter(|one| types.iter().any(|kind| kind.as_text() == Some(one))).collect(),
        );
    }
    let of = |field: &str, word: &'static str| spec.get(field).map(|_| word);
    spec.get("endpointSelector")?;
    Some([of("ingress", DIRECTIONS[0]), of("egress", DIRECTIONS[1])].into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::manifest::Digest;
    use crate::render::FileContent;

    fn fences(spec: Value) -> Fences {
        let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "default-deny", "namespace": "tenant-acme"}, "spec": spec});
        let unit = RenderedUnit {
            path: "clusters/eu/tenants/acme".into(),
            tenant: Some("acme".into()),
            inputs: Digest::of(b""),
            files: BTreeMap::from([("all.yaml".into(), FileContent::Objects(vec![policy]))]),
        };
        Fences::of(&unit, &Naming::default())
    }

    fn held(fences: &Fences, namespace: &str, spec: &Value) -> bool {
        let text = json!({ "spec": spec }).to_string();
        fences.around(Some(namespace), &Node::from_json(text.as_bytes()).unwrap()).is_some()
    }

    #[test]
    fn only_a_policy_of_every_pod_in_every_direction_holds_what_another_leaves() {
        let all = fences(json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
        let agents = json!({"endpointSelector": {}, "ingress": [{}]});
        let both = json!({"podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Ingress", "Egress"]});
        assert!(held(&all, "tenant-acme", &agents) && held(&all, "tenant-acme", &both));
        assert!(!held(&all, "soctalk-system", &agents), "another namespace");
        assert!(
            !held(&all, "tenant-acme", &json!({"endpointSelector": {}, "ingressDeny": [{}]})),
            "it refused something"
        );
        let inward = fences(json!({"podSelector": {}, "policyTypes": ["Ingress"]}));
        assert!(held(&inward, "tenant-acme", &agents) && !held(&inward, "tenant-acme", &both), "egress opens");
        for some in
            [json!({"matchLabels": {"a": "b"}}), json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]})]
        {
            let part = fences(json!({"podSelector": some, "policyTypes": ["Ingress", "Egress"]}));
            assert!(!held(&part, "tenant-acme", &agents), "it holds some pods only");
        }
        assert!(held(
            &fences(json!({"podSelector": {"matchLabels": {}}, "policyTypes": ["Ingress"]})),
            "tenant-acme",
            &agents
        ));
    }
}
