//! Exemptions: drift that somebody answers for, for a time. They stand in Git and nowhere else.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::change::{Item, Place, Verdict};
use super::desired::{Files, Problem};
use super::yaml;

/// The file that holds them, in the folder of the cluster.
pub const FILE: &str = "exemptions.yaml";

/// What the file holds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: String,
    kind: String,
    exemptions: Vec<Exemption>,
}

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
    let documents = yaml::parse(&text).map_err(|error| vec![problem(error.line, error.reason)])?;
    let [document] = documents.as_slice() else {
        return Err(vec![problem(1, "it must hold one document".to_owned())]);
    };
    let file: File = serde_json::from_str(&document.root.to_string())
        .map_err(|error| vec![problem(document.line, format!("it is no list of exemptions: {error}"))])?;
    let mut problems = Vec::new();
    if (file.api_version.as_str(), file.kind.as_str()) != ("tenantry.io/v1", "DriftExemptions") {
        problems.push(problem(document.line, "it must be tenantry.io/v1 DriftExemptions".to_owned()));
    }
    for (index, exemption) in file.exemptions.iter().enumerate() {
        let place = format!("exemptions[{index}] {}", exemption.id);
        problems
            .extend(exemption.faults().into_iter().map(|fault| problem(document.line, format!("{place}: {fault}"))));
    }
    if problems.is_empty() { Ok(file.exemptions) } else { Err(problems) }
}

/// One exemption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exemption {
    /// Its name in reports.
    pub id: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it is fine.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: Date,
    /// The kind: `NetworkPolicy`, or `cilium.io/CiliumNetworkPolicy`.
    pub kind: String,
    /// The object's name; `*` stands for any text.
    pub name: String,
    /// The object's namespace, likewise; without it any, and objects of the cluster.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The field and all below it; without it every difference of the object.
    #[serde(default)]
    pub path: Option<String>,
    /// Only this kind of difference.
    #[serde(default)]
    pub verdict: Option<VerdictName>,
}

/// A verdict, as an exemption names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the names of [`Verdict`]
pub enum VerdictName {
    Changed,
    Missing,
    Added,
}

/// What became of an exemption in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
        on: Date,
    },
}

/// Marks the items that an exemption covers, and tells what became of each exemption.
///
/// `whole` says that the run saw everything; in a part, an exemption that covers nothing is not called unused.
pub fn apply(items: &mut [Item], exemptions: &[Exemption], today: Date, whole: bool) -> Vec<ExemptionUse> {
    let mut uses = Vec::new();
    for exemption in exemptions {
        let state = if exemption.expires < today {
            ExemptionState::Expired { on: exemption.expires }
        } else {
            let covered = items.iter_mut().filter(|item| exemption.covers(item));
            let covered: usize = covered.map(|item| item.exemption = Some(exemption.id.clone())).count();
            match covered {
                0 if !whole => continue,
                0 => ExemptionState::Unused,
                items => ExemptionState::Used { items },
            }
        };
        let Exemption { id, owner, reason, .. } = exemption.clone();
        uses.push(ExemptionUse { id, owner, reason, state });
    }
    uses
}

impl Exemption {
    /// What is wrong with it, in words; empty if nothing is.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (field, value) in [("id", &self.id), ("owner", &self.owner), ("reason", &self.reason), ("kind", &self.kind)]
        {
            if value.trim().is_empty() {
                faults.push(format!("{field} is empty"));
            }
        }
        if self.kind.contains('*') {
            faults.push("kind must be one kind".to_owned());
        }
        let any = |pattern: &str| pattern.chars().all(|c| c == '*');
        if any(&self.name) && self.namespace.as_deref().is_none_or(any) && self.path.is_none() {
            faults.push("it exempts every object of the kind: name an object, a namespace or a path".to_owned());
        }
        faults
    }

    fn covers(&self, item: &Item) -> bool {
        let kind = match self.kind.split_once('/') {
            Some((group, kind)) => item.object.gvk.group == group && item.object.gvk.kind == kind,
            None => item.object.gvk.kind == self.kind,
        };
        let verdict = self.verdict.is_none_or(|verdict| match verdict {
            VerdictName::Changed => matches!(item.verdict, Verdict::Changed | Verdict::Reordered),
            VerdictName::Missing => item.verdict == Verdict::Missing,
            VerdictName::Added => item.verdict == Verdict::Added,
        });
        let namespace = match (&self.namespace, &item.object.namespace) {
            (None, _) => true,
            (Some(pattern), Some(namespace)) => matches(pattern, namespace),
            (Some(_), None) => false,
        };
        kind && verdict && namespace && matches(&self.name, &item.object.name) && self.covers_path(&item.path)
    }

    fn covers_path(&self, path: &str) -> bool {
        let Some(prefix) = &self.path else { return true };
        path.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

/// Whether a text fits a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
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
    use super::super::change::{Class, Severity};
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
        let mut json = serde_json::json!({"id": "e", "owner": "o", "reason": "r", "expires": "2026-06-30",
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
        ] {
            assert_eq!(state(changes.clone(), "2026-06-30"), (ExemptionState::Unused, true), "{changes}");
        }
        let expired = ExemptionState::Expired { on: "2026-06-30".parse().unwrap() };
        assert_eq!(state(json!({}), "2026-07-01"), (expired, true));
    }

    #[test]
    fn one_that_exempts_everything_is_refused() {
        use serde_json::json;
        assert_eq!(exemption(json!({})).faults(), Vec::<String>::new());
        for changes in
            [json!({"name": "*"}), json!({"owner": " "}), json!({"kind": "*"}), json!({"name": "**", "namespace": "*"})]
        {
            assert!(!exemption(changes.clone()).faults().is_empty(), "{changes}");
        }
        assert!(exemption(json!({"name": "*", "namespace": "tenant-acme"})).faults().is_empty());
    }

    #[test]
    fn the_file_is_read_whole_or_refused() {
        let head = "apiVersion: tenantry.io/v1\nkind: DriftExemptions\nexemptions:\n";
        let good = "- {id: a, owner: o, reason: r, expires: 2026-06-30, kind: NetworkPolicy, name: x}\n";
        let read = |text: String| read(&std::collections::BTreeMap::from([(FILE.to_owned(), text.into_bytes())]));
        assert_eq!(super::read(&std::collections::BTreeMap::new()), Ok(Vec::new()));
        assert_eq!(read(format!("{head}{good}")).map(|all| all.len()), Ok(1));
        for broken in [
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
