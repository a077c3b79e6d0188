//! `codeowners`: who has to review which file, from the tiers of the tenants.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::fleet;
use super::screen::Screen;
use super::timings::Timings;
use crate::cli::CodeownersArgs;
use crate::config::tenant::Tier;
use crate::config::{Fleet, tenant_file};
use crate::error::{Error, Result, exit};
use crate::history::Place;

/// The file, at the top of the repository: GitHub and GitLab both look there.
pub const FILE: &str = "CODEOWNERS";
/// What is between these lines is ours; the rest of the file is left alone.
const BEGIN: &str = "# begin: written by `tenantry codeowners` from install.yaml and the tenants' tiers";
const END: &str = "# end: written by `tenantry codeowners`";

/// Runs the command.
pub fn run(screen: &Screen, args: &CodeownersArgs) -> Result<u8> {
    let root = &screen.global().fleet;
    let loaded = fleet::load(root, &mut Timings::default())?;
    let Some(fleet) = &loaded.fleet else { return Ok(fleet::refused(screen, "codeowners", &loaded)) };
    let Seat { path, prefix } = place(root)?;
    let first = path.with_file_name(".github").join(FILE);
    if first.exists() && fs::canonicalize(&first).ok() != fs::canonicalize(&path).ok() {
        return Err(Error::guard(format!(
            "GitHub reads .github/{FILE} first: what stands in {FILE} would count for nothing"
        ))
        .hint(format!("move what .github/{FILE} says into {FILE}; what others wrote there is kept")));
    }
    let failed = |error: std::io::Error| Error::environment(format!("cannot use {}", path.display())).cause(error);
    let before = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(error)),
    };
    let after = placed(&before, &block(fleet, &prefix)?)?;
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

/// Where the file is, and where the fleet lies from there.
pub struct Seat {
    /// The file.
    pub path: PathBuf,
    /// Folder of the fleet with `/` behind; empty if both lie in the same.
    pub prefix: String,
}

/// The top of the fleet's repository; the fleet itself where it lies in none.
///
/// # Errors
/// The repository cannot be read.
pub fn place(root: &Path) -> Result<Seat> {
    let found = Place::find(root)?;
    let top = found.as_ref().and_then(|place| place.git.workdir().map(Path::to_owned));
    let prefix = found.map(|place| place.prefix).unwrap_or_default();
    let path = if prefix.is_empty() { root.join(FILE) } else { top.unwrap_or_else(|| root.to_owned()).join(FILE) };
    Ok(Seat { path, prefix })
}

/// The file with our part brought to what the tiers say; `None` if it has none of ours, or is so already.
///
/// # Errors
/// One of our marks is missing.
pub fn updated(before: &str, fleet: &Fleet, prefix: &str) -> Result<Option<String>> {
    if !before.contains(BEGIN) {
        return Ok(None);
    }
    let after = placed(before, &block(fleet, prefix)?)?;
    Ok((after != before).then_some(after))
}

/// Our part of the file: the owners of everything, the security officers of what is theirs. `prefix` is the fleet's folder
/// in its repository, with `/` behind.
///
/// # Errors
/// The install names no owners.
pub fn block(fleet: &Fleet, prefix: &str) -> Result<String> {
    let review = &fleet.install.review;
    let join = |names: &[crate::config::types::Text]| -> String {
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    if review.owners.is_empty() || review.security_officers.is_empty() {
        return Err(Error::user("install.yaml does not say who reviews")
            .hint("add `review: { owners: [\"@team\"], securityOfficers: [\"@team\"] }`"));
    }
    let (owners, officers) = (join(&review.owners), join(&review.security_officers));
    let all = if prefix.is_empty() { "*".to_owned() } else { format!("/{prefix}") };
    let mut text = format!("{BEGIN}\n# The last line that matches a file decides.\n{all} {owners}\n");
    for path in ["policies/", "templates/", "charts/", "install.yaml"] {
        let _ = writeln!(text, "/{prefix}{path} {officers}");
    }
    for path in ["/CODEOWNERS", "/.github/", "/.gitlab-ci.yml"] {
        let _ = writeln!(text, "{path} {officers}");
    }
    let default = fleet.install.defaults.tier;
    let regulated = fleet.tenants.iter().filter(|(_, tenant)| tenant.tenant.tier.unwrap_or(default) == Tier::Regulated);
    for (slug, _) in regulated {
        let _ = writeln!(text, "/{prefix}{} {officers}", tenant_file(slug));
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
        let text = block(&fleet, "").unwrap();
        assert!(text.contains("/tenants/borealis.yaml @example-mssp/security-officers\n"), "{text}");
        assert!(!text.contains("acme.yaml"), "{text}");
        assert!(text.contains("\n/policies/ @example-mssp/security-officers\n"));
        let mut nobody = fleet.clone();
        nobody.install.review.security_officers.clear();
        assert!(block(&nobody, "").is_err());
        let inside = block(&fleet, "soc/fleet/").unwrap();
        for line in [
            "/soc/fleet/ @example-mssp/platform",
            "/soc/fleet/tenants/borealis.yaml @example-mssp/security-officers",
            "/.github/ @example-mssp/security-officers",
        ] {
            assert!(inside.lines().any(|one| one == line), "{line} in {inside}");
        }
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
