//! Network policies: what traffic a difference lets through.

use ipnet::IpNet;

use super::super::change::{Class, Severity, Verdict};
use super::super::diff::Change;
use super::super::node::Node;
use super::{Judgement, grants, opposite, restricts};

/// A difference in a `networking.k8s.io` NetworkPolicy.
pub fn policy(path: &[&str], change: &Change<'_>) -> Judgement {
    let (opens, closes) = words(path);
    let class = match path {
        ["spec", "policyTypes", ..] => restricts(change.verdict),
        ["spec", "ingress" | "egress", rest @ ..] => rule(rest, change),
        // Other pods are isolated than Git says, and other pods get what the policy allows.
        _ => return Judgement::new(Class::Widening, Severity::High, "the policy holds for other pods"),
    };
    Judgement::either(class, Severity::High, opens, closes)
}

/// A difference in a Cilium policy.
pub fn cilium(path: &[&str], change: &Change<'_>, desired: &Node<'_>) -> Judgement {
    let below = match path {
        ["spec", rest @ ..] | ["specs", "[]", rest @ ..] => rest,
        _ => return Judgement::new(Class::Widening, Severity::High, "the policy has other rules"),
    };
    let (opens, closes) = words(path);
    let class = match below {
        ["ingress" | "egress", rest @ ..] => cilium_rule(rest, change, desired),
        ["ingressDeny" | "egressDeny", rest @ ..] => opposite(cilium_rule(rest, change, desired)),
        ["enableDefaultDeny", ..] => match change.found {
            Some(Node::Bool(true)) => Class::Tightening,
            _ => Class::Widening,
        },
        ["description"] => return Judgement::neutral(Severity::Low, "only the description differs"),
        _ => return Judgement::new(Class::Widening, Severity::High, "the policy holds for other pods"),
    };
    Judgement::either(class, Severity::High, opens, closes)
}

/// A NetworkPolicy that Git lacks.
pub fn extra_policy(live: &Node<'_>) -> Judgement {
    let rules =
        |direction: &str| live.at(&["spec", direction]).and_then(Node::as_list).is_some_and(|list| !list.is_empty());
    match (rules("ingress"), rules("egress")) {
        (false, false) => Judgement::new(Class::Tightening, Severity::Medium, "it closes traffic that Git leaves open"),
        (true, false) => Judgement::new(Class::Widening, Severity::High, "it lets traffic in that Git does not allow"),
        (false, true) => Judgement::new(Class::Widening, Severity::High, "it lets traffic out that Git does not allow"),
        (true, true) => {
            Judgement::new(Class::Widening, Severity::High, "it lets traffic in and out that Git does not allow")
        }
    }
}

/// A Cilium policy that Git lacks.
pub fn extra_cilium(live: &Node<'_>) -> Judgement {
    let spec = live.get("spec");
    let allows = ["ingress", "egress"].iter().any(|direction| {
        spec.and_then(|spec| spec.get(direction)).and_then(Node::as_list).is_some_and(|list| !list.is_empty())
    });
    if allows || live.get("specs").is_some() {
        return Judgement::new(Class::Widening, Severity::High, "it allows traffic that Git does not");
    }
    Judgement::new(Class::Tightening, Severity::Medium, "it closes traffic that Git leaves open")
}

fn words(path: &[&str]) -> (&'static str, &'static str) {
    let has = |word: &str| path.iter().any(|part| part.starts_with(word));
    match (has("ingress"), has("egress")) {
        (true, _) => ("traffic comes in that Git does not allow", "traffic that Git allows does not come in"),
        (_, true) => ("traffic gets out that Git does not allow", "traffic that Git allows does not get out"),
        _ => ("traffic passes that Git does not allow", "traffic that Git allows does not pass"),
    }
}

