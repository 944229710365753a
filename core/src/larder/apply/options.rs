//! Options of `apply`.

use std::sync::Arc;

use crate::digest::Digest;
use crate::participant::Participant;

/// Options of [`Larder::apply_with`](crate::Larder::apply_with).
///
/// ```
/// use larder_core::ApplyOptions;
///
/// let options = ApplyOptions::new().triggers(false);
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
pub struct ApplyOptions {
    pub(crate) triggers: bool,
    pub(crate) dry_run: bool,
    pub(crate) onto: Option<Digest>,
    pub(crate) participants: Vec<Arc<dyn Participant>>,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self { triggers: true, dry_run: false, onto: None, participants: Vec::new() }
    }
}

impl ApplyOptions {
    /// Returns the default options: triggers run, and no condition.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether triggers run; the default is `true`.
    #[must_use]
    pub fn triggers(mut self, triggers: bool) -> Self {
        self.triggers = triggers;
        self
    }

    /// Sets whether blobs are digested without writing anything.
    #[must_use]
    pub(crate) fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Applies only if the newest version has the manifest `digest`; otherwise it is a conflict.
    #[must_use]
    pub fn onto(mut self, digest: Digest) -> Self {
        self.onto = Some(digest);
        self
    }

    /// Adds a participant to this call.
    #[must_use]
    pub fn with(mut self, participant: Arc<dyn Participant>) -> Self {
        self.participants.push(participant);
        self
    }
}
