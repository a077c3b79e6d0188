//! The images of a chart's default values, and the lock that says which bytes their tags stand for.
//!
//! The lock lies in the chart, so that it is a part of the archive: a version of a chart and the images that it was
//! published with never part.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Chart;
use crate::config::types::ImageDigest;
use crate::yaml;

/// Where the lock lies in the chart's folder.
pub const LOCK: &str = "images.lock.yaml";

const HEADER: &str = "# What the images' tags stood for when they were resolved. Written by `tenantry charts pin`; read by the templates.\n";

/// The lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Digest of each image by `repository:tag`.
    pub images: BTreeMap<String, ImageDigest>,
}

impl Lock {
    /// The lock of a chart; an empty one if it has none.
    ///
    /// # Errors
    /// The file is no lock.
    pub fn of(chart: &Chart<'_>) -> Result<Self, String> {
        match chart.yaml(LOCK) {
            None => Ok(Self::default()),
            Some(value) => serde_json::from_value(value?).map_err(|error| error.to_string()),
        }
    }

    /// The file's text.
    pub fn text(&self) -> String {
        HEADER.to_owned() + &yaml::emit_documents([&serde_json::to_value(self).unwrap_or_default()])
    }
}

/// The images that a chart's default values name by tag alone, as `repository:tag`.
///
/// SocTalk's own containers have no repository of their own there: the install pins them (`image.digests`).
///
/// # Errors
/// The values are no YAML.
pub fn tagged(chart: &Chart<'_>) -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    collect(&chart.yaml("values.yaml").unwrap_or(Ok(Value::Null))?, &mut found);
    Ok(found)
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    let text = |key: &str| value[key].as_str().filter(|text| !text.is_empty());
    if let (Some(repository), Some(tag), None) = (text("repository"), text("tag"), text("digest")) {
        found.insert(format!("{repository}:{tag}"));
    }
    if let Value::Object(fields) = value {
        fields.values().for_each(|inner| collect(inner, found));
    }
}

/// What is wrong with the lock of a chart, if it has one.
pub(super) fn stale(chart: &Chart<'_>) -> Vec<String> {
    if !chart.files.contains_key(LOCK) {
        return Vec::new();
    }
    let (lock, tagged) = match (Lock::of(chart), tagged(chart)) {
        (Ok(lock), Ok(tagged)) => (lock, tagged),
        (Err(reason), _) | (_, Err(reason)) => return vec![format!("{LOCK} is no lock of images: {reason}")],
    };
    let missing = tagged.iter().filter(|image| !lock.images.contains_key(*image));
    let missing = missing.map(|image| format!("{image} of values.yaml is not locked"));
    let idle = lock.images.keys().filter(|image| !tagged.contains(*image));
    missing.chain(idle.map(|image| format!("{image} is locked, and no image of values.yaml by its tag"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: &[u8] = b"a:\n  image: { repository: r/a, tag: '1.0', digest: '' }\nb:\n  image: { repository: '', tag: x }\nc:\n  image: { repository: r/c, tag: '2', digest: 'sha256:00' }\n";

    #[test]
    fn a_lock_is_of_the_values_beside_it() {
        let digest = "0".repeat(64);
        let good = format!("images:\n  r/a:1.0: sha256:{digest}\n");
        let mut chart = Chart { name: "x".into(), files: BTreeMap::from([("values.yaml", VALUES)]) };
        assert_eq!(tagged(&chart).unwrap(), BTreeSet::from(["r/a:1.0".to_owned()]));
        assert_eq!(stale(&chart), Vec::<String>::new());
        chart.files.insert(LOCK, good.as_bytes());
        assert_eq!(stale(&chart), Vec::<String>::new());
        assert_eq!(Lock::of(&chart).unwrap().images.len(), 1);
        chart.files.insert(LOCK, b"images: {}\n");
        assert_eq!(stale(&chart), ["r/a:1.0 of values.yaml is not locked"]);
        let idle = good.replace("r/a:1.0", "r/a:2.0");
        chart.files.insert(LOCK, idle.as_bytes());
        assert_eq!(stale(&chart).len(), 2);
        chart.files.insert(LOCK, b"images: 1\n");
        assert_eq!(stale(&chart).len(), 1);
    }
}
