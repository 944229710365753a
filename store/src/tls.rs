//! Certificates that clients of stores trust. With the feature `tls`.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::error::{Error, Result};

/// Returns the certificates of the system. Those that cannot be used are left out.
pub fn system_certificates() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Returns the certificates in `file`, or those of the system. `option` is the option of the URL that names a file.
///
/// # Errors
/// [`Error::Store`] if there are none, or the file cannot be read.
pub fn trusted_certificates(file: Option<&Path>, option: &str) -> Result<RootCertStore> {
    let Some(file) = file else {
        let roots = system_certificates();
        if roots.is_empty() {
            let advice = format!("none found; name a file with the option `{option}`");
            return Err(Error::store("find the system's certificates", advice));
        }
        return Ok(roots);
    };
    let action = || format!("read the certificates in {}", file.display());
    let certificates = CertificateDer::pem_file_iter(file)
        .map_err(|error| Error::store(action(), error))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::store(action(), error))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| Error::store(action(), error))?;
    }
    if roots.is_empty() {
        return Err(Error::store(action(), "the file contains no certificate"));
    }
    Ok(roots)
}
