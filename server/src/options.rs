//! Options of a server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use larder_core::{Error, Result};

use crate::listen::Listen;
#[cfg(feature = "oidc")]
use crate::oidc::options::OidcOptions;

/// The files of a certificate chain and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificates, the server's own first.
    pub certificates: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Options of [`Server::start`](crate::Server::start).
#[derive(Debug, Clone)]
pub struct ServerOptions {
    pub(crate) listen: Listen,
    pub(crate) tls: Option<Tls>,
    pub(crate) behind_proxy: bool,
    pub(crate) authenticate: bool,
    pub(crate) max_body: usize,
    pub(crate) deadline: Duration,
    pub(crate) memory: u64,
    #[cfg(feature = "oidc")]
    pub(crate) oidc: Option<OidcOptions>,
    pub(crate) is_local: bool,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7420)).into(),
            tls: None,
            behind_proxy: false,
            authenticate: true,
            max_body: 16 << 20,
            deadline: Duration::from_secs(60),
            memory: 4 << 30,
            #[cfg(feature = "oidc")]
            oidc: None,
            is_local: false,
        }
    }
}

impl ServerOptions {
    /// A server with tokens at `127.0.0.1:7420`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the address or the Unix socket.
    #[must_use]
    pub fn listen(mut self, place: Listen) -> Self {
        self.listen = place;
        self
    }

    /// Speaks TLS.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// States that a proxy in front of the server speaks TLS, so that the server may listen beyond this machine without it.
    #[must_use]
    pub fn behind_proxy(mut self, is_behind: bool) -> Self {
        self.behind_proxy = is_behind;
        self
    }

    /// Sets whether requests need a token. A server without tokens lets everybody do everything, and listens on this machine
    /// only.
    #[must_use]
    pub fn authenticate(mut self, authenticate: bool) -> Self {
        self.authenticate = authenticate;
        self
    }

    /// Sets the maximum number of bytes of a body that is read into memory, 16 MiB by default. Blobs are streamed, whatever their
    /// size.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the time after which a prediction is given up, 60 s by default.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets the maximum number of bytes of models in memory, 4 GiB by default. Those that are not deployed leave first.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Lets people sign in at a provider of identities, and services by its tokens.
    #[cfg(feature = "oidc")]
    #[must_use]
    pub fn oidc(mut self, oidc: OidcOptions) -> Self {
        self.oidc = Some(oidc);
        self
    }

    /// A server of the web page for the user of this machine, who may do everything: it answers only a browser that came by its
    /// one-time link, [`Server::local_link`](crate::Server::local_link), on a free port. It needs no tokens, and serves no
    /// deployments. The program has to link the pages: the feature `page` of the crate `larder`.
    #[must_use]
    pub fn local() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen: listen.into(), authenticate: false, is_local: true, ..Self::default() }
    }

    /// Refuses what would be open to everybody.
    pub(crate) fn check(&self) -> Result<()> {
        let refused = |reason: &str| {
            let action = format!("listen on {}", self.listen);
            Err(Error::Refused { action, reason: reason.into() })
        };
        #[cfg(feature = "oidc")]
        if let Some(oidc) = &self.oidc {
            if !self.authenticate {
                return refused("a server without tokens has no single sign-on");
            }
            oidc.check()?;
        }
        let address = match &self.listen {
            Listen::Address(address) => address,
            Listen::Socket(_) if self.tls.is_some() => {
                return refused("a Unix socket needs no certificate: nobody can listen to it");
            }
            #[cfg(feature = "oidc")]
            Listen::Socket(_)
                if self.oidc.as_ref().is_some_and(|oidc| oidc.public_url.is_none()) =>
            {
                return refused("single sign-on needs the URL by which browsers reach the server");
            }
            Listen::Socket(_) => return Ok(()),
        };
        if address.ip().is_loopback() {
            return Ok(());
        }
        if !self.authenticate {
            return refused("a server without tokens listens on this machine only");
        }
        #[cfg(feature = "oidc")]
        if self.oidc.as_ref().is_some_and(|oidc| oidc.public_url.is_none()) {
            return refused("single sign-on needs the URL by which browsers reach the server");
        }
        if self.tls.is_none() && !self.behind_proxy {
            return refused(
                "others could read the tokens; give it a certificate, or state that a proxy in \
                 front of it speaks TLS",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nothing_listens_beyond_this_machine_without_tokens_and_tls() {
        let on = |place: &str| ServerOptions::new().listen(place.parse::<Listen>().unwrap());
        let tls = Tls { certificates: "c".into(), key: "k".into() };
        assert!(on("127.0.0.1:0").check().is_ok() && on("[::1]:0").check().is_ok());
        assert!(on("127.0.0.1:0").authenticate(false).check().is_ok());
        assert!(on("unix:/run/larder.sock").authenticate(false).check().is_ok());
        assert!(on("unix:/run/larder.sock").tls(tls.clone()).check().is_err());
        for address in ["0.0.0.0:0", "192.168.0.1:80", "[::]:0"] {
            assert!(matches!(on(address).check(), Err(Error::Refused { .. })), "{address}");
            assert!(on(address).behind_proxy(true).check().is_ok());
            assert!(on(address).tls(tls.clone()).check().is_ok());
            let open = on(address).tls(tls.clone()).behind_proxy(true).authenticate(false);
            assert!(open.check().is_err(), "{address}");
        }
    }
}
