//! Errors of a database, as people read them, and which of them pass.

use std::error::Error as _;
use std::io;

use larder_core::Error;
use tokio_postgres::Error as Cause;
use tokio_postgres::error::SqlState;

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database, or the way to it, says so.
    Database(Cause),
    /// It may be otherwise in a moment.
    Passing(&'static str),
    /// Trying again would change nothing.
    Final(Error),
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self::Database(cause)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl Failure {
    /// Whether it may be otherwise in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Database(cause) => is_passing(cause),
            Self::Passing(_) => true,
            Self::Final(_) => false,
        }
    }

    /// The error of what was to `action`.
    pub(crate) fn into_error(self, action: String) -> Error {
        match self {
            Self::Database(cause) => Error::store(action, told(&cause)),
            Self::Passing(reason) => Error::store(action, reason),
            Self::Final(error) => error,
        }
    }
}

/// A server that starts or stops, a line that broke, and writers that waited for each other.
fn is_passing(cause: &Cause) -> bool {
    if let Some(state) = cause.code() {
        let code = state.code();
        return code.starts_with("08") // the connection
            || *state == SqlState::ADMIN_SHUTDOWN
            || *state == SqlState::CRASH_SHUTDOWN
            || *state == SqlState::CANNOT_CONNECT_NOW
            || *state == SqlState::TOO_MANY_CONNECTIONS
            || *state == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
            || *state == SqlState::T_R_DEADLOCK_DETECTED
            || *state == SqlState::T_R_SERIALIZATION_FAILURE;
    }
    let system = cause.source().and_then(|source| source.downcast_ref::<io::Error>());
    match system {
        // A certificate stays what it is.
        Some(error) => {
            !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        }
        // A connection that was cut, or took too long to make.
        None => cause.is_closed() || cause.to_string().contains("timeout"),
    }
}

/// An error with its causes, and what to do about it.
fn told(cause: &Cause) -> String {
    let mut text = cause.to_string();
    if let Some(said) = cause.as_db_error() {
        text = format!("{} ({})", said.message(), said.code().code());
    } else if let Some(source) = cause.source() {
        text = format!("{text}: {source}");
    }
    let advice = match cause.code() {
        Some(state) if *state == SqlState::INVALID_CATALOG_NAME => {
            "; make the database first (`createdb`), or check its name"
        }
        Some(state)
            if *state == SqlState::INVALID_PASSWORD
                || *state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION =>
        {
            "; check user and password, and the server's pg_hba.conf"
        }
        Some(state) if *state == SqlState::INSUFFICIENT_PRIVILEGE => {
            "; grant it, or name another user"
        }
        None => "; check the host and the network",
        _ => "",
    };
    format!("{text}{advice}")
}
