//! `charts/digests.yaml`: what was reviewed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Chart;
use crate::manifest::Digest;
use crate::yaml::{self, Limits};

/// Where the record lies.
pub const RECORD: &str = "charts/digests.yaml";

const HEADER: &str = "# What the charts vendor, as it was reviewed. `tenantry check` refuses charts whose files differ.\n\
                      # Written by `tenantry charts verify --update`.\n";

/// What was reviewed, of all charts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// By name of the chart.
    pub charts: BTreeMap<String, Recorded>,
}

/// What was reviewed of one chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Its `Chart.lock`; none if it depends on nothing.
    #[serde(rename = "Chart.lock", default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Digest>,
    /// Its vendored subcharts by name.
    #[serde(default)]
    pub vendored: BTreeMap<String, Subchart>,
}

/// A vendored subchart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subchart {
    /// The version in its `Chart.yaml`.
    pub version: String,
    /// Digest over the names and bytes of its files.
    pub digest: Digest,
    /// Digest of each file by path from the subchart's folder.
    pub files: BTreeMap<String, Digest>,
}

impl Record {
    /// What the charts hold now.
    pub fn of(charts: &[Chart<'_>]) -> Self {
        let charts = charts.iter().map(|chart| (chart.name.clone(), Recorded::of(chart)));
        Self {
            charts: charts.filter(|(_, recorded)| recorded.lock.is_some() || !recorded.vendored.is_empty()).collect(),
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// It is no record.
    pub fn parse(text: &str) -> Result<Self, String> {
        let documents = yaml::parse(text, Limits::MANIFEST).map_err(|error| error.to_string())?;
        let root = documents.first().map(|document| document.root.to_json()).unwrap_or(Value::Null);
        serde_json::from_value(root).map_err(|error| error.to_string())
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        HEADER.to_owned() + &yaml::emit_documents([&value])
    }
}

impl Recorded {
    fn of(chart: &Chart<'_>) -> Self {
        let lock = chart.files.get("Chart.lock").map(|bytes| Digest::of(bytes));
        let vendored = chart.vendored().into_iter().map(|name| (name.to_owned(), Subchart::of(&chart.below(name))));
        Self { lock, vendored: vendored.collect() }
    }
}

impl Subchart {
    fn of(files: &BTreeMap<&str, &[u8]>) -> Self {
        let text = files.get("Chart.yaml").and_then(|bytes| std::str::from_utf8(bytes).ok());
        let documents = text.and_then(|text| yaml::parse(text, Limits::MANIFEST).ok());
        let version = documents.and_then(|all| Some(all.first()?.root.get("version")?.as_str()?.to_owned()));
        Self {
            version: version.unwrap_or_default(),
            digest: Digest::of_parts(files.iter().flat_map(|(path, bytes)| [path.as_bytes(), bytes])),
            files: files.iter().map(|(path, bytes)| ((*path).to_owned(), Digest::of(bytes))).collect(),
        }
    }
}
