//! The command line of `verify`.

use clap::Args;

/// Arguments of `verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyTreeArgs {
    /// Output repository
    #[arg(long, value_name = "PATH|URL", default_value = "rendered")]
    pub repo: String,
    /// Branch of it
    #[arg(long, default_value = "main")]
    pub branch: String,
    /// Revision of it instead: any commit, a tag
    #[arg(long, value_name = "REV")]
    pub rev: Option<String>,
    /// Folder of it under which clusters/ lies
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<String>,
    /// Fleet, or repository of it, that has the recorded revision (the fleet if not given)
    #[arg(long, value_name = "DIR|URL")]
    pub source: Option<String>,
    /// Branch of a source behind a URL on which the revision lies
    #[arg(long, value_name = "BRANCH", default_value = "main")]
    pub source_branch: String,
    /// Also refuse a commit without a signature that Git trusts
    #[arg(long)]
    pub require_signed: bool,
}
