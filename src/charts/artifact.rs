//! A chart as an OCI artifact, with the media types that Helm gave it.

use serde_json::{Value, json};

use super::archive::Archive;
use crate::manifest::Digest;

/// Media type of the manifest (OCI image specification).
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// What a registry stores of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Name of the chart.
    pub name: String,
    /// The version as a tag, which has no `+`.
    pub tag: String,
    /// The metadata as JSON.
    pub config: Vec<u8>,
    /// The archive.
    pub layer: Vec<u8>,
    /// The manifest that names both.
    pub manifest: Vec<u8>,
}

impl Artifact {
    /// The artifact of an archive. It holds no time, so that it is the same whenever it is made.
    pub fn of(archive: Archive) -> Self {
        let config = archive.metadata.to_string().into_bytes();
        let manifest = manifest(&archive, &config).to_string().into_bytes();
        Self { name: archive.name, tag: archive.version.replace('+', "_"), config, layer: archive.bytes, manifest }
    }

    /// The digest by which the whole is pinned: that of the manifest.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }
}

fn manifest(archive: &Archive, config: &[u8]) -> Value {
    let part = |media_type: &str, bytes: &[u8]| json!({ "mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len() });
    let mut annotations = json!({
        "org.opencontainers.image.title": archive.name,
        "org.opencontainers.image.version": archive.version,
    });
    if let Some(description) = archive.metadata["description"].as_str() {
        annotations["org.opencontainers.image.description"] = description.into();
    }
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": part(CONFIG, config),
        "layers": [part(LAYER, &archive.bytes)],
        "annotations": annotations,
    })
}
