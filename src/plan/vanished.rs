//! Objects that a change of the tree would take away: what the engine prunes from the cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{self, cluster_of};
use crate::manifest::{IdRef, ObjectId};
use crate::yaml::{self, Limits};

/// A unit before and after, as far as its files differ.
#[derive(Debug, Clone, Default)]
pub struct Pair {
    /// Files that were there and are not there any more in the same bytes.
    pub before: Vec<Vec<u8>>,
    /// Files that come, or come in other bytes; `None` if the unit goes.
    pub after: Option<Vec<Vec<u8>>>,
    /// Files that stay as they are.
    pub same: Vec<Vec<u8>>,
}

/// What vanishes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vanished {
    /// Units that go as a whole, with the number of their objects.
    pub units: BTreeMap<String, usize>,
    /// Objects that go from units which stay, by unit.
    pub objects: BTreeMap<String, Vec<ObjectId>>,
    /// Objects that the units which change held before, by kind.
    pub kinds: BTreeMap<String, usize>,
    /// Objects that each unit which changes held before.
    pub held: BTreeMap<String, usize>,
}

impl Vanished {
    /// Compares units that change.
    pub fn of(pairs: impl IntoIterator<Item = (String, Pair)>) -> Self {
        let mut found = Self::default();
        let mut present: BTreeSet<(String, ObjectId)> = BTreeSet::new();
        for (unit, pair) in pairs {
            let before: Vec<ObjectId> = pair.before.iter().flat_map(|file| identities(file)).collect();
            let Some(after) = pair.after else {
                found.units.insert(unit, before.len());
                continue;
            };
            let same: Vec<ObjectId> = pair.same.iter().flat_map(|file| identities(file)).collect();
            for id in before.iter().chain(&same) {
                *found.kinds.entry(id.kind.clone()).or_insert(0) += 1;
                *found.held.entry(unit.clone()).or_insert(0) += 1;
            }
            let after = after.iter().flat_map(|file| identities(file));
            let after: BTreeSet<ObjectId> = after.chain(same).collect();
            let gone: Vec<ObjectId> = before.into_iter().filter(|id| !after.contains(id)).collect();
            if !gone.is_empty() {
                found.objects.insert(unit.clone(), gone);
            }
            let cluster = cluster_of(&unit).to_owned();
            present.extend(after.into_iter().map(|id| (cluster.clone(), id)));
        }
        // An object that another unit of the cluster holds now has moved, and what bears the name of a tenant that goes
        // (the engine's own object for it) is counted with the tenant.
        for (unit, gone) in &mut found.objects {
            let cluster = cluster_of(unit);
            let tenants = found.units.keys().filter(|path| cluster_of(path) == cluster);
            let tenants = tenants.filter_map(|path| Some(names::namespace(path.split_once("/tenants/")?.1)));
            let tenants: BTreeSet<String> = tenants.collect();
            let goes = |id: &ObjectId| {
                tenants.contains(&id.name) || id.namespace.as_ref().is_some_and(|name| tenants.contains(name))
            };
            gone.retain(|id| !goes(id) && !present.contains(&(cluster.to_owned(), id.clone())));
        }
        found.objects.retain(|_, gone| !gone.is_empty());
        found
    }
}

/// The objects in a file of manifests. A file that cannot be read has none: the checks of the output say so.
pub fn identities(file: &[u8]) -> Vec<ObjectId> {
    let Ok(text) = std::str::from_utf8(file) else { return Vec::new() };
    scan(text).unwrap_or_else(|| parse(text))
}

