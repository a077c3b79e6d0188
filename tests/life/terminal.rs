//! `onboard` on a terminal: a real pseudo-terminal on which somebody types.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::scratch::{program, repository};

/// Onboards `elm` while this is typed: the exit code, and everything that the terminal showed.
fn onboard(root: &Path, text: &[u8]) -> (Option<i32>, String) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let terminal = || {
        let path = name.to_str().unwrap();
        Stdio::from(File::options().read(true).write(true).open(path).unwrap())
    };
    let mut command = program(root);
    let line = "onboard elm --id 9e5c6a0d-7c3b-4f07-8bad-0d4e9f6b3c99 --now 2026-01-05";
    command.args(line.split(' ')).stdin(terminal()).stdout(terminal()).stderr(terminal());
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut typed = File::from(controller);
    typed.write_all(text).unwrap();
    let status = child.wait().unwrap();
    let mut said = Vec::new();
    // A pseudo-terminal that nobody holds any more ends with an error, once everything was read.
    let mut piece = [0_u8; 4096];
    while let Ok(read) = typed.read(&mut piece) {
        if read == 0 {
            break;
        }
        said.extend_from_slice(&piece[..read]);
    }
    (status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn what_is_missing_is_asked_for_until_the_answer_fits() {
    let folder = repository();
    // No name, then one; a tier that does not exist, then the default; default profile and way in; no network, then two.
    let typed = b"\nElm Ltd\ngolden\n\n\n\n10.0.0.1/8\n192.0.2.0/25,198.51.100.0/24\n";
    let (code, said) = onboard(folder.path(), typed);
    assert_eq!(code, Some(0), "{said}");
    for part in [
        "Name of the customer:",
        "expected one line of 1 to 200 characters",
        "Tier (standard, regulated) [standard]:",
        "expected one of standard, regulated",
        "without host bits",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let file = std::fs::read_to_string(folder.path().join("tenants/elm.yaml")).unwrap();
    for part in [
        "displayName: Elm Ltd",
        "tier: standard",
        "profile: small-dev",
        "mode: edge-haproxy",
        "[192.0.2.0/25, 198.51.100.0/24]",
    ] {
        assert!(file.contains(part), "{part}\n{file}");
    }
}

#[test]
fn a_terminal_that_closes_in_the_middle_writes_nothing() {
    let folder = repository();
    // The name, then the end of the input where the tier is asked for.
    let (code, said) = onboard(folder.path(), b"Elm Ltd\n\x04");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the questions were not answered") && said.contains("as options: --help"), "{said}");
    assert!(!folder.path().join("tenants/elm.yaml").exists());
}
