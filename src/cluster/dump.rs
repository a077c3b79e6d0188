//! Live objects from a saved dump: what `kubectl get -o yaml` or `-o json` printed, for clusters that cannot be reached.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use super::check::CheckOptions;
use crate::drift::catalog::{Catalog, KindInfo};
use crate::drift::changeset::{ChangeSet, Gap, Outcome};
use crate::drift::compare::KindRun;
use crate::drift::crd::{self, Definition};
use crate::drift::desired::{Desired, Files, mentioned_kinds};
use crate::drift::kind::{EXCLUSIVE, Gvk, Known, WATCHED_CLUSTER_WIDE};
use crate::drift::node::Node;
use crate::drift::yaml;
use crate::error::{Error, Result};

/// The objects of a dump by kind.
#[derive(Debug, Default)]
pub struct Dump {
    objects: BTreeMap<Gvk, Vec<Node<'static>>>,
    definitions: BTreeMap<(String, String), Definition>,
}

/// Reads a file, or every `.yaml`, `.yml` and `.json` file of a folder and below it.
///
/// # Errors
/// A file that cannot be read or holds no objects: a dump is read whole or not at all.
pub fn read(path: &Path) -> Result<Dump> {
    let mut dump = Dump::default();
    for file in files_of(path)? {
        let broken = |reason: String| {
            Error::environment(format!("cannot read the dump {}", file.display()))
                .cause(reason)
                .hint("write it with `kubectl get KINDS --all-namespaces -o yaml`")
        };
        let text = std::fs::read_to_string(&file).map_err(|error| broken(error.to_string()))?;
        let json = file.extension().is_some_and(|extension| extension == "json");
        let roots: Vec<Node<'static>> = if json {
            vec![Node::from_json(text.as_bytes()).map_err(|error| broken(error.to_string()))?.into_owned()]
        } else {
            let documents =
                yaml::parse(&text).map_err(|error| broken(format!("line {}: {}", error.line, error.reason)))?;
            documents.into_iter().map(|document| document.root).collect()
        };
        for root in roots {
            dump.add(root).map_err(broken)?;
        }
    }
    Ok(dump)
}

/// Compares a dump with the files of its cluster's folder.
///
/// # Errors
/// A tree that cannot be listed.
pub fn check(dump: Dump, files: &dyn Files, options: &CheckOptions, today: Date) -> Result<ChangeSet> {
    let unlisted = |reason: String| Error::environment("cannot list the files of the tree").cause(reason);
    let mut catalog = Catalog::default();
    let mut wanted = mentioned_kinds(files).map_err(unlisted)?;
    wanted.extend(dump.objects.keys().cloned());
    let desired = loop {
        for gvk in &wanted {
            dump.look_up(gvk, &options.allowed_prefixes, &mut catalog);
        }
        let desired = Desired::read(files, &catalog, options.filter.clone()).map_err(unlisted)?;
        wanted = desired.unserved.keys().filter(|gvk| !catalog.knows(gvk)).cloned().collect();
        if wanted.is_empty() {
            break desired;
        }
    };
    let mut outcomes = BTreeMap::new();
    let mut live = dump.objects;
    for info in catalog.kinds() {
        let relevant = desired.kinds.contains_key(&info.gvk) || is_read_always(&info.gvk);
        if !relevant {
            continue;
        }
        let outcome = match live.remove(&info.gvk) {
            None => Outcome::Unread(Gap::Absent(format!("the dump has no {}", info.gvk))),
            Some(objects) => {
                let mut run = KindRun::new(&desired, files, info);
                objects.into_iter().for_each(|object| run.object(object));
                Outcome::Read(run.finish())
            }
        };
        outcomes.insert(info.gvk.clone(), outcome);
    }
    let mut set = ChangeSet::assemble(&desired, outcomes, &options.exemptions, today);
    for kind in &mut set.coverage {
        if catalog.why_absent(&kind.kind).is_some() {
            kind.gap = Some(Gap::Absent(format!("the dump has no {}", kind.kind)));
        }
    }
    let wanted = EXCLUSIVE.iter().chain(WATCHED_CLUSTER_WIDE);
    let absent =
        wanted.filter(|(group, kind)| !catalog.kinds().any(|info| info.gvk.group == *group && info.gvk.kind == *kind));
    let absent: Vec<&str> = absent.map(|(_, kind)| *kind).collect();
    if !absent.is_empty() {
        set.skipped.push(format!("what Git lacks of these kinds, of which the dump has none: {}", absent.join(", ")));
    }
    Ok(set)
}

