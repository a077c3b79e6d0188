//! What the program tells of itself while it runs: metrics for Prometheus, and structured logs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tracing_subscriber::fmt::MakeWriter;

use crate::error::{Error, Result};
use crate::secrets::leak;

/// Bounds of the durations of full checks, in seconds.
const DURATIONS: [f64; 12] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// What the metrics tell. Everything is as of one moment; counters only grow.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Objects that differ, by kind and verdict; those that do not count yet under `pending`.
    pub objects: BTreeMap<(String, String), u64>,
    /// Tenants by state.
    pub tenants: BTreeMap<&'static str, u64>,
    /// Kinds by whether they were read.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Seconds that full checks took.
    pub durations: Durations,
    /// Full checks by result.
    pub checks: BTreeMap<&'static str, u64>,
    /// When everything was last known: seconds since 1970.
    pub last_success: Option<f64>,
    /// The revision that is compared with.
    pub revision: Option<String>,
    /// Whether Git has another one that cannot be used, or cannot be reached.
    pub is_desired_stale: bool,
    /// Requests to the API server by verb and status; 0 is no answer.
    pub requests: BTreeMap<(&'static str, u16), u64>,
    /// Watches that ended and were begun again.
    pub watch_restarts: u64,
    /// Whether this replica writes Events and reports.
    pub is_leader: bool,
    /// Version of the program.
    pub version: String,
}

/// How long full checks took.
#[derive(Debug, Clone, Default)]
pub struct Durations(Vec<f64>);

