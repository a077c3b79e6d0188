//! Pictures of lists: sources on the left, destinations on the right, one arrow a pair.
//!
//! The two columns make every arrow go one way, so that pictures of dozens of pairs can be read without a layout engine.

use std::collections::{BTreeMap, BTreeSet};

use super::super::connections::Connection;
use super::super::diff::{Change, ChangeKind};
use super::namespace_of;

struct Arrow<'a> {
    from: &'a str,
    to: &'a str,
    label: String,
    color: &'static str,
}

/// Sizes in SVG user units.
const ROW: usize = 26;
const BOX: usize = 330;
const GAP: usize = 420;
const MARGIN: usize = 20;

pub(crate) fn connections(list: &[Connection]) -> String {
    let arrows =
        list.iter().map(|one| Arrow { from: &one.src, to: &one.dst, label: one.conn.clone(), color: "#2563a8" });
    draw(&arrows.collect::<Vec<_>>())
}

pub(crate) fn changes(list: &[Change], before: &str) -> String {
    let arrows = list.iter().map(|one| {
        let (label, color) = match one.kind {
            ChangeKind::Added => (one.after.clone(), "#15803d"),
            ChangeKind::Removed => (one.before.clone(), "#b91c1c"),
            ChangeKind::Changed => (format!("{} ({before}: {})", one.after, one.before), "#a21caf"),
        };
        Arrow { from: &one.source, to: &one.destination, label, color }
    });
    draw(&arrows.collect::<Vec<_>>())
}

fn draw(arrows: &[Arrow<'_>]) -> String {
    let left = column(arrows.iter().map(|arrow| arrow.from));
    let right = column(arrows.iter().map(|arrow| arrow.to));
    let rows = left.height.max(right.height).max(1);
    let (width, height) = (2 * MARGIN + 2 * BOX + GAP, 2 * MARGIN + rows * ROW);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <defs><marker id=\"head\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" refY=\"3\" orient=\"auto\">\
         <path d=\"M0,0 L7,3 L0,6 z\" fill=\"context-stroke\"/></marker></defs>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    text += &left.boxes(MARGIN);
    text += &right.boxes(MARGIN + BOX + GAP);
    for (number, arrow) in arrows.iter().enumerate() {
        let (from, to) = (left.middle(arrow.from), right.middle(arrow.to));
        text += &curve(arrow, from, to, number);
    }
    text + "</svg>\n"
}

struct Column {
    /// The row of each name, and of the heading of each namespace.
    rows: BTreeMap<String, usize>,
    headings: Vec<(String, usize)>,
    height: usize,
}

/// Names by namespace, the outside first.
fn column<'n>(names: impl Iterator<Item = &'n str>) -> Column {
    let names: BTreeSet<(Option<&str>, &str)> =
        names.map(|name| (namespace_of(name).map(|(namespace, _)| namespace), name)).collect();
    let (mut rows, mut headings, mut height, mut open) = (BTreeMap::new(), Vec::new(), 0, None);
    for (namespace, name) in names {
        if open != Some(namespace) {
            headings.push((namespace.unwrap_or("outside").to_owned(), height));
            (height, open) = (height + 1, Some(namespace));
        }
        rows.insert(name.to_owned(), height);
        height += 1;
    }
    Column { rows, headings, height }
}

impl Column {
    fn boxes(&self, x: usize) -> String {
        let mut text = String::new();
        for (heading, row) in &self.headings {
            let y = MARGIN + row * ROW + 18;
            text += &format!(
                "<text x=\"{x}\" y=\"{y}\" font-weight=\"bold\" fill=\"#334155\">{}</text>\n",
                escape(heading)
            );
        }
        for (name, row) in &self.rows {
            let y = MARGIN + row * ROW + 2;
            let short = namespace_of(name).map_or(name.as_str(), |(_, short)| short);
            text += &format!(
                "<g><rect x=\"{x}\" y=\"{y}\" width=\"{BOX}\" height=\"{}\" rx=\"4\" fill=\"#eef4fb\" stroke=\"#94a3b8\"/>\
                 <text x=\"{}\" y=\"{}\">{}</text></g>\n",
                ROW - 4,
                x + 8,
                y + 15,
                escape(short)
            );
        }
        text
    }

    fn middle(&self, name: &str) -> usize {
        MARGIN + self.rows.get(name).copied().unwrap_or_default() * ROW + ROW / 2
    }
}

/// An arrow with its label on it; labels of neighbouring arrows are staggered so that they do not cover each other.
fn curve(arrow: &Arrow<'_>, from: usize, to: usize, number: usize) -> String {
    let (x0, x1) = (MARGIN + BOX, MARGIN + BOX + GAP);
    let (third, color) = (GAP / 3, arrow.color);
    let share = 2 + number % 5;
    let x = x0 + GAP * share / 8;
    let y = (from * (8 - share) + to * share) / 8;
    format!(
        "<g><path d=\"M{x0},{from} C{},{from} {},{to} {x1},{to}\" fill=\"none\" stroke=\"{color}\" marker-end=\"url(#head)\"/>\
         <text x=\"{x}\" y=\"{}\" font-size=\"10\" text-anchor=\"middle\" fill=\"{color}\" stroke=\"#ffffff\" stroke-width=\"3\" \
         paint-order=\"stroke\">{}</text></g>\n",
        x0 + third,
        x1 - third,
        y.saturating_sub(3),
        escape(&arrow.label)
    )
}

/// Text that may stand in an SVG document.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
