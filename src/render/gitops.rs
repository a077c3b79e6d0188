//! What tells Flux or Argo CD to sync the tree: one Kustomization or Application a unit.

use serde_json::{Value, json};

use super::unit::Family;
use crate::config::Fleet;
use crate::config::install::GitopsEngine;
use crate::manifest::ObjectId;
use crate::plan::ClusterPlan;
use crate::plan::names;

/// Namespace of the engine.
pub fn namespace(fleet: &Fleet) -> String {
    let default = match fleet.install.gitops.engine {
        GitopsEngine::Flux => "flux-system",
        GitopsEngine::Argocd => "argocd",
    };
    fleet.install.gitops.namespace.as_ref().map_or_else(|| default.to_owned(), ToString::to_string)
}

/// What the templates of the engine see, one a unit: the engine's own settings and the unit.
pub fn context(fleet: &Fleet) -> Value {
    let gitops = &fleet.install.gitops;
    let charts = fleet.install.charts.repository.as_str().trim_start_matches("oci://").trim_end_matches('/');
    json!({
        "gitops": {
            "namespace": namespace(fleet),
            "url": gitops.repository,
            "branch": gitops.branch,
            "interval": gitops.interval.go(),
            "service_account": gitops.service_account,
            "credentials": gitops.credentials_secret,
            "source_repos": [gitops.repository.as_str(), charts],
        },
    })
}

/// The folder of the engine's unit in a cluster.
pub fn unit_path(fleet: &Fleet, cluster: &str) -> String {
    match fleet.install.gitops.engine {
        GitopsEngine::Flux => format!("clusters/{cluster}/flux"),
        GitopsEngine::Argocd => format!("clusters/{cluster}/argocd"),
    }
}

/// The families of the engine's unit: the source, the system, and one a tenant.
pub fn families(fleet: &Fleet, cluster: &ClusterPlan<'_>) -> Vec<Family> {
    let name = cluster.cluster.name.as_str();
    let flux = fleet.install.gitops.engine == GitopsEngine::Flux;
    let namespace = namespace(fleet);
    let root = match fleet.install.gitops.path.trim_matches('/') {
        "" => String::new(),
        path => format!("{path}/"),
    };
    let entry = |unit: &str,
                 path: String,
                 timeout: &str,
                 depends_on: Option<&str>,
                 shard: Option<String>,
                 target: String,
                 file: String| {
        let path = if flux { format!("./{root}{path}") } else { format!("{root}{path}") };
        let wave = if depends_on.is_some() { "1" } else { "0" };
        let value = json!({
            "name": unit, "path": path, "timeout": timeout, "depends_on": depends_on, "shard": shard,
            "namespace": target, "wave": wave,
        });
        let (template, id) = if flux {
            let id = ObjectId::namespaced("kustomize.toolkit.fluxcd.io/v1", "Kustomization", &namespace, unit);
            ("flux/kustomization.yaml.tera", id)
        } else {
            (
                "argocd/application.yaml.tera",
                ObjectId::namespaced("argoproj.io/v1alpha1", "Application", &namespace, unit),
            )
        };
        Family::new(template, file, vec![id]).with("unit", &value)
    };
    let mut families = vec![if flux {
        let id = ObjectId::namespaced("source.toolkit.fluxcd.io/v1", "GitRepository", &namespace, "tenantry");
        Family::new("flux/source.yaml.tera", "source.yaml", vec![id])
    } else {
        let id = ObjectId::namespaced("argoproj.io/v1alpha1", "AppProject", &namespace, "soctalk");
        Family::new("argocd/project.yaml.tera", "project.yaml", vec![id])
    }];
    let system = "soctalk-system";
    families.push(entry(system, names::system_unit(name), "20m0s", None, None, system.into(), "system.yaml".into()));
    for (slug, tenant) in &cluster.tenants {
        let path = names::tenant_unit(name, slug);
        let shard = crate::plan::shard::of(&fleet.install, slug);
        // The Kustomization waits for the HelmRelease, so it needs a little longer than that.
        let timeout = if tenant.timeout == "15m0s" { "20m0s" } else { "35m0s" };
        families.push(entry(
            &tenant.namespace,
            path,
            timeout,
            Some(system),
            shard,
            tenant.namespace.clone(),
            format!("tenant-{slug}.yaml"),
        ));
    }
    families
}
