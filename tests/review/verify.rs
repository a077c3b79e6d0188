//! `verify`: a tree that is what its inputs render to passes; whatever was done to it is named.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::fleet;
use crate::scratch::{Scratch, git};

/// Rule and place of every finding of a run that must end with `code`.
#[track_caller]
fn found(fleet: &Scratch, args: &str, code: i32) -> Vec<(String, String)> {
    let report = fleet.json(args, code);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let place = |finding: &Value| match &finding["location"] {
        Value::Null => String::new(),
        place => format!("{}:{}", text(&place["file"]), place["line"]),
    };
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|finding| (text(&finding["rule"]), place(finding))).collect()
}

/// Commits something by hand on the output.
#[track_caller]
fn by_hand(fleet: &Scratch, edit: impl FnOnce(&Path)) {
    let rendered = fleet.file("rendered");
    edit(&rendered);
    fleet::succeeded(&git(&rendered, &["add", "--all"]));
    fleet::succeeded(&git(&rendered, &["commit", "-q", "-m", "by hand"]));
}

fn undo(fleet: &Scratch) {
    fleet::succeeded(&git(&fleet.file("rendered"), &["reset", "-q", "--hard", "HEAD~1"]));
}

#[test]
fn what_was_rendered_passes_now_and_later_and_what_was_done_to_it_is_named() {
    let fleet = Scratch::new();
    assert_eq!(fleet.run("render").code, 0);
    let said = fleet.run("verify");
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.err.contains("12 units of"), "{}", said.err);
    // Any old commit, also when the fleet has moved on, and also from a bare repository.
    fleet.edit("tenants/acme.yaml", "Acme Corp", "Acme Two");
    fleet.commit("second");
    assert_eq!(fleet.run("render").code, 0);
    assert_eq!(found(&fleet, "verify", 0), []);
    assert_eq!(found(&fleet, "verify --rev HEAD~1", 0), []);
    fleet.git("clone -q --bare . bare.git");
    assert_eq!(found(&fleet, "verify --source bare.git", 0), []);
    fs::remove_dir_all(fleet.file("bare.git")).unwrap();

    let tenant = "clusters/eu-1/tenants/acme";
    let rule = |rule: &str, place: &str| (rule.to_owned(), place.to_owned());
    // Files outside of clusters/ are nobody's business; exemptions are written by people.
    by_hand(&fleet, |rendered| {
        fs::write(rendered.join("README.md"), "x").unwrap();
        fs::write(rendered.join("clusters/eu-1/exemptions.yaml"), "x").unwrap();
    });
    assert_eq!(found(&fleet, "verify", 0), []);
    type Done = fn(&Path);
    let cases: [(Done, Vec<(String, String)>); 5] = [
        (
            |unit| {
                let text = fs::read_to_string(unit.join("namespace.yaml")).unwrap();
                fs::write(unit.join("namespace.yaml"), text.replacen("tenant-acme", "tenant-evil", 1)).unwrap();
            },
            vec![rule("verify/edited", &format!("{tenant}/namespace.yaml:5"))],
        ),
        (
            |unit| fs::write(unit.join("extra.yaml"), "kind: Role\n").unwrap(),
            vec![rule("verify/added", &format!("{tenant}/extra.yaml:1"))],
        ),
        (
            |unit| fs::remove_file(unit.join("quota.yaml")).unwrap(),
            vec![rule("verify/missing", &format!("{tenant}/quota.yaml:1"))],
        ),
        (
            |unit| {
                // By somebody who knows how the record is kept.
                let (file, record) = (unit.join("namespace.yaml"), unit.join("provenance.json"));
                let before = fs::read(&file).unwrap();
                let after = String::from_utf8_lossy(&before).replacen("tenant-acme", "tenant-evil", 1).into_bytes();
                let digest = |bytes: &[u8]| tenantry::manifest::Digest::of(bytes).to_string();
                let text = fs::read_to_string(&record).unwrap().replace(&digest(&before), &digest(&after));
                fs::write(file, after).unwrap();
                fs::write(record, text).unwrap();
            },
            vec![rule("verify/differs", &format!("{tenant}/namespace.yaml:5")), rule("verify/differs", "provenance")],
        ),
        (
            |unit| {
                let other = unit.parent().unwrap().join("stowaway");
                fs::create_dir(&other).unwrap();
                fs::write(other.join("all.yaml"), "kind: Role\n").unwrap();
            },
            vec![rule("verify/added", "clusters/eu-1/tenants/stowaway:1")],
        ),
    ];
    for (done, expected) in cases {
        by_hand(&fleet, |rendered| done(&rendered.join(tenant)));
        let found = found(&fleet, "verify", 1);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((rule, place), (expected_rule, expected_place)) in found.iter().zip(&expected) {
            assert!(rule == expected_rule && (place == expected_place || place.contains(expected_place)), "{found:?}");
        }
        undo(&fleet);
    }
    assert_eq!(found(&fleet, "verify", 0), []);
}

