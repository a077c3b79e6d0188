//! The control plane's unit: what its templates see, and the objects that they must yield.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::helm::Helm;
use super::unit::Family;
use super::{backend, network, secrets};
use crate::config::Fleet;
use crate::config::install::GitopsEngine;
use crate::manifest::ObjectId;
use crate::plan::ClusterPlan;
use crate::plan::names::SYSTEM_NAMESPACE;
use crate::secrets::inventory::EXTERNAL_POSTGRES;
use crate::secrets::rows::system_rows;

/// Everything that the templates of a cluster's control plane see.
pub fn context(fleet: &Fleet, cluster: &ClusterPlan<'_>) -> Value {
    let install = &fleet.install;
    let external = (!install.postgres.enabled).then_some(&EXTERNAL_POSTGRES);
    let readers = secrets::readers(system_rows(fleet).chain(external).map(|row| (row, row.name.to_owned())));
    let external = install.postgres.external.as_ref();
    json!({
        "flux": install.gitops.engine == GitopsEngine::Flux,
        "cilium": network::is_cilium(install),
        "install": { "mssp_id": install.install.mssp_id, "install_id": install.install.install_id },
        "accounts": secrets::accounts(fleet, &pods(fleet, cluster), &readers),
        "dns": network::dns(install),
        "network": policies(fleet, cluster),
        "postgres": {
            "own": install.postgres.enabled,
            "host": external.map(|external| external.host.as_str()),
            "port": external.map_or(5432, |external| external.port),
            "cidrs": external.map(|external| &external.cidrs),
        },
        "dynamic_database": dynamic_database(fleet, cluster),
        "wildcard": secrets::wildcard_context(fleet, cluster),
        "compatibility": compatibility(fleet),
        "drift": drift(fleet, cluster),
        "helm": Helm::system(fleet, cluster),
    })
}

/// The families of manifests that the control plane consists of, with the objects that each announces.
pub fn families(fleet: &Fleet, cluster: &ClusterPlan<'_>, context: &Value) -> Vec<Family> {
    let install = &fleet.install;
    let id = |api: &str, kind: &str, name: &str| ObjectId::namespaced(api, kind, SYSTEM_NAMESPACE, name);
    let (flux, cilium, drift) = (context["flux"] == true, context["cilium"] == true, !context["drift"].is_null());
    let own_secrets = secrets::system(fleet, cluster);
    let mut secret_objects = super::unit::secret_objects(&own_secrets);
    secret_objects.push(id("external-secrets.io/v1", "SecretStore", "backend"));
    secret_objects.push(id("external-secrets.io/v1", "SecretStore", "backend-primary"));
    if !context["dynamic_database"].is_null() {
        let name = "soctalk-postgres-app-creds";
        secret_objects.push(id("generators.external-secrets.io/v1alpha1", "VaultDynamicSecret", name));
        secret_objects.push(id("external-secrets.io/v1", "ExternalSecret", name));
    }
    let certificates = match context["wildcard"].is_null() {
        true => Vec::new(),
        false => vec![
            id("cert-manager.io/v1", "Certificate", "wazuh-wildcard"),
            id("external-secrets.io/v1alpha1", "PushSecret", "wazuh-wildcard"),
        ],
    };
    let compatibility = vec![id("v1", "ConfigMap", "soctalk-compatibility")];
    let release = if flux { "helmrelease.yaml" } else { "application.yaml" };
    vec![
        Family::new(
            "system/namespace.yaml.tera",
            "namespace.yaml",
            vec![ObjectId::cluster("v1", "Namespace", SYSTEM_NAMESPACE)],
        ),
        Family::new("system/rbac.yaml.tera", "rbac.yaml", rbac_objects(context, flux, cilium)),
        Family::new("system/network-policies.yaml.tera", "network-policies.yaml", network_policies(install, drift)),
        Family::new("system/cilium-policies.yaml.tera", "cilium-policies.yaml", cilium_policies(install, drift))
            .when(cilium),
        Family::new("system/secrets.yaml.tera", "secrets.yaml", secret_objects).with("secrets", &own_secrets),
        Family::new("system/certificates.yaml.tera", "certificates.yaml", certificates),
        Family::new("system/compatibility.yaml.tera", "compatibility.yaml", compatibility),
        Family::new("system/drift.yaml.tera", "drift.yaml", drift_objects(install, drift)),
        Family::new("system/release.yaml.tera", release, Helm::objects(&context["helm"], flux)),
    ]
}

