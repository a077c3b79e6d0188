//! Reads a fleet's `charts/` byte by byte: digests are of bytes, not of texts.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use super::{MAX_FILE_BYTES, Source, open_plain, unreadable};
use crate::error::{Error, Result};
use crate::finding::{Class, Finding, Location};

/// Deepest folder below `charts/` that is read.
const MAX_DEPTH: usize = 12;
/// Most files that are read. The charts of this project have about seventy.
const MAX_FILES: usize = 2_000;

/// Reads the charts of a folder alone; it need not be a fleet.
///
/// # Errors
/// The folder cannot be opened or has no `charts/`.
pub fn charts(root: &Path) -> Result<Source> {
    let root = fs::canonicalize(root).map_err(|error| {
        Error::environment(format!("cannot open the folder {}", root.display()))
            .cause(error)
            .hint("name it with -C DIR")
    })?;
    if !root.join("charts").is_dir() {
        return Err(Error::user(format!("{} has no folder charts/", root.display()))
            .hint("name the folder that holds charts/ with -C DIR"));
    }
    let mut source = Source::default();
    read(&root, &mut source);
    source.findings.sort();
    Ok(source)
}

/// Reads all files below `charts/`, if it is there.
pub(super) fn read(root: &Path, source: &mut Source) {
    walk(root, "charts", MAX_DEPTH, source);
}

fn walk(root: &Path, folder: &str, depth: usize, source: &mut Source) {
    let entries = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => return source.findings.push(unreadable(folder, &error)),
    };
    for entry in entries {
        let (name, kind) = match entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))) {
            Ok(found) => found,
            Err(error) => {
                source.findings.push(unreadable(folder, &error));
                continue;
            }
        };
        let Some(name) = name.to_str() else {
            refuse(source, folder, format!("a file name in {folder}/ is not UTF-8: {}", name.display()));
            continue;
        };
        let path = format!("{folder}/{name}");
        if source.charts.len() >= MAX_FILES || depth == 0 {
            let message = format!("{folder}/ holds more than {MAX_FILES} files or {MAX_DEPTH} folders in each other");
            return refuse(source, folder, message);
        }
        if kind.is_dir() {
            walk(root, &path, depth - 1, source);
        } else if kind.is_file() {
            match bytes(root, &path) {
                Ok(bytes) => drop(source.charts.insert(path, bytes)),
                Err(finding) => source.findings.push(*finding),
            }
        } else {
            refuse(source, &path, format!("{path} is neither a file nor a folder"));
        }
    }
}

fn refuse(source: &mut Source, path: &str, message: String) {
    let finding = Finding::error("source/charts", Class::Invalid, message).at(Location::file(path));
    source.findings.push(finding.hint("charts hold ordinary files: links would be packaged as what they lead to"));
}

fn bytes(root: &Path, path: &str) -> Result<Vec<u8>, Box<Finding>> {
    let file = open_plain(&root.join(path));
    let file = file.map_or_else(|| fs::File::open(root.join(path)), Ok).map_err(|error| unreadable(path, &error))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let message = format!("{path} is larger than {MAX_FILE_BYTES} bytes");
        return Err(Box::new(Finding::invalid("source/size", message).at(Location::file(path))));
    }
    Ok(bytes)
}
