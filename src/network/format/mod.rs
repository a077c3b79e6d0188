//! Lists of connections and their differences as text.
//!
//! Text, JSON, CSV, Markdown and DOT have the forms of np-guard's netpol-analyzer, so that results can be compared.

mod dot;
mod svg;
mod table;

use super::connections::Connection;
use super::diff::Change;
pub(crate) use svg::escape;

/// How a list is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Format {
    /// `src => dst : conn`, one line each.
    Text,
    /// A JSON array.
    Json,
    /// Comma-separated values with a header (RFC 4180, with `\n`).
    Csv,
    /// A Markdown table.
    Markdown,
    /// A graph for Graphviz.
    Dot,
    /// A picture.
    Svg,
}

impl Format {
    /// Every format, by the name on the command line.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("text", Self::Text),
        ("json", Self::Json),
        ("csv", Self::Csv),
        ("markdown", Self::Markdown),
        ("dot", Self::Dot),
        ("svg", Self::Svg),
    ];

    /// The format of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(own, _)| *own == name).map(|(_, format)| format)
    }
}

/// Writes a list of connections.
#[must_use]
pub fn connections(list: &[Connection], format: Format) -> String {
    match format {
        Format::Text => list.iter().map(|one| format!("{} => {} : {}\n", one.src, one.dst, one.conn)).collect(),
        Format::Json => table::json(list),
        Format::Csv => table::csv(&["src", "dst", "conn"], list.iter().map(|one| [&one.src, &one.dst, &one.conn])),
        Format::Markdown => {
            table::markdown(&["src", "dst", "conn"], list.iter().map(|one| [&one.src, &one.dst, &one.conn]))
        }
        Format::Dot => dot::connections(list),
        Format::Svg => svg::connections(list),
    }
}

/// Writes the difference of two lists; `before` and `after` are what the sets are called.
#[must_use]
pub fn changes(list: &[Change], format: Format, before: &str, after: &str) -> String {
    let header = ["diff-type", "source", "destination", before, after];
    let kinds: Vec<String> = list.iter().map(|one| one.kind.name().to_owned()).collect();
    let rows =
        list.iter().zip(&kinds).map(|(one, kind)| [kind, &one.source, &one.destination, &one.before, &one.after]);
    match format {
        Format::Text if list.is_empty() => String::new(),
        Format::Text => rows.fold("Connectivity diff:\n".to_owned(), |text, [kind, source, destination, old, new]| {
            text + &format!(
                "diff-type: {kind}, source: {source}, destination: {destination}, {before}: {old}, {after}: {new}\n"
            )
        }),
        Format::Json => table::json(list),
        Format::Csv => table::csv(&header, rows),
        Format::Markdown => table::markdown(&header, rows),
        Format::Dot => dot::changes(list, before),
        Format::Svg => svg::changes(list, before),
    }
}

/// The namespace and the rest of a listed name; none for addresses, entities and DNS names.
fn namespace_of(name: &str) -> Option<(&str, &str)> {
    name.split_once('/')
}

#[cfg(test)]
mod tests {
    use super::super::diff::{ChangeKind, diff};
    use super::super::ports::{PortSet, Protocol};
    use super::*;

    fn list() -> Vec<Connection> {
        let one = |src: &str, dst: &str, flow: PortSet| Connection {
            src: src.to_owned(),
            dst: dst.to_owned(),
            conn: flow.to_string(),
            flow,
        };
        let web = PortSet::one(Protocol::Tcp, 80).union(&PortSet::one(Protocol::Tcp, 443));
        vec![
            one("0.0.0.0-255.255.255.255", "default/frontend[Deployment]", PortSet::one(Protocol::Tcp, 8080)),
            one("default/frontend[Deployment]", "default/backend[Deployment]", web),
        ]
    }

    #[test]
    fn the_forms_of_np_guard() {
        assert_eq!(
            connections(&list(), Format::Text),
            "0.0.0.0-255.255.255.255 => default/frontend[Deployment] : TCP 8080\n\
             default/frontend[Deployment] => default/backend[Deployment] : TCP 80,443\n"
        );
        assert_eq!(
            connections(&list(), Format::Csv),
            "src,dst,conn\n\
             0.0.0.0-255.255.255.255,default/frontend[Deployment],TCP 8080\n\
             default/frontend[Deployment],default/backend[Deployment],\"TCP 80,443\"\n"
        );
        assert_eq!(
            connections(&list(), Format::Markdown),
            "| src | dst | conn |\n|-----|-----|------|\n\
             | 0.0.0.0-255.255.255.255 | default/frontend[Deployment] | TCP 8080 |\n\
             | default/frontend[Deployment] | default/backend[Deployment] | TCP 80,443 |\n"
        );
        let json: serde_json::Value = serde_json::from_str(&connections(&list(), Format::Json)).unwrap();
        assert_eq!(
            json[1],
            serde_json::json!({"src": "default/frontend[Deployment]", "dst": "default/backend[Deployment]", "conn": "TCP 80,443"})
        );
        let dot = connections(&list(), Format::Dot);
        assert!(dot.starts_with("digraph {\n\tsubgraph cluster_default {\n"), "{dot}");
        assert!(dot.contains("\t\"0.0.0.0-255.255.255.255\" -> \"default/frontend[Deployment]\" [label=\"TCP 8080\""));
    }

    #[test]
    fn an_empty_list_is_a_valid_document_in_every_format() {
        assert_eq!(connections(&[], Format::Text), "");
        assert_eq!(connections(&[], Format::Json), "[]\n");
        assert_eq!(connections(&[], Format::Csv), "src,dst,conn\n");
        assert_eq!(connections(&[], Format::Dot), "digraph {\n}\n");
        assert!(connections(&[], Format::Svg).ends_with("</svg>\n"));
    }

    #[test]
    fn differences() {
        let found = diff(&list()[..1], &list()[1..]);
        assert_eq!(found[0].kind, ChangeKind::Added);
        assert_eq!(
            changes(&found, Format::Text, "dir1", "dir2"),
            "Connectivity diff:\n\
             diff-type: added, source: default/frontend[Deployment], destination: default/backend[Deployment], dir1: No Connections, dir2: TCP 80,443\n\
             diff-type: removed, source: 0.0.0.0-255.255.255.255, destination: default/frontend[Deployment], dir1: TCP 8080, dir2: No Connections\n"
        );
        assert!(
            changes(&found, Format::Csv, "dir1", "dir2").starts_with("diff-type,source,destination,dir1,dir2\nadded,")
        );
        assert!(changes(&found, Format::Json, "a", "b").contains("\"diffType\": \"added\""));
        assert_eq!(changes(&[], Format::Text, "a", "b"), "");
    }

    #[test]
    fn the_picture_is_well_formed_and_escapes_what_it_shows() {
        let mut list = list();
        list[1].src = "a<b&c/\"x\"[Pod]".to_owned();
        let svg = connections(&list, Format::Svg);
        assert!(svg.contains("a&lt;b&amp;c"), "{svg}");
        assert!(!svg.contains("a<b&c"));
        assert_eq!(svg.matches("<g").count(), svg.matches("</g>").count());
    }
}
