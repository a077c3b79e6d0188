//! Exemptions of drift. They stand in Git and nowhere else: nothing that is written on a live object silences anything.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Class, Item, Place, Verdict};
use super::desired::{Files, Problem};
use crate::exempt::of_tree;
pub use crate::exempt::{Exemption, VerdictName};

/// The file that holds them, in the folder of the cluster.
pub const FILE: &str = "exemptions.yaml";

/// The exemptions of a tree; none if it has no such file.
///
/// # Errors
/// Everything that is wrong with the file: then none of them holds.
pub fn read(files: &dyn Files) -> Result<Vec<Exemption>, Vec<Problem>> {
    let problem = |line: u32, reason: String| Problem { place: Place { file: FILE.to_owned(), line }, reason };
    let paths = files.list().map_err(|reason| vec![problem(1, reason)])?;
    if !paths.iter().any(|path| path == FILE) {
        return Ok(Vec::new());
    }
    let bytes = files.read(FILE).map_err(|reason| vec![problem(1, reason)])?;
    let text = String::from_utf8(bytes).map_err(|_| vec![problem(1, "not UTF-8".to_owned())])?;
    of_tree(FILE, &text).map_err(|findings| {
        let said = |finding: crate::finding::Finding| {
            let line = finding.location.as_ref().map_or(1, |place| place.line);
            let expected = finding.expected.map(|expected| format!(": expected {expected}")).unwrap_or_default();
            problem(line, format!("{}{expected}", finding.message))
        };
        findings.into_iter().map(said).collect()
    })
}

/// What became of an exemption in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExemptionUse {
    /// Its name.
    pub id: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it is fine.
    pub reason: String,
    /// What became of it.
    #[serde(flatten)]
    pub state: ExemptionState,
}

/// Whether an exemption did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum ExemptionState {
    /// It covers so many differences.
    Used {
        /// How many.
        items: usize,
    },
    /// It covers nothing: it can go.
    Unused,
    /// Its time is over: it covers nothing any more.
    Expired {
        /// The last day on which it held.
        #[schemars(with = "String", extend("format" = "date"))]
        on: Date,
    },
}

/// Marks the items that an exemption covers, and tells what became of each exemption.
///
/// `whole` says that the run saw everything; in a part, an exemption that covers nothing is not called unused.
pub fn apply(items: &mut [Item], exemptions: &[Exemption], today: Date, whole: bool) -> Vec<ExemptionUse> {
    let mut uses = Vec::new();
    for exemption in exemptions {
        let state = if exemption.is_over(today) {
            ExemptionState::Expired { on: exemption.last_day() }
        } else {
            let covered = items.iter_mut().filter(|item| covers(exemption, item));
            let covered: usize = covered.map(|item| item.exemption = Some(exemption.id.to_string())).count();
            match covered {
                0 if !whole => continue,
                0 => ExemptionState::Unused,
                items => ExemptionState::Used { items },
            }
        };
        let text = |text: &crate::config::types::Text| text.to_string();
        let (id, owner, reason) = (text(&exemption.id), text(&exemption.owner), text(&exemption.reason));
        uses.push(ExemptionUse { id, owner, reason, state });
    }
    uses
}

fn covers(exemption: &Exemption, item: &Item) -> bool {
    let verdict = exemption.verdict.is_none_or(|verdict| match verdict {
        VerdictName::Changed => matches!(item.verdict, Verdict::Changed | Verdict::Reordered),
        VerdictName::Missing => item.verdict == Verdict::Missing,
        VerdictName::Added => item.verdict == Verdict::Added,
    });
    let object = &item.object;
    let (group, kind) = (Some(object.gvk.group.as_str()), object.gvk.kind.as_str());
    verdict
        && exemption.names(rule(item.class))
        && exemption.covers_object(group, kind, object.namespace.as_deref(), &object.name)
        && exemption.covers_path(&item.path)
}

/// The rule that a difference of a class breaks.
pub fn rule(class: Class) -> &'static str {
    match class {
        Class::Widening => "drift/widening",
        Class::Tightening => "drift/tightening",
        Class::Neutral => "drift/neutral",
        Class::Missing => "drift/missing",
        Class::Terminating => "drift/terminating",
        Class::ImmutableMismatch => "drift/immutable-mismatch",
    }
}

#[cfg(test)]
mod tests {
    use super::super::change::Severity;
    use super::super::kind::{Gvk, ObjectRef};
    use super::*;

