//! `access`: who can read which Secret, and by which grants.

mod document;

use std::collections::BTreeSet;
use std::sync::Arc;

use document::{Document, Granted, OfReader, OfSecret, OfSubject, Row};
use rayon::prelude::*;

use super::fleet::{self, Loaded};
use super::screen::Screen;
use super::timings::Timings;
use crate::access::{self, Grants, Subject, Way};
use crate::blame::departure;
use crate::check;
use crate::cli::{AccessArgs, Format};
use crate::error::{Error, Result, exit};
use crate::network::Source;
use crate::plan::{ClusterPlan, Plan};
use crate::render::RenderedUnit;
use crate::secrets::rows::{self, Entry};

/// Runs the command.
pub fn run(screen: &Screen, args: &AccessArgs) -> Result<u8> {
    let loaded = fleet::load(&screen.global().fleet, &mut Timings::default())?;
    let mut findings = loaded.findings.clone();
    let plan = fleet::plan(&loaded, &mut findings);
    let needs = check::network::needs;
    let units = plan.as_ref().and_then(|plan| fleet::parts(&loaded, plan, needs, &mut findings));
    let (Some(plan), Some(units)) = (&plan, units) else {
        return screen.refuse("access", findings, &loaded.source);
    };
    let known: Vec<&str> = plan.clusters.iter().map(|cluster| cluster.cluster.name.as_str()).collect();
    if let Some(wanted) = args.cluster.as_deref().filter(|wanted| !known.contains(wanted)) {
        let error = Error::usage(format!("there is no cluster {wanted}"));
        return Err(error.hint(format!("clusters: {}", known.join(", "))));
    }
    let units = Arc::new(units);
    let mut document = Document::new(args.of.clone());
    let mut doubts = Vec::new();
    for cluster in &plan.clusters {
        if args.cluster.as_deref().is_none_or(|wanted| cluster.cluster.name.as_str() == wanted) {
            let place = Place::new(&loaded, plan, cluster, &units);
            let unresolved = place.grants.unresolved.iter();
            doubts.extend(unresolved.map(|one| format!("{}: {}: {}", one.place, one.object, one.reason)));
            place.answer(args.of.as_deref(), &mut document);
        }
    }
    if let Some(of) = args.of.as_deref().filter(|_| document.is_empty()) {
        return Err(Error::usage(format!("there is no Secret and no account {of}"))
            .hint("`tenantry access` lists every Secret; accounts are named NAMESPACE/NAME"));
    }
    document.unique(screen.wants(Format::Json))?;
    screen.write(|format| match format {
        Format::Text => Some(document.text()),
        Format::Json => Some(format!("{}\n", serde_json::to_string_pretty(&document).unwrap_or_default())),
        _ => None,
    })?;
    // What could not be understood may grant anything.
    doubts.iter().for_each(|doubt| screen.complain(&format!("error: {doubt}")));
    Ok(if doubts.is_empty() { exit::OK } else { exit::INCOMPLETE })
}

/// A cluster with what its RBAC grants.
struct Place<'a> {
    loaded: &'a Loaded,
    cluster: &'a str,
    entries: Vec<Entry<'a>>,
    grants: Grants,
}

impl<'a> Place<'a> {
    fn new(
        loaded: &'a Loaded,
        plan: &'a Plan<'_>,
        cluster: &'a ClusterPlan<'_>,
        units: &Arc<Vec<RenderedUnit>>,
    ) -> Self {
        let name = cluster.cluster.name.as_str();
        let own = (0..units.len()).into_par_iter().filter(|at| units[*at].cluster() == name);
        let documents: Vec<Source> = own.flat_map_iter(|at| check::access::sources(units, at)).collect();
        let entries = rows::entries(plan.fleet, cluster).collect();
        Self { loaded, cluster: name, entries, grants: Grants::read(&documents) }
    }

