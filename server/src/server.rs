//! Starts and stops a server.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use larder_access::{LarderAccess, Role, Subject, TokenOptions};
use larder_core::{Error, Larder, Result};
use larder_serving::{Deployer, Serving, ServingOptions};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::accept::{self, Listener};
use crate::access_cache::AccessCache;
use crate::app::{App, Guarded, SharedApp};
use crate::audit_log::AuditLog;
use crate::listen::{Bound, Listen, SocketFile};
use crate::metrics::Metrics;
use crate::options::{ServerOptions, Tls};
use crate::pages;
use crate::router::Router;
use crate::sessions::Sessions;
use crate::shared::Shared;
use crate::traces::Traces;

/// Maximum time for open requests after the server is told to stop.
const DRAIN: Duration = Duration::from_secs(30);
/// Maximum time for the last traces, after that.
const FLUSH: Duration = Duration::from_secs(3);
/// Time between ends of the timer that is always set; well below the others.
const TICK: Duration = Duration::from_secs(1);
/// The name of the user that a server creates in a larder without users.
const FIRST_USER: &str = "admin";

/// A running server. It stops when it is dropped.
pub struct Server {
    place: Listen,
    is_tls: bool,
    app: SharedApp,
    /// The time for open requests, once it is to end.
    ending: watch::Sender<Option<Duration>>,
    first_token: Option<String>,
    ended: Option<mpsc::Receiver<()>>,
    runtime: Option<Runtime>,
    _socket: Option<SocketFile>,
}

impl Server {
    /// Starts a server for `larder` and returns once it listens.
    ///
    /// In a larder without users it creates the user `admin`, who may do everything, with a token:
    /// [`first_token`](Server::first_token).
    ///
    /// # Errors
    /// [`Error::Refused`] for an address beyond this machine without tokens or TLS, and for a larder with policies in a program
    /// that was built without the feature `cedar`; [`Error::Store`] if the address is in use, a
    /// file of the certificate cannot be read, or the store fails.
    pub fn start(larder: Larder, options: &ServerOptions) -> Result<Self> {
        options.check()?;
        if options.is_local && pages::entrance().is_none() {
            return Err(Error::Refused {
                action: "open the web page".into(),
                reason: "the program has none; enable the feature `page` of the crate `larder`"
                    .into(),
            });
        }
        let tls = options.tls.as_ref().map(tls_config).transpose()?;
        // A server that cannot read the policies would decide without them.
        larder.access().rules()?;
        let first_token = match options.authenticate {
            true => set_up(&larder)?,
            false => None,
        };
        let bound = options.listen.bind()?;
        let place = match &bound {
            Bound::Tcp(_, address) => Listen::Address(*address),
            #[cfg(unix)]
            Bound::Socket(..) => options.listen.clone(),
        };
        let runtime = Builder::new_multi_thread()
            .thread_name("larder-server")
            .enable_all()
            .build()
            .map_err(|error| Error::store("start the threads of the server", error))?;

        let is_tls = tls.is_some();
        let shared = Shared::default();
        #[cfg(feature = "oidc")]
        if let Some(oidc) = single_sign_on(options, &url_of(&place, is_tls))? {
            shared.keep(oidc);
        }
        let guard = match options.authenticate {
            true => Some(Guarded {
                access: AccessCache::new(&larder),
                audit: AuditLog::start(&larder)?,
            }),
            false => None,
        };
        let limits = ServingOptions::new().deadline(options.deadline).memory(options.memory);
        let serving = Serving::start(&larder, &limits)?;
        let deployer = deployer(&serving, options)?;
        let app = Arc::new(App {
            larder,
            metrics: Metrics::new(&serving),
            serving,
            deployer,
            options: options.clone(),
            guard,
            sessions: Sessions::new(options.is_local, is_tls || options.behind_proxy)?,
            shared,
            traces: Traces::start(runtime.handle())?,
            is_ending: AtomicBool::new(false),
        });
        let router = Router::new(&app)?;
        let (ending, told) = watch::channel(None);
        let (done, ended) = mpsc::channel();
        let listen = |error| Error::store(format!("listen on {place}"), error);
        runtime.spawn(tick());
        let entered = runtime.enter();
        let (listener, socket) = match bound {
            Bound::Tcp(listener, _) => {
                let listener = tokio::net::TcpListener::from_std(listener).map_err(listen)?;
                (Listener::Tcp(listener, tls), None)
            }
            #[cfg(unix)]
            Bound::Socket(listener, file) => {
                let listener = tokio::net::UnixListener::from_std(listener).map_err(listen)?;
                (Listener::Unix(listener), Some(file))
            }
        };
        runtime.spawn(async move {
            accept::serve(listener, router, told).await;
            done.send(())
        });
        drop(entered);
        Ok(Self {
            place,
            is_tls,
            app,
            ending,
            first_token,
            ended: Some(ended),
            runtime: Some(runtime),
            _socket: socket,
        })
    }

