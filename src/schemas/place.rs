//! Where in an object a value stands.

use std::fmt::Write as _;

use serde_json::Value;

/// One step on the way to a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Into a field.
    Field(String),
    /// Into an item, from 0.
    Item(usize),
}

/// The way from the root of an object to a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(Vec<Step>);

impl Place {
    /// The place of a field of the value here.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        self.with(Step::Field(name.to_owned()))
    }

    /// The place of an item of the list here.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        self.with(Step::Item(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// Goes one step further.
    pub fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    /// Goes back one step.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The value there.
    pub fn of<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(root, |value, step| match step {
            Step::Field(name) => value.get(name),
            Step::Item(index) => value.get(index),
        })
    }

    /// As a JSON pointer: `/spec/rules/0/verbs`.
    pub fn pointer(&self) -> String {
        let mut text = String::new();
        for step in &self.0 {
            let _ = match step {
                Step::Field(name) => write!(text, "/{}", name.replace('~', "~0").replace('/', "~1")),
                Step::Item(index) => write!(text, "/{index}"),
            };
        }
        text
    }

    /// As people and `drift` write it: `spec.rules[0].verbs`.
    pub fn dotted(&self) -> String {
        let mut text = String::new();
        for step in &self.0 {
            let _ = match step {
                Step::Field(name) if text.is_empty() => write!(text, "{name}"),
                Step::Field(name) => write!(text, ".{name}"),
                Step::Item(index) => write!(text, "[{index}]"),
            };
        }
        text
    }
}
