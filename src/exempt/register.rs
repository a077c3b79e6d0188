//! The files that hold exemptions, read strictly: an entry that is wrong exempts nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use super::entry::{Exemption, Exemptions};
use crate::config::{self, Kind};
use crate::finding::{Class, Finding, Location};
use crate::source::Source;
use crate::yaml::{self, Limits};

/// The exemptions of a fleet's findings.
pub const FILE: &str = "policies/exemptions.yaml";

/// An exemption and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The exemption.
    pub entry: Exemption,
    /// The line of the rule that it names.
    pub rule: Location,
    /// The line of its last day.
    pub expires: Location,
}

/// The exemptions of a fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Register {
    /// The entries that hold, in the order of the file.
    pub entries: Vec<Held>,
}

impl Register {
    /// Reads the file of a fleet; without one nothing is exempted. Entries with faults are left out.
    pub fn read(source: &Source) -> (Self, Vec<Finding>) {
        let Some(text) = source.text(FILE) else { return Default::default() };
        let file: Exemptions = match config::read(FILE, text, Kind::Exemptions) {
            Ok(file) => file,
            Err(findings) => return (Self::default(), findings),
        };
        let locate = locator(text);
        let (mut register, mut findings, mut ids) = (Self::default(), Vec::new(), BTreeSet::new());
        for (index, entry) in file.exemptions.into_iter().enumerate() {
            let at = |field: &str| Location::new(FILE, locate(&format!("/exemptions/{index}/{field}")));
            let mut own = faults(&entry, entry.faults_in_fleet(), &at);
            if !ids.insert(entry.id.to_string()) {
                let said = format!("exemption {}: the id is given twice", entry.id);
                own.push(Finding::invalid("config/exemptions", said).at(at("id")));
            }
            if let Some(why) = entry.never() {
                let said = format!("exemption {}: {} can never be exempted", entry.id, entry.rule);
                let finding = Finding::error("exempt/never", Class::Guard, said).at(at("rule"));
                own.push(finding.expected(why).hint("remove the exemption, and mend what it was for"));
            }
            if own.is_empty() {
                register.entries.push(Held { rule: at("rule"), expires: at("expires"), entry });
            }
            findings.append(&mut own);
        }
        (register, findings)
    }
}

/// Reads the file of a cluster, whose entries are about drift. The kind `DriftExemptions` of earlier trees, whose
/// entries name no rule, is read as well.
///
/// # Errors
/// Everything that is wrong with it: then none of its entries holds.
pub fn of_tree(path: &str, text: &str) -> Result<Vec<Exemption>, Vec<Finding>> {
    let file: Exemptions = config::read_adapted(path, text, Kind::Exemptions, adapt)?;
    let locate = locator(text);
    let mut findings = Vec::new();
    for (index, entry) in file.exemptions.iter().enumerate() {
        let at = |field: &str| Location::new(path, locate(&format!("/exemptions/{index}/{field}")));
        findings.extend(faults(entry, entry.faults_of_drift(), &at));
        if let Some(why) = entry.never() {
            let said = format!("exemption {}: {} can never be exempted: {why}", entry.id, entry.rule);
            findings.push(Finding::error("exempt/never", Class::Guard, said).at(at("rule")));
        }
    }
    if findings.is_empty() { Ok(file.exemptions) } else { Err(findings) }
}

/// Brings a file of the earlier kind into the form of today.
fn adapt(value: &mut Value) {
    if value["kind"] != "DriftExemptions" {
        return;
    }
    value["kind"] = Kind::Exemptions.as_str().into();
    for entry in value["exemptions"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        entry.entry("rule").or_insert_with(|| "drift/*".into());
    }
}

fn faults(entry: &Exemption, faults: Vec<super::entry::Fault>, at: &dyn Fn(&str) -> Location) -> Vec<Finding> {
    let finding = |(field, said): (&str, String)| {
        Finding::invalid("config/exemptions", format!("exemption {}: {said}", entry.id)).at(at(field))
    };
    faults.into_iter().map(finding).collect()
}

/// Where a JSON pointer stands in a text.
fn locator(text: &str) -> impl Fn(&str) -> yaml::Span {
    let root = yaml::parse(text, Limits::CONFIG).ok().and_then(|documents| documents.into_iter().next());
    move |pointer| root.as_ref().map(|document| document.root.locate(pointer)).unwrap_or_default()
}
