//! Values of the two charts, in full.

use serde_json::{Value, json};

use super::network;
use crate::config::Fleet;
use crate::config::install::{AuthMode, ChartName, ControlPlaneWorkload, NodeLocal, TrafficPolicy};
use crate::config::tenant::{State, TlsMode, WazuhMode};
use crate::plan::sizing::{self, Size};
use crate::plan::{ClusterPlan, TenantPlan};
use crate::secrets::inventory::EXTERNAL_POSTGRES;

/// Values of soctalk-tenant (R0 §3).
pub fn tenant(fleet: &Fleet, plan: &TenantPlan<'_>) -> Value {
    let (install, tenant) = (&fleet.install, plan.tenant);
    let identity = &tenant.tenant;
    let branding = &tenant.branding;
    let text = |given: Option<&str>, default: &str| given.unwrap_or(default).to_owned();
    json!({
        "tenant": {
            "id": identity.id, "slug": identity.slug, "msspId": install.install.mssp_id, "installId": install.install.install_id,
            "displayName": identity.display_name, "state": chart_state(tenant.lifecycle.state), "tier": plan.tier,
        },
        "branding": {
            "appName": branding.app_name.as_ref().map_or_else(|| format!("{} SOC", identity.display_name), ToString::to_string),
            "logoUrl": text(branding.logo_url.as_ref().map(|url| url.as_str()), ""),
            "primaryColor": text(branding.primary_color.as_ref().map(|colour| colour.as_str()), "#1a73e8"),
            "secondaryColor": text(branding.secondary_color.as_ref().map(|colour| colour.as_str()), "#fbbc04"),
            "favicon": text(branding.favicon.as_ref().map(|url| url.as_str()), ""),
        },
        "llm": {
            "provider": plan.llm_provider, "baseUrl": plan.llm_url, "model": plan.llm_model,
            "apiKeyRef": { "namespace": "soctalk-system", "name": format!("tenant-{}-llm", identity.id), "key": "api_key" },
        },
        "integrations": {
            "externalCortexUrl": text(tenant.integrations.external_cortex_url.as_ref().map(|url| url.as_str()), ""),
        },
        "components": components(fleet, plan),
        "networkPolicies": tenant_policies(fleet, plan),
        "resourceQuota": {
            "create": false,
            "requests": { "cpu": plan.quota.requests.cpu, "memory": plan.quota.requests.memory, "storage": plan.quota.storage },
            "limits": plan.quota.limits,
            "persistentVolumeClaims": plan.quota.persistent_volume_claims.to_string(),
            "pods": plan.quota.pods.to_string(),
        },
        "wazuhIngress": wazuh_ingress(fleet, plan),
        "adapter": {
            "image": {
                "repository": format!("{}/soctalk-adapter", install.image.registry), "tag": install.image.tag,
                "digest": install.image.digests.adapter,
            },
            "resources": plan.sizes.get("adapter").map(|size| sizing::resources(size)),
            "tokenSecretRef": { "name": "adapter-token", "key": "token" },
            "apiUrl": "http://soctalk-api.soctalk-system.svc.cluster.local:8000",
        },
        "namespaceLabels": plan.labels,
        "secrets": {
            "wazuhBootstrap": "wazuh-bootstrap", "thehiveBootstrap": "thehive-bootstrap", "cortexBootstrap": "cortex-bootstrap",
            "cassandraCreds": "cassandra-creds", "wazuhAuthd": "wazuh-authd-secret", "wazuhCerts": "wazuh-certs",
        },
        "serviceAccounts": { "create": false },
        "rbac": { "create": false },
        "certificates": { "create": false },
        "reloader": { "enabled": true },
        "imagePullSecrets": [],
    })
}

fn chart_state(state: State) -> &'static str {
    match state {
        State::Suspended => "suspended",
        State::Decommissioning => "decommissioning",
        _ => "active",
    }
}

