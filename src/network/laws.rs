//! Laws that hold for every input, checked on random fleets.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::classes::Rarity;
use super::decide;
use super::model::Model;
use super::party::Bound;
use super::reach::Reach;
use super::settings::{Profile, Settings};
use super::testing::{addressed, fleet, policy, source};

fn build(objects: &[Value], settings: &Settings) -> Model {
    let sources: Vec<_> = objects.iter().cloned().map(source).collect();
    Model::build(&sources, settings).unwrap_or_else(|refusals| panic!("{refusals}"))
}

/// Every pair of pods by name with what flows between them.
fn pairwise(model: &Model, bound: Bound) -> Vec<(String, String, crate::network::ports::PortSet)> {
    let mut flows = Vec::new();
    for from in model.pod_ids() {
        for to in model.pod_ids() {
            flows.push((model.pod_name(from), model.pod_name(to), decide::flow(model, from, to, bound)));
        }
    }
    flows
}

fn symbolic_is_naive(objects: &[Value], settings: &Settings) -> Result<(), TestCaseError> {
    let model = build(objects, settings);
    for rarity in [Rarity { uses: 0, namespaces: 0 }, Rarity { uses: 1, namespaces: 1 }, Rarity::DEFAULT] {
        let reach = Reach::with(&model, rarity);
        for bound in [Bound::Possible, Bound::Certain] {
            for from in model.pod_ids() {
                for to in model.pod_ids() {
                    let naive = decide::flow(&model, from, to, bound);
                    let (a, b) = (model.pod_name(from), model.pod_name(to));
                    prop_assert_eq!(reach.flow(from, to, bound), naive, "{} {} {:?} {:?}", a, b, bound, rarity);
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_symbolic_engine_is_the_naive_one_in_kubernetes(objects in fleet(Profile::Kubernetes), known: bool) {
        let settings = if known { addressed(Profile::Kubernetes) } else { Settings::new(Profile::Kubernetes) };
        symbolic_is_naive(&objects, &settings)?;
    }

    #[test]
    fn the_symbolic_engine_is_the_naive_one_in_cilium(objects in fleet(Profile::Cilium), nodes: bool) {
        let mut settings = addressed(Profile::Cilium);
        settings.cidr_matches_nodes = nodes;
        symbolic_is_naive(&objects, &settings)?;
    }

    #[test]
    fn the_order_of_documents_never_matters(objects in fleet(Profile::Cilium), seed: u64) {
        let settings = Settings::new(Profile::Cilium);
        let mut shuffled = objects.clone();
        // A fixed permutation of the given seed: rotate and reverse.
        let by = usize::try_from(seed % 97).unwrap() % shuffled.len();
        shuffled.rotate_left(by);
        shuffled.reverse();
        prop_assert_eq!(
            pairwise(&build(&objects, &settings), Bound::Possible),
            pairwise(&build(&shuffled, &settings), Bound::Possible)
        );
    }

    #[test]
    fn an_allow_that_does_not_isolate_never_takes_a_connection_away(objects in fleet(Profile::Cilium), extra in policy(Profile::Cilium)) {
        let settings = Settings::new(Profile::Cilium);
        let mut more = objects.clone();
        let mut extra = extra;
        // A policy that denies nothing and isolates nobody.
        if extra["kind"] == "NetworkPolicy" { return Ok(()); }
        extra["metadata"]["name"] = json!("extra");
        extra["spec"]["enableDefaultDeny"] = json!({"ingress": false, "egress": false});
        extra["spec"].as_object_mut().unwrap().remove("ingressDeny");
        extra["spec"].as_object_mut().unwrap().remove("egressDeny");
        more.push(extra);
        let (before, after) = (build(&objects, &settings), build(&more, &settings));
        for (old, new) in pairwise(&before, Bound::Certain).iter().zip(pairwise(&after, Bound::Certain)) {
            prop_assert!(old.2.is_subset(&new.2), "{:?} {:?}", old, new);
        }
    }

    #[test]
    fn an_allow_rule_added_to_a_policy_never_takes_a_connection_away(objects in fleet(Profile::Kubernetes), extra in policy(Profile::Kubernetes)) {
        let settings = Settings::new(Profile::Kubernetes);
        let mut more = objects.clone();
        for object in &mut more {
            if object["kind"] == "NetworkPolicy" && object["spec"]["policyTypes"] == json!(["Ingress", "Egress"]) {
                for field in ["ingress", "egress"] {
                    let rules = extra["spec"][field].as_array().cloned().unwrap_or_default();
                    object["spec"][field].as_array_mut().unwrap().extend(rules);
                }
            }
        }
        let (before, after) = (build(&objects, &settings), build(&more, &settings));
        for (old, new) in pairwise(&before, Bound::Certain).iter().zip(pairwise(&after, Bound::Certain)) {
            prop_assert!(old.2.is_subset(&new.2), "{:?} {:?}", old, new);
        }
    }

    #[test]
    fn a_deny_never_adds_a_connection(objects in fleet(Profile::Cilium), extra in policy(Profile::Cilium)) {
        let settings = Settings::new(Profile::Cilium);
        if extra["kind"] == "NetworkPolicy" { return Ok(()); }
        let mut extra = extra;
        extra["metadata"]["name"] = json!("extra");
        let spec = extra["spec"].as_object_mut().unwrap();
        let (ingress, egress) = (spec.remove("ingress"), spec.remove("egress"));
        spec.insert("ingressDeny".to_owned(), ingress.unwrap_or_default());
        spec.insert("egressDeny".to_owned(), egress.unwrap_or_default());
        let mut more = objects.clone();
        more.push(extra);
        let (before, after) = (build(&objects, &settings), build(&more, &settings));
        for (old, new) in pairwise(&before, Bound::Possible).iter().zip(pairwise(&after, Bound::Possible)) {
            prop_assert!(new.2.is_subset(&old.2), "{:?} {:?}", old, new);
        }
    }

    #[test]
    fn what_is_certain_is_possible(objects in fleet(Profile::Cilium)) {
        let model = build(&objects, &addressed(Profile::Cilium));
        for (possible, certain) in pairwise(&model, Bound::Possible).iter().zip(pairwise(&model, Bound::Certain)) {
            prop_assert!(certain.2.is_subset(&possible.2));
        }
    }
}

/// Congruent namespaces share their classes: without that the proof would not be linear.
#[test]
fn congruent_namespaces_have_the_same_classes() {
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "api", "namespace": "control", "labels": {"app": "api"}}, "spec": {"containers": []}}),
    ];
    for tenant in 0..20 {
        let name = format!("t{tenant:02}");
        let meta = |kind: &str| json!({"name": kind, "namespace": name});
        objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"tenant": "true", "id": format!("id-{tenant}")}}}));
        for app in ["web", "db"] {
            objects.push(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": app, "namespace": name, "labels": {"app": app, "tenant": format!("id-{tenant}")}}, "spec": {"containers": []}}));
        }
        objects.push(json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta("own"), "spec": {
            "podSelector": {}, "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                // The same thing said in four ways, each with the tenant's own constants.
                {"from": [{"podSelector": {}}]},
                {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}]},
                {"from": [{"namespaceSelector": {"matchLabels": {"id": format!("id-{tenant}")}}}]},
                {"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"tenant": format!("id-{tenant}")}}}]},
            ],
            // Everyone but oneself.
            "egress": [{"to": [{"namespaceSelector": {"matchExpressions": [{"key": "id", "operator": "NotIn", "values": [format!("id-{tenant}")]}]}}]}],
        }}));
        objects.push(json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": format!("to-{name}"), "namespace": "control"}, "spec": {
            "podSelector": {"matchLabels": {"app": "api"}}, "policyTypes": ["Egress"],
            "egress": [{"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}], "ports": [{"port": 80}]}],
        }}));
    }
    let model = build(&objects, &Settings::new(Profile::Kubernetes));
    let reach = Reach::new(&model);
    assert_eq!(
        reach.classes.classes.len(),
        2,
        "one for the tenants' pods, which no rule tells apart, and one for the API"
    );
    assert_eq!(reach.classes.exceptions.len(), 40, "the API's rules about single tenants");
    symbolic_is_naive(&objects, &Settings::new(Profile::Kubernetes)).unwrap();
}

