//! What Git says: the objects of one cluster's folder at one revision, by kind, each as a fingerprint.
//!
//! The bodies are not kept; an object that differs is read again from its file. 250,000 objects fit in some 30 MB.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::catalog::{Catalog, KindInfo};
use super::change::Place;
use super::elsewhere::Elsewhere;
use super::explain::Silenced;
use super::filter::Filter;
use super::kind::{Gvk, Known, ObjectRef};
use super::node::{Fingerprint, Node};
use super::yaml::{self, Unreadable};
use crate::plan::names;

/// The files of one cluster's folder at one revision. Paths are relative to that folder: `tenants/acme/rbac.yaml`.
pub trait Files: Sync {
    /// All paths, in any order.
    ///
    /// # Errors
    /// Why they cannot be listed, in words.
    fn list(&self) -> Result<Vec<String>, String>;

    /// The content of a file.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
}

impl Files for BTreeMap<String, Vec<u8>> {
    fn list(&self) -> Result<Vec<String>, String> {
        Ok(self.keys().cloned().collect())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }
}

/// Something in Git that could not be taken into account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, in one line.
    pub reason: String,
}

/// The folder that an object stands in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// `system/`, and what else belongs to no tenant.
    System,
    /// `tenants/<slug>/`.
    Tenant(String),
}

impl Unit {
    /// The unit of a path.
    pub fn of(path: &str) -> Self {
        let mut parts = path.split('/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("tenants"), Some(slug), Some(_)) => Unit::Tenant(slug.to_owned()),
            _ => Unit::System,
        }
    }

    /// The tenant's slug, if it is one's.
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Unit::System => None,
            Unit::Tenant(slug) => Some(slug),
        }
    }
}

/// One object of Git.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `namespace/name`, or `name` for an object of the cluster.
    pub key: Box<str>,
    /// Fingerprint of the canonical form.
    pub fingerprint: Fingerprint,
    /// The explanations that do not hold for it.
    pub silenced: Silenced,
    /// The line on which it begins in its file, from 1.
    pub line: u32,
    file: u32,
    document: u32,
}

/// The objects of one kind, sorted by key.
#[derive(Debug, Clone)]
pub struct KindIndex {
    /// The kind.
    pub info: KindInfo,
    /// Its objects.
    pub entries: Vec<Entry>,
}

/// A namespace that Git declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedNamespace {
    /// The unit that declares it.
    pub unit: Unit,
    /// The value of its `install-id` label.
    pub install_id: Option<String>,
}

/// What Git says about one cluster.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// Objects by kind.
    pub kinds: BTreeMap<Gvk, KindIndex>,
    /// Kinds in Git that the catalog does not have, with the objects of each.
    pub unserved: BTreeMap<Gvk, Vec<ObjectRef>>,
    /// Namespaces in Git.
    pub namespaces: BTreeMap<String, ManagedNamespace>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// How many objects Git has.
    pub objects: usize,
    /// Which part of Git this is.
    pub filter: Filter,
    /// Namespaces of tenants that Git has and the filter does not let through.
    pub left_out: BTreeSet<String>,
    /// What earlier revisions said, as long as this one may still be on its way into the cluster; the newest first.
    pub before: Vec<Arc<Earlier>>,
    elsewhere: Elsewhere,
    files: Vec<String>,
}

/// What an earlier revision said: the fingerprint of every object.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    kinds: BTreeMap<Gvk, Vec<(Box<str>, Fingerprint)>>,
}

impl Earlier {
    /// The fingerprint of an object.
    pub fn fingerprint(&self, gvk: &Gvk, key: &str) -> Option<Fingerprint> {
        let entries = self.kinds.get(gvk)?;
        entries.binary_search_by(|(other, _)| other.as_ref().cmp(key)).ok().map(|position| entries[position].1)
    }
}

/// A committed object in canonical form, with where its lines are.
#[derive(Debug)]
pub struct Declared {
    /// The canonical form.
    pub node: Node<'static>,
    /// The file's text, to find lines in.
    pub text: String,
    /// Which document of the file it is, from 0.
    pub document: usize,
    /// The file.
    pub file: String,
}

/// The kinds that the files mention, found without parsing them: what to look up before [`Desired::read`].
///
/// # Errors
/// Files that cannot be listed. One that cannot be read is told by [`Desired::read`].
pub fn mentioned_kinds(files: &dyn Files) -> Result<BTreeSet<Gvk>, String> {
    let paths: Vec<String> = files.list()?.into_iter().filter(|path| is_manifest(path)).collect();
    let kinds = paths.par_iter().map(|path| files.read(path).map(|bytes| kinds_in(&bytes)).unwrap_or_default());
    Ok(kinds.reduce(BTreeSet::new, |mut all, some| {
        all.extend(some);
        all
    }))
}

