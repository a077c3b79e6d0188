//! Valid values: each is parsed once, here, and never checked again further in.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Defines a text type that exists only if its parser accepted it, with its JSON Schema format.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $format:literal, $example:literal, $parse:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Name of the format in the JSON Schemas.
            pub const FORMAT: &'static str = $format;

            /// Reads one.
            ///
            /// # Errors
            /// What was expected instead, in words.
            pub fn parse(text: &str) -> Result<Self, String> {
                let parse: fn(&str) -> Result<String, String> = $parse;
                parse(text).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": $format, "examples": [$example] })
            }
        }
    };
}

text_type!(
    /// Short name of a tenant: a DNS label that still is one with `tenant-` before it (RFC 1123, at most 56 characters).
    Slug, "slug", "acme", |text| dns_label(text, 56)
);
text_type!(
    /// A DNS label (RFC 1123, at most 63 characters).
    Label, "dns-label", "eu-1", |text| dns_label(text, 63)
);
text_type!(
    /// A UUID in its lower-case hyphenated form (RFC 9562).
    Id, "uuid", "6f1c0a52-9d0e-4b57-8a39-0d3a5f1f7c11", uuid
);
text_type!(
    /// A fully qualified host name without the final dot (RFC 1123), at least two labels.
    Fqdn, "fqdn", "api.openai.com", fqdn
);
text_type!(
    /// A host name whose first label may be `*`.
    WildcardFqdn, "wildcard-fqdn", "*.customers.example.com",
    |text| match text.strip_prefix("*.") {
        Some(rest) => fqdn(rest).map(|rest| format!("*.{rest}")),
        None => fqdn(text),
    }
);
text_type!(
    /// An `https://` URL with a host name, without user, password, query or fragment; `http://` is refused.
    HttpsUrl, "https-url", "https://api.openai.com/v1", |text| url(text, "https")
);
text_type!(
    /// An OCI repository: `oci://host[:port]/path`.
    OciUrl, "oci-url", "oci://ghcr.io/gbrigandi/charts", |text| url(text, "oci")
);
text_type!(
    /// A semantic version (semver.org); a leading `v` is dropped.
    Version, "semver", "1.1.0", |text| {
        let bare = text.strip_prefix('v').unwrap_or(text);
        semver::Version::parse(bare).map(|version| version.to_string()).map_err(|error| {
            format!("a version of three numbers such as 1.2.3 ({error})")
        })
    }
);
text_type!(
    /// A Kubernetes quantity (API reference, `resource.Quantity`).
    Quantity, "quantity", "500m", |text| {
        super::quantity::parse(text).map(|_| text.to_owned())
    }
);
text_type!(
    /// An address range in canonical CIDR form (RFC 4632): no host bits set.
    Cidr, "cidr", "203.0.113.0/24", cidr
);
text_type!(
    /// An IPv4 or IPv6 address.
    Address, "ip", "203.0.113.10",
    |text| text.parse::<IpAddr>().map(|ip| ip.to_string()).map_err(|_| "an IPv4 or IPv6 address".into())
);
text_type!(
    /// An image digest.
    ImageDigest, "digest", "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    |text| {
        let hex = text.strip_prefix("sha256:").unwrap_or("");
        let good = hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if good { Ok(text.to_owned()) } else { Err("sha256: and 64 lower-case hexadecimal digits".into()) }
    }
);
text_type!(
    /// A colour as `#rrggbb`.
    Colour, "colour", "#1a73e8",
    |text| {
        let hex = text.strip_prefix('#').unwrap_or("");
        let good = hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        if good { Ok(text.to_owned()) } else { Err("a colour such as \"#1a73e8\"".into()) }
    }
);
text_type!(
    /// A span of time in whole units: `15m`, `1h`, `90d`.
    Span, "span", "90d", |text| seconds(text).map(|_| text.to_owned())
);
text_type!(
    /// A day: `2026-03-31` (RFC 3339 full-date).
    Day, "day", "2026-03-31",
    |text| text.parse::<jiff::civil::Date>().map(|day| day.to_string()).map_err(|_| "a day such as 2026-03-31".into())
);
text_type!(
    /// Free text of one line: no control characters, at most 200 characters.
    Text, "text", "Acme Corp",
    |text| {
        let long = text.chars().count() > 200;
        if long || text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err("one line of 1 to 200 characters".into());
        }
        Ok(text.to_owned())
    }
);

