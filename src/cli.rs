//! The command line.

mod capacity;
mod diff;
mod drift;
mod evidence;
mod life;
mod proof;
mod recipes;
mod schemas;
mod verify;
mod watch;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use capacity::CapacityArgs;
pub use diff::DiffArgs;
pub use drift::{DriftArgs, DriftCommand, MergeArgs};
pub use evidence::EvidenceArgs;
pub use life::{
    DecommissionArgs, Delivery, LifeCommand, LogArgs, OnboardArgs, RotateArgs, SetArgs, StepArgs, UpgradeArgs,
};
pub use proof::{AccessArgs, ExplainRuleArgs, SecretsArgs, SecretsCommand};
pub use recipes::{BootstrapArgs, CodeownersArgs};
pub use schemas::{ImportArgs, SchemasCommand};
pub use verify::VerifyTreeArgs;

use crate::charts::Destination;

/// Renders a fleet of MSSP tenants into Kubernetes manifests, proves them, commits them, and tells what drifted.
#[derive(Debug, Parser)]
#[command(name = "tenantry", version = crate::commands::version(), max_term_width = 120, disable_help_subcommand = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The fleet: the folder that holds install.yaml
    #[arg(short = 'C', long = "fleet", global = true, value_name = "DIR", default_value = ".")]
    pub fleet: PathBuf,
    /// Report as FORMAT, into PATH if given (repeatable)
    #[arg(short, long = "output", global = true, value_name = "FORMAT[=PATH]")]
    pub output: Vec<OutputSpec>,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    pub color: Colour,
    /// Say nothing but findings
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more (repeatable)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say where the time went
    #[arg(long, global = true)]
    pub timings: bool,
    /// With `false`, end with 0 where there are differences or findings (nothing else changes)
    #[arg(long, global = true, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub exit_code: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A report format and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputSpec {
    /// Format.
    pub format: Format,
    /// File; standard output if none.
    pub path: Option<PathBuf>,
}

/// Formats of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For pull requests; at most 65,536 characters.
    Markdown,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for the test views of CI systems.
    Junit,
    /// GitLab Code Quality.
    Gitlab,
    /// Annotations of GitHub Actions.
    Github,
    /// One page that needs nothing else.
    Html,
    /// A table for spreadsheets.
    Csv,
    /// A graph for Graphviz.
    Dot,
    /// A picture.
    Svg,
}

impl std::str::FromStr for OutputSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, path) = match text.split_once('=') {
            Some((_, "")) => return Err("name a file behind `=`".into()),
            Some((format, path)) => (format, Some(PathBuf::from(path))),
            None => (text, None),
        };
        let format = Format::from_str(format, true).map_err(|_| {
            let known: Vec<_> = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
            format!("formats: {}", known.iter().map(|value| value.get_name()).collect::<Vec<_>>().join(", "))
        })?;
        Ok(Self { format, path })
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a fleet in a folder, with CI recipes
    Init(InitArgs),
    /// Print the JSON Schema of a config kind or of a report
    Schema(SchemaArgs),
    /// Load, validate, render in memory and prove everything; writes nothing
    Check(CheckArgs),
    /// Check, then write a commit or a folder
    Render(RenderArgs),
    /// What a change does to the manifests: deletions, what opens and closes, what restarts
    Diff(DiffArgs),
    /// Whether an output tree is exactly what its recorded inputs render to
    Verify(VerifyTreeArgs),
    /// What was proved about one revision, as a pack for an auditor
    Evidence(EvidenceArgs),
    /// Write who has to review which file, from the tenants' tiers
    Codeowners(CodeownersArgs),
    /// Print what is applied to a cluster once, so that it follows the rendered repository
    Bootstrap(BootstrapArgs),
    /// Check again and show the difference as files are saved
    Watch(WatchArgs),
    /// The tenants as a table
    List,
    /// One tenant's values
    Show(ShowArgs),
    /// What the tenants ask of each cluster, what there is, and how many more fit
    Capacity(CapacityArgs),
    /// Whether a chart version runs under a system version
    Compat(CompatArgs),
    #[command(flatten)]
    /// The verbs that edit tenants
    Life(LifeCommand),
    /// What happened to the tenants, from Git alone
    Log(LogArgs),
    /// Compare a live cluster with the committed tree; only reads
    Drift(Box<DriftArgs>),
    /// What may talk to what, why, and whether that is what should be
    #[command(subcommand)]
    Network(NetworkCommand),
    /// Verify, pack, publish and pin the charts in charts/
    #[command(subcommand)]
    Charts(ChartsCommand),
    /// The schemas that manifests are held against: which kinds, and how to make more
    #[command(subcommand)]
    Schemas(SchemasCommand),
    /// Who can read which Secret, and by which grants
    Access(AccessArgs),
    /// The inventory of Secrets, what is due for rotation, the enrolment sheet; never a value
    Secrets(SecretsArgs),
    /// What a rule says, why, and how to mend what it found
    Explain(ExplainRuleArgs),
    /// Print completions for a shell
    Completions(CompletionArgs),
}