    /// The address it listens on; `None` for a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        match self.place {
            Listen::Address(address) => Some(address),
            Listen::Socket(_) => None,
        }
    }

    /// The URL that opens the larder through this server, or `unix:/PATH` for clients of its models.
    pub fn url(&self) -> String {
        url_of(&self.place, self.is_tls)
    }

    /// The token of the administrator that this server created, in a larder without users. It is not kept anywhere.
    pub fn first_token(&self) -> Option<&str> {
        self.first_token.as_deref()
    }

    /// The one-time link that opens the web page of a server with [`ServerOptions::local`], until it is used.
    pub fn local_link(&self) -> Option<String> {
        Some(format!("{}{}{}", self.url(), pages::entrance()?, self.app.sessions.code()?))
    }

    /// Waits until the process is told to stop by ctrl-c or `SIGTERM`, and stops the server.
    ///
    /// # Errors
    /// [`Error::Store`] if it ended by itself.
    pub fn wait(mut self) -> Result<()> {
        if let Some(runtime) = &self.runtime {
            let ending = self.ending.clone();
            let app = Arc::clone(&self.app);
            runtime.spawn(async move {
                told_to_stop().await;
                app.is_ending.store(true, Ordering::Relaxed);
                ending.send_replace(Some(DRAIN));
            });
        }
        match self.ended.take().map(|ended| ended.recv()) {
            Some(Err(error)) => Err(Error::store(format!("serve on {}", self.place), error)),
            _ => Ok(()),
        }
    }

    /// Stops the server: open requests may end, new ones are refused.
    pub fn stop(mut self) {
        self.stop_within(DRAIN);
    }

    fn stop_within(&mut self, time: Duration) {
        self.app.is_ending.store(true, Ordering::Relaxed);
        self.ending.send_replace(Some(time));
        if let Some(ended) = self.ended.take() {
            // It ended by itself if nothing is received.
            let _ = ended.recv_timeout(time + Duration::from_secs(1));
        }
        if let Some(runtime) = self.runtime.take() {
            self.app.serving.stop(time);
            if let Some(traces) = &self.app.traces {
                traces.end(FLUSH);
            }
            runtime.shutdown_timeout(Duration::from_secs(5));
            if let Some(guard) = &self.app.guard {
                guard.audit.flush();
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_within(Duration::from_secs(1));
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.url())
    }
}

/// Follows the deployments of the larder; a page on one's own machine serves none.
fn deployer(serving: &Serving, options: &ServerOptions) -> Result<Deployer> {
    if options.is_local {
        use larder_core::{Registry, store::MemoryStore};

        let empty = Larder::new(Arc::new(MemoryStore::new()), Registry::new());
        return Deployer::start(&Serving::start(&empty, &ServingOptions::new())?);
    }
    Deployer::start(serving)
}

/// Keeps a timer that ends soon. A timer that ends before all others wakes a thread when it is set, and without this one, the
/// time limit of each request's head would be that.
async fn tick() {
    loop {
        tokio::time::sleep(TICK).await;
    }
}

fn url_of(place: &Listen, is_tls: bool) -> String {
    match (place, is_tls) {
        (Listen::Address(address), true) => format!("https://{address}"),
        (Listen::Address(address), false) => format!("http://{address}"),
        (Listen::Socket(_), _) => place.to_string(),
    }
}

#[cfg(feature = "oidc")]
fn single_sign_on(options: &ServerOptions, url: &str) -> Result<Option<crate::oidc::Oidc>> {
    options.oidc.as_ref().map(|oidc| crate::oidc::Oidc::new(oidc, url)).transpose()
}

/// Creates the first administrator in a larder without users, and returns its token.
fn set_up(larder: &Larder) -> Result<Option<String>> {
    let access = larder.access();
    if access.is_set_up()? {
        return Ok(None);
    }
    // Of servers that start at the same time, one creates it.
    if !access.add_user(FIRST_USER, &[])? {
        return Ok(None);
    }
    access.grant(&Subject::user(FIRST_USER)?, Role::Admin, "*")?;
    let token = access.create_token(FIRST_USER, &TokenOptions::new().label("first token"))?;
    Ok(Some(token.secret))
}

fn tls_config(tls: &Tls) -> Result<Arc<rustls::ServerConfig>> {
    let reading = |path: &std::path::Path| {
        let action = format!("read {}", path.display());
        move |error: Box<dyn std::error::Error + Send + Sync>| Error::store(action, error)
    };
    let pem =
        fs::read(&tls.certificates).map_err(|error| reading(&tls.certificates)(error.into()))?;
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| reading(&tls.certificates)(error.into()))?;
    let key = fs::read(&tls.key).map_err(|error| reading(&tls.key)(error.into()))?;
    let key =
        PrivateKeyDer::from_pem_slice(&key).map_err(|error| reading(&tls.key)(error.into()))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(|error| Error::store("use the certificate", error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

async fn told_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let kind = tokio::signal::unix::SignalKind::terminate();
        let Ok(mut terminated) = tokio::signal::unix::signal(kind) else {
            let _ = interrupted.await;
            return;
        };
        let (interrupted, terminated) = (pin!(interrupted), pin!(terminated.recv()));
        futures_util::future::select(interrupted, terminated).await;
    }
    #[cfg(not(unix))]
    let _ = interrupted.await;
}
