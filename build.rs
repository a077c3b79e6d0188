//! Puts the commit that the program is built from into its version.

use std::process::Command;

fn main() {
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    // A build without the repository at hand, as of an image, is told the commit.
    let told = std::env::var("TENANTRY_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit =
        commit.ok().filter(|output| output.status.success()).and_then(|output| String::from_utf8(output.stdout).ok());
    let commit = told.map(|commit| commit.chars().take(12).collect()).or(commit);
    let full = match commit {
        Some(commit) => format!("{version} ({})", commit.trim()),
        None => format!("{version} (not built from a commit)"),
    };
    println!("cargo:rustc-env=TENANTRY_VERSION={full}");
    println!("cargo:rerun-if-env-changed=TENANTRY_COMMIT");
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/logs/HEAD");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=templates");
}
