//! A generated fleet with the variety of this repository's: its tenants in turn, on as many clusters as they need.

use std::fs;
use std::path::{Path, PathBuf};

const OWN: &str = env!("CARGO_MANIFEST_DIR");
/// Tenants of a cluster: what the policy map of its orchestrator can hold.
const A_CLUSTER: usize = 1_000;

/// Path of the folder in which the first tenant is rendered.
#[allow(dead_code, reason = "one of the benches looks into it")]
pub const FIRST: &str = "clusters/c0/tenants/t00000";

/// The files, by path.
pub fn files(tenants: usize) -> Vec<(String, String)> {
    let mut files = vec![
        ("install.yaml".to_owned(), install(tenants)),
        ("compatibility.yaml".to_owned(), own("compatibility.yaml")),
        ("policies/network-claims.yaml".to_owned(), own("policies/network-claims.yaml")),
    ];
    for folder in ["policies/admission", "policies/rotation"] {
        let names = list(folder).into_iter().map(|path| format!("{folder}/{}", path.file_name().unwrap().display()));
        files.extend(names.map(|path| (path.clone(), own(&path))));
    }
    let samples: Vec<String> = list("tenants").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    files.extend((0..tenants).map(|number| (file(number), tenant(&samples[number % samples.len()], number))));
    files
}

/// Path of a tenant's file.
pub fn file(number: usize) -> String {
    format!("tenants/t{number:05}.yaml")
}

fn own(path: &str) -> String {
    fs::read_to_string(Path::new(OWN).join(path)).unwrap()
}

/// The files of a folder of the repository, not of the folders in it.
fn list(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(OWN).join(folder)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths
}

/// The install with clusters enough, and ports, addresses and capacity for all.
fn install(tenants: usize) -> String {
    let mut install = own("install.yaml")
        .replace("from: 15140, to: 15339", "from: 1024, to: 65023")
        .replace("poolSize: 64", "poolSize: 100000");
    install.truncate(install.find("\nclusters:").unwrap());
    install += "\nclusters:\n";
    for number in 0..tenants.div_ceil(A_CLUSTER) {
        install += &format!("  - {{ name: c{number}, region: eu, edgeAddress: 203.0.113.{} }}\n", number + 1);
    }
    install
}

/// A sample with everything replaced that belongs to one tenant only.
fn tenant(sample: &str, number: usize) -> String {
    let port = 1024 + 2 * (number % 32_000);
    let line = |line: &str| match line.trim_start().split_once(' ') {
        Some(("id:", _)) => format!("  id: 0b6f7d1a-8f4e-4c57-9d2a-{number:012x}"),
        Some(("slug:", _)) => format!("  slug: t{number:05}"),
        Some(("displayName:", name)) => format!("  displayName: \"{} {number}\"", name.trim_matches('"')),
        Some(("cluster:", _)) => format!("  cluster: c{}", number / A_CLUSTER),
        Some(("edgePorts:", _)) => format!("  edgePorts: {{ events: {port}, enrollment: {} }}", port + 1),
        Some(("loadBalancerAddress:", _)) => {
            format!("  loadBalancerAddress: 198.18.{}.{}", number / 250 % 250, number % 250 + 1)
        }
        Some(("customerCIDRs:", blocks)) => format!("  customerCIDRs: [{}]", own_blocks(blocks, number)),
        _ => line.to_owned(),
    };
    sample.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

/// As many blocks of addresses, of a tenant's own.
fn own_blocks(blocks: &str, number: usize) -> String {
    let own = |(at, block): (usize, &str)| match block.contains("::") {
        true => format!("\"2001:db8:{number:x}::/48\""),
        false => format!("{}.{}.{}.0/25", 45 + at, number / 256, number % 256),
    };
    blocks.split(',').enumerate().map(own).collect::<Vec<_>>().join(", ")
}
