//! One schema: what a value may be. Schemas below it are named by their number in the bundle.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::pattern::Pattern;
use crate::cel::Compiled;

/// The number of a schema in its bundle.
pub type NodeId = u32;

/// A schema, with the keywords of structural schemas of Kubernetes.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Node {
    /// `object`, `array`, `string`, `integer`, `number` or `boolean`; none where several are possible.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub of: Option<Type>,
    /// Whether null is a value.
    #[serde(skip_serializing_if = "is_false")]
    pub nullable: bool,
    /// Named fields.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, NodeId>,
    /// Fields that must be there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
    /// Values under keys that the author of an object chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_properties: Option<NodeId>,
    /// Items of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<NodeId>,
    /// All that a value may be.
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    /// A regular expression that a text matches somewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Pattern>,
    /// Name of a format of texts or numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Least number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Number>,
    /// Greatest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Number>,
    /// Whether the least number itself is too small.
    #[serde(skip_serializing_if = "is_false")]
    pub exclusive_minimum: bool,
    /// Whether the greatest number itself is too great.
    #[serde(skip_serializing_if = "is_false")]
    pub exclusive_maximum: bool,
    /// What a number is a multiple of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiple_of: Option<Number>,
    /// Fewest characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u64>,
    /// Most characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u64>,
    /// Fewest items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_items: Option<u64>,
    /// Most items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u64>,
    /// Whether no item may be there twice.
    #[serde(skip_serializing_if = "is_false")]
    pub unique_items: bool,
    /// Fewest fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_properties: Option<u64>,
    /// Most fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_properties: Option<u64>,
    /// Schemas that all hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub all_of: Vec<NodeId>,
    /// Schemas of which one at least holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any_of: Vec<NodeId>,
    /// Schemas of which exactly one holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<NodeId>,
    /// A schema that does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not: Option<NodeId>,
    /// What the API server fills in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// A quantity: text or number.
    #[serde(rename = "x-quantity", skip_serializing_if = "is_false")]
    pub quantity: bool,
    /// A number or a text.
    #[serde(rename = "x-kubernetes-int-or-string", skip_serializing_if = "is_false")]
    pub int_or_string: bool,
    /// Fields that are not named here are kept as they are.
    #[serde(rename = "x-kubernetes-preserve-unknown-fields", skip_serializing_if = "is_false")]
    pub preserve: bool,
    /// The value is a whole object with a kind of its own.
    #[serde(rename = "x-kubernetes-embedded-resource", skip_serializing_if = "is_false")]
    pub embedded: bool,
    /// `atomic`, `set` or `map`.
    #[serde(rename = "x-kubernetes-list-type", skip_serializing_if = "Option::is_none")]
    pub list_type: Option<ListType>,
    /// Fields that together tell items of a list of type `map` apart.
    #[serde(rename = "x-kubernetes-list-map-keys", skip_serializing_if = "Vec::is_empty")]
    pub list_keys: Vec<String>,
    /// Rules in CEL.
    #[serde(rename = "x-kubernetes-validations", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// A rule in CEL about the value that carries it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rule {
    /// The expression.
    pub rule: String,
    /// What to say if it does not hold.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The same, as an expression.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message_expression: String,
    /// Kind of refusal.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Field that the refusal names.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field_path: String,
    /// Whether `oldSelf` is an optional value, so that the rule runs on creation too.
    #[serde(skip_serializing_if = "is_false")]
    pub optional_old_self: bool,
    /// The expression, compiled when it is first used.
    #[serde(skip)]
    pub compiled: OnceLock<Result<Compiled, String>>,
}

/// Types of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// Fields with values.
    Object,
    /// Items in order.
    Array,
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
}

/// How items of a list are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListType {
    /// Not at all: the list is one value.
    Atomic,
    /// By their values.
    Set,
    /// By some of their fields.
    Map,
}

impl Node {
    /// Whether any value at all is allowed, so that nothing is left to check.
    pub fn is_free(&self) -> bool {
        let constraints = self.nullable_matters() || !self.choices.is_empty() || self.has_junctors();
        self.preserve && !constraints && self.rules.is_empty() && self.min_properties.is_none()
    }

    fn nullable_matters(&self) -> bool {
        self.of.is_some() || !self.properties.is_empty() || self.embedded || !self.required.is_empty()
    }

    /// Whether alternatives or conjunctions are given.
    pub fn has_junctors(&self) -> bool {
        !(self.all_of.is_empty() && self.any_of.is_empty() && self.one_of.is_empty()) || self.not.is_some()
    }
}

impl Type {
    /// The type in words.
    pub fn name(self) -> &'static str {
        match self {
            Type::Object => "a mapping",
            Type::Array => "a list",
            Type::String => "text",
            Type::Integer => "a whole number",
            Type::Number => "a number",
            Type::Boolean => "true or false",
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}
