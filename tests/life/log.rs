//! `log` on histories as people make them.

use std::fs;

use crate::scratch::{git, repository, run};

#[test]
fn merges_renames_and_rubbish_are_told_once_and_nothing_is_made_up() {
    let folder = repository();
    let root = folder.path();
    let commit = |message: &str| {
        git(root, &["add", "--all"]);
        git(root, &["commit", "--quiet", "-m", message]);
    };
    git(root, &["switch", "--quiet", "-c", "side"]);
    run(root, "suspend oak --now 2026-01-01 --commit", 0);
    git(root, &["switch", "--quiet", "main"]);
    fs::write(root.join("notes.txt"), "x").unwrap();
    commit("nothing of tenants");
    git(root, &["merge", "--quiet", "--no-ff", "-m", "merge", "side"]);
    git(root, &["mv", "tenants/oak.yaml", "tenants/holm.yaml"]);
    let text = fs::read_to_string(root.join("tenants/holm.yaml")).unwrap().replace("slug: oak", "slug: holm");
    fs::write(root.join("tenants/holm.yaml"), text).unwrap();
    commit("rename");
    fs::write(root.join("tenants/pine.yaml"), "a: [\n").unwrap();
    commit("broken");
    fs::write(root.join("tenants/pine.yaml"), "# gone for now\na: [\n").unwrap();
    fs::remove_file(root.join("tenants/pine.yaml")).unwrap();
    commit("removed");
    let (out, _) = run(root, "log", 0);
    let told: Vec<String> = out.lines().map(|line| line.split("  ").skip(2).collect::<Vec<_>>().join(" ")).collect();
    let told: Vec<String> = told.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        told,
        [
            "- pine removed active (Ada)",
            "- pine unreadable (Ada)",
            "- holm renamed oak → holm (Ada)",
            "- oak state active → suspended (Ada)",
            "- oak onboarded active (Ada)",
            "- pine onboarded pending (Ada)",
        ]
    );
    // Under its new name a tenant has its old history, too; and a limit is one.
    let (out, _) = run(root, "log holm", 0);
    assert_eq!(out.lines().count(), 3, "{out}");
    let (out, _) = run(root, "log -n 2", 0);
    assert_eq!(out.lines().count(), 2, "{out}");
    let (out, err) = run(root, "log nobody", 0);
    assert!(out.is_empty() && err.contains("nothing is known of a tenant nobody"), "{out}{err}");
    let (_, err) = run(root, "log --repo nowhere", 5);
    assert!(err.contains("cannot read the output repository"), "{err}");
}