#[test]
fn what_cannot_be_rendered_again_is_never_called_verified() {
    let fleet = Scratch::new();
    // From files that are in no commit.
    fleet.edit("tenants/acme.yaml", "Acme Corp", "Acme Two");
    assert_eq!(fleet.run("render").code, 0);
    assert_eq!(found(&fleet, "verify", 6), [("verify/not-verifiable".to_owned(), String::new())]);
    assert!(fleet.run("verify").err.contains("commit them and run `tenantry render` again"));
    // The same files, committed: no manifest changes, and the next render says which commit has them. Once.
    let tip = |args: &str| fleet::text(&git(&fleet.file("rendered"), &args.split(' ').collect::<Vec<_>>()).stdout);
    let (dirty, revision) = (tip("rev-parse main^{tree}"), fleet.commit("now"));
    assert_eq!(fleet.run("render").code, 0);
    assert_eq!(found(&fleet, "verify", 0), []);
    assert_eq!(tip("rev-parse main^{tree}"), dirty);
    assert!(tip("log -1 --format=%B").contains(&format!("Source-Revision: {revision}\n")));
    let recorded = tip("rev-parse main");
    assert_eq!(fleet.run("render").code, 0);
    fleet.commit("nothing of the fleet");
    assert_eq!(fleet.run("render").code, 0);
    assert_eq!(tip("rev-parse main"), recorded);
    fleet.edit("tenants/acme.yaml", "Acme Two", "Acme Three");
    let revision = fleet.commit("then");
    assert_eq!(fleet.run("render").code, 0);
    assert_eq!(found(&fleet, "verify", 0), []);
    // By another version of the program.
    let rendered = fleet.file("rendered");
    let message = fleet::text(&git(&rendered, &["log", "-1", "--format=%B"]).stdout);
    assert!(message.contains(&revision), "{message}");
    let other = message.replace(&format!("Tool-Version: {}", env!("CARGO_PKG_VERSION")), "Tool-Version: 99.0.0");
    fleet::succeeded(&git(&rendered, &["commit", "-q", "--amend", "-m", other.trim()]));
    let said = fleet.run("verify");
    assert_eq!(said.code, 6, "{}", said.err);
    assert!(said.err.contains("version 99.0.0"), "{}", said.err);
    // By nobody who says so.
    fleet::succeeded(&git(&rendered, &["checkout", "-q", "--orphan", "alone"]));
    fleet::succeeded(&git(&rendered, &["commit", "-q", "-m", "by hand"]));
    assert_eq!(fleet.run("verify --branch alone").code, 6);
    assert_eq!(fleet.run("verify --branch nowhere").code, 5);
}

