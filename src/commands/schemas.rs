//! `schemas`: the schemas that manifests are held against.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::screen::Screen;
use crate::cli::{Format, ImportArgs, SchemasCommand};
use crate::cluster::{self, Limits, Target};
use crate::error::{Error, Result, exit};
use crate::schemas::{self, BUILT_IN, Bundle, Catalog, Import, KIND_OF_METADATA};
use crate::source;
use crate::yaml::{self, Limits as YamlLimits};

/// Runs one of the commands.
pub fn run(screen: &Screen, command: &SchemasCommand) -> Result<u8> {
    match command {
        SchemasCommand::List => list(screen),
        SchemasCommand::Import(args) => import(screen, args),
    }
}

fn list(screen: &Screen) -> Result<u8> {
    let own = Catalog::own().map_err(|reason| Error::internal(format!("the program's own schemas: {reason}")))?;
    // Outside of a fleet, the program's own.
    let in_fleet = screen.global().fleet.join("install.yaml").exists();
    let catalog = match in_fleet.then(|| source::load(&screen.global().fleet)).transpose()? {
        Some(source) => schemas::of_fleet(&source).map_err(|finding| {
            let place = finding.location.map(|place| format!("{place}: ")).unwrap_or_default();
            Error::user(format!("{place}{}", finding.message))
        })?,
        None => own,
    };
    let kinds = catalog.kinds();
    let sources: Vec<&str> = catalog.sources().collect();
    screen.write(|format| match format {
        Format::Text => {
            let line = |kind: &&crate::schemas::KindEntry| {
                let scope = if kind.namespaced { "namespaced" } else { "cluster" };
                format!("{:<45} {:<35} {scope}\n", kind.api_version, kind.kind)
            };
            let from: String = sources.iter().map(|source| format!("made from {source}\n")).collect();
            Some(kinds.iter().map(line).collect::<String>() + &from)
        }
        Format::Json => {
            let kind = |kind: &&crate::schemas::KindEntry| {
                json!({"apiVersion": kind.api_version, "kind": kind.kind, "plural": kind.plural,
                    "namespaced": kind.namespaced, "custom": kind.custom})
            };
            let kinds: Vec<Value> = kinds.iter().map(kind).collect();
            let document =
                json!({"apiVersion": "tenantry.io/v1", "kind": "Schemas", "sources": sources, "kinds": kinds});
            Some(format!("{document:#}\n"))
        }
        _ => None,
    })?;
    Ok(exit::OK)
}

fn import(screen: &Screen, args: &ImportArgs) -> Result<u8> {
    let mut import = Import::default();
    if !args.kind.is_empty() {
        let metadata = (KIND_OF_METADATA.0.to_owned(), KIND_OF_METADATA.1.to_owned());
        import = import.only(args.kind.iter().cloned().chain([metadata].into_iter().filter(|_| args.from_cluster)));
    }
    if let Some(path) = &args.kinds_of {
        let bundle =
            Bundle::parse(&read(path)?).map_err(|reason| Error::user(format!("{}: {reason}", path.display())))?;
        import = import.only(bundle.kinds.into_iter().map(|entry| (entry.api_version, entry.kind)));
    }
    args.source.iter().for_each(|source| import.source(source));
    for path in &args.crd {
        from_file(path, &mut import)?;
    }
    if args.from_cluster {
        from_cluster(args, &mut import)?;
    }
    let missing = import.missing();
    if !missing.is_empty() {
        let error = Error::user(format!("nothing that was given describes {}", missing.join(", ")));
        return Err(error.hint("name their CustomResourceDefinitions with --crd, or a cluster that serves them"));
    }
    let text = import.text().map_err(|error| Error::user(error.to_string()))?;
    match &args.out {
        Some(path) => {
            fs::write(path, &text)
                .map_err(|error| Error::environment(format!("cannot write {}", path.display())).cause(error))?;
            screen.say(&format!("{}: {} kinds, {} KiB", path.display(), import.len(), text.len() / 1024));
        }
        None => screen.print(&text)?,
    }
    Ok(exit::OK)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| Error::environment(format!("cannot read {}", path.display())).cause(error))
}

fn from_file(path: &Path, import: &mut Import) -> Result<()> {
    let broken = |reason: &dyn std::fmt::Display| Error::user(format!("{}: {reason}", path.display()));
    let documents = yaml::parse(&read(path)?, YamlLimits::MANIFEST)
        .map_err(|error| Error::user(format!("{}:{error}", path.display())))?;
    for document in documents {
        let value = document.root.to_json();
        if !value.is_null() {
            import.definition(&value).map_err(|error| broken(&error))?;
        }
    }
    Ok(())
}

fn from_cluster(args: &ImportArgs, import: &mut Import) -> Result<()> {
    let target = match args.context.as_deref() {
        Some("in-cluster") => Target::InCluster { account: None },
        _ => Target::Kubeconfig { file: args.kubeconfig.clone(), context: args.context.clone() },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Error::internal("cannot start the runtime").cause(error))?;
    let described = runtime.block_on(async {
        let api = cluster::connect(&target, Limits::default()).await?;
        cluster::describe(&api, &BUILT_IN, args.crd.is_empty()).await
    })?;
    import.source(format!("kubernetes {}", described.version));
    let refuse = |error: crate::schemas::ImportError| Error::user(error.to_string());
    for definition in &described.definitions {
        import.definition(definition).map_err(refuse)?;
    }
    for document in &described.documents {
        import.document(document, &BUILT_IN).map_err(refuse)?;
    }
    Ok(())
}
