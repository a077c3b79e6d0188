//! `tenantry` renders a fleet of MSSP tenants into Kubernetes manifests, proves them, commits them, and tells what
//! drifted. The way of the data, in reading order:
//!
//! ```text
//! source::load      files → Source
//! config::parse     Source → Fleet               | findings with file:line:column
//! plan::plan        Fleet → Plan                 every value decided, each with its origin
//! render::jobs      Plan → units                 canonical manifests
//! check::run        units → Verified | Report    the gate
//! output            Verified → a commit or a folder
//! cluster::check    a commit and an API server → ChangeSet   (drift compares; trace finds the deciding line)
//! ```
//!
//! `access`, `admission`, `blame`, `cel`, `config`, `diff`, `edit`, `exempt`, `memo`, `plan`, `render`, `check`, `report`, `rules`, `secrets`,
//! `manifest`, `network`, `drift`, `schemas`, `trace`, `vendored` and `yaml` are the core: they know no file system,
//! environment, clock or network. `source`, `history`, `output`, `charts`, `cluster` and `telemetry` are edges; `commands`
//! joins edges and core.

pub mod access;
pub mod admission;
pub mod blame;
pub mod cel;
pub mod charts;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod diff;
pub mod drift;
pub mod edit;
pub mod error;
pub mod exempt;
pub mod finding;
pub mod history;
pub mod manifest;
pub mod memo;
pub mod network;
pub mod output;
pub mod plan;
pub mod render;
pub mod report;
pub mod rules;
pub mod schemas;
pub mod secrets;
pub mod source;
pub mod telemetry;
pub mod trace;
pub mod vendored;
pub mod yaml;

/// Version of the program; part of every unit's inputs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