#[test]
fn a_signature_is_made_when_configured_and_refused_when_it_is_not_trusted() {
    let fleet = Scratch::new();
    assert_eq!(fleet.run("render").code, 0);
    assert_eq!(found(&fleet, "verify --require-signed", 1), [("verify/signature".to_owned(), String::new())]);
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("key");
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "render", "-f"]).arg(&key).output();
    fleet::succeeded(&made.unwrap());
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    let trusted = keys.path().join("trusted");
    fs::write(&trusted, format!("render@localhost namespaces=\"git\" {public}")).unwrap();
    let rendered = fleet.file("rendered");
    for (name, value) in [
        ("commit.gpgSign", "true"),
        ("gpg.format", "ssh"),
        ("user.signingKey", key.to_str().unwrap()),
        ("gpg.ssh.allowedSignersFile", trusted.to_str().unwrap()),
    ] {
        fleet::succeeded(&git(&rendered, &["config", name, value]));
    }
    fleet.edit("tenants/acme.yaml", "Acme Corp", "Acme Two");
    fleet.commit("second");
    let said = fleet.run("render");
    assert_eq!(said.code, 0, "{}", said.err);
    let report = fleet.json("verify --require-signed", 0);
    let verdicts = report["checks"].as_array().unwrap();
    assert_eq!(verdicts.iter().map(|one| &one["verdict"]).collect::<Vec<_>>(), [&json!("passed"), &json!("passed")]);
    fleet::succeeded(&git(&rendered, &["fsck", "--strict"]));
    let raw = fleet::text(&git(&rendered, &["cat-file", "commit", "HEAD"]).stdout);
    assert!(raw.contains("gpgsig -----BEGIN SSH SIGNATURE-----") && raw.contains("\nTenantry-Tree: "), "{raw}");
    assert_eq!(fleet.run("render").code, 0);
    assert_eq!(fleet::text(&git(&rendered, &["rev-list", "--count", "HEAD"]).stdout).trim(), "2", "nothing changed");
    // Nobody is trusted any more.
    fs::write(&trusted, "").unwrap();
    for args in ["verify", "verify --require-signed"] {
        assert_eq!(found(&fleet, args, 1), [("verify/signature".to_owned(), String::new())], "{args}");
    }
    // A key that is not there: nothing is written.
    fs::remove_file(&key).unwrap();
    fleet.edit("tenants/acme.yaml", "Acme Two", "Acme Three");
    fleet.commit("third");
    let refused = fleet.run("render");
    assert_eq!(refused.code, 5, "{}", refused.err);
    assert!(refused.err.contains("cannot sign the commit"), "{}", refused.err);
    assert_eq!(fleet::text(&git(&rendered, &["rev-list", "--count", "HEAD"]).stdout).trim(), "2");
}

