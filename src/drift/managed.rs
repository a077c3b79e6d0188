//! Who wrote a field, according to `metadata.managedFields`.
//!
//! Any client may write anything there, so this is a hint for a person and never clears a built-in object.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::change::Writer;
use super::diff::{Path, Step};

/// The records of an object.
#[derive(Debug, Default)]
pub struct Records(Vec<Record>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default)]
    manager: String,
    #[serde(default)]
    operation: String,
    time: Option<String>,
    #[serde(default)]
    fields_v1: Value,
    subresource: Option<String>,
}

impl Records {
    /// Reads the JSON of `managedFields`; what is none gives no records.
    pub fn read(json: &str) -> Self {
        let mut records: Vec<Record> = serde_json::from_str(json).unwrap_or_default();
        records.retain(|record| record.subresource.is_none());
        Records(records)
    }

    /// Whether anybody is recorded at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The newest writer of a field, or of what stands around it.
    pub fn writer(&self, path: &Path) -> Option<Writer> {
        newest(self.0.iter().filter(|record| owns(&record.fields_v1, &path.0)))
    }

    /// The newest writer of anything: the best guess for a field that was removed.
    pub fn last(&self) -> Option<Writer> {
        newest(self.0.iter())
    }
}

fn newest<'r>(records: impl Iterator<Item = &'r Record>) -> Option<Writer> {
    let record = records.max_by(|a, b| a.time.cmp(&b.time))?;
    Some(Writer { manager: record.manager.clone(), operation: record.operation.clone(), time: record.time.clone() })
}

/// Whether a set of fields holds the path, or something below it.
fn owns(fields: &Value, path: &[Step]) -> bool {
    let Some(fields) = fields.as_object() else { return false };
    let Some((step, rest)) = path.split_first() else { return true };
    let below = match step {
        Step::Field(name) => fields.get(&format!("f:{name}")),
        Step::Key(key) => {
            fields.iter().find(|(name, _)| name.strip_prefix("k:").is_some_and(|k| same_key(k, key))).map(|f| f.1)
        }
        // Items of atomic lists belong to whoever owns the list; the step before has found that owner.
        Step::Index(_) => return true,
    };
    match below {
        // A leaf: the owner holds everything below it.
        Some(below) if below.as_object().is_none_or(|map| map.keys().all(|key| key == ".")) => true,
        Some(below) => owns(below, rest),
        None => false,
    }
}

/// Whether `{"port":80,"protocol":"TCP"}` is `port=80,protocol=TCP`.
fn same_key(json: &str, key: &str) -> bool {
    let Ok(map) = serde_json::from_str::<BTreeMap<String, Value>>(json) else { return false };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let parts: Vec<String> = map.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
    parts.join(",") == key
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: &str = r#"[
        {"manager":"flux","operation":"Apply","time":"2026-01-01T00:00:00Z","fieldsV1":{"f:metadata":{"f:labels":{"f:a":{}}},
            "f:spec":{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}},"f:ingress":{}}}},
        {"manager":"kubectl-edit","operation":"Update","time":"2026-02-01T00:00:00Z","fieldsV1":{"f:spec":{"f:ingress":{}}}},
        {"manager":"controller","operation":"Update","time":"2026-03-01T00:00:00Z","subresource":"status","fieldsV1":{"f:spec":{"f:ingress":{}}}}]"#;

    fn path(steps: &[&str]) -> Path {
        let step = |text: &&str| match text.strip_prefix('#') {
            Some(key) => Step::Key(key.to_owned()),
            None => text.parse().map_or_else(|_| Step::Field((*text).to_owned()), Step::Index),
        };
        Path(steps.iter().map(step).collect())
    }

    #[test]
    fn the_newest_owner_of_a_field_is_found() {
        let records = Records::read(RECORDS);
        for (steps, manager) in [
            (&["spec", "ingress", "1", "from"][..], Some("kubectl-edit")),
            (&["metadata", "labels", "a"], Some("flux")),
            (&["spec", "ports", "#port=80,protocol=TCP", "port"], Some("flux")),
            (&["metadata", "labels", "b"], None),
            (&["spec", "ports", "#port=81,protocol=TCP"], None),
            (&["spec", "egress"], None),
        ] {
            assert_eq!(records.writer(&path(steps)).map(|w| w.manager).as_deref(), manager, "{steps:?}");
        }
        assert_eq!(records.last().map(|w| w.manager).as_deref(), Some("kubectl-edit"));
    }

    #[test]
    fn wiped_or_broken_records_name_nobody() {
        for json in ["[]", "[{}]", "null", "{", "[{\"fieldsV1\":3}]"] {
            assert_eq!(Records::read(json).writer(&path(&["spec"])), None, "{json}");
        }
        assert!(Records::read("[]").is_empty());
    }
}
