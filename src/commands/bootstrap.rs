//! `bootstrap`: what a person applies once to a cluster, so that Flux or Argo CD syncs the rendered tree from then on.

use serde_json::{Value, json};

use super::fleet;
use super::screen::Screen;
use super::timings::Timings;
use crate::cli::BootstrapArgs;
use crate::config::Install;
use crate::config::install::GitopsEngine;
use crate::error::{Error, Result, exit};
use crate::yaml;

/// Runs the command.
pub fn run(screen: &Screen, args: &BootstrapArgs) -> Result<u8> {
    let loaded = fleet::load(&screen.global().fleet, &mut Timings::default())?;
    let Some(fleet) = &loaded.fleet else { return Ok(fleet::refused(screen, "bootstrap", &loaded)) };
    let names: Vec<&str> = fleet.install.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    if !names.contains(&args.cluster.as_str()) {
        return Err(Error::usage(format!("there is no cluster {}", args.cluster))
            .hint(format!("clusters: {}", names.join(", "))));
    }
    screen.print(&manifests(&fleet.install, fleet.install.gitops.engine, &args.cluster))?;
    Ok(exit::OK)
}

/// The manifests as text. Their comment says what must be there before.
pub fn manifests(install: &Install, engine: GitopsEngine, cluster: &str) -> String {
    let (needs, objects) = match engine {
        GitopsEngine::Flux => ("Flux's controllers (`flux install`)", flux(install, cluster)),
        GitopsEngine::Argocd => ("Argo CD", argocd(install, cluster)),
    };
    let secret = match &install.gitops.credentials_secret {
        Some(secret) => format!(", and the Secret `{secret}` with the credentials of the repository"),
        None => String::new(),
    };
    format!(
        "# Applied once to the cluster {cluster}, with `kubectl apply -f`; from then on it follows the rendered repository.\n\
         # Needed before: {needs}{secret}.\n{}",
        yaml::emit_documents(&objects)
    )
}

fn namespace(install: &Install, default: &str) -> String {
    install.gitops.namespace.as_ref().map_or_else(|| default.to_owned(), ToString::to_string)
}

/// Folder of the engine's unit in the repository.
fn folder(install: &Install, cluster: &str, engine: &str) -> String {
    match install.gitops.path.trim_matches('/') {
        "" => format!("clusters/{cluster}/{engine}"),
        path => format!("{path}/clusters/{cluster}/{engine}"),
    }
}

fn flux(install: &Install, cluster: &str) -> Vec<Value> {
    let gitops = &install.gitops;
    let namespace = namespace(install, "flux-system");
    let interval = gitops.interval.go();
    let mut source = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": { "name": "tenantry", "namespace": namespace },
        "spec": { "interval": interval, "url": gitops.repository, "ref": { "branch": gitops.branch } },
    });
    if let Some(secret) = &gitops.credentials_secret {
        source["spec"]["secretRef"] = json!({ "name": secret });
    }
    vec![
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": gitops.service_account, "namespace": namespace },
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": { "name": gitops.service_account },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
            "subjects": [{ "kind": "ServiceAccount", "name": gitops.service_account, "namespace": namespace }],
        }),
        source,
        json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": { "name": "tenantry", "namespace": namespace },
            "spec": {
                "interval": interval, "retryInterval": "2m0s", "timeout": "5m0s", "prune": true, "wait": false,
                "path": format!("./{}", folder(install, cluster, "flux")),
                "serviceAccountName": gitops.service_account,
                "sourceRef": { "kind": "GitRepository", "name": "tenantry" },
            },
        }),
    ]
}

fn argocd(install: &Install, cluster: &str) -> Vec<Value> {
    let gitops = &install.gitops;
    let namespace = namespace(install, "argocd");
    vec![json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": { "name": "tenantry", "namespace": namespace },
        "spec": {
            "project": "default",
            "source": {
                "repoURL": gitops.repository, "targetRevision": gitops.branch,
                "path": folder(install, cluster, "argocd"),
            },
            "destination": { "server": "https://kubernetes.default.svc", "namespace": namespace },
            "syncPolicy": { "automated": { "prune": true, "selfHeal": true }, "syncOptions": ["ServerSideApply=true"] },
        },
    })]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Limits, parse};

    #[test]
    fn the_root_syncs_what_is_rendered_for_the_engine() {
        let install = crate::render::tests::fleet().install;
        for (engine, pointer, path) in [
            (GitopsEngine::Flux, "/spec/path", "./clusters/eu-1/flux"),
            (GitopsEngine::Argocd, "/spec/source/path", "clusters/eu-1/argocd"),
        ] {
            let text = manifests(&install, engine, "eu-1");
            let documents = parse(&text, Limits::MANIFEST).unwrap();
            let last = documents.last().unwrap().root.to_json();
            assert_eq!(last.pointer(pointer).and_then(Value::as_str), Some(path), "{text}");
            assert!(text.contains(install.gitops.repository.as_str()));
        }
    }
}