impl Desired {
    /// Reads all objects of the files that the filter lets through.
    ///
    /// # Errors
    /// Files that cannot be listed. A file that cannot be read is a [`Problem`].
    pub fn read(files: &dyn Files, catalog: &Catalog, filter: Filter) -> Result<Self, String> {
        let mut paths: Vec<String> = files.list()?;
        let others = paths.iter().map(|path| Unit::of(path)).filter(|unit| !filter.admits(unit));
        let left_out = others.filter_map(|unit| unit.tenant().map(names::namespace)).collect();
        paths.retain(|path| filter.admits(&Unit::of(path)));
        paths.sort_unstable();
        let (paths, problems) = super::kustomization::select(files, paths);
        let read: Vec<FileContent> = paths
            .par_iter()
            .enumerate()
            .map(|(index, path)| read_file(files, path, u32::try_from(index).unwrap_or(u32::MAX), catalog, &filter))
            .collect();
        let mut desired = Desired { problems, filter, left_out, files: paths, ..Desired::default() };
        for content in read {
            desired.problems.extend(content.problems);
            for object in content.objects {
                desired.add(object, catalog);
            }
        }
        desired.settle();
        Ok(desired)
    }

    /// The object of an entry, read again from its file.
    ///
    /// # Errors
    /// A file that cannot be read any more.
    pub fn declared(&self, info: &KindInfo, entry: &Entry, files: &dyn Files) -> Result<Declared, String> {
        let file = self.file_of(entry).to_owned();
        let bytes = files.read(&file)?;
        let text = String::from_utf8(bytes).map_err(|_| format!("{file} is not UTF-8"))?;
        let mut documents = yaml::parse(&text).map_err(|error| format!("{file}:{}: {}", error.line, error.reason))?;
        let document = entry.document as usize;
        if document >= documents.len() {
            return Err(format!("{file} changed while it was read"));
        }
        let mut node = documents.swap_remove(document).root;
        let name = entry.key.rsplit('/').next().unwrap_or_default();
        info.canonical_desired(name, &mut node);
        if node.fingerprint(&mut Vec::new()) != entry.fingerprint {
            return Err(format!("{file} changed since it was read"));
        }
        Ok(Declared { node, text, document, file })
    }

    /// The file that an entry stands in.
    pub fn file_of(&self, entry: &Entry) -> &str {
        self.files.get(entry.file as usize).map_or("", String::as_str)
    }

    /// Where an entry begins.
    pub fn place_of(&self, entry: &Entry) -> Place {
        Place { file: self.file_of(entry).to_owned(), line: entry.line }
    }

    /// Whether Git has an object, at whatever version.
    pub fn has(&self, gvk: &Gvk, key: &str) -> bool {
        let same_kind = self.kinds.iter().filter(|(other, _)| other.group == gvk.group && other.kind == gvk.kind);
        same_kind.into_iter().any(|(_, index)| index.find(key).is_some())
    }

    /// What is kept of a revision when the next one comes.
    pub fn as_earlier(&self) -> Earlier {
        let entry = |entry: &Entry| (entry.key.clone(), entry.fingerprint);
        let kinds = self.kinds.iter().map(|(gvk, index)| (gvk.clone(), index.entries.iter().map(entry).collect()));
        Earlier { kinds: kinds.collect() }
    }

    /// Whether another part of the tree declares an object, where this is a part only.
    ///
    /// # Errors
    /// Why that cannot be told.
    pub fn has_elsewhere(&self, files: &dyn Files, gvk: &Gvk, key: &str) -> Result<bool, String> {
        if self.filter.is_whole() { Ok(false) } else { self.elsewhere.declares(files, gvk, key) }
    }

    /// The unit that an entry belongs to.
    pub fn unit_of(&self, entry: &Entry) -> Unit {
        Unit::of(self.file_of(entry))
    }

    /// The tenant in whose unit a namespace is declared.
    pub fn tenant_of_namespace(&self, namespace: &str) -> Option<&str> {
        self.namespaces.get(namespace)?.unit.tenant()
    }

    /// Tenants that Git declares.
    pub fn tenants(&self) -> BTreeSet<&str> {
        self.files
            .iter()
            .filter_map(|file| file.strip_prefix("tenants/")?.split_once('/'))
            .map(|(slug, _)| slug)
            .collect()
    }

