//! Who may use whom: the core knows no file system, environment, clock, network or edge; checks do not know each other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Modules that compute and nothing else.
const CORE: [&str; 23] = [
    "exempt",
    "admission",
    "blame",
    "cel",
    "schemas",
    "config",
    "diff",
    "edit",
    "memo",
    "plan",
    "manifest",
    "render",
    "secrets",
    "check",
    "report",
    "finding",
    "yaml",
    "network",
    "drift",
    "trace",
    "vendored",
    "rules",
    "access",
];

/// What the core never names, and what it would be.
const FORBIDDEN: [(&str, &str); 21] = [
    ("crate::output", "an edge"),
    ("crate::history", "an edge"),
    ("crate::commands", "the commands"),
    ("crate::cli", "the command line"),
    ("crate::cluster", "an edge"),
    ("crate::charts", "an edge"),
    ("crate::telemetry", "an edge"),
    ("crate::source::load", "reading files"),
    ("source::load(", "reading files"),
    ("std::fs", "the file system"),
    ("std::env", "the environment"),
    ("std::net::Tcp", "the network"),
    ("std::net::Udp", "the network"),
    ("std::net::ToSocketAddrs", "the network"),
    ("std::net::*", "the network"),
    ("std::process", "processes"),
    ("SystemTime::now", "the clock"),
    ("Instant::now", "the clock"),
    ("Timestamp::now", "the clock"),
    ("git2::", "Git"),
    ("println!", "the terminal"),
];

/// Text of every source file below `src`, by path, without comments and without what is compiled for tests only.
fn sources() -> BTreeMap<String, String> {
    fn walk(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{path}/"), found);
            } else if path.ends_with(".rs") {
                found.insert(path, code(&fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut found);
    assert!(found.len() > 40, "the sources are there");
    found
}

/// The code of a file; modules for tests stand at its end.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// `config` of `config/mod.rs` and of `config.rs`.
fn module(path: &str) -> &str {
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs")
}

/// The paths that a file names: those of `use` with groups written out, and those in expressions.
fn names(code: &str) -> Vec<String> {
    let flat = code.replace(['\n', ' '], "");
    let mut names = vec![code.to_owned()];
    for (at, _) in flat.match_indices("::{") {
        let head: String = flat[..at].chars().rev().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect();
        // `use` lost its space: crate and std begin the path.
        let head: String = head.chars().rev().collect();
        let head = head.trim_start_matches("pub").trim_start_matches("use");
        names.extend(members(&flat[at + 3..]).into_iter().map(|member| format!("{head}::{member}")));
    }
    names
}

/// The members of a group that is open.
fn members(text: &str) -> Vec<String> {
    let (mut depth, mut found, mut member) = (0_usize, Vec::new(), String::new());
    for character in text.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => found.push(std::mem::take(&mut member)),
            _ => {
                depth = if character == '{' { depth + 1 } else { depth - usize::from(character == '}') };
                member.push(character);
            }
        }
    }
    found.push(member);
    found
}

fn names_it(code: &str, what: &str) -> bool {
    names(code).iter().any(|name| name.contains(what))
}

#[test]
fn the_core_knows_no_edge() {
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        if CORE.contains(&module(&path)) {
            for (what, is) in FORBIDDEN.iter().filter(|(what, _)| names_it(&code, what)) {
                wrong.push(format!("src/{path} names {what}: {is}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn edges_know_no_command() {
    for (path, code) in sources() {
        if ["source", "history", "output", "cluster", "charts", "telemetry"].contains(&module(&path)) {
            assert!(!names_it(&code, "crate::commands") && !names_it(&code, "crate::cli"), "src/{path}");
        }
    }
}

#[test]
fn checks_do_not_know_each_other() {
    let sources = sources();
    let checks: Vec<&str> = sources
        .keys()
        .filter_map(|path| path.strip_prefix("check/")?.strip_suffix(".rs"))
        .filter(|name| *name != "mod" && !name.contains('/'))
        .collect();
    assert!(checks.len() >= 2, "{checks:?}");
    for check in &checks {
        let code = &sources[&format!("check/{check}.rs")];
        for other in checks.iter().filter(|other| other != &check) {
            let named = [format!("super::{other}"), format!("check::{other}")];
            assert!(!named.iter().any(|name| names_it(code, name)), "check/{check}.rs names {other}");
        }
    }
}

#[test]
fn the_program_knows_its_commands_only() {
    let main = &sources()["main.rs"];
    for name in names(main).iter().flat_map(|name| name.match_indices("tenantry::").map(|(at, _)| &name[at + 10..])) {
        let module: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let allowed = ["", "cli", "commands", "error", "telemetry"];
        assert!(allowed.contains(&module.as_str()), "main.rs names {module}");
    }
}

/// The search itself finds what it must.
#[test]
fn groups_and_paths_are_seen() {
    assert!(names_it("use std::{fmt, fs};", "std::fs"));
    assert!(names_it("pub use crate::{finding::Finding, output::{dir, Repo}};", "crate::output"));
    assert!(names_it("use std::{\n    collections::{BTreeMap, BTreeSet},\n    env,\n};", "std::env"));
    assert!(names_it("use std::{net::{IpAddr, TcpStream}, fmt};", "TcpStream"));
    assert!(names_it("let now = std::time::SystemTime::now();", "SystemTime::now"));
    assert!(!names_it(
        &code("// std::fs is not used\nuse std::fmt;\n#[cfg(test)]\nmod tests { use std::fs; }"),
        "std::fs"
    ));
    assert!(!names_it("use std::{fmt, collections::BTreeMap};", "std::fs"));
}
