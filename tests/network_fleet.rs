//! The claims of this platform over a small hand-written fleet, in both network modes, and what they catch.
//!
//! Each file of `tests/network/planted` plants one mistake: it edits the text of the fleet, and says which claim then
//! fails or what is found, and at which line. A line is given by its text, so that the cases survive edits elsewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by its panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Deserialize;
use tenantry::network::{self, Claims, LabelFilter, Model, Profile, Proof, Settings, Verdict};

/// File name and text.
type Files = BTreeMap<String, String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn fleet(mode: &str) -> Files {
    let directory = root().join("tests/network/fleet").join(mode);
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap()))
        .collect()
}

fn claims() -> Claims {
    let text = fs::read_to_string(root().join("policies/network-claims.yaml")).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

fn settings(mode: &str) -> Settings {
    let mut settings = Settings::new(if mode == "cilium" { Profile::Cilium } else { Profile::Kubernetes });
    settings.pod_cidrs = vec!["10.244.0.0/16".parse().unwrap()];
    settings.service_cidrs = vec!["10.96.0.0/12".parse().unwrap()];
    settings.node_cidrs = vec!["192.0.2.64/26".parse().unwrap()];
    settings.api_server = vec!["192.0.2.10/32".parse().unwrap()];
    settings
}

fn proof(files: &Files, claims: &Claims, settings: &Settings) -> Proof {
    let sources: Vec<_> = files.iter().flat_map(|(file, text)| network::documents(text, file).unwrap()).collect();
    let model = Model::build(&sources, &claims.settings(settings)).unwrap_or_else(|refusals| panic!("{refusals}"));
    network::prove(&model, claims)
}

#[test]
fn the_claims_hold_in_both_modes() {
    let claims = claims();
    assert_eq!(claims.faults(), Vec::new());
    for mode in ["cilium", "calico"] {
        let proof = proof(&fleet(mode), &claims, &settings(mode));
        assert!(proof.verdicts.iter().all(|one| one.verdict == Verdict::Holds), "{mode}:\n{proof}");
        assert!(proof.findings.is_empty(), "{mode}:\n{proof}");
        assert!(proof.holds);
        // Every claim about pairs looked at some.
        assert!(proof.verdicts.iter().filter(|one| one.pairs > 0).count() >= 30, "{proof}");
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Planted {
    what: String,
    mode: String,
    edits: Vec<Edit>,
    #[serde(default)]
    cilium: Option<String>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    node_local: Option<std::net::IpAddr>,
    expect: Vec<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: String,
    /// Text that has to occur, with which occurrence (from 1) is meant.
    #[serde(default)]
    find: Option<String>,
    #[serde(default = "first")]
    occurrence: usize,
    #[serde(default)]
    replace: String,
    /// Documents to add at the end.
    #[serde(default)]
    append: Option<String>,
}

fn first() -> usize {
    1
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// A claim that fails, or is not checkable.
    #[serde(default)]
    claim: Option<String>,
    /// A rule that finds something.
    #[serde(default)]
    finding: Option<String>,
    /// Text of the guilty line.
    at: String,
    /// Its file.
    file: String,
}

fn edit(files: &mut Files, edit: &Edit, what: &str) {
    let text = files.get_mut(&edit.file).unwrap_or_else(|| panic!("{what}: no file {}", edit.file));
    if let Some(find) = &edit.find {
        let found = text.match_indices(find.as_str()).nth(edit.occurrence - 1);
        let (at, _) = found.unwrap_or_else(|| panic!("{what}: `{find}` is not in {}", edit.file));
        text.replace_range(at..at + find.len(), &edit.replace);
    }
    if let Some(append) = &edit.append {
        *text += "---\n";
        *text += append;
    }
}

/// The lines that a proof names for an expectation.
fn named_lines(proof: &Proof, expected: &Expected) -> Vec<(String, u32)> {
    if let Some(rule) = &expected.finding {
        let found = proof.findings.iter().filter(|one| one.rule == rule);
        return found.map(|one| (one.place.file.to_string(), one.place.line)).collect();
    }
    let id = expected.claim.as_deref().unwrap();
    let verdict = proof.verdicts.iter().find(|one| one.id == id).unwrap_or_else(|| panic!("no claim {id}"));
    if verdict.verdict == Verdict::Holds {
        return Vec::new();
    }
    let guilty = verdict.witnesses.iter().flat_map(|witness| &witness.guilty);
    guilty.map(|place| (place.file.to_string(), place.line)).collect()
}

#[test]
fn planted_mistakes_are_caught_at_their_lines() {
    let claims = claims();
    let mut directories: Vec<PathBuf> =
        fs::read_dir(root().join("tests/network/planted")).unwrap().map(|entry| entry.unwrap().path()).collect();
    directories.sort();
    assert!(directories.len() >= 30, "only {} mistakes", directories.len());
    let failures: Vec<String> = directories.par_iter().flat_map_iter(|path| plant(path, &claims)).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Plants one mistake; says what of it is not caught.
fn plant(path: &Path, claims: &Claims) -> Vec<String> {
    let mut failures = Vec::new();
    {
        let planted: Planted = serde_yaml::from_str(&fs::read_to_string(path).unwrap())
            .unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let what = format!("{} ({})", path.file_stem().unwrap().to_string_lossy(), planted.what);
        let mut files = fleet(&planted.mode);
        planted.edits.iter().for_each(|one| edit(&mut files, one, &what));
        let mut settings = settings(&planted.mode);
        if let Some(version) = &planted.cilium {
            settings.cilium = version.parse().unwrap();
        }
        settings.label_filter = LabelFilter::with(&planted.labels).unwrap();
        settings.resolver.node_local.extend(planted.node_local);
        let proof = proof(&files, claims, &settings);
        if proof.holds && planted.expect.iter().all(|one| one.claim.is_some()) {
            failures.push(format!("{what}: the proof holds"));
        }
        for expected in &planted.expect {
            let named = named_lines(&proof, expected);
            let is_named = named.iter().any(|(file, line)| {
                let text = files[file].lines().nth(*line as usize - 1).unwrap_or_default();
                *file == expected.file && text.contains(&expected.at)
            });
            if !is_named {
                let lines: Vec<String> = named
                    .iter()
                    .map(|(file, line)| {
                        format!("{file}:{line}: {}", files[file].lines().nth(*line as usize - 1).unwrap_or_default())
                    })
                    .collect();
                failures.push(format!("{what}: {expected:?}: named {lines:#?}"));
            }
        }
    }
    failures
}