fn is_read_always(gvk: &Gvk) -> bool {
    EXCLUSIVE.iter().chain(WATCHED_CLUSTER_WIDE).any(|(group, kind)| gvk.group == *group && gvk.kind == *kind)
}

impl Dump {
    /// The objects by kind.
    pub fn objects(&self) -> &BTreeMap<Gvk, Vec<Node<'static>>> {
        &self.objects
    }

    /// What is known of the kinds that the dump holds, by its CustomResourceDefinitions where it has them.
    pub fn catalog(&self) -> Catalog {
        let mut catalog = Catalog::default();
        self.objects.keys().for_each(|gvk| self.look_up(gvk, &[], &mut catalog));
        catalog
    }

    fn add(&mut self, object: Node<'static>) -> std::result::Result<(), String> {
        if object == Node::Null {
            return Ok(());
        }
        let kind = object.get("kind").and_then(Node::as_text).unwrap_or_default().to_owned();
        let api_version = object.get("apiVersion").and_then(Node::as_text).unwrap_or_default().to_owned();
        if kind.is_empty() || api_version.is_empty() {
            return Err("an object without apiVersion or kind".to_owned());
        }
        if kind.ends_with("List") && object.get("items").is_some() {
            return self.add_items(object, &kind, &api_version);
        }
        if object.at(&["metadata", "name"]).and_then(Node::as_text).is_none() {
            return Err(format!("a {kind} without a name"));
        }
        let gvk = Gvk::new(&api_version, &kind);
        if gvk.known() == Known::CustomResourceDefinition
            && let Ok(definition) = crd::read(&object)
        {
            self.definitions.insert((definition.group.clone(), definition.kind.clone()), definition);
        }
        self.objects.entry(gvk).or_default().push(object);
        Ok(())
    }

    /// Items of a typed list name neither their kind nor their version.
    fn add_items(&mut self, mut list: Node<'static>, kind: &str, api_version: &str) -> std::result::Result<(), String> {
        let Some(Node::List(items)) = list.as_map_mut().and_then(|map| map.remove("items")) else { return Ok(()) };
        let item_kind = kind.strip_suffix("List").filter(|kind| !kind.is_empty());
        for mut item in items {
            if let (Some(item_kind), Some(map)) = (item_kind, item.as_map_mut()) {
                map.set_default("kind", || Node::text(item_kind.to_owned()));
                map.set_default("apiVersion", || Node::text(api_version.to_owned()));
            }
            self.add(item)?;
        }
        Ok(())
    }

    fn look_up(&self, gvk: &Gvk, allowed_prefixes: &[String], catalog: &mut Catalog) {
        if catalog.knows(gvk) {
            return;
        }
        let objects = self.objects.get(gvk);
        if objects.is_none() {
            catalog.insert_absent(gvk.clone(), "the dump has none");
            return;
        }
        let namespaced =
            objects.is_some_and(|objects| objects.iter().any(|object| object.at(&["metadata", "namespace"]).is_some()));
        if !gvk.is_custom() {
            catalog.insert(KindInfo::builtin(gvk.clone(), String::new(), namespaced, allowed_prefixes));
            return;
        }
        let definition = self.definitions.get(&(gvk.group.clone(), gvk.kind.clone()));
        let known = definition.and_then(|definition| KindInfo::custom(definition, &gvk.version, allowed_prefixes));
        let unknown = || KindInfo::undefined(gvk.clone(), String::new(), namespaced, allowed_prefixes);
        catalog.insert(known.unwrap_or_else(unknown));
    }
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    let broken = |error: std::io::Error| Error::environment(format!("cannot read {}", path.display())).cause(error);
    let metadata = std::fs::metadata(path).map_err(broken)?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let kind = entry.file_type().map_err(broken)?;
        let is_dump = |path: &Path| {
            path.extension()
                .and_then(|extension| extension.to_str())
                .is_some_and(|e| matches!(e, "yaml" | "yml" | "json"))
        };
        if kind.is_dir() {
            files.extend(files_of(&entry.path())?);
        } else if kind.is_file() && is_dump(&entry.path()) {
            files.push(entry.path());
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Error::environment(format!("{} holds no dump", path.display()))
            .hint("put what `kubectl get KINDS --all-namespaces -o yaml` prints there"));
    }
    Ok(files)
}
