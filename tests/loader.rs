//! Whatever bytes a file holds, reading it ends soon, with a value or with findings, and never with a panic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tenantry::config::{self, Install, Kind, Tenant};
use tenantry::source::{self, MAX_FILE_BYTES};
use tenantry::yaml::{self, Limits};

/// Longest that one file may take, many times what it takes: it only has to tell minutes from moments, on a busy
/// machine and without optimisation.
const LONGEST: Duration = Duration::from_secs(20);

/// Reads bytes as a file of each kind. What is refused must say why.
fn read(bytes: &[u8]) {
    let start = Instant::now();
    match source::decode("tenants/a.yaml", bytes.to_vec()) {
        Err(finding) => assert!(!finding.message.is_empty()),
        Ok(text) => {
            for limits in [Limits::CONFIG, Limits::MANIFEST] {
                if let Err(error) = yaml::parse(&text, limits) {
                    assert!(!error.message.is_empty());
                }
            }
            if let Err(findings) = config::read::<Tenant>("tenants/a.yaml", &text, Kind::Tenant) {
                assert!(!findings.is_empty());
            }
            if let Err(findings) = config::read::<Install>("install.yaml", &text, Kind::Install) {
                assert!(!findings.is_empty());
            }
        }
    }
    assert!(start.elapsed() < LONGEST, "{} bytes took {:?}", bytes.len(), start.elapsed());
}

fn refused(text: &str) {
    read(text.as_bytes());
    assert!(config::read::<Tenant>("tenants/a.yaml", text, Kind::Tenant).is_err());
}

/// The files of this repository's fleet.
static REAL: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tenants = fs::read_dir(root.join("tenants")).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = tenants.chain([root.join("install.yaml")]).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
});

/// A change of a real file: a cut, a byte, a piece of syntax, a piece of another file.
#[derive(Debug, Clone)]
enum Mutation {
    Cut(usize, usize),
    Byte(usize, u8),
    Insert(usize, &'static str),
    Splice(usize, usize, usize),
}

const SYNTAX: [&str; 20] = [
    "---\n",
    "...\n",
    "&a ",
    "*a",
    "!!binary ",
    "<<: ",
    "{",
    "}",
    "[",
    "]",
    "\t",
    "? ",
    ": ",
    "- ",
    "|\n",
    ">-\n",
    "'",
    "\"",
    "\u{2028}",
    "%YAML 9.9\n",
];

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<usize>(), 1..200_usize).prop_map(|(at, length)| Mutation::Cut(at, length)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        (any::<usize>(), prop::sample::select(&SYNTAX[..])).prop_map(|(at, text)| Mutation::Insert(at, text)),
        (any::<usize>(), any::<usize>(), any::<usize>()).prop_map(|(at, file, from)| Mutation::Splice(at, file, from)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    let place = |at: usize, bytes: &[u8]| at % (bytes.len() + 1);
    match mutation {
        Mutation::Cut(at, length) => {
            let from = place(*at, bytes);
            let to = (from + length).min(bytes.len());
            bytes.drain(from..to);
        }
        Mutation::Byte(at, byte) => {
            let at = place(*at, bytes);
            bytes.insert(at, *byte);
        }
        Mutation::Insert(at, text) => {
            let at = place(*at, bytes);
            bytes.splice(at..at, text.bytes());
        }
        Mutation::Splice(at, file, from) => {
            let other = &REAL[file % REAL.len()];
            let at = place(*at, bytes);
            bytes.splice(at..at, other[place(*from, other)..].iter().copied());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn raw_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        read(&bytes);
    }

    #[test]
    fn text_of_yaml_characters_never_panics(text in "[a-c0-9:{}\\[\\]&*!|>'\"%@`,?# \n\t~-]{0,400}") {
        read(text.as_bytes());
    }

    #[test]
    fn mutated_real_files_never_panic(
        file in any::<usize>(),
        mutations in prop::collection::vec(mutation(), 1..6),
    ) {
        let mut bytes = REAL[file % REAL.len()].clone();
        mutations.iter().for_each(|mutation| mutate(&mut bytes, mutation));
        read(&bytes);
    }
}

#[test]
fn real_files_are_read() {
    for bytes in REAL.iter() {
        let text = source::decode("a.yaml", bytes.clone()).unwrap();
        let tenant = config::read::<Tenant>("a.yaml", &text, Kind::Tenant);
        let install = config::read::<Install>("a.yaml", &text, Kind::Install);
        assert!(tenant.is_ok() || install.is_ok(), "{tenant:?}");
    }
}

#[test]
fn alias_bombs_are_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    refused(&text);
    assert!(yaml::parse(&text, Limits::CONFIG).is_err());
    assert!(yaml::parse(&text, Limits::MANIFEST).is_err(), "neither where aliases are allowed");
}

#[test]
fn deep_nesting_is_refused() {
    for open in ["[", "{a: ", "- ", "? ", "[{a: "] {
        refused(&open.repeat(100_000));
    }
    let stairs: String = (0..600).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    refused(&stairs);
}

#[test]
fn long_lines_and_wide_files_end_soon() {
    let largest = usize::try_from(MAX_FILE_BYTES).unwrap();
    refused(&format!("a: {}", "x".repeat(largest - 10)));
    refused(&"a".repeat(largest));
    refused(&"a: 1\n".repeat(largest / 5));
    refused(&"- a\n".repeat(largest / 4));
    refused(&format!("a: [{}]", "1,".repeat(largest / 2 - 10)));
    refused(&" ".repeat(largest));
    refused(&"\"".repeat(largest));
    refused(&"#".repeat(largest));
    read(&vec![b'a'; largest + 1]);
    read(&vec![0xFF; largest]);
}
