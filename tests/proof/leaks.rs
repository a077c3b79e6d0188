//! Secrets are found whatever they are wrapped in, and ordinary values are not.
//!
//! The secrets are made here, at run time, from templates: no source holds one. `LEAKS_FULL=1` makes a thousand of each
//! kind in each wrapping, instead of two hundred plain and twenty in each.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by its panic")]

use std::collections::BTreeMap;

use rayon::prelude::*;
use tenantry::secrets::leak;

/// Public values: what they are is said at their head.
const ORDINARY: &str = include_str!("../leaks/ordinary.txt");

/// Kinds and what they are made of: `{A36}` are 36 letters and digits, `{h}` digits of base 16, `{H}` upper-case ones,
/// `{U}` upper case and digits, `{L}` lower case and digits, `{d}` digits, `{b}` base64, `{w}` base64 for URLs, `{a}`
/// letters, `{s}` what a person types.
const KINDS: &[(&str, &[&str])] = &[
    ("an AWS access key", &["AKIA{U16}", "ASIA{U16}"]),
    ("an AWS Bedrock key", &["ABSK{b128}"]),
    ("a Google key", &["AIza{w35}"]),
    ("a Google OAuth secret", &["GOCSPX-{w28}"]),
    ("a Google OAuth token", &["ya29.{w60}", "1//0{w60}"]),
    ("an Azure client secret", &["{A3}8Q~{A34}"]),
    ("an Azure account key", &["AccountKey={b86}==", "SharedAccessKey={b43}="]),
    ("an Azure signature in a URL", &["?sig={A43}%3D"]),
    ("an Azure service key", &["{A42}AzSeA{A5}", "{A76}ACDb{A6}=="]),
    ("an Azure DevOps token", &["{A76}AZDO{A4}"]),
    ("an Alibaba access key", &["LTAI{A20}"]),
    ("a DigitalOcean token", &["dop_v1_{h64}"]),
    ("a Cloudflare key", &["v1.0-{h24}-{h146}"]),
    ("an Exoscale key", &["EXO{h24}"]),
    ("a Scaleway access key", &["SCW{U17}"]),
    ("a Fly.io token", &["fo1_{w43}"]),
    ("a Heroku key", &["HRKU-{w58}"]),
    ("a Netlify token", &["nfp_{A36}"]),
    ("a Supabase key", &["sbp_{h40}", "sb_secret_{w31}"]),
    ("a PlanetScale token", &["pscale_tkn_{w43}"]),
    ("a Databricks token", &["dapi{h32}"]),
    ("a Tailscale key", &["tskey-auth-{A12}-{A32}"]),
    ("a Terraform token", &["{A14}.atlasv1.{A67}"]),
    ("a Pulumi token", &["pul-{h40}"]),
    ("a Vault token", &["hvs.{w90}", "hvb.{w120}"]),
    ("a token of Vault or OpenBao", &["s.{A24}", "b.AAAAA{w90}"]),
    ("an age key", &["AGE-SECRET-KEY-1{U58}"]),
    ("a 1Password token", &["ops_eyJ{A200}"]),
    ("a 1Password secret key", &["A3-{U6}-{U11}-{U5}-{U5}-{U5}"]),
    ("a Doppler token", &["dp.pt.{A43}"]),
    ("a key of a kubeconfig", &["client-key-data: {b400}="]),
    ("a GitHub token", &["ghp_{A36}", "gho_{A36}", "ghs_{A36}", "github_pat_{A22}_{A59}"]),
    ("a GitLab token", &["glpat-{w20}", "glrt-{w20}", "gldt-{w20}"]),
    ("a Bitbucket token", &["ATBB{A32}"]),
    ("an Atlassian token", &["ATATT3{w180}"]),
    ("an npm token", &["npm_{A36}"]),
    ("a PyPI token", &["pypi-{w150}"]),
    ("a RubyGems key", &["rubygems_{h48}"]),
    ("a NuGet key", &["oy2{L43}"]),
    ("a Clojars token", &["CLOJARS_{L60}"]),
    ("a Docker Hub token", &["dckr_pat_{w27}"]),
    ("an Artifactory key", &["AKCp{A69}"]),
    ("a Sonar token", &["sqp_{h40}"]),
    ("a Postman key", &["PMAK-{h24}-{h34}"]),
    ("an Anthropic key", &["sk-ant-api03-{w95}"]),
    ("an OpenAI key", &["sk-{A48}", "sk-proj-{A120}", "sk-or-v1-{h64}", "sk-{h32}"]),
    ("a Groq key", &["gsk_{A52}"]),
    ("a Hugging Face token", &["hf_{a34}"]),
    ("a Perplexity key", &["pplx-{A48}"]),
    ("an xAI key", &["xai-{A80}"]),
    ("a Replicate token", &["r8_{A37}"]),
    ("a Fireworks key", &["fw_{A24}"]),
    ("a Together key", &["tgp_v1_{w43}"]),
    ("a LangSmith key", &["lsv2_pt_{h32}_{h10}"]),
    ("an NVIDIA key", &["nvapi-{w64}"]),
    ("a Pinecone key", &["pcsk_{A6}_{A63}"]),
    ("a Cerebras key", &["csk-{L48}"]),
    ("an ElevenLabs key", &["sk_{h48}"]),
    ("a Slack token", &["xoxb-{d12}-{d12}-{A24}", "xapp-1-{U11}-{d13}-{h64}"]),
    ("a Slack webhook", &["https://hooks.slack.com/services/T{U8}/B{U8}/{A24}"]),
    ("a Discord webhook", &["https://discord.com/api/webhooks/{d18}/{w68}"]),
    ("a Teams webhook", &["https://x.webhook.office.com/webhookb2/{h36}@{h36}/IncomingWebhook/{h32}"]),
    ("a Telegram token", &["{d10}:AA{w33}"]),
    ("a Stripe key", &["sk_live_{A24}", "rk_test_{A24}", "whsec_{A32}"]),
    ("a Square token", &["sq0csp-{w43}"]),
    ("a Shopify token", &["shpat_{h32}"]),
    ("a PayPal token", &["access_token$production${L16}${h32}"]),
    ("a Razorpay key", &["rzp_live_{A14}"]),
    ("a SendGrid key", &["SG.{w22}.{w43}"]),
    ("a Mailgun key", &["key-{h32}"]),
    ("a Mailchimp key", &["{h32}-us12"]),
    ("a Brevo key", &["xkeysib-{h64}-{A16}"]),
    ("a Twilio key", &["SK{h32}"]),
    ("a Grafana token", &["glc_{A60}", "glsa_{A32}_{h8}"]),
    ("a New Relic key", &["NRAK-{U27}"]),
    ("a Dynatrace token", &["dt0c01.{U24}.{U64}"]),
    ("a Sentry token", &["sntryu_{h64}"]),
    ("an Okta token", &["SSWS 00{w40}"]),
    ("a Linear key", &["lin_api_{A40}"]),
    ("a Notion token", &["ntn_{A46}"]),
    ("an Airtable token", &["pat{A14}.{h64}"]),
    ("a Figma token", &["figd_{w40}"]),
    ("a Contentful token", &["CFPAT-{w43}"]),
    ("a Mapbox token", &["sk.eyJ{A60}.{w22}"]),
    ("a JSON web token", &["eyJ{w30}.eyJ{w80}.{w43}"]),
    ("a private JSON web key", &["{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"{w43}\",\"d\":\"{w43}\"}"]),
    ("a URL with a password", &["postgres://app:{s12}@db.example.com:5432/app"]),
    ("a bearer header", &["Authorization: Bearer {A40}"]),
    ("a password hash", &["$2y$10${A53}", "$6$rounds=5000${A16}${A86}"]),
    ("a random word", &["{A32}", "{A40}", "{A64}", "{b40}", "{w43}"]),
    (
        "a credential",
        &[
            "api_key: {h32}",
            "apiKey: {L32}",
            "token: {A24}",
            "client_secret: {w40}",
            "DB_PASSWORD={s12}",
            "adminPassword: {s12}",
            "\"secret\": \"{h8}-{h4}-{h4}-{h4}-{h12}\"",
            "aws_secret_access_key = {b40}",
        ],
    ),
];

