//! Every refusal of the verbs that no other test meets: the code, the words, and the near miss that passes.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::identity::IDENTITY;
use crate::scratch::{git, program, repository, run};

/// What is done to the fleet, the line that is refused, how it ends and what it says; and what passes instead.
struct Case {
    prepare: &'static str,
    refused: (&'static str, i32, &'static [&'static str]),
    mend: &'static str,
    passes: &'static str,
}

const CASES: [Case; 21] = [
    // A link is not written through, neither in the files nor in a commit.
    Case {
        prepare: "mkdir r && mv tenants/oak.yaml r && ln -s ../r/oak.yaml tenants/oak.yaml",
        refused: ("suspend oak --now 2026-11-22", 4, &["tenants/oak.yaml is a link: it is not edited"]),
        mend: "rm tenants/oak.yaml && mv r/oak.yaml tenants",
        passes: "suspend oak --now 2026-11-22 --dry-run",
    },
    Case {
        prepare: "mkdir r && mv tenants/oak.yaml r && ln -s ../r/oak.yaml tenants/oak.yaml && git add -A && git commit -qm link",
        refused: ("suspend oak --now 2026-11-22 --commit", 4, &["tenants/oak.yaml is a link: it is not edited"]),
        mend: "git reset -q --hard HEAD~1",
        passes: "suspend oak --now 2026-11-22 --commit",
    },
    Case {
        prepare: "git switch -q --detach",
        refused: ("suspend oak --now 2026-11-22 --commit", 2, &["no branch is checked out", "--branch NAME"]),
        mend: "true",
        passes: "suspend oak --now 2026-11-22 --commit --branch pause",
    },
    Case {
        prepare: "git branch empty $(git commit-tree -m none $(git hash-object -t tree -w /dev/null))",
        refused: ("suspend oak --branch empty --commit", 3, &["empty holds no install.yaml", "commit the fleet first"]),
        mend: "git branch -q -f empty main",
        passes: "suspend oak --now 2026-11-22 --branch empty --commit",
    },
    Case {
        prepare: "true",
        refused: (
            "upgrade -l cluster=nowhere --to 1.0.1 --downgrade",
            3,
            &["no tenant is meant by that", "tenantry list"],
        ),
        mend: "true",
        passes: "upgrade -l cluster=gke-eu --to 1.0.1 --downgrade --dry-run",
    },
    Case {
        prepare: "true",
        refused: ("upgrade --all --to 1.0.1 --downgrade --canary 0", 2, &["a wave of no tenant is none"]),
        mend: "true",
        passes: "upgrade --all --to 1.0.1 --downgrade --canary 1% --dry-run",
    },
    Case {
        prepare: "true",
        refused: ("set oak --unset sizing.profle", 3, &["no field sizing.profle", "did you mean `profile`?"]),
        mend: "true",
        passes: "set oak --unset sizing.profile --unset components.wazuh.dashboard --dry-run",
    },
    Case {
        prepare: "true",
        refused: ("set oak llm.model=x --unset llm", 2, &["llm.model and llm would be changed twice"]),
        mend: "true",
        passes: "set oak llm.model=x --unset components --dry-run",
    },
    Case {
        prepare: "true",
        refused: ("set oak llm.model=x llm.model=y", 2, &["llm.model would be changed twice"]),
        mend: "true",
        passes: "set oak llm.model=x resourceQuota.pods=60 --dry-run",
    },
    Case {
        prepare: "sed -i 's/to: 30009/to: 30003/' install.yaml",
        refused: (
            "onboard elm --name Elm",
            3,
            &["no pair of ports is free in 30000 to 30003", "widen wazuhIngress.edge.ports"],
        ),
        mend: "sed -i 's/to: 30003/to: 30005/' install.yaml",
        passes: "onboard elm --name Elm --dry-run",
    },
    // No step before the step before it: a grace period would be over when it begins.
    Case {
        prepare: "\"$TENANTRY\" suspend oak --now 2026-11-22 -q",
        refused: (
            "decommission oak --now 2026-10-01",
            4,
            &["suspended since 2026-11-22, which is after the day given"],
        ),
        mend: "true",
        passes: "decommission oak --now 2026-11-22 --dry-run",
    },
    Case {
        prepare: "\"$TENANTRY\" rotate oak wazuh --now 2026-11-22 -q",
        refused: ("rotate oak wazuh --now 2026-11-21", 4, &["wazuh was rotated on 2026-11-22, which is after the day"]),
        mend: "true",
        passes: "rotate oak wazuh --now 2026-11-22 --dry-run",
    },
    Case {
        prepare: "\"$TENANTRY\" rotate oak llm --record --now 2026-11-22 -q",
        refused: (
            "rotate oak llm --record --now 2026-11-21",
            4,
            &["llm was rotated on 2026-11-22", "secrets.llm.rotated"],
        ),
        mend: "true",
        passes: "rotate oak llm --record --now 2026-11-23 --dry-run",
    },
    // What was rendered does not go because its tenant's file says less than `retired`.
    Case {
        prepare: "\"$TENANTRY\" render -q && printf 'lifecycle: { state: pending }\\n' >> tenants/oak.yaml",
        refused: (
            "render",
            4,
            &["render/vanished-tenant", "--> tenants/oak.yaml", "its state went back to pending", "--allow-delete oak"],
        ),
        mend: "true",
        passes: "render --allow-delete oak",
    },
    Case {
        prepare: "\"$TENANTRY\" render -q && sed -i 's/cluster: gke-eu/cluster: gke-us/' tenants/oak.yaml && \
                  sed -i 's/^  - { name: gke-eu,.*/&\\n  - { name: gke-us, region: eu, edgeAddress: 203.0.113.78 }/' install.yaml",
        refused: (
            "render",
            4,
            &["render/vanished-tenant", "--> tenants/oak.yaml", "moved to cluster gke-us: its data on the old one"],
        ),
        mend: "sed -i 's/cluster: gke-us/cluster: gke-eu/' tenants/oak.yaml",
        passes: "render",
    },
    Case {
        prepare: "true",
        refused: ("codeowners", 3, &["install.yaml does not say who reviews", "securityOfficers"]),
        mend: "printf 'review: { owners: [\"@a\"], securityOfficers: [\"@b\"] }\\n' >> install.yaml",
        passes: "codeowners",
    },
    Case {
        prepare: "printf 'review: { owners: [\"@a\"], securityOfficers: [\"@b\"] }\\n' >> install.yaml && \
                  \"$TENANTRY\" codeowners -q && sed -i '/^# end/d' CODEOWNERS",
        refused: ("codeowners", 4, &["CODEOWNERS holds one of our two marks only", "remove what is left"]),
        mend: "rm CODEOWNERS",
        passes: "codeowners",
    },
    Case {
        prepare: "printf 'review: { owners: [\"@a\"], securityOfficers: [\"@b\"] }\n' >> install.yaml && \
                  mkdir .github && printf '* @c\n' > .github/CODEOWNERS",
        refused: ("codeowners", 4, &["GitHub reads .github/CODEOWNERS first", "move what .github/CODEOWNERS says"]),
        mend: "mv .github/CODEOWNERS .",
        passes: "codeowners",
    },
    Case {
        prepare: "true",
        refused: ("bootstrap gke-us", 2, &["there is no cluster gke-us", "clusters: gke-eu"]),
        mend: "true",
        passes: "bootstrap gke-eu",
    },
    // An invalid fleet is told with every place, also where only a part of it is asked for.
    Case {
        prepare: "sed -i 's/^  slug: oak/  slug: OAK/' tenants/oak.yaml",
        refused: ("bootstrap gke-eu", 3, &["--> tenants/oak.yaml:"]),
        mend: "git checkout -q .",
        passes: "bootstrap gke-eu",
    },
    Case {
        prepare: "sed -i 's/^  slug: oak/  slug: OAK/' tenants/oak.yaml",
        refused: ("codeowners --check", 3, &["--> tenants/oak.yaml:"]),
        mend: "git checkout -q . && printf 'review: { owners: [\"@a\"], securityOfficers: [\"@b\"] }\\n' >> install.yaml && \
               \"$TENANTRY\" codeowners -q",
        passes: "codeowners --check",
    },
];

#[test]
fn each_guard_refuses_in_words_and_its_near_miss_passes() {
    let folder = repository();
    let root = folder.path();
    let head = git(root, &["rev-parse", "HEAD"]);
    for case in CASES {
        shell(root, case.prepare);
        let before = (git(root, &["status", "--porcelain"]), git(root, &["for-each-ref"]));
        let (line, code, parts) = case.refused;
        let (_, err) = run(root, line, code);
        for part in parts {
            assert!(err.contains(part), "{line}: {part}\n{err}");
        }
        let after = (git(root, &["status", "--porcelain"]), git(root, &["for-each-ref"]));
        assert_eq!(before, after, "{line}: a refusal changes nothing");
        shell(root, case.mend);
        run(root, case.passes, 0);
        git(root, &["switch", "--quiet", "--force", "-C", "main", &head]);
        git(root, &["clean", "-d", "--force", "--quiet", "-x"]);
    }
}

#[track_caller]
fn shell(root: &Path, script: &str) {
    let mut shell = Command::new("sh");
    shell.current_dir(root).args(["-euc", script]).envs(IDENTITY).env("TENANTRY", env!("CARGO_BIN_EXE_tenantry"));
    let output = shell.env("XDG_CACHE_HOME", root.join(".git/cache")).output().unwrap();
    assert!(output.status.success(), "{script}\n{}", crate::fleet::text(&output.stderr));
}

#[test]
fn a_day_that_is_none_is_refused_and_not_taken_from_the_clock() {
    let folder = repository();
    let at = |day: &str| {
        let mut command = program(folder.path());
        command.env("SOURCE_DATE_EPOCH", day).args(["suspend", "oak", "--dry-run"]).output().unwrap()
    };
    for wrong in ["yesterday", "", "99999999999999"] {
        let output = at(wrong);
        let err = crate::fleet::text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {err}");
        assert!(err.contains("SOURCE_DATE_EPOCH is no time"), "{err}");
    }
    let output = at("1700000000");
    assert!(crate::fleet::text(&output.stdout).contains("+  since: 2023-11-14"), "{output:?}");
}

#[test]
fn the_command_that_a_wave_names_next_is_one_that_works() {
    let folder = repository();
    let root = folder.path();
    run(root, "onboard elm --name Elm --id 9e5c6a0d-7c3b-4f07-8bad-0d4e9f6b3c99 --now 2026-11-22 --commit", 0);
    let (_, err) = run(root, "upgrade --all --to 1.0.1 --downgrade --canary 1", 0);
    let next = err.lines().find_map(|line| line.strip_prefix("next: once these run well: tenantry ")).unwrap();
    run(root, next, 0);
    let (_, err) = run(root, "upgrade elm --to 1.0.1", 0);
    assert!(err.contains("nothing to change: elm is at 1.0.1 already"), "{err}");
}

#[test]
fn the_owners_follow_the_tier_in_the_same_change() {
    let folder = repository();
    let root = folder.path();
    let install = fs::read_to_string(root.join("install.yaml")).unwrap();
    let review = "review: { owners: [\"@team\"], securityOfficers: [\"@officers\"] }\n";
    fs::write(root.join("install.yaml"), install + review).unwrap();
    let elm = "onboard elm --name Elm --tier regulated --id 9e5c6a0d-7c3b-4f07-8bad-0d4e9f6b3c99 --now 2026-11-22";
    // Who has no such file gets none.
    run(root, &format!("{elm} --dry-run"), 0);
    run(root, "codeowners", 0);
    git(root, &["add", "--all"]);
    git(root, &["commit", "--quiet", "-m", "owners"]);
    let (out, _) = run(root, &format!("{elm} --branch onboard/elm --commit"), 0);
    assert!(out.contains("CODEOWNERS follows"), "{out}");
    assert_eq!(git(root, &["diff", "--name-only", "main", "onboard/elm"]), "CODEOWNERS\ntenants/elm.yaml");
    git(root, &["merge", "--quiet", "onboard/elm"]);
    run(root, "codeowners --check", 0);
    // A change that leaves the tiers alone leaves the file alone; the tier alone brings it along.
    run(root, "set elm tenant.displayName=Elms", 0);
    assert_eq!(git(root, &["status", "--porcelain"]), " M tenants/elm.yaml");
    run(root, "set elm tenant.tier=standard", 0);
    assert!(!fs::read_to_string(root.join("CODEOWNERS")).unwrap().contains("elm"));
    run(root, "codeowners --check", 0);
    // Through a link nothing is written, and the tenant's own change is made all the same.
    fs::rename(root.join("CODEOWNERS"), root.join("owners")).unwrap();
    std::os::unix::fs::symlink("owners", root.join("CODEOWNERS")).unwrap();
    run(root, "set elm tenant.tier=regulated", 0);
    assert!(!fs::read_to_string(root.join("owners")).unwrap().contains("elm"));
}

#[test]
fn in_a_larger_repository_the_owners_lie_at_its_top() {
    let whole = tempfile::tempdir().unwrap();
    let (root, fleet) = (whole.path(), whole.path().join("soc/fleet"));
    crate::fleet::write(&fleet, &crate::fleet::inputs(repository().path()));
    let install = fs::read_to_string(fleet.join("install.yaml")).unwrap();
    let review = "review: { owners: [\"@team\"], securityOfficers: [\"@officers\"] }\n";
    fs::write(fleet.join("install.yaml"), install + review).unwrap();
    fs::write(root.join("CODEOWNERS"), "/web/ @web\n").unwrap();
    git(root, &["init", "--quiet", "--initial-branch", "main"]);
    run(&fleet, "codeowners", 0);
    assert!(!fleet.join("CODEOWNERS").exists());
    let text = fs::read_to_string(root.join("CODEOWNERS")).unwrap();
    assert!(text.starts_with("/web/ @web\n"), "{text}");
    assert!(text.contains("\n/soc/fleet/ @team\n") && text.contains("\n/soc/fleet/policies/ @officers\n"), "{text}");
    let (_, err) = run(&fleet, "set oak tenant.tier=regulated --now 2026-11-22", 0);
    assert!(err.contains("next: `tenantry codeowners`"), "{err}");
}
