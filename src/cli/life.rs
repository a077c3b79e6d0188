//! Arguments of the verbs that edit a fleet, and of `log`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::tenant::{Profile, Tier, TlsMode, WazuhMode};
use crate::config::types::{Cidr, Day, HttpsUrl, Id, Label, Slug, Text, Version};
use crate::plan::waves::Amount;

/// The verbs of a tenant's life.
#[derive(Debug, Clone, Subcommand)]
pub enum LifeCommand {
    /// Write the file of a new customer
    Onboard(Box<OnboardArgs>),
    /// Change values of a tenant's file; everything else in it stays as it is
    Set(SetArgs),
    /// Bring tenants to another version of soctalk-tenant, in waves if wanted
    Upgrade(UpgradeArgs),
    /// Give a secret of a tenant its next version
    Rotate(RotateArgs),
    /// Put a pending tenant into provisioning, and one in provisioning into service
    Activate(StepArgs),
    /// Stop a tenant's pods; its disks and secrets stay
    Suspend(StepArgs),
    /// Bring a tenant that is suspended, or in its grace period, back into service
    Resume(StepArgs),
    /// Begin a tenant's grace period
    Decommission(DecommissionArgs),
    /// Remove a tenant's manifests once its grace period is over; a tombstone stays
    Retire(StepArgs),
    /// Remove a tombstone once its retention is over
    Remove(StepArgs),
}

/// What becomes of a change.
#[derive(Debug, Clone, Default, Args)]
pub struct Delivery {
    /// Write nothing: show what would change in the files and in the manifests
    #[arg(long)]
    pub dry_run: bool,
    /// Commit the change on the branch that is checked out, and print the text of a pull request
    #[arg(long, conflicts_with = "dry_run")]
    pub commit: bool,
    /// Commit on this branch instead, made from HEAD if absent; your work tree stays as it is
    #[arg(long, value_name = "NAME", requires = "commit")]
    pub branch: Option<String>,
    /// Day that counts as today (SOURCE_DATE_EPOCH or the clock if not given)
    #[arg(long, value_name = "DATE", value_parser = Day::parse)]
    pub now: Option<Day>,
}

/// Arguments of `onboard`.
#[derive(Debug, Clone, Args)]
pub struct OnboardArgs {
    /// Short name: a DNS label that nobody had before
    #[arg(value_parser = Slug::parse)]
    pub slug: Slug,
    /// Name for people
    #[arg(long, value_parser = Text::parse)]
    pub name: Option<Text>,
    /// Cluster; may be left out where there is one only
    #[arg(long, value_parser = Label::parse)]
    pub cluster: Option<Label>,
    /// Tier; the install's default if not given
    #[arg(long, value_parser = word::<Tier>)]
    pub tier: Option<Tier>,
    /// Sizing profile; the install's default if not given
    #[arg(long, value_parser = word::<Profile>)]
    pub profile: Option<Profile>,
    /// Way in for agents; the install's default if not given
    #[arg(long, value_name = "MODE", value_parser = word::<WazuhMode>)]
    pub ingress: Option<WazuhMode>,
    /// Certificate of the enrolment channel; the install's default if not given
    #[arg(long, value_name = "MODE", value_parser = word::<TlsMode>)]
    pub tls: Option<TlsMode>,
    /// Addresses that agents come from (repeatable)
    #[arg(long, value_name = "CIDR", value_parser = Cidr::parse)]
    pub cidr: Vec<Cidr>,
    /// The customer's own Cortex
    #[arg(long, value_name = "URL", value_parser = HttpsUrl::parse)]
    pub external_cortex: Option<HttpsUrl>,
    /// Version of soctalk-tenant; the install's default if not given and not blocked on the cluster
    #[arg(long, value_name = "VERSION", value_parser = Version::parse)]
    pub chart_version: Option<Version>,
    /// Take tier, sizing and way in from this tenant; nothing that is the customer's own
    #[arg(long, value_name = "SLUG")]
    pub from: Option<String>,
    /// Id; minted if not given
    #[arg(long, value_name = "UUID", value_parser = Id::parse)]
    pub id: Option<Id>,
    /// Reserve slug, id and ports only: nothing is rendered before `activate`
    #[arg(long)]
    pub pending: bool,
    /// Any other field of the file (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// What becomes of it.
    #[command(flatten)]
    pub delivery: Delivery,
}

