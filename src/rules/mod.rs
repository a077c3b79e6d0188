//! Every rule that a finding can name: what it says, why it is one, and how to mend what it found.
//!
//! The rules are data, one file a family in `table/`. `tenantry explain` prints them, `docs/rules/` and
//! `docs/reference/rules.md` are written from them, and SARIF carries them. A test holds the table to the sources: no
//! rule is reported that is not in it, and none is in it that nothing reports.

mod page;

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub use page::{index, markdown, page, path, text};

use crate::config::schema::nearest;
use crate::yaml::{self, Limits};

/// The families, each with its title and its rules as YAML.
static FAMILIES: [(&str, &str, &str); 19] = [
    ("source", "Reading files", include_str!("table/source.yaml")),
    ("config", "The fleet's files", include_str!("table/config.yaml")),
    ("plan", "Decisions", include_str!("table/plan.yaml")),
    ("edit", "Edits", include_str!("table/edit.yaml")),
    ("render", "Rendering", include_str!("table/render.yaml")),
    ("charts", "Charts", include_str!("table/charts.yaml")),
    ("check", "The gate itself", include_str!("table/check.yaml")),
    ("schema", "Schemas", include_str!("table/schema.yaml")),
    ("policy", "Admission policies", include_str!("table/policy.yaml")),
    ("secrets", "Secrets", include_str!("table/secrets.yaml")),
    ("access", "Access", include_str!("table/access.yaml")),
    ("reference", "References", include_str!("table/reference.yaml")),
    ("consistency", "Consistency of the fleet", include_str!("table/consistency.yaml")),
    ("capacity", "Capacity", include_str!("table/capacity.yaml")),
    ("network", "The network", include_str!("table/network.yaml")),
    ("exempt", "Exemptions", include_str!("table/exempt.yaml")),
    ("drift", "Drift", include_str!("table/drift.yaml")),
    ("diff", "Differences", include_str!("table/diff.yaml")),
    ("verify", "Verification", include_str!("table/verify.yaml")),
];

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| FAMILIES.iter().flat_map(read).collect());

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Stable id: `config/unknown-field`.
    pub id: String,
    /// What refuses: `invalid`, `guard`, `check` or `incomplete`; decides the exit code.
    pub class: String,
    /// How bad its findings are: `error`, `warning`, `info`, or several of them.
    #[serde(default = "error")]
    pub severity: String,
    /// What is wrong, in one line.
    pub title: String,
    /// When it is reported.
    pub what: String,
    /// Why that is wrong.
    pub why: String,
    /// How to mend it.
    pub fix: String,
    /// A finding as it is shown.
    pub example: String,
    /// Why nobody may exempt its findings, if that is so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub never_exempt: String,
}

impl Rule {
    /// Why its findings can never be exempted; none if they can. Invalid input and what could not be checked never can.
    pub fn never(&self) -> Option<&str> {
        match self.class.as_str() {
            "invalid" => Some("what is invalid cannot be understood, so nobody can answer for it"),
            "incomplete" => Some("what was not checked is not known, so nobody can answer for it"),
            _ => Some(self.never_exempt.as_str()).filter(|why| !why.is_empty()),
        }
    }
}

fn error() -> String {
    "error".into()
}

/// Every rule, family by family.
pub fn all() -> &'static [Rule] {
    &RULES
}

/// The families in order: title, and rules.
pub fn families() -> impl Iterator<Item = (&'static str, Vec<Rule>)> {
    FAMILIES.iter().map(|family| (family.1, read(family)))
}

/// The rule with an id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// The rules that somebody may mean who wrote this: those whose name is the word, else the nearest id.
pub fn meant(word: &str) -> Vec<&'static str> {
    let named = RULES.iter().filter(|rule| rule.id.rsplit('/').next() == Some(word) || rule.id.starts_with(word));
    let named: Vec<&str> = named.map(|rule| rule.id.as_str()).collect();
    if !named.is_empty() {
        return named;
    }
    let ids: Vec<String> = RULES.iter().map(|rule| rule.id.clone()).collect();
    nearest(word, &ids).and_then(find).map(|rule| rule.id.as_str()).into_iter().collect()
}

/// The rules of a family. A file that is broken has none, which a test refuses.
fn read((_, _, text): &(&str, &str, &str)) -> Vec<Rule> {
    let documents = yaml::parse(text, Limits::MANIFEST).unwrap_or_default();
    let values = documents.into_iter().flat_map(|document| match document.root.to_json() {
        serde_json::Value::Array(rules) => rules,
        other => vec![other],
    });
    values.filter_map(|value| serde_json::from_value(value).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_table_is_a_whole_rule_of_its_family() {
        let mut seen = std::collections::BTreeSet::new();
        for family in &FAMILIES {
            let rules = read(family);
            assert_eq!(rules.len(), family.2.matches("- id: ").count(), "{}: an entry is no rule", family.0);
            for rule in rules {
                assert!(seen.insert(rule.id.clone()), "{} is there twice", rule.id);
                let own = rule.id.split('/').next();
                assert!(
                    own == Some(family.0) || rule.id == "chart/values",
                    "{} is in table/{}.yaml",
                    rule.id,
                    family.0
                );
                assert!(["invalid", "guard", "check", "incomplete"].contains(&rule.class.as_str()), "{}", rule.id);
                for severity in rule.severity.split(", ") {
                    assert!(["error", "warning", "info"].contains(&severity), "{}: {severity}", rule.id);
                }
                assert!(!rule.title.ends_with('.') && rule.what.ends_with('.'), "{}: titles are no sentences", rule.id);
                assert!(!rule.never_exempt.ends_with('.'), "{}: a reason is a part of a sentence", rule.id);
                assert!(rule.why.ends_with('.') && rule.fix.ends_with('.'), "{}: a sentence ends with a dot", rule.id);
            }
        }
    }

    #[test]
    fn a_word_finds_the_rules_that_are_meant() {
        assert_eq!(find("config/type").map(|rule| rule.class.as_str()), Some("invalid"));
        assert_eq!(meant("unknown-field"), ["config/unknown-field", "schema/unknown-field"]);
        assert_eq!(meant("config/unkown-field"), ["config/unknown-field"]);
        assert!(meant("plan/").len() > 5);
        assert!(meant("nothing like it at all").is_empty());
    }
}
