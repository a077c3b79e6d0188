//! Faults planted into the repository's own fleet, and near misses.

use std::collections::BTreeSet;

use super::*;
use crate::check::tests::rendered;
use crate::render::tests::source;

const ACCOUNTS: &str = include_str!("../../../templates/tenant/rbac.yaml.tera");
const POLICIES: &str = include_str!("../../../templates/tenant/network-policies.yaml.tera");
const NAMESPACE: &str = include_str!("../../../templates/tenant/namespace.yaml.tera");

/// Rule, class and place of what is said about the repository's own fleet with some files put in.
fn told(files: &[(&str, &str)]) -> BTreeSet<(&'static str, Class, String)> {
    let mut source = source();
    source.files.extend(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    let Outcome::Ran(findings) = rendered(&source, check) else { panic!("not checked") };
    let place = |finding: &Finding| finding.location.as_ref().map(ToString::to_string).unwrap_or_default();
    findings.iter().map(|finding| (finding.rule, finding.class, place(finding))).collect()
}

fn line_of(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).unwrap() + 1
}

#[test]
fn what_a_policy_refuses_is_told_at_its_line_whether_policies_are_shipped_or_not() {
    let path = "templates/tenant/rbac.yaml.tera";
    let wide = ACCOUNTS.replacen("verbs: [get]", "verbs: [\"*\"]", 1);
    let role = format!("{path}:{}:1", line_of(&wide, "kind: Role"));
    let expected = BTreeSet::from([("policy/denied", Class::Check, role)]);
    assert_eq!(told(&[(path, &wide)]), expected);
    let unshipped = source().text("install.yaml").unwrap().replace("engine: vap", "engine: none");
    assert_eq!(told(&[(path, &wide), ("install.yaml", &unshipped)]), expected);
    // A near miss: another verb by name.
    let fine = ACCOUNTS.replacen("verbs: [get]", "verbs: [get, watch]", 1);
    assert_eq!(told(&[(path, &fine)]), BTreeSet::new());
}

#[test]
fn a_refused_value_is_told_at_the_value() {
    let path = "templates/tenant/namespace.yaml.tera";
    // The slug decides the name; a label by the name of the customer is none of the contract's.
    let text = NAMESPACE.replace(
        "  labels: {{ namespace_labels | yaml }}\n",
        "  labels:\n    managed-by: soctalk\n    tier: {{ tenant.tier }}\n",
    );
    let found = told(&[(path, &text)]);
    assert!(
        !found.is_empty() && found.iter().all(|(rule, class, _)| (*rule, *class) == ("policy/denied", Class::Check)),
        "{found:?}"
    );
}

#[test]
fn a_namespace_that_is_not_closed_first_is_told() {
    let path = "templates/tenant/network-policies.yaml.tera";
    let open = POLICIES.replacen("policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]", 1);
    let place = format!("{path}:{}:1", line_of(&open, "policyTypes: [Ingress]"));
    assert_eq!(told(&[(path, &open)]), BTreeSet::from([("policy/default-deny", Class::Check, place)]));
    let fine = POLICIES.replacen("policyTypes: [Ingress, Egress]", "policyTypes: [Egress, Ingress]", 1);
    assert_eq!(told(&[(path, &fine)]), BTreeSet::new());
}

#[test]
fn a_case_that_comes_out_otherwise_is_told() {
    let source = source();
    let denied = source.text("policies/admission/cases/soctalk-images/deny-tag.yaml").unwrap();
    let allowed = source.text("policies/admission/cases/soctalk-images/allow-digest.yaml").unwrap();
    let case = |folder: &str, name: &str, text: &str, class: Class| {
        let path = format!("{CASES}{folder}/{name}.yaml");
        assert_eq!(told(&[(&path, text)]), BTreeSet::from([("policy/case", class, format!("{path}:1:1"))]));
    };
    case("soctalk-images", "allow-tag", denied, Class::Check);
    case("soctalk-images", "deny-digest", allowed, Class::Check);
    case("soctalk-images", "perhaps", allowed, Class::Invalid);
    case("no-such-policy", "allow-digest", allowed, Class::Invalid);
}

