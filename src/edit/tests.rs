//! Hand-picked edits first, then 600 generated files.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

#[track_caller]
fn edited(text: &str, changes: &[Change]) -> String {
    edit("tenants/acme.yaml", text, changes).unwrap()
}

const FILE: &str = "# head\napiVersion: tenantry.io/v1\nkind: Tenant\ntenant:\n    id: 'abc'   # the id\n    slug: \"acme\"\n\n    # moved last year\n    cluster: eu-1 # see there\nwazuhIngress:\n    edgePorts: { events: 1, enrollment: 2 }  # pair\n    customerCIDRs:\n    - 10.0.0.0/8   # office\n    - 11.0.0.0/8\n    tls: {}\nsecrets:\n";

#[test]
fn a_value_changes_and_its_quotes_and_comment_stay() {
    let text = edited(
        FILE,
        &[Change::set("tenant.slug", "blue"), Change::set("tenant.id", "x'y"), Change::set("tenant.cluster", "us-1")],
    );
    let expected = FILE.replace("\"acme\"", "\"blue\"").replace("'abc'", "'x''y'").replace("eu-1 #", "us-1 #");
    assert_eq!(text, expected);
    assert_eq!(edited(FILE, &[Change::set("tenant.slug", "acme"), Change::remove("llm.model")]), FILE);
}

#[test]
fn entries_are_added_in_their_place_and_style() {
    let text = edited(
        FILE,
        &[
            Change::set("lifecycle.state", "suspended"),
            Change::set("lifecycle.since", "2026-09-01"),
            Change::set("tenant.chartVersion", "1.0.1"),
            Change::set("wazuhIngress.edgePorts.more", Value::Int(3)),
            Change::set("wazuhIngress.tls.mode", "msspCa"),
            Change::set("secrets.llm", Value::map([("version", Value::Int(2)), ("rotated", "2026-09-01".into())])),
        ],
    );
    let expected = FILE
        .replace(
            "see there\n",
            "see there\n    chartVersion: 1.0.1\nlifecycle:\n    state: suspended\n    since: 2026-09-01\n",
        )
        .replace("enrollment: 2 }", "enrollment: 2, more: 3 }")
        .replace("tls: {}", "tls: { mode: msspCa }")
        .replace("secrets:\n", "secrets:\n    llm: { version: 2, rotated: 2026-09-01 }\n");
    assert_eq!(text, expected);
}

#[test]
fn entries_are_removed_with_their_lines_and_empty_sections_with_them() {
    let text = edited(FILE, &[Change::remove("tenant.cluster"), Change::remove("wazuhIngress.edgePorts.events")]);
    let expected = FILE.replace("    cluster: eu-1 # see there\n", "").replace("{ events: 1, ", "{ ");
    assert_eq!(text, expected);
    let one = "a: 1\nb:\n  c: # x\n    d: 1\n  # behind\ne: 2\n";
    assert_eq!(edited(one, &[Change::remove("b.c.d")]), "a: 1\n  # behind\ne: 2\n");
    assert_eq!(edited("a: 1\nb: 2", &[Change::remove("b")]), "a: 1");
    assert_eq!(edited("- a: 1\n  b: 2\n", &[Change::remove("0.a")]), "- b: 2\n");
}

#[test]
fn lists_change_item_by_item() {
    let list = |items: &[&str]| {
        Change::set("wazuhIngress.customerCIDRs", Value::Seq(items.iter().map(|item| (*item).into()).collect()))
    };
    let text = edited(FILE, &[list(&["10.0.0.0/8", "12.0.0.0/8", "11.0.0.0/8", "13.0.0.0/8"])]);
    let expected = FILE
        .replace("office\n", "office\n    - 12.0.0.0/8\n")
        .replace("11.0.0.0/8\n", "11.0.0.0/8\n    - 13.0.0.0/8\n");
    assert_eq!(text, expected);
    assert_eq!(edited(FILE, &[list(&["10.0.0.0/8"])]), FILE.replace("    - 11.0.0.0/8\n", ""));
    assert_eq!(
        edited("a: [x, y, z] # c\n", &[Change::set("a", Value::Seq(vec!["x".into(), "z".into()]))]),
        "a: [x, z] # c\n"
    );
    assert_eq!(
        edited("a: [ x ]\n", &[Change::set("a", Value::Seq(vec!["w".into(), "x".into(), "z".into()]))]),
        "a: [ w, x, z ]\n"
    );
}

#[test]
fn marks_line_ends_and_the_missing_last_one_stay() {
    let text = "\u{FEFF}a:\r\n  b: 1\nc: 2\r\nd: 3";
    assert_eq!(edited(text, &[Change::set("c", Value::Int(5))]), "\u{FEFF}a:\r\n  b: 1\nc: 5\r\nd: 3");
    assert_eq!(edited(text, &[Change::set("a.x", "v")]), "\u{FEFF}a:\r\n  b: 1\n  x: v\nc: 2\r\nd: 3");
    assert_eq!(edited(text, &[Change::set("e", "v")]), format!("{text}\r\ne: v"));
    let list = Value::Seq(vec![Value::map([("k", Value::Seq(vec!["z".into()]))])]);
    assert_eq!(edited(text, &[Change::set("a.b", list)]), text.replace("b: 1\n", "b:\n    - { k: [z] }\n"));
}

