//! `secrets`: the inventory of the fleet, what is due for rotation, and the enrolment sheet. Never a value.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::fleet::{self, Loaded};
use super::inspect::table;
use super::screen::Screen;
use super::timings::Timings;
use crate::cli::{Format, SecretsArgs, SecretsCommand};
use crate::config::tenant::WazuhMode;
use crate::error::{Error, Result, exit};
use crate::plan::{Plan, TenantPlan};
use crate::render::{Owner, remote, secret_store};
use crate::secrets::due::{self, Due};
use crate::secrets::inventory::{Key, Origin};
use crate::secrets::rows::{self, Entry};

/// Runs the command.
pub fn run(screen: &Screen, args: &SecretsArgs) -> Result<u8> {
    let loaded = fleet::load(&screen.global().fleet, &mut Timings::default())?;
    let mut findings = loaded.findings.clone();
    let Some(plan) = fleet::plan(&loaded, &mut findings) else {
        return screen.refuse("secrets", findings, &loaded.source);
    };
    match &args.command {
        None => inventory(screen, &plan),
        Some(SecretsCommand::Due { now }) => report_due(screen, &plan, now.unwrap_or_else(super::origin::today)),
        Some(SecretsCommand::Enrolment { slug }) => enrolment(screen, &loaded, &plan, slug),
    }
}

fn each<'a>(plan: &'a Plan<'_>) -> impl Iterator<Item = (&'a str, Entry<'a>)> {
    plan.clusters.iter().flat_map(|cluster| {
        let name = cluster.cluster.name.as_str();
        rows::entries(plan.fleet, cluster).map(move |entry| (name, entry))
    })
}

fn inventory(screen: &Screen, plan: &Plan<'_>) -> Result<u8> {
    let row = |(cluster, entry): (&str, Entry<'_>)| {
        json!({
            "cluster": cluster,
            "secret": format!("{}/{}", entry.namespace, entry.name),
            "tenant": entry.tenant.map(|tenant| tenant.tenant.tenant.slug.as_str()),
            "title": entry.row.title,
            "origin": entry.origin.as_str(),
            "class": due::class(&entry).as_str(),
            "keys": entry.row.keys.iter().map(Key::name).collect::<Vec<_>>().join(","),
            "readers": entry.readers.join(","),
            "backend": backend(plan, &entry),
        })
    };
    let rows: Vec<Value> = each(plan).map(row).collect();
    let columns = ["cluster", "secret", "origin", "class", "keys", "readers", "backend"];
    answer(screen, "Secrets", &rows, &columns)?;
    Ok(exit::OK)
}

/// Where its values lie in the backend; nothing for certificates.
fn backend(plan: &Plan<'_>, entry: &Entry<'_>) -> Option<String> {
    if matches!(entry.origin, Origin::Certificate | Origin::Dynamic) {
        return None;
    }
    let (owner, version) = match entry.tenant {
        None => (Owner::Install, 1),
        Some(tenant) => (owner(tenant), version(tenant, entry.row.backend_name)),
    };
    let value = entry.row.keys.iter().find(|key| matches!(key, Key::Value(_)))?;
    Some(remote(plan.install, owner, entry.row.backend_name, value.name(), version).key)
}

fn owner<'a>(tenant: &'a TenantPlan<'_>) -> Owner<'a> {
    Owner::Tenant(tenant.tenant.tenant.slug.as_str(), tenant.tenant.tenant.id.as_str())
}

fn version(tenant: &TenantPlan<'_>, name: &str) -> u32 {
    tenant.tenant.secrets.iter().find(|(key, _)| key.as_str() == name).map_or(1, |(_, rotated)| rotated.version)
}

