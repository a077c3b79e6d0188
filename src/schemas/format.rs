//! Formats of texts and numbers, as the API server checks them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use regex::Regex;

/// What can be said about a text and a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has the format, or the API server knows no such format and takes everything.
    Holds,
    /// It has not.
    Fails,
    /// The API server checks this format and this program does not.
    Unknown,
}

/// Holds a text against a format.
pub fn text(format: &str, text: &str) -> Verdict {
    let holds = match format {
        "date-time" | "datetime" => is_date_time(text),
        "date" => is_match(&DATE, text) && text.parse::<jiff::civil::Date>().is_ok(),
        "byte" => is_base64(text),
        "cidr" => is_cidr(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "mac" => is_match(&MAC, text),
        "uuid" => is_match(&UUID, text),
        "hostname" => text.len() <= 253 && is_match(&HOST, text),
        "uri" => url::Url::parse(text).is_ok(),
        "duration" => is_match(&DURATION, text),
        "email" | "uuid3" | "uuid4" | "uuid5" | "isbn" | "isbn10" | "isbn13" | "creditcard" | "ssn" | "hexcolor"
        | "rgbcolor" | "bsonobjectid" | "k8s-short-name" | "k8s-long-name" => return Verdict::Unknown,
        _ => true,
    };
    if holds { Verdict::Holds } else { Verdict::Fails }
}

/// The range of whole numbers of a format.
pub fn range(format: &str) -> Option<(i64, i64)> {
    match format {
        "int32" => Some((i32::MIN.into(), i32::MAX.into())),
        "int64" => Some((i64::MIN, i64::MAX)),
        _ => None,
    }
}

/// Whether a text is a quantity of Kubernetes: `500m`, `-1.5Gi`, `1e3`.
pub fn is_quantity(text: &str) -> bool {
    is_match(&QUANTITY, text)
}

static DATE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("^[0-9]{4}-[0-9]{2}-[0-9]{2}$").ok());
static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$")
        .ok()
});
static MAC: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("^(?i:[0-9a-f]{2}([:-])[0-9a-f]{2}(?:[:-][0-9a-f]{2}){4})$").ok());
static UUID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("^(?i:[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})$").ok());
static HOST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$").ok()
});
static DURATION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[+-]?(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$").ok());
static QUANTITY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?[0-9]+))?$").ok()
});

fn is_match(regex: &LazyLock<Option<Regex>>, text: &str) -> bool {
    regex.as_ref().is_some_and(|regex| regex.is_match(text))
}

fn is_date_time(text: &str) -> bool {
    is_match(&TIME, text) && text.parse::<jiff::Timestamp>().is_ok()
}

fn is_base64(text: &str) -> bool {
    let text = text.replace(['\n', '\r'], "");
    let body = text.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.len().is_multiple_of(4) && text.len() - body.len() <= 2 && body.bytes().all(allowed)
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) && length.len() <= 3;
    let plain = length == "0" || !length.starts_with('0');
    let length: u32 = length.parse().unwrap_or(u32::MAX);
    digits && plain && address.parse::<IpAddr>().is_ok_and(|ip| length <= if ip.is_ipv4() { 32 } else { 128 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_take_what_the_api_server_takes() {
        let cases = [
            ("date-time", "2026-01-31T10:00:00Z", "2026-01-31 10:00:00Z"),
            ("date-time", "2026-01-31T10:00:00.5+02:00", "2026-13-31T10:00:00Z"),
            ("byte", "aGk=", "aGk"),
            ("cidr", "10.0.0.0/8", "10.0.0.0"),
            ("cidr", "fd00::/64", "10.0.0.0/33"),
            ("ipv4", "10.0.0.1", "::1"),
            ("uuid", "2f1c9a9e-7a64-4f3e-9b3f-0c1d2e3f4a5b", "2f1c"),
            ("hostname", "a.example.com", "a_b.example.com"),
            ("duration", "1h30m", "1 hour"),
            ("uri", "https://a.example/b", "a b"),
        ];
        for (format, good, bad) in cases {
            assert_eq!(text(format, good), Verdict::Holds, "{format} {good}");
            assert_eq!(text(format, bad), Verdict::Fails, "{format} {bad}");
        }
        assert_eq!(text("idn-hostname", "what ever"), Verdict::Holds);
        assert_eq!(text("email", "a@b.example"), Verdict::Unknown);
    }

    #[test]
    fn quantities() {
        for good in ["1", "500m", "1.5Gi", "-1", "+1e3", ".5", "1.", "1E3", "100n"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", "Gi", "1Zi", "1 Gi", "1e", "a", "1.1.1", "0x1"] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }
}