impl HttpsUrl {
    /// The host name.
    pub fn host(&self) -> Fqdn {
        self.host_and_port().0
    }

    /// The port, 443 if none is written.
    pub fn port(&self) -> u16 {
        self.host_and_port().1
    }

    /// The host name, and the port: 443 if none is written.
    pub fn host_and_port(&self) -> (Fqdn, u16) {
        let url = url::Url::parse(&self.0).ok();
        let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
        (Fqdn(host.to_owned()), url.as_ref().and_then(url::Url::port).unwrap_or(443))
    }
}

impl Cidr {
    /// The range itself.
    pub fn net(&self) -> Option<IpNet> {
        self.0.parse().ok()
    }
}

impl Span {
    /// Length in seconds.
    pub fn seconds(&self) -> u64 {
        seconds(&self.0).unwrap_or(0)
    }

    /// As Go writes a duration, which is how controllers write it back: `2160h0m0s`.
    pub fn go(&self) -> String {
        go_duration(self.seconds())
    }
}

impl Day {
    /// The day on which a moment lies, in UTC; `None` beyond the year 9999.
    pub fn of(seconds: i64) -> Option<Self> {
        let moment = jiff::Timestamp::from_second(seconds).ok()?;
        Self::parse(&moment.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()).ok()
    }

    /// The first day on which a span that began on this day is over; whole days count.
    pub fn after(&self, span: &Span) -> Self {
        let days = i64::try_from(span.seconds().div_ceil(86_400)).unwrap_or(i64::MAX);
        let date = self.0.parse::<jiff::civil::Date>().ok();
        let later = date.and_then(|date| date.checked_add(jiff::Span::new().try_days(days).ok()?).ok());
        later.map_or_else(|| Self("9999-12-31".into()), |date| Self(date.to_string()))
    }
}

/// Seconds as Go's `time.Duration` prints them.
pub fn go_duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// Whether a text meets the named format; `None` for a format that is not ours.
pub fn check_format(format: &str, text: &str) -> Option<Result<(), String>> {
    macro_rules! check {
        ($($name:ident),*) => {
            match format {
                $($name::FORMAT => Some($name::parse(text).map(drop)),)*
                _ => None,
            }
        };
    }
    check!(
        Slug,
        Label,
        Id,
        Fqdn,
        WildcardFqdn,
        HttpsUrl,
        OciUrl,
        Version,
        Quantity,
        Cidr,
        Address,
        ImageDigest,
        Colour,
        Span,
        Day,
        Text
    )
}

/// The names of all formats.
pub const FORMATS: [&str; 16] = [
    Slug::FORMAT,
    Label::FORMAT,
    Id::FORMAT,
    Fqdn::FORMAT,
    WildcardFqdn::FORMAT,
    HttpsUrl::FORMAT,
    OciUrl::FORMAT,
    Version::FORMAT,
    Quantity::FORMAT,
    Cidr::FORMAT,
    Address::FORMAT,
    ImageDigest::FORMAT,
    Colour::FORMAT,
    Span::FORMAT,
    Day::FORMAT,
    Text::FORMAT,
];

fn dns_label(text: &str, longest: usize) -> Result<String, String> {
    let good = text.len() <= longest
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && !text.ends_with('-');
    if good {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "1 to {longest} lower-case letters, digits and hyphens, beginning and ending with a letter or digit"
        ))
    }
}

fn fqdn(text: &str) -> Result<String, String> {
    let labels: Vec<&str> = text.split('.').collect();
    let good = labels.len() >= 2
        && text.len() <= 253
        && labels.iter().all(|label| dns_label(label, 63).is_ok())
        && labels.last().is_some_and(|last| last.bytes().any(|byte| byte.is_ascii_alphabetic()));
    if good { Ok(text.to_owned()) } else { Err("a lower-case host name such as api.example.com".into()) }
}

fn uuid(text: &str) -> Result<String, String> {
    let expected = "a UUID in lower case, such as 6f1c0a52-9d0e-4b57-8a39-0d3a5f1f7c11";
    let parsed = uuid::Uuid::try_parse(text).map_err(|_| expected.to_owned())?;
    if parsed.is_nil() || parsed.hyphenated().to_string() != text {
        return Err(expected.into());
    }
    Ok(text.to_owned())
}