    fn item(path: &str) -> Item {
        Item {
            object: ObjectRef {
                gvk: Gvk::new("networking.k8s.io/v1", "NetworkPolicy"),
                namespace: Some("tenant-acme".into()),
                name: "default-deny".into(),
            },
            tenant: Some("acme".into()),
            path: path.into(),
            pointer: None,
            verdict: Verdict::Added,
            class: Class::Widening,
            severity: Severity::High,
            expected: None,
            found: None,
            effect: "x".into(),
            place: None,
            writer: None,
            exemption: None,
            pending: None,
            since: None,
        }
    }

    fn exemption(changes: serde_json::Value) -> Exemption {
        let mut json = serde_json::json!({"id": "e", "rule": "drift/*", "owner": "o", "reason": "r", "expires": "2026-06-30",
            "kind": "NetworkPolicy", "name": "default-deny"});
        for (key, value) in changes.as_object().unwrap() {
            json[key] = value.clone();
        }
        serde_json::from_value(json).unwrap()
    }

    fn state(changes: serde_json::Value, today: &str) -> (ExemptionState, bool) {
        let mut items = [item("spec.ingress[1]")];
        let uses = apply(&mut items, &[exemption(changes)], today.parse().unwrap(), true);
        (uses[0].state.clone(), items[0].is_drift())
    }

    #[test]
    fn it_covers_what_it_names_until_its_day_is_over() {
        use serde_json::json;
        let used = ExemptionState::Used { items: 1 };
        for changes in [
            json!({}),
            json!({"namespace": "tenant-*"}),
            json!({"name": "*-deny", "path": "spec.ingress"}),
            json!({"kind": "networking.k8s.io/NetworkPolicy", "verdict": "added"}),
            json!({"rule": "drift/widening"}),
        ] {
            assert_eq!(state(changes.clone(), "2026-06-30"), (used.clone(), false), "{changes}");
        }
        for changes in [
            json!({"namespace": "tenant-b*"}),
            json!({"name": "deny"}),
            json!({"path": "spec.ing"}),
            json!({"path": "spec.ingress[1].from"}),
            json!({"kind": "cilium.io/NetworkPolicy"}),
            json!({"verdict": "missing"}),
            json!({"rule": "drift/tightening"}),
        ] {
            assert_eq!(state(changes.clone(), "2026-06-30"), (ExemptionState::Unused, true), "{changes}");
        }
        let expired = ExemptionState::Expired { on: "2026-06-30".parse().unwrap() };
        assert_eq!(state(json!({}), "2026-07-01"), (expired, true));
    }

    #[test]
    fn the_file_is_read_whole_or_refused() {
        let head = "apiVersion: tenantry.io/v1\nkind: Exemptions\nexemptions:\n";
        let good = "- {id: a, rule: drift/*, owner: o, reason: r, expires: 2026-06-30, kind: NetworkPolicy, name: x}\n";
        let read = |text: String| read(&std::collections::BTreeMap::from([(FILE.to_owned(), text.into_bytes())]));
        assert_eq!(super::read(&std::collections::BTreeMap::new()), Ok(Vec::new()));
        assert_eq!(read(format!("{head}{good}")).map(|all| all.len()), Ok(1));
        // Trees of before the rules were named.
        let earlier = format!("{head}{good}").replace("kind: Exemptions", "kind: DriftExemptions");
        assert_eq!(read(earlier.replace("rule: drift/*, ", "")).map(|all| all.len()), Ok(1));
        for broken in [
            format!("{head}{}", good.replace("rule: drift/*, ", "")),
            format!("{head}{}", good.replace("drift/*", "network/*")),
            format!("{head}{}", good.replace("drift/*", "drift/unread")),
            format!("{head}{}", good.replace("name: x", "name: x, file: install.yaml")),
            format!("{head}{good}{}", good.replace("name: x", "name: '*'")),
            format!("{head}{}", good.replace("owner: o, ", "")),
            format!("{head}{}", good.replace("2026-06-30", "soon")),
            format!("{head}{}", good.replace("id: a", "id: a, until: ever")),
            good.to_owned(),
            format!("{head}{good}---\n{head}{good}"),
            format!("{head}{good}").replace("io/v1", "io/v2"),
        ] {
            assert!(read(broken.clone()).is_err_and(|problems| !problems.is_empty()), "{broken}");
        }
    }

    #[test]
    fn in_a_part_of_the_fleet_nothing_is_called_unused() {
        let uses = apply(&mut [], &[exemption(serde_json::json!({}))], "2026-01-01".parse().unwrap(), false);
        assert_eq!(uses, []);
    }
}
