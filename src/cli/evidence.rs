//! The command line of `evidence`.

use clap::Args;

/// Arguments of `evidence`.
#[derive(Debug, Clone, Args)]
pub struct EvidenceArgs {
    /// Revision of the fleet instead of the files as they are
    #[arg(long, value_name = "REV")]
    pub rev: Option<String>,
    /// Output repository whose exemptions of drift belong to the pack
    #[arg(long, value_name = "PATH|URL")]
    pub repo: Option<String>,
    /// Branch of it
    #[arg(long, default_value = "main", requires = "repo")]
    pub branch: String,
    /// Folder of it under which clusters/ lies
    #[arg(long, value_name = "FOLDER", requires = "repo")]
    pub path: Option<String>,
    /// Day by which exemptions are judged (today if not given)
    #[arg(long, value_name = "DATE")]
    pub now: Option<jiff::civil::Date>,
}
