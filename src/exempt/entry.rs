//! The shape of exemptions, and what is wrong with one.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::types::{Day, Text};
use crate::rules;

/// A file of exemptions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exemptions {
    /// `tenantry.io/v1`.
    pub api_version: String,
    /// `Exemptions`.
    pub kind: String,
    /// The entries.
    pub exemptions: Vec<Exemption>,
}

/// One exemption: a rule, and the object or the file that it does not hold for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exemption {
    /// Its name in reports, once in the file.
    pub id: Text,
    /// The rule: `network/open-internet`, or every rule of a family: `network/*`.
    pub rule: String,
    /// Who answers for it.
    pub owner: Text,
    /// Why it is fine.
    pub reason: Text,
    /// The last day on which it holds.
    pub expires: Day,
    /// The cluster that the object is in; without it any. Not for drift, whose file belongs to a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The object's kind: `NetworkPolicy`, or `cilium.io/CiliumNetworkPolicy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The object's name; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The object's namespace, likewise; without it any, and objects of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The file of the fleet that the finding is about, instead of an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The field and all below it, as `spec.hard` or `/spec/hard`; without it every field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Of drift, only this kind of difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<VerdictName>,
}

/// A difference, as an exemption of drift names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictName {
    /// A value differs, or the order of a list.
    Changed,
    /// Git has it, the cluster does not.
    Missing,
    /// The cluster has it, Git does not.
    Added,
}

