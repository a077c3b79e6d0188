//! Which files of a folder are applied at all: those that its `kustomization.yaml` names.
//!
//! A kustomization that transforms what it names makes objects that stand in no file. They cannot be compared with the
//! files, which is told instead of guessed.

use std::collections::{BTreeMap, BTreeSet};

use super::change::Place;
use super::desired::{Files, Problem, is_manifest};
use super::node::Node;
use super::yaml;

/// Fields of a kustomization that change nothing.
const HARMLESS: [&str; 4] = ["apiVersion", "kind", "metadata", "resources"];

/// The manifests among the paths that are applied, and what could not be told. `paths` are sorted.
pub fn select(files: &dyn Files, paths: Vec<String>) -> (Vec<String>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in paths.iter().filter(|path| is_kustomization(path)) {
        let folder = folder_of(path).to_owned();
        match resources(files, path) {
            Ok(resources) => {
                named.insert(folder.clone(), resources.iter().map(|entry| join(&folder, entry)).collect());
            }
            Err((line, reason)) => problems.push(Problem { place: Place { file: path.clone(), line }, reason }),
        }
    }
    let applied = |path: &String| {
        let mut folder = folder_of(path);
        // The nearest kustomization above decides; a folder without one is applied whole.
        loop {
            if let Some(resources) = named.get(folder) {
                return resources.iter().any(|entry| is_or_is_below(path, entry));
            }
            if folder.is_empty() {
                return true;
            }
            folder = folder_of(folder);
        }
    };
    let selected =
        paths.iter().filter(|path| is_manifest(path) && !is_kustomization(path)).filter(|path| applied(path));
    let selected: Vec<String> = selected.cloned().collect();
    for (folder, resources) in &named {
        for entry in resources {
            // Sorted: the entry itself, or the first path below it, stands where the entry would.
            let at = paths.partition_point(|path| path < entry);
            let below = paths.partition_point(|path| path.as_str() < format!("{entry}/").as_str());
            let exists = [at, below].iter().any(|&at| paths.get(at).is_some_and(|path| is_or_is_below(path, entry)));
            if !exists {
                let file = join(folder, "kustomization.yaml");
                let reason = format!("names {entry}, which is not there");
                problems.push(Problem { place: Place { file, line: 1 }, reason });
            }
        }
    }
    (selected, problems)
}

fn resources(files: &dyn Files, path: &str) -> Result<Vec<String>, (u32, String)> {
    let bytes = files.read(path).map_err(|reason| (1, reason))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| (1, "not UTF-8".to_owned()))?;
    let documents = yaml::parse(text).map_err(|error| (error.line, error.reason))?;
    let Some(root) = documents.first().map(|document| &document.root) else { return Ok(Vec::new()) };
    let map = root.as_map().ok_or((1, "not a kustomization".to_owned()))?;
    if let Some((field, _)) = map.iter().find(|(field, value)| !HARMLESS.contains(field) && !value.is_empty()) {
        return Err((1, format!("transforms objects ({field}): what is applied stands in no file")));
    }
    let items = map.get("resources").and_then(Node::as_list).unwrap_or_default();
    Ok(items.iter().filter_map(|item| item.as_text().map(str::to_owned)).collect())
}

fn is_or_is_below(path: &str, entry: &str) -> bool {
    path.strip_prefix(entry).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_kustomization(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(name, "kustomization.yaml" | "kustomization.yml")
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// `a/b` and `../c` is `a/c`.
fn join(folder: &str, entry: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in entry.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(list: &[(&str, &str)]) -> (Vec<String>, Vec<Problem>) {
        let files: BTreeMap<String, Vec<u8>> =
            list.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        let paths = files.keys().cloned().collect();
        select(&files, paths)
    }

    #[test]
    fn only_named_files_are_applied() {
        let (paths, problems) = selected(&[
            ("system/kustomization.yaml", "resources:\n- a.yaml\n- sub\n- ./c.yaml\n"),
            ("system/a.yaml", ""),
            ("system/b.yaml", ""),
            ("system/c.yaml", ""),
            ("system/sub/d.yaml", ""),
            ("tenants/acme/e.yaml", ""),
        ]);
        assert_eq!(paths, ["system/a.yaml", "system/c.yaml", "system/sub/d.yaml", "tenants/acme/e.yaml"]);
        assert_eq!(problems, []);
    }

    #[test]
    fn transformations_and_lost_files_are_told() {
        let (_, problems) = selected(&[
            ("a/kustomization.yaml", "resources: [x.yaml]\nnamespace: other\n"),
            ("a/x.yaml", ""),
            ("b/kustomization.yaml", "resources: [gone.yaml]\n"),
        ]);
        assert_eq!(problems.len(), 2);
        assert!(problems[0].reason.contains("namespace") && problems[1].reason.contains("b/gone.yaml"));
    }
}