/// Arguments of `set`.
#[derive(Debug, Clone, Args)]
pub struct SetArgs {
    /// The tenant
    pub slug: String,
    /// Fields and their values: sizing.profile=small-dev, wazuhIngress.customerCIDRs=10.0.0.0/8,11.0.0.0/8
    #[arg(value_name = "KEY=VALUE", required_unless_present = "unset")]
    pub values: Vec<String>,
    /// Field to remove, so that the default holds (repeatable)
    #[arg(long, value_name = "KEY")]
    pub unset: Vec<String>,
    /// What becomes of it.
    #[command(flatten)]
    pub delivery: Delivery,
}

/// Arguments of `upgrade`.
#[derive(Debug, Clone, Args)]
pub struct UpgradeArgs {
    /// The tenants
    #[arg(value_name = "SLUG")]
    pub slugs: Vec<String>,
    /// Every tenant that can be upgraded
    #[arg(long, conflicts_with_all = ["slugs", "selector"])]
    pub all: bool,
    /// Tenants with these values: tier=regulated,cluster!=us-1 (cluster, region, tier, profile, state, chart, ingress)
    #[arg(short = 'l', long, value_name = "K=V,…", conflicts_with = "slugs")]
    pub selector: Option<String>,
    /// Version of soctalk-tenant
    #[arg(long, value_name = "VERSION", value_parser = Version::parse)]
    pub to: Version,
    /// Only the first so many, or such a share: the same ones each time
    #[arg(long, value_name = "N|P%")]
    pub canary: Option<Amount>,
    /// The next wave: tenants that are not there yet, all of them or as many as --canary says
    #[arg(long = "continue")]
    pub go_on: bool,
    /// Go back to an older version
    #[arg(long)]
    pub downgrade: bool,
    /// What becomes of it.
    #[command(flatten)]
    pub delivery: Delivery,
}

/// Arguments of `rotate`.
#[derive(Debug, Clone, Args)]
pub struct RotateArgs {
    /// The tenant
    pub slug: String,
    /// The secret: its name (wazuh-bootstrap) or its name in the backend (llm)
    pub secret: String,
    /// Only note the day: somebody else put the new value into the backend already
    #[arg(long)]
    pub record: bool,
    /// What becomes of it.
    #[command(flatten)]
    pub delivery: Delivery,
}

/// Arguments of the steps of a tenant's life.
#[derive(Debug, Clone, Args)]
pub struct StepArgs {
    /// The tenant
    pub slug: String,
    /// What becomes of it.
    #[command(flatten)]
    pub delivery: Delivery,
}

/// Arguments of `decommission`.
#[derive(Debug, Clone, Args)]
pub struct DecommissionArgs {
    /// The tenant
    pub slug: String,
    /// Let agents in until the grace period is over
    #[arg(long)]
    pub keep_agent_ingress: bool,
    /// What becomes of it.
    #[command(flatten)]
    pub delivery: Delivery,
}

/// Arguments of `log`.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// Only this tenant
    pub slug: Option<String>,
    /// Repository with the rendered tree, to name the output commits; looked for in `rendered` if not given
    #[arg(long, value_name = "PATH")]
    pub repo: Option<PathBuf>,
    /// Branch of that repository
    #[arg(long, default_value = "main")]
    pub branch: String,
    /// Where the history begins
    #[arg(long, value_name = "REVISION", default_value = "HEAD")]
    pub rev: String,
    /// At most so many events, the newest
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<usize>,
}

/// Reads a word of a config file.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|error| {
        let error = error.to_string();
        error.split(", expected ").nth(1).map_or(error.clone(), |known| format!("expected {known}"))
    })
}
