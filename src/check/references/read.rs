//! What manifests provide and what they name, read where they lie: nothing is copied, however many tenants there are.

use std::sync::Arc;

use serde_json::Value;

use super::table::{CLUSTER_KINDS, Form, fields};
use crate::manifest::ObjectId;
use crate::render::{FileContent, RenderedUnit, hole};
use crate::schemas::{Place, Step};

/// An object, as far as references tell objects apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target<'a> {
    /// Kind.
    pub kind: &'a str,
    /// Namespace; none for kinds of the cluster.
    pub namespace: Option<&'a str>,
    /// Name.
    pub name: &'a str,
}

impl std::fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// A manifest with holes, and the values in them.
#[derive(Debug, Clone, Copy)]
pub struct Manifest<'a> {
    root: &'a Value,
    values: &'a [Arc<Value>],
    /// Name of the file in its unit.
    pub file: &'a str,
    /// Name of the template; none for what is shipped as it is.
    pub template: Option<&'static str>,
}

/// The manifests of a unit.
pub fn manifests(unit: &RenderedUnit) -> impl Iterator<Item = Manifest<'_>> {
    unit.files.iter().flat_map(|(file, content)| {
        let found: Box<dyn Iterator<Item = Manifest<'_>>> = match content {
            FileContent::Template(rendered) => {
                let (values, template) = (rendered.values(), Some(rendered.template()));
                Box::new(rendered.shape().manifests().map(move |root| Manifest { root, values, file, template }))
            }
            FileContent::Objects(objects) => {
                Box::new(objects.iter().map(move |root| Manifest { root, values: &[], file, template: None }))
            }
        };
        found
    })
}

/// A name in a manifest.
#[derive(Debug, Clone)]
pub struct Reference<'a> {
    /// What it names.
    pub target: Target<'a>,
    /// Where the name stands.
    pub place: Place,
}

