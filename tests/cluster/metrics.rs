//! The metrics, read by the parser that Prometheus' own Python client brings.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Reads OpenMetrics text from standard input; says each family with type, help and the labels of its samples.
const READER: &str = "
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    labels = sorted({name for sample in family.samples for name in sample.labels})
    families[family.name] = {'type': family.type, 'help': family.documentation, 'labels': labels,
                             'samples': sorted({sample.name for sample in family.samples})}
json.dump(families, sys.stdout)
";

/// Holds what is served against the page that documents it: every name, its type and labels, both ways.
pub fn are_as_documented(text: &str) {
    let client = match crate::tools::prometheus_client() {
        Ok(client) => client,
        Err(not_run) => return not_run.report(),
    };
    let mut python = Command::new("python3");
    python.args(["-c", READER]).env("PYTHONPATH", client).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.stderr(Stdio::piped()).spawn().expect("Python runs");
    python.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("the text is read");
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    let served: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let documented = documented();
    let names = |kind: &str, name: &String| if kind == "counter" { format!("{name}_total") } else { name.clone() };
    let found: BTreeSet<String> =
        served.iter().map(|(name, family)| names(family["type"].as_str().unwrap_or_default(), name)).collect();
    assert_eq!(found, documented.keys().cloned().collect::<BTreeSet<_>>(), "{text}");
    for (name, family) in &served {
        let kind = family["type"].as_str().unwrap_or_default();
        let (documented_kind, labels) = &documented[&names(kind, name)];
        assert_eq!(kind, documented_kind, "{name}");
        assert!(family["help"].as_str().is_some_and(|help| help.len() > 8), "{name} has no HELP");
        let own = family["labels"].as_array().expect("labels").iter().filter_map(Value::as_str);
        let own: BTreeSet<&str> = own.filter(|label| *label != "le").collect();
        // One that has no sample yet has no labels to be seen.
        if !family["samples"].as_array().is_some_and(Vec::is_empty) {
            assert_eq!(own, labels.iter().map(String::as_str).collect(), "{name}");
        }
    }
}

/// The table of the page: type and labels by name.
fn documented() -> BTreeMap<String, (String, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/metrics.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells.first()?.strip_prefix("`tenantry")?.strip_suffix('`')?;
        let kind = cells.get(1)?.split(',').next()?.to_owned();
        let labels = cells.get(2)?.split(", ").filter(|label| !label.is_empty());
        Some((format!("tenantry{name}"), (kind, labels.map(|label| label.trim_matches('`').to_owned()).collect())))
    };
    let table: BTreeMap<_, _> = page.lines().filter_map(row).collect();
    assert!(table.len() > 9, "{table:?}");
    table
}
