//! Reads the files of a fleet: bounded, inside the root only, as text with `\n` line ends.

mod charts;
pub mod revision;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustix::fs::{Mode, OFlags};

use crate::error::{Error, Result};
use crate::finding::{Finding, Location};
use crate::vendored;
use crate::yaml::Span;

pub use charts::charts;

/// Largest file that is read, in bytes. A tenant file has about two thousand.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// The files of a fleet, by path from its root with `/`.
#[derive(Clone, Default)]
pub struct Source {
    /// Text of every file: UTF-8 without byte order mark, lines ended by `\n`.
    pub files: BTreeMap<String, String>,
    /// Bytes of every file below `charts/`.
    pub charts: vendored::Files,
    /// Files that could not be taken, and why.
    pub findings: Vec<Finding>,
}

/// Names and lengths: a text may hold what must not be shown.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files = self.files.iter().map(|(path, text)| (path, text.len()));
        let charts = self.charts.iter().map(|(path, bytes)| (path, bytes.len()));
        f.debug_map().entries(files).entries(charts).finish()
    }
}

impl Source {
    /// A source from memory, for callers that have the texts already.
    pub fn from_texts<P: Into<String>, T: Into<String>>(files: impl IntoIterator<Item = (P, T)>) -> Self {
        let files = files.into_iter().map(|(path, text)| (path.into(), text.into())).collect();
        Self { files, ..Self::default() }
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// The files below a folder (`tenants/`), in order.
    pub fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .range(folder.to_owned()..)
            .take_while(move |(path, _)| path.starts_with(folder))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

/// Reads the fleet in a folder: `install.yaml`, `compatibility.yaml`, `tenants/*.yaml`, `policies/**`, `templates/**`
/// and `charts/**`: the contracts of the charts as text, all of their files as bytes.
///
/// # Errors
/// The folder is no fleet or cannot be read. What is wrong with single files is found in [`Source::findings`].
pub fn load(root: &Path) -> Result<Source> {
    let root = fs::canonicalize(root).map_err(|error| {
        Error::environment(format!("cannot open the fleet {}", root.display())).cause(error).hint("name it with -C DIR")
    })?;
    if !root.join("install.yaml").exists() {
        return Err(Error::user(format!("{} is no fleet: it has no install.yaml", root.display()))
            .hint("name the fleet with -C DIR, or start one with `tenantry init`"));
    }
    let mut source = Source::default();
    let mut paths = Vec::new();
    for file in ["install.yaml", "compatibility.yaml"] {
        if root.join(file).symlink_metadata().is_ok() {
            paths.push(file.to_owned());
        }
    }
    for (folder, depth) in [("tenants", 1), ("policies", 4), ("templates", 4)] {
        list(&root, folder, depth, &mut paths, &mut source.findings);
    }
    for chart in ["soctalk-system", "soctalk-tenant"] {
        for file in ["Chart.yaml", "values.schema.json", "values.yaml"] {
            let path = format!("charts/{chart}/{file}");
            if root.join(&path).symlink_metadata().is_ok() {
                paths.push(path);
            }
        }
    }
    let folders: BTreeSet<&str> = paths.iter().map(|path| folder_of(path)).collect();
    let plain = |folder: &&str| fs::canonicalize(root.join(folder)).is_ok_and(|real| real == root.join(folder));
    let plain: BTreeSet<String> = folders.into_iter().filter(plain).map(str::to_owned).collect();
    let read = |path: String| (read_file(&root, &path, plain.contains(folder_of(&path))), path);
    let read: Vec<_> = paths.into_par_iter().map(read).collect();
    for (result, path) in read {
        match result {
            Ok(text) => drop(source.files.insert(path, text)),
            Err(finding) => source.findings.push(*finding),
        }
    }
    charts::read(&root, &mut source);
    source.findings.sort();
    Ok(source)
}

/// Lists the files below a folder; a folder that is not there has none, one that cannot be read is a finding.
fn list(root: &Path, folder: &str, depth: usize, paths: &mut Vec<String>, findings: &mut Vec<Finding>) {
    let entries = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => return findings.push(unreadable(folder, &error)),
    };
    for entry in entries {
        let (name, kind) = match entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))) {
            Ok(found) => found,
            Err(error) => {
                findings.push(unreadable(folder, &error));
                continue;
            }
        };
        let Some(name) = name.to_str() else {
            let message = format!("a file name in {folder}/ is not UTF-8: {}", name.display());
            findings.push(Finding::invalid("source/name", message).at(Location::file(folder)));
            continue;
        };
        let path = format!("{folder}/{name}");
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        if kind.is_dir() && depth > 1 {
            list(root, &path, depth - 1, paths, findings);
        } else if kind.is_dir() {
            let finding =
                Finding::invalid("source/folder", format!("{path} is a folder: tenants lie in tenants/ itself"));
            findings.push(finding.at(Location::file(path)).hint("move its files up, or remove it"));
        } else if is_wanted(folder, name) {
            paths.push(path);
        } else if folder == "tenants" {
            let finding = Finding::invalid("source/name", format!("{path} is not a tenant file"));
            findings.push(finding.at(Location::file(path)).expected("tenants/<slug>.yaml").hint("rename or remove it"));
        }
    }
}

