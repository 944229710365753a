//! Errors of requests.

use std::sync::Arc;
use std::time::Duration;

use larder_core::{BoxError, Error};

use crate::metrics::Outcome;

/// A result whose error is [`ServeError`].
pub type ServeResult<T> = Result<T, ServeError>;

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Too many requests wait for the model.
    #[error("cannot predict with {model}: {waiting} requests wait for it; try again in {}", Seconds(*retry_after))]
    Busy {
        /// The model.
        model: String,
        /// The number of requests that wait for it.
        waiting: usize,
        /// When there is likely to be room.
        retry_after: Duration,
    },
    /// The models in use fill the memory that models may have.
    #[error(
        "cannot load {model}: it has {needed} bytes, and models in use leave {free} of {limit}; try again in {}",
        Seconds(*retry_after)
    )]
    Full {
        /// The model.
        model: String,
        /// Its bytes.
        needed: u64,
        /// The bytes that models in use leave.
        free: u64,
        /// The bytes that models may have.
        limit: u64,
        /// When there may be room.
        retry_after: Duration,
    },
    /// The deadline of the request passed.
    #[error("cannot predict with {model}: no answer by the deadline of the request")]
    Late {
        /// The model.
        model: String,
    },
    /// Too many predictions of the model do not end.
    #[error(
        "cannot predict with {model}: {lost} of its predictions run without end; deploy another version"
    )]
    Stuck {
        /// The model.
        model: String,
        /// The number of threads that it holds.
        lost: usize,
    },
    /// The model panicked.
    #[error("cannot predict with {model}: the model panicked")]
    Panicked {
        /// The model.
        model: String,
        /// The panic.
        source: BoxError,
    },
    /// The model could not be loaded. The error is kept for a few seconds.
    #[error("cannot load {model}")]
    Load {
        /// The model.
        model: String,
        /// Why.
        source: Arc<Error>,
    },
    /// No version of the deployment serves yet.
    #[error("cannot predict with the deployment {deployment}: {reason}")]
    NotReady {
        /// The deployment.
        deployment: String,
        /// Why.
        reason: String,
    },
    /// The program stops serving.
    #[error("cannot predict: the server is stopping")]
    Stopping,
    /// The input does not fit, or the model failed.
    #[error(transparent)]
    Model(#[from] Error),
}

impl ServeError {
    /// Returns when to try again, if that may help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } | Self::Full { retry_after, .. } => Some(*retry_after),
            Self::NotReady { .. } | Self::Stopping => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Busy { .. } | Self::Full { .. } | Self::Stopping => Outcome::Busy,
            Self::Late { .. } => Outcome::Late,
            Self::Stuck { .. } | Self::NotReady { .. } => Outcome::Stuck,
            Self::Panicked { .. } => Outcome::Panicked,
            Self::Model(Error::Input { .. }) => Outcome::BadInput,
            Self::Model(_) | Self::Load { .. } => Outcome::Failed,
        }
    }
}

/// Whole seconds, rounded up.
struct Seconds(Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64().ceil())
    }
}
