//! A rule as text for a terminal and as a page, and the index of all.

use std::fmt::Write as _;

use super::{Rule, families};

/// Longest line of text for a terminal, in characters.
const WIDTH: usize = 100;

/// Where the page of a rule lies, below `docs/`.
pub fn path(rule: &Rule) -> String {
    format!("rules/{}.md", rule.id)
}

/// The exit code of a run that ends with an error of this rule.
fn exit(rule: &Rule) -> &'static str {
    match rule.class.as_str() {
        "invalid" => "3",
        "guard" => "4",
        "incomplete" => "6",
        _ if rule.severity.contains("error") => "1",
        _ => "none",
    }
}

/// The rule for a terminal.
pub fn text(rule: &Rule) -> String {
    let mut out = format!("{}: {}\n", rule.id, rule.title);
    let _ = writeln!(out, "class {}, severity {}, exit code {}", rule.class, rule.severity, exit(rule));
    for (title, body) in [("What", &rule.what), ("Why", &rule.why), ("How to fix", &rule.fix)] {
        let _ = write!(out, "\n{title}\n{}", wrapped(body, "  "));
    }
    let _ = writeln!(out, "\nExample\n  {}", rule.example.trim_end());
    let _ = write!(out, "\nExemptions\n{}", wrapped(&exemptions(rule), "  "));
    out
}

/// The rule as a page of the documentation.
pub fn page(rule: &Rule) -> String {
    let up = "../".repeat(rule.id.matches('/').count() + 1);
    let body = markdown(rule);
    format!("{body}\n`tenantry explain {}` prints this page. [All rules]({up}reference/rules.md)\n", rule.id)
}

/// The rule as Markdown without links.
pub fn markdown(rule: &Rule) -> String {
    let Rule { id, class, severity, title, what, why, fix, example, never_exempt: _ } = rule;
    let code = exit(rule);
    let mut out = format!("# {id}: {title}\n\n| class | severity | exit code |\n| --- | --- | --- |\n");
    let _ = write!(out, "| {class} | {severity} | {code} |\n\n");
    for (title, body) in [("What", what), ("Why", why), ("How to fix", fix)] {
        let _ = write!(out, "## {title}\n\n{}\n", wrapped(body, ""));
    }
    let _ = write!(out, "## Example\n\n```text\n{}\n```\n\n", example.trim_end());
    let _ = write!(out, "## Exemptions\n\n{}", wrapped(&exemptions(rule), ""));
    out
}

/// Whether its findings can be exempted, and where.
fn exemptions(rule: &Rule) -> String {
    match (rule.never(), rule.id.starts_with("drift/")) {
        (Some(why), _) => format!("Never: {why}."),
        (None, true) => "In `clusters/<cluster>/exemptions.yaml` of the output repository.".to_owned(),
        (None, false) => "In `policies/exemptions.yaml`, for a time, by object or file.".to_owned(),
    }
}

/// The table of all rules.
pub fn index() -> String {
    let mut out = String::from(
        "# Rules\n\nEvery finding names one of these. `tenantry explain RULE` prints its page: what, why, how to fix.\n",
    );
    for (title, rules) in families() {
        let _ = write!(out, "\n## {title}\n\n| rule | class | severity | means |\n| --- | --- | --- | --- |\n");
        for rule in rules {
            let Rule { id, class, severity, title, .. } = &rule;
            let _ = writeln!(out, "| [`{id}`](../{}) | {class} | {severity} | {title} |", path(&rule));
        }
    }
    out
}

/// The text, broken at spaces.
fn wrapped(text: &str, indent: &str) -> String {
    let mut out = String::new();
    let mut line = String::from(indent);
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.trim() != "" {
            let _ = writeln!(out, "{}", line.trim_end());
            line = indent.to_owned();
        }
        line.push_str(word);
        line.push(' ');
    }
    let _ = writeln!(out, "{}", line.trim_end());
    out
}
