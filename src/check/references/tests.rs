use std::collections::BTreeMap;

use super::*;
use crate::check::tests::{beside, rendered};
use crate::finding::Finding;
use crate::memo::Memo;
use crate::render::{self, tests::source};
use crate::source::Source;

/// A slip: the file with the program's text of a template or the fleet's own of another file, what stands there, what
/// somebody wrote instead.
type Slip = (&'static str, &'static str, &'static str);

fn slipped(slips: &[Slip]) -> Source {
    let mut source = source();
    for (file, from, to) in slips {
        let name = file.trim_start_matches("templates/");
        let own = source.text(file).map(str::to_owned);
        let text = own.unwrap_or_else(|| render::embedded(name).unwrap().to_owned());
        assert!(text.contains(from), "{file} has no {from}");
        source.files.insert((*file).to_owned(), text.replacen(from, to, 1));
    }
    source
}

fn found(source: &Source) -> Vec<Finding> {
    match rendered(source, check) {
        Outcome::Ran(findings) => findings,
        other => panic!("{other:?}"),
    }
}

/// Rule and `file:line` of each.
fn told(findings: &[Finding]) -> BTreeSet<(&'static str, String)> {
    let place = |finding: &Finding| {
        finding.location.as_ref().map(|place| format!("{}:{}", place.file, place.line)).unwrap_or_default()
    };
    findings.iter().map(|finding| (finding.rule, place(finding))).collect()
}

/// The line that a slip wrote.
fn line(source: &Source, (file, from, to): &Slip) -> String {
    let needle = to.lines().find(|line| !from.lines().any(|own| own == *line)).unwrap();
    let line = source.text(file).unwrap().lines().position(|line| line.contains(needle)).unwrap() + 1;
    format!("{file}:{line}")
}

#[test]
fn the_repository_names_nothing_that_is_not_there() {
    assert_eq!(found(&source()), []);
}

#[test]
fn every_slip_is_told_at_the_line_that_somebody_wrote() {
    let missing: [Slip; 12] = [
        ("templates/partials/secrets.yaml.tera", "    name: backend\n", "    name: backend-eu\n"),
        ("templates/partials/secrets.yaml.tera", "- name: backend-primary", "- name: backend-main"),
        ("templates/tenant/certificates.yaml.tera", "    name: wazuh-selfsigned\n---", "    name: wazuh-selfsign\n---"),
        (
            "templates/tenant/certificates.yaml.tera",
            "kind: ClusterIssuer\n    name: {{ certificates.issuer }}",
            "kind: ClusterIssuer\n    name: letsencrypt-prd",
        ),
        (
            "templates/partials/helmrelease.yaml.tera",
            "serviceAccountName: helm-deployer",
            "serviceAccountName: helm-deployers",
        ),
        (
            "templates/partials/helmrelease.yaml.tera",
            "kind: OCIRepository\n    name: {{ helm.name }}",
            "kind: OCIRepository\n    name: soctalk",
        ),
        ("templates/tenant/system.yaml.tera", "name: soctalk-orchestrator-sa", "name: soctalk-orchestrator-s"),
        ("templates/flux/kustomization.yaml.tera", "    name: tenantry\n", "    name: tenants\n"),
        ("templates/flux/kustomization.yaml.tera", "name: {{ unit.depends_on }}", "name: soctalk"),
        ("templates/flux/kustomization.yaml.tera", "path: {{ unit.path }}", "path: ./clusters/eu-1/tenants"),
        (
            "templates/system/drift.yaml.tera",
            "serviceAccountName: tenantry-drift-sa",
            "serviceAccountName: tenantry-drift",
        ),
        ("tenants/everglade.yaml", "storageClassName: fast-ssd", "storageClassName: fast-sdd"),
    ];
    for slip in missing {
        let source = slipped(&[slip]);
        let findings = found(&source);
        let expected = ("reference/missing", line(&source, &slip));
        assert!(told(&findings).contains(&expected), "{slip:?}: {findings:#?}");
        assert!(findings.len() <= 2, "one slip is told once: {slip:?}: {findings:#?}");
    }
}

#[test]
fn what_no_longer_makes_what_pods_need_is_told_where_it_departs() {
    let slip = (
        "templates/partials/secrets.yaml.tera",
        "    name: {{ secret.name }}\n    creation",
        "    name: {{ secret.name ~ \"-2\" }}\n    creation",
    );
    let source = slipped(&[slip]);
    let findings = found(&source);
    let at = source.text(slip.0).unwrap().lines().position(|line| line.contains("~ \"-2\"")).unwrap() + 1;
    let told = told(&findings);
    for rule in ["reference/unmade", "reference/missing"] {
        assert!(told.contains(&(rule, format!("{}:{at}", slip.0))), "{rule}: {findings:#?}");
    }
    let slip = ("templates/tenant/certificates.yaml.tera", "secretName: wazuh-certs", "secretName: wazuh-cert");
    let source = slipped(&[slip]);
    assert!(found(&source).iter().any(|finding| finding.message.contains("Secret tenant-acme/wazuh-certs")));
}

#[test]
fn what_belongs_to_another_tenant_is_no_tenants_to_name() {
    let path = "templates/tenant/rbac.yaml.tera";
    let text = render::embedded("tenant/rbac.yaml.tera").unwrap();
    let at = text.rfind("    namespace: {{ tenant.namespace }}").unwrap();
    let mut source = source();
    let text = format!(
        "{}    namespace: tenant-acme{}",
        &text[..at],
        &text[at + "    namespace: {{ tenant.namespace }}".len()..]
    );
    source.files.insert(path.into(), text.clone());
    let line = text.lines().position(|line| line.contains("namespace: tenant-acme")).unwrap() + 1;
    let findings = found(&source);
    assert!(told(&findings).contains(&("reference/foreign", format!("{path}:{line}"))), "{findings:#?}");
}

#[test]
fn what_the_platform_brings_may_be_named() {
    let class: Slip = ("tenants/everglade.yaml", "storageClassName: fast-ssd", "storageClassName: nvme");
    let given = |kind: &str, more: &str| -> Slip {
        let text = format!("provided:\n  - {{ kind: {kind}, name: nvme{more} }}");
        ("install.yaml", "provided:", Box::leak(text.into_boxed_str()))
    };
    let told_with = |slips: &[Slip]| {
        let text = slipped(slips);
        found(&text).len()
    };
    // The comment behind the word stays a comment of the line.
    let fix =
        |slip: Slip| -> Slip { (slip.0, "provided: # what", Box::leak(format!("{} # what", slip.2).into_boxed_str())) };
    assert_eq!(told_with(&[class]), 1);
    assert_eq!(told_with(&[class, fix(given("StorageClass", ""))]), 0);
    assert_eq!(told_with(&[class, fix(given("StorageClass", ", clusters: [us-1]"))]), 0, "everglade is there");
    assert_eq!(told_with(&[class, fix(given("StorageClass", ", clusters: [eu-1]"))]), 1, "it is not there");
    assert_eq!(told_with(&[class, fix(given("PriorityClass", ""))]), 1, "another kind");
    let policy: Slip = ("policies/admission/images.yaml", "policyName: soctalk-images", "policyName: soctalk-image");
    let source = slipped(&[policy]);
    assert_eq!(told(&found(&source)), BTreeSet::from([("reference/missing", line(&source, &policy))]));
}

/// What is found beside what is recorded, the inputs of the units that were rendered, and their number.
fn judged(
    source: &Source,
    memo: &Memo,
    recorded: &BTreeMap<String, Digest>,
) -> (Vec<Finding>, BTreeMap<String, Digest>, usize) {
    beside(source, memo, recorded, |input| {
        let made = input.units.iter().map(|unit| (unit.path.clone(), unit.inputs)).collect();
        match check(input) {
            Outcome::Ran(findings) => (findings, made, input.units.len()),
            other => panic!("{other:?}"),
        }
    })
}

#[test]
fn units_that_stay_are_judged_beside_what_is_shared_now() {
    let memo = Memo::default();
    let (findings, recorded, all) = judged(&source(), &memo, &BTreeMap::new());
    assert_eq!((findings, all), (Vec::new(), 12));
    let build = Digest::of(b"build");
    let memo = Memo::decode(memo.encode([], &build).unwrap(), &build);
    // One tenant changes: the others stay, and are not even looked at.
    let one = slipped(&[("tenants/acme.yaml", "displayName: Acme Corp", "displayName: Acme")]);
    let (findings, _, rendered) = judged(&one, &memo, &recorded);
    assert_eq!((findings, rendered), (Vec::new(), 1));
    let wrong = slipped(&[(
        "tenants/acme.yaml",
        "cluster: eu-1",
        "cluster: eu-1\ncomponents:\n  thehive:\n    persistence:\n      storageClassName: fats",
    )]);
    let (findings, ..) = judged(&wrong, &memo, &recorded);
    assert_eq!(told(&findings), BTreeSet::from([("reference/missing", "tenants/acme.yaml:13".into())]));
    // What all share loses what a tenant that stays names: its class is no longer brought by the platform.
    let gone = slipped(&[
        ("install.yaml", "name: fast-ssd", "name: slow-hdd"),
        ("tenants/glacier.yaml", "Glacier Tours", "Glacier"),
    ]);
    let (findings, ..) = judged(&gone, &memo, &recorded);
    assert_eq!(
        told(&findings),
        BTreeSet::from([("reference/missing", "tenants/everglade.yaml:23".into())]),
        "{findings:#?}"
    );
}
