//! Access: roles, bindings, accounts.

use super::super::change::{Class, Severity, Verdict};
use super::super::diff::{Change, Step};
use super::super::node::Node;
use super::{Judgement, grants, restricts};

/// A difference in a Role or ClusterRole.
pub fn role(path: &[&str], change: &Change<'_>) -> Judgement {
    let class = match path {
        // Names restrict a rule; without the list it holds for every object.
        ["rules", "[]", "resourceNames"] if whole_list(change) => restricts(change.verdict),
        _ => grants(change.verdict),
    };
    let severity = if change.found.is_some_and(is_sweeping) { Severity::Critical } else { Severity::High };
    Judgement::either(
        class,
        severity,
        "accounts that are bound to it may do more",
        "accounts that are bound to it may do less",
    )
}

/// A difference in a RoleBinding or ClusterRoleBinding.
pub fn binding(path: &[&str], change: &Change<'_>) -> Judgement {
    if let ["roleRef", ..] = path {
        return Judgement::new(Class::Widening, Severity::High, "it grants another role");
    }
    Judgement::either(grants(change.verdict), Severity::High, "somebody else gets the role", "somebody loses the role")
}

/// A difference in a ServiceAccount.
pub fn service_account(path: &[&str], change: &Change<'_>) -> Judgement {
    match path {
        ["automountServiceAccountToken"] => {
            let class = if change.found == Some(&Node::Bool(false)) { Class::Tightening } else { Class::Widening };
            Judgement::either(class, Severity::High, "its pods get an API token", "its pods get no API token")
        }
        _ => Judgement::neutral(Severity::Medium, "its pods get other secrets"),
    }
}

/// A role or binding that Git lacks.
pub fn extra(live: &Node<'_>) -> Judgement {
    let severity = if is_sweeping(live) { Severity::Critical } else { Severity::High };
    Judgement::new(Class::Widening, severity, "it grants access that Git does not")
}

/// Whether it names everything, or the strongest role.
fn is_sweeping(node: &Node<'_>) -> bool {
    match node {
        Node::Text(text) => text == "*" || text == "cluster-admin",
        Node::List(items) => items.iter().any(is_sweeping),
        Node::Map(map) => map.iter().any(|(name, value)| name != "metadata" && is_sweeping(value)),
        _ => false,
    }
}

fn whole_list(change: &Change<'_>) -> bool {
    matches!(change.expected.or(change.found), Some(Node::List(_)))
        && matches!(change.path.0.last(), Some(Step::Field(_)))
        && change.verdict != Verdict::Changed
}

#[cfg(test)]
mod tests {
    use super::super::super::kind::Known;
    use super::super::tests::judged;
    use super::*;

    #[test]
    fn roles_are_judged_by_what_they_grant() {
        use Class::{Tightening, Widening};
        let role = |rule: &str| format!(r#"{{"rules":[{{"resources":["pods"],{rule}}}]}}"#);
        for (desired, live, class, severity) in [
            (r#""verbs":["get"]"#, r#""verbs":["get","*"]"#, Widening, Severity::Critical),
            (r#""verbs":["get"]"#, r#""verbs":["get","list"]"#, Widening, Severity::High),
            (r#""verbs":["get","list"]"#, r#""verbs":["get"]"#, Tightening, Severity::Medium),
            (r#""resourceNames":["a"]"#, r#""x":1,"resourceNames":["a"]"#, Widening, Severity::High),
            (r#""resourceNames":["a"],"verbs":["get"]"#, r#""verbs":["get"]"#, Widening, Severity::High),
            (r#""verbs":["get"]"#, r#""resourceNames":["a"],"verbs":["get"]"#, Tightening, Severity::Medium),
            (r#""resourceNames":["a"]"#, r#""resourceNames":["a","b"]"#, Widening, Severity::High),
        ] {
            assert_eq!(judged(Known::Role, &role(desired), &role(live)), (class, severity), "{desired} {live}");
        }
    }

    #[test]
    fn subjects_and_tokens() {
        let binding = |subjects: &str| format!(r#"{{"subjects":[{subjects}]}}"#);
        let (a, b) = (r#"{"kind":"ServiceAccount","name":"a"}"#, r#"{"kind":"ServiceAccount","name":"b"}"#);
        let both = format!("{a},{b}");
        assert_eq!(judged(Known::RoleBinding, &binding(a), &binding(&both)).0, Class::Widening);
        assert_eq!(judged(Known::RoleBinding, &binding(&both), &binding(a)).0, Class::Tightening);
        assert_eq!(judged(Known::RoleBinding, &binding(a), &binding(b)).0, Class::Widening);
        let account = |field: &str| format!(r#"{{"x":1{field}}}"#);
        let (off, on) = (r#","automountServiceAccountToken":false"#, r#","automountServiceAccountToken":true"#);
        assert_eq!(judged(Known::ServiceAccount, &account(off), &account(on)).0, Class::Widening);
        assert_eq!(judged(Known::ServiceAccount, &account(off), &account("")).0, Class::Widening);
        assert_eq!(judged(Known::ServiceAccount, &account(""), &account(off)).0, Class::Tightening);
    }
}
