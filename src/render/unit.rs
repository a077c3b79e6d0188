//! Units: folders of families of manifests, each family one template and one file.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use tera::Context;

use super::engine::{Rendered, Templates};
use super::secrets::SecretsContext;
use super::shape::{Held, fill};
use crate::finding::{Finding, Location};
use crate::manifest::{Digest, IdRef, ObjectId, Unit};
use crate::plan::names::cluster_of;
use crate::secrets::leak;

/// A family of manifests: one template, one file, and exactly the objects that it must yield.
#[derive(Debug, Clone)]
pub struct Family {
    template: &'static str,
    file: String,
    announced: Vec<ObjectId>,
    enabled: bool,
    extra: Option<(&'static str, Value)>,
}

impl Family {
    /// A family that is rendered into `file`.
    pub fn new(template: &'static str, file: impl Into<String>, announced: Vec<ObjectId>) -> Self {
        Self { template, file: file.into(), announced, enabled: true, extra: None }
    }

    /// Renders the family only under a condition.
    #[must_use]
    pub fn when(mut self, condition: bool) -> Self {
        self.enabled &= condition;
        self
    }

    /// Gives the template one more value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &impl Serialize) -> Self {
        self.extra = serde_json::to_value(value).ok().map(|value| (name, value));
        self
    }

    /// The file that it is rendered into.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What tells this family from another with the same context.
    pub fn fingerprint(&self) -> String {
        let extra = self.extra.as_ref().map(|(_, value)| value.to_string()).unwrap_or_default();
        format!("{} {} {} {extra}", self.template, self.file, self.enabled)
    }
}

/// A unit whose templates were rendered.
#[derive(Debug, Clone)]
pub struct RenderedUnit {
    /// Path of its folder.
    pub path: String,
    /// Tenant that it belongs to.
    pub tenant: Option<String>,
    /// Digest of everything that it is rendered from.
    pub inputs: Digest,
    /// Files of manifests, by name.
    pub files: BTreeMap<String, FileContent>,
}

/// What a file of a unit holds.
#[derive(Debug, Clone)]
pub enum FileContent {
    /// A rendered template.
    Template(Rendered),
    /// Manifests that are shipped as they are.
    Objects(Vec<Value>),
}

impl FileContent {
    /// The canonical text.
    pub fn text(&self) -> String {
        match self {
            Self::Template(rendered) => rendered.text(),
            Self::Objects(objects) => crate::yaml::emit_documents(objects),
        }
    }

    /// Whether both are the same text. Values that were written into the same shape are compared without writing them.
    pub fn same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Template(one), Self::Template(two)) => one.same_as(two),
            (Self::Objects(one), Self::Objects(two)) => one == two,
            _ => self.text() == other.text(),
        }
    }

    /// The identities of the manifests.
    pub fn identities(&self) -> Vec<IdRef<'_>> {
        match self {
            Self::Template(rendered) => rendered.identities().filter_map(Result::ok).collect(),
            Self::Objects(objects) => objects.iter().filter_map(|object| IdRef::of(object).ok()).collect(),
        }
    }

    /// Whether it looks as if it held a secret; the text says where.
    pub fn is_suspect(&self) -> bool {
        match self {
            Self::Template(rendered) => rendered.is_suspect(),
            Self::Objects(objects) => leak::in_values(objects),
        }
    }

    /// The manifests with such identities, each with its number in the file; the others are not built.
    pub fn objects_that(&self, are_wanted: impl Fn(&IdRef<'_>) -> bool) -> Vec<(usize, Value)> {
        match self {
            Self::Template(rendered) => {
                let (shape, values) = (rendered.shape(), rendered.values());
                let documents = shape.manifests().zip(rendered.identities()).enumerate();
                let wanted = documents.filter(|(_, (_, id))| id.as_ref().is_ok_and(&are_wanted));
                wanted.map(|(number, (manifest, _))| (number, fill(manifest, values))).collect()
            }
            Self::Objects(objects) => {
                let is_wanted = |object: &Value| IdRef::of(object).is_ok_and(|id| are_wanted(&id));
                let wanted = objects.iter().enumerate().filter(|(_, object)| is_wanted(object));
                wanted.map(|(number, object)| (number, object.clone())).collect()
            }
        }
    }

    /// The manifests.
    pub fn objects(&self) -> Vec<Value> {
        match self {
            Self::Template(rendered) => rendered.objects().collect(),
            Self::Objects(objects) => objects.clone(),
        }
    }
}

impl RenderedUnit {
    /// Whether a file of it looks as if it held a secret. Values that stand in many places are searched once.
    pub fn is_suspect(&self) -> bool {
        let mut held: Vec<&Held> = Vec::new();
        let mut objects: Vec<&Value> = Vec::new();
        for content in self.files.values() {
            match content {
                FileContent::Template(rendered) if rendered.is_suspect_shape() => return true,
                FileContent::Template(rendered) => held.extend(rendered.values()),
                FileContent::Objects(own) => objects.extend(own),
            }
        }
        held.sort_unstable_by_key(|value| Held::as_ptr(value));
        held.dedup_by_key(|value| Held::as_ptr(value));
        leak::in_values(held.into_iter().map(AsRef::as_ref).chain(objects))
    }

    /// Whether a file is not the same in another render of it; one that only one of them has is not.
    pub fn differs_in(&self, other: &Self, file: &str) -> bool {
        match (self.files.get(file), other.files.get(file)) {
            (Some(one), Some(other)) => !one.same_as(other),
            _ => true,
        }
    }

    /// Name of its cluster. Units of different clusters never meet.
    pub fn cluster(&self) -> &str {
        cluster_of(&self.path)
    }

