//! Words that a person wrote, and words that a machine drew.
//!
//! Every pair of neighbouring characters speaks for the one or the other: letters that follow each other in English
//! and in technical names, against letters that do not, changes of case, and changes between letters and digits. The
//! weights are natural logarithms of how much more often a pair stands in names than in random text; they were counted
//! over this project's own texts and manifests.

/// The letters that often follow a letter, from `a` to `z`. They make up 96 % of the pairs of written words, and 36 %
/// of those of random ones.
const FOLLOW: [&str; 26] = [
    "bcdgiklmnprstuvy",
    "aeijlorsu",
    "acehiklorstu",
    "adegiorsu",
    "acdefgilmnpqrstvwxy",
    "aefilortu",
    "aehinorsu",
    "aeiot",
    "abcdefglmnoprstvz",
    "e",
    "eis",
    "adefilostuy",
    "abeimopsu",
    "acdefginostuv",
    "abcdfgiklmnoprstuvw",
    "aeiloprstu",
    "u",
    "acdegikmnorstuvy",
    "acehilopstuy",
    "acehiloprstuwy",
    "abcdegilmnprst",
    "aei",
    "aehinors",
    "ept",
    "ps",
    "e",
];

/// The table as bits.
const MASKS: [u32; 26] = {
    let mut masks = [0; 26];
    let mut at = 0;
    while at < 26 {
        let letters = FOLLOW[at].as_bytes();
        let mut index = 0;
        while index < letters.len() {
            masks[at] |= 1 << (letters[index] - b'a');
            index += 1;
        }
        at += 1;
    }
    masks
};

/// Runs of the alphabet: lists of characters, not random ones.
const LISTS: [&[u8]; 3] = [b"abcdefgh", b"ABCDEFGH", b"12345678"];

/// How much a word looks written (above 0) or drawn (below 0). Only letters and digits count.
pub fn written(word: &[u8]) -> f64 {
    word.windows(2).map(|pair| weight(pair[0], pair[1])).sum()
}

fn weight(one: u8, two: u8) -> f64 {
    match (kind(one), kind(two)) {
        (Kind::Digit, Kind::Upper | Kind::Lower) | (Kind::Upper | Kind::Lower, Kind::Digit) => -1.5,
        (Kind::Digit, _) | (_, Kind::Digit) | (Kind::Other, _) | (_, Kind::Other) => 0.0,
        (first, second) => {
            let case = match (first, second) {
                (Kind::Lower, Kind::Upper) => -0.8,
                (Kind::Upper, Kind::Upper) => -0.6,
                _ => 0.0,
            };
            case + if follows(one, two) { 0.97 } else { -2.65 }
        }
    }
}

fn follows(one: u8, two: u8) -> bool {
    let index = |byte: u8| byte.to_ascii_lowercase().wrapping_sub(b'a');
    MASKS.get(usize::from(index(one))).is_some_and(|mask| index(two) < 26 && mask & (1 << index(two)) != 0)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Upper,
    Lower,
    Digit,
    Other,
}

fn kind(byte: u8) -> Kind {
    match byte {
        b'A'..=b'Z' => Kind::Upper,
        b'a'..=b'z' => Kind::Lower,
        b'0'..=b'9' => Kind::Digit,
        _ => Kind::Other,
    }
}

/// Bits a character that the word's own frequencies tell.
pub fn entropy(word: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    word.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let length = f64::from(u32::try_from(word.len()).unwrap_or(u32::MAX));
    let shares = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length);
    shares.map(|share| -share * share.log2()).sum()
}

fn is_list(word: &[u8]) -> bool {
    LISTS.iter().any(|list| word.windows(list.len()).any(|part| part == *list))
}

/// Shortest word that is called random wherever it stands.
pub const SHORTEST: usize = 24;

/// Whether a word of letters, digits and the characters of base64 looks random, wherever it stands: both cases or more,
/// and more evidence for chance than a name has.
pub fn is_random(word: &[u8]) -> bool {
    if word.len() < SHORTEST {
        return false;
    }
    let mut drawn = Vec::with_capacity(word.len());
    for part in word.split(|byte| kind(*byte) == Kind::Other) {
        if !is_plain(part) {
            drawn.extend_from_slice(part);
        }
    }
    let count = |wanted: Kind| drawn.iter().filter(|byte| kind(**byte) == wanted).count();
    drawn.len() >= SHORTEST - 2
        && count(Kind::Upper) >= 2
        && count(Kind::Lower) >= 2
        && written(&drawn) < -10.5
        && entropy(&drawn) > 3.4
        && !is_list(&drawn)
}