impl Durations {
    /// Adds one, in seconds.
    pub fn add(&mut self, seconds: f64) {
        self.0.push(seconds);
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ObjectLabels {
    kind: String,
    verdict: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CheckResult {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Revision {
    revision: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    code: Code,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: String,
}

/// A status code; no answer is the word `none`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Code(u16);

impl EncodeLabelValue for Code {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        use std::fmt::Write as _;
        match self.0 {
            0 => encoder.write_str("none"),
            code => encoder.write_str(&code.to_string()),
        }
    }
}

/// The media type of [`metrics`].
pub const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics as OpenMetrics text.
pub fn metrics(facts: &Facts) -> String {
    let mut registry = Registry::default();
    let objects = gauges(&mut registry, "tenantry_drift_objects", "Objects that differ from Git");
    for ((kind, verdict), count) in &facts.objects {
        set(&objects, ObjectLabels { kind: kind.clone(), verdict: verdict.clone() }, *count);
    }
    let tenants = gauges(&mut registry, "tenantry_drift_tenants", "Tenants by state");
    facts.tenants.iter().for_each(|(state, count)| set(&tenants, State { state }, *count));
    let kinds = gauges(&mut registry, "tenantry_drift_kinds", "Kinds by whether they are read");
    facts.kinds.iter().for_each(|(state, count)| set(&kinds, State { state }, *count));
    let durations = Histogram::new(DURATIONS);
    facts.durations.0.iter().for_each(|seconds| durations.observe(*seconds));
    registry.register("tenantry_drift_check_duration_seconds", "Time that full checks took", durations);
    let checks: Family<CheckResult, Counter> = Family::default();
    registry.register("tenantry_drift_checks", "Full checks by result", checks.clone());
    for (result, count) in &facts.checks {
        checks.get_or_create(&CheckResult { result }).inc_by(*count);
    }
    if let Some(seconds) = facts.last_success {
        let gauge: Gauge<f64, std::sync::atomic::AtomicU64> = Gauge::default();
        gauge.set(seconds);
        registry.register("tenantry_drift_last_success_timestamp_seconds", "When everything was last known", gauge);
    }
    let revision = gauges(&mut registry, "tenantry_drift_desired_info", "The revision that is compared with");
    if let Some(id) = &facts.revision {
        set(&revision, Revision { revision: id.clone() }, 1);
    }
    let stale = "Whether Git has another revision, which cannot be used, or cannot be reached";
    flag(&mut registry, "tenantry_drift_desired_stale", stale, facts.is_desired_stale);
    flag(&mut registry, "tenantry_drift_leader", "Whether this replica writes Events and reports", facts.is_leader);
    let requests: Family<RequestLabels, Counter> = Family::default();
    registry.register("tenantry_api_requests", "Requests to the API server", requests.clone());
    for ((verb, code), count) in &facts.requests {
        requests.get_or_create(&RequestLabels { verb, code: Code(*code) }).inc_by(*count);
    }
    let restarts: Counter = Counter::default();
    restarts.inc_by(facts.watch_restarts);
    registry.register("tenantry_watch_restarts", "Watches that ended and were begun again", restarts);
    let build = gauges(&mut registry, "tenantry_build_info", "The program");
    set(&build, Build { version: facts.version.clone() }, 1);
    let mut text = String::new();
    // Writing into memory does not fail.
    let _ = encode(&mut text, &registry);
    text
}

fn gauges<L: Labels>(registry: &mut Registry, name: &'static str, help: &'static str) -> Family<L, Gauge> {
    let family: Family<L, Gauge> = Family::default();
    registry.register(name, help, family.clone());
    family
}

fn flag(registry: &mut Registry, name: &'static str, help: &'static str, value: bool) {
    let gauge: Gauge = Gauge::default();
    gauge.set(i64::from(value));
    registry.register(name, help, gauge);
}

fn set<L: Labels>(family: &Family<L, Gauge>, labels: L, value: u64) {
    family.get_or_create(&labels).set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// What labels must be able to do.
trait Labels: Clone + std::hash::Hash + Eq + EncodeLabelSet + std::fmt::Debug + Send + Sync + 'static {}
impl<T: Clone + std::hash::Hash + Eq + EncodeLabelSet + std::fmt::Debug + Send + Sync + 'static> Labels for T {}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// One line an event, for people.
    #[default]
    Text,
    /// One JSON document an event.
    Json,
}

/// Writes logs of this program to standard error from now on: what went wrong, what happened, with `verbose` details. Secrets
/// are covered, wherever the words came from.
///
/// # Errors
/// Logs that are written already.
pub fn log(format: LogFormat, verbose: bool, quiet: bool) -> Result<()> {
    let level = match (verbose, quiet) {
        (true, _) => tracing::Level::DEBUG,
        (false, true) => tracing::Level::WARN,
        (false, false) => tracing::Level::INFO,
    };
    let builder =
        tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_target(false).with_writer(Masked);
    let begun = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    begun.map_err(|error| Error::internal("logs cannot be written").cause(error))
}

/// Standard error without secrets.
struct Masked;

impl<'a> MakeWriter<'a> for Masked {
    type Writer = Masked;

    fn make_writer(&'a self) -> Masked {
        Masked
    }
}

impl Write for Masked {
    /// A log line comes as a whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(leak::mask(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_the_name_that_alerts_use() {
        let mut facts = Facts { version: "1.2.3".into(), revision: Some("abc".into()), ..Facts::default() };
        facts.objects.insert(("NetworkPolicy".into(), "added".into()), 2);
        facts.tenants.insert("drifted", 1);
        facts.kinds.insert("unread", 3);
        facts.durations.add(0.2);
        facts.checks.insert("drift", 4);
        facts.last_success = Some(1000.5);
        facts.requests.insert(("watch", 200), 5);
        facts.requests.insert(("get", 0), 6);
        facts.watch_restarts = 7;
        let text = metrics(&facts);
        for line in [
            "tenantry_drift_objects{kind=\"NetworkPolicy\",verdict=\"added\"} 2",
            "tenantry_drift_tenants{state=\"drifted\"} 1",
            "tenantry_drift_kinds{state=\"unread\"} 3",
            "tenantry_drift_check_duration_seconds_bucket{le=\"0.25\"} 1",
            "tenantry_drift_checks_total{result=\"drift\"} 4",
            "tenantry_drift_last_success_timestamp_seconds 1000.5",
            "tenantry_drift_desired_info{revision=\"abc\"} 1",
            "tenantry_drift_desired_stale 0",
            "tenantry_api_requests_total{verb=\"watch\",code=\"200\"} 5",
            "tenantry_api_requests_total{verb=\"get\",code=\"none\"} 6",
            "tenantry_watch_restarts_total 7",
            "tenantry_build_info{version=\"1.2.3\"} 1",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn nothing_is_called_a_success_before_there_was_one() {
        assert!(!metrics(&Facts::default()).contains("last_success_timestamp_seconds 0"));
    }
}
