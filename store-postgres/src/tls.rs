//! TLS, as far as a URL asks for it.

use std::path::Path;
use std::sync::Arc;

use larder_core::{Error, Result, StoreUrl};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

/// The modes that the option `sslmode` may name, as they are called everywhere with Postgres.
const MODES: &str = "disable, prefer, require, verify-full";

/// Reads `sslmode` and `sslrootcert`.
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
        _ => return Err(url.refused(format!("the option `sslmode` is one of: {MODES}"))),
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let failed = |error| Error::store("set up TLS", error);
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(Box::new(error)))?;
    let config = match mode {
        "verify-full" => builder.with_root_certificates(trusted(roots.map(Path::new))?),
        _ => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider))),
    };
    Ok((ssl, MakeRustlsConnect::new(config.with_no_client_auth())))
}

/// The certificates of those who are trusted: of a file, or the system's.
fn trusted(file: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(file) => {
            let action = || format!("read the certificates in {}", file.display());
            let certificates = CertificateDer::pem_file_iter(file)
                .map_err(|error| Error::store(action(), error))?
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| Error::store(action(), error))?;
            for certificate in certificates {
                roots.add(certificate).map_err(|error| Error::store(action(), error))?;
            }
            if roots.is_empty() {
                return Err(Error::store(action(), "there is none in it"));
            }
        }
        None => {
            // Some of a system's certificates may be none that can be used.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                let advice = "there are none; name a file with the option `sslrootcert`";
                return Err(Error::store("find the system's certificates", advice));
            }
        }
    }
    Ok(roots)
}

/// Takes every certificate: `prefer` and `require` keep out who listens, not who stands in between, as everywhere
/// with Postgres.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
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
