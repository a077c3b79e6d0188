//! `matches`, with every pattern compiled once: the crate's own function compiles it at every call, which takes a hundred
//! times longer than to look for it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use kube_cel::cel::extractors::This;
use kube_cel::cel::{ExecutionError, FunctionContext};
use regex::Regex;

/// Patterns that are remembered by a thread. Those of policies and schemas are fewer; one made of data may be new each
/// time, and must not fill the memory.
const REMEMBERED: usize = 1_024;

thread_local! {
    static PATTERNS: RefCell<HashMap<Arc<String>, Option<Regex>>> = RefCell::default();
}

/// Whether a text matches a pattern, anywhere in it.
pub(super) fn matches(
    context: &FunctionContext<'_, '_>,
    This(text): This<Arc<String>>,
    pattern: Arc<String>,
) -> Result<bool, ExecutionError> {
    let found = PATTERNS.with_borrow_mut(|patterns| {
        if let Some(known) = patterns.get(&pattern) {
            return known.as_ref().map(|known| known.is_match(&text));
        }
        if patterns.len() >= REMEMBERED {
            patterns.clear();
        }
        let known = patterns.entry(Arc::clone(&pattern)).or_insert_with(|| Regex::new(&pattern).ok());
        known.as_ref().map(|known| known.is_match(&text))
    });
    found.ok_or_else(|| context.error(format!("'{pattern}' is no regular expression")))
}
