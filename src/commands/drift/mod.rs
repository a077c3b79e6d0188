//! `drift`: a live cluster against the committed tree, once or for as long as the program runs.

mod decided;
mod serve;
mod watch;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::screen::Screen;
use super::{detailed, fleet, origin};
use crate::cli::{DriftArgs, DriftCommand, Format, MergeArgs};
use crate::cluster::tree::{self, Commit, Folder, Revision};
use crate::cluster::{self, CheckOptions, Limits, Target, dump};
use crate::drift::changeset::{ChangeSet, Overall};
use crate::drift::desired::{Files, Problem, Unit};
use crate::drift::exempt;
use crate::drift::filter::{Filter, Selector};
use crate::error::{Error, Result, exit};
use crate::output::{self, Location};
use crate::report::drift::{self as report, Applier, Checked, Cluster, Document, Parts, Source, Unreadable};

/// Runs the command.
pub fn run(screen: &Screen, args: &DriftArgs) -> Result<u8> {
    let code = match &args.command {
        Some(DriftCommand::Merge(args)) => merge(screen, args),
        None if args.watch.watch => watch::run(screen, args),
        None => check(screen, args),
    };
    if args.detailed_exitcode { detailed(screen, code) } else { code }
}

fn check(screen: &Screen, args: &DriftArgs) -> Result<u8> {
    let start = now()?;
    let tree = Tree::open(screen, args)?;
    let options = options(args, &tree)?;
    let bar = screen.progress("checking");
    let live = match &args.live {
        Some(path) => from_dump(path, &tree, &options, date(start)),
        None => from_server(screen, args, &tree, &options, date(start)),
    };
    bar.finish_and_clear();
    let (set, live) = live?;
    let checked = Checked {
        cluster: tree.cluster.clone(),
        repository: tree.name.clone(),
        revision: tree.revision.clone(),
        branch: tree.asked.clone(),
        live,
        at: start.to_string(),
        parts: parts(args),
    };
    let mut document = Document::new(&set, checked, &tree.prefix, &tree.source(args), fleet::VERSION);
    document.unreadable.extend(tree.moved());
    document.settle();
    decided::fill(screen.global(), tree.files.as_ref(), &mut document);
    tell(screen, &document)
}

fn merge(screen: &Screen, args: &MergeArgs) -> Result<u8> {
    let mut documents = Vec::new();
    for path in &args.reports {
        let broken = |error: &dyn std::fmt::Display| {
            Error::environment(format!("cannot read the report {}", path.display()))
                .cause(error)
                .hint("write it with `tenantry drift --shard I/N -o json=FILE`")
        };
        let text = std::fs::read_to_string(path).map_err(|error| broken(&error))?;
        let document: Document = serde_json::from_str(&text).map_err(|error| broken(&error))?;
        documents.push(document);
    }
    let document = report::merge(documents).map_err(|reason| {
        Error::usage("the reports cannot be merged").cause(reason).hint("name the reports of all shards of one check")
    })?;
    tell(screen, &document)
}

/// Writes the report in every format that was asked for, and a line for the log.
fn tell(screen: &Screen, document: &Document) -> Result<u8> {
    screen.emit(&report::derived(document), &|format, style| match format {
        Format::Text => Some(report::text(document, style)),
        Format::Json => Some(report::json(document)),
        _ => None,
    })?;
    let headline = report::headline(document);
    Ok(match document.verdict {
        Overall::Clean => {
            screen.say(&headline);
            exit::OK
        }
        Overall::Drift => {
            screen.say(&headline);
            exit::FINDINGS
        }
        Overall::Incomplete => {
            screen.complain(&headline);
            exit::INCOMPLETE
        }
    })
}

fn from_dump(path: &Path, tree: &Tree, options: &CheckOptions, today: Date) -> Result<(ChangeSet, Cluster)> {
    let set = dump::check(dump::read(path)?, tree.files.as_ref(), options, today)?;
    Ok((set, Cluster::Dump(path.display().to_string())))
}

