//! One tenant's unit: what its templates see, and the objects that they must yield.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::helm::Helm;
use super::shape::with_labels;
use super::unit::Family;
use super::{network, secrets, values};
use crate::config::Fleet;
use crate::config::install::GitopsEngine;
use crate::config::tenant::{State, TlsMode, WazuhMode};
use crate::manifest::ObjectId;
use crate::plan::names::SYSTEM_NAMESPACE;
use crate::plan::{TenantPlan, sizing};
use crate::secrets::inventory::Scope;
use crate::secrets::rows::tenant_rows;

/// API versions of the objects that tenants consist of.
mod api {
    pub const RBAC: &str = "rbac.authorization.k8s.io/v1";
    pub const NETWORK: &str = "networking.k8s.io/v1";
    pub const CILIUM: &str = "cilium.io/v2";
    pub const CERTIFICATES: &str = "cert-manager.io/v1";
}

/// Everything that the templates of one tenant see.
pub fn context(fleet: &Fleet, plan: &TenantPlan<'_>) -> Value {
    let install = &fleet.install;
    let identity = &plan.tenant.tenant;
    let own_cortex = plan.cortex.is_none();
    let labels: Map<String, Value> = plan.labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let tenant_labels = with_labels(Map::from_iter([
        ("managed-by".to_owned(), json!("soctalk")),
        ("tenant-id".to_owned(), json!(identity.id)),
    ]));
    let readers = secrets::readers(tenant_secret_rows(plan));
    let (duration, renew_before) = secrets::certificate_times(fleet, plan.tier);
    let api_pods: &[&str] = if own_cortex {
        &["cortex", "thehive", "wazuh-indexer", "wazuh-manager"]
    } else {
        &["thehive", "wazuh-indexer", "wazuh-manager"]
    };
    json!({
        "flux": install.gitops.engine == GitopsEngine::Flux,
        "cilium": network::is_cilium(install),
        "tenant": {
            "slug": identity.slug, "id": identity.id, "namespace": plan.namespace, "display_name": identity.display_name,
            "tier": plan.tier, "state": plan.tenant.lifecycle.state,
        },
        "namespace_labels": with_labels(psa(labels)),
        "tenant_labels": tenant_labels,
        "quota": plan.quota,
        "largest": sizing::largest(&plan.sizes),
        "accounts": secrets::accounts(fleet, &plan.accounts(), &readers),
        "dns": network::dns(install),
        "network": { "api_pods": api_pods, "own_cortex": own_cortex, "ingress_namespace": install.ingress.namespace },
        "llm": plan.llm,
        "cortex": plan.cortex,
        "wazuh": wazuh(fleet, plan),
        "certificates": {
            "duration": duration,
            "renew_before": renew_before,
            "internal_names": internal_names(plan),
            "issuer": (plan.tls_mode != TlsMode::Wildcard).then(|| values::issuer(fleet, plan.tls_mode)),
        },
        "system_secrets": system_secret_names(plan),
        "helm": Helm::tenant(fleet, plan),
    })
}

