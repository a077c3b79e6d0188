use super::*;
use crate::render::tests::source;
use crate::source::Source;

fn with<T>(install: impl Fn(String) -> String, ask: impl FnOnce(Vec<Usage<'_>>) -> T) -> T {
    let mut source: Source = source();
    let text = source.files.get_mut("install.yaml").unwrap();
    *text = install(std::mem::take(text));
    let fleet = crate::config::parse(&source).0.unwrap();
    let plan = crate::plan::plan(&fleet, &source).0.unwrap();
    ask(of_fleet(&plan))
}

fn find<'u, 'a>(usages: &'u [Usage<'a>], cluster: Option<&str>, resource: Resource) -> &'u Usage<'a> {
    usages.iter().find(|usage| usage.cluster == cluster && usage.resource == resource).unwrap()
}

#[test]
fn what_is_used_is_the_sum_of_the_quotas_and_what_is_left_is_what_fits() {
    with(
        |text| text,
        |usages| {
            let pairs = find(&usages, None, Resource::EdgePorts);
            // borealis, cobalt, and the tombstone of harbor.
            assert_eq!((pairs.used, pairs.limit.as_ref().unwrap().amount, pairs.each), (3000, 100_000, 0));
            let addresses = find(&usages, Some("us-1"), Resource::LoadBalancers);
            assert_eq!((addresses.used, addresses.fits()), (4000, Some(60)));
            let cpu = find(&usages, Some("us-1"), Resource::Cpu);
            assert_eq!(cpu.limit.as_ref().unwrap().amount, 70_400, "64 cores, 110 percent of them");
            assert_eq!(cpu.most[0].0, "everglade", "it asks for 6 cores by its file");
            assert_eq!(cpu.fits(), Some((70_400 - cpu.used) / cpu.each));
            let claims = find(&usages, Some("us-1"), Resource::PersistentVolumeClaims);
            assert_eq!((claims.limit.clone(), claims.fits()), (None, None), "nothing bounds them");
            let namespaces = find(&usages, Some("eu-1"), Resource::Namespaces);
            assert_eq!(namespaces.used, 5000, "four tenants and the control plane");
            let shards: Milli = usages
                .iter()
                .filter(|usage| usage.cluster == Some("eu-1") && usage.resource == Resource::Releases)
                .map(|usage| usage.used)
                .sum();
            assert_eq!(shards, 5000, "every release is of one shard or of none");
        },
    );
}

#[test]
fn what_is_declared_of_a_cluster_goes_before_what_is_known_of_others() {
    let declared = "overcommitPercent: 100, loadBalancers: 3, services: 50, releases: 7, etcd: 8Gi";
    with(
        |text| text.replacen("overcommitPercent: 110", declared, 1),
        |usages| {
            let limit = |cluster, resource| find(&usages, Some(cluster), resource).limit.clone().unwrap();
            let addresses = limit("eu-1", Resource::LoadBalancers);
            assert_eq!((addresses.amount, addresses.pointer.as_str()), (3000, "/clusters/0/capacity/loadBalancers"));
            assert_eq!(limit("us-1", Resource::LoadBalancers).pointer, "/wazuhIngress/loadBalancer/poolSize");
            assert_eq!(limit("eu-1", Resource::Services).basis, Basis::Declared);
            assert!(matches!(limit("us-1", Resource::Services).basis, Basis::Known(_)));
            assert_eq!(limit("eu-1", Resource::Releases).amount, 7000);
            assert_eq!(limit("eu-1", Resource::Etcd).amount, 1000 * (8 << 30));
        },
    );
}

#[test]
fn the_edge_takes_an_address_only_of_the_pool_that_it_uses() {
    let addresses = |install: fn(String) -> String| {
        with(install, |usages| find(&usages, Some("eu-1"), Resource::LoadBalancers).used / 1000)
    };
    assert_eq!(addresses(|text| text), 2, "acme and fenwick; the edge is of another pool");
    let same = "  edge:\n    annotations: { metallb.universe.tf/address-pool: wazuh-agents }\n";
    assert_eq!(addresses(|text| text.replace("  edge:\n", "  edge:\n    annotations: { other: pool }\n")), 2);
    let same = |text: String| text.replace("  edge:\n", same);
    let used = with(same, |usages| find(&usages, Some("eu-1"), Resource::LoadBalancers).used / 1000);
    assert_eq!(used, 3);
}

#[test]
fn a_range_of_ports_has_as_many_pairs_as_begin_at_an_even_port() {
    for (range, pairs) in [("from: 15140, to: 15339", 100), ("from: 15140, to: 15145", 3)] {
        let install = |text: String| text.replace("from: 15140, to: 15339", range);
        let found = with(install, |usages| find(&usages, None, Resource::EdgePorts).limit.clone().unwrap().amount);
        assert_eq!(found, pairs * 1000, "{range}");
    }
}

#[test]
fn what_a_tenant_takes_in_etcd_is_near_what_is_rendered() {
    let source = source();
    let fleet = crate::config::parse(&source).0.unwrap();
    let plan = crate::plan::plan(&fleet, &source).0.unwrap();
    let templates = crate::render::Templates::load([]).unwrap();
    let jobs = crate::render::jobs(&plan, "0");
    let sizes: Vec<Milli> = jobs
        .iter()
        .filter(|job| job.tenant.is_some())
        .map(|job| job.part(&templates, |_| true).unwrap())
        .map(|unit| unit.files.values().map(|content| content.text().len() as Milli).sum())
        .collect();
    let mean = sizes.iter().sum::<Milli>() / sizes.len() as Milli;
    assert!((mean - needs::MANIFESTS).abs() < needs::MANIFESTS / 4, "a tenant's manifests have {mean} bytes");
}

#[test]
fn amounts_are_short_and_kubernetes_reads_them() {
    for (resource, milli, text) in [
        (Resource::Cpu, 10_100, "10.1"),
        (Resource::Cpu, 96_000, "96"),
        (Resource::Memory, 1000 * (36_032 << 20), "35.2Gi"),
        (Resource::Etcd, 1000 * (2 << 20), "2Mi"),
        (Resource::Storage, 1000 * (12 << 40), "12288Gi"),
        (Resource::Pods, 78_000, "78"),
    ] {
        assert_eq!(resource.amount(milli), text);
        assert!(crate::config::types::Quantity::parse(text).is_ok(), "{text}");
    }
}
