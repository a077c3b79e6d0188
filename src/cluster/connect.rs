//! Connects to a cluster: by kubeconfig and context, or as a ServiceAccount inside it.

use std::path::PathBuf;

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
    InCluster,
}

/// Connects. Nothing is sent yet.
///
/// # Errors
/// A configuration that cannot be read or used.
pub async fn connect(target: &Target, limits: Limits) -> Result<Api> {
    let mut config = config(target).await?;
    config.read_timeout = Some(limits.request_timeout);
    config.reset_reader_on_write = true;
    let address = config.cluster_url.to_string();
    Ok(Api::new(client(config, limits)?, limits).at(address.trim_end_matches('/')))
}

/// Connects for watches, whose answers may say nothing for long. Tokens, certificates and addresses are read anew.
///
/// # Errors
/// A configuration that cannot be read or used.
pub async fn connect_to_watch(target: &Target, limits: Limits) -> Result<Api> {
    let mut config = config(target).await?;
    config.read_timeout = None; // each request has its own limit, and each watch
    let address = config.cluster_url.to_string();
    Ok(Api::new(client(config, limits)?, limits).at(address.trim_end_matches('/')))
}

fn client(mut config: kube::Config, limits: Limits) -> Result<kube::Client> {
    config.default_retry = false; // [`Api`] retries by itself, within the run's time
    config.connect_timeout = Some(limits.request_timeout);
    choose_tls();
    kube::Client::try_from(config)
        .map_err(|error| Error::environment("cannot use the configuration of the cluster").cause(error))
}

async fn config(target: &Target) -> Result<kube::Config> {
    let Target::Kubeconfig { file, context } = target else {
        return kube::Config::incluster().map_err(|error| {
            Error::environment("cannot read the ServiceAccount of this pod")
                .cause(error)
                .hint("inside a cluster only; elsewhere name a kubeconfig or a context")
        });
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

/// Names the TLS library: where dependencies link in a second one, the client panics unless one is chosen. Choosing twice is
/// harmless.
pub fn choose_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
