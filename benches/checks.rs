//! Each check over a generated fleet, one after another, against the fleet's cold render; and their growth. Every ratio is
//! of one run.
//!
//! `cargo bench --bench checks -- [--tenants N]`

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, missing_docs)] // A bench is read by people.

use tenantry::check::{CHECKS, Outcome};
use tenantry::source::Source;

use rendered::{Spent, row, with_rendered};

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/rendered.rs"]
mod rendered;

/// The program's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = arguments.iter().position(|found| found == "--tenants").and_then(|at| arguments.get(at + 1));
    let many: usize = given.map_or(10_000, |count| count.parse().expect("--tenants takes a number"));
    let few = measure(many / 10);
    let all = measure(many);
    row(&format!("growth of all checks, {} to {many} tenants", many / 10), all, Some((few, "the smaller")));
}

/// Runs every check over a fleet; returns what all of them took.
fn measure(tenants: usize) -> Spent {
    let source = Source::from_texts(fleet::files(tenants));
    with_rendered(&source, |input, rendered| {
        println!("-- {tenants} tenants");
        row("cold render", rendered, None);
        let time = |check: &tenantry::check::Check| {
            let (spent, outcome) = Spent::of(|| check.run(input));
            assert!(matches!(outcome, Outcome::Ran(_)), "{}: {outcome:?}", check.id);
            row(check.id, spent, Some((rendered, "the render")));
            spent
        };
        let all = CHECKS.iter().map(time).sum();
        row("all checks", all, Some((rendered, "the render")));
        all
    })
}
