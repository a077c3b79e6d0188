//! A policy with its bindings, compiled.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::matching::Match;
use crate::cel::{Compiled, Reads, Roots};

/// `apiVersion` of policies and bindings.
const API_VERSION: &str = "admissionregistration.k8s.io/v1";

/// A policy with this annotation is left to the API server; the value says why.
pub const SERVER_ONLY: &str = "tenantry.io/server-only";

/// A policy, ready to be asked.
#[derive(Debug)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Why it is left to the API server, if it is.
    pub server_only: Option<String>,
    /// What refuses: none if nothing binds the policy, so that no server asks it.
    pub bindings: Vec<Binding>,
    /// Whether an expression that fails refuses.
    pub(super) fails_closed: bool,
    pub(super) constraints: Match,
    pub(super) conditions: Vec<Compiled>,
    pub(super) variables: Vec<(String, Compiled)>,
    pub(super) validations: Vec<Validation>,
    /// What all expressions together read of each variable of a request.
    pub(super) reads: BTreeMap<&'static str, Reads>,
    /// The variables of a request that an expression names.
    pub(super) named: BTreeSet<&'static str>,
    /// Whether an expression looks at what was there before.
    pub(super) compares: bool,
    /// Whether its verdict depends on parameters.
    pub(super) has_parameters: bool,
}

/// What makes a policy count.
#[derive(Debug)]
pub struct Binding {
    /// What becomes of a refusal.
    pub actions: Vec<Action>,
    pub(super) limits: Match,
    /// The object that gives the parameters.
    pub(super) parameters: Option<Value>,
}

/// What becomes of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The request fails.
    Deny,
    /// The request succeeds and its author is told.
    Warn,
    /// It is noted.
    Audit,
}

#[derive(Debug)]
pub(super) struct Validation {
    pub expression: Compiled,
    pub message: Option<String>,
    pub message_expression: Option<Compiled>,
}

/// The variables of a request.
pub(super) const ROOTS: [&str; 5] = ["object", "oldObject", "request", "namespaceObject", "params"];

/// The policies among some objects, each with its bindings. What is wrong with one is told with its position.
pub fn policies<'a>(objects: impl Iterator<Item = &'a Value> + Clone) -> Vec<Result<Policy, (usize, String)>> {
    let of_kind = |kind: &'static str| {
        let is_it = move |object: &&Value| object["apiVersion"] == API_VERSION && object["kind"] == kind;
        objects.clone().enumerate().filter(move |(_, object)| is_it(object))
    };
    let bindings: Vec<&Value> = of_kind("ValidatingAdmissionPolicyBinding").map(|(_, object)| object).collect();
    let all: Vec<&Value> = objects.clone().collect();
    let policies = of_kind("ValidatingAdmissionPolicy");
    policies.map(|(index, object)| read(object, &bindings, &all).map_err(|reason| (index, reason))).collect()
}

fn read(object: &Value, bindings: &[&Value], all: &[&Value]) -> Result<Policy, String> {
    let spec = &object["spec"];
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let compiled = |value: &Value, what: &str| -> Result<Compiled, String> {
        let text = value.as_str().ok_or_else(|| format!("{what} has no expression"))?;
        Compiled::new(text).map_err(|error| format!("{what} is no CEL: {error}"))
    };
    let list = |field: &str| spec[field].as_array().into_iter().flatten();
    let mut conditions = Vec::new();
    for condition in list("matchConditions") {
        conditions.push(compiled(&condition["expression"], "a match condition")?);
    }
    let mut variables = Vec::new();
    for variable in list("variables") {
        let name = variable["name"].as_str().unwrap_or_default().to_owned();
        variables.push((name.clone(), compiled(&variable["expression"], &format!("the variable {name}"))?));
    }
    let mut validations = Vec::new();
    for validation in list("validations") {
        let message_expression = &validation["messageExpression"];
        validations.push(Validation {
            expression: compiled(&validation["expression"], "a validation")?,
            message: validation["message"].as_str().map(str::to_owned),
            message_expression: (!message_expression.is_null())
                .then(|| compiled(message_expression, "a message"))
                .transpose()?,
        });
    }
    let mut policy = Policy {
        server_only: object["metadata"]["annotations"][SERVER_ONLY].as_str().map(str::to_owned),
        bindings: Vec::new(),
        fails_closed: spec["failurePolicy"] != "Ignore",
        constraints: Match::read(&spec["matchConstraints"]),
        conditions,
        variables,
        validations,
        reads: BTreeMap::new(),
        named: BTreeSet::new(),
        compares: false,
        has_parameters: !spec["paramKind"].is_null(),
        name,
    };
    policy.bindings = bindings
        .iter()
        .filter(|binding| binding["spec"]["policyName"] == policy.name.as_str())
        .map(|binding| bind(binding, &spec["paramKind"], all))
        .collect();
    policy.learn();
    Ok(policy)
}

