//! What happened to a tenant between two versions of its file.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::yaml::{self, Limits};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Happening {
    /// The tenant, as it was called then.
    pub tenant: String,
    /// `onboarded`, `state`, `upgraded`, `rotated`, `moved`, `renamed`, `changed`, `removed`, `unreadable`.
    pub event: &'static str,
    /// What it is about: the secret, or the fields that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// After.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl Happening {
    /// Something that happened to a tenant.
    pub fn new(tenant: &str, event: &'static str) -> Self {
        Self { tenant: tenant.to_owned(), event, subject: None, from: None, to: None }
    }

    fn between(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.from = Some(from.into());
        self.to = Some(to.into());
        self
    }

    fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }
}

/// A version of a tenant's file, as far as it can be read: history is not always valid.
#[derive(Debug, Clone, PartialEq)]
pub struct Glimpse(Option<Json>);

impl Glimpse {
    /// Reads a version.
    pub fn of(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text).replace("\r\n", "\n");
        let documents = yaml::parse(text.trim_start_matches('\u{FEFF}'), Limits::CONFIG).ok();
        Self(documents.and_then(|documents| Some(documents.first()?.root.to_json())).filter(Json::is_object))
    }

    /// The tenant's id.
    pub fn id(&self) -> Option<&str> {
        self.at("/tenant/id").and_then(Json::as_str)
    }

    fn at(&self, pointer: &str) -> Option<&Json> {
        self.0.as_ref()?.pointer(pointer)
    }

    fn word(&self, pointer: &str) -> Option<String> {
        self.at(pointer).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    fn state(&self) -> String {
        self.word("/lifecycle/state").unwrap_or_else(|| "active".into())
    }

    fn secrets(&self) -> BTreeMap<&str, (u64, &str)> {
        let secrets = self.at("/secrets").and_then(Json::as_object);
        let one = |value: &Json| value["version"].as_u64().unwrap_or(1);
        secrets
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), (one(value), value["rotated"].as_str().unwrap_or_default())))
            .collect()
    }
}

/// What happened to one tenant in a commit: its file came, went or changed.
pub fn happenings(tenant: &str, before: Option<&Glimpse>, after: Option<&Glimpse>) -> Vec<Happening> {
    match (before, after) {
        (None, Some(after)) => {
            let mut one = Happening::new(tenant, "onboarded");
            one.to = Some(after.state());
            vec![one]
        }
        (Some(before), None) => {
            let mut one = Happening::new(tenant, "removed");
            one.from = Some(before.state());
            vec![one]
        }
        (Some(before), Some(after)) => changes(tenant, before, after),
        (None, None) => Vec::new(),
    }
}

fn changes(tenant: &str, before: &Glimpse, after: &Glimpse) -> Vec<Happening> {
    let new = |event| Happening::new(tenant, event);
    if after.0.is_none() {
        return vec![new("unreadable")];
    }
    let mut found = Vec::new();
    if before.state() != after.state() {
        found.push(new("state").between(before.state(), after.state()));
    }
    let version = |glimpse: &Glimpse| glimpse.word("/tenant/chartVersion").unwrap_or_else(|| "default".into());
    if version(before) != version(after) {
        found.push(new("upgraded").between(version(before), version(after)));
    }
    let place = |glimpse: &Glimpse| glimpse.word("/tenant/cluster").unwrap_or_default();
    if place(before) != place(after) {
        found.push(new("moved").between(place(before), place(after)));
    }
    let (old, now) = (before.secrets(), after.secrets());
    for name in old.keys().chain(now.keys()).collect::<std::collections::BTreeSet<_>>() {
        let (was, is) = (old.get(*name).unwrap_or(&(1, "")), now.get(*name).unwrap_or(&(1, "")));
        if was != is {
            found.push(new("rotated").about(*name).between(format!("v{}", was.0), format!("v{}", is.0)));
        }
    }
    let rest = rest(before, after);
    if !rest.is_empty() {
        found.push(new("changed").about(rest.join(", ")));
    }
    found
}

/// Other fields that changed.
fn rest(before: &Glimpse, after: &Glimpse) -> Vec<String> {
    const TOLD: [&str; 5] = ["lifecycle.state", "lifecycle.since", "tenant.chartVersion", "tenant.cluster", "secrets"];
    let mut found = Vec::new();
    let null = Json::Null;
    let (old, new) = (before.0.as_ref().unwrap_or(&null), after.0.as_ref().unwrap_or(&null));
    fields(String::new(), old, new, &mut found);
    found.retain(|field| !TOLD.iter().any(|told| field == told || field.starts_with(&format!("{told}."))));
    found
}

/// The dotted names of what differs, two levels deep.
fn fields(path: String, old: &Json, new: &Json, found: &mut Vec<String>) {
    if old == new {
        return;
    }
    let depth = path.matches('.').count();
    let empty = serde_json::Map::new();
    match (old.as_object(), new.as_object()) {
        (None, None) => found.push(path),
        _ if !path.is_empty() && depth >= 1 => found.push(path),
        (old, new) => {
            let (old, new) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
            let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let name = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                fields(name, old.get(key).unwrap_or(&Json::Null), new.get(key).unwrap_or(&Json::Null), found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glimpse(text: &str) -> Glimpse {
        Glimpse::of(format!("tenant: {{ id: x, slug: acme, cluster: eu-1 }}\n{text}").as_bytes())
    }

    fn said(before: &str, after: &str) -> Vec<String> {
        let found = happenings("acme", Some(&glimpse(before)), Some(&glimpse(after)));
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        found
            .iter()
            .map(|one| format!("{} {} {}>{}", one.event, text(&one.subject), text(&one.from), text(&one.to)))
            .collect()
    }

    #[test]
    fn tells_what_changed_and_nothing_of_comments() {
        assert_eq!(said("", "# a remark\n"), [""; 0]);
        assert_eq!(said("", "lifecycle: { state: suspended, since: 2026-01-01 }\n"), ["state  active>suspended"]);
        let rotated =
            "secrets:\n  llm: { version: 1, rotated: 2026-01-01 }\n  wazuh: { version: 3, rotated: 2026-01-01 }\n";
        assert_eq!(said("", rotated), ["rotated llm v1>v1", "rotated wazuh v1>v3"]);
        assert_eq!(
            said("", "sizing: { profile: small-dev }\nllm: { model: x }\n"),
            ["changed llm.model, sizing.profile >"]
        );
        assert_eq!(said("", "a: [\n"), ["unreadable  >"]);
        assert_eq!(said("a: [\n", "lifecycle: { state: retired }\n")[0], "state  active>retired");
    }
}