    fn add(&mut self, object: FoundObject, catalog: &Catalog) {
        self.objects += 1;
        let FoundObject { gvk, namespace, name, entry, managed } = object;
        if let Some(managed) = managed {
            self.namespaces.insert(name.clone(), managed);
        }
        match (catalog.get(&gvk), entry) {
            (Some(info), Some(entry)) => {
                let index =
                    self.kinds.entry(gvk).or_insert_with(|| KindIndex { info: info.clone(), entries: Vec::new() });
                index.entries.push(entry);
            }
            _ => {
                let object = ObjectRef { gvk: gvk.clone(), namespace, name };
                self.unserved.entry(gvk).or_default().push(object);
            }
        }
    }

    /// Sorts, and refuses objects that Git declares twice: which one holds depends on the applier.
    fn settle(&mut self) {
        let files = &self.files;
        for index in self.kinds.values_mut() {
            index.entries.sort_by(|a, b| a.key.cmp(&b.key).then(a.file.cmp(&b.file)));
            let kind = &index.info.gvk.kind;
            let problems = &mut self.problems;
            index.entries.dedup_by(|later, first| {
                let twice = later.key == first.key;
                if twice {
                    let file = |entry: &Entry| files.get(entry.file as usize).cloned().unwrap_or_default();
                    problems.push(Problem {
                        place: Place { file: file(later), line: 1 },
                        reason: format!("{kind} {} is declared in {} already", later.key, file(first)),
                    });
                }
                twice
            });
            index.entries.shrink_to_fit();
        }
        self.problems.sort();
    }
}

impl KindIndex {
    /// The position of the object with a key.
    pub fn find(&self, key: &str) -> Option<usize> {
        self.entries.binary_search_by(|entry| entry.key.as_ref().cmp(key)).ok()
    }
}

struct FileContent {
    objects: Vec<FoundObject>,
    problems: Vec<Problem>,
}

struct FoundObject {
    gvk: Gvk,
    namespace: Option<String>,
    name: String,
    /// None if the catalog does not have the kind.
    entry: Option<Entry>,
    managed: Option<ManagedNamespace>,
}

fn read_file(files: &dyn Files, path: &str, index: u32, catalog: &Catalog, filter: &Filter) -> FileContent {
    let mut content = FileContent { objects: Vec::new(), problems: Vec::new() };
    let problem = |line: u32, reason: String| Problem { place: Place { file: path.to_owned(), line }, reason };
    let parsed = files.read(path).map_err(|reason| Unreadable { line: 1, reason }).and_then(|bytes| {
        let text = std::str::from_utf8(&bytes).map_err(|_| Unreadable { line: 1, reason: "not UTF-8".to_owned() })?;
        yaml::parse(text)
    });
    let documents = match parsed {
        Ok(documents) => documents,
        Err(error) => {
            content.problems.push(problem(error.line, error.reason));
            return content;
        }
    };
    let mut scratch = Vec::new();
    for (number, document) in documents.into_iter().enumerate() {
        if document.root == Node::Null {
            continue;
        }
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let position = Position { file: index, document: number, line: document.line };
        match read_object(document.root, path, position, catalog, filter, &mut scratch) {
            Ok(Some(object)) => content.objects.push(object),
            Ok(None) => {}
            Err(reason) => content.problems.push(problem(document.line, reason)),
        }
    }
    content
}

/// Where a document stands.
#[derive(Clone, Copy)]
struct Position {
    file: u32,
    document: u32,
    line: u32,
}

/// Reads one document; none if the filter does not let it through.
fn read_object(
    mut node: Node<'static>,
    path: &str,
    position: Position,
    catalog: &Catalog,
    filter: &Filter,
    scratch: &mut Vec<u8>,
) -> Result<Option<FoundObject>, String> {
    let text = |keys: &[&str]| node.at(keys).and_then(Node::as_text).filter(|text| !text.is_empty()).map(str::to_owned);
    let api_version = text(&["apiVersion"]).ok_or("no apiVersion")?;
    let kind = text(&["kind"]).ok_or("no kind")?;
    let name = text(&["metadata", "name"]).ok_or("no metadata.name")?;
    let namespace = text(&["metadata", "namespace"]);
    let gvk = Gvk::new(&api_version, &kind);
    if !filter.selects(&node) {
        return Ok(None);
    }
    let managed = (gvk.known() == Known::Namespace).then(|| ManagedNamespace {
        unit: Unit::of(path),
        install_id: node.at(&["metadata", "labels", "install-id"]).and_then(Node::as_text).map(str::to_owned),
    });
    let Some(info) = catalog.get(&gvk) else {
        return Ok(Some(FoundObject { gvk, namespace, name, entry: None, managed }));
    };
    // An object without a namespace goes to the namespace `default`, as with kubectl and Flux.
    let namespace = info.namespaced.then(|| namespace.unwrap_or_else(|| "default".to_owned()));
    let silenced = info.canonical_desired(&name, &mut node);
    let entry = Entry {
        key: key(namespace.as_deref(), &name).into_boxed_str(),
        fingerprint: node.fingerprint(scratch),
        silenced,
        line: position.line,
        file: position.file,
        document: position.document,
    };
    Ok(Some(FoundObject { gvk, namespace, name, entry: Some(entry), managed }))
}

