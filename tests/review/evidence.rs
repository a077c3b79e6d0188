//! `evidence`: claims with verdicts; what did not run or does not hold is never called proved.

use serde_json::Value;

use crate::scratch::{Scratch, git};

fn verdict<'d>(document: &'d Value, list: &str, id: &str) -> &'d str {
    let found = document[list].as_array().unwrap().iter().find(|one| one["id"] == id);
    found.unwrap_or_else(|| panic!("{list} has no {id}: {document:#}"))["verdict"].as_str().unwrap()
}

/// The pack, whatever it ends with, and that code.
fn pack(fleet: &Scratch, args: &str) -> (Value, i32) {
    let said = fleet.run(&format!("evidence {args} -o json"));
    let document = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}\n{}{}", said.out, said.err));
    (document, said.code)
}

#[test]
fn a_pack_says_what_was_proved_of_which_revision() {
    let fleet = Scratch::new();
    let revision = fleet.git("rev-parse HEAD");
    let (document, code) = pack(&fleet, "--rev HEAD --now 2026-07-01");
    assert_eq!(document["subject"]["revision"], revision);
    for claim in ["contract", "isolation", "no-secrets", "rotation", "admission", "capacity"] {
        assert_eq!(verdict(&document, "claims", claim), "proved", "{claim}: {document:#}");
    }
    // Rotation: what nobody recorded is not proved, what is over is failed.
    assert_eq!(verdict(&document, "claims", "rotation-due"), "not-checked");
    let (late, code_late) = pack(&fleet, "--rev HEAD --now 2036-07-01");
    assert_eq!((verdict(&late, "claims", "rotation-due"), code_late), ("failed", 1));
    let due = late["claims"].as_array().unwrap().iter().find(|one| one["id"] == "rotation-due").unwrap();
    let reasons = due["reasons"].as_array().unwrap().iter().filter_map(Value::as_str);
    assert!(reasons.into_iter().any(|one| one.contains("tenant-fenwick/wazuh-bootstrap is overdue since")), "{due:#}");
    let isolation = document["claims"].as_array().unwrap().iter().find(|one| one["id"] == "isolation").unwrap();
    assert!(isolation["assumptions"].as_array().unwrap().len() > 5);
    // A claim of which nothing ran makes the whole incomplete.
    let unproved = document["claims"].as_array().unwrap().iter().any(|one| one["verdict"] == "not-checked");
    assert_eq!(code, if unproved { 6 } else { 0 });
    assert_eq!(document["threats"].as_array().unwrap().len(), 10);
    // The same revision gives the same pack, whatever lies in the folder.
    std::fs::write(fleet.file("tenants/acme.yaml"), "broken").unwrap();
    assert_eq!(pack(&fleet, "--rev HEAD --now 2026-07-01").0, document);
    assert_eq!(fleet.run("evidence").code, 3);
}

#[test]
fn what_does_not_hold_is_failed_and_exemptions_are_listed() {
    let fleet = Scratch::new();
    std::fs::remove_dir_all(fleet.file("policies/admission")).unwrap();
    fleet.edit("policies/rotation/default.yaml", "kind: signing-key, maxTTL: 365d, ", "kind: signing-key, ");
    assert_eq!(fleet.run("render").code, 0);
    let exemptions = "apiVersion: tenantry.io/v1\nkind: DriftExemptions\nexemptions:\n  - id: migration\n    owner: sre\n    \
                      reason: move of the disks\n    expires: 2026-01-31\n    kind: ResourceQuota\n    name: tenant-quota\n";
    let rendered = fleet.file("rendered");
    std::fs::write(rendered.join("clusters/eu-1/exemptions.yaml"), exemptions).unwrap();
    assert!(git(&rendered, &["add", "--all"]).status.success());
    assert!(git(&rendered, &["commit", "-q", "-m", "exempt"]).status.success());
    let (document, code) = pack(&fleet, "--repo rendered --now 2026-02-01");
    assert_eq!(verdict(&document, "claims", "admission"), "failed");
    assert_eq!(verdict(&document, "claims", "rotation"), "failed", "{document:#}");
    assert_eq!(verdict(&document, "threats", "Malicious commit"), "failed");
    assert_eq!(code, 1);
    let one = &document["exemptions"][0];
    assert_eq!((one["owner"].as_str(), one["expired"].as_bool()), (Some("sre"), Some(true)));
    let (before, _) = pack(&fleet, "--repo rendered --now 2026-01-31");
    assert_eq!(before["exemptions"][0]["expired"], false);
}
