//! All bundles that are in force: which kind has which schema.

use std::collections::HashMap;
use std::sync::Arc;

use super::bundle::{Bundle, KindEntry};
use super::node::{Node, NodeId};

/// Under this name a bundle has the schema of `metadata`, which all kinds share.
pub const KIND_OF_METADATA: (&str, &str) = ("meta/v1", "ObjectMeta");

/// The program's own bundle.
static OWN: &str = include_str!("../../schemas/kubernetes.json");

/// Schemas by kind. Later bundles go before earlier ones, kind by kind.
#[derive(Debug, Clone)]
pub struct Catalog {
    bundles: Vec<Arc<Bundle>>,
    kinds: HashMap<String, HashMap<String, (usize, KindEntry)>>,
    metadata: Option<(usize, NodeId)>,
}

/// A schema of a bundle.
#[derive(Debug, Clone, Copy)]
pub struct SchemaOf<'a> {
    /// The schemas of the bundle, by number.
    pub nodes: &'a [Node],
    /// Number of this one.
    pub id: NodeId,
    /// Whether the kind is defined by a CustomResourceDefinition.
    pub custom: bool,
}

impl<'a> SchemaOf<'a> {
    /// The schema itself.
    pub fn node(&self) -> &'a Node {
        &self.nodes[self.id as usize]
    }

    /// Another schema of the same bundle.
    #[must_use]
    pub fn at(self, id: NodeId) -> Self {
        Self { id, ..self }
    }
}

impl Catalog {
    /// The program's own schemas.
    ///
    /// # Errors
    /// The program was built with a broken bundle.
    pub fn own() -> Result<Self, String> {
        let mut catalog = Self { bundles: Vec::new(), kinds: HashMap::new(), metadata: None };
        catalog.add(Bundle::parse(OWN)?);
        Ok(catalog)
    }

    /// Text of the program's own bundle.
    pub fn own_text() -> &'static str {
        OWN
    }

    /// Adds a bundle, which goes before those that are there.
    pub fn add(&mut self, bundle: Bundle) {
        let index = self.bundles.len();
        for entry in &bundle.kinds {
            if (entry.api_version.as_str(), entry.kind.as_str()) == KIND_OF_METADATA {
                self.metadata = Some((index, entry.schema));
                continue;
            }
            let of_version = self.kinds.entry(entry.api_version.clone()).or_default();
            of_version.insert(entry.kind.clone(), (index, entry.clone()));
        }
        self.bundles.push(Arc::new(bundle));
    }

    /// What is known of a kind.
    pub fn entry(&self, api_version: &str, kind: &str) -> Option<&KindEntry> {
        self.kinds.get(api_version)?.get(kind).map(|(_, entry)| entry)
    }

    /// The schema of a kind.
    pub fn schema(&self, api_version: &str, kind: &str) -> Option<SchemaOf<'_>> {
        let (bundle, entry) = self.kinds.get(api_version)?.get(kind)?;
        Some(SchemaOf { nodes: &self.bundles[*bundle].nodes, id: entry.schema, custom: entry.custom })
    }

    /// The schema of `metadata`.
    pub fn metadata(&self) -> Option<SchemaOf<'_>> {
        let (bundle, id) = self.metadata?;
        Some(SchemaOf { nodes: &self.bundles[bundle].nodes, id, custom: false })
    }

    /// Every kind, in order.
    pub fn kinds(&self) -> Vec<&KindEntry> {
        let mut kinds: Vec<&KindEntry> =
            self.kinds.values().flat_map(HashMap::values).map(|(_, entry)| entry).collect();
        kinds.sort();
        kinds
    }

    /// What the bundles were made from.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.bundles.iter().flat_map(|bundle| bundle.sources.iter().map(String::as_str))
    }
}