/// Reads canonical manifests line by line; `None` for text that is written otherwise.
fn scan(text: &str) -> Option<Vec<ObjectId>> {
    let mut found = Vec::new();
    for document in text.strip_prefix("---\n")?.split("\n---\n") {
        let (mut api_version, mut kind, mut name, mut namespace) = (None, None, None, None);
        let mut in_metadata = false;
        for line in document.lines() {
            if !line.starts_with(' ') {
                in_metadata = line == "metadata:";
                api_version = api_version.or_else(|| line.strip_prefix("apiVersion: "));
                kind = kind.or_else(|| line.strip_prefix("kind: "));
                // The rest of a canonical document comes behind its metadata.
                if name.is_some() && !in_metadata {
                    break;
                }
            } else if in_metadata {
                name = name.or_else(|| line.strip_prefix("  name: "));
                namespace = namespace.or_else(|| line.strip_prefix("  namespace: "));
            }
        }
        let id = IdRef { api_version: plain(api_version?)?, kind: plain(kind?)?, namespace: None, name: plain(name?)? };
        let mut id = ObjectId::from(id);
        id.namespace = namespace.map(|text| plain(text).map(str::to_owned)).unwrap_or(None);
        found.push(id);
    }
    Some(found)
}

/// A scalar without its quotes; `None` if it holds an escape.
fn plain(text: &str) -> Option<&str> {
    match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').filter(|text| !text.contains('\\')),
        None => Some(text).filter(|text| !text.contains(" #")),
    }
}

fn parse(text: &str) -> Vec<ObjectId> {
    let documents = yaml::parse(text, Limits::MANIFEST).unwrap_or_default();
    documents.iter().filter_map(|document| ObjectId::of(&document.root.to_json()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(names: &[&str]) -> Vec<u8> {
        let objects: Vec<_> = names
            .iter()
            .map(|name| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "x"}, "data": {"name": "a: b"}}))
            .collect();
        yaml::emit_documents(&objects).into_bytes()
    }

    #[test]
    fn scans_what_a_reader_reads() {
        for names in [&["a"][..], &["a", "1e3", "b"], &["true"]] {
            let text = String::from_utf8(file(names)).unwrap();
            assert_eq!(scan(&text), Some(parse(&text)), "{text}");
            assert_eq!(identities(text.as_bytes()).len(), names.len());
        }
        assert_eq!(identities(b"kind: A\napiVersion: v1\nmetadata: {name: x}\n").len(), 1);
        assert_eq!(identities(b"a: ["), []);
    }

    #[test]
    fn what_moves_does_not_vanish() {
        let pair = |before: &[&str], after: &[&str], same: &[&str]| Pair {
            before: vec![file(before)],
            after: Some(vec![file(after)]),
            same: vec![file(same)],
        };
        let unit = |name: &str| format!("clusters/eu/tenants/{name}");
        let found = Vanished::of([
            (unit("a"), pair(&["one", "two", "three"], &["three"], &["one"])),
            (unit("b"), pair(&["four"], &["four", "two"], &["five"])),
        ]);
        assert_eq!(found.objects, BTreeMap::new(), "one stays in another file, two in another unit");
        assert_eq!(found.held, BTreeMap::from([(unit("a"), 4), (unit("b"), 2)]));
        let found = Vanished::of([
            (unit("a"), pair(&["one", "two"], &["three"], &[])),
            (unit("gone"), Pair { before: vec![file(&["x", "y"])], after: None, same: vec![] }),
        ]);
        assert_eq!(found.objects[&unit("a")].len(), 2);
        assert_eq!(found.units, BTreeMap::from([(unit("gone"), 2)]));
        // The engine's object for a tenant goes with it; that of another cluster's tenant does not.
        let flux = "clusters/eu/flux".to_owned();
        let gone = |cluster: &str| (format!("clusters/{cluster}/tenants/acme"), Pair::default());
        let found = Vanished::of([(flux.clone(), pair(&["tenant-acme", "other"], &["other"], &[])), gone("eu")]);
        assert_eq!(found.objects, BTreeMap::new());
        let found = Vanished::of([(flux.clone(), pair(&["tenant-acme", "other"], &["other"], &[])), gone("us")]);
        assert_eq!(found.objects[&flux].len(), 1);
    }
}
