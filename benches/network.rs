//! The proof of a large generated fleet against its cold render, its growth, and lists of many connections. Every ratio is
//! of one run.
//!
//! `cargo bench --bench network -- [--tenants N]`

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, missing_docs)] // A bench is read by people.

use rayon::prelude::*;
use serde_json::json;
use tenantry::check::network::{Scope, scopes};
use tenantry::network::{self, Filter, LineIndex, Model, Profile, Settings};
use tenantry::source::Source;

use rendered::{Spent, peak, row, tenants, with_rendered};

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/rendered.rs"]
mod rendered;

fn main() {
    let many = tenants();
    let few = measure(many / 10);
    let all = measure(many);
    row(&format!("growth of the proof, {} to {many} tenants", many / 10), all, Some((few, "the smaller")));
    hundred();
    folder();
}

/// Renders and proves a fleet; says how long both took, and returns the proof's time.
fn measure(tenants: usize) -> Spent {
    let source = Source::from_texts(fleet::files(tenants));
    with_rendered(&source, |input, rendered| {
        let prove = |scope: &Scope<'_>| network::prove(&scope.model().unwrap(), &scope.claims);
        let (proved, proofs) = Spent::of(|| scopes(input).unwrap().par_iter().map(prove).collect::<Vec<_>>());
        let pairs: u64 = proofs.iter().flat_map(|proof| &proof.verdicts).map(|verdict| verdict.pairs).sum();
        let holds = proofs.iter().all(|proof| proof.holds);
        println!("-- {tenants} tenants, {} clusters, {pairs} pairs of ends, holds: {holds}", proofs.len());
        row("cold render", rendered, None);
        row("proof of every claim", proved, Some((rendered, "the render")));
        println!("{:<58} {:>6} MiB", "  peak memory so far", peak());
        proved
    })
}

/// Every pair of a cluster of a hundred tenants.
fn hundred() {
    let source = Source::from_texts(fleet::files(100));
    with_rendered(&source, |input, _| {
        let scopes = scopes(input).unwrap();
        let list = |scope: &Scope<'_>| {
            let model = scope.model().unwrap();
            Spent::of(|| {
                let mut count = 0_usize;
                network::for_each_connection(&model, &Filter::default(), |_| count += 1);
                count
            })
        };
        let (time, count) = list(&scopes[0]);
        row(&format!("100 tenants, all pairs: {count} connections"), time, None);
    });
}

/// A folder of 10,000 pods and 1,000 policies.
fn folder() {
    let pods = (0..10_000).map(|number| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": format!("p{number}"), "namespace": format!("n{}", number % 100),
                          "labels": { "app": format!("a{}", number / 100 % 10), "tier": format!("t{}", number % 7) } },
            "spec": { "containers": [{ "name": "c", "ports": [{ "containerPort": 8080 }] }] },
        })
    });
    let policies = (0..1_000).map(|number| {
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": { "name": format!("x{number}"), "namespace": format!("n{}", number % 100) },
            "spec": { "podSelector": { "matchLabels": { "app": format!("a{}", number / 100) } },
                      "policyTypes": ["Ingress", "Egress"],
                      "ingress": [{ "from": [{ "podSelector": { "matchLabels": { "tier": format!("t{}", number % 7) } } }],
                                    "ports": [{ "port": 8080 }] }],
                      "egress": [{ "to": [{ "namespaceSelector": {}, "podSelector": {} }] }] },
        })
    });
    let documents = pods.chain(policies).map(|value| network::Source {
        value,
        file: "all.yaml".into(),
        lines: LineIndex::starting_at(1),
    });
    let before = peak();
    let (spent, count) = Spent::of(|| {
        let model = Model::build(documents, &Settings::new(Profile::Kubernetes)).unwrap();
        let mut count = 0_usize;
        network::for_each_connection(&model, &Filter::default(), |_| count += 1);
        count
    });
    row(&format!("10,000 pods, 1,000 policies: {count} connections"), spent, None);
    println!("{:<58} {:>6} MiB ({before} before)", "  peak memory", peak());
}
