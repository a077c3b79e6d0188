//! `diff` between revisions of a fleet, and against an output repository.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::scratch::{Scratch, git};

/// The changes of a document under a heading.
fn under<'d>(document: &'d Value, sort: &str) -> Vec<&'d Value> {
    document["changes"].as_array().unwrap().iter().filter(|change| change["sort"] == sort).collect()
}

#[test]
fn a_branch_is_compared_with_where_it_left_and_nothing_is_touched() {
    let fleet = Scratch::new();
    let same = fleet.run("diff");
    assert_eq!((same.code, same.out.as_str()), (0, ""), "{}", same.err);
    assert!(same.err.contains("no differences in 12 units"), "{}", same.err);

    fleet.git("switch -q -c customer");
    fleet.edit("tenants/borealis.yaml", "192.0.2.0/25", "192.0.2.0/24");
    let head = fleet.commit("wider");
    fleet.git("switch -q main");
    fleet.edit("tenants/acme.yaml", "Acme Corp", "Acme elsewhere");
    fleet.commit("main moves on");
    fleet.git("switch -q customer");
    fs::write(fleet.file("note.txt"), "of no concern").unwrap();
    let state = fleet.git("status --porcelain");

    let document = fleet.json("diff", 1);
    assert_eq!(
        document["counts"]["tenants"],
        json!(["borealis"]),
        "what main did meanwhile is no change of the branch"
    );
    let opened = under(&document, "opens");
    assert!(
        opened.iter().any(|change| change["area"] == "network" && change["after"] == "\"192.0.2.0/24\""),
        "{document:#}"
    );
    let flows = document["connections"]["changes"].as_array().unwrap();
    assert!(
        flows.iter().any(|flow| flow["destination"].as_str().unwrap().contains("haproxy")
            || flow["source"].as_str().unwrap().contains("192.0.2")),
        "{flows:#?}"
    );
    assert_eq!(document["base"]["name"], "main");

    // Narrower is the other way round.
    let back = fleet.json(&format!("diff --base {head} --head {head}"), 0);
    assert_eq!(back["verdict"], "same");
    fleet.edit("tenants/borealis.yaml", "192.0.2.0/24", "192.0.2.0/26");
    let narrower = fleet.json("diff --base HEAD", 1);
    assert!(under(&narrower, "opens").is_empty() && !under(&narrower, "closes").is_empty(), "{narrower:#}");
    fleet.edit("tenants/borealis.yaml", "192.0.2.0/26", "192.0.2.0/24");
    // A revision is read from Git: the files may be anything.
    fs::write(fleet.file("install.yaml"), "broken").unwrap();
    assert_eq!(fleet.run("diff").code, 3);
    let of_head = fleet.json("diff --head customer", 1);
    assert_eq!(of_head["changes"], document["changes"]);
    fleet.git("checkout -q -- install.yaml");
    assert_eq!(fleet.git("status --porcelain"), state);
}

#[test]
fn one_change_to_all_tenants_is_one_entry_with_all_of_them() {
    let fleet = Scratch::new();
    fleet.edit("install.yaml", "model: gpt-4o", "model: gpt-5");
    let document = fleet.json("diff", 1);
    let model: Vec<&Value> = under(&document, "restarts")
        .into_iter()
        .filter(|change| change["path"] == "spec.values.llm.model" && change["after"] == "\"gpt-5\"")
        .collect();
    assert_eq!(model.len(), 1, "{document:#}");
    assert_eq!(model[0]["object"]["namespace"], "tenant-<slug>");
    assert!(model[0]["count"].as_u64().unwrap() >= 5, "{model:#?}");
    assert_eq!(model[0]["tenants"].as_array().unwrap().len() as u64, model[0]["count"].as_u64().unwrap());
    let text = fleet.run("diff");
    assert!(text.out.lines().next().unwrap().contains("may restart pods of"), "{}", text.out);
    assert!(text.out.contains("tenants: acme, "), "{}", text.out);
    for format in ["markdown", "html"] {
        let said = fleet.run(&format!("diff -o {format}"));
        assert!(said.code == 1 && said.out.contains("gpt-5"), "{format}: {}{}", said.out, said.err);
    }
    assert_eq!(fleet.run("diff --detailed-exitcode").code, 2);
    assert_eq!(fleet.run("diff --exit-code false").code, 0);
}

