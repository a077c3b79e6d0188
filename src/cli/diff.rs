//! The command line of `diff`.

use clap::Args;

/// Arguments of `diff`.
#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// Compare with where this branch left REV (else the default branch): origin/main, HEAD~3, a tag, a commit
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
    /// Take the fleet from this revision instead of the files as they are
    #[arg(long, value_name = "REV")]
    pub head: Option<String>,
    /// Compare with what this output repository holds, instead of rendering the base
    #[arg(long, value_name = "PATH|URL", conflicts_with = "base")]
    pub repo: Option<String>,
    /// Branch of the output repository
    #[arg(long, default_value = "main", requires = "repo")]
    pub branch: String,
    /// Folder of the output repository under which clusters/ lies
    #[arg(long, value_name = "FOLDER", requires = "repo")]
    pub path: Option<String>,
    /// End with 2 for differences and with 1 for every failure, as terraform does
    #[arg(long)]
    pub detailed_exitcode: bool,
}
