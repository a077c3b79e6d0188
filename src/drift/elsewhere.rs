//! What the rest of the tree declares, where a run is about a part of it only.
//!
//! Objects of one unit may live in another's namespace, so a part alone cannot tell what Git lacks. The rest is read only
//! when something is found that the part lacks.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::desired::{Files, is_manifest, key};
use super::kind::Gvk;
use super::kustomization;
use super::node::Node;
use super::yaml;

/// Group, kind and key of every object of the tree, read on demand.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere(OnceLock<Result<BTreeSet<Identity>, String>>);

/// Group, kind, `namespace/name` or `name`.
type Identity = (String, String, String);

impl Elsewhere {
    /// Whether the tree declares an object anywhere.
    ///
    /// # Errors
    /// Why that cannot be told.
    pub fn declares(&self, files: &dyn Files, gvk: &Gvk, key: &str) -> Result<bool, String> {
        let known = self.0.get_or_init(|| read(files)).as_ref().map_err(Clone::clone)?;
        Ok(known.contains(&(gvk.group.clone(), gvk.kind.clone(), key.to_owned())))
    }
}

fn read(files: &dyn Files) -> Result<BTreeSet<Identity>, String> {
    let mut paths: Vec<String> = files.list()?.into_iter().filter(|path| is_manifest(path)).collect();
    paths.sort_unstable();
    let (paths, problems) = kustomization::select(files, paths);
    if let Some(problem) = problems.first() {
        return Err(format!("{}: {}", problem.place.file, problem.reason));
    }
    let found: Result<Vec<Vec<Identity>>, String> = paths.par_iter().map(|path| identities(files, path)).collect();
    Ok(found?.into_iter().flatten().collect())
}

fn identities(files: &dyn Files, path: &str) -> Result<Vec<Identity>, String> {
    let text = String::from_utf8(files.read(path)?).map_err(|_| format!("{path} is not UTF-8"))?;
    let documents = yaml::parse(&text).map_err(|error| format!("{path}:{}: {}", error.line, error.reason))?;
    let identity = |root: &Node<'_>| {
        let text = |keys: &[&str]| root.at(keys).and_then(Node::as_text);
        let gvk = Gvk::new(text(&["apiVersion"])?, text(&["kind"])?);
        Some((gvk.group, gvk.kind, key(text(&["metadata", "namespace"]), text(&["metadata", "name"])?)))
    };
    Ok(documents.iter().filter_map(|document| identity(&document.root)).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_unit_is_looked_into_and_what_is_unreadable_is_told() {
        let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r, namespace: system}\n";
        let mut files = BTreeMap::from([("tenants/a/r.yaml".to_owned(), role.as_bytes().to_vec())]);
        let gvk = Gvk::new("rbac.authorization.k8s.io/v1", "Role");
        let declares = |files: &BTreeMap<String, Vec<u8>>, key: &str| Elsewhere::default().declares(files, &gvk, key);
        assert_eq!(declares(&files, "system/r"), Ok(true));
        assert_eq!(declares(&files, "system/other"), Ok(false));
        files.insert("tenants/b/broken.yaml".to_owned(), b"a: [\n".to_vec());
        assert!(declares(&files, "system/r").is_err_and(|reason| reason.starts_with("tenants/b/broken.yaml:")));
    }
}