fn report_due(screen: &Screen, plan: &Plan<'_>, today: Date) -> Result<u8> {
    let mut found: Vec<(Due, Value)> = Vec::new();
    let all = screen.global().verbose > 0 || screen.wants(Format::Json);
    for (cluster, entry) in each(plan) {
        let age = due::age(plan.fleet, &entry, today);
        if all || matches!(age.due, Due::Overdue | Due::Soon | Due::Unrecorded) {
            let row = json!({
                "due": age.due.as_str(),
                "ends": age.ends.map(|day| day.to_string()),
                "since": age.since.map(|day| day.to_string()),
                "cluster": cluster,
                "secret": format!("{}/{}", entry.namespace, entry.name),
                "class": due::class(&entry).as_str(),
                "version": age.version,
                "title": entry.row.title,
            });
            found.push((age.due, row));
        }
    }
    found.sort_by_key(|(due, _)| *due);
    let count = |wanted: Due| found.iter().filter(|(due, _)| *due == wanted).count();
    let (overdue, soon, unrecorded) = (count(Due::Overdue), count(Due::Soon), count(Due::Unrecorded));
    let rows: Vec<Value> = found.into_iter().map(|(_, row)| row).collect();
    answer(screen, "SecretsDue", &rows, &["due", "ends", "since", "cluster", "secret", "class", "title"])?;
    screen.say(&format!("{today}: {overdue} overdue, {soon} due soon, {unrecorded} of unrecorded age"));
    if unrecorded > 0 {
        screen.say(
            "record the day of a tenant's in its file (secrets.<name>, or lifecycle.since), of the install's in \
             install.yaml (secrets.rotated.<name>)",
        );
    }
    Ok(match (overdue, unrecorded) {
        (0, 0) => exit::OK,
        (0, _) => exit::INCOMPLETE,
        _ => exit::FINDINGS,
    })
}

/// What a customer's administrator needs to enrol agents (R4), without the secret: how to fetch it stands in its place.
fn enrolment(screen: &Screen, loaded: &Loaded, plan: &Plan<'_>, slug: &str) -> Result<u8> {
    let Some(tenant) = plan.clusters.iter().find_map(|cluster| cluster.tenants.get(slug)) else {
        let known: Vec<String> = loaded.fleet.iter().flat_map(|fleet| fleet.tenants.keys().cloned()).collect();
        let error = Error::user(format!("no tenant {slug} is rendered"));
        return Err(match crate::config::schema::nearest(slug, &known) {
            Some(near) if near != slug => error.hint(format!("did you mean `{near}`?")),
            _ => error.hint("`tenantry list` shows every tenant and its state"),
        });
    };
    if !tenant.agents_welcome {
        screen.say(&format!("tenant {slug} lets no agents in: it is {}", tenant.tenant.lifecycle.state.as_str()));
    }
    let sheet = Sheet::new(plan, tenant);
    screen.write(|format| match format {
        Format::Text | Format::Markdown => Some(sheet.text(format == Format::Markdown)),
        Format::Json => Some(format!("{}\n", serde_json::to_string_pretty(&sheet.json()).unwrap_or_default())),
        _ => None,
    })?;
    Ok(exit::OK)
}

/// What runs on the customer's endpoints.
const INSTALLER: &str = "the agent's package of Wazuh, as its project publishes it";

struct Sheet<'a> {
    tenant: &'a TenantPlan<'a>,
    events: u16,
    enrolment: u16,
    fetch: String,
}

impl<'a> Sheet<'a> {
    fn new(plan: &Plan<'_>, tenant: &'a TenantPlan<'a>) -> Self {
        let ports = tenant.tenant.wazuh_ingress.edge_ports.filter(|_| tenant.wazuh_mode == WazuhMode::EdgeHaproxy);
        let (events, enrolment) = ports.map_or((1514, 1515), |ports| (ports.events, ports.enrollment));
        let name = "wazuh-authd-secret";
        let place = remote(plan.install, owner(tenant), name, "password", version(tenant, name));
        let fetch = secret_store::fetch(plan.install, tenant.cluster, &place);
        Self { tenant, events, enrolment, fetch }
    }

    fn certificate(&self) -> String {
        use crate::config::tenant::TlsMode;
        match self.tenant.tls_mode {
            TlsMode::PerTenant => format!("of its own, for {}", self.tenant.hostname),
            TlsMode::Wildcard => "the region's wildcard certificate".into(),
            TlsMode::MsspCa => {
                format!("of its own, for {}, by the provider's CA: hand out the CA, too", self.tenant.hostname)
            }
        }
    }

