//! Fields for credentials: what a key says of its value.

use std::ops::Range;

use super::words;

/// What a key says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A password, which may be a word with a digit in it.
    Password,
    /// A key or token, which a machine draws.
    Key,
    /// Something that is published and looks random: digests, certificates, public keys.
    Public,
}

/// Last words of keys that hold passwords, keys and tokens.
const PASSWORDS: [&str; 7] = ["password", "passwd", "passphrase", "passwort", "_pwd", "_pass", "_psk"];
const KEYS: [&str; 24] = [
    "token",
    "secret",
    "apikey",
    "_api_key",
    "_access_key",
    "_secret_key",
    "_private_key",
    "_signing_key",
    "_encryption_key",
    "_master_key",
    "_auth_key",
    "_shared_key",
    "_account_key",
    "_license_key",
    "_unseal_key",
    "_service_key",
    "_hmac_key",
    "_jwt_key",
    "_session_key",
    "_credential",
    "_credentials",
    "_authorization",
    "accesskey",
    "secretkey",
];
/// Last words of keys whose values are published.
const PUBLIC: [&str; 24] = [
    "public_key",
    "pub_key",
    "pubkey",
    "cert",
    "certificate",
    "certs",
    "certificates",
    "ca_bundle",
    "ca",
    "crt",
    "fingerprint",
    "digest",
    "checksum",
    "integrity",
    "signature",
    "hash",
    "thumbprint",
    "_sha256",
    "_sha512",
    "_sum",
    "etag",
    "known_hosts",
    "_x5c",
    "authority_data",
];

/// Words of credentials: a text without any has no field for one.
pub const WORDS: [&str; 12] = [
    "pass",
    "pwd",
    "psk",
    "token",
    "secret",
    "apikey",
    "_key",
    "-key",
    "credential",
    "authorization",
    "ykey",
    "api.key",
];

/// What a key such as `DB_PASSWORD`, `clientSecret` or `api-key` says of its value.
pub fn of(key: &str) -> Option<Holds> {
    let name = normal(key);
    let ends = |words: &[&str]| words.iter().any(|word| name.ends_with(word));
    if ends(&PASSWORDS) {
        Some(Holds::Password)
    } else if ends(&KEYS) {
        Some(Holds::Key)
    } else if ends(&PUBLIC) {
        Some(Holds::Public)
    } else {
        None
    }
}

/// `_db_password` of `dbPassword`, `DB-PASSWORD` and `db.password2`.
fn normal(key: &str) -> String {
    let mut name = String::with_capacity(key.len() + 4);
    name.push('_');
    let mut before = b'_';
    for byte in key.trim_end_matches(|c: char| c.is_ascii_digit()).bytes() {
        if byte.is_ascii_alphanumeric() {
            if byte.is_ascii_uppercase() && before.is_ascii_lowercase() {
                name.push('_');
            }
            name.push(char::from(byte.to_ascii_lowercase()));
        } else if before != b'_' {
            name.push('_');
        }
        before = if byte.is_ascii_alphanumeric() { byte } else { b'_' };
    }
    name
}

/// Whether a value in a field for credentials is one.
pub fn is_credential(holds: Holds, value: &str, is_assigned: bool) -> bool {
    let value = value.trim();
    if refers(value) {
        return false;
    }
    match holds {
        Holds::Public => false,
        Holds::Key => words::is_drawn(value),
        Holds::Password => is_password(value, is_assigned),
    }
}

/// At least eight characters, and more than a name. Behind `=` a word is enough: nobody assigns a name to a password.
fn is_password(value: &str, is_assigned: bool) -> bool {
    if value.chars().count() < 8 || value.contains(char::is_whitespace) {
        return false;
    }
    if value.bytes().all(|byte| byte.is_ascii_alphabetic() || b"-_.".contains(&byte)) {
        let mostly = value.bytes().filter(|byte| byte.is_ascii_alphabetic()).count();
        return is_assigned || (mostly >= 10 && words::written(value.as_bytes()) < -4.0);
    }
    // `wazuh-indexer-v2` names a Secret.
    let short = |part: &str| part.len() <= 4 || part.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_name = value.contains('-') && value.split('-').all(short) && !value.contains(|c: char| !is_name_part(c));
    is_assigned || !is_name
}

