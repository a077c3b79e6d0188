//! `drift --watch`: joins Git, the cluster, the server and the writer, and ends when told.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};

use super::{Tree, decided, limits, options, options_but_exemptions, runtime, serve, target};
use crate::cli::DriftArgs;
use crate::cluster::announce::{self, Announcer};
use crate::cluster::decided::Question;
use crate::cluster::generation::Committed;
use crate::cluster::tree::{Folder, Revision};
use crate::cluster::view::View;
use crate::cluster::watch::{Outlets, Settings, Upstream};
use crate::cluster::{self, Api, Limits, Target, connect};
use crate::commands::Screen;
use crate::commands::fleet;
use crate::drift::desired::Files;
use crate::error::{Error, Kind, Result, exit};
use crate::telemetry;

/// Without a success for so long, the checker is not ready.
const FRESH: Duration = Duration::from_secs(300);

/// Least time between two readings of the credentials.
const RENEW_GAP: Duration = Duration::from_secs(10);

/// Runs until it is told to end.
pub fn run(screen: &Screen, args: &DriftArgs) -> Result<u8> {
    if !screen.global().output.is_empty() {
        let error = Error::usage("`drift --watch` writes no report, it serves one");
        return Err(error.hint(format!("drop -o, and read http://{}/report.json", args.watch.listen)));
    }
    telemetry::log(args.watch.log_format, screen.global().verbose > 0, screen.global().quiet)?;
    let committed =
        Arc::new(Followed { screen: Screen::new(screen.global()), args: args.clone(), trusted: Mutex::default() });
    runtime()?.block_on(go(args, committed))?;
    Ok(exit::OK)
}

async fn go(args: &DriftArgs, upstream: Arc<Followed>) -> Result<()> {
    let (limits, target) = (limits(args), target(args)?);
    let api = connect::connect(&target, limits).await?;
    let address = args.watch.listen;
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Error::environment(format!("cannot listen on {address}")).cause(error).hint("name another with --listen")
    })?;
    tracing::info!(address = %listener.local_addr().unwrap_or(address), server = api.address(), "listening");
    let stop = watch::Sender::new(false);
    let view = watch::Sender::new(Arc::new(View::default()));
    let (renew, leader) = (Arc::new(Notify::new()), watch::Sender::new(false));
    let (news, announcements) = mpsc::unbounded_channel();
    let outlets = Outlets { view: view.clone(), news, is_leader: leader.subscribe(), renew: Arc::clone(&renew) };
    let settings = settings(args)?;
    let announcer = Announcer {
        api: api.clone(),
        events: args.watch.events,
        reports: args.watch.reports,
        lease: args.watch.lease.clone(),
        identity: identity(),
        leader,
    };
    let renewing = tokio::spawn(keep_credentials(api.clone(), target, limits, renew));
    let announcing = tokio::spawn(announce::announce(announcer, announcements, stop.subscribe()));
    let serving = tokio::spawn(serve::serve(listener, view.subscribe(), stop.subscribe()));
    refuse_nonsense(Arc::clone(&upstream)).await?;
    let checking = tokio::spawn(cluster::watch::watch(api, upstream, settings, outlets, stop.subscribe()));
    let ended = told_to_end(checking).await;
    tracing::info!("ending");
    stop.send_replace(true);
    // What is under way has a moment: a request that is answered, the lease that is given back.
    let _ = tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(serving, announcing) }).await;
    renewing.abort();
    ended
}

/// A command line that can never work ends the program at once. What else fails may work later.
async fn refuse_nonsense(upstream: Arc<Followed>) -> Result<()> {
    let look = tokio::task::spawn_blocking(move || upstream.look());
    match tokio::time::timeout(Duration::from_secs(10), look).await {
        Ok(Ok(Err(error))) if error.kind() == Kind::Usage => Err(error),
        _ => Ok(()),
    }
}

/// Waits for SIGTERM or SIGINT. That the check itself ends is a defect.
async fn told_to_end(checking: tokio::task::JoinHandle<()>) -> Result<()> {
    let cannot = |error: std::io::Error| Error::environment("cannot listen to signals").cause(error);
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = checking => Err(match ended {
            Ok(()) => Error::internal("the check ended by itself"),
            Err(error) => Error::internal("the check broke").cause(error),
        }),
    }
}

/// Reads token, certificates and address anew when asked, since all of them may be replaced while the program runs.
async fn keep_credentials(api: Api, target: Target, limits: Limits, renew: Arc<Notify>) {
    loop {
        renew.notified().await;
        match connect::connect(&target, limits).await {
            Ok(fresh) => {
                tracing::debug!("credentials were read again");
                api.replace_client(fresh.client());
            }
            Err(error) => tracing::warn!(%error, "credentials cannot be read again"),
        }
        tokio::time::sleep(RENEW_GAP).await;
    }
}

fn settings(args: &DriftArgs) -> Result<Settings> {
    let watch = &args.watch;
    Ok(Settings {
        options: options_but_exemptions(args)?,
        parts: super::parts(args),
        poll: watch.poll.max(Duration::from_secs(1)),
        resync: watch.resync.max(Duration::from_secs(10)),
        rollout: watch.rollout,
        fresh: FRESH,
        version: fleet::VERSION.to_owned(),
    })
}

/// The name of this replica: the pod's, as the kernel knows it.
fn identity() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{name}_{}", std::process::id())
}

/// The committed tree, looked at again and again.
struct Followed {
    screen: Screen,
    args: DriftArgs,
    /// The revision that was trusted last: it is not looked into again.
    trusted: Mutex<Option<String>>,
}

impl Followed {
    fn place(&self) -> Result<PathBuf> {
        Ok(Tree::open(&self.screen, &self.args)?.place)
    }

    /// Refuses a revision that is not to be trusted: what was good last stays.
    fn trust(&self, tree: &Tree) -> Result<()> {
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        if trusted.is_none() || *trusted != tree.revision {
            super::trust::check(tree, &self.args)?;
            trusted.clone_from(&tree.revision);
        }
        Ok(())
    }
}

impl Upstream for Followed {
    fn look(&self) -> Result<Committed> {
        let tree = Tree::open(&self.screen, &self.args)?;
        self.trust(&tree)?;
        let exemptions = options(&self.args, &tree)?.exemptions;
        let applier = tree.source(&self.args).applier;
        let revision = match (&tree.revision, &self.args.tree) {
            (Some(revision), _) => revision.clone(),
            (None, Some(root)) => Folder::open(root, &tree.cluster)?.digest()?,
            (None, None) => return Err(Error::internal("a tree without a revision")),
        };
        Ok(Committed {
            exemptions,
            cluster: tree.cluster,
            is_commit: tree.revision.is_some(),
            revision,
            asked: tree.asked,
            name: tree.name,
            prefix: tree.prefix,
            applier,
            files: tree.files,
        })
    }

    fn follows(&self, newer: &str, older: &str) -> Result<bool> {
        Revision::follows(&self.place()?, newer, older)
    }

    fn fleet(&self) -> Option<String> {
        decided::appearance(self.screen.global())
    }

    fn decide(&self, files: &dyn Files, question: &mut Question) {
        decided::trace(self.screen.global(), files, &mut question.document, &question.units);
    }
}
