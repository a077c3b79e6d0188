//! Forms of credentials, as their issuers document them: a table, one row a form.

/// One form.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// What it is, in words.
    pub kind: &'static str,
    /// One of these stands in every match (without regard to case): forms whose anchors a text lacks cost nothing.
    pub anchors: &'static [&'static str],
    /// The form as a regular expression. Characters are ASCII, which keeps the automaton small.
    pub pattern: &'static str,
    /// Where a new one is made and the old one revoked.
    pub issuer: &'static str,
    /// What the expression cannot say.
    pub holds: fn(&str) -> bool,
}

const fn form(
    kind: &'static str,
    anchors: &'static [&'static str],
    pattern: &'static str,
    issuer: &'static str,
) -> Form {
    Form { kind, anchors, pattern, issuer, holds: |_| true }
}

const fn form_if(
    kind: &'static str,
    anchors: &'static [&'static str],
    pattern: &'static str,
    issuer: &'static str,
    holds: fn(&str) -> bool,
) -> Form {
    Form { kind, anchors, pattern, issuer, holds }
}

/// A private key; the search follows one from its first line to its last.
pub const PRIVATE_KEY: &str = "a private key";

/// Keys, and what stands for a user or a password everywhere.
const ANYWHERE: &[Form] = &[
    form(
        PRIVATE_KEY,
        &["PRIVATE KEY"],
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|---- BEGIN SSH2 (?:ENCRYPTED )?PRIVATE KEY ----",
        "whoever signed its certificate or holds its public key",
    ),
    form(
        PRIVATE_KEY,
        &["b3BlbnNzaC1rZXktdjE"],
        r"b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/=]{40,}",
        "whoever holds its public key",
    ),
    form(PRIVATE_KEY, &["PuTTY-User-Key-File"], r"PuTTY-User-Key-File-[0-9]+:", "whoever holds its public key"),
    form(
        "a private JSON web key",
        &["\"kty\""],
        r#"\{[^{}]*"kty"[^{}]*"(?:d|k)"\s*:\s*"[A-Za-z0-9_\-]{20,}"|\{[^{}]*"(?:d|k)"\s*:\s*"[A-Za-z0-9_\-]{20,}"[^{}]*"kty""#,
        "whoever holds its public key",
    ),
    form(
        "a JSON web token",
        &["eyJ"],
        r"eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}",
        "the service that signed it",
    ),
    form_if(
        "a URL with a password",
        &["://"],
        r"(?-u:\b)[a-zA-Z][a-zA-Z0-9+.\-]*://[^\s/:@'\x22\\]*:[^\s/@'\x22\\]+@",
        "the service that it names",
        super::field::is_url_password,
    ),
    form(
        "a bearer header",
        &["bearer"],
        r"(?i-u:\bbearer)(?: +|%20)[A-Za-z0-9_\-.=+/~]{20,}",
        "the service that takes it",
    ),
    form_if(
        "a basic authorization header",
        &["basic"],
        r"(?i-u:\bbasic)(?: +|%20)[A-Za-z0-9+/_\-]{8,}={0,2}",
        "the service that takes it",
        super::encoded::is_user_and_password,
    ),
    form(
        "a password hash",
        &["$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$", "$apr1$", "$argon2", "$scrypt$", "$pbkdf2"],
        r"\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}|\$(?:5|6)\$(?:rounds=[0-9]+\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{43,86}|\$y\$[./A-Za-z0-9]+\$[./A-Za-z0-9]+\$[./A-Za-z0-9]{43}|\$apr1\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22}|\$(?:argon2(?:id|i|d)|scrypt|pbkdf2[a-z0-9\-]*)\$[^\s'\x22\\]{30,}",
        "the service that checks it",
    ),
];

