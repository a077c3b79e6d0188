//! Whether the charts hold what was reviewed.

use super::{Chart, Files, RECORD, Record, Recorded, Subchart, charts, images, lock};
use crate::finding::{Class, Finding, Location};
use crate::manifest::Digest;

const REVIEW: &str = "restore the file, or review the change and record it with `tenantry charts verify --update`";

/// Everything in which the charts differ from their record, from their `Chart.lock` and from their own image lock.
pub fn verify(files: &Files) -> Vec<Finding> {
    let found = match charts(files) {
        Ok(found) => found,
        Err((path, reason)) => {
            let says = |line: &str| !line.trim().is_empty() && reason.starts_with(&format!("{:?}", line.trim()));
            let line = line_of(files.get(&path), says);
            return vec![
                refuse("charts/helmignore", &path, reason.clone()).at(Location { line, ..Location::file(path) }),
            ];
        }
    };
    let mut findings: Vec<Finding> = found.iter().flat_map(consistent).collect();
    match files.get(RECORD) {
        None if Record::of(&found).charts.is_empty() => {}
        None => findings.push(
            refuse("charts/record", RECORD, "there is no record of the vendored subcharts".into())
                .hint("write it with `tenantry charts verify --update`"),
        ),
        Some(bytes) => match Record::parse(&String::from_utf8_lossy(bytes)) {
            Ok(record) => compare(&found, &record, &mut findings),
            Err(reason) => findings.push(
                refuse("charts/record", RECORD, format!("{RECORD} is no record: {reason}"))
                    .hint("write it anew with `tenantry charts verify --update`"),
            ),
        },
    }
    findings.sort();
    findings
}

fn refuse(rule: &'static str, path: &str, message: String) -> Finding {
    Finding::error(rule, Class::Check, message).at(Location::file(path))
}

/// The first line of a file that says something; the first if none does.
fn line_of(file: Option<impl AsRef<[u8]>>, says: impl Fn(&str) -> bool) -> u32 {
    let text = file.map(|bytes| String::from_utf8_lossy(bytes.as_ref()).into_owned()).unwrap_or_default();
    text.lines().position(says).and_then(|at| u32::try_from(at + 1).ok()).unwrap_or(1)
}

