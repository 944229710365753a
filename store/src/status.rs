//! Small data that errors and reports of several crates name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One of the `Hooks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hook {
    /// `Hooks::post_init`.
    PostInit,
    /// `Hooks::setup`.
    Setup,
    /// `Hooks::on_create`.
    OnCreate,
    /// `Hooks::cleanup`.
    Cleanup,
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PostInit => "post_init",
            Self::Setup => "setup",
            Self::OnCreate => "on_create",
            Self::Cleanup => "cleanup",
        })
    }
}

/// The status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum JobStatus {
    /// It waits for its dependencies, for its next attempt or for a worker.
    Pending,
    /// A worker has it.
    Running,
    /// It returned `Ok`.
    Succeeded,
    /// It failed, and is not tried again.
    Failed,
    /// A required field is not set, or a dependency was skipped.
    Skipped,
    /// A dependency failed, was blocked or was cancelled.
    Blocked,
    /// Somebody cancelled it, or its version was removed.
    Cancelled,
}

impl JobStatus {
    /// All of them, in the order of a job's life.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Skipped,
        Self::Blocked,
        Self::Cancelled,
    ];

    /// Returns whether the job is finished.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// As it is written: `pending`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Blocked => "blocked",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for JobStatus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|status| status.as_str()).collect();
            Error::invalid("status of a job", text, format!("there are {}", known.join(", ")))
        })
    }
}

/// A number of blobs or files, and of the bytes in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct BlobCount {
    /// Number of blobs.
    pub count: u64,
    /// Total bytes.
    pub bytes: u64,
}

impl BlobCount {
    /// Adds one of `bytes` bytes.
    pub fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}