/// A generator of numbers that gives the same ones in every run (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % most
    }

    fn of(&mut self, alphabet: &str, length: usize) -> String {
        (0..length).map(|_| char::from(alphabet.as_bytes()[self.below(alphabet.len())])).collect()
    }

    fn made(&mut self, template: &str) -> String {
        const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
        const DIGITS: &str = "0123456789";
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, part)) = rest.split_once('{') {
            out.push_str(before);
            let length: String = part.chars().skip(1).take_while(char::is_ascii_digit).collect();
            let (Ok(count), true) = (length.parse::<usize>(), part[1 + length.len()..].starts_with('}')) else {
                out.push('{');
                rest = part;
                continue;
            };
            rest = &part[length.len() + 2..];
            let made = match &part[..1] {
                "A" => self.of(&format!("{UPPER}{LOWER}{DIGITS}"), count),
                "a" => self.of(&format!("{UPPER}{LOWER}"), count),
                "U" => self.of(&format!("{UPPER}{DIGITS}"), count),
                "L" => self.of(&format!("{LOWER}{DIGITS}"), count),
                "h" => self.of("0123456789abcdef", count),
                "d" => self.of(DIGITS, count),
                "b" => self.of(&format!("{UPPER}{LOWER}{DIGITS}+/"), count),
                // Neither end is a mark, where words end.
                "w" => {
                    let ends = format!("{UPPER}{LOWER}{DIGITS}");
                    format!("{}{}{}", self.of(&ends, 1), self.of(&format!("{ends}-_"), count - 2), self.of(&ends, 1))
                }
                // A word, digits and a mark.
                "s" => format!("{}{}!{}", self.of(LOWER, count - 4), self.of(DIGITS, 2), self.of(UPPER, 1)),
                other => panic!("{other}"),
            };
            out.push_str(&made);
        }
        out.push_str(rest);
        out
    }
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const FOR_URLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let sextet = bits >> (18 - 6 * at) & 63;
            out.push(if at <= chunk.len() { char::from(alphabet[sextet as usize]) } else { '=' });
        }
    }
    out
}

