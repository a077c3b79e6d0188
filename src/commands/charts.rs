//! `charts`: the charts' content verified, packed, published and pinned.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::screen::Screen;
use crate::charts::{self, Archive, Artifact, Published, Registry, Transport};
use crate::cli::{ChartsCommand, Format, PackageArgs, PinArgs, PushArgs, VerifyArgs};
use crate::error::{Error, Result, exit};
use crate::finding::{Finding, exit_code};
use crate::report::Report;
use crate::source::{self, Source};
use crate::vendored::{self, Chart, RECORD, Record, images};

/// Runs one of the commands.
pub fn run(screen: &Screen, command: &ChartsCommand) -> Result<u8> {
    let source = source::charts(&screen.global().fleet)?;
    match command {
        ChartsCommand::Verify(args) => verify(screen, &source, args),
        ChartsCommand::Package(args) => package(screen, &source, args),
        ChartsCommand::Push(args) => push(screen, &source, args),
        ChartsCommand::Pin(args) => pin(screen, &source, args),
    }
}

fn verify(screen: &Screen, source: &Source, args: &VerifyArgs) -> Result<u8> {
    let mut source = source.clone();
    if args.update && source.findings.is_empty() {
        let text = Record::of(&all(&source)?).text();
        if source.charts.get(RECORD).is_some_and(|bytes| bytes == text.as_bytes()) {
            screen.say(&format!("{RECORD} is up to date"));
        } else {
            write(&screen.global().fleet.join(RECORD), text.as_bytes())?;
            screen.say(&format!("{RECORD} written: review it with the charts"));
        }
        source.charts.insert(RECORD.into(), text.into_bytes());
    }
    let code = report(screen, &source, "charts verify")?;
    if code == exit::OK {
        let charts = all(&source)?;
        let vendored: usize = charts.iter().map(|chart| chart.vendored().len()).sum();
        screen.say(&format!("{} charts, {vendored} vendored subcharts: as recorded", charts.len()));
    }
    Ok(code)
}

fn package(screen: &Screen, source: &Source, args: &PackageArgs) -> Result<u8> {
    let code = report(screen, source, "charts package")?;
    if code != exit::OK {
        return Ok(code);
    }
    let archives = archives(source, &args.charts)?;
    for archive in &archives {
        write(&args.out.join(archive.file_name()), &archive.bytes)?;
    }
    let rows = archives.into_iter().map(|archive| {
        let (file, digest) = (archive.file_name(), archive.digest());
        let artifact = Artifact::of(archive);
        (format!("{file} {digest}"), json!({ "file": file, "digest": digest, "manifestDigest": artifact.digest() }))
    });
    print(screen, rows.collect())
}

fn push(screen: &Screen, source: &Source, args: &PushArgs) -> Result<u8> {
    let code = report(screen, source, "charts push")?;
    if code != exit::OK {
        return Ok(code);
    }
    let archives = archives(source, &args.charts)?;
    let registry = Registry::new(&args.url.host, transport(args.plain_http))?;
    let mut rows = Vec::new();
    for archive in archives {
        let version = archive.version.clone();
        let artifact = Artifact::of(archive);
        let published = registry.publish(&args.url.path, &artifact)?;
        let (name, digest) = (&artifact.name, artifact.digest());
        let reference = format!("{}/{name}:{}", args.url, artifact.tag);
        screen.say(&match published {
            Published::Now => format!("{reference} published"),
            Published::Before => format!("{reference} is published already, with the same content"),
        });
        // Row by row: what was published is known even if the next chart fails.
        rows.push(json!({
            "chart": name, "version": version, "reference": reference, "digest": digest,
            "published": published == Published::Now,
        }));
        if !screen.wants(Format::Json) {
            screen.print(&format!("{reference}@{digest}\n"))?;
        }
    }
    screen.say("pin them in install.yaml:");
    screen.say("charts:\n  digests:");
    for row in &rows {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        screen.say(&format!("    {}:\n      {}: {}", text("chart"), text("version"), text("digest")));
    }
    if screen.wants(Format::Json) {
        print(screen, rows.into_iter().map(|row| (String::new(), row)).collect())
    } else {
        Ok(exit::OK)
    }
}