#[test]
fn each_unit_carries_a_statement_of_what_was_proved() {
    let fleet = Scratch::new();
    assert_eq!(fleet.run("render").code, 0);
    let read = |unit: &str| -> Value {
        serde_json::from_slice(&fs::read(fleet.file(&format!("rendered/clusters/eu-1/{unit}/statement.json"))).unwrap())
            .unwrap()
    };
    let (tenant, system) = (read("tenants/acme"), read("system"));
    let own = |statement: &Value| statement["predicate"]["https://tenantry.io/verification/v1"].clone();
    assert_eq!(tenant["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(tenant["predicate"]["verificationResult"], "PASSED");
    assert!(own(&tenant)["checks"].as_array().unwrap().iter().any(|check| check["check"] == "network"));
    assert!(own(&tenant)["assumptions"].is_null());
    assert!(own(&system)["assumptions"].as_array().unwrap().len() > 3, "{system:#}");
    for subject in tenant["subject"].as_array().unwrap() {
        let path = fleet.file("rendered").join(subject["name"].as_str().unwrap());
        let digest = tenantry::manifest::Digest::of(&fs::read(&path).unwrap()).to_string();
        assert_eq!(digest, format!("sha256:{}", subject["digest"]["sha256"].as_str().unwrap()), "{}", path.display());
    }
    let said = fleet.run("render");
    assert!(said.err.contains("nothing changed"), "{}", said.err);
}

#[test]
fn a_signature_of_gpg_is_made_and_checked_as_one_of_ssh() {
    if !Command::new("gpg").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return crate::tools::NotRun::new("no gpg on the search path", "apt-get install gnupg").report();
    }
    let fleet = Scratch::new();
    let home = tempfile::tempdir().unwrap();
    let gpg = |args: &[&str]| {
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(home.path()).args(["--batch", "--quiet", "--pinentry-mode", "loopback"]).args(args);
        let output = gpg.output().unwrap();
        fleet::succeeded(&output);
        fleet::text(&output.stdout)
    };
    gpg(&["--passphrase", "", "--quick-generate-key", "render <render@localhost>", "ed25519", "sign", "never"]);
    let listed = gpg(&["--list-secret-keys", "--with-colons"]);
    let key = listed.lines().find_map(|line| line.strip_prefix("fpr:")).unwrap().trim_matches(':').to_owned();
    // Git asks this program, which knows where the keys of the test are.
    let program = home.path().join("gpg");
    fs::write(&program, format!("#!/bin/sh\nexec gpg --homedir {} \"$@\"\n", home.path().display())).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    assert_eq!(fleet.run("render").code, 0);
    let rendered = fleet.file("rendered");
    for (name, value) in
        [("commit.gpgSign", "true"), ("user.signingKey", key.as_str()), ("gpg.program", program.to_str().unwrap())]
    {
        fleet::succeeded(&git(&rendered, &["config", name, value]));
    }
    fleet.edit("tenants/acme.yaml", "Acme Corp", "Acme Two");
    fleet.commit("second");
    let said = fleet.run("render");
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(found(&fleet, "verify --require-signed", 0), []);
    let raw = fleet::text(&git(&rendered, &["cat-file", "commit", "HEAD"]).stdout);
    assert!(raw.contains("gpgsig -----BEGIN PGP SIGNATURE-----"), "{raw}");
    fleet::succeeded(&git(&rendered, &["fsck", "--strict"]));
    // The commit before carries none, and one who does not know the key trusts nobody.
    assert_eq!(found(&fleet, "verify --require-signed --rev HEAD~1", 1)[0].0, "verify/signature");
    gpg(&["--yes", "--delete-secret-and-public-key", &key]);
    assert_eq!(found(&fleet, "verify", 1)[0].0, "verify/signature");
    drop(Command::new("gpgconf").arg("--homedir").arg(home.path()).args(["--kill", "gpg-agent"]).output());
}

#[test]
fn drift_takes_only_a_revision_that_was_proved_as_it_is() {
    let fleet = Scratch::new();
    assert_eq!(fleet.run("render").code, 0);
    fs::write(fleet.file("dump.yaml"), "apiVersion: v1\nkind: Namespace\nmetadata: { name: other }\n").unwrap();
    let drift = |more: &str| fleet.run(&format!("drift --cluster eu-1 --live dump.yaml {more}"));
    let trusted = drift("--require-statement");
    assert_eq!(trusted.code, 6, "it is compared, and the dump holds little: {}{}", trusted.out, trusted.err);
    // What people write beside the units is none of the statement's business.
    by_hand(&fleet, |rendered| {
        fs::write(rendered.join("README.md"), "x").unwrap();
        fs::write(
            rendered.join("clusters/eu-1/exemptions.yaml"),
            "apiVersion: tenantry.io/v1\nkind: DriftExemptions\nexemptions: []\n",
        )
        .unwrap();
    });
    assert_eq!(drift("--require-statement").code, 6);
    type Done = fn(&Path);
    let cases: [(Done, &str); 3] = [
        (
            |unit| {
                let text = fs::read_to_string(unit.join("quota.yaml")).unwrap();
                fs::write(unit.join("quota.yaml"), text.replacen("pods: ", "pods: 1", 1)).unwrap();
            },
            "clusters/eu-1/tenants/acme/statement.json: quota.yaml is not what was proved",
        ),
        (
            |unit| fs::write(unit.join("extra.yaml"), "kind: Role\n").unwrap(),
            "clusters/eu-1/tenants/acme/statement.json: extra.yaml was not proved",
        ),
        (|unit| fs::remove_file(unit.join("statement.json")).unwrap(), "nothing states what was proved"),
    ];
    for (done, expected) in cases {
        by_hand(&fleet, |rendered| done(&rendered.join("clusters/eu-1/tenants/acme")));
        let refused = drift("--require-statement");
        assert_eq!(refused.code, 4, "{}{}", refused.out, refused.err);
        assert!(refused.err.contains(expected), "{expected} in {}", refused.err);
        assert_ne!(drift("").code, 4, "nobody asked for it");
        undo(&fleet);
    }
    let unsigned = drift("--require-signed");
    assert_eq!(unsigned.code, 4, "{}", unsigned.err);
    assert!(unsigned.err.contains("it is not signed"), "{}", unsigned.err);
}
