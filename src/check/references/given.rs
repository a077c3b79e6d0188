//! What is there although nothing here renders it: what Kubernetes itself brings, what `install.yaml` names as the
//! platform's, and what the charts make.

use std::collections::HashSet;

use super::read::Target;
use crate::config::Install;
use crate::config::install::{Cluster, GitopsEngine};
use crate::plan::names::SYSTEM_NAMESPACE;

/// What a cluster has besides the rendered tree.
#[derive(Debug, Default)]
pub struct Given {
    exact: HashSet<(String, Option<String>, String)>,
    anywhere: HashSet<(String, String)>,
}

/// In every cluster or namespace without anybody's doing.
const KUBERNETES: [(&str, &str); 8] = [
    ("Namespace", "default"),
    ("Namespace", "kube-system"),
    ("Namespace", "kube-public"),
    ("Namespace", "kube-node-lease"),
    ("PriorityClass", "system-cluster-critical"),
    ("PriorityClass", "system-node-critical"),
    ("ServiceAccount", "default"),
    ("ConfigMap", "kube-root-ca.crt"),
];

impl Given {
    /// What a cluster of an install has.
    pub fn of(install: &Install, cluster: &Cluster) -> Self {
        let mut given = Self::default();
        for (kind, name) in KUBERNETES {
            given.anywhere(kind, name);
        }
        given.engine(install);
        // Named by the install as the platform's.
        given.anywhere("ClusterIssuer", install.ingress.tls.issuer_ref.as_str());
        given.anywhere("ClusterIssuer", install.wazuh_ingress.tls.issuer_ref.as_str());
        if let Some(issuer) = &install.wazuh_ingress.tls.mssp_ca_issuer_ref {
            given.anywhere("ClusterIssuer", issuer.as_str());
        }
        given.anywhere("IngressClass", install.ingress.class_name.as_str());
        given.anywhere("Namespace", install.ingress.namespace.as_str());
        given.anywhere("Namespace", install.monitoring.namespace.as_str());
        let own = install.postgres.storage.as_ref().map(|storage| storage.storage_class_name.as_str());
        for class in own.into_iter().chain([install.defaults.storage_class_name.as_str()]) {
            given.anywhere("StorageClass", class);
        }
        for bundle in install.secrets.vault.iter().filter_map(|vault| vault.ca_config_map.as_ref()) {
            given.anywhere("ConfigMap", bundle.as_str());
        }
        if let Some(secret) = &install.drift.git_credentials_secret {
            given.exactly("Secret", Some(SYSTEM_NAMESPACE), secret.as_str());
        }
        if install.ingress.enabled {
            // cert-manager makes it for the chart's Ingress, which names the issuer.
            given.exactly("Secret", Some(SYSTEM_NAMESPACE), install.ingress.tls.secret_name.as_str());
        }
        let here = |clusters: &[crate::config::types::Label]| clusters.is_empty() || clusters.contains(&cluster.name);
        for one in install.provided.iter().filter(|one| here(&one.clusters)) {
            match &one.namespace {
                Some(namespace) => given.exactly(one.kind.as_str(), Some(namespace.as_str()), one.name.as_str()),
                None => given.anywhere(one.kind.as_str(), one.name.as_str()),
            }
        }
        given
    }

    /// What the bootstrap leaves: the engine's namespace, its account and its credentials.
    fn engine(&mut self, install: &Install) {
        let gitops = &install.gitops;
        let default = match gitops.engine {
            GitopsEngine::Flux => "flux-system",
            GitopsEngine::Argocd => "argocd",
        };
        let namespace = gitops.namespace.as_ref().map_or(default, |namespace| namespace.as_str());
        self.anywhere("Namespace", namespace);
        self.exactly("ServiceAccount", Some(namespace), gitops.service_account.as_str());
        self.exactly("AppProject", Some(namespace), "default");
        if let Some(secret) = &gitops.credentials_secret {
            self.exactly("Secret", Some(namespace), secret.as_str());
        }
    }

    fn anywhere(&mut self, kind: &str, name: &str) {
        self.anywhere.insert((kind.to_owned(), name.to_owned()));
    }

    fn exactly(&mut self, kind: &str, namespace: Option<&str>, name: &str) {
        self.exact.insert((kind.to_owned(), namespace.map(str::to_owned), name.to_owned()));
    }

    /// Whether it is there.
    pub fn has(&self, target: &Target<'_>) -> bool {
        let (kind, name) = (target.kind.to_owned(), target.name.to_owned());
        self.anywhere.contains(&(kind.clone(), name.clone()))
            || self.exact.contains(&(kind, target.namespace.map(str::to_owned), name))
    }

    /// Names of a kind, for what may have been meant.
    pub fn names(&self, kind: &str) -> impl Iterator<Item = &str> {
        let exact = self.exact.iter().filter(move |one| one.0 == kind).map(|one| one.2.as_str());
        self.anywhere.iter().filter(move |one| one.0 == kind).map(|one| one.1.as_str()).chain(exact)
    }

    /// Everything, in order, as text: what follows from it is as old as this.
    pub fn text(&self) -> String {
        let mut lines: Vec<String> = self.exact.iter().map(|one| format!("{one:?}")).collect();
        lines.extend(self.anywhere.iter().map(|one| format!("{one:?}")));
        lines.sort();
        lines.join("\n")
    }
}
