//! TLS: certificates of the system, or of a file.

use std::path::Path;
use std::sync::Arc;

use larder_store::{Error, Result};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Trusts the certificates in `ca`, or those of the system.
pub(crate) fn trusting(ca: Option<&Path>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match ca {
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
                return Err(Error::store(action(), "the file contains no certificate"));
            }
        }
        None => {
            // Some certificates of the system may be unusable.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                let advice = "none found; name a file with the option `ca`";
                return Err(Error::store("find the system's certificates", advice));
            }
        }
    }
    with(roots)
}

/// For connections without TLS.
pub(crate) fn trusting_nobody() -> Result<ClientConfig> {
    with(RootCertStore::empty())
}

fn with(roots: RootCertStore) -> Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::store("set up TLS", error))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