fn is_name_part(character: char) -> bool {
    character.is_ascii_lowercase() || character.is_ascii_digit() || matches!(character, '-' | '.')
}

/// Values that stand for a credential and are none: references, templates, placeholders, expressions.
fn refers(value: &str) -> bool {
    const PREFIXES: [&str; 15] =
        ["$", "{", "<", "%", "(", "!", "&", "@", "/", "./", "env:", "file:", "vault:", "ref+", "arn:"];
    const PLACEHOLDERS: [&str; 7] = ["changeme", "change-me", "placeholder", "redacted", "example", "xxxx", "****"];
    let lower = value.to_ascii_lowercase();
    value.is_empty()
        || PREFIXES.iter().any(|prefix| value.starts_with(prefix))
        || ["{{", "${", "$(", "://", "...", "…"].iter().any(|part| value.contains(part))
        || PLACEHOLDERS.iter().any(|word| lower.contains(word))
        || value.ends_with([')', '(', '{', ':'])
}

/// Whether a URL's password is one, and not a reference.
pub fn is_url_password(url: &str) -> bool {
    let password = url.trim_end_matches('@').rsplit(':').next().unwrap_or_default();
    let stands_for = ["$", "{", "<", "%", "*", "["].iter().any(|prefix| password.starts_with(prefix));
    let lower = password.to_ascii_lowercase();
    let is_word = password.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    !stands_for
        && !is_word
        && password.len() >= 4
        && !matches!(lower.as_str(), "password" | "pass" | "pwd" | "secret" | "xxx" | "xxxx" | "xxxxx" | "token")
}

/// A credential in a field: where it stands.
pub fn around(text: &str, hit: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let start = hit - bytes[..hit].iter().rev().take_while(|byte| part(byte)).count();
    let end = hit + bytes[hit..].iter().take_while(|byte| part(byte)).count();
    let key = &text[start..end];
    let holds = of(key).filter(|holds| *holds != Holds::Public)?;
    let is_option = key.starts_with("--");
    let value = value_behind(text, end, is_option).or_else(|| value_of_named(text, start, end))?;
    let is_assigned = bytes[end..value.start].contains(&b'=');
    let trimmed = is_credential(holds, &text[value.clone()], is_assigned);
    trimmed.then_some(value)
}

/// The value behind a key: `key: value`, `"key": "value"`, `key=value`, `<key>value<`, `--key value`.
fn value_behind(text: &str, end: usize, is_option: bool) -> Option<Range<usize>> {
    let rest = text.get(end..)?;
    let unquoted = rest.trim_start_matches(['\\', '"', '\'', ']']);
    let blank = unquoted.trim_start_matches([' ', '\t']);
    let behind = if let Some(value) = blank.strip_prefix('=') {
        // `==`, `=~` and `=>` compare and map.
        (!value.starts_with(['=', '~', '>'])).then_some(value)
    } else if let Some(value) = blank.strip_prefix(':') {
        // `::` and `:=` are code.
        (!value.starts_with([':', '='])).then_some(value)
    } else if unquoted.starts_with('>') {
        unquoted.strip_prefix('>')
    } else if is_option && blank.len() < rest.len() {
        Some(blank)
    } else {
        None
    }?;
    value_at(text, text.len() - behind.len())
}

