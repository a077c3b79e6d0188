//! The releases in a unit's tree: what Flux or Argo CD is told to install.

use std::collections::BTreeMap;

use serde_json::Value;

use super::charts::Reference;
use crate::render::RenderedUnit;

/// A release in a unit's tree.
#[derive(Debug, Clone)]
pub struct Release {
    /// File in the unit.
    pub file: String,
    /// Line of the object in its file.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Namespace that it is installed into.
    pub namespace: String,
    /// Name of its chart.
    pub chart: String,
    /// Version of the chart.
    pub reference: Reference,
    /// Its values.
    pub values: Value,
    /// Whether values come from objects of the cluster as well.
    pub from_cluster: bool,
}

/// The releases of a unit by name.
pub fn releases(unit: &RenderedUnit) -> BTreeMap<String, Release> {
    let mut found = BTreeMap::new();
    for (file, content) in &unit.files {
        if !content.identities().iter().any(|id| matches!(id.kind, "HelmRelease" | "Application")) {
            continue;
        }
        let objects = content.objects();
        let text = content.text();
        for object in &objects {
            let kind = object["kind"].as_str().unwrap_or_default();
            let release = match kind {
                "HelmRelease" => flux(object, &objects),
                "Application" => argo(object),
                _ => None,
            };
            if let Some(release) = release {
                let is_kind = |line: &&str| *line == format!("kind: {kind}");
                let line = text.lines().take_while(|line| !is_kind(line)).count() + 1;
                found.insert(release.name.clone(), Release { file: file.clone(), line, ..release });
            }
        }
    }
    found
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

/// A release that Flux installs, from the source beside it or by name and version.
fn flux(release: &Value, objects: &[Value]) -> Option<Release> {
    let own = text(release, "/metadata/name")?;
    let (chart, reference) = match text(release, "/spec/chartRef/name") {
        Some(source) => {
            let is_it = |object: &&Value| {
                object["kind"] == release["spec"]["chartRef"]["kind"] && object["metadata"]["name"] == source.as_str()
            };
            let source = objects.iter().find(is_it)?;
            let url = text(source, "/spec/url")?;
            let reference = text(source, "/spec/ref/tag").map(|tag| Reference::Version(tag.replace('_', "+")));
            let reference = text(source, "/spec/ref/digest").map(Reference::Digest).or(reference)?;
            (url.rsplit('/').next()?.to_owned(), reference)
        }
        None => {
            (text(release, "/spec/chart/spec/chart")?, Reference::Version(text(release, "/spec/chart/spec/version")?))
        }
    };
    let namespace = text(release, "/spec/targetNamespace").or(text(release, "/metadata/namespace"))?;
    Some(Release {
        file: String::new(),
        line: 1,
        name: text(release, "/spec/releaseName").unwrap_or(own),
        namespace,
        chart,
        reference,
        values: release["spec"]["values"].clone(),
        from_cluster: release["spec"]["valuesFrom"].as_array().is_some_and(|list| !list.is_empty()),
    })
}

/// A release that Argo CD installs.
fn argo(application: &Value) -> Option<Release> {
    let source = &application["spec"]["source"];
    let revision = text(source, "/targetRevision")?;
    let reference = match revision.starts_with("sha256:") {
        true => Reference::Digest(revision),
        false => Reference::Version(revision),
    };
    Some(Release {
        file: String::new(),
        line: 1,
        name: text(source, "/helm/releaseName").or(text(application, "/metadata/name"))?,
        namespace: text(application, "/spec/destination/namespace")?,
        chart: text(source, "/chart")?,
        reference,
        values: source["helm"]["valuesObject"].clone(),
        from_cluster: source["helm"]["valueFiles"].as_array().is_some_and(|list| !list.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_engines_name_their_charts() {
        let source = json!({"kind": "OCIRepository", "metadata": {"name": "r"},
            "spec": {"url": "oci://x/charts/c", "ref": {"tag": "1.0.0_build"}}});
        let release = json!({"kind": "HelmRelease", "metadata": {"name": "r", "namespace": "n"},
            "spec": {"chartRef": {"kind": "OCIRepository", "name": "r"}, "values": {"a": 1}, "valuesFrom": [{}]}});
        let found = flux(&release, &[source.clone(), release.clone()]).unwrap();
        assert_eq!((found.chart.as_str(), found.name.as_str(), found.namespace.as_str()), ("c", "r", "n"));
        assert_eq!(found.reference, Reference::Version("1.0.0+build".into()));
        assert!(found.from_cluster && found.values == json!({"a": 1}));
        let mut pinned = source;
        pinned["spec"]["ref"] = json!({"digest": "sha256:1"});
        assert_eq!(flux(&release, &[pinned]).unwrap().reference, Reference::Digest("sha256:1".into()));
        let application = json!({"kind": "Application", "metadata": {"name": "a"}, "spec": {"destination": {"namespace": "n"},
            "source": {"chart": "c", "targetRevision": "sha256:2", "helm": {"releaseName": "r", "valuesObject": {}}}}});
        let found = argo(&application).unwrap();
        assert_eq!((found.reference, found.from_cluster), (Reference::Digest("sha256:2".into()), false));
        assert!(argo(&json!({"kind": "Application", "spec": {"source": {"path": "clusters"}}})).is_none());
    }
}