    /// The unit as bytes, with its `kustomization.yaml`.
    pub fn finish(&self) -> Unit {
        // A text that grew has room for up to twice its bytes; a fleet has a hundred thousand of them.
        let exact = |content: &FileContent| content.text().as_bytes().to_vec();
        let mut files: BTreeMap<String, Vec<u8>> =
            self.files.iter().map(|(name, content)| (name.clone(), exact(content))).collect();
        files.insert("kustomization.yaml".into(), kustomization(self.files.keys()).into_bytes());
        Unit { path: self.path.clone(), inputs: self.inputs, files }
    }
}

/// The file that names the others, for Flux, Argo CD and `kubectl kustomize`.
fn kustomization<'a>(files: impl Iterator<Item = &'a String>) -> String {
    let mut text = String::from("---\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n");
    for file in files {
        text.push_str("- ");
        text.push_str(file);
        text.push('\n');
    }
    text
}

/// Renders the families of a unit.
///
/// # Errors
/// Templates that fail, or that yield other objects than were announced.
pub fn render(
    templates: &Templates,
    path: String,
    tenant: Option<String>,
    inputs: Digest,
    context: &Value,
    families: Vec<Family>,
) -> Result<RenderedUnit, Vec<Finding>> {
    let mut base = match Context::from_serialize(context) {
        Ok(base) => base,
        Err(error) => return Err(vec![Finding::invalid("render/context", error.to_string())]),
    };
    let (mut files, mut findings) = (BTreeMap::new(), Vec::new());
    for family in families.into_iter().filter(|family| family.enabled) {
        if let Some((name, value)) = &family.extra {
            base.insert(*name, value);
        }
        let rendered =
            templates.render(family.template, &base).and_then(|rendered| exact(templates, &family, rendered));
        match rendered {
            Ok(rendered) if family.announced.is_empty() => drop(rendered),
            Ok(rendered) => drop(files.insert(family.file, FileContent::Template(rendered))),
            Err(finding) => findings.push(match &tenant {
                Some(tenant) => finding.tenant(tenant),
                None => finding,
            }),
        }
    }
    if findings.is_empty() { Ok(RenderedUnit { path, tenant, inputs, files }) } else { Err(findings) }
}

/// The rendered family, if it yields exactly the announced objects.
fn exact(templates: &Templates, family: &Family, rendered: Rendered) -> Result<Rendered, Finding> {
    let refuse = |message: String| {
        let place = Location::file(format!("templates/{}", family.template));
        Finding::invalid("render/objects", message).at(place)
    };
    let yielded: Result<Vec<IdRef<'_>>, String> = rendered.identities().collect();
    let mut yielded = yielded.map_err(|error| refuse(format!("an object without identity: {error}")))?;
    let mut announced: Vec<IdRef<'_>> = family.announced.iter().map(ObjectId::borrowed).collect();
    yielded.sort_unstable();
    announced.sort_unstable();
    if yielded.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(refuse("the template yields an object twice".into()));
    }
    announced.dedup();
    if yielded != announced {
        let surplus = |some: &[IdRef<'_>], of: &[IdRef<'_>]| {
            let ids = some.iter().filter(|id| !of.contains(id));
            ids.map(|id| format!("{} ({})", ObjectId::from(*id), id.api_version)).collect::<Vec<_>>().join(", ")
        };
        let unexpected = yielded.iter().find(|id| !announced.contains(id));
        let place = unexpected.map(|id| templates.writes(family.template, &format!("name: {}", id.name)));
        let (missing, surplus) = (surplus(&announced, &yielded), surplus(&yielded, &announced));
        let finding = refuse("the template does not yield exactly the announced objects".into());
        let finding = place.into_iter().fold(finding, Finding::at);
        let finding = if missing.is_empty() { finding } else { finding.expected(missing) };
        return Err(if surplus.is_empty() { finding } else { finding.found(surplus) });
    }
    Ok(rendered)
}

/// Objects of the secrets' templates, without the stores.
pub fn secret_objects(context: &SecretsContext) -> Vec<ObjectId> {
    let namespace = context.namespace.as_str();
    let mut objects = Vec::new();
    for generator in &context.generators {
        objects.push(ObjectId::namespaced(
            "generators.external-secrets.io/v1alpha1",
            "Password",
            namespace,
            &generator.name,
        ));
        objects.push(ObjectId::namespaced("external-secrets.io/v1alpha1", "PushSecret", namespace, &generator.name));
    }
    for secret in &context.external {
        objects.push(ObjectId::namespaced("external-secrets.io/v1", "ExternalSecret", namespace, &secret.name));
    }
    objects
}

/// Objects of the accounts' templates.
pub fn rbac_objects(accounts: &Value, namespace: &str, flux: bool) -> Vec<ObjectId> {
    const RBAC: &str = "rbac.authorization.k8s.io/v1";
    let mut objects = Vec::new();
    for account in accounts.as_array().into_iter().flatten() {
        let name = account["name"].as_str().unwrap_or_default();
        objects.push(ObjectId::namespaced("v1", "ServiceAccount", namespace, name));
        if !account["secrets"].is_null() {
            objects.push(ObjectId::namespaced(RBAC, "Role", namespace, format!("{name}-secrets")));
            objects.push(ObjectId::namespaced(RBAC, "RoleBinding", namespace, format!("{name}-secrets")));
        }
    }
    if flux {
        objects.push(ObjectId::namespaced("v1", "ServiceAccount", namespace, "helm-deployer"));
        objects.push(ObjectId::namespaced(RBAC, "Role", namespace, "helm-deployer"));
        objects.push(ObjectId::namespaced(RBAC, "RoleBinding", namespace, "helm-deployer"));
    }
    objects
}
