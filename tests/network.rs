//! Hand-written truth for the reachability engine: each directory of `tests/network/cases` has manifests and the
//! verdicts that the named source documents for them.
//!
//! `expected.txt` has one statement a line:
//!
//! - `source:` where the truth comes from, `profile:` one or both profiles, and settings (`cilium:`, `labels:`,
//!   `pod-cidr:`, `node-cidr:`, `api-server:`, `cidr-matches-nodes:`);
//! - `flow: SRC => DST : CONN` what surely flows, `possible: …` what may flow in addition;
//! - `service: SRC => DST PROTOCOL PORT : allowed|refused`;
//! - `list:` the complete list of connections, to the end of the file;
//! - `void: TEXT`, `refused: TEXT`, `finding: RULE` what the engine has to say.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by its panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tenantry::network::{
    self, CiliumVersion, End, Explanation, Filter, LabelFilter, Model, Profile, Protocol, Refusals, Settings,
};

struct Case {
    name: String,
    profile: Profile,
    settings: Settings,
    statements: Vec<(String, String)>,
    list: Option<String>,
    manifests: String,
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network/cases");
    let mut directories: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    directories.sort();
    directories.iter().flat_map(|directory| read(directory)).collect()
}

fn read(directory: &Path) -> Vec<Case> {
    let name = directory.file_name().unwrap().to_string_lossy().into_owned();
    let expected = fs::read_to_string(directory.join("expected.txt")).unwrap();
    let manifests = fs::read_to_string(directory.join("manifests.yaml")).unwrap();
    let (head, list) = match expected.split_once("list:\n") {
        Some((head, list)) => (head, Some(list.to_owned())),
        None => (expected.as_str(), None),
    };
    let statements: Vec<(String, String)> = head
        .lines()
        .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("{name}: `{line}` is no statement")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let one = |key: &str| statements.iter().find(|(own, _)| own == key).map(|(_, value)| value.as_str());
    assert!(one("source").is_some(), "{name}: a truth needs a source");
    let profiles = one("profile").unwrap().split(' ').map(|profile| match profile {
        "kubernetes" => Profile::Kubernetes,
        "cilium" => Profile::Cilium,
        other => panic!("{name}: no profile {other}"),
    });
    let case = |profile| Case {
        name: format!("{name} ({profile})"),
        profile,
        settings: settings(profile, &one),
        statements: statements.clone(),
        list: list.clone(),
        manifests: manifests.clone(),
    };
    profiles.map(case).collect()
}

fn settings<'c>(profile: Profile, one: &impl Fn(&str) -> Option<&'c str>) -> Settings {
    let mut settings = Settings::new(profile);
    let nets = |key: &str| one(key).map(|text| vec![text.parse().unwrap()]).unwrap_or_default();
    settings.pod_cidrs = nets("pod-cidr");
    settings.node_cidrs = nets("node-cidr");
    settings.api_server = nets("api-server");
    settings.cidr_matches_nodes = one("cidr-matches-nodes").is_some();
    if let Some(version) = one("cilium") {
        settings.cilium = version.parse::<CiliumVersion>().unwrap();
    }
    if let Some(labels) = one("labels") {
        let patterns: Vec<String> = labels.split(' ').map(str::to_owned).collect();
        settings.label_filter = LabelFilter::with(&patterns).unwrap();
    }
    settings
}

fn build(case: &Case) -> Result<Model, Refusals> {
    let sources = network::documents(&case.manifests, "manifests.yaml").unwrap();
    Model::build(&sources, &case.settings)
}

fn ask(model: &Model, src: &str, dst: &str, port: Option<(Protocol, u16)>) -> Explanation {
    let end = |text: &str| End::parse(model, text).unwrap_or_else(|unknown| panic!("{unknown}"));
    network::explain(model, &end(src), &end(dst), port).remove(0)
}