/// Clouds and platforms.
const CLOUDS: &[Form] = &[
    form(
        "an AWS access key",
        &["AKIA", "ASIA", "ABIA", "ACCA"],
        r"(?-u:\b)(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}(?-u:\b)",
        "AWS IAM",
    ),
    form("an AWS Bedrock key", &["ABSK"], r"(?-u:\b)ABSK[A-Za-z0-9+/]{100,}=*", "AWS Bedrock"),
    form("a Google key", &["AIza"], r"AIza[0-9A-Za-z_\-]{35}", "the Google Cloud console, APIs and services"),
    form(
        "a Google OAuth secret",
        &["GOCSPX-"],
        r"GOCSPX-[A-Za-z0-9_\-]{20,}",
        "the Google Cloud console, OAuth clients",
    ),
    form(
        "a Google OAuth token",
        &["ya29.", "1//0"],
        r"(?-u:\b)(?:ya29\.[A-Za-z0-9_\-]{20,}|1//0[A-Za-z0-9_\-]{40,})",
        "Google",
    ),
    form(
        "an Azure client secret",
        &["Q~"],
        r"(?-u:\b)[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.\-]{31,34}",
        "Entra ID, app registrations",
    ),
    form(
        "an Azure account key",
        &["AccountKey=", "SharedAccessKey=", "SharedAccessSignature="],
        r"(?i-u:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{43,86}={1,2}|SharedAccessSignature=[^\s'\x22\\]{40,}",
        "Azure, access keys of the account",
    ),
    form(
        "an Azure signature in a URL",
        &["sig="],
        r"[?&]sig=[A-Za-z0-9+/%]{40,}(?:%3D|=)",
        "Azure, shared access signatures",
    ),
    form(
        "an Azure service key",
        &["AzSe", "AzCa", "AzFu", "ACDb", "+ASt", "+ABa", "APIM"],
        r"[A-Za-z0-9+/]{42,76}(?:AzSe[A-D][A-Za-z0-9]{5}|AzCa[A-Za-z0-9+/]{6}|AzFu[A-Za-z0-9\-_]{6}==|ACDb[A-Za-z0-9+/]{6}==|\+ASt[A-Za-z0-9+/]{6}==|\+ABa[A-Za-z0-9+/]{6}==|APIM[A-Za-z0-9+/]{6}==)",
        "Azure, keys of the service",
    ),
    form("an Azure DevOps token", &["AZDO"], r"(?-u:\b)[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}(?-u:\b)", "Azure DevOps"),
    form("an Alibaba access key", &["LTAI"], r"(?-u:\b)LTAI[A-Za-z0-9]{12,24}(?-u:\b)", "Alibaba Cloud RAM"),
    form("a DigitalOcean token", &["dop_v1_", "doo_v1_", "dor_v1_"], r"do[opr]_v1_[a-f0-9]{64}", "DigitalOcean"),
    form("a Cloudflare key", &["v1.0-"], r"(?-u:\b)v1\.0-[a-f0-9]{24}-[a-f0-9]{146}", "Cloudflare"),
    form("an Exoscale key", &["EXO"], r"(?-u:\b)EXO[a-f0-9]{24}(?-u:\b)", "Exoscale"),
    form("a Scaleway access key", &["SCW"], r"(?-u:\b)SCW[A-Z0-9]{17}(?-u:\b)", "Scaleway"),
    form("a Fly.io token", &["fo1_", "fm2_"], r"(?-u:\b)(?:fo1_[A-Za-z0-9_\-]{43}|fm2_[A-Za-z0-9+/]{80,}=*)", "Fly.io"),
    form("a Heroku key", &["HRKU-"], r"HRKU-[A-Za-z0-9_\-]{36,}", "Heroku"),
    form("a Netlify token", &["nfp_", "nfc_"], r"(?-u:\b)nf[pc]_[A-Za-z0-9]{36}", "Netlify"),
    form(
        "a Supabase key",
        &["sbp_", "sb_secret_"],
        r"(?-u:\b)(?:sbp_[a-f0-9]{40}|sb_secret_[A-Za-z0-9_\-]{20,})",
        "Supabase",
    ),
    form("a PlanetScale token", &["pscale_"], r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_=.\-]{32,}", "PlanetScale"),
    form("a Databricks token", &["dapi"], r"(?-u:\b)dapi[a-f0-9]{32}(?:-[0-9])?(?-u:\b)", "Databricks"),
    form("a Tailscale key", &["tskey-"], r"tskey-[a-z]+-[A-Za-z0-9]{6,}-[A-Za-z0-9]{20,}", "Tailscale"),
    form("a Terraform token", &[".atlasv1."], r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=\-]{60,}", "HCP Terraform"),
    form("a Pulumi token", &["pul-"], r"(?-u:\b)pul-[a-f0-9]{40}(?-u:\b)", "Pulumi"),
];

