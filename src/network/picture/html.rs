//! The page around a picture: verdicts, findings, capacity and assumptions.

use super::super::claims::Claims;
use super::super::format::escape;
use super::super::lints::Severity;
use super::super::proof::Proof;
use super::super::prove::{ClaimVerdict, Verdict};

const STYLE: &str = "body{font:14px/1.45 system-ui,sans-serif;color:#0f172a;background:#fff;max-width:1330px;margin:2em auto;padding:0 1em}\
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}svg{max-width:100%;height:auto}\
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #cbd5e1;padding:.35em .6em;text-align:left;vertical-align:top}\
.holds{color:#15803d;font-weight:600}.fails{color:#b91c1c;font-weight:600}.unknown{color:#b45309;font-weight:600}\
pre{background:#f1f5f9;padding:.6em;overflow-x:auto;white-space:pre-wrap}code{background:#f1f5f9}";

pub(super) fn page(picture: &str, claims: &Claims, proof: &Proof) -> String {
    let (required, forbidden): (Vec<_>, Vec<_>) = proof.verdicts.iter().partition(|one| is_required(claims, one));
    let verdict =
        if proof.holds { "<span class=\"holds\">holds</span>" } else { "<span class=\"fails\">does not hold</span>" };
    let size = &proof.size;
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Network of {0}</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<h1>Network of {0}: the proof {verdict}</h1>\n\
         <p>{1} namespaces, {2} workloads and {3} assumed ones, {4} policies; {5} classes of pods that no policy tells apart.</p>\n",
        escape(&claims.name),
        size.namespaces,
        size.workloads,
        size.stand_ins,
        size.policies,
        proof.classes
    );
    text += picture;
    text += &section("Flows that must be blocked", &forbidden);
    text += &section("Flows that must work", &required);
    text += &findings(proof);
    if let Some(capacity) = &proof.capacity {
        text += &format!(
            "<h2>Capacity</h2>\n<p>{} of {} identities; {} of {} policy map entries (<code>{}</code>). {}</p>\n",
            capacity.identities,
            capacity.most_identities,
            capacity.entries,
            capacity.most_entries,
            escape(&capacity.largest_endpoint),
            escape(&capacity.advice().unwrap_or_default())
        );
    }
    let assumptions: String = proof.assumptions.iter().map(|one| format!("<li>{}</li>\n", escape(one))).collect();
    text + &format!("<h2>What the proof takes for granted</h2>\n<ul>\n{assumptions}</ul>\n</body>\n</html>\n")
}

fn is_required(claims: &Claims, verdict: &ClaimVerdict) -> bool {
    let claim = claims.claims.iter().find(|claim| claim.id == verdict.id);
    claim.is_some_and(|claim| claim.require.is_some() || !claim.require_any.is_empty())
}

fn section(title: &str, verdicts: &[&ClaimVerdict]) -> String {
    let mut text = format!("<h2>{title}</h2>\n<table>\n<tr><th>claim</th><th>verdict</th><th>proof</th></tr>\n");
    for one in verdicts {
        let (class, word) = match one.verdict {
            Verdict::Holds => ("holds", "holds"),
            Verdict::Fails => ("fails", "fails"),
            Verdict::NotCheckable => ("unknown", "not checkable"),
        };
        let mut proof = format!("{} pairs, decided by {} examinations", one.pairs, one.examined);
        if let Some(reason) = &one.reason {
            proof += &format!("; {reason}");
        }
        let witnesses: String =
            one.witnesses.iter().map(|witness| format!("<pre>{}</pre>", escape(&witness.to_string()))).collect();
        text += &format!(
            "<tr><td>{}<br><code>{}</code></td><td class=\"{class}\">{word}</td><td>{}{witnesses}</td></tr>\n",
            escape(&one.text),
            escape(&one.id),
            escape(&proof)
        );
    }
    text + "</table>\n"
}

fn findings(proof: &Proof) -> String {
    if proof.findings.is_empty() {
        return String::new();
    }
    let rows: String = proof
        .findings
        .iter()
        .map(|one| {
            let class = if one.severity == Severity::Error { "fails" } else { "unknown" };
            format!("<li><span class=\"{class}\">{}</span> {}</li>\n", one.rule, escape(&one.to_string()))
        })
        .collect();
    format!("<h2>Findings</h2>\n<ul>\n{rows}</ul>\n")
}