impl<'a> Manifest<'a> {
    /// The object itself.
    pub fn target(&self) -> Option<Target<'a>> {
        let metadata = self.get(self.root, "metadata")?;
        let namespace = self.text(metadata, "namespace");
        Some(Target { kind: self.text(self.root, "kind")?, namespace, name: self.text(metadata, "name")? })
    }

    /// Its identity.
    pub fn id(&self) -> Option<ObjectId> {
        let own = self.target()?;
        let api_version = self.text(self.root, "apiVersion")?.to_owned();
        let (kind, namespace, name) = (own.kind.to_owned(), own.namespace.map(str::to_owned), own.name.to_owned());
        Some(ObjectId { api_version, kind, namespace, name })
    }

    /// The object itself, and what a controller makes of it.
    pub fn provides(self) -> impl Iterator<Item = Target<'a>> + use<'a> {
        let own = self.target();
        let spec = || self.get(self.root, "spec");
        let secret = own.and_then(|own| match own.kind {
            "ExternalSecret" => {
                let target = spec().and_then(|spec| self.get(spec, "target"));
                Some(target.and_then(|target| self.text(target, "name")).unwrap_or(own.name))
            }
            "Certificate" => spec().and_then(|spec| self.text(spec, "secretName")),
            _ => None,
        });
        let made = own.zip(secret).map(|(own, name)| Target { kind: "Secret", namespace: own.namespace, name });
        own.into_iter().chain(made)
    }

    /// Everything that it names by a field of the table; its namespace as well. A name that is empty names nothing.
    pub fn references(&self, found: &mut Vec<Reference<'a>>) {
        let Some(own) = self.target() else { return };
        if let Some(name) = own.namespace {
            let place = Place::default().field("metadata").field("namespace");
            found.push(Reference { target: Target { kind: "Namespace", namespace: None, name }, place });
        }
        let namespace = match own.kind {
            "Application" => self.at(&["spec", "destination", "namespace"]).and_then(Value::as_str),
            _ => own.namespace,
        };
        for field in fields(own.kind) {
            // An Application's own fields are about its own namespace, its values about that of the release.
            let near = if own.kind == "Application" && field.path.len() < 4 { own.namespace } else { namespace };
            let mut walk = Walk { manifest: *self, place: Vec::new(), form: field.form, namespace: near, found };
            walk.walk(self.root, &field.path);
        }
        // The chart mounts it only where Cortex runs.
        let cortex = [
            &["spec", "values", "components", "cortex", "enabled"][..],
            &["spec", "source", "helm", "valuesObject", "components", "cortex", "enabled"][..],
        ];
        if cortex.iter().any(|path| self.at(path) == Some(&Value::Bool(false))) {
            found.retain(|one| one.place.steps().last() != Some(&Step::Field("cortexBootstrap".to_owned())));
        }
    }

    fn at(&self, path: &[&str]) -> Option<&'a Value> {
        path.iter().try_fold(self.root, |value, key| self.get(value, key))
    }

    fn get(&self, value: &'a Value, key: &str) -> Option<&'a Value> {
        Some(self.filled(value.get(key)?))
    }

    fn text(&self, value: &'a Value, key: &str) -> Option<&'a str> {
        self.get(value, key)?.as_str().filter(|text| !text.is_empty())
    }

    /// The value that stands there.
    fn filled(&self, value: &'a Value) -> &'a Value {
        let index = value.as_str().and_then(hole);
        index.map_or(value, |index| self.values.get(index).map_or(&Value::Null, Arc::as_ref))
    }
}

/// One step of the way to a name.
#[derive(Clone, Copy)]
enum At<'a> {
    Key(&'a str),
    Item(usize),
}

struct Walk<'a, 'f> {
    manifest: Manifest<'a>,
    place: Vec<At<'a>>,
    form: Form,
    namespace: Option<&'a str>,
    found: &'f mut Vec<Reference<'a>>,
}

impl<'a> Walk<'a, '_> {
    fn walk(&mut self, value: &'a Value, path: &[&'static str]) {
        let Some((key, rest)) = path.split_first() else { return self.end(value) };
        match (*key, value) {
            ("[]", Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.step(At::Item(index), self.manifest.filled(item), rest);
                }
            }
            ("*", Value::Object(map)) => {
                for (key, item) in map {
                    self.step(At::Key(key), self.manifest.filled(item), rest);
                }
            }
            (key, Value::Object(map)) => {
                if let Some(item) = map.get(key) {
                    self.step(At::Key(key), self.manifest.filled(item), rest);
                }
            }
            _ => {}
        }
    }

    fn step(&mut self, at: At<'a>, value: &'a Value, rest: &[&'static str]) {
        self.place.push(at);
        self.walk(value, rest);
        self.place.pop();
    }

    fn end(&mut self, value: &'a Value) {
        let text = |key: &str| self.manifest.text(value, key);
        let (kind, name, inner) = match self.form {
            Form::Name(kind) | Form::ClusterName(kind) => (kind, value.as_str(), None),
            Form::Unit => ("unit", value.as_str(), None),
            Form::Typed => (text("type").unwrap_or_default(), text("name"), Some("name")),
            Form::Optional(_) if value.get("optional") == Some(&Value::Bool(true)) => return,
            Form::Object(kind) | Form::Optional(kind) => (text("kind").unwrap_or(kind), text("name"), Some("name")),
        };
        let Some(name) = name.filter(|name| !name.is_empty()) else { return };
        // Users and groups are nobody's objects.
        if matches!(kind, "" | "User" | "Group") {
            return;
        }
        let namespace = match self.form {
            Form::Unit => None,
            _ if CLUSTER_KINDS.contains(&kind) => None,
            _ => text("namespace").or(self.namespace),
        };
        let mut place = Place::default();
        for at in &self.place {
            place.push(match at {
                At::Key(key) => Step::Field((*key).to_owned()),
                At::Item(index) => Step::Item(*index),
            });
        }
        if let Some(inner) = inner {
            place.push(Step::Field(inner.to_owned()));
        }
        self.found.push(Reference { target: Target { kind, namespace, name }, place });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(value: &Value) -> Vec<String> {
        let manifest = Manifest { root: value, values: &[], file: "x", template: None };
        let mut found = Vec::new();
        manifest.references(&mut found);
        found.iter().map(|one| format!("{} <- {}", one.target, one.place.dotted())).collect()
    }

    #[test]
    fn names_are_found_wherever_a_kind_has_them() {
        let value = json!({
            "kind": "Deployment", "metadata": { "name": "x", "namespace": "a" },
            "spec": { "template": { "spec": {
                "serviceAccountName": "runner", "priorityClassName": "high",
                "volumes": [
                    { "secret": { "secretName": "one" } }, { "emptyDir": {} },
                    { "configMap": { "name": "not needed", "optional": true } },
                ],
                "containers": [{ "env": [{ "valueFrom": { "secretKeyRef": { "name": "two", "key": "k" } } }] }],
            } } },
        });
        assert_eq!(
            named(&value),
            [
                "Namespace a <- metadata.namespace",
                "ServiceAccount a/runner <- spec.template.spec.serviceAccountName",
                "PriorityClass high <- spec.template.spec.priorityClassName",
                "Secret a/one <- spec.template.spec.volumes[0].secret.secretName",
                "Secret a/two <- spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.name",
            ]
        );
    }

    #[test]
    fn kinds_and_namespaces_are_those_of_the_reference_where_it_says_so() {
        let value = json!({
            "kind": "ExternalSecret", "metadata": { "name": "x", "namespace": "a" },
            "spec": { "secretStoreRef": { "kind": "ClusterSecretStore", "name": "all" } },
        });
        assert_eq!(named(&value)[1], "ClusterSecretStore all <- spec.secretStoreRef.name");
        let value = json!({
            "kind": "RoleBinding", "metadata": { "name": "x", "namespace": "a" },
            "subjects": [{ "kind": "ServiceAccount", "name": "s", "namespace": "b" }, { "kind": "Group", "name": "g" }],
        });
        assert_eq!(named(&value)[1..], ["ServiceAccount b/s <- subjects[0].name"]);
        let value = json!({
            "kind": "Application", "metadata": { "name": "x", "namespace": "argocd" },
            "spec": {
                "project": "p", "destination": { "namespace": "tenant-a" },
                "source": { "path": "clusters/c/system", "helm": { "valuesObject": { "secrets": { "one": "s" } } } },
            },
        });
        assert_eq!(
            named(&value)[1..],
            [
                "AppProject argocd/p <- spec.project",
                "unit clusters/c/system <- spec.source.path",
                "Secret tenant-a/s <- spec.source.helm.valuesObject.secrets.one",
            ]
        );
    }

    #[test]
    fn a_secret_is_made_by_what_makes_it() {
        let provides = |value: Value| -> Vec<String> {
            let manifest = Manifest { root: &value, values: &[], file: "x", template: None };
            manifest.provides().map(|target| target.to_string()).collect()
        };
        let metadata = json!({ "name": "x", "namespace": "a" });
        let value = json!({ "kind": "ExternalSecret", "metadata": metadata, "spec": { "target": { "name": "y" } } });
        assert_eq!(provides(value), ["ExternalSecret a/x", "Secret a/y"]);
        let value = json!({ "kind": "ExternalSecret", "metadata": metadata, "spec": {} });
        assert_eq!(provides(value)[1], "Secret a/x");
        let value = json!({ "kind": "Certificate", "metadata": metadata, "spec": { "secretName": "tls" } });
        assert_eq!(provides(value)[1], "Secret a/tls");
    }
}
