//! Connects to a cluster: by kubeconfig and context, or as a ServiceAccount inside it.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use kube::config::{KubeConfigOptions, Kubeconfig};

use super::api::{Api, Limits};
use crate::error::{Error, Result};

/// Which cluster, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A kubeconfig: the named file, else `KUBECONFIG`, else `~/.kube/config`; the named context, else its current one.
    Kubeconfig {
        /// The file.
        file: Option<PathBuf>,
        /// The context.
        context: Option<String>,
    },
    /// The ServiceAccount of the pod that this runs in.
    InCluster {
        /// The folder with its `token` and `ca.crt`; none for the one where the kubelet mounts it.
        account: Option<PathBuf>,
    },
}

/// Where the kubelet mounts the ServiceAccount of a pod.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Connects. Nothing is sent yet. Tokens, certificates and addresses are read anew.
///
/// # Errors
/// A configuration that cannot be read or used.
pub async fn connect(target: &Target, limits: Limits) -> Result<Api> {
    let mut config = config(target).await?;
    // [`Api`] retries by itself, within the run's time, and has a limit for each request and each watch: of two clocks for
    // one wait, now this and now that would say what happened.
    config.default_retry = false;
    (config.connect_timeout, config.read_timeout, config.write_timeout) = (None, None, None);
    choose_tls();
    let address = config.cluster_url.to_string();
    let client = kube::Client::try_from(config)
        .map_err(|error| Error::environment("cannot use the configuration of the cluster").cause(error))?;
    Ok(Api::new(client, limits).at(address.trim_end_matches('/')))
}

async fn config(target: &Target) -> Result<kube::Config> {
    let (file, context) = match target {
        Target::Kubeconfig { file, context } => (file, context),
        Target::InCluster { account } => return in_cluster(account.as_deref().unwrap_or(Path::new(ACCOUNT))),
    };
    let kubeconfig = match file {
        Some(file) => Kubeconfig::read_from(file),
        None => Kubeconfig::read(),
    };
    let hint = "name the file with --kubeconfig and the context with --context";
    let kubeconfig =
        kubeconfig.map_err(|error| Error::environment("cannot read the kubeconfig").cause(error).hint(hint))?;
    if let Some(context) = context
        && !kubeconfig.contexts.iter().any(|known| known.name == *context)
    {
        let known: Vec<&str> = kubeconfig.contexts.iter().map(|known| known.name.as_str()).collect();
        let error = Error::environment(format!("the kubeconfig has no context {context}"));
        return Err(error.hint(format!("name one with --context; it has: {}", known.join(", "))));
    }
    let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
    config.map_err(|error| Error::environment("cannot use the kubeconfig").cause(error).hint(hint))
}

/// The API server that the kubelet names, and the ServiceAccount in a folder. Both files are read again while the program
/// runs: the kubelet replaces the token long before it ends, and the certificates when the cluster's authority changes.
fn in_cluster(account: &Path) -> Result<kube::Config> {
    let fails = |what: String, cause: &dyn Display| {
        Error::environment(what)
            .cause(cause)
            .hint("`in-cluster` is for a pod with a ServiceAccount; elsewhere name a kubeconfig or a context")
    };
    let variable = |name: &str| {
        std::env::var(name).map_err(|error| fails(format!("the environment names no API server in {name}"), &error))
    };
    let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
    let address = address(&host, &port)
        .map_err(|reason| fails(format!("the environment names no API server: {host:?}, {port:?}"), &reason))?;
    let (token, authority) = (account.join("token"), account.join("ca.crt"));
    for file in [&token, &authority] {
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|error| fails(format!("cannot read {}", file.display()), &error))?;
        if text.trim().is_empty() {
            return Err(fails(format!("cannot use {}", file.display()), &"it is empty"));
        }
    }
    let mut config = kube::Config::new(address);
    config.root_cert_file = Some(authority);
    config.auth_info.token_file = Some(token.display().to_string());
    Ok(config)
}

/// The address of an API server; IPv6 addresses are bracketed.
fn address(host: &str, port: &str) -> std::result::Result<http::Uri, String> {
    if host.is_empty() {
        return Err("the host is empty".to_owned());
    }
    let port: u16 = port.parse().map_err(|error| format!("the port is no number: {error}"))?;
    let host = match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    };
    format!("https://{host}:{port}").parse().map_err(|error: http::uri::InvalidUri| error.to_string())
}

/// Names the TLS library: where dependencies link in a second one, the client panics unless one is chosen. Choosing twice is
/// harmless.
pub fn choose_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_api_servers() {
        let text = |host: &str, port: &str| address(host, port).map(|address| address.to_string());
        assert_eq!(text("10.96.0.1", "443").unwrap(), "https://10.96.0.1:443/");
        assert_eq!(text("fd00::1", "6443").unwrap(), "https://[fd00::1]:6443/");
        assert_eq!(text("kubernetes.default.svc", "443").unwrap(), "https://kubernetes.default.svc:443/");
        for (host, port) in
            [("10.96.0.1", ""), ("10.96.0.1", "70000"), ("10.96.0.1", "https"), ("", "443"), ("a b", "443")]
        {
            assert!(text(host, port).is_err(), "{host}:{port}");
        }
    }
}
