//! Kubernetes quantities as exact numbers: milli-units in 128 bits.

/// A quantity in thousandths of its unit (CPU: millicores; memory: thousandths of a byte).
pub type Milli = i128;

/// Reads a non-negative quantity: digits with an optional fraction and a suffix of `resource.Quantity`
/// (`m`, none, `k`, `M`, `G`, `T`, `P`, `Ki`, `Mi`, `Gi`, `Ti`, `Pi`).
///
/// # Errors
/// What was expected instead, in words.
pub fn parse(text: &str) -> Result<Milli, String> {
    let expected = || "a quantity such as 500m, 2, 1.5 or 8Gi".to_owned();
    let split = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let factor: Milli = match suffix {
        "m" => 1,
        "" => 1000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "P" => 1_000_000_000_000_000_000,
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        "Ti" => 1000 << 40,
        "Pi" => 1000 << 50,
        _ => return Err(expected()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || whole.len() > 15 || fraction.len() > 9 || number.ends_with('.') {
        return Err(expected());
    }
    let digits = whole.bytes().chain(fraction.bytes()).try_fold(0, |digits: Milli, byte| {
        byte.is_ascii_digit().then(|| digits * 10 + Milli::from(byte - b'0')).ok_or_else(expected)
    })?;
    let scale = (0..fraction.len()).fold(1, |scale: Milli, _| scale * 10);
    let scaled = digits * factor;
    // A quantity finer than a thousandth is rounded up, as the API server does.
    Ok(scaled / scale + Milli::from(scaled % scale != 0))
}

/// Writes CPU: whole cores where possible, else millicores.
pub fn cpu(milli: Milli) -> String {
    if milli % 1000 == 0 { (milli / 1000).to_string() } else { format!("{milli}m") }
}

/// Writes bytes with the largest binary suffix that loses nothing, rounding up to whole mebibytes.
pub fn bytes(milli: Milli) -> String {
    let mebibyte: Milli = 1000 << 20;
    let mebibytes = milli / mebibyte + Milli::from(milli % mebibyte != 0);
    if mebibytes % 1024 == 0 { format!("{}Gi", mebibytes / 1024) } else { format!("{mebibytes}Mi") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_suffix_exactly() {
        for (text, milli) in [
            ("500m", 500),
            ("2", 2000),
            ("1.5", 1500),
            ("1Ki", 1_024_000),
            ("1.5Gi", (1000 * 1536) << 20),
            ("0.0001", 1),
            ("1M", 1_000_000_000),
        ] {
            assert_eq!(parse(text), Ok(milli), "{text}");
        }
        for text in ["", "Gi", ".5", "1.", "-1", "1e3", "1Zi", "1.1.1", "9999999999999999"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        assert_eq!(cpu(7500), "7500m");
        assert_eq!(cpu(7000), "7");
        assert_eq!(bytes(parse("1.5Gi").unwrap()), "1536Mi");
        assert_eq!(bytes(parse("2048Mi").unwrap()), "2Gi");
        assert_eq!(bytes(parse("1k").unwrap()), "1Mi");
    }
}
