//! Kubernetes quantities: two texts are equal if they mean the same number.
//!
//! The grammar is that of `resource.Quantity`: a sign, decimal digits, and a binary (`Ki`…`Ei`) or decimal (`n`…`E`) suffix
//! or a decimal exponent. The API server keeps resource amounts in thousandths and rounds up.

use std::borrow::Cow;

use super::node::Node;

/// Puts a quantity into the one form that stands for its number. What is no quantity stays as it is.
pub fn canonicalise(node: &mut Node<'_>) {
    let milli = match node {
        Node::Text(text) => parse_milli(text),
        Node::Int(number) => Some(i128::from(*number) * 1000),
        Node::Float(number) => parse_milli(&number.to_string()),
        _ => None,
    };
    if let Some(milli) = milli {
        *node = Node::Text(Cow::Owned(format(milli)));
    }
}

/// The number of thousandths, rounded away from zero.
pub fn parse_milli(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    if digits.len() > 27 {
        return None;
    }
    let mantissa: i128 = digits.parse().ok()?;
    let scale = i32::try_from(fraction.len()).ok()?;
    let milli = match scale_of(suffix)? {
        Scale::Binary(shift) => shift_decimal(mantissa.checked_mul(1_i128.checked_shl(shift)?)?, 3 - scale)?,
        Scale::Decimal(exponent) => shift_decimal(mantissa, exponent.checked_sub(scale)?.checked_add(3)?)?,
    };
    Some(if negative { -milli } else { milli })
}

/// Thousandths as text: `1500m`, or `2` where whole.
pub fn format(milli: i128) -> String {
    if milli % 1000 == 0 { (milli / 1000).to_string() } else { format!("{milli}m") }
}

enum Scale {
    Binary(u32),
    Decimal(i32),
}

fn scale_of(suffix: &str) -> Option<Scale> {
    Some(match suffix {
        "" => Scale::Decimal(0),
        "n" => Scale::Decimal(-9),
        "u" => Scale::Decimal(-6),
        "m" => Scale::Decimal(-3),
        "k" => Scale::Decimal(3),
        "M" => Scale::Decimal(6),
        "G" => Scale::Decimal(9),
        "T" => Scale::Decimal(12),
        "P" => Scale::Decimal(15),
        "E" => Scale::Decimal(18),
        "Ki" => Scale::Binary(10),
        "Mi" => Scale::Binary(20),
        "Gi" => Scale::Binary(30),
        "Ti" => Scale::Binary(40),
        "Pi" => Scale::Binary(50),
        "Ei" => Scale::Binary(60),
        _ => Scale::Decimal(suffix.strip_prefix(['e', 'E'])?.parse::<i32>().ok().filter(|e| e.abs() <= 30)?),
    })
}

/// `value × 10^exponent`, rounded up where digits are lost.
fn shift_decimal(value: i128, exponent: i32) -> Option<i128> {
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    if exponent >= 0 {
        return value.checked_mul(power);
    }
    Some(value / power + i128::from(value % power != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_one_number_are_equal() {
        for group in [
            &["1", "1000m", "1.0", "1e0", "+1", "1000000u"][..],
            &["1.5Gi", "1536Mi", "1610612736", "1610612736000m"],
            &["0.5", "500m", "5e-1", ".5"],
            &["1k", "1000", "1e3", "1E3"],
            &["0", "0m", "-0", "0Gi"],
            &["1E", "1000P", "1000000000000000000"],
            &["0.0001", "1m", "1n"],
        ] {
            let parsed: Vec<Option<i128>> = group.iter().map(|text| parse_milli(text)).collect();
            assert!(parsed.iter().all(|milli| milli.is_some() && *milli == parsed[0]), "{group:?} {parsed:?}");
        }
    }

    #[test]
    fn other_texts_are_no_quantities_or_other_numbers() {
        for text in ["", "m", "Gi", "1KiB", "1.2.3", "one", "1 ", "--1", "1e99", "1g", "0x10"] {
            assert_eq!(parse_milli(text), None, "{text}");
        }
        assert_ne!(parse_milli("1G"), parse_milli("1Gi"));
        assert_eq!(parse_milli("-1500m"), Some(-1500));
    }

    #[test]
    fn only_quantities_change() {
        for (from, to) in
            [("\"1000m\"", "\"1\""), ("1", "\"1\""), ("0.5", "\"500m\""), ("\"x\"", "\"x\""), ("true", "true")]
        {
            let mut node = Node::from_json(from.as_bytes()).unwrap();
            canonicalise(&mut node);
            assert_eq!(node.to_string(), to);
        }
    }
}
