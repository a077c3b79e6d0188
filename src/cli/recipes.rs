//! The command lines of `codeowners` and `bootstrap`.

use clap::Args;

/// Arguments of `codeowners`.
#[derive(Debug, Clone, Args)]
pub struct CodeownersArgs {
    /// Write nothing; end with 1 if the file is not what the tiers say
    #[arg(long)]
    pub check: bool,
}

/// Arguments of `bootstrap`.
#[derive(Debug, Clone, Args)]
pub struct BootstrapArgs {
    /// Cluster, as install.yaml names it
    pub cluster: String,
}
