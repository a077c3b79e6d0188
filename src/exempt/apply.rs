//! What exemptions do to findings, and what is to be said of exemptions that are over or do nothing.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::entry::{Exemption, dotted};
use super::register::{FILE, Register};
use crate::finding::{Class, Exempted, Finding};
use crate::rules;

/// Marks the findings that an exemption covers. `cluster_of` tells the cluster of a tenant.
///
/// Invalid input and checks that could not run are never exempted, nor are rules that say so: what is not understood
/// cannot be accepted.
pub fn apply(findings: &mut [Finding], register: &Register, today: Date, cluster_of: &dyn Fn(&str) -> Option<String>) {
    let valid = || register.entries.iter().filter(|held| !held.entry.is_over(today));
    if valid().next().is_none() {
        return;
    }
    for finding in findings.iter_mut().filter(|finding| finding.exempted.is_none() && may_be(finding)) {
        let found = valid().find(|held| covers(&held.entry, finding, cluster_of));
        finding.exempted = found.map(|held| Box::new(Exempted::of(&held.entry)));
    }
}

fn may_be(finding: &Finding) -> bool {
    matches!(finding.class, Class::Check | Class::Guard)
        && rules::find(finding.rule).is_none_or(|rule| rule.never().is_none())
}

fn covers(entry: &Exemption, finding: &Finding, cluster_of: &dyn Fn(&str) -> Option<String>) -> bool {
    let file = finding.location.as_ref().map(|place| place.file.as_str());
    let path = finding.path.as_deref().map(dotted).unwrap_or_default();
    entry.names(finding.rule)
        && entry.file.as_deref().is_none_or(|own| file == Some(own))
        && covers_object(entry, finding.object.as_deref())
        && entry.covers_path(&path)
        && entry.cluster.as_deref().is_none_or(|own| cluster(finding, cluster_of).as_deref() == Some(own))
}

/// The object of a finding is named as `Kind namespace/name` or `Kind name`.
fn covers_object(entry: &Exemption, object: Option<&str>) -> bool {
    if entry.kind.is_none() {
        return true;
    }
    let Some((kind, name)) = object.and_then(|object| object.split_once(' ')) else { return false };
    let (group, kind) = kind.rsplit_once('/').map_or((None, kind), |(group, kind)| (Some(group), kind));
    let (namespace, name) = name.split_once('/').map_or((None, name), |(namespace, name)| (Some(namespace), name));
    entry.covers_object(group, kind, namespace, name)
}

/// The cluster that a finding is about, as far as it is known: its file is one of the cluster's, or its tenant is there.
fn cluster(finding: &Finding, cluster_of: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let file = finding.location.as_ref().and_then(|place| place.file.strip_prefix("clusters/"));
    let of_file = file.and_then(|rest| rest.split('/').next()).map(str::to_owned);
    of_file.or_else(|| cluster_of(finding.tenant.as_deref().unwrap_or_default()))
}

/// Whether a finding is about an exemption that nobody may make or understand.
pub fn is_fault(finding: &Finding) -> bool {
    finding.location.as_ref().is_some_and(|place| place.file == FILE)
}

/// What is to be said of the exemptions themselves. `whole` says that the run saw everything; in a part, one that covers
/// nothing is not called unused.
pub fn audit(findings: &[Finding], register: &Register, today: Date, whole: bool) -> Vec<Finding> {
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    for exempted in findings.iter().filter_map(|finding| finding.exempted.as_ref()) {
        *used.entry(exempted.id.as_str()).or_default() += 1;
    }
    let mut said = Vec::new();
    for held in &register.entries {
        let Exemption { id, owner, expires, rule, .. } = &held.entry;
        if held.entry.is_over(today) {
            let message = format!("the exemption {id} of {owner} expired on {expires} and exempts nothing any more");
            let finding = Finding::error("exempt/expired", Class::Check, message).at(held.expires.clone());
            said.push(finding.hint(format!("mend what {rule} found, or decide anew and change the day")));
        } else if whole && !used.contains_key(id.as_str()) {
            let message = format!("the exemption {id} of {owner} covers nothing");
            let finding = Finding::warning("exempt/unused", message).at(held.rule.clone());
            said.push(
                finding.hint(format!("remove it from {FILE}: it would silently cover the next thing that it fits")),
            );
        }
    }
    said
}