fn components(fleet: &Fleet, plan: &TenantPlan<'_>) -> Value {
    let size = |name: &str| component(fleet, plan.sizes.get(name).map(AsRef::as_ref));
    let given = &plan.tenant.components;
    let mut indexer = size("wazuh.indexer");
    if let Some(heap) = plan.sizes.get("wazuh.indexer").and_then(|size| size.heap.as_ref()) {
        indexer["jvm"] = json!({ "heap": heap });
    }
    let mut dashboard = size("wazuh.dashboard");
    dashboard["enabled"] = plan.sizes.contains_key("wazuh.dashboard").into();
    let mut cortex = size("cortex");
    cortex["enabled"] = plan.cortex.is_none().into();
    cortex["analyzers"] = json!(given.cortex.analyzers);
    json!({
        "wazuh": { "manager": size("wazuh.manager"), "indexer": indexer, "dashboard": dashboard },
        "thehive": size("thehive"),
        "cassandra": size("cassandra"),
        "cortex": cortex,
        "elasticsearch": size("elasticsearch"),
        "misp": { "enabled": given.misp.enabled },
    })
}

/// A component's values; one that does not run keeps the chart's defaults.
fn component(fleet: &Fleet, size: Option<&Size>) -> Value {
    let Some(size) = size else { return json!({}) };
    let mut value = json!({ "resources": sizing::resources(size) });
    if let Some(disk) = &size.size {
        let class = size.storage_class_name.as_ref().unwrap_or(&fleet.install.defaults.storage_class_name);
        value["persistence"] = json!({ "size": disk, "storageClassName": class });
    }
    value
}

fn tenant_policies(fleet: &Fleet, plan: &TenantPlan<'_>) -> Value {
    json!({
        "enabled": false,
        "mode": fleet.install.network.mode,
        "allowedLlmHosts": [plan.llm.host],
        "ingressNamespace": fleet.install.ingress.namespace,
        "dns": dns(fleet),
    })
}

fn dns(fleet: &Fleet) -> Value {
    let (labels, cidrs) = match fleet.install.network.dns.node_local {
        NodeLocal::None => (json!({}), json!([])),
        NodeLocal::Redirect => (json!({ "k8s-app": "node-local-dns" }), json!([])),
        NodeLocal::Host => (json!({}), json!(["169.254.20.10/32"])),
    };
    json!({
        "namespace": "kube-system",
        "podLabels": { "k8s-app": "kube-dns" },
        "nodeLocal": { "podLabels": labels, "cidrs": cidrs },
    })
}

fn wazuh_ingress(fleet: &Fleet, plan: &TenantPlan<'_>) -> Value {
    let settings = &fleet.install.wazuh_ingress;
    let is_balancer = plan.wazuh_mode == WazuhMode::LoadBalancer;
    let address = plan.tenant.wazuh_ingress.load_balancer_address.as_ref();
    let mut annotations: serde_json::Map<String, Value> = serde_json::Map::new();
    if is_balancer {
        for (key, value) in &settings.load_balancer.annotations {
            match (value.contains("<address>"), address) {
                (true, None) => {}
                (true, Some(address)) => {
                    drop(annotations.insert(key.clone(), value.replace("<address>", address.as_str()).into()))
                }
                (false, _) => drop(annotations.insert(key.clone(), value.as_str().into())),
            }
        }
        if address.is_none() {
            // The address is not known before the load balancer chose it: external-dns reads it from the Service.
            annotations.insert("external-dns.alpha.kubernetes.io/hostname".into(), plan.hostname.as_str().into());
        }
    }
    // Rewritten addresses never match a customer's: with those, sources have to be kept.
    let has_customers = !plan.tenant.wazuh_ingress.customer_cidrs.is_empty();
    let policy = match settings.load_balancer.external_traffic_policy {
        TrafficPolicy::Cluster if !has_customers => "Cluster",
        TrafficPolicy::Cluster | TrafficPolicy::Local => "Local",
    };
    let mut value = json!({
        "mode": plan.wazuh_mode,
        "hostname": plan.hostname,
        "customerCIDRs": plan.tenant.wazuh_ingress.customer_cidrs,
        "keepWhileDecommissioning": plan.tenant.lifecycle.keep_agent_ingress,
        "service": {
            "annotations": annotations,
            "loadBalancerClass": settings.load_balancer.class.clone().unwrap_or_default(),
            "externalTrafficPolicy": policy,
        },
        "tls": {
            "mode": plan.tls_mode,
            "issuerRef": issuer(fleet, plan.tls_mode),
            "issuerKind": "ClusterIssuer",
            "secretName": "wazuh-tls",
            "http01": settings.tls.http01,
        },
    });
    if let Some(ports) = plan.tenant.wazuh_ingress.edge_ports.filter(|_| !is_balancer) {
        value["edgePorts"] = json!(ports);
    }
    value
}

