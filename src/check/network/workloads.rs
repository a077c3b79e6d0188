//! What the two charts deploy, as far as it matters to the network: pods with labels, ports and service accounts, and
//! the Services in front of them.
//!
//! A rendered tree holds releases, not what Helm makes of them. Which workloads a release deploys is decided by its
//! values, here as in the charts; a test with real Helm compares the two.

use serde_json::{Value, json};

/// A workload of a chart.
struct Component {
    name: &'static str,
    kind: &'static str,
    account: &'static str,
    /// Value of `app.kubernetes.io/component`, in the chart of tenants.
    component: Option<&'static str>,
    ports: &'static [(&'static str, u16)],
    /// Whether a Service of the same name stands in front of these ports.
    has_service: bool,
    /// The switch in the values; a missing switch is on.
    switch: Option<&'static str>,
}

const fn tenant(
    name: &'static str,
    kind: &'static str,
    component: &'static str,
    ports: &'static [(&'static str, u16)],
    switch: Option<&'static str>,
) -> Component {
    Component { name, kind, account: name, component: Some(component), ports, has_service: true, switch }
}

const fn system(
    name: &'static str,
    kind: &'static str,
    account: &'static str,
    ports: &'static [(&'static str, u16)],
    switch: Option<&'static str>,
) -> Component {
    Component { name, kind, account, component: None, ports, has_service: !ports.is_empty(), switch }
}

/// The data plane of a tenant.
const TENANT: [Component; 8] = [
    Component { has_service: false, ..tenant("soctalk-adapter", "Deployment", "adapter", &[("health", 8080)], None) },
    tenant("cassandra", "StatefulSet", "store", &[("cql", 9042)], None),
    tenant("cortex", "Deployment", "analysis", &[("http", 9001)], Some("/components/cortex/enabled")),
    tenant("elasticsearch", "StatefulSet", "store", &[("http", 9200)], None),
    tenant("thehive", "Deployment", "cases", &[("http", 9000)], None),
    tenant("wazuh-dashboard", "Deployment", "ui", &[("https", 5601)], Some("/components/wazuh/dashboard/enabled")),
    tenant("wazuh-indexer", "StatefulSet", "store", &[("https", 9200), ("transport", 9300)], None),
    tenant("wazuh-manager", "StatefulSet", "siem", &[("events", 1514), ("enrollment", 1515), ("api", 55000)], None),
];

/// The control plane.
const SYSTEM: [Component; 8] = [
    system("soctalk-api", "Deployment", "soctalk-api-sa", &[("http", 8000)], None),
    system("soctalk-controller", "Deployment", "soctalk-controller-sa", &[], None),
    system("soctalk-orchestrator", "Deployment", "soctalk-orchestrator-sa", &[], None),
    system("soctalk-migrate", "Job", "soctalk-migrate-sa", &[], None),
    system("soctalk-preinstall", "Job", "soctalk-preinstall-sa", &[], Some("/preinstall/enabled")),
    system("soctalk-postgres", "StatefulSet", "soctalk-postgres-sa", &[("postgres", 5432)], Some("/postgres/enabled")),
    system(
        "soctalk-egress-proxy",
        "Deployment",
        "soctalk-egress-proxy-sa",
        &[("proxy", 3128)],
        Some("/egressProxy/enabled"),
    ),
    Component {
        has_service: false,
        ..system(
            "wazuh-edge-haproxy",
            "Deployment",
            "wazuh-edge-haproxy-sa",
            &[("health", 8404)],
            Some("/edge/enabled"),
        )
    },
];

/// What a release deploys; nothing for objects that are no release of the two charts.
pub fn deployed(object: &Value) -> Vec<Value> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (namespace, values) = match text("/kind") {
        Some("HelmRelease") => (text("/metadata/namespace"), object.pointer("/spec/values")),
        Some("Application") => (text("/spec/destination/namespace"), object.pointer("/spec/source/helm/valuesObject")),
        _ => return Vec::new(),
    };
    let chart = text("/spec/chartRef/name").or_else(|| text("/spec/source/chart"));
    let (Some(namespace), Some(values), Some(chart)) = (namespace, values, chart) else { return Vec::new() };
    let place = Release { namespace, name: chart, values };
    match chart {
        "soctalk-tenant" => place.tenant(),
        "soctalk-system" => place.system(),
        _ => Vec::new(),
    }
}

struct Release<'v> {
    namespace: &'v str,
    name: &'v str,
    values: &'v Value,
}