fn from_server(
    screen: &Screen,
    args: &DriftArgs,
    tree: &Tree,
    options: &CheckOptions,
    today: Date,
) -> Result<(ChangeSet, Cluster)> {
    let (limits, target) = (limits(args), target(args)?);
    runtime()?.block_on(async {
        let api = cluster::connect(&target, limits).await?;
        let set = cluster::check(&api, Arc::clone(&tree.files), options, today).await?;
        if screen.global().verbose > 0 {
            for ((verb, status), count) in api.requests() {
                screen.say(&format!("{count} requests: {verb}, status {status}"));
            }
        }
        Ok((set, Cluster::Server(api.address().to_owned())))
    })
}

/// Which API server, and as whom.
fn target(args: &DriftArgs) -> Result<Target> {
    match (&args.kubeconfig, args.context.as_deref(), &args.service_account) {
        (None, Some("in-cluster"), account) => Ok(Target::InCluster { account: account.clone() }),
        (_, _, Some(_)) => Err(Error::usage("--service-account is for --context in-cluster only")
            .hint("a context of the kubeconfig brings its own credentials: drop --service-account")),
        (file, context, None) => Ok(Target::Kubeconfig { file: file.clone(), context: context.map(str::to_owned) }),
    }
}

fn limits(args: &DriftArgs) -> Limits {
    Limits {
        total_timeout: args.timeout,
        request_timeout: Limits::default().request_timeout.min(args.timeout),
        ..Limits::default()
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Error::environment("cannot start the threads of the check").cause(error))
}

/// The committed tree of a cluster.
struct Tree {
    files: Arc<dyn Files + Send + Sync>,
    cluster: String,
    /// How a report names it.
    name: String,
    /// Where it lies on this machine.
    place: PathBuf,
    /// The folder of the cluster from its root.
    prefix: String,
    revision: Option<String>,
    asked: Option<String>,
    /// What may move while the check runs; not a revision that was fetched.
    watched: Option<Revision>,
}

impl Tree {
    fn open(screen: &Screen, args: &DriftArgs) -> Result<Self> {
        if let Some(root) = &args.tree {
            let cluster = one_of(args, tree::clusters_in(root)?, &root.display().to_string())?;
            return Ok(Self {
                files: Arc::new(Folder::open(root, &cluster)?),
                name: root.display().to_string(),
                place: root.clone(),
                prefix: format!("clusters/{cluster}"),
                cluster,
                revision: None,
                asked: None,
                watched: None,
            });
        }
        let (asked, mut revision) = match &args.rev {
            Some(rev) => (rev.clone(), Revision::Named(rev.clone())),
            None => (args.branch.clone(), Revision::Branch(args.branch.clone())),
        };
        let location = Location::parse(&args.repo)?;
        let (place, watched) = match &location {
            Location::Path(path) => (below(&screen.global().fleet, path), Some(revision.clone())),
            Location::Url(url) => {
                let (place, tip) = output::fetch(url, &args.branch, super::cache_folder().as_deref())?;
                if args.rev.is_none() {
                    revision = Revision::Named(tip.to_string());
                }
                (place, None)
            }
        };
        let path = args.path.as_deref().unwrap_or_default();
        let known = tree::clusters_of(&place, &revision, path)?;
        let cluster = one_of(args, known, &format!("{asked} of {location}"))?;
        let commit = Commit::open(&place, &revision, path, &cluster)?;
        Ok(Self {
            cluster,
            name: location.to_string(),
            place,
            prefix: commit.prefix().to_owned(),
            revision: Some(commit.id.to_string()),
            asked: Some(asked),
            watched,
            files: Arc::new(commit),
        })
    }

    /// What stands against calling the check complete: the revision moved while it ran.
    fn moved(&self) -> Option<Unreadable> {
        let (watched, checked) = (self.watched.as_ref()?, self.revision.as_ref()?);
        let asked = self.asked.as_deref().unwrap_or_default();
        let reason = match watched.resolve(&self.place) {
            Ok(id) if id.to_string() == *checked => return None,
            Ok(id) => format!("{asked} moved to {id} during the check; what was checked is {checked}"),
            Err(error) => format!("{asked} cannot be read any more: {error}"),
        };
        Some(Unreadable { place: None, reason })
    }

