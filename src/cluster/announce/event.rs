//! Events of `events.k8s.io/v1`: one a tenant for all that began or ended together, so that a mass change is no storm.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::lease::micros;
use crate::drift::change::Severity;
use crate::drift::track::{Change, Transition};
use crate::secrets::leak;

/// Above this many Events at once, one says how many tenants there are.
const MOST: usize = 50;

/// The longest note that an API server takes.
const LONGEST_NOTE: usize = 1024;

/// The Events for some transitions, detections first, the worst first.
pub fn events(transitions: &[Transition], namespace: &str, identity: &str, now: Timestamp) -> Vec<Value> {
    let mut groups: BTreeMap<(Change, Option<&str>), Vec<&Transition>> = BTreeMap::new();
    for transition in transitions {
        groups.entry((transition.change, transition.tenant.as_deref())).or_default().push(transition);
    }
    let mut groups: Vec<(Change, String, Vec<&Transition>)> = groups
        .into_iter()
        .map(|((change, tenant), mut group)| {
            group.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.object.cmp(&b.object)));
            (change, tenant.map_or_else(|| "the system unit".to_owned(), |slug| format!("tenant {slug}")), group)
        })
        .collect();
    groups.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| b.2[0].severity.cmp(&a.2[0].severity)).then(a.1.cmp(&b.1)));
    let surplus = groups.split_off(groups.len().min(MOST - 1));
    let mut events: Vec<Value> =
        groups.iter().map(|(change, unit, group)| event(*change, &note(*change, unit, group), group[0])).collect();
    if let Some((change, _, worst)) = surplus.first() {
        let note = format!("{} more tenants changed at the same time: see the report", surplus.len());
        events.push(event(*change, &note, worst[0]));
    }
    for (number, event) in events.iter_mut().enumerate() {
        let name = format!("tenantry-drift.{:x}.{number:x}", now.as_nanosecond());
        event["metadata"] = json!({ "namespace": namespace, "name": name });
        event["eventTime"] = json!(micros(now));
        event["reportingInstance"] = json!(short(identity, 128));
        event["regarding"]["namespace"] = json!(namespace);
    }
    events
}

/// What an Event is about must lie in its own namespace: the checker itself; the worst object is what it is related to.
fn event(change: Change, note: &str, worst: &Transition) -> Value {
    let object = &worst.object;
    let (reason, kind) = match change {
        Change::Detected => ("DriftDetected", if worst.severity >= Severity::Medium { "Warning" } else { "Normal" }),
        Change::Resolved => ("DriftResolved", "Normal"),
    };
    let mut related = json!({ "apiVersion": object.gvk.api_version(), "kind": object.gvk.kind, "name": object.name });
    if let Some(namespace) = &object.namespace {
        related["namespace"] = json!(namespace);
    }
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "type": kind,
        "reason": reason,
        "action": "Compare",
        "note": short(&leak::mask(note), LONGEST_NOTE),
        "reportingController": "tenantry.io/drift",
        "regarding": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "tenantry-drift" },
        "related": related,
    })
}

fn note(change: Change, unit: &str, group: &[&Transition]) -> String {
    let count = match group.len() {
        1 => "1 object".to_owned(),
        count => format!("{count} objects"),
    };
    let head = match change {
        Change::Detected => format!("{unit}: {count} no longer as Git says, {} at worst", group[0].severity.as_str()),
        Change::Resolved => format!("{unit}: {count} as Git says again"),
    };
    let lines = group.iter().take(8).map(|transition| match transition.effect.as_str() {
        "" => format!("; {}", transition.object),
        effect => format!("; {}: {effect}", transition.object),
    });
    format!("{head}{}", lines.collect::<String>())
}

/// The beginning of a text, in at most so many bytes.
fn short(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most - 3).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::kind::{Gvk, ObjectRef};

    fn transition(change: Change, tenant: &str, name: &str, severity: Severity) -> Transition {
        Transition {
            change,
            object: ObjectRef { gvk: Gvk::new("v1", "Service"), namespace: Some("n".into()), name: name.into() },
            tenant: Some(tenant.into()),
            severity,
            effect: "it opens".repeat(40),
            since: Timestamp::UNIX_EPOCH,
        }
    }

    fn told(transitions: &[Transition]) -> Vec<Value> {
        events(transitions, "soctalk-system", "pod", Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn one_event_tells_all_of_a_tenant() {
        let many: Vec<Transition> =
            (0..100).map(|n| transition(Change::Detected, "acme", &format!("s{n}"), Severity::High)).collect();
        let events = told(&many);
        assert_eq!(events.len(), 1);
        let note = events[0]["note"].as_str().unwrap();
        assert!(note.starts_with("tenant acme: 100 objects no longer as Git says, high at worst"), "{note}");
        assert!(note.len() <= LONGEST_NOTE && note.ends_with('…'));
        assert_eq!(events[0]["type"], "Warning");
    }

    #[test]
    fn a_mass_change_is_no_storm() {
        let many: Vec<Transition> =
            (0..400).map(|n| transition(Change::Detected, &format!("t{n}"), "s", Severity::Low)).collect();
        let events = told(&many);
        assert_eq!(events.len(), MOST);
        assert!(events[MOST - 1]["note"].as_str().unwrap().starts_with("351 more tenants"));
        let names: std::collections::BTreeSet<&str> =
            events.iter().map(|event| event["metadata"]["name"].as_str().unwrap()).collect();
        assert_eq!(names.len(), MOST);
    }

    #[test]
    fn beginning_and_end_have_their_reasons() {
        let events = told(&[
            transition(Change::Resolved, "acme", "a", Severity::High),
            transition(Change::Detected, "acme", "b", Severity::Low),
        ]);
        let reasons: Vec<&str> = events.iter().map(|event| event["reason"].as_str().unwrap()).collect();
        assert_eq!(reasons, ["DriftDetected", "DriftResolved"]);
        assert_eq!(told(&[]), Vec::<Value>::new());
    }
}