fn compare(charts: &[Chart<'_>], record: &Record, findings: &mut Vec<Finding>) {
    let now = Record::of(charts);
    for name in now.charts.keys().chain(record.charts.keys().filter(|name| !now.charts.contains_key(*name))) {
        match (now.charts.get(name), record.charts.get(name)) {
            (Some(now), Some(recorded)) => compare_chart(name, now, recorded, findings),
            (Some(_), None) => findings.push(
                refuse("charts/record", RECORD, format!("chart {name} vendors subcharts that are not recorded"))
                    .hint("review them, then `tenantry charts verify --update`"),
            ),
            (None, _) => findings.push(
                refuse("charts/record", RECORD, format!("chart {name} is recorded and does not vendor anything"))
                    .hint(REVIEW),
            ),
        }
    }
}

fn compare_chart(name: &str, now: &Recorded, recorded: &Recorded, findings: &mut Vec<Finding>) {
    compare_file(&format!("charts/{name}/Chart.lock"), now.lock.as_ref(), recorded.lock.as_ref(), findings);
    let names = now.vendored.keys().chain(recorded.vendored.keys().filter(|sub| !now.vendored.contains_key(*sub)));
    for subchart in names {
        let folder = format!("charts/{name}/charts/{subchart}");
        match (now.vendored.get(subchart), recorded.vendored.get(subchart)) {
            (Some(now), Some(recorded)) => compare_subchart(&folder, now, recorded, findings),
            (Some(_), None) => findings
                .push(refuse("charts/vendored", &folder, format!("subchart {folder} is not recorded")).hint(REVIEW)),
            (None, _) => findings.push(
                refuse("charts/vendored", &folder, format!("subchart {folder} is recorded and gone")).hint(REVIEW),
            ),
        }
    }
}

fn compare_subchart(folder: &str, now: &Subchart, recorded: &Subchart, findings: &mut Vec<Finding>) {
    let before = findings.len();
    let paths = now.files.keys().chain(recorded.files.keys().filter(|path| !now.files.contains_key(*path)));
    for path in paths {
        compare_file(&format!("{folder}/{path}"), now.files.get(path), recorded.files.get(path), findings);
    }
    if findings.len() > before {
        return; // the files say all
    }
    // The files are as recorded, so the record disagrees with itself.
    if now.digest != recorded.digest {
        let finding = refuse("charts/record", RECORD, format!("the digest of {folder} is not that of its files"));
        findings.push(finding.expected(now.digest.to_string()).found(recorded.digest.to_string()).hint(REVIEW));
    }
    if now.version != recorded.version {
        let finding = refuse("charts/record", RECORD, format!("the version of {folder} is not the recorded one"));
        findings.push(finding.expected(&recorded.version).found(&now.version).hint(REVIEW));
    }
}

fn compare_file(path: &str, now: Option<&Digest>, recorded: Option<&Digest>, findings: &mut Vec<Finding>) {
    let finding = match (now, recorded) {
        (now, recorded) if now == recorded => return,
        (None, _) => refuse("charts/vendored", path, format!("{path} is recorded and gone")),
        (_, None) => refuse("charts/vendored", path, format!("{path} is not recorded")),
        _ => refuse("charts/vendored", path, format!("{path} is not the file that was recorded")),
    };
    let digest = |digest: Option<&Digest>| digest.map_or_else(|| "no file".to_owned(), ToString::to_string);
    findings.push(finding.expected(digest(recorded)).found(digest(now)).hint(REVIEW));
}

/// A chart against itself: metadata, dependencies, lock, vendored versions, image lock.
fn consistent(chart: &Chart<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let path = |file: &str| format!("charts/{}/{file}", chart.name);
    let metadata = match chart.metadata() {
        Ok(metadata) => metadata,
        Err(reason) => return vec![refuse("charts/metadata", &path("Chart.yaml"), reason)],
    };
    for (field, expected) in [("name", Some(chart.name.as_str())), ("version", None)] {
        let found = metadata[field].as_str().unwrap_or_default();
        let good = expected.map_or_else(|| semver::Version::parse(found).is_ok(), |expected| found == expected);
        if !good {
            let line = line_of(chart.files.get("Chart.yaml").copied(), |line| line.starts_with(&format!("{field}:")));
            let finding = refuse("charts/metadata", &path("Chart.yaml"), format!("the chart's {field} is wrong"));
            let finding = finding.at(Location { line, ..Location::file(path("Chart.yaml")) });
            findings.push(finding.expected(expected.unwrap_or("a semantic version")).found(found));
        }
    }
    locked(chart, &metadata, &mut findings);
    for reason in images::stale(chart) {
        let hint = "resolve the tags again with `tenantry charts pin`";
        findings.push(refuse("charts/images", &path(images::LOCK), reason).hint(hint));
    }
    findings
}

/// `Chart.yaml`, `Chart.lock` and the vendored subcharts agree on names and versions.
fn locked(chart: &Chart<'_>, metadata: &serde_json::Value, findings: &mut Vec<Finding>) {
    let path = |file: &str| format!("charts/{}/{file}", chart.name);
    let mut add = |file: &str, message: String, expected: &str, found: &str, hint: &str| {
        let finding = refuse("charts/lock", &path(file), message);
        findings.push(finding.expected(expected).found(found).hint(hint));
    };
    const RESOLVE: &str = "resolve again with `helm dependency update`, review, then `tenantry charts verify --update`";
    let wanted = match lock::dependencies(metadata) {
        Ok(wanted) => wanted,
        Err(reason) => return add("Chart.yaml", reason, "dependencies that Helm knows", "others", "correct them"),
    };
    let file = match chart.yaml("Chart.lock") {
        None if wanted.is_empty() => serde_json::Value::Null,
        None => return add("Chart.lock", "there is no Chart.lock".into(), "Chart.lock", "no file", RESOLVE),
        Some(Err(reason)) => return add("Chart.lock", reason, "YAML", "something else", RESOLVE),
        Some(Ok(file)) => file,
    };
    let resolved = lock::dependencies(&file).unwrap_or_default();
    if !file.is_null() {
        let digest = lock::digest(&wanted, &resolved);
        let found = file["digest"].as_str().unwrap_or_default();
        if digest != found {
            add("Chart.lock", "Chart.lock was not made from this Chart.yaml".into(), &digest, found, RESOLVE);
        }
    }
    let vendored = chart.vendored();
    for dependency in &resolved {
        let name = dependency.name.as_str();
        let file = format!("charts/{name}/Chart.yaml");
        let metadata = chart.yaml(&file).and_then(Result::ok).unwrap_or_default();
        let found = metadata["version"].as_str().unwrap_or("no subchart");
        if found != dependency.version {
            let message = format!("the vendored {name} is not the one in Chart.lock");
            add(&file, message, &dependency.version, found, RESOLVE);
        }
    }
    for name in vendored.into_iter().filter(|name| !resolved.iter().any(|dependency| dependency.name == *name)) {
        let file = format!("charts/{name}");
        add(&file, format!("nothing depends on the vendored {name}"), "a dependency", "none", "remove its folder");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str =
        "dependencies:\n- name: wazuh\n  repository: file://./charts/wazuh\n  version: 0.3.2-soctalk-v1\n";

    fn files() -> Files {
        let chart = "apiVersion: v2\nname: x\nversion: 1.0.0\ndependencies:\n  - name: wazuh\n    version: 0.3.2-soctalk-v1\n    repository: file://./charts/wazuh\n";
        let one = lock::Dependency {
            name: "wazuh".into(),
            version: "0.3.2-soctalk-v1".into(),
            repository: "file://./charts/wazuh".into(),
            condition: String::new(),
            tags: vec![],
            enabled: false,
            import_values: vec![],
            alias: String::new(),
        };
        let digest = lock::digest(std::slice::from_ref(&one), std::slice::from_ref(&one));
        let texts = [
            ("charts/x/Chart.yaml", chart.to_owned()),
            ("charts/x/Chart.lock", format!("{LOCK}digest: {digest}\n")),
            ("charts/x/charts/wazuh/Chart.yaml", "name: wazuh\nversion: 0.3.2-soctalk-v1\n".to_owned()),
            ("charts/x/charts/wazuh/templates/_a.tpl", "a\r\n".to_owned()),
        ];
        let mut files: Files = texts.into_iter().map(|(path, text)| (path.to_owned(), text.into_bytes())).collect();
        let record = Record::of(&charts(&files).unwrap()).text();
        files.insert(RECORD.into(), record.into_bytes());
        files
    }

    fn found(change: impl Fn(&mut Files)) -> Vec<(String, String)> {
        let mut files = files();
        change(&mut files);
        let findings = verify(&files);
        findings.into_iter().map(|one| (one.rule.to_owned(), one.location.unwrap().file)).collect()
    }

    fn put(files: &mut Files, path: &str, text: &str) {
        files.insert(path.into(), text.into());
    }

    #[test]
    fn what_was_reviewed_passes_and_nothing_passes() {
        assert_eq!(verify(&files()), []);
        assert_eq!(verify(&Files::new()), []);
    }

    #[test]
    fn every_change_is_named_with_its_file() {
        let template = "charts/x/charts/wazuh/templates/_a.tpl";
        let one = |rule: &str, file: &str| vec![(rule.to_owned(), file.to_owned())];
        // Even a line end.
        assert_eq!(found(|files| put(files, template, "a\n")), one("charts/vendored", template));
        assert_eq!(found(|files| drop(files.remove(template))), one("charts/vendored", template));
        let new = "charts/x/charts/wazuh/templates/_b.tpl";
        assert_eq!(found(|files| put(files, new, "")), one("charts/vendored", new));
        assert_eq!(found(|files| drop(files.remove(RECORD))), one("charts/record", RECORD));
        assert_eq!(found(|files| put(files, RECORD, "a: 1\n")), one("charts/record", RECORD));
        let version = found(|files| put(files, "charts/x/charts/wazuh/Chart.yaml", "name: wazuh\nversion: 0.3.3\n"));
        let file = "charts/x/charts/wazuh/Chart.yaml".to_owned();
        assert_eq!(version, [("charts/lock".to_owned(), file.clone()), ("charts/vendored".to_owned(), file)]);
        // A lock of other dependencies.
        let lock = "charts/x/Chart.lock".to_owned();
        let other = found(|files| put(files, "charts/x/Chart.lock", &format!("{LOCK}digest: sha256:00\n")));
        assert_eq!(other, [("charts/lock".to_owned(), lock.clone()), ("charts/vendored".to_owned(), lock.clone())]);
        let gone = found(|files| drop(files.remove("charts/x/Chart.lock")));
        assert_eq!(gone, [("charts/lock".to_owned(), lock.clone()), ("charts/vendored".to_owned(), lock)]);
        let stray = found(|files| put(files, "charts/x/charts/stray/Chart.yaml", "name: stray\nversion: 1.0.0\n"));
        let folder = "charts/x/charts/stray".to_owned();
        assert_eq!(stray, [("charts/lock".to_owned(), folder.clone()), ("charts/vendored".to_owned(), folder)]);
    }

    #[test]
    fn a_record_that_was_edited_by_hand_is_refused() {
        let edited = found(|files| {
            let text = String::from_utf8(files[RECORD].clone()).unwrap();
            put(files, RECORD, &text.replace("0.3.2-soctalk-v1", "0.3.9"));
        });
        assert_eq!(edited, [("charts/record".to_owned(), RECORD.to_owned())]);
    }

    #[test]
    fn names_are_those_of_the_folders() {
        let wrong = found(|files| put(files, "charts/y/Chart.yaml", "name: z\nversion: one\n"));
        let file = "charts/y/Chart.yaml".to_owned();
        assert_eq!(wrong, [("charts/metadata".to_owned(), file.clone()), ("charts/metadata".to_owned(), file)]);
    }
}
