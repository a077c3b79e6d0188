//! `network prove`: the verdicts on the claims, and the picture.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::input;
use crate::cli::{Format, ProveArgs};
use crate::commands::screen::Screen;
use crate::error::{Error, Result, exit};
use crate::network::{Claims, Model, Proof, Severity, Verdict, picture, prove};

/// The proof of one cluster or folder.
struct Proved {
    name: String,
    claims: Claims,
    model: Model,
    proof: Proof,
}

/// Runs the command.
pub fn run(screen: &Screen, args: &ProveArgs) -> Result<u8> {
    let Some(proved) = proved(screen, args)? else { return Ok(input::refused(&args.input)) };
    screen.write(|wanted| match (wanted, proved.as_slice()) {
        (Format::Text, all) => Some(text(all)),
        (Format::Json, all) => Some(json(all)),
        (Format::Svg, [one]) => Some(picture::svg(&one.model, &one.claims)),
        (Format::Html, [one]) => Some(picture::html(&one.model, &one.claims, &one.proof)),
        _ => None,
    })?;
    Ok(proved
        .iter()
        .map(|one| code(&one.proof))
        .max_by_key(|code| (*code == exit::FINDINGS, *code))
        .unwrap_or(exit::OK))
}

fn proved(screen: &Screen, args: &ProveArgs) -> Result<Option<Vec<Proved>>> {
    let wants_picture = screen.wants(Format::Svg) || screen.wants(Format::Html);
    if let Some(folder) = &args.input.manifests {
        let path = args.claims.as_ref().ok_or_else(|| {
            Error::usage("a folder of manifests has no claims of its own")
                .hint("name a file of claims with --claims FILE")
        })?;
        let (claims, files) = (input::claims(screen, path)?, input::read(folder)?);
        let profile = args.input.settings.profile.unwrap_or_else(|| input::profile_of(&files.sources));
        let settings = claims.settings(&input::settings(&args.input.settings, profile)?);
        let Some(subject) = input::built(screen, files, &settings) else { return Ok(None) };
        let proof = prove(&subject.model, &claims);
        let name = folder.display().to_string();
        return Ok(Some(vec![Proved { name, claims, model: subject.model, proof }]));
    }
    if args.claims.is_some() {
        return Err(Error::usage("--claims is for a folder of manifests")
            .hint("a fleet keeps its own in policies/network-claims.yaml"));
    }
    let (mut all, mut refused) = (Vec::new(), false);
    input::each_cluster(screen, &args.input, |scope| {
        match scope.model() {
            Ok(model) => {
                let (claims, proof) = (scope.claims.clone(), prove(&model, &scope.claims));
                all.push(Proved { name: scope.cluster.cluster.name.to_string(), claims, model, proof });
            }
            Err(refusals) => {
                refusals.0.iter().for_each(|refusal| screen.complain(&format!("error: {refusal}")));
                refused = true;
            }
        }
        Ok(())
    })?;
    if wants_picture {
        input::need_one(all.len(), "a picture")?;
    }
    Ok((!refused).then_some(all))
}

fn text(all: &[Proved]) -> String {
    let mut text = String::new();
    for one in all {
        let word = if one.proof.holds { "the proof holds" } else { "the proof does not hold" };
        let _ = writeln!(text, "{}: {word}\n{}", one.name, one.proof);
    }
    text
}

fn json(all: &[Proved]) -> String {
    let proofs: Vec<Value> =
        all.iter().map(|one| json!({ "of": one.name, "claims": one.claims.name, "proof": one.proof })).collect();
    let version = crate::commands::version();
    let document = json!({
        "apiVersion": "tenantry.io/v1", "kind": "NetworkProof", "toolVersion": version, "proofs": proofs,
    });
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

fn code(proof: &Proof) -> u8 {
    let fails = proof.verdicts.iter().any(|one| one.verdict == Verdict::Fails)
        || proof.findings.iter().any(|one| one.severity == Severity::Error)
        || proof.capacity.as_ref().is_some_and(|capacity| !capacity.fits());
    match (proof.holds, fails) {
        (true, _) => exit::OK,
        (false, true) => exit::FINDINGS,
        (false, false) => exit::INCOMPLETE,
    }
}
