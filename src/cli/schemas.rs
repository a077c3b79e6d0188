//! The command line of `schemas`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with schemas.
#[derive(Debug, Clone, Subcommand)]
pub enum SchemasCommand {
    /// The kinds that can be checked, and where their schemas come from
    List,
    /// Make a bundle from CustomResourceDefinitions and an API server
    Import(ImportArgs),
}

/// Arguments of `schemas import`.
#[derive(Debug, Clone, Args)]
#[command(group(clap::ArgGroup::new("from").required(true).multiple(true).args(["crd", "from_cluster"])))]
pub struct ImportArgs {
    /// File with CustomResourceDefinitions, in YAML or JSON (repeatable)
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub crd: Vec<PathBuf>,
    /// Ask an API server: for its built-in kinds, and for its CustomResourceDefinitions unless --crd names files
    #[arg(long)]
    pub from_cluster: bool,
    /// Context of the kubeconfig, or `in-cluster` for the ServiceAccount of this pod
    #[arg(long, value_name = "CONTEXT", requires = "from_cluster")]
    pub context: Option<String>,
    /// Kubeconfig file (else KUBECONFIG, else ~/.kube/config)
    #[arg(long, value_name = "FILE", requires = "from_cluster")]
    pub kubeconfig: Option<PathBuf>,
    /// Only this kind, such as apps/v1/Deployment or v1/Service (repeatable)
    #[arg(long, value_name = "VERSION/KIND", value_parser = kind)]
    pub kind: Vec<(String, String)>,
    /// Only the kinds that this bundle has: to make it again from something newer
    #[arg(long, value_name = "BUNDLE")]
    pub kinds_of: Option<PathBuf>,
    /// What the schemas come from, for the record: `cert-manager v1.21.2` (repeatable)
    #[arg(long, value_name = "TEXT")]
    pub source: Vec<String>,
    /// File that takes the bundle; standard output if none
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `apps/v1/Deployment`.
fn kind(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('/') {
        Some((version, kind)) if !version.is_empty() && !kind.is_empty() => Ok((version.into(), kind.into())),
        _ => Err(format!("{text:?} is no kind such as apps/v1/Deployment or v1/Service")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_and_refused() {
        assert_eq!(kind("apps/v1/Deployment"), Ok(("apps/v1".into(), "Deployment".into())));
        assert_eq!(kind("v1/Service"), Ok(("v1".into(), "Service".into())));
        assert!(kind("Service").is_err() && kind("v1/").is_err());
    }
}