/// ClusterIssuer of the enrolment channel's certificate.
pub fn issuer(fleet: &Fleet, mode: TlsMode) -> String {
    let tls = &fleet.install.wazuh_ingress.tls;
    match (mode, &tls.mssp_ca_issuer_ref) {
        (TlsMode::MsspCa, Some(issuer)) => issuer.to_string(),
        _ => tls.issuer_ref.to_string(),
    }
}

/// Where a chart comes from, as Flux's `spec.ref` and as Argo CD's `targetRevision`.
pub fn chart_reference(fleet: &Fleet, chart: ChartName, version: &crate::config::types::Version) -> (Value, String) {
    let digest = fleet.install.charts.digests.get(&chart).and_then(|versions| versions.get(version));
    match digest {
        Some(digest) => (json!({ "digest": digest }), digest.to_string()),
        None => (json!({ "tag": version }), version.to_string()),
    }
}

/// Values of soctalk-system (R0 §2).
pub fn system(fleet: &Fleet, cluster: &ClusterPlan<'_>) -> Value {
    let install = &fleet.install;
    let cilium = network::is_cilium(install);
    let digests = &install.image.digests;
    let external = install.postgres.external.as_ref();
    let soctalk = |digest: &crate::config::types::ImageDigest| json!({ "repository": "", "tag": "", "digest": digest });
    json!({
        "install": install.install,
        "image": { "registry": install.image.registry, "tag": install.image.tag, "pullPolicy": install.image.pull_policy },
        "images": {
            "api": soctalk(&digests.api), "controller": soctalk(&digests.controller),
            "orchestrator": soctalk(&digests.orchestrator), "migration": soctalk(&digests.api),
        },
        "postgres": {
            "enabled": install.postgres.enabled,
            "storage": {
                "size": install.postgres.storage.as_ref().map_or_else(|| "20Gi".into(), |storage| storage.size.to_string()),
                "storageClassName": install.postgres.storage.as_ref().map_or("", |storage| storage.storage_class_name.as_str()),
            },
            "external": {
                "host": external.map_or("", |external| external.host.as_str()),
                "port": external.map_or(5432, |external| external.port),
                "database": external.map_or("soctalk", |external| external.database.as_str()),
                "cidrs": external.map(|external| external.cidrs.clone()).unwrap_or_default(),
                "existingSecret": if external.is_some() && !install.postgres.enabled { EXTERNAL_POSTGRES.name } else { "" },
            },
        },
        "ingress": {
            "enabled": install.ingress.enabled,
            "className": install.ingress.class_name,
            "tls": install.ingress.tls,
            "hostnames": install.ingress.hostnames,
        },
        "auth": install.auth,
        "oidc": oidc(fleet),
        "defaults": { "llm": install.defaults.llm },
        "resources": resources(fleet),
        "admission": install.admission,
        "licensing": install.licensing,
        "telemetry": install.telemetry,
        "networkPolicies": {
            "enabled": false,
            "mode": install.network.mode,
            "ingressNamespace": install.ingress.namespace,
            "monitoringNamespace": install.monitoring.namespace,
            "dns": dns(fleet),
            "apiServerCIDRs": cluster.cluster.api_server_cidrs,
        },
        "edge": edge(fleet, cluster),
        "egressProxy": { "enabled": !cilium, "allowedHosts": if cilium { json!([]) } else { allowed_hosts(cluster) } },
        "compatibilityConfigMap": "soctalk-compatibility",
        "serviceAccounts": { "create": false },
        "rbac": { "create": false },
        "preinstall": { "enabled": cilium, "minimumCiliumVersion": "1.16.0" },
        "reloader": { "enabled": true },
        "imagePullSecrets": [],
    })
}