#[test]
fn anchors_that_are_touched_are_refused_with_their_line_and_others_kept() {
    let text = "a: &x { b: 1 }\nc: *x\nd: 1\ne:\n  f: &y 2\n  g: *y\n";
    for (change, line) in [
        (Change::set("a.b", Value::Int(2)), 1),
        (Change::set("c.b", Value::Int(2)), 2),
        (Change::set("c", Value::Int(2)), 2),
        (Change::remove("c"), 2),
        (Change::set("e.f", Value::Int(3)), 5),
        (Change::set("e", Value::Int(3)), 5),
    ] {
        let finding = edit("f.yaml", text, std::slice::from_ref(&change)).unwrap_err();
        assert_eq!((finding.rule, finding.location.unwrap().line), ("edit/refused", line), "{change:?}");
    }
    assert_eq!(
        edited(text, &[Change::set("d", Value::Int(2)), Change::set("e.h", "i")]),
        text.replace("d: 1", "d: 2").replace("g: *y\n", "g: *y\n  h: i\n")
    );
}

#[test]
fn a_path_through_a_single_value_is_refused_with_its_line() {
    let finding = edit("f.yaml", "a:\n  b: 1\n", &[Change::set("a.b.c", "x")]).unwrap_err();
    assert_eq!((finding.rule, finding.location.unwrap().line), ("edit/shape", 2));
    assert_eq!(edit("f.yaml", "a: [", &[]).map(|text| text.len()), Ok(4));
    assert_eq!(edit("f.yaml", "a: [", &[Change::set("b", "x")]).unwrap_err().rule, "config/syntax");
    assert_eq!(edit("f.yaml", "a: 1\n---\nb: 1\n", &[Change::set("b", "x")]).unwrap_err().rule, "config/documents");
}

/// A mapping as some person could have written it: any indentation, quotes, brackets, comments and blank lines.
#[derive(Debug, Clone)]
struct Written {
    entries: Vec<(String, Form)>,
    step: usize,
    crlf: bool,
    mark: bool,
    cut: bool,
}

#[derive(Debug, Clone)]
enum Form {
    Leaf(String, u8, bool),
    Flow(Vec<(String, String)>, bool),
    Items(Vec<String>, bool, bool),
    Nested(Vec<(String, Form)>, bool, bool),
    Block(Vec<String>),
    Nothing(bool),
}

impl Written {
    fn text(&self) -> String {
        let mut lines = vec!["# of a customer".to_owned()];
        write(&self.entries, 0, self.step, &mut lines);
        let mut text = lines.join("\n") + "\n";
        if self.cut && !text.ends_with("\n\n") {
            text.pop();
        }
        let text = if self.crlf { text.replace('\n', "\r\n") } else { text };
        if self.mark { format!("\u{FEFF}{text}") } else { text }
    }
}

fn write(entries: &[(String, Form)], indent: usize, step: usize, lines: &mut Vec<String>) {
    let pad = " ".repeat(indent);
    let remark = |wanted: bool| if wanted { "   # é said: { so }" } else { "" };
    for (key, form) in entries {
        match form {
            Form::Leaf(text, quotes, comment) => {
                let value = match quotes {
                    0 => text.clone(),
                    1 => format!("'{text}'"),
                    _ => format!("\"{text}\""),
                };
                lines.push(format!("{pad}{key}:  {value}{}", remark(*comment)));
            }
            Form::Flow(pairs, comma) => {
                let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                let comma = if *comma && !pairs.is_empty() { " ," } else { "" };
                lines.push(format!("{pad}{key}: {{{}{comma} }}  # pairs", pairs.join(" , ")));
            }
            Form::Items(items, deep, comment) => {
                lines.push(format!("{pad}{key}:{}", remark(*comment)));
                let pad = if *deep { " ".repeat(indent + step) } else { pad.clone() };
                for item in items {
                    lines.push(format!("{pad}-  {item}{}", remark(*comment)));
                }
            }
            Form::Nested(inner, blank, comment) => {
                lines.push(format!("{pad}{key}:{}", remark(*comment)));
                if *blank {
                    lines.push(String::new());
                    lines.push(format!("{pad}# what follows is nested"));
                }
                write(inner, indent + step, step, lines);
            }
            Form::Block(texts) => {
                lines.push(format!("{pad}{key}: |"));
                for text in texts {
                    lines.push(format!("{pad}{}{text}", " ".repeat(step)));
                }
                lines.push(String::new());
            }
            Form::Nothing(comment) => lines.push(format!("{pad}{key}:{}", remark(*comment))),
        }
    }
}

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9]{0,6}"
        .prop_filter("words that are no text", |word| !matches!(word.as_str(), "true" | "false" | "null"))
}

fn entries(forms: impl Strategy<Value = Form> + Clone + 'static) -> impl Strategy<Value = Vec<(String, Form)>> {
    prop::collection::btree_map(word(), forms, 1..5).prop_map(|map| map.into_iter().rev().collect())
}