/// `namespace/name`, or `name`.
pub fn key(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

/// `namespace/name` taken apart.
pub fn split_key(key: &str) -> (Option<&str>, &str) {
    match key.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, key),
    }
}

/// Whether a path is one of a file that may hold manifests.
pub fn is_manifest(path: &str) -> bool {
    (path.ends_with(".yaml") || path.ends_with(".yml")) && path != super::exempt::FILE
}

/// `apiVersion` and `kind` at the beginning of a line, document by document.
fn kinds_in(bytes: &[u8]) -> BTreeSet<Gvk> {
    let text = String::from_utf8_lossy(bytes);
    let mut kinds = BTreeSet::new();
    let (mut version, mut kind): (Option<String>, Option<String>) = (None, None);
    let scalar = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
    for line in text.lines().chain(["---"]) {
        if line.starts_with("---") {
            if let (Some(version), Some(kind)) = (version.take(), kind.take()) {
                kinds.insert(Gvk::new(&version, &kind));
            }
        } else if let Some(value) = line.strip_prefix("apiVersion:") {
            version = Some(scalar(value));
        } else if let Some(value) = line.strip_prefix("kind:") {
            kind = Some(scalar(value));
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        let mut catalog = Catalog::default();
        for (api_version, kind, plural, namespaced) in
            [("v1", "ConfigMap", "configmaps", true), ("v1", "Namespace", "namespaces", false)]
        {
            catalog.insert(KindInfo::builtin(Gvk::new(api_version, kind), plural, namespaced, &[]));
        }
        catalog
    }

    fn files(list: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        list.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    fn read(list: &[(&str, &str)], filter: Filter) -> Desired {
        Desired::read(&files(list), &catalog(), filter).unwrap()
    }

    const NAMESPACE: &str =
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: tenant-acme\n  labels: {install-id: i}\n";
    const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: tenant-acme}\ndata: {k: v}\n";

    #[test]
    fn objects_are_found_by_kind_with_their_unit() {
        let both = format!("---\n{NAMESPACE}---\n{MAP}");
        let desired = read(&[("tenants/acme/all.yaml", &both), ("system/README.md", "no yaml: [")], Filter::default());
        assert_eq!((desired.objects, desired.problems.len()), (2, 0));
        let managed = &desired.namespaces["tenant-acme"];
        assert_eq!((managed.unit.tenant(), managed.install_id.as_deref()), (Some("acme"), Some("i")));
        let index = &desired.kinds[&Gvk::new("v1", "ConfigMap")];
        let entry = &index.entries[index.find("tenant-acme/a").unwrap()];
        let declared = desired.declared(&index.info, entry, &files(&[("tenants/acme/all.yaml", &both)])).unwrap();
        assert_eq!((declared.node.to_string().as_str(), declared.document), (r#"{"data":{"k":"v"}}"#, 1));
    }

    #[test]
    fn what_cannot_be_read_is_a_problem_with_its_place() {
        let desired = read(
            &[
                ("system/a.yaml", "a: [\n"),
                ("system/b.yaml", "kind: ConfigMap\nmetadata: {name: x}\n"),
                ("system/c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n"),
                ("system/d.yaml", MAP),
                ("system/e.yaml", MAP),
            ],
            Filter::default(),
        );
        let told: Vec<String> =
            desired.problems.iter().map(|p| format!("{}:{} {}", p.place.file, p.place.line, p.reason)).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[1].contains("b.yaml:1 no apiVersion") && told[2].contains("no metadata.name"), "{told:?}");
        assert!(told[3].contains("declared in system/d.yaml already"), "{told:?}");
    }

    #[test]
    fn unknown_kinds_are_kept_apart() {
        let desired =
            read(&[("system/a.yaml", "apiVersion: x.io/v1\nkind: K\nmetadata: {name: x}\n")], Filter::default());
        assert_eq!(desired.unserved[&Gvk::new("x.io/v1", "K")][0].name, "x");
    }

    #[test]
    fn kinds_are_found_without_parsing() {
        let text = format!("{NAMESPACE}---\napiVersion: \"apps/v1\"\nkind: 'Deployment'\nspec:\n  kind: No\n");
        let kinds = mentioned_kinds(&files(&[("a.yaml", &text), ("b.txt", "apiVersion: v1\nkind: X\n")])).unwrap();
        assert_eq!(kinds, BTreeSet::from([Gvk::new("apps/v1", "Deployment"), Gvk::new("v1", "Namespace")]));
    }
}