    fn from(&self) -> String {
        let cidrs = &self.tenant.tenant.wazuh_ingress.customer_cidrs;
        match cidrs.as_slice() {
            [] => "any address".into(),
            cidrs => cidrs.iter().map(|cidr| cidr.as_str()).collect::<Vec<_>>().join(", "),
        }
    }

    /// Where the agents look for their manager, in the words of their configuration.
    fn configuration(&self) -> String {
        format!(
            "<client><server><address>{}</address><port>{}</port><protocol>tcp</protocol></server></client>",
            self.tenant.hostname, self.events
        )
    }

    fn firewall(&self) -> String {
        format!("outbound TCP {} and {} to the manager; nothing inbound", self.events, self.enrolment)
    }

    fn command(&self) -> String {
        format!("/var/ossec/bin/agent-auth -m {} -p {} -P \"$SECRET\"", self.tenant.hostname, self.enrolment)
    }

    fn json(&self) -> Value {
        json!({
            "apiVersion": "tenantry.io/v1", "kind": "EnrolmentSheet",
            "tenant": self.tenant.tenant.tenant.slug, "name": self.tenant.tenant.tenant.display_name,
            "host": self.tenant.hostname, "ports": { "events": self.events, "enrollment": self.enrolment },
            "certificate": self.certificate(), "from": self.from(),
            "installer": INSTALLER, "configuration": self.configuration(), "firewall": self.firewall(),
            "fetchSecret": self.fetch, "command": self.command(),
        })
    }

    fn text(&self, markdown: bool) -> String {
        let name = &self.tenant.tenant.tenant.display_name;
        let rows = [
            ("manager", self.tenant.hostname.clone()),
            ("events", format!("TCP {}", self.events)),
            ("enrolment", format!("TCP {}", self.enrolment)),
            ("certificate", self.certificate()),
            ("let in from", self.from()),
            ("firewall", self.firewall()),
            ("installer", INSTALLER.to_owned()),
        ];
        let fetch = [
            "The enrolment secret never leaves the backend through this program. Whoever may read it fetches it with",
            "and hands it over by a channel that is made for secrets. Then, on each endpoint, enrol the agent:",
            "and let it send its events there (ossec.conf):",
            "The agent shows up with the manager within a minute. It holds a key of its own from then on: a rotation of \
             the secret concerns new agents only.",
        ];
        if markdown {
            let rows: String = rows.iter().map(|(what, value)| format!("| {what} | {value} |\n")).collect();
            let code = |text: &str| format!("```sh\n{text}\n```\n");
            return format!(
                "# Enrolment of agents: {name}\n\n| what | value |\n| --- | --- |\n{rows}\n{}\n\n{}\n{}\n\n{}\n{}\n\n{}\n{}\n",
                fetch[0],
                code(&self.fetch),
                fetch[1],
                code(&self.command()),
                fetch[2],
                code(&self.configuration()),
                fetch[3]
            );
        }
        let rows: String = rows.iter().map(|(what, value)| format!("  {what:<12} {value}\n")).collect();
        format!(
            "Enrolment of agents: {name}\n{rows}\n{}\n  {}\n{}\n  {}\n{}\n  {}\n{}\n",
            fetch[0],
            self.fetch,
            fetch[1],
            self.command(),
            fetch[2],
            self.configuration(),
            fetch[3]
        )
    }
}

/// Writes rows as a table, or as a document.
fn answer(screen: &Screen, kind: &str, rows: &[Value], columns: &[&str]) -> Result<()> {
    screen.write(|format| match format {
        Format::Text => Some(table(rows, columns)),
        Format::Json => {
            let document = json!({ "apiVersion": "tenantry.io/v1", "kind": kind, "secrets": rows });
            Some(format!("{}\n", serde_json::to_string_pretty(&document).unwrap_or_default()))
        }
        _ => None,
    })
}