/// Stores of secrets, and clusters.
const STORES: &[Form] = &[
    form(
        "a Vault token",
        &["hvs.", "hvb.", "hvr."],
        r"(?-u:\b)hv[sbr]\.[A-Za-z0-9_\-]{20,}",
        "the store that issued it: revoke its accessor",
    ),
    form(
        "a token of Vault or OpenBao",
        &["b.AAAAA"],
        r"(?-u:\b)b\.AAAAA[A-Za-z0-9_\-]{80,}",
        "the store that issued it: revoke its accessor",
    ),
    form("an age key", &["AGE-SECRET-KEY-1"], r"(?i-u:AGE-SECRET-KEY-1[0-9A-Z]{50,})", "whoever encrypts for it"),
    form("a 1Password token", &["ops_eyJ"], r"ops_eyJ[A-Za-z0-9+/_\-]{60,}=*", "1Password, service accounts"),
    form(
        "a 1Password secret key",
        &["A3-"],
        r"(?-u:\b)A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}",
        "1Password",
    ),
    form(
        "a Doppler token",
        &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."],
        r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.\-]{40,}",
        "Doppler",
    ),
    form(
        "a key of a kubeconfig",
        &["client-key-data"],
        r"client-key-data\x22?\s*:\s*\x22?[A-Za-z0-9+/]{40,}={0,2}",
        "the cluster's certificate authority",
    ),
];

/// Git forges, registries of packages, builds.
const FORGES: &[Form] = &[
    form(
        "a GitHub token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}",
        "GitHub, settings for developers",
    ),
    form(
        "a GitLab token",
        &[
            "glpat-",
            "gldt-",
            "glrt-",
            "glcbt-",
            "glptt-",
            "glft-",
            "glsoat-",
            "glimt-",
            "glagent-",
            "gloas-",
            "glffct-",
            "glrtr-",
            "GR1348941",
        ],
        r"(?:gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas|ffct|rtr)-|GR1348941)[A-Za-z0-9_\-]{20,}",
        "GitLab, access tokens",
    ),
    form(
        "a Bitbucket token",
        &["ATBB", "ATCTT3xFfG"],
        r"(?-u:\b)(?:ATBB[A-Za-z0-9]{32,}|ATCTT3xFfG[A-Za-z0-9_=\-]{20,})",
        "Bitbucket",
    ),
    form("an Atlassian token", &["ATATT3"], r"(?-u:\b)ATATT3[A-Za-z0-9_=\-]{60,}", "Atlassian"),
    form("an npm token", &["npm_"], r"(?-u:\b)npm_[A-Za-z0-9]{36}", "npm"),
    form("a PyPI token", &["pypi-"], r"(?-u:\b)pypi-[A-Za-z0-9_\-]{40,}", "PyPI"),
    form("a RubyGems key", &["rubygems_"], r"(?-u:\b)rubygems_[a-f0-9]{48}", "RubyGems"),
    form("a NuGet key", &["oy2"], r"(?-u:\b)oy2[a-z0-9]{43}(?-u:\b)", "NuGet"),
    form("a Clojars token", &["CLOJARS_"], r"CLOJARS_[a-z0-9]{60}", "Clojars"),
    form("a Docker Hub token", &["dckr_"], r"dckr_(?:pat|oat)_[A-Za-z0-9_\-]{27,}", "Docker Hub"),
    form(
        "an Artifactory key",
        &["AKCp", "cmVmdGtu"],
        r"(?-u:\b)(?:AKCp[A-Za-z0-9]{60,}|cmVmdGtu[A-Za-z0-9]{56})",
        "Artifactory",
    ),
    form("a Sonar token", &["sqp_", "squ_", "sqa_"], r"(?-u:\b)sq[pua]_[a-f0-9]{40}", "Sonar"),
    form("a Postman key", &["PMAK-"], r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}", "Postman"),
];