fn rbac_objects(context: &Value, flux: bool, cilium: bool) -> Vec<ObjectId> {
    const RBAC: &str = "rbac.authorization.k8s.io/v1";
    let mut objects = super::unit::rbac_objects(&context["accounts"], SYSTEM_NAMESPACE, flux);
    objects.push(ObjectId::cluster(RBAC, "ClusterRole", "soctalk-controller"));
    objects.push(ObjectId::cluster(RBAC, "ClusterRoleBinding", "soctalk-controller"));
    if cilium {
        objects.push(ObjectId::namespaced(RBAC, "Role", "kube-system", "soctalk-preinstall"));
        objects.push(ObjectId::namespaced(RBAC, "RoleBinding", "kube-system", "soctalk-preinstall"));
    }
    objects
}

fn network_policies(install: &crate::config::Install, drift: bool) -> Vec<ObjectId> {
    let mut names = vec!["default-deny", "api-ingress-allow"];
    let cilium = network::is_cilium(install);
    if !network::is_all_dns_cilium(install) {
        names.push("dns-egress");
    }
    if install.postgres.enabled {
        names.push("postgres-ingress");
    }
    if install.postgres.enabled || !cilium {
        names.push("postgres-egress");
    }
    if !cilium {
        names.extend(["apiserver-egress", "orchestrator-egress", "egress-proxy-clients", "egress-proxy"]);
    }
    if drift {
        names.push("tenantry-drift");
    }
    let id = |name| ObjectId::namespaced("networking.k8s.io/v1", "NetworkPolicy", SYSTEM_NAMESPACE, name);
    names.into_iter().map(id).collect()
}

fn cilium_policies(install: &crate::config::Install, drift: bool) -> Vec<ObjectId> {
    let mut names = vec!["orchestrator-egress", "dns-egress", "apiserver-egress"];
    if !install.postgres.enabled {
        names.push("postgres-egress");
    }
    if drift {
        names.push("tenantry-drift-git");
    }
    let id = |name| ObjectId::namespaced("cilium.io/v2", "CiliumNetworkPolicy", SYSTEM_NAMESPACE, name);
    names.into_iter().map(id).collect()
}

fn drift_objects(install: &crate::config::Install, drift: bool) -> Vec<ObjectId> {
    if !drift {
        return Vec::new();
    }
    const RBAC: &str = "rbac.authorization.k8s.io/v1";
    let name = "tenantry-drift";
    let mut objects =
        vec![ObjectId::cluster(RBAC, "ClusterRole", name), ObjectId::cluster(RBAC, "ClusterRoleBinding", name)];
    if install.drift.events || install.drift.reports {
        objects.push(ObjectId::namespaced(RBAC, "Role", SYSTEM_NAMESPACE, name));
        objects.push(ObjectId::namespaced(RBAC, "RoleBinding", SYSTEM_NAMESPACE, name));
    }
    objects.extend([
        ObjectId::namespaced("v1", "Service", SYSTEM_NAMESPACE, name),
        ObjectId::namespaced("apps/v1", "Deployment", SYSTEM_NAMESPACE, name),
    ]);
    if install.monitoring.service_monitor {
        objects.push(ObjectId::namespaced("monitoring.coreos.com/v1", "ServiceMonitor", SYSTEM_NAMESPACE, name));
    }
    objects
}