#[test]
fn what_only_a_server_can_tell_never_passes_unless_the_policy_says_so() {
    let path = "policies/admission/more.yaml";
    let policy = |annotation: &str, expression: &str, bound: bool| {
        let binding = "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: { name: more }\nspec: { policyName: more, validationActions: [Deny] }\n";
        format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata:\n  name: more\n{annotation}spec:\n  matchConstraints:\n    resourceRules:\n      - {{ apiGroups: [\"\"], apiVersions: [v1], operations: [CREATE], resources: [resourcequotas] }}\n  validations:\n    - expression: \"{expression}\"\n{}",
            if bound { binding } else { "" }
        )
    };
    let asks = "authorizer.group('').resource('pods').check('get').allowed()";
    let rules = |text: &str| -> BTreeSet<(&'static str, Class)> {
        told(&[(path, text)]).into_iter().map(|(rule, class, _)| (rule, class)).collect()
    };
    assert_eq!(rules(&policy("", asks, true)), BTreeSet::from([("policy/not-checkable", Class::Incomplete)]));
    let excuse = "  annotations: { tenantry.io/server-only: it asks who may read pods }\n";
    assert_eq!(rules(&policy(excuse, asks, true)), BTreeSet::from([("policy/server-only", Class::Check)]));
    assert_eq!(rules(&policy("", "true", false)), BTreeSet::from([("policy/unbound", Class::Check)]));
    assert_eq!(rules(&policy("", "true &&", true)), BTreeSet::from([("policy/invalid", Class::Invalid)]));
    assert_eq!(rules(&policy("", "has(object.spec.hard)", true)), BTreeSet::new());
}

#[test]
fn every_policy_has_cases_on_both_sides() {
    let source = source();
    let (fleet, _) = config::parse(&source);
    let fleet = fleet.unwrap();
    let paths: Vec<&str> = source.below(CASES).map(|(path, _)| &path[CASES.len()..]).collect();
    let policies = admission::policies(fleet.policies.iter().map(|policy| &policy.value));
    assert!(policies.len() > 10);
    for policy in policies {
        let name = policy.unwrap().name;
        for side in ["allow-", "deny-"] {
            assert!(paths.iter().any(|path| path.starts_with(&format!("{name}/{side}"))), "{name} has no case {side}");
        }
    }
}

#[test]
fn what_a_policy_says_of_a_namespace_holds_on_its_cluster_only() {
    let path = "policies/admission/more.yaml";
    let text = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: { name: more }\nspec:\n  matchConstraints:\n    resourceRules:\n      - { apiGroups: [\"\"], apiVersions: [v1], operations: [CREATE], resources: [resourcequotas] }\n  validations:\n    - expression: \"namespaceObject.metadata.labels['zone'] == 'a'\"\n---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: { name: more }\nspec: { policyName: more, validationActions: [Deny] }\n";
    let mut source = source();
    source.files.insert(path.into(), text.into());
    rendered(&source, |input| {
        let unit = input.units.iter().find(|unit| unit.path == "clusters/eu-1/tenants/acme").unwrap();
        let elsewhere = RenderedUnit { path: "clusters/x/tenants/acme".into(), ..unit.clone() };
        let namespace = |zone: &str| {
            let object = serde_json::json!({"metadata": {"name": "tenant-acme", "labels": {"zone": zone}}});
            let labels = admission::labels_of_namespace(&object, "tenant-acme");
            BTreeMap::from([("tenant-acme".to_owned(), (object, labels))])
        };
        let namespaces = Namespaces::from([("eu-1".into(), namespace("a")), ("x".into(), namespace("b"))]);
        let catalog = of_fleet(input.source).unwrap();
        let policies = read(input, &mut Vec::new());
        let more = policies.iter().filter(|policy| policy.name == "more").collect();
        let guard = Guard::new(&catalog, more, &namespaces, "somebody");
        let refused = |unit: &RenderedUnit| guard.of_unit(0, unit).len();
        assert_eq!((refused(unit), refused(&elsewhere)), (0, 1));
        Outcome::Ran(Vec::new())
    });
}
