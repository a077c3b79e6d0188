//! Keys and certificates of a throw-away cluster.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// Signs the API server's certificates; lives as long as the cluster.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// Whether a serving certificate is still valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// For years to come.
    Valid,
    /// It ended long ago.
    Expired,
}

impl Authority {
    /// A new authority, its certificate in `<folder>/ca.crt`.
    pub fn create(folder: &Path) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
        fs::write(folder.join("ca.crt"), issuer.pem()).expect("ca.crt is written");
        Authority { issuer }
    }

    /// Writes `<folder>/serving.{crt,key}` for loopback.
    pub fn issue_serving(&self, folder: &Path, validity: Validity) {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut params = CertificateParams::new(names).expect("names for a certificate");
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = match validity {
            Validity::Valid => date_time_ymd(2100, 1, 1),
            Validity::Expired => date_time_ymd(2020, 1, 1),
        };
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a signed certificate");
        fs::write(folder.join("serving.crt"), certificate.pem()).expect("serving.crt is written");
        fs::write(folder.join("serving.key"), key.serialize_pem()).expect("serving.key is written");
    }
}

/// Writes the key pair for ServiceAccount tokens: `<folder>/tokens.key` and `<folder>/tokens.pub`.
pub fn write_token_keys(folder: &Path) {
    let key = KeyPair::generate().expect("a key");
    fs::write(folder.join("tokens.key"), key.serialize_pem()).expect("tokens.key is written");
    fs::write(folder.join("tokens.pub"), key.public_key_pem()).expect("tokens.pub is written");
}
