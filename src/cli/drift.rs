//! The command line of `drift`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::watch::WatchArgs;
use crate::drift::filter::{Selector, Shard};

/// Arguments of `drift`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DriftArgs {
    /// What else to do
    #[command(subcommand)]
    pub command: Option<DriftCommand>,
    /// Repository that holds the rendered tree
    #[arg(long, value_name = "PATH|URL", default_value = "rendered")]
    pub repo: String,
    /// Branch to compare with
    #[arg(long, default_value = "main")]
    pub branch: String,
    /// Revision to compare with instead: a tag, a commit
    #[arg(long, value_name = "REVISION", conflicts_with = "branch")]
    pub rev: Option<String>,
    /// Folder of the repository under which clusters/ lies
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<String>,
    /// Folder that holds the rendered tree, instead of a repository
    #[arg(long, value_name = "DIR", conflicts_with_all = ["repo", "branch", "rev", "path"])]
    pub tree: Option<PathBuf>,
    /// Cluster, as the tree names it (may be left out if it has one only)
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Context of the kubeconfig, or `in-cluster` for the ServiceAccount of this pod
    #[arg(long, value_name = "CONTEXT")]
    pub context: Option<String>,
    /// Kubeconfig file (else KUBECONFIG, else ~/.kube/config)
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Folder with `token` and `ca.crt` of a ServiceAccount for `--context in-cluster`, if mounted elsewhere than usual
    #[arg(long, value_name = "DIR", requires = "context", conflicts_with = "kubeconfig")]
    pub service_account: Option<PathBuf>,
    /// Compare a saved dump instead of a cluster: what `kubectl get … -o yaml` printed
    #[arg(long, value_name = "FILE|DIR", conflicts_with_all = ["context", "kubeconfig", "timeout", "settle"])]
    pub live: Option<PathBuf>,
    /// Only this tenant (repeatable)
    #[arg(long, value_name = "SLUG")]
    pub tenant: Vec<String>,
    /// Only objects with these labels: a=b,c!=d,e,!f
    #[arg(short = 'l', long, value_name = "SELECTOR", value_parser = selector)]
    pub selector: Option<String>,
    /// Only this share of the tenants: 0/4 is the first of four
    #[arg(long, value_name = "I/N", value_parser = Shard::parse)]
    pub shard: Option<Shard>,
    /// Prefix of labels and annotations that controllers may add (repeatable)
    #[arg(long, value_name = "PREFIX")]
    pub allow_prefix: Vec<String>,
    /// Longest time for the whole check: 90s, 10m
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub timeout: Duration,
    /// Wait this long before what differs is read once more; 0s tells at once
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub settle: Duration,
    /// What holds for a check that goes on
    #[command(flatten)]
    pub watch: WatchArgs,
    /// End with 2 for drift and with 1 for every failure, as terraform does
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// What else `drift` does.
#[derive(Debug, Clone, Subcommand)]
pub enum DriftCommand {
    /// Put the JSON reports of all shards of one check together
    Merge(MergeArgs),
}

/// Arguments of `drift merge`.
#[derive(Debug, Clone, Args)]
pub struct MergeArgs {
    /// JSON reports, one a shard
    #[arg(required = true, value_name = "REPORT")]
    pub reports: Vec<PathBuf>,
}

fn selector(text: &str) -> Result<String, String> {
    Selector::parse(text).map(|_| text.to_owned())
}

/// `90s`, `10m`, `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("{text:?} is no time such as 90s or 10m");
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let number: u64 = number.parse().map_err(|_| expected())?;
    let seconds = match unit {
        "s" => Some(number),
        "m" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        _ => None,
    };
    // Longer than a month is a slip, and would overflow clocks.
    seconds.filter(|seconds| *seconds <= 31 * 86_400).map(Duration::from_secs).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_refused() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for text in ["", "s", "10", "1d", "-1s", "1.5m", "999999999999h", "1é"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
