//! Helpers of the unit tests: models from YAML text, and random fleets.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::input::{LineIndex, Refusals, Source};
use super::model::Model;
use super::settings::{Profile, Settings};

pub(crate) fn sources(yaml: &str) -> Vec<Source> {
    let documents = serde_yaml::Deserializer::from_str(yaml);
    let values = documents.map(|document| <Value as serde::Deserialize>::deserialize(document).unwrap());
    values.map(source).collect()
}

pub(crate) fn source(value: Value) -> Source {
    Source { value, file: "test.yaml".into(), lines: LineIndex::starting_at(1) }
}

pub(crate) fn try_model(yaml: &str, settings: &Settings) -> Result<Model, Refusals> {
    Model::build(sources(yaml), settings)
}

pub(crate) fn model(yaml: &str, profile: Profile) -> Model {
    try_model(yaml, &Settings::new(profile)).unwrap()
}

fn small_selector(keys: &'static [&'static str], values: &'static [&'static str]) -> BoxedStrategy<Value> {
    let key = prop::sample::select(keys);
    let some = prop::collection::vec(prop::sample::select(values), 1..3);
    let requirement = prop_oneof![
        3 => (key.clone(), some.clone()).prop_map(|(key, values)| json!({"key": key, "operator": "In", "values": values})),
        1 => (key.clone(), some).prop_map(|(key, values)| json!({"key": key, "operator": "NotIn", "values": values})),
        1 => key.clone().prop_map(|key| json!({"key": key, "operator": "Exists"})),
        1 => key.prop_map(|key| json!({"key": key, "operator": "DoesNotExist"})),
    ];
    prop::collection::vec(requirement, 0..3).prop_map(|all| json!({"matchExpressions": all})).boxed()
}

const POD_KEYS: &[&str] = &["app", "tier"];
const POD_VALUES: &[&str] = &["a", "b", "n0", "n1"];
const NAMESPACE_KEYS: &[&str] = &["kubernetes.io/metadata.name", "tenant", "id"];
const NAMESPACE_VALUES: &[&str] = &["n0", "n1", "n2", "true", "id0", "id1"];

fn ports() -> BoxedStrategy<Value> {
    let port = prop_oneof![
        (1u16..4).prop_map(|port| json!({"port": port})),
        (1u16..4).prop_map(|port| json!({"port": port, "protocol": "UDP"})),
        (1u16..4).prop_map(|port| json!({"port": port, "endPort": port + 3})),
        prop::sample::select(&["web", "dns"]).prop_map(|name| json!({"port": name})),
        Just(json!({"protocol": "SCTP"})),
    ];
    prop::collection::vec(port, 0..3).prop_map(Value::from).boxed()
}

fn network_peer() -> BoxedStrategy<Value> {
    prop_oneof![
        3 => small_selector(POD_KEYS, POD_VALUES).prop_map(|pods| json!({"podSelector": pods})),
        3 => (small_selector(NAMESPACE_KEYS, NAMESPACE_VALUES), small_selector(POD_KEYS, POD_VALUES))
            .prop_map(|(namespaces, pods)| json!({"namespaceSelector": namespaces, "podSelector": pods})),
        1 => prop::sample::select(&["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "192.0.2.0/24"])
            .prop_map(|cidr| json!({"ipBlock": {"cidr": cidr}})),
    ]
    .boxed()
}

const TYPES: &[&[&str]] = &[&["Ingress"], &["Egress"], &["Ingress", "Egress"], &[]];

fn network_spec() -> BoxedStrategy<Value> {
    let rules = |field: &'static str| {
        let rule = (prop::collection::vec(network_peer(), 0..3), ports())
            .prop_map(move |(peers, ports)| json!({field: peers, "ports": ports}));
        prop::collection::vec(rule, 0..3)
    };
    let types = prop::sample::select(TYPES);
    (small_selector(POD_KEYS, POD_VALUES), rules("from"), rules("to"), types)
        .prop_map(|(pods, ingress, egress, types)| json!({"podSelector": pods, "ingress": ingress, "egress": egress, "policyTypes": types}))
        .boxed()
}

fn cilium_selector() -> BoxedStrategy<Value> {
    let keys: &'static [&'static str] = &["k8s:app", "tier"];
    let scoped: &'static [&'static str] = &[
        "k8s:io.kubernetes.pod.namespace",
        "k8s:io.cilium.k8s.namespace.labels.tenant",
        "io.cilium.k8s.namespace.labels.id",
    ];
    (small_selector(keys, POD_VALUES), small_selector(scoped, NAMESPACE_VALUES), any::<bool>())
        .prop_map(|(pods, namespaces, both)| {
            let mut all = pods["matchExpressions"].as_array().cloned().unwrap_or_default();
            if both {
                all.extend(namespaces["matchExpressions"].as_array().cloned().unwrap_or_default());
            }
            json!({"matchExpressions": all})
        })
        .boxed()
}