fn oidc(fleet: &Fleet) -> Value {
    match &fleet.install.oidc {
        Some(oidc) if fleet.install.auth.mode == AuthMode::Proxy => json!(oidc),
        _ => json!({
            "trustedHeaderUser": "X-Forwarded-User", "trustedHeaderEmail": "X-Forwarded-Email",
            "trustedHeaderGroups": "X-Forwarded-Groups", "trustedProxyCIDRs": [],
        }),
    }
}

/// What the contract gives each workload of the control plane, with the install's own figures in its place.
fn resources(fleet: &Fleet) -> Value {
    use ControlPlaneWorkload as Workload;
    let figures = |requests: [&str; 2], limits: [&str; 2]| {
        json!({
            "requests": { "cpu": requests[0], "memory": requests[1] },
            "limits": { "cpu": limits[0], "memory": limits[1] },
        })
    };
    let defaults = [
        (Workload::Api, figures(["500m", "512Mi"], ["2", "2Gi"])),
        (Workload::Controller, figures(["100m", "256Mi"], ["1", "512Mi"])),
        (Workload::Orchestrator, figures(["500m", "1Gi"], ["2", "4Gi"])),
        (Workload::Postgres, figures(["250m", "512Mi"], ["2", "2Gi"])),
        (Workload::Migration, figures(["100m", "256Mi"], ["1", "512Mi"])),
        (Workload::Edge, figures(["100m", "128Mi"], ["1", "512Mi"])),
        (Workload::EgressProxy, figures(["100m", "128Mi"], ["1", "512Mi"])),
    ];
    let mut map = serde_json::Map::new();
    for (workload, default) in defaults {
        let value = fleet.install.resources.get(&workload).map_or(default, |given| json!(given));
        if let Value::String(name) = json!(workload) {
            map.insert(name, value);
        }
    }
    map.into()
}

fn edge(fleet: &Fleet, cluster: &ClusterPlan<'_>) -> Value {
    let tenants: Vec<Value> = cluster
        .tenants
        .iter()
        .filter(|(_, plan)| plan.wazuh_mode == WazuhMode::EdgeHaproxy && plan.agents_welcome)
        .filter_map(|(slug, plan)| Some((slug, plan.tenant.wazuh_ingress.edge_ports?)))
        .map(|(slug, ports)| json!({ "slug": slug, "events": ports.events, "enrollment": ports.enrollment }))
        .collect();
    let annotations =
        fleet.install.wazuh_ingress.edge.as_ref().map(|edge| edge.annotations.clone()).unwrap_or_default();
    json!({
        "enabled": !tenants.is_empty(),
        "service": {
            "type": "LoadBalancer",
            "annotations": annotations,
            "loadBalancerIP": cluster.cluster.edge_address.as_ref().map_or("", |address| address.as_str()),
        },
        "tenants": tenants,
    })
}

/// Hosts that the egress proxy lets through, for every tenant.
fn allowed_hosts(cluster: &ClusterPlan<'_>) -> Value {
    let hosts = cluster.tenants.iter().flat_map(|(slug, plan)| {
        let hosts = std::iter::once(&plan.llm).chain(&plan.cortex);
        hosts.map(move |external| json!({ "slug": slug, "host": external.host, "port": external.port }))
    });
    hosts.collect::<Vec<_>>().into()
}
