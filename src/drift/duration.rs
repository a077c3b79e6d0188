//! Durations as Go writes them, which controllers rewrite when they touch an object: `2160h` becomes `2160h0m0s`.

use std::borrow::Cow;

use super::node::Node;

/// Puts a duration into the one form that stands for its length. What is no duration stays as it is.
pub fn canonicalise(node: &mut Node<'_>) {
    if let Some(nanoseconds) = node.as_text().and_then(parse_nanoseconds) {
        *node = Node::Text(Cow::Owned(format(nanoseconds)));
    }
}

/// The length of a duration such as `1h30m`, `1.5h`, `90s`.
pub fn parse_nanoseconds(text: &str) -> Option<i128> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut sum: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || fraction.len() > 9 || whole.len() > 12
        {
            return None;
        }
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        sum = sum.checked_add(digits.checked_mul(nanoseconds_of(unit)?)? / scale)?;
        rest = next;
    }
    Some(if negative { -sum } else { sum })
}

fn nanoseconds_of(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// `2160h0m0s`; below a second, in nanoseconds.
fn format(nanoseconds: i128) -> String {
    let second = 1_000_000_000;
    if nanoseconds % second != 0 {
        return format!("{nanoseconds}ns");
    }
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let seconds = (nanoseconds / second).abs();
    format!("{sign}{}h{}m{}s", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_one_length_are_equal() {
        for group in [
            &["2160h", "2160h0m0s", "129600m", "7776000s"][..],
            &["1h30m", "90m", "1.5h", "1h29m60s"],
            &["0", "0s", "-0s"],
            &["1s", "1000ms", "1000000us", "1000000µs"],
        ] {
            let parsed: Vec<Option<i128>> = group.iter().map(|text| parse_nanoseconds(text)).collect();
            assert!(parsed.iter().all(|length| length.is_some() && *length == parsed[0]), "{group:?} {parsed:?}");
        }
    }

    #[test]
    fn other_texts_are_no_durations() {
        for text in ["", "-", "1", "h", "1d", "1h ", "1.2.3s", "1 h", "h1"] {
            assert_eq!(parse_nanoseconds(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_go_writes() {
        for (from, to) in [("90d", "90d"), ("2160h", "2160h0m0s"), ("90m", "1h30m0s"), ("1500ms", "1500000000ns")] {
            let mut node = Node::text(from);
            canonicalise(&mut node);
            assert_eq!(node.as_text(), Some(to));
        }
    }
}
