//! Requests of the server to other services.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use larder_store::tls::system_certificates;
use reqwest::{Client, redirect};
use rustls::crypto::aws_lc_rs;
use url::{Host, Url};

/// Creates a client that trusts the system's certificates and follows no redirect.
pub(crate) fn http_client(
    url: &str,
    timeout: Duration,
) -> Result<Client, Box<dyn Error + Send + Sync>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(system_certificates())
        .with_no_client_auth();
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .timeout(timeout)
        .user_agent(concat!("larder/", env!("CARGO_PKG_VERSION")));
    let is_local = Url::parse(url).is_ok_and(|url| is_local(&url));
    let builder = if is_local { builder.no_proxy() } else { builder };
    Ok(builder.build()?)
}

/// Returns whether a URL is of this machine.
pub(crate) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