fn is_wanted(folder: &str, name: &str) -> bool {
    match folder.split('/').next() {
        Some("templates") => name.ends_with(".tera"),
        Some("tenants") => name.ends_with(".yaml"),
        _ if folder == "policies/schemas" => name.ends_with(".yaml") || name.ends_with(".json"),
        _ => name.ends_with(".yaml"),
    }
}

/// Folder of a path; empty for the root.
fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// `plain`: no link leads to the file's folder.
fn read_file(root: &Path, path: &str, plain: bool) -> Result<String, Box<Finding>> {
    let file = match plain.then(|| open_plain(&root.join(path))).flatten() {
        Some(file) => file,
        None => fs::File::open(inside(root, path)?).map_err(|error| unreadable(path, &error))?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    decode(path, bytes).map_err(Box::new)
}

/// Opens an ordinary file. `None` for anything else, links too: [`inside`] says what it is, with more system calls.
fn open_plain(path: &Path) -> Option<fs::File> {
    // A pipe must not keep the open waiting.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = fs::File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    file.metadata().is_ok_and(|metadata| metadata.is_file()).then_some(file)
}

/// The real path of a file; a link that leads out of the fleet is refused.
fn inside(root: &Path, path: &str) -> Result<PathBuf, Box<Finding>> {
    let full = fs::canonicalize(root.join(path)).map_err(|error| unreadable(path, &error))?;
    if !full.starts_with(root) {
        let finding = Finding::invalid("source/outside", format!("{path} is a link that leads out of the fleet"));
        return Err(Box::new(finding.at(Location::file(path)).hint("put the file itself here")));
    }
    match fs::metadata(&full) {
        Ok(metadata) if metadata.is_file() => Ok(full),
        Ok(_) => {
            let finding = Finding::invalid("source/kind", format!("{path} is not an ordinary file"));
            Err(Box::new(finding.at(Location::file(path))))
        }
        Err(error) => Err(Box::new(unreadable(path, &error))),
    }
}

/// UTF-8 text with `\n` line ends from the bytes of a file; a byte order mark and CRLF are forgiven.
///
/// # Errors
/// The bytes are too many, not UTF-8, or hold control characters.
pub fn decode(path: &str, bytes: Vec<u8>) -> Result<String, Finding> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let message = format!("{path} is larger than {MAX_FILE_BYTES} bytes");
        return Err(Finding::invalid("source/size", message).at(Location::file(path)));
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        let finding = Finding::invalid("source/encoding", format!("{path} is UTF-16, not UTF-8"));
        return Err(finding.at(Location::file(path)).hint("save it as UTF-8"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let span = place_after(&String::from_utf8_lossy(good));
        let finding = Finding::invalid("source/encoding", format!("{path} is not UTF-8"));
        finding.at(Location::new(path, span)).hint("save it as UTF-8")
    })?;
    let text = text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text);
    let text = if text.contains('\r') { text.replace("\r\n", "\n") } else { text };
    let odd = |character: char| {
        (character.is_control() && !matches!(character, '\n' | '\t'))
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{E000}'..='\u{F8FF}')
            || is_bidi_control(character)
    };
    if let Some(at) = text.find(odd) {
        let code = text[at..].chars().next().map_or(0, u32::from);
        let span = place_after(&text[..at]);
        let finding =
            Finding::invalid("source/control", format!("the character U+{code:04X} does not belong into a text file"));
        return Err(finding.at(Location::new(path, span)).hint("remove it; it hides what a reader sees"));
    }
    Ok(text)
}