/// The value that begins behind some blanks; on the lines below where a block or nothing begins here.
fn value_at(text: &str, from: usize) -> Option<Range<usize>> {
    let rest = &text[from..];
    let blank = rest.trim_start_matches([' ', '\t']);
    let start = from + rest.len() - blank.len();
    let line = blank.lines().next().unwrap_or_default();
    if matches!(line.trim_end(), "" | "|" | "|-" | "|+" | ">" | ">-" | ">+") {
        let below = blank.get(line.len()..)?.trim_start_matches(['\n', '\r', ' ', '\t']);
        let at = text.len() - below.len();
        let indent = |at: usize| at - text[..at].rfind('\n').map_or(0, |at| at + 1);
        let of_key = text[..from].rfind('\n').map_or(0, |at| at + 1);
        let of_key = text[of_key..].bytes().take_while(|byte| *byte == b' ').count();
        let end = at + below.lines().next().unwrap_or_default().trim_end().len();
        // What stands below and further right is the value, unless it is a mapping or list of its own.
        let is_value = indent(at) > of_key && !text[at..end].contains(": ") && !text[at..end].starts_with("- ");
        return (is_value && !text[at..end].ends_with(':')).then_some(at..end);
    }
    for quote in ["\\\"", "\"", "'"] {
        if let Some(inner) = blank.strip_prefix(quote) {
            let first = start + quote.len();
            let end = inner.find(quote.trim_start_matches('\\')).unwrap_or(inner.len());
            let inner = inner[..end].trim_end_matches('\\');
            return (!inner.contains('\n')).then(|| first..first + inner.len());
        }
    }
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'\\,;&<>}]".contains(byte);
    let length = blank.bytes().take_while(|byte| !ends(byte)).count();
    let behind = blank[length..].lines().next().unwrap_or_default().trim();
    // Prose, if words follow; a comment or the next field may.
    let is_prose = text[..start].ends_with(": ") && blank[length..].starts_with(' ') && !behind.starts_with('#');
    (length > 0 && (!is_prose || behind.is_empty())).then_some(start..start + length)
}

/// The value of `name: PASSWORD` with `value: …` behind it, as environments of containers have it.
fn value_of_named(text: &str, start: usize, end: usize) -> Option<Range<usize>> {
    let before = text[..start].trim_end_matches(['"', '\'', '\\', ' ']);
    let before = before.strip_suffix(':')?.trim_end_matches(['"', '\\']);
    if !(before.ends_with("name") || before.ends_with("key")) {
        return None;
    }
    let behind = text[end..].trim_start_matches(['"', '\'', '\\', ',', ' ', '\n', '\r', '\t']);
    let value = behind.trim_start_matches(['"', '\\']).strip_prefix("value")?;
    let value = value.trim_start_matches(['"', '\\', ' ']).strip_prefix(':')?;
    value_at(text, text.len() - value.len())
}

/// Those of the published that are digests.
const DIGESTS: [&str; 9] =
    ["fingerprint", "digest", "checksum", "integrity", "hash", "thumbprint", "_sha256", "_sha512", "_sum"];
/// Characters of a digest in base64, without padding: MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512.
const LENGTHS: [usize; 6] = [22, 27, 38, 43, 64, 86];

/// Whether what stands at a place is published: what stands right before it says so, or the key of its field.
pub fn is_public(text: &str, at: usize) -> bool {
    const MARKS: [&str; 9] = ["sha256-", "sha384-", "sha512-", "sha256:", "SHA256:", "sha512:", "h1:", "md5-", "sha1-"];
    let before = &text[..at];
    if MARKS.iter().any(|mark| before.ends_with(mark) || text[at..].starts_with(mark)) {
        return true;
    }
    let Some(key) = key_of(before).filter(|key| of(key) == Some(Holds::Public)) else { return false };
    let key = normal(key);
    !DIGESTS.iter().any(|word| key.ends_with(word)) || is_digest(text, at)
}

/// Whether the word around a place is a digest in base 16, or as long as one in base64.
fn is_digest(text: &str, at: usize) -> bool {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/_-".contains(byte);
    let bytes = text.as_bytes();
    let start = at - bytes[..at].iter().rev().take_while(|byte| part(byte)).count();
    let end = at + bytes[at..].iter().take_while(|byte| part(byte)).count();
    let word = &text[start..end];
    let word = word.split_once('-').filter(|(mark, _)| mark.starts_with("sha")).map_or(word, |(_, word)| word);
    word.bytes().all(|byte| byte.is_ascii_hexdigit()) || LENGTHS.contains(&word.len())
}

