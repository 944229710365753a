//! Accepts connections, and serves each on a task of its own.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::future::{Either, select};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::head_timer::HeadTimer;
use crate::router::Router;

/// Maximum time for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time for the handshake of TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum number of bytes of the head of a request.
const MOST_HEAD: usize = 64 << 10;
/// The time after which a server accepts again that could not, such as for lack of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// The source of connections.
pub(crate) enum Listener {
    Tcp(TcpListener, Option<Arc<rustls::ServerConfig>>),
    #[cfg(unix)]
    Unix(UnixListener),
}

/// Tells a server to shut down, and how long open requests may take.
pub(crate) type Ending = watch::Receiver<Option<Duration>>;

/// Serves until shutdown. Returns when all open requests have ended, or their time is over.
pub(crate) async fn serve(listener: Listener, router: Router, mut ending: Ending) {
    let connections = GracefulShutdown::new();
    loop {
        let told = ending.clone();
        let accepted = {
            let (accepted, ended) = (pin!(listener.accept()), pin!(told_to_end(&mut ending)));
            match select(ended, accepted).await {
                Either::Left(_) => break,
                Either::Right((accepted, _)) => accepted,
            }
        };
        match accepted {
            Ok(accepted) => accepted.spawn(router.clone(), connections.watcher(), told),
            Err(_) => sleep(PAUSE).await,
        }
    }
    drop(listener);
    let time = ending.borrow().unwrap_or_default();
    // The runtime drops the connections that are still open.
    let _ = timeout(time, connections.shutdown()).await;
}

async fn told_to_end(ending: &mut Ending) {
    // It fails if the server is gone.
    drop(ending.wait_for(Option::is_some).await);
}

/// A connection that was accepted.
enum Accepted {
    Tcp(tokio::net::TcpStream),
    Tls(tokio::net::TcpStream, TlsAcceptor),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Listener {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener, tls) => {
                let (stream, _) = listener.accept().await?;
                // One that is gone already fails by itself.
                let _ = stream.set_nodelay(true);
                Ok(match tls {
                    Some(tls) => Accepted::Tls(stream, Arc::clone(tls).into()),
                    None => Accepted::Tcp(stream),
                })
            }
            #[cfg(unix)]
            Self::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

impl Accepted {
    fn spawn(self, router: Router, watcher: Watcher, mut ending: Ending) {
        tokio::spawn(async move {
            match self {
                Self::Tcp(stream) => connection(stream, router, watcher).await,
                #[cfg(unix)]
                Self::Unix(stream) => connection(stream, router, watcher).await,
                Self::Tls(stream, tls) => {
                    // No request is open before the handshake ends.
                    let handshake = pin!(timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)));
                    let ended = pin!(told_to_end(&mut ending));
                    if let Either::Right((Ok(Ok(stream)), _)) = select(ended, handshake).await {
                        connection(stream, router, watcher).await;
                    }
                }
            }
        });
    }
}

/// Serves a connection until it is closed.
async fn connection<S>(stream: S, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let http = http();
    let service = service_fn(move |request: axum::http::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.answer(request.map(Body::new)).await) }
    });
    // A client that breaks the protocol, or goes away, has been answered as far as it can be.
    let _ = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
}

/// Sets limits. At most 100 headers is hyper's own one; to set it costs a list of that many for each request.
fn http() -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(HeadTimer::default())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MOST_HEAD);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .max_header_list_size(MOST_HEAD as u32);
    http
}
