//! TLS as configured by the URL.

use std::path::Path;
use std::sync::Arc;

use larder_store::tls::trusted_certificates;
use larder_store::{Error, Result, StoreUrl};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
};

/// The values of the option `sslmode`, under the names that Postgres uses.
const MODES: &str = "disable, prefer, require, verify-full";

/// Parses `sslmode` and `sslrootcert`.
pub(crate) fn read(url: &StoreUrl) -> Result<(SslMode, MakeRustlsConnect)> {
    let mode = url.option("sslmode").unwrap_or("prefer");
    let roots = url.option("sslrootcert");
    if roots.is_some() && mode != "verify-full" {
        return Err(url.refused("the option `sslrootcert` needs `sslmode=verify-full`"));
    }
    let ssl = match mode {
        "disable" => SslMode::Disable,
        "prefer" => SslMode::Prefer,
        "require" | "verify-full" => SslMode::Require,
        _ => return Err(url.refused(format!("the option `sslmode` must be one of: {MODES}"))),
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let failed = |error| Error::store("set up TLS", error);
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(Box::new(error)))?;
    let config = match mode {
        "verify-full" => builder
            .with_root_certificates(trusted_certificates(roots.map(Path::new), "sslrootcert")?),
        _ => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAnyCertificate(provider))),
    };
    Ok((ssl, MakeRustlsConnect::new(config.with_no_client_auth())))
}

/// Accepts every certificate. As in libpq, `prefer` and `require` protect against eavesdropping, but not against a
/// man in the middle.
#[derive(Debug)]
struct AcceptAnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
