//! A fleet that is rendered in memory, and lines of figures.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use tenantry::check::{Input, Kept};
use tenantry::memo::Memo;
use tenantry::render::{self, RenderedUnit, Templates};
use tenantry::source::Source;
use tenantry::{config, plan};

/// Renders every unit of a fleet and hands them over, with the time that it took.
pub fn with_rendered<T>(source: &Source, then: impl FnOnce(&Input<'_>, Duration) -> T) -> T {
    let (fleet, findings) = config::parse(source);
    let fleet = fleet.unwrap_or_else(|| panic!("{findings:#?}"));
    let (plan, findings) = plan::plan(&fleet, source);
    let plan = plan.unwrap_or_else(|| panic!("{:#?}", &findings[..findings.len().min(5)]));
    let templates = Templates::load([]).unwrap();
    let jobs = render::jobs(&plan, "0");
    let start = Instant::now();
    let units: Vec<RenderedUnit> = jobs.par_iter().map(|job| job.part(&templates, |_| true).unwrap()).collect();
    let bytes: usize = units.par_iter().map(|unit| unit.finish().files.values().map(Vec::len).sum::<usize>()).sum();
    let rendered = start.elapsed();
    println!("{} MB of manifests", bytes / 1_000_000);
    let (units, kept, settled, memo) = (Arc::new(units), Kept::default(), BTreeSet::new(), Memo::default());
    let input = Input { source, plan: &plan, units: &units, kept: &kept, settled: &settled, memo: &memo };
    then(&input, rendered)
}

/// A line, with its ratio to another.
pub fn row(name: &str, time: Duration, against: Option<(Duration, &str)>) {
    let ratio = against.map(|(base, word)| format!("{:9.3} x {word}", time.as_secs_f64() / base.as_secs_f64()));
    println!("{name:<58} {:8.3} s  {}", time.as_secs_f64(), ratio.unwrap_or_default());
}

/// Peak memory of the process so far, in MiB.
pub fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}