/// Providers of language models.
const MODELS: &[Form] = &[
    form("an Anthropic key", &["sk-ant-"], r"sk-ant-[A-Za-z0-9_\-]{20,}", "Anthropic, API keys"),
    form_if(
        "an OpenAI key",
        &["sk-"],
        r"(?-u:\b)sk-[A-Za-z0-9_\-]{20,}",
        "OpenAI, API keys",
        super::words::has_random_part,
    ),
    form("a Groq key", &["gsk_"], r"(?-u:\b)gsk_[A-Za-z0-9]{40,}", "Groq"),
    form_if(
        "a Hugging Face token",
        &["hf_", "api_org_"],
        r"(?-u:\b)(?:hf|api_org)_[A-Za-z0-9]{30,}",
        "Hugging Face",
        super::words::has_random_part,
    ),
    form("a Perplexity key", &["pplx-"], r"(?-u:\b)pplx-[A-Za-z0-9]{40,}", "Perplexity"),
    form("an xAI key", &["xai-"], r"(?-u:\b)xai-[A-Za-z0-9]{60,}", "xAI"),
    form("a Replicate token", &["r8_"], r"(?-u:\b)r8_[A-Za-z0-9]{37}", "Replicate"),
    form("a Fireworks key", &["fw_"], r"(?-u:\b)fw_[A-Za-z0-9]{22,}(?-u:\b)", "Fireworks"),
    form("a Together key", &["tgp_v1_"], r"tgp_v1_[A-Za-z0-9_\-]{40,}", "Together"),
    form("a LangSmith key", &["lsv2_"], r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}", "LangSmith"),
    form("an NVIDIA key", &["nvapi-"], r"nvapi-[A-Za-z0-9_\-]{60,}", "NVIDIA"),
    form("a Pinecone key", &["pcsk_"], r"pcsk_[A-Za-z0-9_]{50,}", "Pinecone"),
    form("a Cerebras key", &["csk-"], r"(?-u:\b)csk-[a-z0-9]{48}", "Cerebras"),
    form("an ElevenLabs key", &["sk_"], r"(?-u:\b)sk_[a-f0-9]{48}(?-u:\b)", "ElevenLabs"),
];

