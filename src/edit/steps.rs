//! From two values to the single steps that lead from one to the other.

use super::splice::{self, Step, Stop};
use super::{Change, Value};

/// The value with a change made.
///
/// # Errors
/// The path of a value that is in the way, since it has no fields.
pub(super) fn with(old: &Value, change: &Change) -> Result<Value, Vec<String>> {
    let mut value = old.clone();
    match &change.value {
        Some(new) => put(&mut value, &change.path, 0, new)?,
        None => drop(take(&mut value, &change.path)),
    }
    Ok(value)
}

fn put(value: &mut Value, path: &[String], depth: usize, new: &Value) -> Result<(), Vec<String>> {
    let Some(key) = path.get(depth) else {
        *value = new.clone();
        return Ok(());
    };
    if *value == Value::Null {
        *value = Value::Map(Vec::new());
    }
    match value {
        Value::Map(entries) => {
            if let Some((_, inner)) = entries.iter_mut().find(|(name, _)| name == key) {
                return put(inner, path, depth + 1, new);
            }
            let mut inner = Value::Null;
            put(&mut inner, path, depth + 1, new)?;
            entries.push((key.clone(), inner));
            Ok(())
        }
        Value::Seq(items) => match key.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
            Some(item) => put(item, path, depth + 1, new),
            None => Err(path[..depth].to_vec()),
        },
        _ => Err(path[..depth].to_vec()),
    }
}

/// Removes a value, and the sections that are empty then. Says whether the value itself is empty now.
fn take(value: &mut Value, path: &[String]) -> bool {
    let Some((key, rest)) = path.split_first() else { return true };
    match value {
        Value::Map(entries) => {
            let Some(at) = entries.iter().position(|(name, _)| name == key) else { return false };
            if take(&mut entries[at].1, rest) {
                entries.remove(at);
                return entries.is_empty();
            }
            false
        }
        Value::Seq(items) => {
            let Some(at) = key.parse::<usize>().ok().filter(|at| *at < items.len()) else { return false };
            if take(&mut items[at], rest) {
                items.remove(at);
                return items.is_empty();
            }
            false
        }
        _ => false,
    }
}

/// Makes the text of one value the text of the other, step by step.
pub(super) fn apply(text: &str, old: &Value, new: &Value) -> Result<String, Stop> {
    let mut steps = Vec::new();
    find(&mut Vec::new(), old, new, &mut steps);
    steps.iter().try_fold(text.to_owned(), |text, (path, step)| splice::make(&text, path, step))
}

/// A path and what is done there.
type Steps = Vec<(Vec<String>, Step)>;

fn find(path: &mut Vec<String>, old: &Value, new: &Value, steps: &mut Steps) {
    if old == new {
        return;
    }
    match (old, new) {
        (Value::Map(old), Value::Map(new)) if !new.is_empty() && !old.is_empty() => entries(path, old, new, steps),
        (Value::Seq(old), Value::Seq(new)) if !new.is_empty() && !old.is_empty() => items(path, old, new, steps),
        _ => steps.push((path.clone(), Step::Replace(new.clone()))),
    }
}

fn entries(path: &mut Vec<String>, old: &[(String, Value)], new: &[(String, Value)], steps: &mut Steps) {
    // Added first: a section that loses its last entry would be written anew.
    for (key, value) in new {
        match old.iter().find(|(name, _)| name == key) {
            Some((_, before)) => {
                path.push(key.clone());
                find(path, before, value, steps);
                path.pop();
            }
            None => steps.push((path.clone(), Step::Add(key.clone(), value.clone()))),
        }
    }
    for (key, _) in old.iter().filter(|(key, _)| !new.iter().any(|(name, _)| name == key)) {
        steps.push((path.clone(), Step::Drop(key.clone())));
    }
}

fn items(path: &mut Vec<String>, old: &[Value], new: &[Value], steps: &mut Steps) {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (gone, come) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let both = gone.len().min(come.len());
    for at in 0..both {
        path.push((head + at).to_string());
        find(path, &gone[at], &come[at], steps);
        path.pop();
    }
    for (at, value) in come.iter().enumerate().skip(both) {
        steps.push((path.clone(), Step::Insert(head + at, value.clone())));
    }
    for at in (both..gone.len()).rev() {
        steps.push((path.clone(), Step::Cut(head + at)));
    }
}
