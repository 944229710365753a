//! Where a server listens: an address, or a Unix socket.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use larder_core::{Error, Result};

/// The place where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port; port 0 is a free port.
    Address(SocketAddr),
    /// The path of a Unix socket, which only the user of the server may open. Written `unix:/PATH`.
    Socket(PathBuf),
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl FromStr for Listen {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |reason: &str| Error::invalid("place to listen at", text, reason);
        match text.strip_prefix("unix:") {
            Some(path) if Path::new(path).is_absolute() => Ok(Self::Socket(path.into())),
            Some(_) => Err(invalid("the path of a socket is absolute: `unix:/run/larder.sock`")),
            None => text.parse().map(Self::Address).map_err(|_| {
                invalid("write an address with a port, `127.0.0.1:7420`, or `unix:/PATH`")
            }),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What was bound.
pub(crate) enum Bound {
    Tcp(TcpListener, SocketAddr),
    #[cfg(unix)]
    Socket(std::os::unix::net::UnixListener, SocketFile),
}

impl Listen {
    /// Binds the address, or creates the socket.
    pub(crate) fn bind(&self) -> Result<Bound> {
        let failed = |error| Error::store(format!("listen on {self}"), error);
        match self {
            Self::Address(address) => {
                let listener = TcpListener::bind(address).map_err(failed)?;
                listener.set_nonblocking(true).map_err(failed)?;
                let address = listener.local_addr().map_err(failed)?;
                Ok(Bound::Tcp(listener, address))
            }
            #[cfg(unix)]
            Self::Socket(path) => socket(path).map_err(failed),
            #[cfg(not(unix))]
            Self::Socket(_) => Err(Error::Refused {
                action: format!("listen on {self}"),
                reason: "this system has no Unix sockets".into(),
            }),
        }
    }
}

/// Creates a socket that only this user may open, in the place of one that a killed server left.
#[cfg(unix)]
fn socket(path: &Path) -> std::io::Result<Bound> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    use std::os::unix::net::{UnixListener, UnixStream};

    if let Ok(found) = std::fs::symlink_metadata(path) {
        let is_in_use = !found.file_type().is_socket() || UnixStream::connect(path).is_ok();
        if is_in_use {
            return Err(std::io::ErrorKind::AddrInUse.into());
        }
    }
    // Nobody may open it before its mode is set.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let unready = path.with_file_name(name);
    let listener = UnixListener::bind(&unready)?;
    let placed = std::fs::set_permissions(&unready, std::fs::Permissions::from_mode(0o600))
        .and_then(|()| listener.set_nonblocking(true))
        .and_then(|()| std::fs::rename(&unready, path));
    if let Err(error) = placed {
        let _ = std::fs::remove_file(&unready);
        return Err(error);
    }
    Ok(Bound::Socket(listener, SocketFile(path.to_owned())))
}

/// The file of a socket. It is removed when it is dropped.
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // The next server replaces one that is left.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_or_an_absolute_path() {
        assert_eq!("[::1]:80".parse::<Listen>().unwrap().to_string(), "[::1]:80");
        let socket: Listen = "unix:/run/larder.sock".parse().unwrap();
        assert_eq!(socket, Listen::Socket("/run/larder.sock".into()));
        assert_eq!(socket.to_string(), "unix:/run/larder.sock");
        for text in ["unix:larder.sock", "localhost", "127.0.0.1", "unix:", ""] {
            assert!(matches!(text.parse::<Listen>(), Err(Error::InvalidName { .. })), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_socket_of_a_server_that_is_gone_is_replaced() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("larder.sock");
        let place = Listen::Socket(path.clone());
        let first = place.bind().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(place.bind().is_err(), "it is in use");
        let Bound::Socket(listener, file) = first else { panic!("a socket was asked for") };
        drop(listener);
        drop(place.bind().unwrap());
        drop(file);
        std::fs::write(&path, "notes").unwrap();
        assert!(place.bind().is_err(), "it is a file");
        assert_eq!(std::fs::read(&path).unwrap(), b"notes");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
