//! Converts errors of a database, and tells transient ones apart.

use std::error::Error as _;
use std::io;

use larder_store::Error;
use tokio_postgres::Error as Cause;
use tokio_postgres::error::SqlState;

/// A failed attempt.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error of the database or the connection.
    Database(Cause),
    /// A transient condition.
    Transient(&'static str),
    /// A permanent error.
    Permanent(Error),
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self::Database(cause)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Permanent(error)
    }
}

impl Failure {
    /// Returns whether another attempt may succeed.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Database(cause) => is_transient(cause),
            Self::Transient(_) => true,
            Self::Permanent(_) => false,
        }
    }

    /// Converts into the error of `action`.
    pub(crate) fn into_error(self, action: String) -> Error {
        match self {
            Self::Database(cause) => Error::store(action, message(&cause)),
            Self::Transient(reason) => Error::store(action, reason),
            Self::Permanent(error) => error,
        }
    }
}

/// Transient errors: a server that starts or stops, a broken connection, a deadlock.
fn is_transient(cause: &Cause) -> bool {
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
        // A bad certificate is permanent.
        Some(error) => {
            !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
        }
        // A broken connection, or a timeout while connecting.
        None => cause.is_closed() || cause.to_string().contains("timeout"),
    }
}

/// Returns the message of an error with its cause and advice.
fn message(cause: &Cause) -> String {
    let mut text = cause.to_string();
    if let Some(said) = cause.as_db_error() {
        text = format!("{} ({})", said.message(), said.code().code());
    } else if let Some(source) = cause.source() {
        text = format!("{text}: {source}");
    }
    let advice = match cause.code() {
        Some(state) if *state == SqlState::INVALID_CATALOG_NAME => {
            "; create the database (`createdb`), or check its name"
        }
        Some(state)
            if *state == SqlState::INVALID_PASSWORD
                || *state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION =>
        {
            "; check the user, the password and the pg_hba.conf of the server"
        }
        Some(state) if *state == SqlState::INSUFFICIENT_PRIVILEGE => {
            "; grant the privilege, or name another user"
        }
        None => "; check the host and the network",
        _ => "",
    };
    format!("{text}{advice}")
}