/// Checks one statement; the error says what was found instead.
fn check(model: &Model, key: &str, value: &str) -> Result<(), String> {
    let pair = |text: &str| text.split_once(" => ").map(|(src, dst)| (src.to_owned(), dst.to_owned())).unwrap();
    match key {
        "flow" | "possible" => {
            let (ends, expected) = value.rsplit_once(" : ").unwrap();
            let (src, dst) = pair(ends);
            let answer = ask(model, &src, &dst, None);
            let found = if key == "flow" { Some(answer.conn.clone()) } else { answer.possible.clone() };
            if found.as_deref() == Some(expected) { Ok(()) } else { Err(format!("found {found:?}\n{answer}")) }
        }
        "service" => {
            let (ends, expected) = value.rsplit_once(" : ").unwrap();
            let (src, rest) = pair(ends);
            let mut words = rest.split(' ');
            let (dst, protocol, port) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let answer = ask(model, &src, dst, Some((Protocol::transport(protocol).unwrap(), port.parse().unwrap())));
            if answer.allowed == (expected == "allowed") { Ok(()) } else { Err(answer.to_string()) }
        }
        "void" => {
            let found: Vec<String> = model.void_policies().iter().map(ToString::to_string).collect();
            if found.iter().any(|one| one.contains(value)) { Ok(()) } else { Err(format!("found {found:?}")) }
        }
        "finding" => {
            let found = network::lints(model);
            if found.iter().any(|one| one.rule == value) { Ok(()) } else { Err(format!("found {found:?}")) }
        }
        _ => Ok(()),
    }
}

#[test]
fn documented_verdicts() {
    let cases = cases();
    assert!(cases.len() >= 80, "only {} cases", cases.len());
    let mut failures = Vec::new();
    for case in &cases {
        let refused = case.statements.iter().find(|(key, _)| key == "refused").map(|(_, value)| value);
        match (build(case), refused) {
            (Err(refusals), Some(expected)) if refusals.to_string().contains(expected) => {}
            (Err(refusals), _) => failures.push(format!("{}: refused: {refusals}", case.name)),
            (Ok(_), Some(expected)) => failures.push(format!("{}: not refused, though {expected}", case.name)),
            (Ok(model), None) => {
                for (key, value) in &case.statements {
                    if let Err(found) = check(&model, key, value) {
                        failures.push(format!("{}: {key}: {value}: {found}", case.name));
                    }
                }
                if !case.statements.iter().any(|(key, _)| key == "void") && !model.void_policies().is_empty() {
                    failures.push(format!("{}: {:?}", case.name, model.void_policies()));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn complete_lists() {
    let mut count = 0;
    for case in cases() {
        let (Some(expected), Ok(model)) = (&case.list, build(&case)) else { continue };
        count += 1;
        let list = network::connections(&model, &Filter::default());
        assert_eq!(network::format::connections(&list, network::format::Format::Text), *expected, "{}", case.name);
    }
    assert!(count > 3);
}

/// The list, which comes from the symbolic engine, and the explanations, which look at one pair at a time, agree on every
/// pair of every case.
#[test]
fn lists_and_explanations_agree() {
    for case in cases() {
        let Ok(model) = build(&case) else { continue };
        let list = network::connections(&model, &Filter::default());
        let listed: BTreeMap<(&str, &str), &str> =
            list.iter().map(|one| ((one.src.as_str(), one.dst.as_str()), one.conn.as_str())).collect();
        let workloads: BTreeSet<&str> = list.iter().flat_map(|one| [one.src.as_str(), one.dst.as_str()]).collect();
        for src in workloads.iter().filter(|name| name.contains('/')) {
            for dst in workloads.iter().filter(|name| name.contains('/') && name != &src) {
                let answer = ask(&model, src, dst, None);
                let possible = answer.possible.unwrap_or(answer.conn);
                let found = listed.get(&(*src, *dst)).copied().unwrap_or("No Connections");
                assert_eq!(found, possible, "{}: {src} => {dst} ({:?})", case.name, case.profile);
            }
        }
    }
}
