//! The command line of `diff`.

use std::path::PathBuf;

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
    /// Compare with a saved dump of a cluster: what `kubectl get … -o yaml` printed
    #[arg(long, value_name = "FILE|DIR", conflicts_with_all = ["base", "repo"])]
    pub live: Option<PathBuf>,
    /// Cluster of the dump, as install.yaml names it (may be left out if there is one only)
    #[arg(long, value_name = "NAME", requires = "live")]
    pub cluster: Option<String>,
    /// Also compare the workloads that Helm makes of each release that changes
    #[arg(long)]
    pub expand: bool,
    /// Helm, if it is not `helm` on the search path
    #[arg(long, value_name = "PATH", requires = "expand")]
    pub helm: Option<PathBuf>,
    /// Folder of charts' archives (NAME-VERSION.tgz), for versions that are neither in charts/ nor in the history
    #[arg(long, value_name = "DIR", requires = "expand")]
    pub charts: Option<PathBuf>,
    /// End with 2 for differences and with 1 for every failure, as terraform does
    #[arg(long)]
    pub detailed_exitcode: bool,
}