/// The families of manifests that a tenant consists of, with the objects that each announces.
pub fn families(fleet: &Fleet, plan: &TenantPlan<'_>, context: &Value) -> Vec<Family> {
    let namespace = plan.namespace.as_str();
    let own = |api: &str, kind: &str, name: &str| ObjectId::namespaced(api, kind, namespace, name);
    let system = |api: &str, kind: &str, name: &str| ObjectId::namespaced(api, kind, SYSTEM_NAMESPACE, name);
    let flux = context["flux"] == true;
    let cilium = context["cilium"] == true;
    let policy = context["wazuh"]["policy"].as_str().unwrap_or_default();
    let slug = plan.tenant.tenant.slug.as_str();
    let id = plan.tenant.tenant.id.as_str();

    let mut policies = vec!["default-deny", "intra-ns-allow", "allow-from-soctalk-system", "adapter-egress"];
    let mut cilium_policies = Vec::new();
    if cilium {
        cilium_policies.push("dns-egress");
    } else {
        policies.push("dns-egress");
    }
    match policy {
        "edge" | "cidrs" => policies.push("wazuh-agent-ingress"),
        "world" => cilium_policies.push("wazuh-agent-ingress"),
        _ => {}
    }
    if context["wazuh"]["http01"] == true {
        policies.push("http01-solver-ingress");
    }
    match (plan.cortex.is_some(), cilium) {
        (true, true) => cilium_policies.push("thehive-external-cortex"),
        (true, false) => policies.push("thehive-egress-proxy"),
        (false, _) => {}
    }
    let named = |api: &'static str, kind: &'static str, names: Vec<&str>| {
        names.into_iter().map(|name| own(api, kind, name)).collect::<Vec<_>>()
    };

    let mut additions = vec![
        system(api::RBAC, "Role", &format!("tenant-{id}-secrets")),
        system(api::RBAC, "RoleBinding", &format!("tenant-{id}-secrets")),
    ];
    if cilium {
        additions.push(system(api::CILIUM, "CiliumNetworkPolicy", &format!("orchestrator-llm-egress-tenant-{slug}")));
    }
    if policy == "edge" {
        let (api, kind) = if cilium { (api::CILIUM, "CiliumNetworkPolicy") } else { (api::NETWORK, "NetworkPolicy") };
        additions.push(system(api, kind, &format!("wazuh-edge-tenant-{slug}")));
    }
    let mut certificates = vec![
        own(api::CERTIFICATES, "Issuer", "wazuh-selfsigned"),
        own(api::CERTIFICATES, "Issuer", "wazuh-ca"),
        own(api::CERTIFICATES, "Certificate", "wazuh-ca"),
        own(api::CERTIFICATES, "Certificate", "wazuh-certs"),
    ];
    if plan.tls_mode != TlsMode::Wildcard {
        certificates.push(own(api::CERTIFICATES, "Certificate", "wazuh-tls"));
    }
    let dns = match context["wazuh"]["address"].is_string() {
        true => vec![own("externaldns.k8s.io/v1alpha1", "DNSEndpoint", "wazuh-agents")],
        false => Vec::new(),
    };
    let own_secrets = secrets::tenant(fleet, plan, Scope::Tenant, None);
    let system_secrets = secrets::tenant(fleet, plan, Scope::TenantInSystem, Some(&context["tenant_labels"]));
    let stores = [
        own("external-secrets.io/v1", "SecretStore", "backend"),
        own("external-secrets.io/v1", "SecretStore", "backend-primary"),
    ];
    let mut secret_objects = super::unit::secret_objects(&own_secrets);
    secret_objects.extend(stores);
    vec![
        Family::new(
            "tenant/namespace.yaml.tera",
            "namespace.yaml",
            vec![ObjectId::cluster("v1", "Namespace", namespace)],
        ),
        Family::new(
            "tenant/quota.yaml.tera",
            "quota.yaml",
            vec![own("v1", "ResourceQuota", "tenant-quota"), own("v1", "LimitRange", "tenant-limits")],
        ),
        Family::new(
            "tenant/rbac.yaml.tera",
            "rbac.yaml",
            super::unit::rbac_objects(&context["accounts"], namespace, flux),
        ),
        Family::new(
            "tenant/network-policies.yaml.tera",
            "network-policies.yaml",
            named(api::NETWORK, "NetworkPolicy", policies),
        ),
        Family::new(
            "tenant/cilium-policies.yaml.tera",
            "cilium-policies.yaml",
            named(api::CILIUM, "CiliumNetworkPolicy", cilium_policies),
        )
        .when(cilium),
        Family::new("tenant/secrets.yaml.tera", "secrets.yaml", secret_objects).with("secrets", &own_secrets),
        Family::new("tenant/certificates.yaml.tera", "certificates.yaml", certificates),
        Family::new("tenant/dns.yaml.tera", "dns.yaml", dns),
        Family::new(
            "tenant/release.yaml.tera",
            if flux { "helmrelease.yaml" } else { "application.yaml" },
            Helm::objects(&context["helm"], flux),
        ),
        Family::new("tenant/system.yaml.tera", "system.yaml", additions),
        Family::new(
            "tenant/system-secrets.yaml.tera",
            "system-secrets.yaml",
            super::unit::secret_objects(&system_secrets),
        )
        .with("secrets", &system_secrets),
    ]
}

