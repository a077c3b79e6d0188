//! JSON, CSV and Markdown.

use serde::Serialize;

/// Pretty JSON with a final newline.
pub(crate) fn json(value: impl Serialize) -> String {
    // Plain structures of strings and numbers cannot fail to serialise.
    serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"
}

pub(crate) fn csv<'r, const N: usize>(header: &[&str; N], rows: impl Iterator<Item = [&'r String; N]>) -> String {
    let mut text = line(header.iter().map(|field| (*field).to_owned()));
    for row in rows {
        text += &line(row.iter().map(|field| (*field).clone()));
    }
    text
}

fn line(fields: impl Iterator<Item = String>) -> String {
    let quoted: Vec<String> = fields
        .map(|field| {
            let needs_quotes = field.contains([',', '"', '\n']);
            if needs_quotes { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
        })
        .collect();
    quoted.join(",") + "\n"
}

pub(crate) fn markdown<'r, const N: usize>(header: &[&str; N], rows: impl Iterator<Item = [&'r String; N]>) -> String {
    let rule: Vec<String> = header.iter().map(|field| "-".repeat(field.len() + 2)).collect();
    let mut text = format!("| {} |\n|{}|\n", header.join(" | "), rule.join("|"));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|field| field.replace('|', "\\|")).collect();
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}