/// Below `spec.ingress` or `spec.egress`.
fn rule(path: &[&str], change: &Change<'_>) -> Class {
    match path {
        // The list of rules, or one rule.
        [] | ["[]"] => grants(change.verdict),
        // A rule without peers or ports is one for all of them, so such a list appearing or going is the reverse.
        ["[]", "from" | "to" | "ports"] if is_list(change) => restricts(change.verdict),
        ["[]", "from" | "to" | "ports"] | ["[]", "from" | "to" | "ports", "[]"] => grants(change.verdict),
        ["[]", "ports", "[]", "port"] => restricts(change.verdict),
        ["[]", "ports", "[]", "endPort"] => grows(change),
        ["[]", "ports", ..] => Class::Widening,
        ["[]", "from" | "to", "[]", "ipBlock", "cidr"] => cidr(change),
        ["[]", "from" | "to", "[]", "ipBlock", "except", ..] => restricts(change.verdict),
        ["[]", "from" | "to", "[]", "podSelector", "matchLabels", _] => restricts(change.verdict),
        ["[]", "from" | "to", "[]", "namespaceSelector", "matchLabels", _] => restricts(change.verdict),
        ["[]", "from" | "to", "[]", "podSelector"] => restricts(change.verdict),
        _ => Class::Widening,
    }
}

/// Below `spec.ingress` or `spec.egress` of a Cilium policy.
fn cilium_rule(path: &[&str], change: &Change<'_>, desired: &Node<'_>) -> Class {
    match path {
        [] | ["[]"] => grants(change.verdict),
        ["[]", "toPorts" | "icmps"] if is_list(change) => restricts(change.verdict),
        ["[]", "toPorts", "[]", "rules"] => restricts(change.verdict),
        ["[]", "toPorts", "[]", "rules", _] if is_list(change) => restricts(change.verdict),
        ["[]", "authentication", ..] => restricts(change.verdict),
        ["[]", peers] if is_list(change) && is_peers(peers) => {
            // The only kind of peers restricts the rule; a further kind adds peers to it.
            let others = rule_of(desired, change).is_some_and(|rule| {
                rule.as_map().is_some_and(|map| map.iter().any(|(name, _)| is_peers(name) && name != *peers))
            });
            if others { grants(change.verdict) } else { restricts(change.verdict) }
        }
        ["[]", "fromCIDRSet" | "toCIDRSet", "[]", "cidr"] => cidr(change),
        ["[]", "fromCIDRSet" | "toCIDRSet", "[]", "except", ..] => restricts(change.verdict),
        ["[]", "fromEndpoints" | "toEndpoints", "[]", "matchLabels", _] => restricts(change.verdict),
        _ => grants(change.verdict),
    }
}

fn is_peers(name: &str) -> bool {
    (name.starts_with("from") || name.starts_with("to")) && !matches!(name, "toPorts" | "fromRequires" | "toRequires")
}

/// The rule of Git that a change is in.
fn rule_of<'n>(desired: &'n Node<'n>, change: &Change<'_>) -> Option<&'n Node<'n>> {
    use super::super::diff::Step;
    let mut node = desired;
    for step in &change.path.0 {
        node = match step {
            Step::Field(name) => node.get(name)?,
            Step::Index(index) => return node.as_list()?.get(*index),
            Step::Key(_) => return None,
        };
    }
    None
}

/// Whether the whole list came or went, not one item of it.
fn is_list(change: &Change<'_>) -> bool {
    matches!(change.expected.or(change.found), Some(Node::List(_) | Node::Map(_)))
        && matches!(change.path.0.last(), Some(super::super::diff::Step::Field(_)))
}

fn grows(change: &Change<'_>) -> Class {
    match (change.expected, change.found) {
        (Some(Node::Int(before)), Some(Node::Int(after))) if after < before => Class::Tightening,
        _ => grants(change.verdict),
    }
}

