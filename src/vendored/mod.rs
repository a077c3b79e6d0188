//! What a chart carries of others: its vendored subcharts, the record of their content, and `Chart.lock`.
//!
//! The record, `charts/digests.yaml`, holds the SHA-256 of every vendored file. It lies beside the charts and not in
//! them, so that who changes a vendored file must change a second file that reviewers watch.

mod ignore;
pub mod images;
mod lock;
mod record;
mod verify;

use std::collections::BTreeMap;

pub use ignore::Ignore;
pub use record::{RECORD, Record, Recorded, Subchart};
pub use verify::verify;

/// Files of charts by path from the fleet's root (`charts/<chart>/...`), as bytes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A chart in a fleet's `charts/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart<'a> {
    /// Name of its folder.
    pub name: String,
    /// What belongs to the archive, by path from the chart's folder: without what `.helmignore` names.
    pub files: BTreeMap<&'a str, &'a [u8]>,
}

/// The charts among files, in order: folders of `charts/` with a `Chart.yaml`.
///
/// # Errors
/// A `.helmignore` that cannot be followed: its path, and why.
pub fn charts(files: &Files) -> Result<Vec<Chart<'_>>, (String, String)> {
    let names = files.keys().filter_map(|path| {
        let name = path.strip_prefix("charts/")?.strip_suffix("/Chart.yaml")?;
        (!name.contains('/')).then(|| name.to_owned())
    });
    names.map(|name| chart(files, name)).collect()
}

fn chart(files: &Files, name: String) -> Result<Chart<'_>, (String, String)> {
    let folder = format!("charts/{name}/");
    let below = files.range(folder.clone()..).take_while(|(path, _)| path.starts_with(&folder));
    let below: BTreeMap<&str, &[u8]> =
        below.map(|(path, bytes)| (path.get(folder.len()..).unwrap_or_default(), bytes.as_slice())).collect();
    let text = below.get(".helmignore").map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
    let ignore = Ignore::parse(&text).map_err(|reason| (format!("{folder}.helmignore"), reason))?;
    let files = below.into_iter().filter(|(path, _)| !ignore.ignores(path)).collect();
    Ok(Chart { name, files })
}

impl<'a> Chart<'a> {
    /// A file as text.
    pub fn text(&self, path: &str) -> Option<&'a str> {
        self.files.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// A YAML file as JSON. `None` where it is absent.
    ///
    /// # Errors
    /// It is no YAML document.
    pub fn yaml(&self, path: &str) -> Option<Result<serde_json::Value, String>> {
        let bytes = self.files.get(path)?;
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned());
        Some(text.and_then(|text| {
            let documents =
                crate::yaml::parse(text, crate::yaml::Limits::MANIFEST).map_err(|error| error.to_string())?;
            Ok(documents.first().map(|document| document.root.to_json()).unwrap_or_default())
        }))
    }

    /// Its metadata: `Chart.yaml`.
    ///
    /// # Errors
    /// It is no YAML document.
    pub fn metadata(&self) -> Result<serde_json::Value, String> {
        self.yaml("Chart.yaml").unwrap_or_else(|| Err("it is absent".into()))
    }

    /// Names of the vendored subcharts: the folders of its `charts/`.
    pub fn vendored(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> =
            self.files.keys().filter_map(|path| Some(path.strip_prefix("charts/")?.split_once('/')?.0)).collect();
        names.dedup();
        names
    }

    /// The files of a vendored subchart, by path from its folder.
    pub fn below(&self, subchart: &str) -> BTreeMap<&'a str, &'a [u8]> {
        let folder = format!("charts/{subchart}/");
        let files = self.files.iter();
        files.filter_map(|(path, bytes)| Some((path.strip_prefix(folder.as_str())?, *bytes))).collect()
    }
}