/// One end of a random claim.
fn class() -> impl Strategy<Value = Value> {
    let namespace = prop::sample::select(&["$tenant", "$other", "$elsewhere", "*", "n3", "n0"]);
    let pods = prop::option::of(prop::sample::select(&["a", "b", "n0"]));
    (namespace, pods).prop_map(|(namespace, app)| match app {
        Some(app) => json!({"namespace": namespace, "pods": {"app": app}}),
        None => json!({"namespace": namespace}),
    })
}

fn claim_flow() -> impl Strategy<Value = Value> {
    let ports = prop::collection::vec(prop::sample::select(&["TCP/1", "TCP/2-3", "UDP", "SCTP/1"]), 0..3);
    (class(), class(), ports).prop_map(|(from, to, ports)| json!({"from": from, "to": to, "ports": ports}))
}

/// Whether a pair is what a flow of a claim speaks of, by its words.
fn is_meant(model: &Model, flow: &crate::network::Flow, from: u32, to: u32) -> bool {
    let name = |pod: u32| model.text(model.namespace_of(pod).name).to_owned();
    let is_tenant = |pod: u32| name(pod) != "n3";
    let has_app = |class: &crate::network::Class, pod: u32| {
        let app = model.interner.find("app").and_then(|key| model.pods[pod as usize].labels.get(key));
        class.pods.get("app").is_none_or(|wanted| app.is_some_and(|app| wanted.contains(model.text(app))))
    };
    let is_there = |class: &crate::network::Class, pod: u32| match class.namespace.as_deref() {
        Some("$tenant" | "$other") => is_tenant(pod),
        Some("*" | "$elsewhere") | None => true,
        Some(own) => own == name(pod),
    };
    let names = [flow.from.namespace.as_deref(), flow.to.namespace.as_deref()];
    let is_related = match names {
        [Some("$other" | "$elsewhere"), _] | [_, Some("$other" | "$elsewhere")] => name(from) != name(to),
        [Some("$tenant"), Some("$tenant")] => name(from) == name(to),
        _ => true,
    };
    let sides = [(&flow.from, from), (&flow.to, to)];
    is_related && sides.into_iter().all(|(class, pod)| is_there(class, pod) && has_app(class, pod))
}

