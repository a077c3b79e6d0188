//! A chart's archive, byte for byte the same for the same files: nothing of the machine, the user or the hour is in it.

use std::io::Write as _;

use flate2::{Compression, GzBuilder};

use crate::error::{Error, Result};
use crate::manifest::Digest;
use crate::vendored::Chart;

/// 1980-01-01: what zip, too, can write, and no program takes for an error.
const MODIFIED: u64 = 315_532_800;
/// "Unknown" (RFC 1952): the header does not tell where it was made.
const NO_SYSTEM: u8 = 255;

/// An archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Name in `Chart.yaml`.
    pub name: String,
    /// Version in `Chart.yaml`.
    pub version: String,
    /// `Chart.yaml` as JSON.
    pub metadata: serde_json::Value,
    /// The gzipped tar.
    pub bytes: Vec<u8>,
}

impl Archive {
    /// `<name>-<version>.tgz`.
    pub fn file_name(&self) -> String {
        format!("{}-{}.tgz", self.name, self.version)
    }

    /// Digest of the bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

/// Packs a chart. Its files come in order of name, each below the chart's name, as Helm reads them.
///
/// # Errors
/// `Chart.yaml` has no name or version.
pub fn pack(chart: &Chart<'_>) -> Result<Archive> {
    let wrong = |what: String| Error::user(format!("charts/{}/Chart.yaml: {what}", chart.name));
    let metadata = chart.metadata().map_err(wrong)?;
    let field = |name: &str| {
        let value = metadata[name].as_str().filter(|value| !value.is_empty());
        value.map(str::to_owned).ok_or_else(|| wrong(format!("it has no {name}")))
    };
    let (name, version) = (field("name")?, field("version")?);
    let bytes = bytes(chart, &name).map_err(|error| Error::internal("cannot pack a chart").cause(error))?;
    Ok(Archive { name, version, metadata, bytes })
}

fn bytes(chart: &Chart<'_>, name: &str) -> std::io::Result<Vec<u8>> {
    // At this level the compressor takes no path that depends on the processor.
    let gzip = GzBuilder::new().mtime(0).operating_system(NO_SYSTEM).write(Vec::new(), Compression::best());
    let mut tar = tar::Builder::new(gzip);
    for (path, bytes) in &chart.files {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(MODIFIED);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, format!("{name}/{path}"), *bytes)?;
    }
    let mut gzip = tar.into_inner()?;
    gzip.flush()?;
    gzip.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn chart() -> Chart<'static> {
        let long: &'static str = "templates/a-folder-whose-name-is-rather-long/and-another-one-in-it/and-a-file-whose-name-takes-it-over-a-hundred.yaml";
        let files: [(&str, &[u8]); 3] =
            [("Chart.yaml", b"apiVersion: v2\nname: x\nversion: 1.0.0\n"), (long, b"a: 1\n"), ("values.yaml", b"")];
        Chart { name: "x".into(), files: BTreeMap::from(files) }
    }

    /// Another compressor or another layout gives every published version another digest: that must not happen unseen.
    #[test]
    fn the_bytes_are_the_same_in_every_release_of_this_program() {
        let archive = pack(&chart()).unwrap();
        assert_eq!(archive.file_name(), "x-1.0.0.tgz");
        assert_eq!(
            archive.digest().to_string(),
            "sha256:57b414b914d66d98ef9a10b5efe64e2edd0f481ab5c26686041e35e87ace5fbf"
        );
    }

    #[test]
    fn entries_tell_nothing_of_the_machine() {
        let archive = pack(&chart()).unwrap();
        // Flags, time and system of the gzip header.
        assert_eq!(archive.bytes[3..10], [0, 0, 0, 0, 0, 2, 255]);
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive.bytes.as_slice()));
        let entries = tar.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let owner = (header.uid().unwrap(), header.gid().unwrap(), header.username().unwrap_or_default());
            assert_eq!(owner, (0, 0, Some("")), "nobody");
            assert_eq!((header.mode().unwrap(), header.mtime().unwrap()), (0o644, MODIFIED));
            entry.path().unwrap().to_str().unwrap().to_owned()
        });
        let names: Vec<String> = entries.collect();
        assert_eq!(names.len(), 3);
        assert!(names.is_sorted() && names.iter().all(|name| name.starts_with("x/")), "{names:?}");
    }
}