/// A part of a path, a name or an identifier that tells nothing of chance: one case and no digits, digits of base 16,
/// or words.
fn is_plain(part: &[u8]) -> bool {
    let all = |of: fn(&u8) -> bool| part.iter().all(of);
    all(|byte| byte.is_ascii_lowercase())
        || all(|byte| byte.is_ascii_uppercase())
        || (part.len() >= 4 && all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)))
        || (part.len() >= 6 && written(part) > 0.0)
}

/// Whether a word in a field for a credential was drawn by a machine.
pub fn is_drawn(word: &str) -> bool {
    if word.len() < 16 || !word.is_ascii() {
        return false;
    }
    if is_uuid(word.as_bytes()) {
        return true;
    }
    if let Some(at) = (0..word.len().saturating_sub(36)).find(|at| is_uuid(&word.as_bytes()[*at..at + 36])) {
        // A name with an id in it.
        return is_drawn(&word[..at]) || is_drawn(&word[at + 36..]);
    }
    let parts = word.as_bytes().split(|byte| kind(*byte) == Kind::Other);
    let longest = parts.max_by_key(|part| part.len()).unwrap_or_default();
    (longest.len() >= 12 && written(longest) < -4.0 && entropy(longest) > 2.6 && !is_list(longest))
        || is_random(word.as_bytes())
        || (word.len() >= 20 && with_marks(word.as_bytes()))
}

/// Whether a word of many kinds of characters, marks among them, looks drawn: passwords with symbols.
fn with_marks(word: &[u8]) -> bool {
    let marks = word.iter().filter(|byte| byte.is_ascii_punctuation() && !b"-_./:".contains(byte)).count();
    marks >= 2 && entropy(word) > 3.8 && written(word) < -2.0
}

/// Whether 8-4-4-4-12 digits of base 16.
pub fn is_uuid(word: &[u8]) -> bool {
    word.len() == 36
        && word.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether a part of the text behind its prefix was drawn by a machine: names begin like keys, too.
pub fn has_random_part(text: &str) -> bool {
    let parts = text.as_bytes().split(|byte| kind(*byte) == Kind::Other);
    let mut parts = parts.filter(|part| part.len() >= 8);
    parts.any(|part| written(part) < -3.0) || is_random(text.as_bytes())
}

/// Whether a text has upper case, lower case and digits.
pub fn is_mixed(text: &str) -> bool {
    let has = |wanted: Kind| text.bytes().any(|byte| kind(byte) == wanted);
    has(Kind::Upper) && has(Kind::Lower) && has(Kind::Digit) && written(text.as_bytes()) < 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_and_random_words_are_drawn() {
        for name in [
            "persistentVolumeClaimRetentionPolicy2And3",
            "ValidatingAdmissionPolicyBinding",
            "mutatingWebhookConfigurationV1Beta1",
            "charts/soctalk-tenant/charts/wazuh/values.yaml",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
            "Strict-Transport-Security-Policy-Report-Only",
            "Mon-Tue-Wed-Thu-Fri-Sat-Sun-Jan-Feb-Mar",
            "eksctl-prod-nodegroup-ng-1-NodeInstanceRole-1XK2P9M4QW3ZT",
            "AWSServiceRoleForAmazonElasticKubernetesService",
        ] {
            assert!(!is_random(name.as_bytes()), "{name} {}", written(name.as_bytes()));
        }
        for word in [
            ["aBxdEygHtjKw", "mNrpQlsTbvWzyZqc"].concat(),
            ["k3Jd9/fLq0Zx+", "8sPw2Vb7Nm/4Tg6Hy1R"].concat(),
            ["tq0Vw8Zr2Xn5", "Kc7Lb4Mf1Hd9Gs3Jp6"].concat(),
        ] {
            assert!(is_random(word.as_bytes()), "{} {}", word.len(), written(word.as_bytes()));
        }
    }

    #[test]
    fn in_a_field_for_credentials_less_is_enough() {
        for word in [
            ["7d9f3b2a", "61c8e04f5a"].concat(),
            ["f47ac10b-58cc-4372", "-a567-0e02b2c3d479"].concat(),
            ["qx7zk2vj", "w9hf3bnm"].concat(),
            ["xkqzvjwp", "mfbtghdn"].concat(),
        ] {
            assert!(is_drawn(&word), "{word}");
        }
        for name in ["soctalk-postgres-admin-creds", "projected-service-account", "adapter-token-x7k2p", "token"] {
            assert!(!is_drawn(name), "{name}");
        }
    }
}