/// Messages, payments, watching.
const SERVICES: &[Form] = &[
    form(
        "a Slack token",
        &["xoxa-", "xoxb-", "xoxe-", "xoxe.", "xoxp-", "xoxr-", "xoxs-", "xoxd-", "xapp-"],
        r"(?-u:\b)(?:xox[abeprsd][\-.][A-Za-z0-9%.\-]{10,}|xapp-[0-9]-[A-Za-z0-9\-]{20,})",
        "Slack, your apps",
    ),
    form(
        "a Slack webhook",
        &["hooks.slack.com"],
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{30,}",
        "Slack, your apps",
    ),
    form(
        "a Discord webhook",
        &["/api/webhooks/"],
        r"discord(?:app)?\.com/api/webhooks/[0-9]{17,}/[A-Za-z0-9_\-]{60,}",
        "Discord",
    ),
    form(
        "a Teams webhook",
        &["webhook.office.com"],
        r"webhook\.office\.com/webhookb2/[A-Za-z0-9@\-]{36,}/IncomingWebhook/[a-f0-9]{32}",
        "Microsoft Teams",
    ),
    form("a Telegram token", &[":AA"], r"(?-u:\b)[0-9]{8,10}:AA[A-Za-z0-9_\-]{33}", "Telegram"),
    form(
        "a Stripe key",
        &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"],
        r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{24,}",
        "Stripe, developers",
    ),
    form(
        "a Square token",
        &["EAAA", "sq0"],
        r"(?-u:\b)(?:EAAA[A-Za-z0-9_\-]{56,60}|sq0(?:csp|atp)-[A-Za-z0-9_\-]{22,})",
        "Square",
    ),
    form(
        "a Shopify token",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
        "Shopify",
    ),
    form(
        "a PayPal token",
        &["access_token$"],
        r"access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32}",
        "PayPal",
    ),
    form("a Razorpay key", &["rzp_"], r"rzp_(?:live|test)_[A-Za-z0-9]{14,}", "Razorpay"),
    form("a SendGrid key", &["SG."], r"(?-u:\b)SG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}", "SendGrid"),
    form("a Mailgun key", &["key-"], r"(?-u:\b)key-[a-f0-9]{32}(?-u:\b)", "Mailgun"),
    form("a Mailchimp key", &["-us"], r"(?-u:\b)[a-f0-9]{32}-us[0-9]{1,2}(?-u:\b)", "Mailchimp"),
    form("a Brevo key", &["xkeysib-"], r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}", "Brevo"),
    form("a Twilio key", &["SK"], r"(?-u:\b)SK[0-9a-f]{32}(?-u:\b)", "Twilio"),
    form(
        "a Grafana token",
        &["glc_", "glsa_", "eyJrIjoi"],
        r"glc_[A-Za-z0-9+/]{32,}={0,2}|glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|eyJrIjoi[A-Za-z0-9+/]{60,}={0,2}",
        "Grafana",
    ),
    form("a New Relic key", &["NRAK-", "NRII-", "NRIQ-"], r"NR(?:AK|II|IQ)-[A-Za-z0-9_\-]{27,32}", "New Relic"),
    form("a Dynatrace token", &["dt0"], r"(?-u:\b)dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}", "Dynatrace"),
    form("a Sentry token", &["sntrys_", "sntryu_"], r"sntry(?:s_eyJ[A-Za-z0-9+/=_\-]{80,}|u_[a-f0-9]{64})", "Sentry"),
    form("an Okta token", &["SSWS"], r"(?-u:\b)SSWS +00[A-Za-z0-9_\-]{38,}", "Okta"),
    form("a Linear key", &["lin_api_"], r"lin_api_[A-Za-z0-9]{40}", "Linear"),
    form("a Notion token", &["ntn_"], r"(?-u:\b)ntn_[A-Za-z0-9]{40,}", "Notion"),
    form("an Airtable token", &["pat"], r"(?-u:\b)pat[A-Za-z0-9]{14}\.[a-f0-9]{64}", "Airtable"),
    form("a Figma token", &["figd_"], r"figd_[A-Za-z0-9_\-]{38,}", "Figma"),
    form("a Contentful token", &["CFPAT-"], r"CFPAT-[A-Za-z0-9_\-]{43}", "Contentful"),
    form("a Mapbox token", &["sk.eyJ"], r"(?-u:\b)sk\.eyJ[A-Za-z0-9_\-]{40,}\.[A-Za-z0-9_\-]{20,}", "Mapbox"),
];

/// Every form, table by table.
pub fn all() -> impl Iterator<Item = &'static Form> {
    [ANYWHERE, STORES, CLOUDS, FORGES, MODELS, SERVICES].into_iter().flatten()
}
