//! The charts in the fleet's folder against the record of what they vendor. A fleet without charts has nothing to check.

use super::{Input, Outcome};
use crate::vendored;

pub(super) fn check(input: &Input<'_>) -> Outcome {
    Outcome::Ran(vendored::verify(&input.source.charts))
}