/// A field of an exemption and what is wrong with it.
pub type Fault = (&'static str, String);

impl Exemption {
    /// The last day on which it holds.
    pub fn last_day(&self) -> Date {
        // A day is checked when it is read.
        self.expires.as_str().parse().unwrap_or(Date::MIN)
    }

    /// Whether its time is over.
    pub fn is_over(&self, today: Date) -> bool {
        self.last_day() < today
    }

    /// Whether it speaks of a rule. What may never be exempted no family means.
    pub fn names(&self, rule: &str) -> bool {
        match self.rule.strip_suffix("/*") {
            Some(family) => {
                rule.split_once('/').is_some_and(|(own, _)| own == family)
                    && rules::find(rule).is_none_or(|rule| rule.never().is_none())
            }
            None => self.rule == rule,
        }
    }

    /// What is wrong with it as an entry of a fleet's file.
    pub fn faults_in_fleet(&self) -> Vec<Fault> {
        let mut faults = self.faults();
        if self.rule.starts_with("drift/") {
            let said = "drift is exempted in the output repository, in clusters/<cluster>/exemptions.yaml";
            faults.push(("rule", said.to_owned()));
        }
        if self.verdict.is_some() {
            faults.push(("verdict", "a verdict is for drift only".to_owned()));
        }
        // A template has no fields.
        let is_template = self.file.as_deref().is_some_and(|file| file.ends_with(".tera"));
        if self.path.is_none() && !is_template && self.names("secrets/suspect") {
            faults.push(("rule", "what looks like a secret is exempted field by field: give its path".to_owned()));
        }
        faults
    }

    /// What is wrong with it as an entry of a cluster's file.
    pub fn faults_of_drift(&self) -> Vec<Fault> {
        let mut faults = self.faults();
        if !self.rule.starts_with("drift/") {
            faults.push(("rule", "here only drift is exempted: `drift/*`, or one rule of drift".to_owned()));
        }
        if self.file.is_some() {
            faults.push(("file", "drift is of objects: give kind and name".to_owned()));
        }
        if self.cluster.is_some() {
            faults.push(("cluster", "the file is this cluster's alone: remove it".to_owned()));
        }
        faults
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |field, said: &str| faults.push((field, said.to_owned()));
        if self.kind.as_deref().is_some_and(|kind| kind.contains('*') || kind.trim().is_empty()) {
            fault("kind", "kind must be one kind");
        }
        if self.kind.is_some() != self.name.is_some() {
            fault("id", "an object is named by kind and name: give both");
        }
        if self.kind.is_none() && self.file.is_none() {
            fault("id", "it exempts every finding of the rule: name an object (kind and name) or a file");
        }
        if self.file.as_deref().is_some_and(|file| file.contains('*') || file.trim().is_empty()) {
            fault("file", "file must be one file");
        }
        let any = |pattern: &str| pattern.chars().all(|c| c == '*');
        let wide = self.name.as_deref().is_some_and(any) && self.namespace.as_deref().is_none_or(any);
        if wide && self.path.is_none() {
            fault("name", "it exempts every object of the kind: name an object, a namespace or a path");
        }
        faults.extend(self.rule_fault().map(|said| ("rule", said)));
        faults
    }

    fn rule_fault(&self) -> Option<String> {
        if let Some(family) = self.rule.strip_suffix("/*") {
            let known = rules::all().iter().any(|rule| rule.id.split('/').next() == Some(family));
            return (!known).then(|| format!("there is no family of rules `{family}`"));
        }
        if self.rule.contains('*') {
            return Some("`*` stands for all rules of a family, behind its `/`, and nowhere else".to_owned());
        }
        if rules::find(&self.rule).is_some() {
            return None;
        }
        let meant = rules::meant(&self.rule);
        let meant = meant.first().map(|rule| format!(": did you mean `{rule}`?")).unwrap_or_default();
        Some(format!("there is no rule `{}`{meant}", self.rule))
    }

    /// Why nobody may exempt what it names; none if some of it may be.
    pub fn never(&self) -> Option<String> {
        if let Some(family) = self.rule.strip_suffix("/*") {
            let mut own = rules::all().iter().filter(|rule| rule.id.split('/').next() == Some(family)).peekable();
            let none = own.peek().is_some() && own.all(|rule| rule.never().is_some());
            return none.then(|| format!("no rule of the family `{family}` can be exempted"));
        }
        rules::find(&self.rule)?.never().map(str::to_owned)
    }

    /// Whether it covers an object. `kind` may have its group before it; so may the entry's, which then decides.
    pub fn covers_object(&self, group: Option<&str>, kind: &str, namespace: Option<&str>, name: &str) -> bool {
        let Some(own) = &self.kind else { return true };
        let is_kind = match own.rsplit_once('/') {
            Some((own_group, own)) => own == kind && group.is_none_or(|group| group == own_group),
            None => own == kind,
        };
        let is_namespace = match (&self.namespace, namespace) {
            (None, _) => true,
            (Some(pattern), Some(namespace)) => matches(pattern, namespace),
            (Some(_), None) => false,
        };
        is_kind && is_namespace && self.name.as_ref().is_some_and(|pattern| matches(pattern, name))
    }

    /// Whether it covers a field, in dots and brackets.
    pub fn covers_path(&self, path: &str) -> bool {
        let Some(prefix) = &self.path else { return true };
        let prefix = dotted(prefix);
        path.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

/// A JSON pointer in dots and brackets: `spec.rules[0].host` of `/spec/rules/0/host`. Other texts are taken as they are.
pub fn dotted(pointer: &str) -> String {
    let Some(parts) = pointer.strip_prefix('/') else { return pointer.to_owned() };
    let mut path = String::new();
    for part in parts.split('/') {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{part}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&part);
        }
    }
    path
}

/// Whether a text fits a pattern in which `*` stands for any text.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let middle: Vec<&str> = parts.collect();
    let Some((last, middle)) = middle.split_last() else { return rest.is_empty() };
    let mut rest = rest;
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn exemption(changes: serde_json::Value) -> Exemption {
        let mut json = json!({"id": "e", "rule": "network/open-internet", "owner": "o", "reason": "r",
            "expires": "2026-06-30", "kind": "NetworkPolicy", "name": "default-deny"});
        for (key, value) in changes.as_object().unwrap() {
            json[key] = value.clone();
        }
        if let serde_json::Value::Object(map) = &mut json {
            map.retain(|_, value| !value.is_null());
        }
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_is_too_wide_or_unknown_is_refused() {
        for good in [
            json!({}),
            json!({"rule": "network/*"}),
            json!({"name": "*", "namespace": "tenant-acme"}),
            json!({"name": "*", "path": "spec.egress"}),
            json!({"kind": null, "name": null, "file": "tenants/acme.yaml"}),
            json!({"rule": "secrets/suspect", "kind": null, "name": null, "file": "a.yaml", "path": "/a"}),
            json!({"rule": "secrets/suspect", "kind": null, "name": null, "file": "templates/a.yaml.tera"}),
        ] {
            assert_eq!(exemption(good.clone()).faults_in_fleet(), [], "{good}");
            assert_eq!(exemption(good.clone()).never(), None, "{good}");
        }
        for (bad, field) in [
            (json!({"rule": "network/open-intranet"}), "rule"),
            (json!({"rule": "*"}), "rule"),
            (json!({"rule": "network/open-*"}), "rule"),
            (json!({"rule": "nothing/*"}), "rule"),
            (json!({"rule": "drift/widening"}), "rule"),
            (json!({"rule": "secrets/suspect"}), "rule"),
            (json!({"rule": "secrets/suspect", "kind": null, "name": null, "file": "a.yaml"}), "rule"),
            (json!({"kind": "*"}), "kind"),
            (json!({"name": "*"}), "name"),
            (json!({"name": "**", "namespace": "*"}), "name"),
            (json!({"kind": null}), "id"),
            (json!({"kind": null, "name": null}), "id"),
            (json!({"kind": null, "name": null, "file": "tenants/*"}), "file"),
            (json!({"verdict": "added"}), "verdict"),
        ] {
            let faults = exemption(bad.clone()).faults_in_fleet();
            assert!(faults.iter().any(|(at, _)| *at == field), "{bad}: {faults:?}");
        }
        assert!(exemption(json!({"rule": "config/*"})).never().is_some());
        assert!(exemption(json!({"rule": "secrets/material", "path": "a"})).never().is_some());
    }

    #[test]
    fn paths_are_those_of_the_finding_in_either_form() {
        assert_eq!(dotted("/spec/rules/0/a~1b"), "spec.rules[0].a/b");
        assert_eq!(dotted("spec.rules[0]"), "spec.rules[0]");
        let of = |path: &str| exemption(json!({ "path": path }));
        assert!(of("/spec/egress").covers_path("spec.egress[1].to"));
        assert!(!of("spec.egr").covers_path("spec.egress[1].to"));
        assert!(!of("/spec/egress/1/to/0").covers_path("spec.egress[1].to"));
    }

    #[test]
    fn a_family_means_what_may_be_exempted() {
        let family = exemption(json!({"rule": "secrets/*", "path": "a"}));
        assert!(family.names("secrets/suspect") && !family.names("secrets/material") && !family.names("network/claim"));
    }
}
