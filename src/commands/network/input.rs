//! What the questions are about: a folder of manifests, or a cluster of the fleet.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use crate::check::network::{Scope, scopes, workloads};
use crate::check::{self, Input, Kept};
use crate::cli::{NetworkInput, NetworkSettings};
use crate::commands::fleet;
use crate::commands::screen::Screen;
use crate::commands::timings::Timings;
use crate::error::{Error, Result, exit};
use crate::network::{self, Claims, FileLines, LabelFilter, Model, Profile, Settings, Source};

/// Largest file of manifests that is read, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// A model, and the code with which a question about it ends if nothing else is to be said.
pub struct Subject {
    /// The model.
    pub model: Model,
    /// Not 0 where the input is not wholly in force.
    pub code: u8,
}

/// The documents of a folder.
pub struct Files {
    /// The documents; releases of the two charts are there as what they deploy.
    pub sources: Vec<Source>,
}

/// The code with which a question ends that was refused.
pub fn refused(input: &NetworkInput) -> u8 {
    if input.manifests.is_some() { exit::INVALID } else { exit::INCOMPLETE }
}

/// The model of the folder or cluster that is meant. `None` if it was refused; the reasons are on the screen.
///
/// # Errors
/// It cannot be read, or it is not clear which cluster is meant.
pub fn one(screen: &Screen, input: &NetworkInput) -> Result<Option<Subject>> {
    if let Some(folder) = &input.manifests {
        return of_files(screen, read(folder)?, &input.settings, None);
    }
    let (mut subject, mut count) = (None, 0);
    each_cluster(screen, input, |scope| {
        count += 1;
        subject = match scope.model() {
            Ok(model) => Some(Subject { model, code: exit::OK }),
            Err(refusals) => {
                refusals.0.iter().for_each(|refusal| screen.complain(&format!("error: {refusal}")));
                None
            }
        };
        Ok(())
    })?;
    need_one(count, "this question")?;
    Ok(subject)
}

/// Every file of manifests below a folder, as documents.
///
/// # Errors
/// Files that cannot be read, or that are no YAML or JSON: all of them, with their lines.
pub fn read(folder: &Path) -> Result<Files> {
    let mut paths = Vec::new();
    list(folder, &mut paths)?;
    if paths.is_empty() {
        return Err(Error::user(format!("{} holds no manifests", folder.display()))
            .hint("files end with .yaml, .yml or .json; nested folders are searched"));
    }
    let files: Vec<Result<Vec<Source>, String>> = paths.par_iter().map(|path| file(folder, path)).collect();
    let (mut sources, mut faults) = (Vec::new(), Vec::new());
    for read in files {
        match read {
            Ok(read) => sources.extend(read),
            Err(fault) => faults.push(fault),
        }
    }
    match faults.as_slice() {
        [] => Ok(Files { sources }),
        [first, rest @ ..] => Err(rest.iter().fold(Error::user(first), Error::cause)),
    }
}

fn list(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let failed =
        |error: std::io::Error| Error::environment(format!("cannot read the folder {}", folder.display())).cause(error);
    let mut entries: Vec<fs::DirEntry> =
        fs::read_dir(folder).map_err(failed)?.collect::<Result<_, std::io::Error>>().map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let is_manifest = path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
        match (kind.is_dir(), kind.is_file()) {
            _ if hidden => {}
            (true, _) => list(&path, paths)?,
            (_, true) if is_manifest => paths.push(path),
            // A link may lead out of the folder, or in circles.
            (false, false) if is_manifest => {
                return Err(
                    Error::user(format!("{} is no ordinary file", path.display())).hint("copy it into the folder")
                );
            }
            _ => {}
        }
    }
    Ok(())
}

fn file(root: &Path, path: &Path) -> Result<Vec<Source>, String> {
    let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
    let size = fs::metadata(path).map_err(|error| format!("{name}: {error}"))?.len();
    if size > MAX_FILE_BYTES {
        return Err(format!("{name}: has {size} bytes; {MAX_FILE_BYTES} are read at most"));
    }
    let bytes = fs::read(path).map_err(|error| format!("{name}: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{name}: is not UTF-8"))?;
    let documents = network::documents(&text, &name)
        .map_err(|error| format!("{name}:{}:{}: {}", error.span.line, error.span.column, error.message))?;
    Ok(with_deployed(documents, text))
}

/// Releases of the two charts stand for what they deploy.
fn with_deployed(documents: Vec<Source>, text: String) -> Vec<Source> {
    let lines = FileLines::of(move || text.clone());
    let mut sources = Vec::new();
    for (position, source) in documents.into_iter().enumerate() {
        let (deployed, file) = (workloads::deployed(&source.value), source.file.clone());
        if deployed.is_empty() {
            sources.push(source);
        }
        let place = |value| Source { value, file: file.clone(), lines: lines.beginning_of(position) };
        sources.extend(deployed.into_iter().map(place));
    }
    sources
}

/// The profile under which documents make sense.
pub fn profile_of<'s>(sources: impl IntoIterator<Item = &'s Source>) -> crate::cli::NetworkProfile {
    let is_cilium =
        |source: &Source| source.value["apiVersion"].as_str().is_some_and(|api| api.starts_with("cilium.io/"));
    let in_list = |source: &Source| {
        source.value["items"].as_array().is_some_and(|items| {
            items.iter().any(|item| item["apiVersion"].as_str().is_some_and(|api| api.starts_with("cilium.io/")))
        })
    };
    match sources.into_iter().any(|source| is_cilium(source) || in_list(source)) {
        true => crate::cli::NetworkProfile::Cilium,
        false => crate::cli::NetworkProfile::Kubernetes,
    }
}

