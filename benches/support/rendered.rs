//! A fleet that is rendered in memory, and lines of figures.

#![allow(dead_code, reason = "not every bench needs all of it")]

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
pub fn with_rendered<T>(source: &Source, then: impl FnOnce(&Input<'_>, Spent) -> T) -> T {
    let (fleet, findings) = config::parse(source);
    let fleet = fleet.unwrap_or_else(|| panic!("{findings:#?}"));
    let (plan, findings) = plan::plan(&fleet, source);
    let plan = plan.unwrap_or_else(|| panic!("{:#?}", &findings[..findings.len().min(5)]));
    let templates = Templates::load([]).unwrap();
    let jobs = render::jobs(&plan, "0");
    let (rendered, (units, bytes)) = Spent::of(|| {
        let units: Vec<RenderedUnit> = jobs.par_iter().map(|job| job.part(&templates, |_| true).unwrap()).collect();
        let size = |unit: &RenderedUnit| unit.finish().files.values().map(Vec::len).sum::<usize>();
        let bytes: usize = units.par_iter().map(size).sum();
        (units, bytes)
    });
    println!("{} MB of manifests", bytes / 1_000_000);
    let (units, kept, settled, memo) = (Arc::new(units), Kept::default(), BTreeSet::new(), Memo::default());
    let input = Input { source, plan: &plan, units: &units, kept: &kept, settled: &settled, memo: &memo };
    then(&input, rendered)
}

/// The program's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many tenants are wanted: `--tenants N`.
pub fn tenants() -> usize {
    let arguments: Vec<String> = std::env::args().collect();
    let given = arguments.iter().position(|found| found == "--tenants").and_then(|at| arguments.get(at + 1));
    given.map_or(10_000, |count| count.parse().expect("--tenants takes a number"))
}

/// What some work took. Ratios are of the processors' time: other work on the machine does not count in it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    time: Duration,
    processors: Duration,
}

impl Spent {
    /// Does some work.
    pub fn of<T>(work: impl FnOnce() -> T) -> (Self, T) {
        let (start, before) = (Instant::now(), processors());
        let done = work();
        (Self { time: start.elapsed(), processors: processors().saturating_sub(before) }, done)
    }
}

impl std::iter::Sum for Spent {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let add = |one: Self, other: Self| Self {
            time: one.time + other.time,
            processors: one.processors + other.processors,
        };
        all.fold(Self::default(), add)
    }
}

/// Time of all processors that the process had so far.
fn processors() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// A line, with its ratio to another.
pub fn row(name: &str, spent: Spent, against: Option<(Spent, &str)>) {
    let ratio = against
        .map(|(base, word)| format!("{:9.3} x {word}", spent.processors.as_secs_f64() / base.processors.as_secs_f64()));
    let (time, processors) = (spent.time.as_secs_f64(), spent.processors.as_secs_f64());
    println!("{name:<58} {time:8.3} s {processors:8.3} s of processors  {}", ratio.unwrap_or_default());
}

/// Peak memory of the process so far, in MiB.
pub fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}