impl Release<'_> {
    fn tenant(&self) -> Vec<Value> {
        let mut objects = self.components(&TENANT);
        let ports = [("events", 1514), ("enrollment", 1515)];
        let mut agents = self.service("wazuh-agents", "wazuh-manager", &ports);
        let ingress = &self.values["wazuhIngress"];
        if ingress["mode"] != "edge-haproxy" {
            agents["spec"]["type"] = json!("LoadBalancer");
            agents["spec"]["externalTrafficPolicy"] = ingress["service"]["externalTrafficPolicy"].clone();
        }
        objects.push(agents);
        objects
    }

    fn system(&self) -> Vec<Value> {
        let mut objects = self.components(&SYSTEM);
        if self.is_on("/edge/enabled") {
            objects.push(self.edge_service());
        }
        if self.is_on("/ingress/enabled") {
            let backend = json!({ "service": { "name": "soctalk-api", "port": { "name": "http" } } });
            objects.push(json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": { "name": "soctalk", "namespace": self.namespace },
                "spec": { "defaultBackend": backend },
            }));
        }
        objects
    }

    fn components(&self, table: &[Component]) -> Vec<Value> {
        let mut objects = Vec::new();
        for component in table.iter().filter(|component| component.switch.is_none_or(|switch| self.is_on(switch))) {
            let mut ports: Vec<(String, u16)> =
                component.ports.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
            if component.name == "wazuh-edge-haproxy" {
                ports.extend(self.edge_ports());
            }
            objects.push(self.workload(component, &ports));
            if component.has_service {
                objects.push(self.service(component.name, component.name, component.ports));
            }
        }
        objects
    }

    fn is_on(&self, switch: &str) -> bool {
        self.values.pointer(switch) != Some(&Value::Bool(false))
    }

    /// The edge listens on a pair of ports a tenant.
    fn edge_ports(&self) -> Vec<(String, u16)> {
        let tenants = self.values.pointer("/edge/tenants").and_then(Value::as_array);
        let port = |tenant: &Value, field: &str, word: &str| {
            let port = u16::try_from(tenant[field].as_u64()?).ok()?;
            Some((format!("{word}-{port}"), port))
        };
        let pair = |tenant: &Value| [port(tenant, "events", "events"), port(tenant, "enrollment", "enroll")];
        tenants.into_iter().flatten().flat_map(pair).flatten().collect()
    }

    fn edge_service(&self) -> Value {
        let ports = self.edge_ports();
        let ports: Vec<(&str, u16)> = ports.iter().map(|(name, port)| (name.as_str(), *port)).collect();
        let mut service = self.service("wazuh-edge-haproxy", "wazuh-edge-haproxy", &ports);
        service["spec"]["type"] = self.values["edge"]["service"]["type"].clone();
        service["spec"]["externalTrafficPolicy"] = json!("Local");
        // Its targets are numbers: one pair a tenant would run out of names.
        for port in service["spec"]["ports"].as_array_mut().into_iter().flatten() {
            port["targetPort"] = port["port"].clone();
        }
        service
    }

    fn workload(&self, component: &Component, ports: &[(String, u16)]) -> Value {
        let mut labels = json!({
            "app.kubernetes.io/name": component.name,
            "app.kubernetes.io/instance": self.name,
            "app.kubernetes.io/part-of": "soctalk",
        });
        if let Some(word) = component.component {
            labels["app.kubernetes.io/component"] = json!(word);
        }
        let group = if component.kind == "Job" { "batch/v1" } else { "apps/v1" };
        let ports: Vec<Value> = ports
            .iter()
            .map(|(name, port)| json!({ "name": name, "containerPort": port, "protocol": "TCP" }))
            .collect();
        json!({
            "apiVersion": group, "kind": component.kind,
            "metadata": { "name": component.name, "namespace": self.namespace },
            "spec": { "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "serviceAccountName": component.account,
                    "containers": [{ "name": component.name, "ports": ports }],
                },
            } },
        })
    }

    fn service(&self, name: &str, pods: &str, ports: &[(&str, u16)]) -> Value {
        let ports: Vec<Value> = ports
            .iter()
            .map(|(name, port)| json!({ "name": name, "port": port, "targetPort": name, "protocol": "TCP" }))
            .collect();
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": name, "namespace": self.namespace },
            "spec": {
                "type": "ClusterIP",
                "selector": { "app.kubernetes.io/name": pods, "app.kubernetes.io/instance": self.name },
                "ports": ports,
            },
        })
    }
}