    fn source(&self, args: &DriftArgs) -> Source {
        let is_argo = self.files.list().is_ok_and(|paths| paths.iter().any(|path| path.starts_with("argocd/")));
        Source {
            repository: self.place.display().to_string(),
            revision: self.revision.clone(),
            context: args.context.clone().filter(|context| context != "in-cluster"),
            applier: if is_argo { Applier::Argo } else { Applier::Flux },
        }
    }
}

/// A path that is meant from the fleet.
fn below(fleet: &Path, path: &Path) -> PathBuf {
    if fleet == Path::new(".") { path.to_owned() } else { fleet.join(path) }
}

/// The cluster that the command line names, or the only one.
fn one_of(args: &DriftArgs, known: Vec<String>, place: &str) -> Result<String> {
    let names = known.join(", ");
    match (&args.cluster, known.as_slice()) {
        (Some(name), known) if known.contains(name) => Ok(name.clone()),
        (None, [only]) => Ok(only.clone()),
        (_, []) => Err(Error::environment(format!("{place} has no clusters/ folder"))
            .hint("name the folder that clusters/ lies in with --path, or render the fleet first")),
        (Some(name), _) => Err(Error::usage(format!("{place} has no cluster {name}")).hint(format!("it has: {names}"))),
        (None, _) => Err(Error::usage(format!("{place} has several clusters")).hint(format!("name one: {names}"))),
    }
}

fn options(args: &DriftArgs, tree: &Tree) -> Result<CheckOptions> {
    let exemptions = exempt::read(tree.files.as_ref()).map_err(|problems| {
        let line = |problem: &Problem| {
            format!("{}/{}:{}: {}", tree.prefix, problem.place.file, problem.place.line, problem.reason)
        };
        let error = Error::user("the exemptions are invalid, and nothing was checked");
        problems.iter().map(line).fold(error, Error::cause)
    })?;
    let tenants: BTreeSet<String> = args.tenant.iter().cloned().collect();
    let known = tenants_of(tree.files.as_ref())?;
    if let Some(unknown) = tenants.iter().find(|slug| !known.contains(*slug)) {
        let known: Vec<String> = known.into_iter().collect();
        let error = Error::usage(format!("the tree of cluster {} has no tenant {unknown}", tree.cluster));
        return Err(match crate::config::schema::nearest(unknown, &known) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("a tenant lives in one cluster: name that one with --cluster"),
        });
    }
    Ok(CheckOptions { exemptions, ..options_but_exemptions(args)? })
}

/// What to check and how, as the command line says it.
fn options_but_exemptions(args: &DriftArgs) -> Result<CheckOptions> {
    let tenants: BTreeSet<String> = args.tenant.iter().cloned().collect();
    let selector = Selector::parse(args.selector.as_deref().unwrap_or_default()).map_err(Error::usage)?;
    Ok(CheckOptions {
        filter: Filter { tenants: (!tenants.is_empty()).then_some(tenants), shard: args.shard, selector },
        exemptions: Vec::new(),
        allowed_prefixes: args.allow_prefix.clone(),
        settle: (!args.settle.is_zero()).then_some(args.settle),
    })
}

fn tenants_of(files: &dyn Files) -> Result<BTreeSet<String>> {
    let paths = files.list().map_err(|reason| Error::environment("cannot list the files of the tree").cause(reason))?;
    Ok(paths.iter().filter_map(|path| Unit::of(path).tenant().map(str::to_owned)).collect())
}

fn parts(args: &DriftArgs) -> Parts {
    Parts {
        tenants: (!args.tenant.is_empty()).then(|| args.tenant.clone()),
        selector: args.selector.clone(),
        shard: args.shard.map(|shard| format!("{}/{}", shard.index, shard.count)),
    }
}

/// The clock, or `SOURCE_DATE_EPOCH`.
fn now() -> Result<Timestamp> {
    Timestamp::from_second(origin::now()).map_err(|error| Error::usage("SOURCE_DATE_EPOCH is no time").cause(error))
}

fn date(time: Timestamp) -> Date {
    time.to_zoned(jiff::tz::TimeZone::UTC).date()
}
