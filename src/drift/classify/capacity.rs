//! Capacity: quotas and limits.

use super::super::change::{Class, Severity};
use super::super::diff::Change;
use super::super::node::Node;
use super::super::quantity::parse_milli;
use super::{Judgement, restricts};

/// A difference in a ResourceQuota.
pub fn quota(path: &[&str], change: &Change<'_>) -> Judgement {
    let class = match path {
        ["spec", "hard", _] => bound(change),
        ["spec", "hard"] | ["spec"] => restricts(change.verdict),
        // Scopes: the quota counts other pods.
        _ => Class::Widening,
    };
    Judgement::either(class, Severity::High, "the namespace may use more", "the namespace may use less")
}

/// A difference in a LimitRange.
pub fn limits(path: &[&str], change: &Change<'_>) -> Judgement {
    let class = match path {
        ["spec", "limits", "[]", "max" | "maxLimitRequestRatio", _] => bound(change),
        ["spec", "limits", "[]", "default" | "defaultRequest" | "min", ..] => {
            return Judgement::neutral(Severity::Medium, "containers without limits get other ones");
        }
        _ => restricts(change.verdict),
    };
    Judgement::either(class, Severity::Medium, "containers may ask for more", "containers may ask for less")
}

/// A bound that rose or went is wider.
fn bound(change: &Change<'_>) -> Class {
    let number = |node: Option<&Node<'_>>| node.and_then(Node::as_text).and_then(parse_milli);
    match (number(change.expected), number(change.found)) {
        (Some(before), Some(after)) if after < before => Class::Tightening,
        _ => restricts(change.verdict),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kind::Known;
    use super::super::tests::judged;
    use super::*;

    #[test]
    fn a_bound_that_rises_or_goes_is_wider() {
        let quota = |hard: &str| format!(r#"{{"spec":{{"hard":{{"pods":"1"{hard}}}}}}}"#);
        for (desired, live, class) in [
            (r#","cpu":"900m""#, r#","cpu":"1""#, Class::Widening),
            (r#","cpu":"1""#, r#","cpu":"900m""#, Class::Tightening),
            (r#","cpu":"1""#, "", Class::Widening),
            ("", r#","cpu":"1""#, Class::Tightening),
        ] {
            assert_eq!(judged(Known::ResourceQuota, &quota(desired), &quota(live)).0, class, "{desired} {live}");
        }
        let range = |max: &str| format!(r#"{{"spec":{{"limits":[{{"type":"Container"{max}}}]}}}}"#);
        let (small, large) = (range(r#","max":{"cpu":"1"}"#), range(r#","max":{"cpu":"2"}"#));
        assert_eq!(judged(Known::LimitRange, &small, &large).0, Class::Widening);
        assert_eq!(judged(Known::LimitRange, &large, &small).0, Class::Tightening);
        assert_eq!(judged(Known::LimitRange, &small, &range("")).0, Class::Widening);
    }
}
