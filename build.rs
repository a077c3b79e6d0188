//! Puts the commit that the program is built from into its version.

use std::process::Command;

fn main() {
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit =
        commit.ok().filter(|output| output.status.success()).and_then(|output| String::from_utf8(output.stdout).ok());
    let full = match commit {
        Some(commit) => format!("{version} ({})", commit.trim()),
        None => format!("{version} (not built from a commit)"),
    };
    println!("cargo:rustc-env=TENANTRY_VERSION={full}");
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/logs/HEAD");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=templates");
}