/// A wrapping: the lines that a secret becomes, and the line among them on which it begins.
type Wrapping = (&'static str, fn(&str) -> (String, usize));

const WRAPPINGS: [Wrapping; 8] = [
    ("inside a longer string", |secret| (format!("note: \"first {secret} then more\"\n"), 0)),
    ("in a block", |secret| (format!("data: |\n  a: 1\n  {secret}\n  b: 2\n"), 2)),
    ("in base64", |secret| (format!("data: {}\n", base64(secret.as_bytes(), STANDARD)), 0)),
    ("in base64 for URLs, inside", |secret| {
        let whole = format!("{{\"a\": 1, \"note\": \"{secret}\"}}");
        (format!("url: https://example.com/x?q={}&z=1\n", base64(whole.as_bytes(), FOR_URLS).trim_end_matches('=')), 0)
    }),
    ("in base64 twice", |secret| {
        let once = base64(format!("x: {secret}\n").as_bytes(), STANDARD);
        (format!("data: {}\n", base64(once.as_bytes(), STANDARD)), 0)
    }),
    ("in base64 over lines", |secret| {
        let before =
            "apiVersion: v1\nkind: Config\npreferences: {}\nclusters:\n- name: production\n  text: ".to_owned();
        let start = before.len() / 3 * 4 / 76;
        let whole = base64(format!("{before}{secret}\nusers: []\n").as_bytes(), STANDARD);
        let lines: Vec<&str> = whole.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        (format!("data: |\n  {}\n", lines.join("\n  ")), 1 + start)
    }),
    ("in base 16", |secret| {
        (format!("data: {}\n", secret.bytes().map(|byte| format!("{byte:02x}")).collect::<String>()), 0)
    }),
    ("in quoted lines", |secret| (format!("json: {{\"text\": \"a\\n{}\\nb\"}}\n", secret.replace('"', "\\\"")), 0)),
];

/// Secrets of a kind in a wrapping; those that are not found on their line.
fn missed(templates: &[&str], wrap: fn(&str) -> (String, usize), count: usize, dice: &mut Dice) -> Vec<String> {
    let (mut text, mut lines, mut places) = (String::new(), 1, Vec::new());
    for number in 0..count {
        let secret = dice.made(templates[number % templates.len()]);
        let (own, line) = wrap(&secret);
        places.push((lines + line, secret));
        lines += own.matches('\n').count() + 1;
        text.push_str(&own);
        text.push('\n');
    }
    let mut found: BTreeMap<usize, usize> = BTreeMap::new();
    let (mut line, mut at) = (1, 0);
    for leak in leak::find(&text) {
        line += text[at..leak.range.start].matches('\n').count();
        at = leak.range.start;
        *found.entry(line).or_default() += 1;
    }
    let masked = leak::mask(&text);
    let bad = places.into_iter().filter(|(line, secret)| !found.contains_key(line) || masked.contains(secret.as_str()));
    bad.map(|(line, secret)| format!("line {line}: {secret}")).collect()
}

#[test]
fn every_kind_is_found_in_every_wrapping() {
    let full = std::env::var_os("LEAKS_FULL").is_some();
    let plain: Wrapping = ("plain", |secret| (format!("{secret}\n"), 0));
    let mut wrong = Vec::new();
    let kinds: Vec<_> = KINDS.iter().enumerate().collect();
    let of_kind = |(number, (kind, templates)): (usize, &(&str, &[&str]))| {
        let mut wrong = Vec::new();
        let mut dice = Dice(0x5EED + number as u64);
        // What shows by its field is not written inside other text.
        let is_field = *kind == "a credential";
        let wrappings =
            WRAPPINGS.iter().filter(|(name, _)| !is_field || !name.contains("inside") && !name.contains("quoted"));
        for (name, wrap) in std::iter::once(&plain).chain(wrappings) {
            let count = if full { 1000 } else { 20 } * if *name == "plain" && !full { 10 } else { 1 };
            let missed = missed(templates, *wrap, count, &mut dice);
            if missed.len() * 1000 > count {
                let some = missed.iter().take(3).cloned().collect::<Vec<_>>().join("\n  ");
                wrong.push(format!("{kind} {name}: {} of {count} missed:\n  {some}", missed.len()));
            }
        }
        wrong
    };
    wrong.extend(kinds.into_par_iter().flat_map_iter(of_kind).collect::<Vec<String>>());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_form_of_the_table_is_made_here() {
    let mut dice = Dice(7);
    for (kind, templates) in KINDS {
        for template in *templates {
            let secret = dice.made(template);
            let found = leak::find(&format!("{secret}\n"));
            assert!(found.iter().any(|leak| leak.kind == *kind), "{kind}: {template}: {found:?}");
        }
    }
}

#[test]
fn a_private_key_is_found_in_every_form_and_covered_whole() {
    let mut dice = Dice(11);
    for label in ["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
        let body = dice.made("{b64}\n{b64}\n{b64}\n{b40}==");
        let pem = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----");
        let block = format!("key: |\n  {}\nnext: 1\n", pem.replace('\n', "\n  "));
        let found = leak::find(&block);
        assert_eq!(found.len(), 1, "{label}: {found:?}");
        assert_eq!(found[0].kind, "a private key");
        assert!(block[found[0].range.clone()].ends_with("-----"), "{label}");
        for coded in [base64(pem.as_bytes(), STANDARD), base64(base64(pem.as_bytes(), STANDARD).as_bytes(), STANDARD)] {
            let found = leak::find(&format!("tls.key: {coded}\n"));
            assert_eq!(found.iter().map(|leak| leak.kind).collect::<Vec<_>>(), ["a private key"], "{label}");
        }
    }
    // Without a header, in DER: PKCS #1, PKCS #8, SEC 1, PKCS #12.
    for head in [
        "308204a40201000282010100",
        "308204bd020100300d06092a864886f70d0101010500",
        "30770201010420",
        "30820a4a0201033082",
    ] {
        let mut bytes: Vec<u8> =
            (0..head.len()).step_by(2).map(|at| u8::from_str_radix(&head[at..at + 2], 16).unwrap()).collect();
        bytes.extend((0..600).map(|_| dice.below(256) as u8));
        let found = leak::find(&format!("keystore: {}\n", base64(&bytes, STANDARD)));
        assert!(found.iter().any(|leak| leak.kind == "a private key"), "{head}: {found:?}");
    }
}

/// The corpus holds at least two thousand values, and no alarm is raised for any, alone or together.
#[test]
fn ordinary_values_are_silent() {
    let values: Vec<&str> = ORDINARY.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert!(values.len() >= 2000, "{}", values.len());
    let said = |text: &str| -> Vec<String> {
        leak::find(text).into_iter().map(|leak| format!("{leak}: {}", &text[leak.range.clone()])).collect()
    };
    assert_eq!(said(ORDINARY), Vec::<String>::new());
    // Once more encoded, as manifests carry files.
    let bundle = values.iter().position(|line| line.starts_with("bundle.pem")).unwrap();
    for part in values[..bundle].chunks(40).chain([&values[bundle..]]) {
        let whole = format!("{}\n", part.join("\n"));
        assert_eq!(said(&format!("data: {}\n", base64(whole.as_bytes(), STANDARD))), Vec::<String>::new(), "{whole}");
    }
}

#[test]
fn nothing_of_a_secret_is_said() {
    let mut dice = Dice(3);
    for (kind, templates) in KINDS {
        let secret = dice.made(templates[0]);
        let text = format!("a: 1\nb:\n  {secret}\n");
        let findings = leak::findings("f.yaml", &text);
        assert!(!findings.is_empty(), "{kind}");
        let end = leak::find(&text)[0].range.end;
        let tail = &text[end - 8..end];
        let said = format!("{findings:?} {:?} {}", leak::find(&text), leak::cover(&text));
        assert!(!said.contains(tail), "{kind}: {said}");
        assert_eq!(leak::cover(&text).chars().count(), text.chars().count(), "{kind}: columns stay");
    }
}
