//! `codeowners`: who has to review which file, from the tiers of the tenants.

use std::fmt::Write as _;
use std::fs;

use super::fleet;
use super::screen::Screen;
use super::timings::Timings;
use crate::cli::CodeownersArgs;
use crate::config::tenant::Tier;
use crate::config::{Fleet, tenant_file};
use crate::error::{Error, Result, exit};

/// The file, at the top of the fleet: GitHub and GitLab both look there.
const FILE: &str = "CODEOWNERS";
/// What is between these lines is ours; the rest of the file is left alone.
const BEGIN: &str = "# begin: written by `tenantry codeowners` from install.yaml and the tenants' tiers";
const END: &str = "# end: written by `tenantry codeowners`";

/// Runs the command.
pub fn run(screen: &Screen, args: &CodeownersArgs) -> Result<u8> {
    let root = &screen.global().fleet;
    let loaded = fleet::load(root, &mut Timings::default())?;
    let Some(fleet) = &loaded.fleet else {
        return Err(
            Error::user("the fleet is invalid: nobody can be named").hint("`tenantry check` says what is wrong")
        );
    };
    let path = root.join(FILE);
    let failed = |error: std::io::Error| Error::environment(format!("cannot use {}", path.display())).cause(error);
    let before = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(error)),
    };
    let after = placed(&before, &block(fleet)?)?;
    if before == after {
        screen.say(&format!("{FILE} is what the tiers say"));
        return Ok(exit::OK);
    }
    if args.check {
        screen.complain(&format!("{FILE} is not what the tiers say: `tenantry codeowners` writes it"));
        return Ok(exit::FINDINGS);
    }
    fs::write(&path, after).map_err(failed)?;
    screen.say(&format!("{FILE} is written"));
    Ok(exit::OK)
}

/// Our part of the file: the owners of everything, the security officers of what is theirs.
///
/// # Errors
/// The install names no owners.
pub fn block(fleet: &Fleet) -> Result<String> {
    let review = &fleet.install.review;
    let join = |names: &[crate::config::types::Text]| -> String {
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    if review.owners.is_empty() || review.security_officers.is_empty() {
        return Err(Error::user("install.yaml does not say who reviews")
            .hint("add `review: { owners: [\"@team\"], securityOfficers: [\"@team\"] }`"));
    }
    let (owners, officers) = (join(&review.owners), join(&review.security_officers));
    let mut text = format!("{BEGIN}\n# The last line that matches a file decides.\n* {owners}\n");
    for path in
        ["/policies/", "/templates/", "/charts/", "/install.yaml", "/CODEOWNERS", "/.github/", "/.gitlab-ci.yml"]
    {
        let _ = writeln!(text, "{path} {officers}");
    }
    let default = fleet.install.defaults.tier;
    let regulated = fleet.tenants.iter().filter(|(_, tenant)| tenant.tenant.tier.unwrap_or(default) == Tier::Regulated);
    for (slug, _) in regulated {
        let _ = writeln!(text, "/{} {officers}", tenant_file(slug));
    }
    let _ = writeln!(text, "{END}");
    Ok(text)
}

/// The file with our part in its place, or at its end.
fn placed(file: &str, block: &str) -> Result<String> {
    let (begin, end) = (file.find(BEGIN), file.find(END));
    match (begin, end) {
        (None, None) if file.is_empty() || file.ends_with('\n') => Ok(format!("{file}{block}")),
        (None, None) => Ok(format!("{file}\n{block}")),
        (Some(begin), Some(end)) if begin < end => {
            let rest = file[end + END.len()..].trim_start_matches('\n');
            Ok(format!("{}{block}{rest}", &file[..begin]))
        }
        _ => Err(Error::guard(format!("{FILE} holds one of our two marks only"))
            .hint("remove what is left of our part; it is written anew")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn security_officers_own_regulated_tenants_and_the_rules() {
        let fleet = crate::render::tests::fleet();
        let text = block(&fleet).unwrap();
        assert!(text.contains("/tenants/borealis.yaml @example-mssp/security-officers\n"), "{text}");
        assert!(!text.contains("acme.yaml"), "{text}");
        assert!(text.contains("\n/policies/ @example-mssp/security-officers\n"));
        let mut nobody = fleet.clone();
        nobody.install.review.security_officers.clear();
        assert!(block(&nobody).is_err());
    }

    #[test]
    fn what_others_wrote_stays() {
        let block = format!("{BEGIN}\n* @a\n{END}\n");
        assert_eq!(placed("", &block).unwrap(), block);
        let once = placed("/docs/ @writers", &block).unwrap();
        assert_eq!(once, format!("/docs/ @writers\n{block}"));
        let other = format!("{BEGIN}\n* @b\n{END}\n");
        let twice = placed(&format!("{once}/x @y\n"), &other).unwrap();
        assert_eq!(twice, format!("/docs/ @writers\n{other}/x @y\n"));
        assert_eq!(placed(&twice, &other).unwrap(), twice);
        assert!(placed(&format!("{BEGIN}\n"), &block).is_err());
    }
}