/// Questions about the network.
#[derive(Debug, Clone, Subcommand)]
pub enum NetworkCommand {
    /// List every connection that the policies allow
    Connections(ConnectionArgs),
    /// What a change of manifests opens and closes
    Diff(NetworkDiffArgs),
    /// Why a connection is allowed or refused, with every deciding rule
    Explain(ExplainArgs),
    /// Prove the claims of policies/network-claims.yaml
    Prove(ProveArgs),
}

/// What the manifests do not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct NetworkSettings {
    /// Whose semantics hold; without it Cilium's if there are policies of Cilium's
    #[arg(long, value_enum)]
    pub profile: Option<NetworkProfile>,
    /// Release of Cilium, such as 1.17
    #[arg(long, value_name = "VERSION")]
    pub cilium_version: Option<crate::network::CiliumVersion>,
    /// Pattern of Cilium's label filter, as in its `labels` option (repeatable)
    #[arg(long, value_name = "PATTERN")]
    pub label_filter: Vec<String>,
    /// Addresses that pods have (repeatable)
    #[arg(long, value_name = "CIDR")]
    pub pod_cidr: Vec<ipnet::IpNet>,
    /// Addresses that Services have (repeatable)
    #[arg(long, value_name = "CIDR")]
    pub service_cidr: Vec<ipnet::IpNet>,
    /// Addresses that nodes have (repeatable)
    #[arg(long, value_name = "CIDR")]
    pub node_cidr: Vec<ipnet::IpNet>,
    /// Addresses of the API server (repeatable)
    #[arg(long, value_name = "CIDR")]
    pub api_server_cidr: Vec<ipnet::IpNet>,
    /// Address of a DNS cache on the node (repeatable)
    #[arg(long, value_name = "ADDRESS")]
    pub node_local_dns: Vec<std::net::IpAddr>,
    /// Cilium's CIDR rules match nodes too (policyCIDRMatchMode: nodes)
    #[arg(long)]
    pub cidr_matches_nodes: bool,
}

/// Whose semantics hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NetworkProfile {
    /// NetworkPolicy as Kubernetes documents it.
    Kubernetes,
    /// NetworkPolicy and Cilium's policies as Cilium enforces them.
    Cilium,
}

/// What a question is about.
#[derive(Debug, Clone, Args)]
pub struct NetworkInput {
    /// A folder of manifests, instead of the fleet
    #[arg(long, value_name = "DIR")]
    pub manifests: Option<PathBuf>,
    /// One cluster of the fleet
    #[arg(long, value_name = "NAME", conflicts_with = "manifests")]
    pub cluster: Option<String>,
    /// What the manifests do not tell.
    #[command(flatten)]
    pub settings: NetworkSettings,
}

/// Directions, seen from a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    /// What it opens.
    Egress,
    /// What it accepts.
    Ingress,
}

/// Arguments of `network connections`.
#[derive(Debug, Clone, Args)]
pub struct ConnectionArgs {
    /// Folder or fleet.
    #[command(flatten)]
    pub input: NetworkInput,
    /// Only connections of this workload: namespace/name, its kind in brackets if need be
    #[arg(long, value_name = "NAME")]
    pub workload: Option<String>,
    /// Only connections whose other end holds this text
    #[arg(long, value_name = "TEXT")]
    pub peer: Option<String>,
    /// Only this direction
    #[arg(long, value_enum)]
    pub direction: Option<Direction>,
    /// Only connections on this port: 443, TCP/443
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
    /// Also workloads that are assumed besides the manifests
    #[arg(long)]
    pub assumed: bool,
    /// Also what an unknown ingress controller reaches
    #[arg(long)]
    pub ingress_controller: bool,
}

/// Arguments of `network diff`.
#[derive(Debug, Clone, Args)]
pub struct NetworkDiffArgs {
    /// Folder of manifests before
    #[arg(value_name = "DIR1")]
    pub before: PathBuf,
    /// Folder of manifests after
    #[arg(value_name = "DIR2")]
    pub after: PathBuf,
    /// What the manifests do not tell.
    #[command(flatten)]
    pub settings: NetworkSettings,
}

/// Arguments of `network explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// Source: namespace/name, an address, {host}
    pub src: String,
    /// Destination: namespace/name, a Service with `[Service]` behind, an address, {kube-apiserver}, a DNS name
    pub dst: String,
    /// Port: 443, TCP/443
    pub port: Option<String>,
    /// Folder or fleet.
    #[command(flatten)]
    pub input: NetworkInput,
}

/// Arguments of `network prove`.
#[derive(Debug, Clone, Args)]
pub struct ProveArgs {
    /// Folder or fleet.
    #[command(flatten)]
    pub input: NetworkInput,
    /// File of claims, for a folder of manifests
    #[arg(long, value_name = "FILE")]
    pub claims: Option<PathBuf>,
}

/// Arguments of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// Folder; made if absent
    #[arg(default_value = ".")]
    pub dir: PathBuf,
}