fn url(text: &str, scheme: &str) -> Result<String, String> {
    let expected = |why: &str| format!("a {scheme}:// URL {why}");
    let parsed = url::Url::parse(text).map_err(|_| expected("with a host"))?;
    if parsed.scheme() != scheme {
        return Err(expected(&format!("(not {}://)", parsed.scheme())));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(expected("without user or password: credentials belong into the secret backend"));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(expected("without query or fragment"));
    }
    let host = parsed.host_str().unwrap_or("");
    if fqdn(host).is_err() {
        return Err(expected("with a lower-case host name (not an address)"));
    }
    if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err(expected("without blanks"));
    }
    Ok(text.to_owned())
}

fn cidr(text: &str) -> Result<String, String> {
    let net: IpNet = text.parse().map_err(|_| "an address range such as 203.0.113.0/24".to_owned())?;
    if net.trunc() != net {
        return Err(format!("a range without host bits: {}", net.trunc()));
    }
    if net.to_string() != text {
        return Err(format!("the canonical form {net}"));
    }
    Ok(text.to_owned())
}

fn seconds(text: &str) -> Result<u64, String> {
    let expected = || "a whole number and one of s, m, h, d, such as 15m or 90d".to_owned();
    let unit = text.chars().last().ok_or_else(expected)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(expected()),
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || digits.len() > 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(expected());
    }
    let number: u64 = digits.parse().map_err(|_| expected())?;
    if number == 0 { Err(expected()) } else { Ok(number * factor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_take_what_they_should_and_refuse_the_near_miss() {
        for (format, good, bad) in [
            ("slug", "a-1", vec!["", "A", "-a", "a-", "a_b", "a.b", &"a".repeat(57), "é"]),
            (
                "uuid",
                "6f1c0a52-9d0e-4b57-8a39-0d3a5f1f7c11",
                vec![
                    "6F1C0A52-9D0E-4B57-8A39-0D3A5F1F7C11",
                    "6f1c0a529d0e4b578a390d3a5f1f7c11",
                    "00000000-0000-0000-0000-000000000000",
                ],
            ),
            ("fqdn", "api.openai.com", vec!["localhost", "a..b", "A.b", "a.b.", "10.0.0.1", "*.a.b", "a b.c"]),
            ("wildcard-fqdn", "*.a.b", vec!["*a.b", "*", "*.*.b.c"]),
            (
                "https-url",
                "https://a.b/v1",
                vec![
                    "http://a.b",
                    "https://u:p@a.b",
                    "https://a.b?k=1",
                    "https://10.0.0.1",
                    "https://",
                    "a.b",
                    "https://a.b/x y",
                ],
            ),
            ("oci-url", "oci://a.b:5000/c", vec!["https://a.b/c", "a.b/c"]),
            ("semver", "v1.2.3", vec!["1.2", "1", "latest", "01.2.3"]),
            ("quantity", "1.5Gi", vec!["1.5GB", "-1", "", "1 Gi", "1,5"]),
            ("cidr", "203.0.113.0/24", vec!["203.0.113.1/24", "203.0.113.0", "203.0.113.0/33", "0:0::/0"]),
            ("ip", "::1", vec!["1.2.3", "1.2.3.4/32"]),
            (
                "digest",
                "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                vec!["sha256:01", "0123"],
            ),
            ("colour", "#1a73e8", vec!["1a73e8", "#fff", "red"]),
            ("span", "90d", vec!["90", "d", "0d", "1.5h", "1h30m", "-1d"]),
            ("day", "2026-02-28", vec!["2026-02-30", "28.02.2026", "2026-2-8"]),
            ("text", "Äcme & Co", vec!["", "a\nb", " ", &"x".repeat(201)]),
            ("dns-label", "eu-1", vec!["eu.1"]),
        ] {
            assert_eq!(check_format(format, good), Some(Ok(())), "{format} {good}");
            for bad in bad {
                assert!(matches!(check_format(format, bad), Some(Err(_))), "{format} {bad}");
            }
        }
        assert!(FORMATS.iter().all(|format| check_format(format, "").is_some()));
    }

    #[test]
    fn reads_hosts_ports_and_spans() {
        let url = HttpsUrl::parse("https://llm.example.com:8443/v1").unwrap();
        assert_eq!((url.host().as_str(), url.port()), ("llm.example.com", 8443));
        assert_eq!(Span::parse("90d").unwrap().go(), "2160h0m0s");
        assert_eq!(Span::parse("15m").unwrap().go(), "15m0s");
        assert_eq!(Version::parse("v1.0.0").unwrap().as_str(), "1.0.0");
    }
}