fn cidr(change: &Change<'_>) -> Class {
    let net = |node: Option<&Node<'_>>| node.and_then(Node::as_text).and_then(|text| text.parse::<IpNet>().ok());
    match (change.verdict, net(change.expected), net(change.found)) {
        (Verdict::Changed, Some(before), Some(after)) if before.contains(&after) => Class::Tightening,
        (verdict, ..) => grants(verdict),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::kind::Known;
    use super::super::tests::judged;
    use super::*;

    fn np(spec: &str) -> String {
        format!(r#"{{"spec":{spec}}}"#)
    }

    #[test]
    fn policies_are_judged_by_what_they_let_through() {
        use Class::{Tightening, Widening};
        let rule = |body: &str| {
            np(&format!(
                r#"{{"ingress":[{{"from":[{{"ipBlock":{{"cidr":"10.0.0.0/16"}}}}],"ports":[{{"port":443}}]}}{body}]}}"#
            ))
        };
        let one = |rule: &str| np(&format!(r#"{{"ingress":[{rule}]}}"#));
        for (desired, live, class) in [
            (rule(""), rule(r#",{"from":[{"podSelector":{}}]}"#), Widening),
            (rule(r#",{"from":[{"podSelector":{}}]}"#), rule(""), Tightening),
            (rule(""), rule("").replace("/16", "/8"), Widening),
            (rule(""), rule("").replace("/16", "/24"), Tightening),
            (rule(""), rule("").replace("443", "444"), Widening),
            (one(r#"{"from":[{"podSelector":{}}],"ports":[{"port":1}]}"#), one(r#"{"ports":[{"port":1}]}"#), Widening),
            (
                one(r#"{"ports":[{"port":1}]}"#),
                one(r#"{"from":[{"podSelector":{}}],"ports":[{"port":1}]}"#),
                Tightening,
            ),
            (np(r#"{"policyTypes":["Egress","Ingress"]}"#), np(r#"{"policyTypes":["Ingress"]}"#), Widening),
            (np(r#"{"policyTypes":["Ingress"]}"#), np(r#"{"policyTypes":["Egress","Ingress"]}"#), Tightening),
            (np(r#"{"podSelector":{}}"#), np(r#"{"podSelector":{"matchLabels":{"a":"b"}}}"#), Widening),
            (np(r#"{"x":1}"#), np(r#"{"x":1,"ingress":[{}]}"#), Widening),
            (np(r#"{"x":1,"ingress":[{}]}"#), np(r#"{"x":1}"#), Tightening),
        ] {
            assert_eq!(judged(Known::NetworkPolicy, &desired, &live).0, class, "{desired} {live}");
        }
    }

    #[test]
    fn cilium_policies_are_judged_by_what_they_let_through() {
        use Class::{Tightening, Widening};
        let egress = |rule: &str| np(&format!(r#"{{"egress":[{rule}]}}"#));
        let deny = |rule: &str| np(&format!(r#"{{"egressDeny":[{rule}]}}"#));
        let fqdn = r#"{"toFQDNs":[{"matchName":"a.example"}]}"#;
        let two = r#"{"toFQDNs":[{"matchName":"a.example"},{"matchName":"b.example"}]}"#;
        for (desired, live, class) in [
            (egress(fqdn), egress(two), Widening),
            (egress(two), egress(fqdn), Tightening),
            (egress(fqdn), egress(r#"{"toEntities":["world"],"toFQDNs":[{"matchName":"a.example"}]}"#), Widening),
            (egress(r#"{"toPorts":[{}],"toFQDNs":[{"matchName":"a.example"}]}"#), egress(fqdn), Widening),
            (deny(two), deny(fqdn), Widening),
            (deny(fqdn), deny(two), Tightening),
            (np(r#"{"endpointSelector":{"a":1}}"#), np(r#"{"endpointSelector":{"a":2}}"#), Widening),
        ] {
            assert_eq!(judged(Known::CiliumPolicy, &desired, &live).0, class, "{desired} {live}");
        }
    }

    #[test]
    fn extra_policies_open_unless_they_have_no_rules() {
        let judged = |json: &str| extra_policy(&Node::from_json(json.as_bytes()).unwrap()).class;
        assert_eq!(judged(r#"{"spec":{"ingress":[{}]}}"#), Class::Widening);
        assert_eq!(judged(r#"{"spec":{"policyTypes":["Ingress"]}}"#), Class::Tightening);
    }
}
