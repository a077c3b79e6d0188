//! Every command line of the documentation is run, in a scratch copy of this repository's fleet.
//!
//! In a `console` block each line that begins with `$ ` is one; `# exit N` behind it says that it ends with N.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by its panic")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn every_command_line_of_the_documentation_runs() {
    let pages = pages();
    assert!(pages.len() > 8, "{pages:?}");
    let mut lines = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let commands = commands(&text);
        lines += commands.len();
        run(&page, &commands);
    }
    assert!(lines > 12, "only {lines} command lines were found");
}

fn pages() -> Vec<PathBuf> {
    let mut pages = vec![Path::new(ROOT).join("README.md")];
    let mut folders = vec![Path::new(ROOT).join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

struct Line {
    number: usize,
    command: String,
    exit: i32,
}

fn commands(text: &str) -> Vec<Line> {
    let mut inside = false;
    let mut commands = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match line.trim() {
            "```console" => inside = true,
            "```" => inside = false,
            line if inside => {
                let Some(command) = line.strip_prefix("$ ") else { continue };
                let (command, comment) = command.split_once(" # ").unwrap_or((command, ""));
                let digits = comment.trim().strip_prefix("exit ").unwrap_or("0");
                let exit = digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
                let command = command.trim().replace("cargo run --release -- ", "tenantry ");
                // This very test cannot run itself, and benchmarks take minutes.
                if !command.starts_with("cargo ") {
                    commands.push(Line { number: index + 1, command, exit });
                }
            }
            _ => {}
        }
    }
    commands
}

fn run(page: &Path, commands: &[Line]) {
    if commands.is_empty() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    copy(Path::new(ROOT), scratch.path(), &["install.yaml", "compatibility.yaml", "tenants", "policies", "charts"]);
    // A fleet lives in a repository.
    let commit =
        "git init -q -b main && git add --all && git -c user.name=docs -c user.email=docs@localhost commit -qm fleet";
    let made = Command::new("bash").args(["-c", commit]).current_dir(scratch.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut script = String::from("set -u\n");
    for line in commands {
        let Line { number, command, exit } = line;
        writeln!(script, "{command}\ncode=$?\n[ $code = {exit} ] || {{ echo \"line {number} ended with $code, not {exit}\" >&2; exit 99; }}").unwrap();
    }
    let program = Path::new(env!("CARGO_BIN_EXE_tenantry")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output =
        Command::new("bash").args(["-c", &script]).current_dir(scratch.path()).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{}\n{}", page.display(), String::from_utf8_lossy(&output.stderr));
}

fn copy(from: &Path, to: &Path, names: &[&str]) {
    for name in names {
        let (source, target) = (from.join(name), to.join(name));
        if source.is_dir() {
            fs::create_dir_all(&target).unwrap();
            let inner: Vec<String> =
                fs::read_dir(&source).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            copy(&source, &target, &inner.iter().map(String::as_str).collect::<Vec<_>>());
        } else {
            fs::copy(source, target).unwrap();
        }
    }
}