fn form() -> impl Strategy<Value = Form> {
    let pairs = prop::collection::btree_map(word(), word(), 0..3).prop_map(|map| map.into_iter().collect());
    let leaf = prop_oneof![
        (word(), 0_u8..3, any::<bool>()).prop_map(|(text, quotes, comment)| Form::Leaf(text, quotes, comment)),
        (pairs, any::<bool>()).prop_map(|(pairs, comma)| Form::Flow(pairs, comma)),
        (prop::collection::vec(word(), 1..4), any::<bool>(), any::<bool>())
            .prop_map(|(items, deep, comment)| Form::Items(items, deep, comment)),
        prop::collection::vec(word(), 1..3).prop_map(Form::Block),
        any::<bool>().prop_map(Form::Nothing),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        (entries(inner), any::<bool>(), any::<bool>())
            .prop_map(|(inner, blank, comment)| Form::Nested(inner, blank, comment))
    })
}

/// Every path of a value with what is there.
fn paths(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Map(entries) => entries.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Seq(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in children {
        path.push(key);
        found.push(path.clone());
        paths(value, path, found);
        path.pop();
    }
}

/// Lines of both texts that the other has not, in order: what an edit touched.
fn touched(old: &str, new: &str) -> (Vec<String>, Vec<String>) {
    let diff = similar::TextDiff::from_lines(old, new);
    let of = |tag| {
        diff.iter_all_changes().filter(|change| change.tag() == tag).map(|change| change.value().to_owned()).collect()
    };
    (of(similar::ChangeTag::Delete), of(similar::ChangeTag::Insert))
}

#[test]
fn six_hundred_generated_files_change_only_where_they_must() {
    let written = (entries(form().boxed()), 1_usize..5, any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(entries, step, crlf, mark, cut)| Written { entries, step, crlf, mark, cut });
    let change = (any::<prop::sample::Index>(), 0_u8..5, word());
    let mut runner = TestRunner::new(Config { cases: 600, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(written, change), |(written, (index, what, word))| {
        let text = written.text();
        let old = value_of("t.yaml", &text).map_err(|finding| TestCaseError::fail(format!("{finding:?}\n{text}")))?;
        let mut all = Vec::new();
        paths(&old, &mut Vec::new(), &mut all);
        let mut path = index.get(&all).clone();
        let value = match what {
            0 => None,
            1 => Some(Value::from(word.as_str())),
            2 => Some(Value::map([
                ("one", word.as_str().into()),
                ("two", Value::Seq(vec![Value::map([("deep", Value::Int(1))])])),
            ])),
            3 => Some(Value::Seq(vec![word.as_str().into(), Value::Int(7)])),
            _ => {
                let section = old.at(&path.iter().map(String::as_str).collect::<Vec<_>>());
                if !matches!(section, Some(Value::Map(_) | Value::Null)) {
                    path.pop();
                }
                if path.last().is_some_and(|key| key.parse::<usize>().is_ok())
                    || !matches!(
                        old.at(&path.iter().map(String::as_str).collect::<Vec<_>>()),
                        Some(Value::Map(_) | Value::Null)
                    )
                {
                    return Ok(());
                }
                path.push("zzz".into());
                Some(Value::from(word.as_str()))
            }
        };
        let change = Change { path, value };
        let whole = change.value.is_none() && matches!(&old, Value::Map(entries) if entries.len() == 1);
        let new = match edit("t.yaml", &text, std::slice::from_ref(&change)) {
            Ok(new) => new,
            Err(finding) if whole => {
                prop_assert_eq!(finding.rule, "edit/unsafe");
                return Ok(());
            }
            Err(finding) => return Err(TestCaseError::fail(format!("{change:?}\n{finding:?}\n{text}"))),
        };
        let wanted = steps::with(&old, &change).unwrap();
        prop_assert_eq!(value_of("t.yaml", &new).unwrap().to_json(), wanted.to_json(), "{}\n{}", &text, &new);
        prop_assert_eq!(new.starts_with('\u{FEFF}'), written.mark);
        prop_assert!(!written.crlf || !new.replace("\r\n", "").contains('\n'), "{new:?}");
        prop_assert!(written.crlf || !new.contains('\r'));
        prop_assert!(!text.ends_with('\n') || new.ends_with('\n'), "{text:?}\n{new:?}");
        // Comments on lines of their own stay, but for those inside of a section that was replaced or removed.
        let (gone, come) = touched(&text, &new);
        if what == 4 {
            prop_assert!(gone.len() <= 1, "{gone:?}");
            prop_assert!(come.len() <= 2, "{come:?}");
        }
        let is_leaf = !matches!(
            old.at(&change.path.iter().map(String::as_str).collect::<Vec<_>>()),
            Some(Value::Map(_) | Value::Seq(_))
        );
        if what == 1 && is_leaf && !text.contains(": |") {
            prop_assert!(gone.len() <= 1 && come.len() == gone.len(), "{gone:?} {come:?}\n{text}");
            let comment = |lines: &[String]| lines.iter().any(|line| line.contains('#'));
            prop_assert_eq!(comment(&gone), comment(&come));
        }
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
}
