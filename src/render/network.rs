//! What the policies' templates need to know of the network.

use serde_json::{Value, json};

use crate::config::Install;
use crate::config::install::{NetworkMode, NodeLocal};

/// Address at which NodeLocal DNSCache listens (its upstream default).
const NODE_LOCAL_ADDRESS: &str = "169.254.20.10/32";

/// Whether Cilium's own policies are rendered.
pub fn is_cilium(install: &Install) -> bool {
    install.network.mode == NetworkMode::Cilium
}

/// Whether every pod resolves names under a policy of Cilium's own: a cache on the host is an entity, which no
/// NetworkPolicy can name.
pub fn is_all_dns_cilium(install: &Install) -> bool {
    is_cilium(install) && install.network.dns.node_local == NodeLocal::Host
}

/// Peers and rules of name resolution: kube-dns, and what stands before it.
pub fn dns(install: &Install) -> Value {
    let node_local = install.network.dns.node_local;
    let pods = |app: &str| {
        json!({
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "kube-system" } },
            "podSelector": { "matchLabels": { "k8s-app": app } },
        })
    };
    let endpoints =
        |app: &str| json!({ "matchLabels": { "k8s:io.kubernetes.pod.namespace": "kube-system", "k8s:k8s-app": app } });
    let mut peers = vec![pods("kube-dns")];
    let mut to = vec![endpoints("kube-dns")];
    match node_local {
        NodeLocal::None => {}
        NodeLocal::Redirect => {
            peers.push(pods("node-local-dns"));
            to.push(endpoints("node-local-dns"));
        }
        NodeLocal::Host => peers.push(json!({ "ipBlock": { "cidr": NODE_LOCAL_ADDRESS } })),
    }
    let ports = json!([{
        "ports": [{ "port": "53", "protocol": "UDP" }, { "port": "53", "protocol": "TCP" }],
        "rules": { "dns": [{ "matchPattern": "*" }] },
    }]);
    let mut rules = vec![json!({ "toEndpoints": to, "toPorts": ports })];
    if node_local == NodeLocal::Host {
        // Cilium takes the address for its host's or for one outside, depending on which of the two it met first.
        rules.push(json!({ "toEntities": ["host"], "toPorts": ports }));
        rules.push(json!({ "toCIDR": [NODE_LOCAL_ADDRESS], "toPorts": ports }));
    }
    json!({ "peers": peers, "cilium_rules": rules })
}
