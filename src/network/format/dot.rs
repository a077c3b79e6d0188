//! Graphs for Graphviz: one cluster a namespace, one edge a pair.

use std::collections::{BTreeMap, BTreeSet};

use super::super::connections::Connection;
use super::super::diff::{Change, ChangeKind};
use super::namespace_of;

struct Edge<'e> {
    from: &'e str,
    to: &'e str,
    label: String,
    color: &'static str,
    font: &'static str,
}

pub(crate) fn connections(list: &[Connection]) -> String {
    let edges = list.iter().map(|one| Edge {
        from: &one.src,
        to: &one.dst,
        label: one.conn.clone(),
        color: "gold2",
        font: "darkgreen",
    });
    graph(&edges.collect::<Vec<_>>())
}

pub(crate) fn changes(list: &[Change], before: &str) -> String {
    let edges = list.iter().map(|one| {
        let (label, color) = match one.kind {
            ChangeKind::Added => (one.after.clone(), "#008000"),
            ChangeKind::Removed => (one.before.clone(), "red2"),
            ChangeKind::Changed => (format!("{} ({before}: {})", one.after, one.before), "magenta"),
        };
        Edge { from: &one.source, to: &one.destination, label, color, font: color }
    });
    graph(&edges.collect::<Vec<_>>())
}

fn graph(edges: &[Edge<'_>]) -> String {
    let nodes: BTreeSet<&str> = edges.iter().flat_map(|edge| [edge.from, edge.to]).collect();
    let mut clusters: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    let mut outside = Vec::new();
    for node in nodes {
        match namespace_of(node) {
            Some((namespace, name)) => clusters.entry(namespace).or_default().push((node, name)),
            None => outside.push(node),
        }
    }
    let mut text = "digraph {\n".to_owned();
    for (namespace, members) in clusters {
        // Identifiers of Graphviz have no hyphens.
        text += &format!("\tsubgraph cluster_{} {{\n", namespace.replace('-', "_"));
        for (node, name) in members {
            text += &format!("\t\t{} [label={} color=\"blue\" fontcolor=\"blue\"]\n", quote(node), quote(name));
        }
        text += &format!("\t\tlabel={}\n\t}}\n", quote(namespace));
    }
    for node in outside {
        text += &format!("\t{} [label={} color=\"red2\" fontcolor=\"red2\"]\n", quote(node), quote(node));
    }
    for edge in edges {
        let (from, to, label) = (quote(edge.from), quote(edge.to), quote(&edge.label));
        text += &format!("\t{from} -> {to} [label={label} color=\"{}\" fontcolor=\"{}\"]\n", edge.color, edge.font);
    }
    text + "}\n"
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
