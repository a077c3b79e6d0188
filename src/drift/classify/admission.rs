//! Admission: which requests a difference lets pass.

use super::super::change::{Class, Severity};
use super::super::diff::Change;
use super::super::node::Node;
use super::{Judgement, grants, opposite, restricts};

/// A difference in an admission policy, its binding, or a webhook.
pub fn policy(path: &[&str], change: &Change<'_>) -> Judgement {
    let below = match path {
        ["spec", rest @ ..] | ["webhooks", "[]", rest @ ..] => rest,
        other => other,
    };
    let class = match below {
        ["failurePolicy"] => {
            if change.found.and_then(Node::as_text) == Some("Fail") {
                Class::Tightening
            } else {
                Class::Widening
            }
        }
        ["validationActions"] => actions(change),
        ["matchConstraints" | "matchResources", rest @ ..] => scope(rest, change),
        ["rules", ..] => restricts(change.verdict),
        // Conditions narrow what is judged at all.
        ["matchConditions", ..] => opposite(restricts(change.verdict)),
        ["auditAnnotations", ..] => {
            return Judgement::neutral(Severity::Low, "other things are noted in the audit log");
        }
        ["validations", "[]", "message" | "messageExpression" | "reason"] => {
            return Judgement::neutral(Severity::Low, "refusals are worded differently");
        }
        _ => restricts(change.verdict),
    };
    let (opens, closes) = ("requests are admitted that Git refuses", "requests are refused that Git admits");
    // An expression that changed restricts something else: treated as wider, since nobody can tell.
    Judgement::either(class, Severity::High, opens, closes)
}

/// `Deny` refuses; `Warn` and `Audit` only tell.
fn actions(change: &Change<'_>) -> Class {
    let denies = |node: Option<&Node<'_>>| match node {
        Some(Node::List(items)) => items.iter().any(|item| item.as_text() == Some("Deny")),
        Some(node) => node.as_text() == Some("Deny"),
        None => false,
    };
    match (denies(change.expected), denies(change.found)) {
        (true, false) => Class::Widening,
        (false, true) => Class::Tightening,
        _ => Class::Neutral,
    }
}

/// Below `matchConstraints` or `matchResources`: what is judged.
fn scope(path: &[&str], change: &Change<'_>) -> Class {
    match path {
        ["resourceRules", "[]", "resourceNames", ..] | ["excludeResourceRules", ..] => grants(change.verdict),
        ["resourceRules", ..] => restricts(change.verdict),
        // Selectors, match policy: other requests are judged than Git says.
        _ => Class::Widening,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kind::Known;
    use super::super::tests::judged;
    use super::*;

    #[test]
    fn policies_are_judged_by_what_they_refuse() {
        use Class::{Neutral, Tightening, Widening};
        let spec = |body: &str| format!(r#"{{"spec":{{{body}}}}}"#);
        for (kind, desired, live, class) in [
            (Known::AdmissionPolicy, r#""failurePolicy":"Fail""#, r#""failurePolicy":"Ignore""#, Widening),
            (Known::AdmissionPolicy, r#""failurePolicy":"Ignore""#, r#""failurePolicy":"Fail""#, Tightening),
            (
                Known::AdmissionPolicy,
                r#""validations":[{"expression":"a"},{"expression":"b"}]"#,
                r#""validations":[{"expression":"a"}]"#,
                Widening,
            ),
            (
                Known::AdmissionPolicy,
                r#""validations":[{"expression":"a"}]"#,
                r#""validations":[{"expression":"true"}]"#,
                Widening,
            ),
            (
                Known::AdmissionPolicy,
                r#""matchConditions":[]"#,
                r#""matchConditions":[{"expression":"false","name":"x"}]"#,
                Widening,
            ),
            (
                Known::AdmissionPolicyBinding,
                r#""validationActions":["Audit","Deny"]"#,
                r#""validationActions":["Audit"]"#,
                Widening,
            ),
            (
                Known::AdmissionPolicyBinding,
                r#""validationActions":["Audit"]"#,
                r#""validationActions":["Audit","Deny"]"#,
                Tightening,
            ),
            (
                Known::AdmissionPolicyBinding,
                r#""validationActions":["Audit","Deny"]"#,
                r#""validationActions":["Audit","Deny","Warn"]"#,
                Neutral,
            ),
            (
                Known::AdmissionPolicy,
                r#""matchConstraints":{"namespaceSelector":{}}"#,
                r#""matchConstraints":{"namespaceSelector":{"matchLabels":{"a":"b"}}}"#,
                Widening,
            ),
        ] {
            assert_eq!(judged(kind, &spec(desired), &spec(live)).0, class, "{desired} {live}");
        }
    }
}
