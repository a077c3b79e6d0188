//! Every format of a report against its published schema or a real consumer of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use regex::Regex;
use serde_json::{Value, json};
use tenantry::check::Verdict;
use tenantry::finding::{Class, Finding, Location};
use tenantry::report::{self, Report};

use crate::{fleet, tools};

const COMMAND: &str = "cargo test --test proof -- --ignored fetch_junit_consumers";

/// Texts that formats trip over.
const HOSTILE: [&str; 12] = [
    "plain",
    "]]> <![CDATA[ & \" ' <b>",
    "\u{0}\u{1}\u{1b}[31m\u{7f}\u{85}\u{fffe}",
    "line\nbreak\r\nand\ttab",
    "::error::it %0A , : title=x",
    "@team #1 [x](http://example.com) | `code` ~~~",
    "é😀 \u{202e}right to left",
    "",
    "{\"json\": [1]}",
    "../../etc/passwd",
    "%25%0a",
    "a very long text",
];

/// Reports of every kind: of nothing, of a fleet, of many hostile findings.
fn samples() -> Vec<(&'static str, Report)> {
    let verdicts = vec![
        Verdict { check: "x", proves: "nothing <else>", verdict: "passed", reason: None },
        Verdict { check: "y", proves: "all", verdict: "failed", reason: None },
        Verdict { check: "z", proves: "some", verdict: "not-checked", reason: Some("no \u{1b} eyes ]]>".into()) },
    ];
    let hostile = (0..600).map(|number: usize| {
        let text = HOSTILE[number % HOSTILE.len()];
        let long = if number % 50 == 49 { text.repeat(9000) } else { text.to_owned() };
        let finding = match number % 4 {
            0 => Finding::invalid("config/type", long),
            1 => Finding::warning("plan/misp", long),
            2 => Finding::error("check/not-checked", Class::Incomplete, long),
            _ => Finding { severity: tenantry::finding::Severity::Info, ..Finding::warning("capacity/exceeded", long) },
        };
        let other = HOSTILE[number % 7];
        let place = Location {
            file: format!("tenants/{other}.yaml"),
            line: 1 + number as u32,
            column: 1,
            length: number as u32 % 9,
        };
        let finding = finding.tenant(other).object(other).path(other).expected(other).found(other).hint(other);
        if number.is_multiple_of(5) { finding } else { finding.at(place) }
    });
    vec![
        ("nothing", Report { command: "check", ..Report::default() }),
        ("verdicts alone", Report { command: "check", verdicts: verdicts.clone(), ..Report::default() }),
        ("hostile", Report { command: "check", verdicts, findings: hostile.collect() }),
    ]
}

fn errors(schema: &Value, document: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).unwrap();
    validator.iter_errors(document).take(5).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}

/// A schema that a package brings with it.
fn published(package: &str, file: &str) -> Value {
    let about = fleet::text(&tools::run(Command::new(env!("CARGO")).arg("-vV")).unwrap().stdout);
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(fleet::root()).args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    cargo.args(["--filter-platform", host]);
    let metadata = parsed(&fleet::text(&tools::run(&mut cargo).unwrap().stdout));
    let found = metadata["packages"].as_array().unwrap().iter().find(|one| one["name"] == package);
    let manifest = Path::new(found.unwrap()["manifest_path"].as_str().unwrap());
    parsed(&fs::read_to_string(manifest.with_file_name(file)).unwrap())
}

#[test]
fn sarif_is_what_oasis_says() {
    let mut schema = published("serde-sarif", "src/schema.json");
    // As first published, this expression has a bracket too many; errata 01 of the standard mend it.
    for of in ["run", "toolComponent"] {
        schema["definitions"][of]["properties"]["language"]["pattern"] = json!("^[a-zA-Z]{2}(-[a-zA-Z]{2})?$");
    }
    for (name, report) in samples() {
        let text = report::sarif(&report, "0");
        assert_eq!(errors(&schema, &parsed(&text)), Vec::<String>::new(), "{name}");
        let read: serde_sarif::sarif::Sarif = serde_json::from_str(&text).unwrap();
        assert_eq!(
            read.runs[0].results.as_ref().map_or(0, Vec::len),
            parsed(&text)["runs"][0]["results"].as_array().map_or(0, Vec::len)
        );
    }
    // The schema refuses what it must.
    let mut wrong = parsed(&report::sarif(&samples()[2].1, "0"));
    wrong["runs"][0]["results"][0]["level"] = json!("fatal");
    assert_eq!(errors(&schema, &wrong).len(), 1);
}

