//! TLS: certificates of the system, or of a file.

use std::path::Path;
use std::sync::Arc;

use larder_store::tls::trusted_certificates;
use larder_store::{Error, Result};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Trusts the certificates in `ca`, or those of the system.
pub(crate) fn trusting(ca: Option<&Path>) -> Result<ClientConfig> {
    with(trusted_certificates(ca, "ca")?)
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
