//! The server: who may do what, and what bad requests get.

mod access;
#[cfg(feature = "servers")]
mod clients;
mod deployed;
#[cfg(feature = "servers")]
mod doors;
mod gone;
mod inference;
mod mlflow;
mod predict;
mod protocols;
mod routes;
mod set_up;
#[cfg(feature = "servers")]
mod single_sign_on;

use std::net::SocketAddr;

use larder::access::{LarderAccess, Role, Subject, TokenOptions};
use larder::server::{Server, ServerOptions};
use larder::{Larder, Registry};
use larder_tests::http::{self, Answer};

/// The packages of MLflow's client, 650 MB.
#[cfg(feature = "servers")]
const MLFLOW: [&str; 2] = ["mlflow==3.17.2", "skops==0.16.0"];

/// A server on a larder in memory.
struct Serving {
    larder: Larder,
    server: Server,
    /// Of the administrator.
    admin: String,
}

impl Serving {
    fn start() -> Self {
        Self::with(&options())
    }

    fn with(options: &ServerOptions) -> Self {
        let larder = Registry::linked().unwrap().open("memory:").unwrap();
        let server = Server::start(larder.clone(), options).unwrap();
        let admin = server.first_token().unwrap_or_default().to_owned();
        Self { larder, server, admin }
    }

    fn address(&self) -> SocketAddr {
        self.server.address().unwrap()
    }

    /// A new user with a role on names, and its token.
    fn user(&self, name: &str, grants: &[(Role, &str)]) -> String {
        let access = self.larder.access();
        access.add_user(name, &[]).unwrap();
        for (role, names) in grants {
            access.grant(&Subject::user(name).unwrap(), *role, names).unwrap();
        }
        access.create_token(name, &TokenOptions::new()).unwrap().secret
    }

    fn post(&self, path: &str, token: Option<&str>, body: &str) -> Answer {
        let json = [("content-type", "application/json")];
        http::send(self.address(), "POST", path, token, &json, body.as_bytes())
    }

    /// Asks as the administrator.
    fn ask(&self, path: &str, body: &str) -> Answer {
        self.post(path, Some(&self.admin), body)
    }

    fn get(&self, path: &str, token: Option<&str>) -> Answer {
        http::send(self.address(), "GET", path, token, &[], b"")
    }
}

/// Options of a server on a free port.
fn options() -> ServerOptions {
    ServerOptions::new().listen(SocketAddr::from(([127, 0, 0, 1], 0)).into())
}