fn cilium_rule(side: &'static str, allow: bool) -> BoxedStrategy<Value> {
    let ports = prop::collection::vec(
        prop_oneof![
            prop::sample::select(&["1", "2", "3", "web", "0"])
                .prop_map(|port| json!({"port": port, "protocol": "TCP"})),
            prop::sample::select(&["1", "2", "dns"]).prop_map(|port| json!({"port": port})),
        ],
        1..3,
    );
    let peers = prop_oneof![
        4 => prop::collection::vec(cilium_selector(), 0..3).prop_map(move |all| (format!("{side}Endpoints"), json!(all))),
        1 => prop::sample::select(&["cluster", "world", "host", "remote-node", "all", "kube-apiserver"])
            .prop_map(move |one| (format!("{side}Entities"), json!([one]))),
        1 => prop::sample::select(&["10.0.0.0/8", "0.0.0.0/0"]).prop_map(move |one| (format!("{side}CIDR"), json!([one]))),
        1 => Just((String::new(), Value::Null)),
    ];
    (peers, prop::option::of(ports))
        .prop_map(move |((field, peers), ports)| {
            let mut rule = serde_json::Map::new();
            if !field.is_empty() {
                rule.insert(field, peers);
            }
            if let Some(ports) = ports {
                rule.insert("toPorts".to_owned(), json!([{"ports": ports}]));
            }
            let _ = allow;
            Value::Object(rule)
        })
        .boxed()
}

fn cilium_spec() -> BoxedStrategy<Value> {
    let rules = |side: &'static str, allow: bool| prop::collection::vec(cilium_rule(side, allow), 0..3);
    (
        cilium_selector(),
        rules("from", true),
        rules("to", true),
        rules("from", false),
        rules("to", false),
        any::<[bool; 3]>(),
    )
        .prop_map(|(subject, ingress, egress, ingress_deny, egress_deny, [deny, defaults, off])| {
            let mut spec = json!({"endpointSelector": subject, "ingress": ingress, "egress": egress});
            if deny {
                spec["ingressDeny"] = json!(ingress_deny);
                spec["egressDeny"] = json!(egress_deny);
            }
            if defaults {
                spec["enableDefaultDeny"] = json!({"ingress": !off, "egress": off});
            }
            spec
        })
        .boxed()
}

/// One policy of any kind in one of the namespaces.
pub(crate) fn policy(profile: Profile) -> BoxedStrategy<Value> {
    let namespace = prop::sample::select(&["n0", "n1", "n2", "n3"]);
    let network = (namespace.clone(), network_spec()).prop_map(|(namespace, spec)| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": namespace}, "spec": spec})
    });
    if profile == Profile::Kubernetes {
        return network.boxed();
    }
    let cilium = (namespace, cilium_spec(), 0..4u8).prop_map(|(namespace, spec, wide)| {
        if wide == 0 {
            return json!({"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy", "metadata": {"name": "p"}, "spec": spec});
        }
        json!({"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": "p", "namespace": namespace}, "spec": spec})
    });
    prop_oneof![network, cilium].boxed()
}

/// Namespaces `n0` to `n3`, the first three of them tenants, with a few pods each.
pub(crate) fn cluster() -> BoxedStrategy<Vec<Value>> {
    let pod = (prop::sample::select(POD_VALUES), prop::option::of(prop::sample::select(POD_VALUES)), 0..12u8, 1u16..4);
    prop::collection::vec(prop::collection::vec(pod, 1..4), 4)
        .prop_map(|namespaces| {
            let mut objects = Vec::new();
            for (index, pods) in namespaces.into_iter().enumerate() {
                let labels = if index < 3 { json!({"tenant": "true", "id": format!("id{index}")}) } else { json!({}) };
                objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("n{index}"), "labels": labels}}));
                for (number, (app, tier, network, web)) in pods.into_iter().enumerate() {
                    let mut labels = json!({"app": app});
                    if let Some(tier) = tier {
                        labels["tier"] = json!(tier);
                    }
                    objects.push(json!({
                        "apiVersion": "v1", "kind": "Pod",
                        "metadata": {"name": format!("p{number}"), "namespace": format!("n{index}"), "labels": labels},
                        "spec": {"hostNetwork": network == 0, "containers": [{"name": "c", "ports": [
                            {"name": "web", "containerPort": web}, {"name": "dns", "containerPort": 2, "protocol": "UDP"}]}]},
                    }));
                }
            }
            objects
        })
        .boxed()
}

/// A congruent fleet: `tenants` namespaces with the same pods and policies, and edits to some of them.
pub(crate) fn fleet(profile: Profile) -> BoxedStrategy<Vec<Value>> {
    let shared = prop::collection::vec(policy(profile), 1..4);
    let edits = prop::collection::vec(policy(profile), 0..3);
    (cluster(), shared, edits)
        .prop_map(|(mut objects, shared, edits)| {
            for (number, policy) in shared.iter().enumerate() {
                for namespace in ["n0", "n1", "n2"] {
                    let mut copy = policy.clone();
                    copy["metadata"]["name"] = json!(format!("shared-{number}"));
                    if copy["metadata"].get("namespace").is_some() {
                        copy["metadata"]["namespace"] = json!(namespace);
                    } else if namespace != "n0" {
                        continue;
                    }
                    objects.push(copy);
                }
            }
            for (number, mut edit) in edits.into_iter().enumerate() {
                edit["metadata"]["name"] = json!(format!("edit-{number}"));
                objects.push(edit);
            }
            objects
        })
        .boxed()
}

/// Settings of a profile with addresses that random policies meet.
pub(crate) fn addressed(profile: Profile) -> Settings {
    let mut settings = Settings::new(profile);
    settings.pod_cidrs = vec!["10.1.0.0/16".parse().unwrap()];
    settings.node_cidrs = vec!["192.0.2.0/25".parse().unwrap()];
    settings
}