/// Characters that reorder the text around them: they can make a reviewer read what is not there.
fn is_bidi_control(character: char) -> bool {
    matches!(character, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn place_after(text: &str) -> Span {
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    Span { line: u32::try_from(line).unwrap_or(u32::MAX), column: u32::try_from(column).unwrap_or(u32::MAX), length: 1 }
}

fn unreadable(path: &str, error: &std::io::Error) -> Finding {
    let message = format!("cannot read {path}: {error}");
    Finding::error("source/unreadable", crate::finding::Class::Incomplete, message)
        .at(Location::file(path))
        .hint("a file that cannot be read is not taken for absent; mend its permissions or remove it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tenants")).unwrap();
        fs::write(folder.path().join("install.yaml"), "a: 1\n").unwrap();
        folder
    }

    fn rules(source: &Source) -> Vec<&str> {
        source.findings.iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn forgives_marks_and_line_ends_and_nothing_else() {
        assert_eq!(decode("f", b"\xEF\xBB\xBFa: 1\r\nb: 2\r\n".to_vec()).unwrap(), "a: 1\nb: 2\n");
        for (bytes, rule) in [
            (&b"a: \xFF"[..], "source/encoding"),
            (b"\xFF\xFEa\0", "source/encoding"),
            (b"a: \x07", "source/control"),
            (b"a\rb", "source/control"),
            ("a: \u{202E}b".as_bytes(), "source/control"),
            ("a: \u{E000}b".as_bytes(), "source/control"),
        ] {
            assert_eq!(decode("f", bytes.to_vec()).unwrap_err().rule, rule, "{bytes:?}");
        }
        let found = decode("f", b"ab\nc\xFF".to_vec()).unwrap_err().location.unwrap();
        assert_eq!((found.line, found.column), (2, 2));
        assert_eq!(decode("f", vec![b'a'; MAX_FILE_BYTES as usize + 1]).unwrap_err().rule, "source/size");
    }

    #[test]
    fn links_may_not_leave_the_fleet() {
        let folder = fleet();
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("tenants/evil.yaml")).unwrap();
        std::os::unix::fs::symlink("../install.yaml", folder.path().join("tenants/fine.yaml")).unwrap();
        let source = load(folder.path()).unwrap();
        assert_eq!(rules(&source), ["source/outside"]);
        assert!(source.files.contains_key("tenants/fine.yaml"));
    }

    #[test]
    fn what_is_no_tenant_file_is_named() {
        let folder = fleet();
        fs::write(folder.path().join("tenants/a.yml"), "").unwrap();
        fs::create_dir(folder.path().join("tenants/sub")).unwrap();
        fs::write(folder.path().join("tenants/.a.yaml.swp"), "").unwrap();
        assert_eq!(rules(&load(folder.path()).unwrap()), ["source/name", "source/folder"]);
    }

    #[test]
    fn a_folder_without_install_is_no_fleet() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(load(folder.path()).unwrap_err().exit_code(), 3);
        assert_eq!(load(Path::new("/nowhere/at/all")).unwrap_err().exit_code(), 5);
    }
}