/// The settings of a folder.
///
/// # Errors
/// A label filter that is not understood.
pub fn settings(given: &NetworkSettings, profile: crate::cli::NetworkProfile) -> Result<Settings> {
    let mut settings = Settings::new(match profile {
        crate::cli::NetworkProfile::Kubernetes => Profile::Kubernetes,
        crate::cli::NetworkProfile::Cilium => Profile::Cilium,
    });
    if let Some(version) = given.cilium_version {
        settings.cilium = version;
    }
    if !given.label_filter.is_empty() {
        settings.label_filter =
            LabelFilter::with(&given.label_filter).map_err(|unknown| Error::usage(unknown.to_string()))?;
    }
    settings.pod_cidrs.clone_from(&given.pod_cidr);
    settings.service_cidrs.clone_from(&given.service_cidr);
    settings.node_cidrs.clone_from(&given.node_cidr);
    settings.api_server.clone_from(&given.api_server_cidr);
    settings.cidr_matches_nodes = given.cidr_matches_nodes;
    settings.resolver.node_local.clone_from(&given.node_local_dns);
    Ok(settings)
}

/// The model of documents. `None` if the engine refuses some; the reasons are on the screen.
///
/// # Errors
/// Options that make no sense.
pub fn of_files(
    screen: &Screen,
    files: Files,
    given: &NetworkSettings,
    profile: Option<crate::cli::NetworkProfile>,
) -> Result<Option<Subject>> {
    let profile = given.profile.or(profile).unwrap_or_else(|| profile_of(&files.sources));
    let settings = settings(given, profile)?;
    Ok(built(screen, files, &settings))
}

/// As [`of_files`], with settings that are known.
pub fn built(screen: &Screen, files: Files, settings: &Settings) -> Option<Subject> {
    let model = match Model::build(files.sources, settings) {
        Ok(model) => model,
        Err(refusals) => {
            refusals.0.iter().for_each(|refusal| screen.complain(&format!("error: {refusal}")));
            return None;
        }
    };
    let ambiguous = model.ambiguities();
    if !ambiguous.is_empty() {
        ambiguous.iter().for_each(|one| screen.complain(&format!("error: {one}")));
        screen.complain("hint: one cluster at a time: name its folder");
        return None;
    }
    for void in model.void_policies() {
        screen.complain(&format!(
            "error: {void}: the policy is not in force, and the answer is that of a cluster without it"
        ));
    }
    let code = if model.void_policies().is_empty() { exit::OK } else { exit::FINDINGS };
    Some(Subject { model, code })
}

/// Visits the clusters that are meant, each with everything that is rendered for it.
///
/// # Errors
/// The fleet is invalid, or the question is about one cluster and there are several.
pub fn each_cluster(screen: &Screen, input: &NetworkInput, visit: impl FnMut(&Scope<'_>) -> Result<()>) -> Result<()> {
    if input.settings != NetworkSettings::default() {
        return Err(Error::usage("the fleet itself says what its clusters are like")
            .hint("options such as --profile are for a folder: --manifests DIR"));
    }
    let loaded = fleet::load(&screen.global().fleet, &mut Timings::default())?;
    let mut findings = loaded.findings.clone();
    let plan = fleet::plan(&loaded, &mut findings);
    let units = plan.as_ref().and_then(|plan| fleet::parts(&loaded, plan, check::network::needs, &mut findings));
    let (Some(plan), Some(units)) = (&plan, units) else {
        return Err(match screen.refuse("network", findings, &loaded.source)? {
            exit::GUARD => Error::guard("the fleet was refused"),
            _ => Error::user("the fleet is invalid: nothing is known of its network"),
        });
    };
    let (units, kept, settled, memo) = (Arc::new(units), Kept::default(), BTreeSet::new(), &loaded.memo);
    let all = Input { source: &loaded.source, plan, units: &units, kept: &kept, settled: &settled, memo };
    let scopes = scopes(&all).map_err(Error::incomplete)?;
    let name = |scope: &Scope<'_>| scope.cluster.cluster.name.to_string();
    let names: Vec<String> = scopes.iter().map(name).collect();
    if let Some(wanted) = &input.cluster
        && !names.contains(wanted)
    {
        return Err(
            Error::usage(format!("there is no cluster {wanted}")).hint(format!("clusters: {}", names.join(", ")))
        );
    }
    let mut meant = scopes.iter().filter(|scope| input.cluster.as_ref().is_none_or(|wanted| *wanted == name(scope)));
    meant.try_for_each(visit)
}

/// How many clusters a question is about.
///
/// # Errors
/// As for [`each_cluster`].
pub fn need_one(count: usize, what: &str) -> Result<()> {
    match count {
        1 => Ok(()),
        _ => Err(Error::usage(format!("{what} is about one cluster, and the fleet has {count}"))
            .hint("name it with --cluster")),
    }
}

/// The claims of a file.
///
/// # Errors
/// The file cannot be read, or is wrong.
pub fn claims(screen: &Screen, path: &Path) -> Result<Claims> {
    let text = fs::read_to_string(path)
        .map_err(|error| Error::environment(format!("cannot read {}", path.display())).cause(error))?;
    let name = path.display().to_string();
    crate::config::claims_of(&name, &text).map_err(|findings| {
        let source = crate::source::Source::from_texts([(name.clone(), text.clone())]);
        match screen.refuse("network", findings, &source) {
            Ok(_) => Error::user(format!("{name} is invalid")),
            Err(error) => error,
        }
    })
}
