//! The drift checker: the comparison alone, and the whole against a real API server.
//!
//! `cargo bench --bench drift`. The comparison runs on one thread without a network. The rest needs the test tools
//! (`cargo test --test cluster -- --ignored build_tools fetch_helm_and_kubectl`), takes a few minutes once, and prints ratios.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)] // A bench may stop at the first fault.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use serde_json::Value;
use tenantry::drift::catalog::{Catalog, KindInfo};
use tenantry::drift::compare::KindRun;
use tenantry::drift::desired::Desired;
use tenantry::drift::filter::Filter;
use tenantry::drift::kind::Gvk;

#[path = "../tests/support/cluster/mod.rs"]
mod harness;
#[path = "support/server.rs"]
mod server;
#[path = "../tests/support/tools.rs"]
mod tools;

/// Objects, and how many of them stand on a page.
const OBJECTS: usize = 10_000;
const PAGE: usize = 500;
/// What Git has, one policy a tenant.
fn committed(number: usize) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: api-ingress\n  namespace: tenant-{number:05}\n  \
         labels:\n    app.kubernetes.io/part-of: soctalk\nspec:\n  podSelector:\n    matchLabels:\n      \
         app.kubernetes.io/name: wazuh-manager\n  policyTypes:\n  - Ingress\n  ingress:\n  - from:\n    - namespaceSelector:\n        \
         matchLabels:\n          kubernetes.io/metadata.name: soctalk-system\n      podSelector:\n        matchLabels:\n          \
         app.kubernetes.io/name: soctalk-orchestrator\n    - ipBlock:\n        cidr: 10.0.0.0/16\n    ports:\n    - port: 55000\n    \
         - port: 1514\n"
    )
}

/// Manifests in the form in which the program commits them.
fn canonical(manifests: &str) -> String {
    let documents = tenantry::yaml::parse(manifests, tenantry::yaml::Limits::MANIFEST).unwrap();
    let documents: Vec<Value> = documents.iter().map(|document| document.root.to_json()).collect();
    tenantry::yaml::emit_documents(&documents)
}

/// The same as an API server shows it: defaults filled in, with the metadata that it keeps. About 1.7 KB.
fn live(number: usize) -> String {
    let fields = r#""f:metadata":{"f:labels":{"f:app.kubernetes.io/part-of":{},"f:kustomize.toolkit.fluxcd.io/name":{},"f:kustomize.toolkit.fluxcd.io/namespace":{}}},"f:spec":{"f:ingress":{},"f:podSelector":{},"f:policyTypes":{}}"#;
    format!(
        r#"{{"metadata":{{"name":"api-ingress","namespace":"tenant-{number:05}","uid":"0b6f7d1a-8f4e-4c57-9d2a-{number:012}","resourceVersion":"{number}","generation":1,"creationTimestamp":"2026-01-01T00:00:00Z","labels":{{"app.kubernetes.io/part-of":"soctalk","kustomize.toolkit.fluxcd.io/name":"tenant-{number:05}","kustomize.toolkit.fluxcd.io/namespace":"flux-system"}},"managedFields":[{{"manager":"kustomize-controller","operation":"Apply","apiVersion":"networking.k8s.io/v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{{{fields}}}}}]}},"spec":{{"podSelector":{{"matchLabels":{{"app.kubernetes.io/name":"wazuh-manager"}}}},"ingress":[{{"ports":[{{"protocol":"TCP","port":55000}},{{"protocol":"TCP","port":1514}}],"from":[{{"podSelector":{{"matchLabels":{{"app.kubernetes.io/name":"soctalk-orchestrator"}}}},"namespaceSelector":{{"matchLabels":{{"kubernetes.io/metadata.name":"soctalk-system"}}}}}},{{"ipBlock":{{"cidr":"10.0.0.0/16"}}}}]}}],"policyTypes":["Ingress"]}}}}"#
    )
}

fn page(from: usize) -> Vec<u8> {
    let mut page = String::from(r#"{"kind":"NetworkPolicyList","metadata":{"resourceVersion":"1"},"items":["#);
    for number in from..from + PAGE {
        let comma = if number == from { "" } else { "," };
        write!(page, "{comma}{}", live(number)).unwrap();
    }
    page.push_str("]}");
    page.into_bytes()
}

fn drift(criterion: &mut Criterion) {
    let files: BTreeMap<String, Vec<u8>> = (0..OBJECTS)
        .map(|number| {
            (format!("tenants/{number:05}/network-policies.yaml"), canonical(&committed(number)).into_bytes())
        })
        .collect();
    let mut catalog = Catalog::default();
    let gvk = Gvk::new("networking.k8s.io/v1", "NetworkPolicy");
    catalog.insert(KindInfo::builtin(gvk.clone(), "networkpolicies", true, &[]));
    let desired = Desired::read(&files, &catalog, Filter::default()).unwrap();
    assert_eq!((desired.objects, desired.problems.len()), (OBJECTS, 0));
    let pages: Vec<Vec<u8>> = (0..OBJECTS).step_by(PAGE).map(page).collect();
    let info = catalog.get(&gvk).unwrap();

    let mut group = criterion.benchmark_group("drift");
    group.throughput(Throughput::Elements(OBJECTS as u64)).sample_size(10);
    group.bench_function("compare pages of live objects", |bench| {
        bench.iter(|| {
            let mut run = KindRun::new(&desired, &files, info);
            for page in &pages {
                run.page(black_box(page)).unwrap();
            }
            let result = run.finish();
            assert!(result.items.is_empty() && result.unjudged.is_empty() && result.live == OBJECTS);
        });
    });
    group.bench_function("read the tree", |bench| {
        bench.iter(|| Desired::read(black_box(&files), &catalog, Filter::default()).unwrap());
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    drift(&mut criterion);
    criterion.final_summary();
    // `cargo test --benches` only asks whether benches run.
    if std::env::args().any(|argument| argument == "--bench") {
        server::run();
    }
}
