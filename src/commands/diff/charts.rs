//! Finds the chart of a release by name and version: among the fleet's own charts on either side of the change, among
//! archives that were named, in the history of the fleet's repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::base::Home;
use crate::charts::{self, Artifact};
use crate::error::{Error, Result};
use crate::manifest::Digest;
use crate::source;
use crate::vendored::{self, Files};

/// A chart on disk.
#[derive(Debug)]
pub struct Taken {
    /// `soctalk-tenant 1.1.0`.
    pub name: String,
    /// Digest of its archive.
    pub digest: Digest,
    /// The archive.
    pub archive: PathBuf,
    /// Where it was found.
    pub from: String,
}

/// Which of the two sides a release is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Before the change.
    Before,
    /// After it.
    After,
}

impl When {
    /// `before` or `after`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// What a release says of its chart's version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// A version.
    Version(String),
    /// The digest of a published chart.
    Digest(String),
}

type Answer = std::result::Result<Arc<Taken>, String>;

/// Where charts are looked for.
pub struct Charts<'a> {
    scratch: &'a Path,
    sides: [Option<&'a Files>; 2],
    archives: Option<PathBuf>,
    root: PathBuf,
    /// The versions that stand behind digests.
    versions: BTreeMap<String, String>,
    known: Mutex<BTreeMap<(When, String, Reference), Answer>>,
}

impl<'a> Charts<'a> {
    /// `sides` are the charts of the fleet before and after; `versions` tells the version of a pinned digest.
    pub fn new(
        scratch: &'a Path,
        sides: [Option<&'a Files>; 2],
        archives: Option<&Path>,
        root: &Path,
        versions: BTreeMap<String, String>,
    ) -> Self {
        let (archives, root) = (archives.map(Path::to_owned), root.to_owned());
        Self { scratch, sides, archives, root, versions, known: Mutex::default() }
    }

    /// Whether a chart of the fleet is another before than after: then releases that look the same may not be.
    pub fn differ(&self) -> bool {
        matches!(self.sides, [Some(before), Some(after)] if before != after)
    }

    /// The chart of a release. Each is looked for once.
    ///
    /// # Errors
    /// Why there is none, and what to do.
    pub fn find(&self, when: When, name: &str, reference: &Reference) -> Answer {
        let key = (when, name.to_owned(), reference.clone());
        // One looks, the others wait for the answer.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known.get(&key) {
            return answer.clone();
        }
        let answer = self.look(when, name, reference);
        known.insert(key, answer.clone());
        answer
    }

    fn look(&self, when: When, name: &str, reference: &Reference) -> Answer {
        let version = match reference {
            Reference::Version(version) => version,
            Reference::Digest(digest) => self.versions.get(digest).ok_or_else(|| {
                format!("{name} is pinned to {digest}, and charts.digests of install.yaml does not tell its version")
            })?,
        };
        let [before, after] = self.sides;
        let ordered = if when == When::Before { [before, after] } else { [after, before] };
        for files in ordered.into_iter().flatten() {
            if let Some(taken) = self.of_files(files, name, version, "charts/ of the fleet")? {
                return Ok(taken);
            }
        }
        if let Some(taken) = self.of_archive(name, version)? {
            return Ok(taken);
        }
        if let Some(taken) = self.of_history(name, version)? {
            return Ok(taken);
        }
        Err(format!(
            "no chart {name} {version}: it is not in charts/, and was not in any commit; \
             name a folder that holds {name}-{version}.tgz with --charts"
        ))
    }

    fn of_files(
        &self,
        files: &Files,
        name: &str,
        version: &str,
        from: &str,
    ) -> std::result::Result<Option<Arc<Taken>>, String> {
        let charts = vendored::charts(files).map_err(|(path, why)| format!("{path}: {why}"))?;
        let Some(chart) = charts.iter().find(|chart| chart.name == name) else { return Ok(None) };
        if chart.metadata()?["version"].as_str() != Some(version) {
            return Ok(None);
        }
        let archive = charts::pack(chart).map_err(|error| error.to_string())?;
        let published = Artifact::of(archive.clone()).digest().to_string();
        let pinned = self.versions.iter().find(|(_, own)| own.as_str() == version).map(|(digest, _)| digest);
        let other = pinned.is_some_and(|digest| *digest != published);
        let from = if other { format!("{from}, which is not what was published") } else { from.to_owned() };
        self.keep(name, version, &archive.bytes, from).map(Some)
    }

    fn of_archive(&self, name: &str, version: &str) -> std::result::Result<Option<Arc<Taken>>, String> {
        let Some(folder) = &self.archives else { return Ok(None) };
        let path = folder.join(format!("{name}-{version}.tgz"));
        match fs::read(&path) {
            Ok(bytes) => self.keep(name, version, &bytes, path.display().to_string()).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        }
    }

    /// The chart as it was when its version was this one.
    fn of_history(&self, name: &str, version: &str) -> std::result::Result<Option<Arc<Taken>>, String> {
        let Ok(home) = Home::of(&self.root) else { return Ok(None) };
        let says = |bytes: &[u8]| {
            let documents = crate::yaml::parse(&String::from_utf8_lossy(bytes), crate::yaml::Limits::MANIFEST);
            documents.is_ok_and(|all| all.first().is_some_and(|one| one.root.to_json()["version"] == version))
        };
        let commit = home.newest_with(&format!("charts/{name}/Chart.yaml"), says).map_err(|error| error.to_string())?;
        let Some(commit) = commit else { return Ok(None) };
        let source = source::revision::at(&home.path(), commit, &home.folder).map_err(|error| error.to_string())?;
        let short: String = commit.to_string().chars().take(12).collect();
        self.of_files(&source.charts, name, version, &format!("charts/ at {short}"))
    }

    fn keep(&self, name: &str, version: &str, bytes: &[u8], from: String) -> std::result::Result<Arc<Taken>, String> {
        let digest = Digest::of(bytes);
        let hex = digest.to_string().replace(':', "-");
        let archive = self.scratch.join(format!("{name}-{hex}.tgz"));
        fs::write(&archive, bytes).map_err(|error| format!("cannot write {}: {error}", archive.display()))?;
        Ok(Arc::new(Taken { name: format!("{name} {version}"), digest, archive, from }))
    }

    /// Every chart that was found, and where.
    pub fn taken(&self) -> Vec<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.values().filter_map(|answer| answer.as_ref().ok());
        let mut lines: Vec<String> = found.map(|taken| format!("{} from {}", taken.name, taken.from)).collect();
        lines.sort();
        lines.dedup();
        lines
    }
}

/// A folder of this run's own, which goes with it.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one that nobody else can read.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new() -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let path = std::env::temp_dir().join(format!("tenantry-{}", uuid::Uuid::new_v4()));
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| Error::environment(format!("cannot make {}", path.display())).cause(error))?;
        Ok(Self(path))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind holds charts and nothing else.
        drop(fs::remove_dir_all(&self.0));
    }
}
