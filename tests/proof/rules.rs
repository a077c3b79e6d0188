//! The table of rules against the sources, and the documentation against the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use tenantry::rules;

use crate::fleet;

/// `"family/name"`, as a rule's id is written.
static ID: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""([a-z]+(?:-[a-z]+)*)/([a-z]+[a-z0-9-]*)""#).unwrap());
/// The id where a finding is made.
static MADE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"Finding::(?:error|invalid|warning|info)\(\s*"([a-z-]+)/[a-z0-9-]+""#).unwrap());

/// The code of every source file, without comments and without what is compiled for tests only.
fn sources() -> BTreeMap<String, String> {
    let files = fleet::files(&fleet::root().join("src"));
    let code = |text: &str| -> String {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        code.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
    };
    let own = files.into_iter().filter(|(path, _)| path.ends_with(".rs"));
    own.map(|(path, bytes)| (path, code(&String::from_utf8(bytes).unwrap()))).collect()
}

/// Every id that the program can report, with a file that names it.
fn reported() -> BTreeMap<String, String> {
    let sources = sources();
    let known = rules::all().iter().map(|rule| rule.id.split('/').next().unwrap().to_owned());
    let made = sources.values().flat_map(|code| MADE.captures_iter(code).map(|found| found[1].to_owned()));
    let families: BTreeSet<String> = known.chain(made).collect();
    let mut ids = BTreeMap::new();
    for (path, code) in &sources {
        for found in ID.captures_iter(code).filter(|found| families.contains(&found[1])) {
            ids.entry(format!("{}/{}", &found[1], &found[2])).or_insert_with(|| path.clone());
        }
    }
    ids
}

#[test]
fn every_rule_that_is_reported_is_in_the_table_and_the_reverse() {
    let reported = reported();
    assert!(reported.len() > 100, "the sources are there");
    let table: BTreeSet<&str> = rules::all().iter().map(|rule| rule.id.as_str()).collect();
    let mut wrong = Vec::new();
    for (id, path) in reported.iter().filter(|(id, _)| !table.contains(id.as_str())) {
        let family = id.split('/').next().unwrap();
        wrong.push(format!(
            "src/{path} reports {id}, which is not in the table: add an entry `- id: {id}` with class, title, what, why, \
             fix and example to src/rules/table/{family}.yaml (a new family also to FAMILIES in src/rules/mod.rs), then \
             `BLESS=1 cargo test --test proof rules`"
        ));
    }
    for id in table.iter().filter(|id| !reported.contains_key(**id)) {
        wrong.push(format!("nothing reports {id}: remove its entry from src/rules/table/, or report it"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every page that is written from the table, below `docs/`.
fn pages() -> BTreeMap<String, String> {
    let pages = rules::all().iter().map(|rule| (rules::path(rule), rules::page(rule)));
    pages.chain([("reference/rules.md".to_owned(), rules::index())]).collect()
}

#[test]
fn the_documentation_is_what_the_table_says() {
    let docs = fleet::root().join("docs");
    let pages = pages();
    if std::env::var_os("BLESS").is_some() {
        let _ = fs::remove_dir_all(docs.join("rules"));
        for (path, text) in &pages {
            let path = docs.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
    let read = |path: &str| fs::read_to_string(docs.join(path)).unwrap_or_default();
    let mut wrong: Vec<String> = pages
        .iter()
        .filter(|(path, text)| read(path) != **text)
        .map(|(path, _)| format!("docs/{path} differs"))
        .collect();
    for path in fleet::files(&docs.join("rules")).keys().filter(|path| !pages.contains_key(&format!("rules/{path}"))) {
        wrong.push(format!("docs/rules/{path} is of no rule"));
    }
    assert!(wrong.is_empty(), "{}\nwrite them anew: BLESS=1 cargo test --test proof rules", wrong.join("\n"));
    links_lead_somewhere();
}

/// Every relative link leads to a file.
fn links_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)#]+)\)").unwrap();
    for (path, text) in pages() {
        let folder = Path::new("docs").join(&path).parent().unwrap().to_owned();
        for target in link.captures_iter(&text) {
            assert!(fleet::root().join(folder.join(&target[1])).exists(), "docs/{path}: {}", &target[1]);
        }
    }
}
