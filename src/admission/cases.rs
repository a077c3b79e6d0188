//! Cases: objects that a policy must allow or refuse, as files beside the policies.
//!
//! `policies/admission/cases/<policy>/allow-….yaml` or `deny-….yaml`. The last document is the object that is tried; those
//! before it are there already: its namespace, and its own earlier state if the case is about a change.

use serde_json::Value;

use super::evaluate::{Subject, Verdict, labels_of_namespace};
use super::matching::Resource;
use super::policy::Policy;

/// An annotation of the object that names who asks for it.
pub const USER: &str = "tenantry.io/case-user";

/// A case as it was read.
#[derive(Debug, Clone)]
pub struct Case {
    /// Name of the policy.
    pub policy: String,
    /// Whether the policy refuses.
    pub denied: bool,
    /// What is there already.
    pub before: Vec<Value>,
    /// What is tried.
    pub object: Value,
}

/// Reads a case from its path below `policies/admission/cases/` and its documents.
///
/// # Errors
/// The name or the content is not that of a case.
pub fn read_case(path: &str, mut documents: Vec<Value>) -> Result<Case, String> {
    let (policy, file) = path.split_once('/').ok_or("it does not lie in a folder with the name of a policy")?;
    let denied = match file.split_once('-') {
        Some(("allow", _)) => false,
        Some(("deny", _)) => true,
        _ => return Err("its name begins neither with allow- nor with deny-".into()),
    };
    let object = documents.pop().ok_or("it holds no object")?;
    Ok(Case { policy: policy.to_owned(), denied, before: documents, object })
}

impl Case {
    /// Who asks, if that matters.
    pub fn user(&self) -> Option<&str> {
        self.object["metadata"]["annotations"][USER].as_str()
    }

    /// The earlier state of the object that is tried.
    pub fn old(&self) -> Option<&Value> {
        self.before.iter().find(|object| same(object, &self.object))
    }

    /// The namespace of the object that is tried.
    pub fn namespace(&self) -> Option<&Value> {
        let name = &self.object["metadata"]["namespace"];
        self.before.iter().find(|object| object["kind"] == "Namespace" && object["metadata"]["name"] == *name)
    }

    /// What the policy says. A policy that is not about the object allows it.
    pub fn verdict(&self, policy: &Policy, resource: &Resource, user: &str) -> Verdict {
        let metadata = &self.object["metadata"];
        let labels = metadata["labels"].as_object().cloned().unwrap_or_default();
        let is_namespace = self.object["kind"] == "Namespace";
        let name = if is_namespace { &metadata["name"] } else { &metadata["namespace"] }.as_str();
        let namespace = if is_namespace { Some(&self.object) } else { self.namespace() };
        let of_namespace = name.map(|name| labels_of_namespace(namespace.unwrap_or(&Value::Null), name));
        let subject = Subject {
            resource,
            object: &self.object,
            old: self.old(),
            name: metadata["name"].as_str().unwrap_or_default(),
            namespace,
            namespace_name: name,
            namespace_labels: of_namespace.as_ref(),
            labels: &labels,
            user: self.user().unwrap_or(user),
        };
        if policy.meets(&subject) { policy.ask(&subject) } else { Verdict::Allowed }
    }
}

fn same(one: &Value, other: &Value) -> bool {
    let id = |object: &Value| {
        let meta = &object["metadata"];
        [object["apiVersion"].clone(), object["kind"].clone(), meta["namespace"].clone(), meta["name"].clone()]
    };
    id(one) == id(other)
}