impl Exempted {
    fn of(entry: &Exemption) -> Self {
        Self {
            id: entry.id.to_string(),
            owner: entry.owner.to_string(),
            reason: entry.reason.to_string(),
            expires: entry.expires.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Location, any_error, exit_code};
    use crate::source::Source;

    fn register(entries: &str) -> (Register, Vec<Finding>) {
        let text = format!("apiVersion: tenantry.io/v1\nkind: Exemptions\nexemptions:\n{entries}");
        let mut source = Source::default();
        source.files.insert(FILE.to_owned(), text);
        Register::read(&source)
    }

    const GOOD: &str = "- id: a\n  rule: network/open-internet\n  owner: o@example.com\n  reason: r\n  expires: 2026-06-30\n  kind: NetworkPolicy\n  namespace: tenant-*\n  name: egress\n";

    fn finding() -> Finding {
        Finding::error("network/open-internet", Class::Check, "m")
            .object("NetworkPolicy tenant-oak/egress")
            .path("/spec/egress/0")
            .tenant("oak")
            .at(Location::file("tenants/oak.yaml"))
    }

    fn applied(entries: &str, finding: Finding, today: &str) -> (bool, Vec<Finding>) {
        let (register, faults) = register(entries);
        assert_eq!(faults, [], "{entries}");
        let mut findings = vec![finding];
        let today = today.parse().unwrap();
        apply(&mut findings, &register, today, &|slug| (slug == "oak").then(|| "eu-1".to_owned()));
        let said = audit(&findings, &register, today, true);
        (!any_error(&findings), said)
    }

    #[test]
    fn it_covers_what_it_names_until_its_day_is_over() {
        for change in
            ["", "  path: spec.egress\n", "  path: /spec/egress/0\n", "  cluster: eu-1\n", "  file: tenants/oak.yaml\n"]
        {
            let entries = format!("{GOOD}{change}");
            assert_eq!(applied(&entries, finding(), "2026-06-30"), (true, vec![]), "{change}");
            let (covered, said) = applied(&entries, finding(), "2026-07-01");
            assert!(!covered, "{change}");
            assert_eq!((said[0].rule, said[0].location.as_ref().unwrap().line), ("exempt/expired", 8), "{said:?}");
            assert_eq!(exit_code(&said), 1);
        }
        let family = GOOD.replace("network/open-internet", "network/*");
        assert_eq!(applied(&family, finding(), "2026-06-30"), (true, vec![]));
    }

    #[test]
    fn near_misses_are_not_covered_and_it_is_called_unused() {
        for change in ["  path: spec.egr\n", "  cluster: eu-2\n", "  file: tenants/elm.yaml\n"] {
            let (covered, said) = applied(&format!("{GOOD}{change}"), finding(), "2026-06-30");
            assert!(!covered, "{change}");
            assert_eq!((said[0].rule, said[0].location.as_ref().unwrap().line), ("exempt/unused", 5));
            assert!(!any_error(&said));
        }
        for other in [
            Finding { rule: "network/pod-block", ..finding() },
            finding().object("NetworkPolicy tenant-oak/ingress"),
            finding().object("Role tenant-oak/egress"),
            Finding { object: None, ..finding() },
        ] {
            assert!(!applied(GOOD, other.clone(), "2026-06-30").0, "{other:?}");
        }
    }

    #[test]
    fn what_may_never_be_exempted_is_refused_at_its_line_and_not_covered_by_a_family() {
        let (register, faults) = register(&GOOD.replace("network/open-internet", "network/claim"));
        assert_eq!(register.entries.len(), 0);
        assert_eq!((faults[0].rule, faults[0].location.as_ref().unwrap().line), ("exempt/never", 5));
        let family = GOOD.replace("network/open-internet", "network/*");
        assert!(!applied(&family, Finding { rule: "network/claim", ..finding() }, "2026-06-30").0);
        let unread = Finding { class: Class::Incomplete, rule: "network/unsupported", ..finding() };
        assert!(!applied(&family, unread, "2026-06-30").0);
    }

    #[test]
    fn the_file_is_read_strictly_with_places() {
        for (broken, rule, line) in [
            (GOOD.replace("  owner: o@example.com\n", ""), "config/missing-field", 4),
            (GOOD.replace("2026-06-30", "soon"), "config/value", 8),
            (format!("{GOOD}  until: ever\n"), "config/unknown-field", 12),
            (format!("{GOOD}{GOOD}"), "config/exemptions", 12),
            (GOOD.replace("name: egress", "name: '*'").replace("  namespace: tenant-*\n", ""), "config/exemptions", 10),
            (GOOD.replace("open-internet", "open-intranet"), "config/exemptions", 5),
            (GOOD.replace("reason: r", "reason: ' '"), "config/value", 7),
        ] {
            let (_, faults) = register(&broken);
            let found: Vec<_> =
                faults.iter().map(|one| (one.rule, one.location.as_ref().map_or(0, |place| place.line))).collect();
            assert!(found.contains(&(rule, line)), "{broken}\n{faults:?}");
        }
        assert_eq!(Register::read(&Source::default()), Default::default());
    }

    #[test]
    fn in_a_part_of_the_fleet_nothing_is_called_unused() {
        let (register, _) = register(GOOD);
        assert_eq!(audit(&[], &register, "2026-01-01".parse().unwrap(), false), []);
    }
}
