//! `.helmignore`: what of a chart's folder is no part of the chart, by Helm's own rules.

use glob::{MatchOptions, Pattern};

/// The rules of one `.helmignore`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    pattern: Pattern,
    /// Whether it is about the whole path and not the last part alone.
    whole: bool,
    /// Whether it is about folders only.
    folder: bool,
    /// Whether it names what stays.
    negated: bool,
}

/// Hidden files among the templates are never a part of a chart.
const ALWAYS: &str = "templates/.?*";

impl Ignore {
    /// Reads the rules.
    ///
    /// # Errors
    /// A pattern that Helm refuses as well.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.trim_start_matches('\u{FEFF}').lines().chain([ALWAYS]).map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        Ok(Self { rules: lines.map(rule).collect::<Result<_, _>>()? })
    }

    /// Whether a file, given by its path from the chart's folder, is left out: it or a folder that it lies in.
    pub fn ignores(&self, path: &str) -> bool {
        let folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        folders.map(|folder| (folder, true)).chain([(path, false)]).any(|(path, folder)| self.names(path, folder))
    }

    fn names(&self, path: &str, folder: bool) -> bool {
        for rule in &self.rules {
            let fits = rule.fits(path) && (folder || !rule.folder);
            if fits != rule.negated {
                return true;
            }
        }
        false
    }
}

impl Rule {
    fn fits(&self, path: &str) -> bool {
        let options =
            MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };
        let path = if self.whole { path } else { path.rsplit('/').next().unwrap_or(path) };
        self.pattern.matches_with(path, options)
    }
}

fn rule(line: &str) -> Result<Rule, String> {
    if line.contains("**") {
        return Err(format!("{line:?}: Helm knows no `**`"));
    }
    let (negated, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
    let (folder, line) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
    let whole = line.contains('/');
    // Go negates a class with `^`, the library with `!`.
    let pattern = line.strip_prefix('/').unwrap_or(line).replace("[^", "[!");
    let pattern = Pattern::new(&pattern).map_err(|error| format!("{line:?}: {error}"))?;
    Ok(Rule { pattern, whole, folder, negated })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_those_of_helm() {
        let ignore = Ignore::parse("# about\n.git/\n*.bak\n/top.txt\ndocs/*.md\na?c\n[^x]y\n").unwrap();
        for path in [".git/config", "a.bak", "templates/b.bak", "top.txt", "docs/a.md", "abc", "zy", "templates/.x"] {
            assert!(ignore.ignores(path), "{path}");
        }
        for path in ["in/top.txt", "docs/in/a.md", "xy", "git/config", "templates/x", "a/c", ".helmignore"] {
            assert!(!ignore.ignores(path), "{path}");
        }
        // What a negated rule does not name is left out: so does Helm.
        let only = Ignore::parse("!*.yaml\n").unwrap();
        assert!(only.ignores("a.txt") && !only.ignores("a.yaml"));
        assert!(Ignore::parse("a/**\n").is_err());
    }
}