fn tenant_secret_rows<'a>(
    plan: &'a TenantPlan<'_>,
) -> impl Iterator<Item = (&'static crate::secrets::Row, String)> + 'a {
    tenant_rows(plan, Scope::Tenant).map(|row| (row, row.name.to_owned()))
}

fn system_secret_names(plan: &TenantPlan<'_>) -> Vec<String> {
    let id = plan.tenant.tenant.id.as_str();
    let mut names: Vec<String> = tenant_rows(plan, Scope::TenantInSystem).map(|row| row.secret_name(id)).collect();
    names.sort();
    names
}

/// Pod Security Admission: what runs must meet "baseline"; what falls short of "restricted" is warned about.
fn psa(mut labels: Map<String, Value>) -> Map<String, Value> {
    for (mode, level) in [("enforce", "baseline"), ("audit", "restricted"), ("warn", "restricted")] {
        labels.insert(format!("pod-security.kubernetes.io/{mode}"), json!(level));
    }
    labels
}

/// Names by which Wazuh's services call each other.
fn internal_names(plan: &TenantPlan<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for service in ["wazuh-dashboard", "wazuh-indexer", "wazuh-manager"] {
        let namespace = &plan.namespace;
        names.push(service.to_owned());
        names.push(format!("{service}.{namespace}.svc"));
        names.push(format!("{service}.{namespace}.svc.cluster.local"));
    }
    names
}

/// How agents come in: the kind of policy, the certificate, the name and its address.
fn wazuh(fleet: &Fleet, plan: &TenantPlan<'_>) -> Value {
    let ingress = &plan.tenant.wazuh_ingress;
    let cilium = network::is_cilium(&fleet.install);
    let welcome = plan.agents_welcome;
    let cidrs: Vec<&str> = ingress.customer_cidrs.iter().map(|cidr| cidr.as_str()).collect();
    let anywhere = vec!["0.0.0.0/0", "::/0"];
    let policy = match plan.wazuh_mode {
        _ if !welcome => "closed",
        WazuhMode::EdgeHaproxy => "edge",
        WazuhMode::LoadBalancer if cidrs.is_empty() && cilium => "world",
        WazuhMode::LoadBalancer => "cidrs",
    };
    let is_balancer = plan.wazuh_mode == WazuhMode::LoadBalancer;
    let address = if is_balancer { ingress.load_balancer_address.as_ref() } else { plan.cluster.edge_address.as_ref() };
    let address = address.map(|address| address.as_str()).filter(|_| welcome);
    let is_v6 = address.and_then(|text| text.parse::<IpAddr>().ok()).is_some_and(|ip| ip.is_ipv6());
    let ports = ingress.edge_ports;
    json!({
        "policy": policy,
        "hostname": plan.hostname,
        "cidrs": if cidrs.is_empty() { &anywhere } else { &cidrs },
        "edge_cidrs": if cidrs.is_empty() { &anywhere } else { &cidrs },
        "edge_ports": ports,
        "edge_source": ports.map(|ports| {
            let ports = json!([{ "ports": [
                { "port": ports.events.to_string(), "protocol": "TCP" },
                { "port": ports.enrollment.to_string(), "protocol": "TCP" },
            ] }]);
            if cidrs.is_empty() {
                json!({ "fromEntities": ["world", "remote-node", "host"], "toPorts": ports })
            } else {
                json!({ "fromCIDR": cidrs, "toPorts": ports })
            }
        }),
        "http01": fleet.install.wazuh_ingress.tls.http01 && plan.tls_mode == TlsMode::PerTenant,
        "address": address,
        "record_type": if is_v6 { "AAAA" } else { "A" },
        "mode": if is_balancer { "loadbalancer" } else { "edge-haproxy" },
        "load_balancers": if is_balancer && plan.tenant.lifecycle.state != State::Retired { "1" } else { "0" },
    })
}
