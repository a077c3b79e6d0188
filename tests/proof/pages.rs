//! The HTML report as people see it: in a real browser, in both colour schemes, on a desk and on a phone, by keyboard.
//!
//! `TENANTRY_PICTURES=DIR` keeps pictures of what was looked at.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tenantry::check::Verdict;
use tenantry::finding::{Finding, Location};
use tenantry::report::{self, Report};

use crate::chromium::Chromium;

fn report() -> Report {
    let verdicts = vec![
        Verdict { check: "schema", proves: "every object is what its kind allows", verdict: "passed", reason: None },
        Verdict {
            check: "network",
            proves: "required flows work and forbidden ones are blocked",
            verdict: "not-checked",
            reason: Some(
                "clusters/eu-1/tenants/a-unit-with-a-rather-long-name-that-does-not-break is not at hand".into(),
            ),
        },
    ];
    let findings = (0..40).map(|number: u32| {
        let slug = ["acme", "borealis", "cobalt"][number as usize % 3];
        let place = Location { file: format!("tenants/{slug}.yaml"), line: number + 1, column: 3, length: 0 };
        let text =
            format!("number {number}: {}", "clusters/eu-1/tenants/acme/helmrelease.yaml ".repeat(number as usize % 3));
        let finding = match number % 4 {
            0 => Finding::invalid("config/type", text).expected("a number").found("x".repeat(300)),
            1 => Finding::warning("plan/deprecated", text).hint("<script>document.title = 'taken over'</script>"),
            _ => Finding::warning("consistency/shared-addresses", text).object("CiliumNetworkPolicy tenant-acme/x"),
        };
        finding.at(place).tenant(slug)
    });
    Report { command: "check", verdicts, findings: findings.collect() }
}

#[test]
fn the_page_works_for_everybody_and_asks_nobody() {
    let mut browser = match Chromium::start() {
        Ok(browser) => browser,
        Err(not_run) => return not_run.report(),
    };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    fs::write(&page, report::html(&report(), "0")).unwrap();
    browser.size(1280, 900);
    browser.open(&page);
    assert_eq!(browser.trouble(), Vec::<String>::new());
    assert_eq!(browser.evaluate("document.title"), json!("tenantry check: 10 errors, 30 warnings"));
    schemes(&mut browser);
    keyboard(&mut browser);
    phone(&mut browser);
    assert_eq!(browser.trouble(), Vec::<String>::new(), "after all that was done to it");
}

/// Contrast of every text against what is behind it (WCAG 2.2, 1.4.3: 4.5 to 1), in both schemes.
fn schemes(browser: &mut Chromium) {
    let contrast = "(() => {
      const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
      const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
      const behind = node => { for (; node; node = node.parentElement) {
        const colour = parse(getComputedStyle(node).backgroundColor);
        if (colour.length === 3 || colour[3] > 0) return colour;
      } return [255, 255, 255]; };
      let worst = 99, where = '';
      for (const node of document.querySelectorAll('h1, h2, p, b, code, td, th, dt, dd, label, select, input, button, span')) {
        if (!node.textContent.trim() || node.closest('[hidden]')) continue;
        const [one, two] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
        const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
        if (ratio < worst) { worst = ratio; where = node.outerHTML.slice(0, 80); }
      }
      return [worst, where];
    })()";
    let mut papers = Vec::new();
    for scheme in ["light", "dark"] {
        browser.scheme(scheme);
        let found = browser.evaluate(contrast);
        assert!(found[0].as_f64().unwrap() >= 4.5, "{scheme}: {found}");
        papers.push(browser.evaluate("getComputedStyle(document.body).backgroundColor"));
        keep(browser, &format!("desk-{scheme}"));
    }
    assert_ne!(papers[0], papers[1], "the schemes differ");
}

/// Everything can be reached and used without a mouse, and is said to those who do not see it.
fn keyboard(browser: &mut Chromium) {
    let visible = "document.querySelectorAll('.findings > li:not([hidden])').length";
    assert_eq!(browser.evaluate(visible), json!(40));
    let mut stops = Vec::new();
    for _ in 0..5 {
        browser.press("Tab");
        let focus = "[document.activeElement.name || document.activeElement.type, document.activeElement.matches(':focus-visible')]";
        let found = browser.evaluate(focus);
        assert_eq!(found[1], json!(true), "{found} shows that it has the focus");
        stops.push(found[0].as_str().unwrap().to_owned());
    }
    assert_eq!(stops, ["severity", "tenant", "rule", "text", "reset"]);
    browser.evaluate("document.querySelector('[name=severity]').focus()");
    browser.press("e");
    assert_eq!(browser.evaluate(visible), json!(10), "the errors");
    assert_eq!(browser.evaluate("document.getElementById('shown').textContent"), json!("10 of 40 shown"));
    assert_eq!(browser.evaluate("document.getElementById('shown').getAttribute('role')"), json!("status"));
    for _ in 0..3 {
        browser.press("Tab");
    }
    "number 4:".chars().for_each(|character| browser.press(&character.to_string()));
    assert_eq!(browser.evaluate(visible), json!(1));
    browser.press("Tab");
    browser.press("Enter");
    // A form tells of its reset before its fields change, so the page looks at them a moment later.
    let shown = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        browser.evaluate(visible) == json!(40)
    });
    assert!(shown, "show all");
    let labelled = "[...document.querySelectorAll('select, input')].every(one => one.labels.length === 1)";
    assert_eq!(browser.evaluate(labelled), json!(true));
}

/// Nothing is wider than a phone.
fn phone(browser: &mut Chromium) {
    for width in [320, 390] {
        browser.size(width, 800);
        let found = browser.evaluate("[document.documentElement.scrollWidth, innerWidth]");
        assert!(found[0].as_u64() <= Some(u64::from(width)), "{width}: {found}");
        for scheme in ["light", "dark"] {
            browser.scheme(scheme);
            keep(browser, &format!("phone-{width}-{scheme}"));
        }
    }
}

fn keep(browser: &mut Chromium, name: &str) {
    if let Some(folder) = std::env::var_os("TENANTRY_PICTURES") {
        let picture = browser.picture();
        fs::write(Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
    }
}