/// Arguments of `schema`.
#[derive(Debug, Clone, Args)]
pub struct SchemaArgs {
    /// Kind of config file, or report
    #[arg(value_enum)]
    pub kind: SchemaKind,
}

/// Kinds with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaKind {
    /// install.yaml
    Install,
    /// tenants/SLUG.yaml
    Tenant,
    /// compatibility.yaml
    Compatibility,
    /// policies/rotation/*.yaml
    Rotation,
    /// policies/network-claims.yaml
    NetworkClaims,
    /// policies/exemptions.yaml
    Exemptions,
    /// The JSON report of `check` and the other commands that have findings
    Report,
    /// The JSON answer of `capacity`
    Capacity,
    /// What `diff -o json` writes
    DiffReport,
    /// What `drift -o json` writes
    DriftReport,
}

/// Arguments of `check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Also warn of what a render into this repository would delete beyond the budget
    #[arg(long, value_name = "PATH|URL")]
    pub against: Option<String>,
    /// Branch of that repository
    #[arg(long, default_value = "main")]
    pub branch: String,
    /// Folder of that repository under which clusters/ lies
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<String>,
    /// Day by which exemptions are judged (today if not given)
    #[arg(long, value_name = "DATE")]
    pub now: Option<jiff::civil::Date>,
}

/// Arguments of `render`.
#[derive(Debug, Clone, Args)]
pub struct RenderArgs {
    /// Repository that takes the commit: a path (made if absent) or, with --push, a URL
    #[arg(long, value_name = "PATH|URL", default_value = "rendered", conflicts_with = "out")]
    pub repo: String,
    /// Branch that moves
    #[arg(long, default_value = "main")]
    pub branch: String,
    /// Folder of the repository under which clusters/ lies
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<String>,
    /// Push the commit; if somebody was faster, plan again on the new tip
    #[arg(long)]
    pub push: bool,
    /// Write files into a folder instead of a commit
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write nothing; end with 1 if the output is stale
    #[arg(long)]
    pub check: bool,
    /// Go on although files of the output were edited by hand; the edits are lost
    #[arg(long)]
    pub discard_edits: bool,
    /// Most that may vanish from the output: tenants, or objects=, kind=, unit= (repeatable; install.yaml's guard if not given)
    #[arg(long, value_name = "[WHAT=]N|P%")]
    pub max_delete: Vec<crate::plan::budget::Limit>,
    /// Delete a tenant's manifests although its file vanished without `retired` (repeatable)
    #[arg(long, value_name = "SLUG")]
    pub allow_delete: Vec<String>,
    /// Day by which exemptions are judged (today if not given)
    #[arg(long, value_name = "DATE")]
    pub now: Option<jiff::civil::Date>,
}

/// Arguments of `watch`.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// Repository to compare with
    #[arg(long, value_name = "PATH", default_value = "rendered")]
    pub repo: String,
    /// Branch to compare with
    #[arg(long, default_value = "main")]
    pub branch: String,
    /// End after the first look
    #[arg(long)]
    pub once: bool,
}

/// Arguments of `show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The tenant
    pub slug: String,
    /// Say where each value came from
    #[arg(long)]
    pub origin: bool,
}

/// Arguments of `compat`.
#[derive(Debug, Clone, Args)]
pub struct CompatArgs {
    /// Version of soctalk-system
    pub system: String,
    /// Version of soctalk-tenant
    pub tenant: String,
}

/// Arguments of `completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// What to do with the charts.
#[derive(Debug, Subcommand)]
pub enum ChartsCommand {
    /// Whether the vendored subcharts are what was reviewed; names the file that is not
    Verify(VerifyArgs),
    /// Write each chart's archive: the same files give the same bytes
    Package(PackageArgs),
    /// Publish the charts; a published version is never overwritten
    Push(PushArgs),
    /// Lock the tags of the charts' images to digests
    Pin(PinArgs),
}

/// Arguments of `charts verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// Record what the charts vendor now in charts/digests.yaml, after a review
    #[arg(long)]
    pub update: bool,
}

/// Arguments of `charts package`.
#[derive(Debug, Clone, Args)]
pub struct PackageArgs {
    /// Charts by name; all if none is given
    #[arg(value_name = "CHART")]
    pub charts: Vec<String>,
    /// Folder that takes the archives
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
}

/// Arguments of `charts push`.
#[derive(Debug, Clone, Args)]
pub struct PushArgs {
    /// Where the charts go, such as oci://ghcr.io/example/charts
    pub url: Destination,
    /// Charts by name; all if none is given
    #[arg(value_name = "CHART")]
    pub charts: Vec<String>,
    /// Speak HTTP without TLS; for registries on this machine only
    #[arg(long)]
    pub plain_http: bool,
}

/// Arguments of `charts pin`.
#[derive(Debug, Clone, Args)]
pub struct PinArgs {
    /// Charts by name; all if none is given
    #[arg(value_name = "CHART")]
    pub charts: Vec<String>,
    /// Speak HTTP without TLS; for registries on this machine only
    #[arg(long)]
    pub plain_http: bool,
}