#[test]
fn the_json_report_is_what_its_own_schema_says() {
    let schema = report::schema();
    for (name, report) in samples() {
        assert_eq!(errors(&schema, &parsed(&report::json(&report, "0"))), Vec::<String>::new(), "{name}");
    }
    let mut wrong = parsed(&report::json(&samples()[2].1, "0"));
    wrong["findings"][0]["severity"] = json!("fatal");
    wrong["more"] = json!(1);
    assert_eq!(errors(&schema, &wrong).len(), 2);
    // Every report that the tests of the program keep.
    let folder = fleet::root().join("tests/cli");
    let kept: Vec<Value> = fleet::folders(&folder)
        .iter()
        .flat_map(|name| documents(&fs::read_to_string(folder.join(name).join("expected.txt")).unwrap_or_default()))
        .filter(|document| document["kind"] == "Report")
        .collect();
    assert!(!kept.is_empty(), "the kept reports are there");
    for document in kept {
        assert_eq!(errors(&schema, &document), Vec::<String>::new(), "{document:#}");
    }
}

/// What steps of a case wrote to standard output, where it is JSON.
fn documents(expected: &str) -> Vec<Value> {
    let mut steps = vec![String::new()];
    for line in expected.lines() {
        match line.strip_prefix("out|") {
            Some(out) => steps.last_mut().unwrap().push_str(&format!("{out}\n")),
            None if line.starts_with('$') => steps.push(String::new()),
            None => {}
        }
    }
    steps.iter().filter_map(|text| serde_json::from_str(text).ok()).collect()
}

/// What GitLab's documentation asks of a Code Quality report ("Code Quality report format").
#[test]
fn gitlab_gets_every_field_that_it_asks_for() {
    let schema = json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["description", "check_name", "fingerprint", "severity", "location"],
            "properties": {
                "description": { "type": "string" },
                "check_name": { "type": "string", "minLength": 1 },
                "fingerprint": { "type": "string", "minLength": 1 },
                "severity": { "enum": ["info", "minor", "major", "critical", "blocker"] },
                "location": {
                    "type": "object",
                    "required": ["path", "lines"],
                    "properties": {
                        "path": { "type": "string", "pattern": "^[^/]" },
                        "lines": {
                            "type": "object",
                            "required": ["begin"],
                            "properties": { "begin": { "type": "integer", "minimum": 1 } },
                        },
                    },
                },
            },
        },
    });
    for (name, report) in samples() {
        let issues = parsed(&report::gitlab(&report));
        assert_eq!(errors(&schema, &issues), Vec::<String>::new(), "{name}");
        let prints: BTreeSet<&str> =
            issues.as_array().unwrap().iter().map(|issue| issue["fingerprint"].as_str().unwrap()).collect();
        assert_eq!(prints.len(), report.findings.len(), "{name}: GitLab shows one issue a fingerprint");
    }
}

