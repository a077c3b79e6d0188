//! The command line of `drift --watch`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::drift::duration;
use crate::telemetry::LogFormat;

/// Arguments of `drift` that hold for `--watch`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "With --watch")]
pub struct WatchArgs {
    /// Go on until ended: follow Git and the cluster, and serve the report, metrics and health
    #[arg(long, conflicts_with_all = ["live", "detailed_exitcode"])]
    pub watch: bool,
    /// Address to serve on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", requires = "watch")]
    pub listen: SocketAddr,
    /// How often Git is looked at
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, requires = "watch")]
    pub poll: Duration,
    /// How often everything is read again
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration, requires = "watch")]
    pub resync: Duration,
    /// How long after a new commit what the one before said is no drift yet; 0s for never
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = duration, requires = "watch")]
    pub rollout: Duration,
    /// Write an Event where drift begins and ends
    #[arg(long, requires = "watch")]
    pub events: bool,
    /// Write OpenReports Reports, where the cluster has them
    #[arg(long, requires = "watch")]
    pub reports: bool,
    /// Lease that lets one of several replicas write
    #[arg(long, value_name = "NAMESPACE/NAME", default_value = "soctalk-system/tenantry-drift", value_parser = lease, requires = "watch")]
    pub lease: (String, String),
    /// How logs are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text, requires = "watch")]
    pub log_format: LogFormat,
}

/// `namespace/name`.
fn lease(text: &str) -> Result<(String, String), String> {
    let label = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (!text.is_empty() && text.len() <= 63 && text.bytes().all(plain)).then(|| text.to_owned())
    };
    let parts = text.split_once('/').and_then(|(namespace, name)| Some((label(namespace)?, label(name)?)));
    parts.ok_or_else(|| format!("{text:?} is not NAMESPACE/NAME"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_has_a_namespace_and_a_name() {
        assert_eq!(lease("a/b-1"), Ok(("a".to_owned(), "b-1".to_owned())));
        for wrong in ["", "a", "/b", "a/", "A/b", "a/b/c"] {
            assert!(lease(wrong).is_err(), "{wrong}");
        }
    }
}