fn pin(screen: &Screen, source: &Source, args: &PinArgs) -> Result<u8> {
    // Not `report`: that a lock is stale is why one pins.
    let findings: Vec<Finding> = source.findings.clone();
    if !findings.is_empty() {
        return tell(screen, source, "charts pin", findings);
    }
    let charts = chosen(source, &args.charts)?;
    let mut registries: BTreeMap<String, Registry> = BTreeMap::new();
    let (mut locks, mut failures) = (Vec::new(), Vec::new());
    for chart in &charts {
        let broken = |what: String| Error::user(format!("charts/{}: {what}", chart.name));
        let mut lock = images::Lock::default();
        for image in images::tagged(chart).map_err(broken)? {
            match resolve(&mut registries, &image, transport(args.plain_http)) {
                Ok(digest) => drop(lock.images.insert(image, digest)),
                Err(error) => failures.push(error),
            }
        }
        locks.push((chart, images::Lock::of(chart).unwrap_or_default(), lock));
    }
    // All or nothing, and everything that failed is told.
    if let Some(last) = failures.pop() {
        failures.iter().for_each(|error| screen.complain(&format!("error: {error}")));
        return Err(last.hint("no lock was written"));
    }
    let mut rows = Vec::new();
    for (chart, before, lock) in locks {
        let path = screen.global().fleet.join("charts").join(&chart.name).join(images::LOCK);
        if before != lock {
            write(&path, lock.text().as_bytes())?;
        }
        for (image, digest) in &lock.images {
            let old = before.images.get(image).filter(|old| *old != digest);
            let text = old.map_or_else(|| format!("{image} {digest}"), |old| format!("{image} {digest} (was {old})"));
            rows.push((text, json!({ "chart": chart.name, "image": image, "digest": digest, "was": old })));
        }
    }
    print(screen, rows)
}

fn resolve(
    registries: &mut BTreeMap<String, Registry>,
    image: &str,
    transport: Transport,
) -> Result<crate::config::types::ImageDigest> {
    let wrong = || {
        Error::user(format!("values.yaml: {image} is no image of a registry"))
            .hint("write the registry out: docker.io/library/postgres, not postgres")
    };
    let (name, tag) = image.rsplit_once(':').ok_or_else(wrong)?;
    let (host, repository) = name.split_once('/').filter(|(host, _)| is_host(host)).ok_or_else(wrong)?;
    if !registries.contains_key(host) {
        registries.insert(host.to_owned(), Registry::new(host, transport)?);
    }
    let found = registries.get(host).ok_or_else(wrong)?.resolve(repository, tag)?;
    found.ok_or_else(|| {
        Error::environment(format!("{host} has no image {image}")).hint("correct repository and tag in values.yaml")
    })
}

/// Whether the first part of an image's name is a registry and no folder of Docker's own.
fn is_host(part: &str) -> bool {
    part == "localhost" || part.contains(['.', ':'])
}

fn transport(plain_http: bool) -> Transport {
    if plain_http { Transport::PlainHttp } else { Transport::Https }
}

/// Says what is wrong with the charts; 0 if nothing is.
fn report(screen: &Screen, source: &Source, command: &'static str) -> Result<u8> {
    let mut findings = source.findings.clone();
    if findings.is_empty() {
        findings = vendored::verify(&source.charts);
    }
    tell(screen, source, command, findings)
}

fn tell(screen: &Screen, source: &Source, command: &'static str, findings: Vec<Finding>) -> Result<u8> {
    let code = exit_code(&findings);
    // What a command makes is its report; where it makes nothing, findings are.
    if code != exit::OK || command == "charts verify" {
        screen.report(&Report { command, verdicts: Vec::new(), findings }, source)?;
    }
    Ok(code)
}

fn all(source: &Source) -> Result<Vec<Chart<'_>>> {
    vendored::charts(&source.charts).map_err(|(path, reason)| Error::user(format!("{path}: {reason}")))
}

/// The charts that were named; all of them if none was.
fn chosen<'a>(source: &'a Source, names: &[String]) -> Result<Vec<Chart<'a>>> {
    let all = all(source)?;
    let known: Vec<&str> = all.iter().map(|chart| chart.name.as_str()).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        let error = Error::usage(format!("there is no chart charts/{unknown}"));
        return Err(error.hint(format!("charts: {}", known.join(", "))));
    }
    if all.is_empty() {
        return Err(Error::user("charts/ holds no chart").hint("a chart is a folder with a Chart.yaml"));
    }
    Ok(all.into_iter().filter(|chart| names.is_empty() || names.contains(&chart.name)).collect())
}

fn archives(source: &Source, names: &[String]) -> Result<Vec<Archive>> {
    chosen(source, names)?.iter().map(charts::pack).collect()
}

/// Writes a file whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| {
        Error::environment(format!("cannot write {}", path.display()))
            .cause(error)
            .hint("see that its folder is there and can be written")
    };
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}.unfinished", std::process::id()));
    let written = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&unfinished); // it may never have been there
        failed(error)
    })
}

fn print(screen: &Screen, rows: Vec<(String, serde_json::Value)>) -> Result<u8> {
    if screen.wants(Format::Json) {
        let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
        screen.print(&format!("{}\n", serde_json::to_string_pretty(&rows).unwrap_or_default()))?;
    } else {
        for (line, _) in rows {
            screen.print(&format!("{line}\n"))?;
        }
    }
    Ok(exit::OK)
}