/// GitHub keeps ten annotations of a kind and step, titles of 255 characters and messages of 64 KB (REST API, "Checks").
#[test]
fn github_keeps_every_annotation() {
    let line = Regex::new(
        r"^::(error|warning|notice) (?:file=([^,:\r\n]*),line=[1-9]\d*,col=[1-9]\d*,)?title=([^,:\r\n]+)::([^\r\n]*)$",
    )
    .unwrap();
    for (name, report) in samples() {
        let text = report::github(&report);
        let mut kinds = std::collections::BTreeMap::new();
        for one in text.lines() {
            let found = line.captures(one).unwrap_or_else(|| panic!("{name}: {one:?}"));
            *kinds.entry(found[1].to_owned()).or_insert(0) += 1;
            assert!(found[3].chars().count() <= 255 && found[4].len() <= 64 << 10, "{name}: {} bytes", one.len());
        }
        assert!(kinds.values().all(|count| *count <= 10), "{name}: {kinds:?}");
        assert!(kinds.values().sum::<i32>() <= 50, "{name}: {kinds:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever is found and however much of it: a comment takes it, and nothing milder stands before what is worse.
    #[test]
    fn markdown_fits_a_comment_and_shows_the_worst(
        texts in prop::collection::vec((0_usize..3, any::<String>(), 0_usize..200), 1..40),
        many in 0_usize..10_000,
    ) {
        let finding = |number: usize| {
            let (severity, text, times) = &texts[number % texts.len()];
            let text = text.repeat(*times);
            let place = Location { file: format!("tenants/{number}.yaml"), line: 1, column: 1, length: 0 };
            let finding = [Finding::invalid, Finding::warning, Finding::warning][*severity]("plan/misp", text);
            let finding = match severity {
                2 => Finding { severity: tenantry::finding::Severity::Info, ..finding },
                _ => finding,
            };
            finding.at(place).object(texts[0].1.clone())
        };
        let report = Report { command: "check", findings: (0..many).map(finding).collect(), ..Report::default() };
        let text = report::markdown(&report);
        prop_assert!(text.chars().count() <= report::MARKDOWN_MOST);
        let heads = ["### error", "### warning", "### info"].map(|head| text.find(&format!("\n{head}")));
        let shown: Vec<usize> = heads.into_iter().flatten().collect();
        prop_assert!(shown.is_sorted(), "{heads:?}");
        let items = text.lines().filter(|line| line.starts_with("- ")).count();
        let left = text.contains("did not fit");
        prop_assert_eq!(items < many, left, "{} of {} are shown", items, many);
        let errors = report.findings.iter().filter(|one| one.severity == tenantry::finding::Severity::Error).count();
        prop_assert!(items >= errors || (heads[1].is_none() && heads[2].is_none()), "errors come first");
    }
}

/// Puts the consumers of JUnit reports into the cache of test tools.
#[test]
#[ignore = "fetches packages; run it by name"]
fn fetch_junit_consumers() {
    consumers(tools::Absent::Make).expect("made, or panicked");
}

fn consumers(absent: tools::Absent) -> Result<PathBuf, tools::NotRun> {
    let pin = include_str!("tools/junit/requirements.txt");
    let version = pin.split_once("==").unwrap().1.split_whitespace().next().unwrap();
    tools::ensure(&format!("junit-consumers-{version}"), &["junitparser"], absent, COMMAND, |folder| {
        let pin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proof/tools/junit/requirements.txt");
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]);
        pip.args(["--only-binary=:all:", "--require-hashes", "--target"]).arg(folder).arg("--requirement").arg(&pin);
        tools::run(&mut pip).map(drop)
    })
}

#[test]
fn junit_is_what_a_consumer_counts() {
    let packages = match consumers(tools::Absent::from_env()) {
        Ok(packages) => packages,
        Err(not_run) => return not_run.report(),
    };
    let scratch = tempfile::tempdir().unwrap();
    let (mut files, mut counts) = (Vec::new(), Vec::new());
    for (number, (_, report)) in samples().into_iter().enumerate() {
        let path = scratch.path().join(format!("{number}.xml"));
        fs::write(&path, report::junit(&report)).unwrap();
        files.push(path);
        let of = |wanted: &str| report.verdicts.iter().filter(|verdict| verdict.verdict == wanted).count();
        let found = |wanted: fn(&Finding) -> bool| report.findings.iter().filter(|finding| wanted(finding)).count();
        let incomplete = found(|one| one.class == Class::Incomplete);
        let errors = found(|one| one.severity == tenantry::finding::Severity::Error);
        counts.push(format!(
            "{} {} {} {}",
            report.verdicts.len() + report.findings.len(),
            of("failed") + errors - incomplete,
            of("not-checked") + incomplete,
            report.findings.len() - errors,
        ));
    }
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proof/tools/junit/judge.py");
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", packages).arg(judge).args(&files);
    let output = tools::run(&mut python).unwrap();
    assert_eq!(fleet::text(&output.stdout).lines().collect::<Vec<_>>(), counts);
}

/// One run writes all formats, each into its file, and says the same in each.
#[test]
fn one_run_writes_every_format() {
    let copy = fleet::copy(fleet::root());
    let tenant = copy.path().join("tenants/borealis.yaml");
    let text = fs::read_to_string(&tenant).unwrap().replace("192.0.2.0/25", "10.33.0.0/16");
    fs::write(&tenant, text).unwrap();
    let formats = ["text", "json", "markdown", "sarif", "junit", "gitlab", "github", "html"];
    let mut command = fleet::tenantry();
    command.current_dir(copy.path()).arg("check");
    for format in formats {
        command.args(["-o", &format!("{format}=out.{format}")]);
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", fleet::text(&output.stderr));
    assert!(output.stdout.is_empty(), "everything is in files");
    for format in formats {
        let text = fs::read_to_string(copy.path().join(format!("out.{format}"))).unwrap();
        assert!(text.contains("consistency/own-addresses"), "{format}: {text}");
        assert!(text.contains("tenants/borealis.yaml"), "{format}");
    }
}
