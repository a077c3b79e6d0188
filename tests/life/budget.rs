//! The deletion budget with acknowledgements in the fleet's own history.

use std::fs;

use crate::scratch::{git, repository, run};

#[test]
fn a_trailer_in_the_pull_request_lets_more_go_and_stays_in_the_output() {
    let folder = repository();
    let root = folder.path();
    let elm = "onboard elm --name Elm --id 9e5c6a0d-7c3b-4f07-8bad-0d4e9f6b3c99 --now 2026-01-05 --commit";
    run(root, elm, 0);
    run(root, "render", 0);
    for slug in ["elm", "oak"] {
        run(root, &format!("decommission {slug} --now 2026-02-01 --commit"), 0);
    }
    run(root, "render", 0);
    for slug in ["elm", "oak"] {
        run(root, &format!("retire {slug} --now 2026-04-01 --commit"), 0);
    }
    let tip = git(&root.join("rendered"), &["rev-parse", "main"]);
    let (_, err) = run(root, "render", 4);
    for part in
        ["render/deletion-budget", "2 tenants would vanish", "elm (", "Tenantry-Allow-Delete: tenants=2", "at most 1"]
    {
        assert!(err.contains(part), "{part}\n{err}");
    }
    assert_eq!(git(&root.join("rendered"), &["rev-parse", "main"]), tip);
    let (_, err) = run(root, "check --against rendered", 0);
    assert!(err.contains("warning[render/deletion-budget]"), "{err}");
    let (_, err) = run(root, "watch --once -q", 0);
    assert!(err.contains("warning[render/deletion-budget]"), "{err}");
    // Too little is acknowledged, then enough: on a branch, whose commits count once they are merged.
    git(root, &["commit", "--quiet", "--allow-empty", "-m", "one\n\nTenantry-Allow-Delete: tenants=1"]);
    run(root, "render", 4);
    git(root, &["switch", "--quiet", "-c", "offboard"]);
    git(root, &["commit", "--quiet", "--allow-empty", "-m", "two\n\nTenantry-Allow-Delete: tenants=2"]);
    let said = git(root, &["rev-parse", "HEAD"]);
    git(root, &["switch", "--quiet", "main"]);
    run(root, "render", 4);
    git(root, &["merge", "--quiet", "--no-ff", "-m", "merge", "offboard"]);
    run(root, "render", 0);
    let message = git(&root.join("rendered"), &["log", "-1", "--format=%B", "main"]);
    assert!(message.contains(&format!("Tenantry-Allow-Delete: tenants=2 ({said})")), "{message}");
}

#[test]
fn a_line_of_a_file_in_the_pull_request_is_as_good_as_a_trailer_and_holds_once() {
    let folder = repository();
    let root = folder.path();
    for (slug, id) in [("elm", "97"), ("ash", "98"), ("fir", "99")] {
        let id = format!("9e5c6a0d-7c3b-4f07-8bad-0d4e9f6b3c{id}");
        run(root, &format!("onboard {slug} --name {slug} --id {id} --now 2026-01-05 --commit"), 0);
    }
    let line = "- `Tenantry-Allow-Delete: tenants=2`\n";
    fs::write(root.join("deletions.md"), format!("# Deletions\n\n{line}")).unwrap();
    git(root, &["add", "--all"]);
    git(root, &["commit", "--quiet", "-m", "an old acknowledgement"]);
    run(root, "render", 0);
    for slug in ["elm", "ash"] {
        let text = fs::read_to_string(root.join(format!("tenants/{slug}.yaml"))).unwrap();
        let text = text.replace("state: provisioning", "state: retired").replace("2026-01-05", "2026-04-01");
        fs::write(root.join(format!("tenants/{slug}.yaml")), text).unwrap();
    }
    git(root, &["commit", "--quiet", "--all", "-m", "retire two"]);
    let (_, err) = run(root, "render", 4);
    assert!(err.contains("or in a new line of deletions.md: `Tenantry-Allow-Delete: tenants=2`"), "{err}");
    // Not committed, it is nobody's word; committed, the same line once more is a new one.
    fs::write(root.join("deletions.md"), format!("# Deletions\n\n{line}{line}")).unwrap();
    run(root, "render", 4);
    git(root, &["commit", "--quiet", "--all", "-m", "acknowledge"]);
    run(root, "render", 0);
    let head = git(root, &["rev-parse", "HEAD"]);
    let message = git(&root.join("rendered"), &["log", "-1", "--format=%B", "main"]);
    assert!(message.contains(&format!("Tenantry-Allow-Delete: tenants=2 (deletions.md at {head})")), "{message}");
}

#[test]
fn objects_that_vanish_from_a_unit_that_stays_are_counted() {
    let folder = repository();
    let root = folder.path();
    run(root, "render", 0);
    let install = fs::read_to_string(root.join("install.yaml")).unwrap();
    let (head, rest) = install.split_once("drift:\n").unwrap();
    let rest: String = rest.lines().skip_while(|line| line.starts_with(' ')).map(|line| format!("{line}\n")).collect();
    fs::write(root.join("install.yaml"), format!("{head}guard: {{ maxDeleteObjects: {{ unit: \"2\" }} }}\n{rest}"))
        .unwrap();
    let (_, err) = run(root, "render", 4);
    for part in [
        "objects of clusters/gke-eu/system would vanish",
        "Deployment soctalk-system/tenantry-drift",
        "unit/gke-eu/system=",
    ] {
        assert!(err.contains(part), "{part}\n{err}");
    }
    run(root, "render --out tree", 0);
    run(root, "render --max-delete unit=100%", 0);
    let message = git(&root.join("rendered"), &["log", "-1", "--format=%B", "main"]);
    let raised = message.lines().any(|line| {
        line.starts_with("Tenantry-Allow-Delete: unit/gke-eu/system=") && line.ends_with(" (--max-delete)")
    });
    assert!(raised, "what the command line let pass stays readable: {message}");
    run(root, "render --max-delete unit=0", 0);
    let (_, err) = run(root, "render --max-delete pods=3", 2);
    assert!(err.contains("none of tenants, objects, kind, unit"), "{err}");
}
