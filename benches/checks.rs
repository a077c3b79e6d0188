//! Each check over a generated fleet, one after another, against the fleet's cold render; and their growth. Every ratio is
//! of one run.
//!
//! `cargo bench --bench checks -- [--tenants N]`

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, missing_docs)] // A bench is read by people.

use tenantry::check::{CHECKS, Outcome};
use tenantry::source::Source;

use rendered::{Spent, row, tenants, with_rendered};

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/rendered.rs"]
mod rendered;

fn main() {
    let many = tenants();
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
