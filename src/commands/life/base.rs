//! What a verb starts from: the fleet in its folder, or as it is committed where the change is to be a commit.

use std::fs;
use std::path::PathBuf;

use super::proposal::Halt;
use crate::cli::Delivery;
use crate::commands::fleet::{self, Loaded};
use crate::commands::origin;
use crate::commands::screen::Screen;
use crate::commands::timings::Timings;
use crate::config::Fleet;
use crate::config::schema::nearest;
use crate::config::tenant::Tenant;
use crate::config::types::Day;
use crate::error::{Error, Result};
use crate::history::Ground;
use crate::source;

/// The fleet before the change.
pub struct Base {
    /// Its folder.
    pub root: PathBuf,
    /// Its files and what they say.
    pub loaded: Loaded,
    /// Where the commit is to be made; none if files are to be written.
    pub ground: Option<Ground>,
    /// The day that counts as today.
    pub today: Day,
}

impl Base {
    /// Reads the fleet.
    pub fn open(screen: &Screen, delivery: &Delivery, timings: &mut Timings) -> Result<Self> {
        let root = &screen.global().fleet;
        let today = match &delivery.now {
            Some(day) => day.clone(),
            None => Day::of(origin::now()).ok_or_else(|| Error::usage("SOURCE_DATE_EPOCH is no time"))?,
        };
        if !delivery.commit {
            let loaded = fleet::load(root, timings)?;
            return Ok(Self { root: root.clone(), loaded, ground: None, today });
        }
        let ground = Ground::find(root, delivery.branch.as_deref())?;
        let (git, folder) = (ground.place().git.path().to_owned(), ground.place().folder().to_owned());
        let source = timings.step("read", || source::revision::at(&git, ground.base, &folder))?;
        if source.text("install.yaml").is_none() {
            let error = Error::user(format!("{} holds no install.yaml at {folder:?}", ground.branch()));
            return Err(error.hint("commit the fleet first"));
        }
        let loaded = fleet::loaded(source, root, timings);
        Ok(Self { root: root.clone(), loaded, ground: Some(ground), today })
    }

    /// The fleet, if every file of it is valid by itself.
    pub fn fleet(&self) -> Result<&Fleet, Halt> {
        self.loaded.fleet.as_ref().ok_or_else(|| Halt::Findings(self.loaded.findings.clone()))
    }

    /// A tenant of the fleet.
    pub fn tenant(&self, slug: &str) -> Result<&Tenant, Halt> {
        let fleet = self.fleet()?;
        if let Some(tenant) = fleet.tenants.get(slug) {
            return Ok(tenant);
        }
        let known: Vec<String> = fleet.tenants.keys().cloned().collect();
        let error = Error::user(format!("there is no tenant {slug}"));
        Err(Halt::Error(match nearest(slug, &known) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("`tenantry list` shows them"),
        }))
    }

    /// The whole text of a file, byte order mark and line ends as they are; `None` if it is not there.
    pub fn text(&self, path: &str) -> Result<Option<String>> {
        if let Some(ground) = &self.ground {
            return ground.read(path);
        }
        let file = self.root.join(path);
        match fs::symlink_metadata(&file) {
            Ok(found) if found.is_symlink() => {
                Err(Error::guard(format!("{path} is a link: it is not edited")).hint("put the file itself there"))
            }
            Ok(_) => fs::read_to_string(&file)
                .map(Some)
                .map_err(|error| Error::environment(format!("cannot read {path}")).cause(error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::environment(format!("cannot read {path}")).cause(error)),
        }
    }
}
