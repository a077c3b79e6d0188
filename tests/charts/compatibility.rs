//! Every row of `compatibility.yaml` decides what a fleet with these two versions may do.

use std::fs;
use std::process::Output;

use rayon::prelude::*;
use serde_json::Value;

use super::fleet;
use super::objects::{items, text};

#[test]
fn every_row_of_the_matrix_holds_for_a_fleet() {
    let matrix = fs::read_to_string(fleet::root().join("compatibility.yaml")).unwrap();
    let matrix: Value = serde_yaml::from_str(&matrix).unwrap();
    let mut rows: Vec<(String, String, String)> = vec![("1.0.0".into(), "1.1.0".into(), "absent".into())];
    for row in items(&matrix["matrix"]) {
        for entry in items(&row["tenant"]) {
            let [system, tenant, status] = [&row["system"], &entry["version"], &entry["status"]].map(text);
            rows.push((system.into(), tenant.into(), status.into()));
        }
    }
    assert!(rows.len() > 6, "{rows:?}");
    let wrong: Vec<String> =
        rows.par_iter().filter_map(|(system, tenant, status)| wrong(system, tenant, status)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn wrong(system: &str, tenant: &str, status: &str) -> Option<String> {
    let refused = matches!(status, "blocked" | "absent");
    let word = if status == "absent" { "" } else { status };
    let fleet = fleet(system, tenant);
    let run = |arguments: &[&str]| fleet::tenantry().current_dir(fleet.path()).args(arguments).output().unwrap();
    let asked = run(&["compat", system, tenant]);
    let checked = run(&["check"]);
    let good = |output: &Output, word: &str| {
        let said = fleet::text(&output.stdout) + &fleet::text(&output.stderr);
        output.status.code() == Some(if refused { 4 } else { 0 }) && said.contains(word)
    };
    // A supported pair goes ahead without a word about it.
    let warned = fleet::text(&checked.stderr).contains("plan/deprecated");
    if good(&asked, word)
        && good(&checked, if refused { "" } else { "checks passed" })
        && warned == (status == "deprecated")
    {
        return None;
    }
    let said = [&asked, &checked].map(|output| fleet::text(&output.stdout) + &fleet::text(&output.stderr));
    Some(format!("{system} and {tenant} are {status}: {:?} {:?}\n{}", asked.status, checked.status, said.join("\n")))
}

/// A fleet whose clusters and tenants all run these versions.
fn fleet(system: &str, tenant: &str) -> tempfile::TempDir {
    let folder = fleet::copy(&fleet::root().join("tests/golden/cilium-flux-gcp/fleet"));
    let mut files = fleet::files(folder.path());
    let matrix = fs::read(fleet::root().join("compatibility.yaml")).unwrap();
    files.insert("compatibility.yaml".into(), matrix);
    for (path, bytes) in &mut files {
        let lines = fleet::text(bytes);
        let lines = lines.lines().map(|line| {
            let indent = &line[..line.len() - line.trim_start().len()];
            match line.trim_start().split(':').next() {
                Some("systemVersion") => format!("{indent}systemVersion: {system}\n"),
                Some("tenantVersion") => format!("{indent}tenantVersion: {tenant}\n"),
                Some("chartVersion") => String::new(),
                _ => format!("{line}\n"),
            }
        });
        if path.ends_with(".yaml") {
            *bytes = lines.collect::<String>().into_bytes();
        }
    }
    fleet::write(folder.path(), &files);
    folder
}