#[test]
fn deletions_and_renames_of_tenants_are_told_first() {
    let fleet = Scratch::new();
    fleet.git("rm -q tenants/ironwood.yaml");
    fleet.git("mv tenants/acme.yaml tenants/apex.yaml");
    fleet.edit("tenants/apex.yaml", "slug: acme", "slug: apex");
    let document = fleet.json("diff", 1);
    let units: Vec<(&str, &str)> = document["units"]
        .as_array()
        .unwrap()
        .iter()
        .map(|unit| (unit["action"].as_str().unwrap(), unit["tenant"].as_str().unwrap()))
        .collect();
    assert_eq!(units, [("removed", "ironwood"), ("renamed", "apex")]);
    assert!(document["counts"]["deleted"].as_u64().unwrap() > 100, "{document:#}");
    let notes = document["notes"].to_string();
    assert!(notes.contains("ironwood") && notes.contains("acme") && notes.contains("will refuse"), "{notes}");
    assert!(notes.contains("tenant ironwood goes and was provisioning: it had no grace period"), "{notes}");
    // What carries the slug is not listed as changed again.
    let own: Vec<&Value> =
        document["changes"].as_array().unwrap().iter().filter(|one| one["tenants"] == json!(["apex"])).collect();
    assert!(own.is_empty(), "{own:#?}");
    let text = fleet.run("diff").out;
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words} in {text}"));
    assert!(at("tenant apex was acme: the namespace of acme is deleted") < at("connections ("), "{text}");
    // One that leaves as it should is deleted as well, and nothing more is to be said.
    fleet.git("reset -q --hard");
    fleet.edit("tenants/glacier.yaml", "state: decommissioning", "state: retired");
    let document = fleet.json("diff", 1);
    assert_eq!((&document["units"][0]["tenant"], &document["notes"]), (&json!("glacier"), &json!([])));
}

#[test]
fn an_output_repository_is_a_base_too() {
    let fleet = Scratch::new();
    assert_eq!(fleet.run("diff --repo rendered").code, 5, "there is none yet");
    assert_eq!(fleet.run("render").code, 0);
    assert_eq!(fleet.json("diff --repo rendered", 0)["verdict"], "same");
    fleet.edit("tenants/acme.yaml", "Acme Corp", "Acme Two");
    let (of_output, of_fleet) = (fleet.json("diff --repo rendered", 1), fleet.json("diff", 1));
    assert_eq!(of_output["changes"], of_fleet["changes"], "both ways of seeing what was there agree");
    assert_eq!(of_output["base"]["what"], "output");
    // A file that somebody edited is compared as it is, not as its provenance says.
    let rendered = fleet.file("rendered");
    let quota = rendered.join("clusters/us-1/tenants/ironwood/quota.yaml");
    fs::write(&quota, fs::read_to_string(&quota).unwrap().replace("pods: ", "pods: 1")).unwrap();
    assert!(git(&rendered, &["commit", "-qam", "by hand"]).status.success());
    let edited = fleet.json("diff --repo rendered", 1);
    assert!(edited["counts"]["tenants"].as_array().unwrap().contains(&json!("ironwood")), "{edited:#}");
}

#[test]
fn what_cannot_be_compared_is_never_called_the_same() {
    let fleet = Scratch::new();
    let unknown = fleet.run("diff --base nowhere");
    assert_eq!(unknown.code, 2, "{}", unknown.err);
    assert_eq!(fleet.run("diff --base nowhere --detailed-exitcode").code, 1);
    // A base that is invalid.
    fleet.edit("tenants/acme.yaml", "slug: acme", "slug: ACME");
    fleet.commit("broken");
    fleet.edit("tenants/acme.yaml", "slug: ACME", "slug: acme");
    let broken = fleet.run("diff");
    assert_eq!(broken.code, 6, "{}{}", broken.out, broken.err);
    assert!(broken.err.contains("tenants/acme.yaml:"), "{}", broken.err);
    // A clone that is too shallow to know where the branch left.
    fleet.commit("mended");
    fleet.git("switch -q -c feature HEAD~1");
    fleet.git("checkout -q main -- tenants");
    fleet.commit("feature");
    let shallow = tempfile::tempdir().unwrap();
    let clone = shallow.path().join("clone");
    let url = format!("file://{}", fleet.path().display());
    let made = git(Path::new("/"), &["clone", "-q", "--depth=1", "--no-single-branch", &url, clone.to_str().unwrap()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let output =
        crate::fleet::tenantry().arg("-C").arg(&clone).args(["diff", "--base", "origin/main"]).output().unwrap();
    let said = crate::fleet::text(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("fetch-depth: 0"), "{said}");
    // A fleet that is in no repository.
    let alone = crate::fleet::copy(crate::fleet::root());
    let output = crate::fleet::tenantry().arg("-C").arg(alone.path()).arg("diff").output().unwrap();
    assert_eq!(output.status.code(), Some(5));
}