/// What a claim means, pair by pair.
fn naive_failure(model: &Model, claim: &crate::network::Claim) -> bool {
    use super::ports::PortSet;
    let mut pairs =
        model.pod_ids().flat_map(|from| model.pod_ids().map(move |to| (from, to))).filter(|(from, to)| from != to);
    let everything = decide::everything(model);
    pairs.any(|(from, to)| {
        let side = |own, direction, other, bound| {
            decide::side(model, own, direction, &super::party::Party::Pod(other), bound).flow
        };
        let sides = |bound| {
            [
                side(from, super::policy::Direction::Egress, to, bound),
                side(to, super::policy::Direction::Ingress, from, bound),
            ]
        };
        if let Some(flow) = claim.require.as_ref().filter(|flow| is_meant(model, flow, from, to)) {
            let [egress, ingress] = sides(Bound::Certain);
            return !flow.port_set().intersection(&everything).is_subset(&egress.intersection(&ingress));
        }
        if let Some(flow) = claim.forbid.as_ref().filter(|flow| is_meant(model, flow, from, to)) {
            let free = claim.unless.iter().filter(|flow| is_meant(model, flow, from, to));
            let free = free.fold(PortSet::none(), |free, flow| free.union(&flow.port_set()));
            let [egress, ingress] = sides(Bound::Possible);
            let open = if claim.each_side { egress.union(&ingress) } else { egress.intersection(&ingress) };
            return !open.intersection(&flow.port_set()).difference(&free).is_none();
        }
        false
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_claim_fails_exactly_if_a_pair_refutes_it(
        objects in fleet(Profile::Cilium),
        flows in prop::collection::vec(claim_flow(), 1..4),
        require: bool,
        each_side: bool,
    ) {
        let mut claim = json!({"id": "c", "text": "t", "whenPresent": true});
        if require {
            claim["require"] = flows[0].clone();
        } else {
            claim["forbid"] = flows[0].clone();
            claim["unless"] = json!(flows[1..]);
            claim["eachSide"] = json!(each_side);
        }
        let file = json!({"apiVersion": "tenantry.io/v1", "kind": "NetworkClaims", "name": "x",
            "groups": {"tenant": {"labels": {"tenant": "true"}}}, "claims": [claim]});
        let claims: crate::network::Claims = serde_json::from_value(file).unwrap();
        // `$other` is one of the same group as the other end; without a group there the claim is not well formed.
        prop_assume!(claims.faults().is_empty());
        let model = build(&objects, &claims.settings(&addressed(Profile::Cilium)));
        let verdict = &crate::network::prove(&model, &claims).verdicts[0];
        prop_assert_eq!(verdict.failures > 0, naive_failure(&model, &claims.claims[0]), "{:?}", verdict);
        for witness in &verdict.witnesses {
            prop_assert!(!witness.src.is_empty() && !witness.conn.is_empty());
        }
    }
}
