//! A server in this process, and clients of it.

use std::net::SocketAddr;
use std::sync::Arc;

use larder::store::{HttpStore, Store};
use larder::{Larder, Registry};
use larder_access::{LarderAccess, Role, Subject, TokenOptions};
use larder_server::{Server, ServerOptions};

/// A larder and its server.
pub(crate) struct Served {
    /// The larder, opened beside the server.
    pub(crate) larder: Larder,
    pub(crate) server: Server,
}

impl Served {
    /// Serves the larder at a URL of this machine.
    pub(crate) fn at(url: &str) -> Self {
        Self::with(url, |options| options)
    }

    pub(crate) fn with(url: &str, set: impl FnOnce(ServerOptions) -> ServerOptions) -> Self {
        let larder = Registry::linked().unwrap().open(url).unwrap();
        let options =
            set(ServerOptions::new().listen(SocketAddr::from(([127, 0, 0, 1], 0)).into()));
        let server = Server::start(larder.clone(), &options).unwrap();
        Self { larder, server }
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.address().unwrap().port()
    }

    /// The token of the administrator.
    pub(crate) fn token(&self) -> &str {
        self.server.first_token().unwrap()
    }

    /// Opens the store with the token of the administrator.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        open(&self.server.url(), self.token())
    }

    /// Opens the store, again and again, from any thread.
    pub(crate) fn opener(&self) -> impl Fn() -> Arc<dyn Store> + Sync + use<> {
        opener(self.server.url(), self.token())
    }

    /// Opens the larder with the token of the administrator.
    pub(crate) fn client(&self) -> Larder {
        larder_of(self.store())
    }

    /// Adds a user with a role on names, and returns its token.
    pub(crate) fn user(&self, name: &str, role: Role, names: &str) -> String {
        let access = self.larder.access();
        access.add_user(name, &[]).unwrap();
        access.grant(&Subject::user(name).unwrap(), role, names).unwrap();
        access.create_token(name, &TokenOptions::new()).unwrap().secret
    }

    /// Opens the larder as a new user.
    pub(crate) fn client_of(&self, name: &str, role: Role, names: &str) -> Larder {
        larder_of(open(&self.server.url(), &self.user(name, role, names)))
    }
}

/// Opens the store at a URL with a token, again and again, from any thread.
pub(crate) fn opener(url: String, token: &str) -> impl Fn() -> Arc<dyn Store> + Sync + use<> {
    let token = token.to_owned();
    move || open(&url, &token)
}

pub(crate) fn open(url: &str, token: &str) -> Arc<dyn Store> {
    Arc::new(HttpStore::with_token(&url.parse().unwrap(), token).unwrap())
}

pub(crate) fn larder_of(store: Arc<dyn Store>) -> Larder {
    Larder::new(store, Registry::linked().unwrap())
}
