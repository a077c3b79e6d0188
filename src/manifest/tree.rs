//! The rendered tree: units of files, and what is to be done with each unit.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Name of the file in each unit that records what the unit was rendered from.
pub const PROVENANCE: &str = "provenance.json";

/// A SHA-256 digest, written `sha256:<hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Digest of several parts; the parts' lengths are hashed too, so that no two lists of parts collide by joining.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// A digest that was computed before.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0_u8; 64];
        for (index, byte) in self.0.iter().enumerate() {
            text[2 * index] = HEX[usize::from(byte >> 4)];
            text[2 * index + 1] = HEX[usize::from(byte & 15)];
        }
        f.write_str("sha256:")?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let hex = text.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && hex.is_ascii());
        let hex = hex.ok_or_else(|| format!("{text:?} is not sha256: and 64 hexadecimal digits"))?;
        let mut bytes = [0_u8; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * index..2 * index + 2], 16)
                .map_err(|_| format!("{text:?} is not sha256: and 64 hexadecimal digits"))?;
        }
        Ok(Self(bytes))
    }
}

/// One unit of the tree: a folder that is rendered, synced and removed as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Path of the folder from the root of the tree, with `/`: `clusters/eu-1/tenants/acme`.
    pub path: String,
    /// Digest of everything that the unit is rendered from.
    pub inputs: Digest,
    /// Files by path below the folder: canonical bytes, without the provenance file.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// What a render wants of the output, unit by unit. Whatever it does not name is left as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Units that were rendered.
    pub write: BTreeMap<String, Unit>,
    /// Units whose recorded inputs equal today's: path → digest of the inputs. They were not rendered again.
    pub keep: BTreeMap<String, Digest>,
    /// Units whose owned files go (retired tenants, clusters that were given up).
    pub remove: Vec<String>,
}

/// What a unit's provenance file records (`provenance.json`, format version 1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provenance {
    /// `tenantry.io/v1`.
    pub api_version: String,
    /// `Provenance`.
    pub kind: String,
    /// Version of the program that rendered the unit.
    pub tool_version: String,
    /// Digest of everything that the unit was rendered from.
    pub inputs: Digest,
    /// SHA-256 of every owned file, by path below the unit's folder.
    pub files: BTreeMap<String, Digest>,
}

impl Provenance {
    /// The record of a unit that this program rendered.
    pub fn of(unit: &Unit, tool_version: &str) -> Self {
        Self {
            api_version: "tenantry.io/v1".into(),
            kind: "Provenance".into(),
            tool_version: tool_version.into(),
            inputs: unit.inputs,
            files: unit.files.iter().map(|(path, bytes)| (path.clone(), Digest::of(bytes))).collect(),
        }
    }

    /// The bytes of the file: indented JSON and a final newline.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Serialising strings, digests and maps of them into memory cannot fail.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads a provenance file.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let parsed: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match (parsed.api_version.as_str(), parsed.kind.as_str()) {
            ("tenantry.io/v1", "Provenance") => Ok(parsed),
            (version, kind) => Err(format!("{version} {kind} is not tenantry.io/v1 Provenance")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_read_what_they_write() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string(), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::try_from(digest.to_string()), Ok(digest));
        for wrong in ["", "sha256:", "sha256:zz", &format!("sha256:{}", "é".repeat(32)), &"0".repeat(64)] {
            assert!(Digest::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parts_do_not_collide_by_joining() {
        assert_ne!(Digest::of_parts([&b"ab"[..], b"c"]), Digest::of_parts([&b"a"[..], b"bc"]));
    }

    #[test]
    fn provenance_reads_what_it_writes_and_refuses_the_rest() {
        let unit = Unit {
            path: "clusters/eu-1/tenants/acme".into(),
            inputs: Digest::of(b"in"),
            files: BTreeMap::from([("namespace.yaml".into(), b"x".to_vec())]),
        };
        let provenance = Provenance::of(&unit, "0.1.0");
        assert_eq!(Provenance::parse(&provenance.to_bytes()), Ok(provenance.clone()));
        let other = String::from_utf8(provenance.to_bytes()).unwrap().replace("io/v1", "io/v2");
        assert!(Provenance::parse(other.as_bytes()).is_err());
        assert!(Provenance::parse(b"{}").is_err());
    }
}