/// The key of the field that a value belongs to which begins behind this text.
fn key_of(before: &str) -> Option<&str> {
    let mut lines = before.rsplit('\n');
    let own = lines.next()?;
    let key = |line: &'_ str| -> Option<Range<usize>> {
        let end = line.rfind([':', '='])?;
        let name = line[..end].trim_end_matches([' ', '"', '\'', '\\']);
        let start = name.rfind(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c))).map_or(0, |at| at + 1);
        Some(start..name.len())
    };
    if let Some(range) = key(own) {
        return Some(&own[range]);
    }
    // A line of a block, a folded text or a list: its key stands above and further left.
    let indent = |line: &str| line.len() - line.trim_start().len();
    let depth = indent(own);
    let above = lines.take(200).find(|line| !line.trim().is_empty() && (indent(line) < depth || is_key_line(line)))?;
    key(above).map(|range| &above[range])
}

fn is_key_line(line: &str) -> bool {
    matches!(line.trim_end().rsplit(':').next().map(str::trim), Some("" | "|" | "|-" | ">" | ">-"))
        && line.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_last_words_say_what_it_holds() {
        for (key, holds) in [
            ("DB_PASSWORD", Some(Holds::Password)),
            ("adminPassword2", Some(Holds::Password)),
            ("clientSecret", Some(Holds::Key)),
            ("api-key", Some(Holds::Key)),
            ("APIKEY", Some(Holds::Key)),
            ("aws_secret_access_key", Some(Holds::Key)),
            ("caBundle", Some(Holds::Public)),
            ("passwordKey", None),
            ("tokenExpirationSeconds", None),
            ("secretName", None),
            ("token_file", None),
            ("key", None),
            ("monkey", None),
            ("compass", None),
        ] {
            assert_eq!(of(key), holds, "{key}");
        }
    }

    #[test]
    fn a_field_for_digests_publishes_digests_alone() {
        let of = |value: &str| is_public(&format!("digest: {value}"), "digest: ".len());
        assert!(of("uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek"), "SHA-256 in base64");
        assert!(of("b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"));
        assert!(is_public("digest: sha256-uU0nuZNNPgil/lLX2n2r+sSE7+N6U4DukIj3rOLvzek=", 28));
        assert!(!of("aB3dE5gH7jK9mN1pQ3sT5vW7yZ2cD4fG6hJ8kL0q"));
        let bundle = "caBundle: aB3dE5gH7jK9mN1pQ3sT5vW7yZ2cD4fG6hJ8kL0q";
        assert!(is_public(bundle, "caBundle: ".len()));
    }

    fn found(text: &str) -> Option<&str> {
        let hits = WORDS.iter().filter_map(|word| text.to_ascii_lowercase().find(word));
        hits.min().and_then(|hit| around(text, hit)).map(|range| &text[range])
    }

    #[test]
    fn a_value_is_found_however_its_field_is_written() {
        let word = "hunter22";
        for text in [
            format!("password: {word}\n"),
            format!("  adminPassword: \"{word}\"\n"),
            format!("{{\"user\": \"a\", \"password\":\"{word}\"}}"),
            format!("\\\"password\\\": \\\"{word}\\\""),
            format!("DB_PASSWORD={word}"),
            format!("--db-password {word} --user a"),
            format!("--password={word}"),
            format!("<password>{word}</password>"),
            format!("- name: ADMIN_PASSWORD\n  value: {word}\n"),
            format!("{{\"name\": \"ADMIN_PASSWORD\", \"value\": \"{word}\"}}"),
            format!("password: |\n  {word}\nuser: a\n"),
            format!("password:\n  {word}\n"),
            format!("jdbc:x?user=a&password={word}&ssl=true"),
            format!("password: {word} # set by hand"),
        ] {
            assert_eq!(found(&text), Some(word), "{text}");
        }
    }

    #[test]
    fn what_only_stands_for_a_credential_is_silent() {
        for text in [
            "password: \"{{ .password }}\"",
            "password: ${DB_PASSWORD}",
            "PASSWORD=$DB_PASSWORD_OF_APP",
            "password: /run/secrets/db-password-1",
            "secretKey: password",
            "password: wazuh-indexer-v2",
            "password: at least 8 characters",
            "object.password == 'hunter22'",
            "token: adapter-token",
            "existingSecret: soctalk-postgres-admin-creds",
            "password:\n  valueFrom: a1234567\n",
            "password: changeme1234",
            "secret:\n  secretName: soctalk-jwt-signing-key\n",
            "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: {name: x1234567, key: y}\n",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
