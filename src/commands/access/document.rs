//! The answer as a document, and as text.

use std::fmt::Write as _;

use serde::Serialize;

use crate::access::{self, Mount, Outsider, Subject};
use crate::error::{Error, Result};

/// Most Secrets or accounts that one question explains.
const MOST: usize = 16;

/// The answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    api_version: &'static str,
    kind: &'static str,
    /// What was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    /// Every Secret, if nothing was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets_in_brief: Vec<Row>,
    /// The Secrets that were meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<OfSecret>,
    /// The accounts, users or groups that were meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<OfSubject>,
    /// Who can read Secrets by rights that no fleet renders.
    pub assumed: &'static [Outsider],
}

/// A Secret in a line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub cluster: String,
    pub namespace: String,
    pub secret: String,
    pub title: &'static str,
    pub origin: &'static str,
    pub readers: Vec<String>,
}

/// A Secret and everybody who can read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfSecret {
    pub cluster: String,
    pub namespace: String,
    pub secret: String,
    pub title: &'static str,
    pub origin: &'static str,
    pub class: &'static str,
    pub readers: Vec<OfReader>,
    pub mounted_by: Vec<OfMount>,
}

/// Somebody who can read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfReader {
    pub subject: Subject,
    /// Whether the inventory names it.
    pub inventory: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duty: Option<&'static str>,
    pub grants: Vec<Granted>,
}

/// A pod that mounts it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfMount {
    pub workload: &'static str,
    pub account: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
}

impl OfMount {
    pub fn new(mount: &Mount, secret: &str) -> Self {
        let why = mount.beyond.filter(|(secrets, _)| secrets.contains(&secret)).map(|(_, why)| why);
        Self { workload: mount.workload, account: mount.account, why }
    }
}

/// Somebody and everything that they can read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfSubject {
    pub cluster: String,
    pub subject: Subject,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duty: Option<&'static str>,
    pub reads: Vec<OfReach>,
}

/// A Secret that somebody can read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfReach {
    /// `namespace/name`; `*` is every one.
    pub secret: String,
    pub grant: Granted,
}

/// A grant with its lines.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    pub right: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<Subject>,
    pub role: String,
    pub role_at: String,
    pub binding: String,
    pub binding_at: String,
    pub decided_by: String,
}

impl Document {
    pub fn new(of: Option<String>) -> Self {
        Self {
            api_version: "tenantry.io/v1",
            kind: "Access",
            of,
            secrets_in_brief: Vec::new(),
            secrets: Vec::new(),
            subjects: Vec::new(),
            assumed: access::outsiders(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty() && self.subjects.is_empty()
    }

    /// Refuses a question about more than a person reads. (A program reads all.)
    pub fn unique(&self, for_programs: bool) -> Result<()> {
        let count = self.secrets.len() + self.subjects.len();
        if for_programs || count <= MOST {
            return Ok(());
        }
        let first = self.secrets.first().map(|one| format!("{}/{}", one.namespace, one.secret));
        let first = first.or_else(|| self.subjects.first().map(|one| one.subject.to_string())).unwrap_or_default();
        Err(Error::usage(format!("{} is the name of {count}", self.of.as_deref().unwrap_or_default()))
            .hint(format!("name one, such as {first}; or -o json for all")))
    }

    pub fn text(&self) -> String {
        let mut out = String::new();
        if !self.secrets_in_brief.is_empty() {
            table(&self.secrets_in_brief, &mut out);
        }
        self.secrets.iter().for_each(|secret| of_secret(secret, &mut out));
        self.subjects.iter().for_each(|subject| of_subject(subject, &mut out));
        out.push_str("Assumed, since no fleet renders it:\n");
        for outsider in self.assumed {
            let _ = writeln!(out, "  {}: {}", outsider.name, outsider.why);
        }
        out
    }
}

fn table(rows: &[Row], out: &mut String) {
    let name = |row: &Row| format!("{}/{}", row.namespace, row.secret);
    let widths = [
        rows.iter().map(|row| row.cluster.len()).max().unwrap_or(0).max(7),
        rows.iter().map(|row| name(row).len()).max().unwrap_or(0),
    ];
    let [cluster, secret] = widths;
    let _ = writeln!(out, "{:<cluster$}  {:<secret$}  {:<11}  READERS", "CLUSTER", "SECRET", "ORIGIN");
    for row in rows {
        let readers = if row.readers.is_empty() { "-".to_owned() } else { row.readers.join(", ") };
        let _ = writeln!(out, "{:<cluster$}  {:<secret$}  {:<11}  {readers}", row.cluster, name(row), row.origin);
    }
    out.push('\n');
}

fn of_secret(secret: &OfSecret, out: &mut String) {
    let OfSecret { cluster, namespace, secret: name, title, origin, class, .. } = secret;
    let _ = writeln!(out, "Secret {namespace}/{name} on {cluster}: {title} ({origin}, {class})");
    for reader in &secret.readers {
        let word = match (reader.inventory, reader.duty) {
            (true, _) => "as the inventory says".to_owned(),
            (false, Some(duty)) => format!("by its duty: {duty}"),
            (false, None) => "NOT IN THE INVENTORY".to_owned(),
        };
        let _ = writeln!(out, "  {}: {word}", reader.subject);
        reader.grants.iter().for_each(|grant| granted(grant, out));
    }
    for mount in &secret.mounted_by {
        let why = mount.why.map(|why| format!(": {why}")).unwrap_or_default();
        let _ = writeln!(out, "  pods of {} ({}) mount it{why}", mount.workload, mount.account);
    }
    out.push('\n');
}

fn of_subject(subject: &OfSubject, out: &mut String) {
    let duty = subject.duty.map(|duty| format!(": {duty}")).unwrap_or_default();
    let _ = writeln!(out, "{} on {}{duty}", subject.subject, subject.cluster);
    if subject.reads.is_empty() {
        out.push_str("  reads no Secret\n");
    }
    for reach in &subject.reads {
        let _ = writeln!(out, "  reads {}", reach.secret);
        granted(&reach.grant, out);
    }
    out.push('\n');
}

fn granted(grant: &Granted, out: &mut String) {
    let via = grant.via.as_ref().map(|via| format!(" as {via}")).unwrap_or_default();
    let why = grant.why.map(|why| format!(" ({why})")).unwrap_or_default();
    let _ = writeln!(out, "    {}{via}{why}", grant.right);
    let _ = writeln!(out, "      {} at {}", grant.role, grant.role_at);
    let _ = writeln!(out, "      {} at {}; decided by {}", grant.binding, grant.binding_at, grant.decided_by);
}
