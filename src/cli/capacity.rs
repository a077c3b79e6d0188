//! The command line of `capacity`.

use clap::Args;

/// Arguments of `capacity`.
#[derive(Debug, Clone, Args)]
pub struct CapacityArgs {
    /// One cluster of the fleet
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
}