fn bind(binding: &Value, kind: &Value, all: &[&Value]) -> Binding {
    let spec = &binding["spec"];
    let actions =
        spec["validationActions"].as_array().into_iter().flatten().filter_map(|action| match action.as_str() {
            Some("Deny") => Some(Action::Deny),
            Some("Warn") => Some(Action::Warn),
            Some("Audit") => Some(Action::Audit),
            _ => None,
        });
    let wanted = &spec["paramRef"];
    let is_it = |object: &&&Value| {
        object["apiVersion"] == kind["apiVersion"]
            && object["kind"] == kind["kind"]
            && object["metadata"]["name"] == wanted["name"]
            && object["metadata"]["namespace"] == wanted["namespace"]
    };
    let parameters = (!wanted["name"].is_null()).then(|| all.iter().find(is_it)).flatten();
    Binding {
        actions: actions.collect(),
        limits: Match::read(&spec["matchResources"]),
        parameters: parameters.map(|object| (**object).clone()),
    }
}

impl Policy {
    /// Finds out what the expressions read.
    fn learn(&mut self) {
        let mut roots = Roots::new(&ROOTS);
        for (name, variable) in &self.variables {
            variable.reads_as(name, &mut roots);
        }
        let messages = self.validations.iter().filter_map(|validation| validation.message_expression.as_ref());
        let validations = self.validations.iter().map(|validation| &validation.expression);
        let mut expressions: Vec<&Compiled> = self.conditions.iter().chain(validations).chain(messages).collect();
        expressions.iter().for_each(|expression| expression.reads(&mut roots));
        self.compares = roots.reads("oldObject") != Reads::default()
            || self.variables.iter().any(|(_, variable)| variable.names("oldObject"));
        expressions.extend(self.variables.iter().map(|(_, variable)| variable));
        let is_named = |root: &&str| expressions.iter().any(|expression| expression.names(root));
        self.named = ROOTS.into_iter().filter(is_named).collect();
        self.reads = ROOTS.iter().map(|root| (*root, roots.reads(root))).collect();
    }

    /// Whether a refusal stops a request, rather than being told or noted.
    pub fn denies(&self) -> bool {
        self.bindings.iter().any(|binding| binding.actions.contains(&Action::Deny))
    }

    /// What the policy reads of the object.
    pub fn of_object(&self, object: &Value) -> Value {
        self.parts(object, Reads::of)
    }

    /// As [`Policy::of_object`], of an object, or of what was kept of it, in which no text stands for a value.
    pub fn of_settled(&self, object: &Value) -> Value {
        self.parts(object, Reads::of_settled)
    }

    fn parts(&self, object: &Value, of: impl Fn(&Reads, &Value) -> Value) -> Value {
        let (new, old) = (&self.reads["object"], &self.reads["oldObject"]);
        let read = of(new, object);
        // Offline, what was there before is the object itself.
        if *old == Reads::default() { read } else { merged(read, of(old, object)) }
    }
}

/// Two projections of one value as one.
fn merged(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            for (key, value) in other {
                let merged = match one.remove(&key) {
                    Some(mine) => merged(mine, value),
                    None => value,
                };
                one.insert(key, merged);
            }
            Value::Object(one)
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.into_iter().zip(other).map(|(one, other)| merged(one, other)).collect()
        }
        (one, other) => {
            if one.to_string().len() >= other.to_string().len() {
                one
            } else {
                other
            }
        }
    }
}