    fn answer(&self, of: Option<&str>, document: &mut Document) {
        let Some(of) = of else {
            document.secrets_in_brief.extend(self.table());
            return;
        };
        let is_meant = |namespace: &str, name: &str| of == name || of.split_once('/') == Some((namespace, name));
        let secrets = self.entries.iter().filter(|entry| is_meant(entry.namespace, &entry.name));
        document.secrets.extend(secrets.map(|entry| self.of_secret(entry)));
        let mut subjects: BTreeSet<Subject> = self.grants.grants.iter().map(|grant| grant.subject.clone()).collect();
        subjects.extend(self.grants.accounts.iter().cloned());
        let meant = subjects.iter().filter(|subject| match subject {
            Subject::Account { namespace, name } => is_meant(namespace, name),
            Subject::User(name) => of.strip_prefix("user:") == Some(name),
            Subject::Group(name) | Subject::Everybody(name) => of.strip_prefix("group:") == Some(name),
            Subject::Accounts(_) => false,
        });
        document.subjects.extend(meant.map(|subject| self.of_subject(subject)));
    }

    /// Every Secret with its readers: one pass over the grants.
    fn table(&self) -> Vec<Row> {
        let readers = access::direct_readers(&self.grants);
        let row = |entry: &Entry<'_>| Row {
            cluster: self.cluster.to_owned(),
            namespace: entry.namespace.to_owned(),
            secret: entry.name.clone(),
            title: entry.row.title,
            origin: entry.origin.as_str(),
            readers: readers.of(entry.namespace, &entry.name).iter().map(ToString::to_string).collect(),
        };
        self.entries.iter().map(row).collect()
    }

    fn of_secret(&self, entry: &Entry<'_>) -> OfSecret {
        let expected: Vec<String> =
            entry.readers.iter().map(|reader| format!("{}/{reader}", entry.namespace)).collect();
        let readers = access::readers(&self.grants, entry.namespace, &entry.name).into_iter().map(|reader| OfReader {
            inventory: expected.contains(&reader.subject.to_string()),
            duty: access::reason(&reader.subject),
            grants: reader.ways.iter().map(|way| self.granted(way)).collect(),
            subject: reader.subject,
        });
        let mounted = access::mounts().iter().filter(|mount| mount.secrets.contains(&entry.row.name));
        OfSecret {
            cluster: self.cluster.to_owned(),
            namespace: entry.namespace.to_owned(),
            secret: entry.name.clone(),
            title: entry.row.title,
            origin: entry.origin.as_str(),
            class: entry.row.class.as_str(),
            readers: readers.collect(),
            mounted_by: mounted.map(|mount| document::OfMount::new(mount, entry.row.name)).collect(),
        }
    }

    fn of_subject(&self, subject: &Subject) -> OfSubject {
        let reached = access::reach(&self.grants, subject).into_iter();
        let reads = reached.map(|one| document::OfReach {
            secret: match &one.secret {
                Some(secret) => format!("{}/{secret}", one.namespace),
                None => format!("{}/*", one.namespace),
            },
            grant: self.granted(&one.way),
        });
        OfSubject {
            cluster: self.cluster.to_owned(),
            duty: access::reason(subject),
            reads: reads.collect(),
            subject: subject.clone(),
        }
    }

    fn granted(&self, way: &Way<'_>) -> Granted {
        let grant = way.grant;
        let words = ["secrets", "subjects", "resourceNames"];
        let decided = departure::locate(&self.loaded.source, grant.binding_file(), &words, "/tenant/slug");
        Granted {
            right: way.right.clone(),
            scope: grant.scope.clone(),
            why: Some(way.why).filter(|why| !why.is_empty()),
            via: way.via.clone(),
            role: grant.role.to_string(),
            role_at: grant.rule_place().to_string(),
            binding: grant.binding.to_string(),
            binding_at: grant.binding_place().to_string(),
            decided_by: decided.to_string(),
        }
    }
}