/// Pods of the control plane, by their service accounts.
fn pods(fleet: &Fleet, cluster: &ClusterPlan<'_>) -> Vec<&'static str> {
    let install = &fleet.install;
    let cilium = network::is_cilium(install);
    let has_edge =
        cluster.tenants.values().any(|tenant| tenant.wazuh_mode == crate::config::tenant::WazuhMode::EdgeHaproxy);
    [
        ("soctalk-api-sa", true),
        ("soctalk-controller-sa", true),
        ("soctalk-orchestrator-sa", true),
        ("soctalk-migrate-sa", true),
        ("soctalk-postgres-sa", install.postgres.enabled),
        ("soctalk-preinstall-sa", cilium),
        ("soctalk-egress-proxy-sa", !cilium),
        ("wazuh-edge-haproxy-sa", has_edge),
        ("tenantry-drift-sa", is_drift_rendered(fleet)),
    ]
    .into_iter()
    .filter_map(|(name, runs)| runs.then_some(name))
    .collect()
}

/// Who resolves names and how, who talks to the API server, who goes through the proxy.
fn policies(fleet: &Fleet, cluster: &ClusterPlan<'_>) -> Value {
    let install = &fleet.install;
    let (cilium, drift) = (network::is_cilium(install), is_drift_rendered(fleet));
    let database_clients = ["soctalk-api", "soctalk-controller", "soctalk-migrate", "soctalk-orchestrator"];
    let mut fqdn: BTreeSet<&str> = BTreeSet::new();
    // The API and the orchestrator read the tenants' Secrets through the API server.
    let mut apiserver = BTreeSet::from(["soctalk-api", "soctalk-controller", "soctalk-orchestrator"]);
    let mut proxy_clients = BTreeSet::from(["soctalk-orchestrator"]);
    let mut all: BTreeSet<&str> = BTreeSet::from(database_clients);
    all.insert("wazuh-edge-haproxy");
    if cilium {
        fqdn.insert("soctalk-orchestrator");
        apiserver.insert("soctalk-preinstall");
        all.insert("soctalk-preinstall");
        if !install.postgres.enabled {
            fqdn.extend(database_clients);
        }
    } else {
        all.insert("soctalk-egress-proxy");
    }
    if drift {
        apiserver.insert("tenantry-drift");
        proxy_clients.insert("tenantry-drift");
        all.insert("tenantry-drift");
        if cilium {
            fqdn.insert("tenantry-drift");
        }
    }
    let mut ports: BTreeSet<u16> = BTreeSet::from([install.gitops.repository.port()]);
    for tenant in cluster.tenants.values() {
        ports.insert(tenant.llm.port);
        ports.extend(tenant.cortex.as_ref().map(|cortex| cortex.port));
    }
    if network::is_all_dns_cilium(install) {
        fqdn.extend(&all);
    }
    let ports: Vec<Value> = ports.into_iter().map(|port| json!({ "port": port, "protocol": "TCP" })).collect();
    json!({
        "dns_pods": all.difference(&fqdn).collect::<Vec<_>>(),
        "fqdn_pods": fqdn,
        "apiserver_pods": apiserver,
        "apiserver_cidrs": cluster.cluster.api_server_cidrs,
        "proxy_clients": proxy_clients,
        "proxy_ports": ports,
        "ingress_namespace": install.ingress.namespace,
        "monitoring_namespace": install.monitoring.namespace,
    })
}

fn dynamic_database(fleet: &Fleet, cluster: &ClusterPlan<'_>) -> Value {
    use crate::config::rotation::Class;
    use crate::config::tenant::Tier;
    let install = &fleet.install;
    let (Some(database), Some(vault)) = (&install.secrets.dynamic_database, &install.secrets.vault) else {
        return Value::Null;
    };
    let life = crate::secrets::due::rule(fleet, Class::DatabaseCredentials, Tier::Standard)
        .and_then(|rule| rule.max_ttl.as_ref());
    // A user is renewed at five sixths of its life, so that pods change over before it ends.
    let refresh = life.map_or(3000, |life| (life.seconds() * 5 / 6).max(60));
    json!({
        "path": format!("{}/creds/{}", database.mount, database.app_role),
        "provider": backend::vault_provider(vault, cluster.cluster, &vault.primary, SYSTEM_NAMESPACE, backend::READER),
        "refresh": crate::config::types::go_duration(refresh),
    })
}

/// The matrix as SocTalk reads it: the contract's own form, without the header of the config file.
fn compatibility(fleet: &Fleet) -> String {
    let value = serde_json::to_value(&fleet.compatibility.matrix).unwrap_or_default();
    crate::yaml::emit_documents([&value]).trim_start_matches("---\n").to_owned()
}

/// Whether the drift checker is rendered: it is switched on and its image is pinned.
fn is_drift_rendered(fleet: &Fleet) -> bool {
    fleet.install.drift.enabled && fleet.install.drift.digest.is_some()
}

fn drift(fleet: &Fleet, cluster: &ClusterPlan<'_>) -> Value {
    let install = &fleet.install;
    let Some(digest) = install.drift.digest.as_ref().filter(|_| is_drift_rendered(fleet)) else { return Value::Null };
    let gitops = &install.gitops;
    let args = json!([
        "drift",
        "--watch",
        "--cluster",
        cluster.cluster.name,
        "--repo",
        gitops.repository,
        "--branch",
        gitops.branch,
        "--path",
        gitops.path,
        "--context",
        "in-cluster",
        "--listen",
        "0.0.0.0:8080",
        "--log-format",
        "json",
    ]);
    let mut args = args.as_array().cloned().unwrap_or_default();
    args.extend(install.drift.events.then(|| json!("--events")));
    args.extend(install.drift.reports.then(|| json!("--reports")));
    json!({
        "image": format!("{}@{digest}", install.drift.image),
        "args": args,
        "credentials": install.drift.git_credentials_secret,
        "events": install.drift.events,
        "reports": install.drift.reports,
        "rules": drift_rules(fleet),
        "git_host": gitops.repository.host(),
        "git_port": gitops.repository.port(),
        "proxy": (!network::is_cilium(install)).then_some("http://soctalk-egress-proxy.soctalk-system.svc.cluster.local:3128"),
        "service_monitor": install.monitoring.service_monitor,
    })
}

/// Read-only, and nothing on Secrets: every kind that is rendered or read for objects that Git lacks.
fn drift_rules(fleet: &Fleet) -> Value {
    let flux = fleet.install.gitops.engine == GitopsEngine::Flux;
    let mut groups = vec![
        ("", vec!["configmaps", "limitranges", "namespaces", "resourcequotas", "serviceaccounts", "services"]),
        ("admissionregistration.k8s.io", vec!["validatingadmissionpolicies", "validatingadmissionpolicybindings"]),
        ("apiextensions.k8s.io", vec!["customresourcedefinitions"]),
        ("apps", vec!["deployments"]),
        ("cert-manager.io", vec!["certificates", "issuers"]),
        // Also where nothing of it is rendered: a policy that Git lacks opens what Git closes.
        ("cilium.io", vec!["ciliumnetworkpolicies"]),
        ("external-secrets.io", vec!["externalsecrets", "pushsecrets", "secretstores"]),
        ("externaldns.k8s.io", vec!["dnsendpoints"]),
        ("generators.external-secrets.io", vec!["passwords", "vaultdynamicsecrets"]),
        ("networking.k8s.io", vec!["networkpolicies"]),
        ("rbac.authorization.k8s.io", vec!["clusterrolebindings", "clusterroles", "rolebindings", "roles"]),
    ];
    if fleet.install.monitoring.service_monitor {
        groups.push(("monitoring.coreos.com", vec!["servicemonitors"]));
    }
    if flux {
        groups.push(("helm.toolkit.fluxcd.io", vec!["helmreleases"]));
        groups.push(("kustomize.toolkit.fluxcd.io", vec!["kustomizations"]));
        groups.push(("source.toolkit.fluxcd.io", vec!["gitrepositories", "ocirepositories"]));
    } else {
        groups.push(("argoproj.io", vec!["applications", "appprojects"]));
    }
    groups.sort();
    let rules = groups.into_iter().map(
        |(group, resources)| json!({ "apiGroups": [group], "resources": resources, "verbs": ["get", "list", "watch"] }),
    );
    rules.collect::<Vec<_>>().into()
}
