//! The steps of one tenant's way: its file parsed, decided, rendered, and written as text.
//!
//! `cargo bench --bench micro`

#![allow(clippy::unwrap_used, missing_docs)] // A bench may stop at the first fault.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use tenantry::config::{self, Kind, Tenant};
use tenantry::manifest::Digest;
use tenantry::memo::Memo;
use tenantry::plan::{self, Silent};
use tenantry::render::{self, Before, Job, Made, Templates};
use tenantry::source;

const TENANT: &str = "borealis";

fn micro(criterion: &mut Criterion) {
    let source = source::load(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let file = config::tenant_file(TENANT);
    let text = source.text(&file).unwrap();
    criterion.bench_function("parse a tenant file", |bench| {
        bench.iter(|| config::read::<Tenant>(&file, black_box(text), Kind::Tenant).unwrap());
    });

    let (fleet, _) = config::parse(&source);
    let fleet = fleet.unwrap();
    let (plan, _) = plan::plan(&fleet, &source);
    let plan = plan.unwrap();
    let cluster = &plan.clusters[0];
    let tenant = &fleet.tenants[TENANT];
    criterion.bench_function("plan a tenant", |bench| {
        bench.iter(|| plan::resolve(&fleet, cluster.cluster, cluster.system_version, black_box(tenant), &mut Silent));
    });

    let templates = Templates::load([]).unwrap();
    let jobs = render::jobs(&plan, "0");
    let job = jobs.iter().find(|job| job.tenant == Some(TENANT)).unwrap();
    let memo = Memo::default();
    let before = |recorded| Before { recorded, memo: &memo, rest: Digest::of(b"") };
    let unit = |job: &Job<'_>| match job.make(&templates, before(None)).unwrap() {
        Made::Rendered(unit) => unit,
        Made::Kept(_) => unreachable!("nothing is recorded"),
    };
    criterion.bench_function("render a tenant", |bench| bench.iter(|| unit(black_box(job))));
    let rendered = unit(job);
    criterion.bench_function("write a tenant", |bench| bench.iter(|| black_box(&rendered).finish()));
    criterion.bench_function("keep a tenant", |bench| {
        bench.iter(|| job.make(&templates, before(Some(black_box(rendered.inputs)))).unwrap());
    });
}

criterion_group!(benches, micro);
criterion_main!(benches);
