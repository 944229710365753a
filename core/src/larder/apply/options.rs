//! Options of `apply`.

use std::sync::Arc;

use super::read_back::ReadBack;
use crate::component::Component;
use crate::digest::Digest;
use crate::larder::annotations::AnnotationsChange;
use crate::name::Identifier;
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
    /// The version that must be the newest; `Some(None)` for none.
    pub(crate) onto: Option<Option<Digest>>,
    pub(crate) participants: Vec<Arc<dyn Participant>>,
    pub(crate) read_back: ReadBack,
    pub(crate) annotations: AnnotationsChange,
    pub(crate) beside: Vec<(Identifier, Arc<dyn Component>)>,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self {
            triggers: true,
            dry_run: false,
            onto: None,
            participants: Vec::new(),
            read_back: ReadBack::Small,
            annotations: AnnotationsChange::new(),
            beside: Vec::new(),
        }
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

    /// Sets whether what was written is read back and compared before it is committed; the default is `true`.
    ///
    /// The fields and every artifact of up to 1 MiB are read back, and of larger artifacts the first of each type in
    /// a process, up to 1 GiB. That finds types that their serializer cannot read back, or reads back as another
    /// value, such as an untagged enum in Postcard.
    ///
    /// With `false`, the loss of such a value shows when it is loaded, or never. It saves a decoding of the value, and
    /// two walks through it.
    #[must_use]
    pub fn read_back(mut self, read_back: bool) -> Self {
        self.read_back = if read_back { ReadBack::Small } else { ReadBack::Nothing };
        self
    }

    /// Reads back every artifact, of any size.
    ///
    /// Meanwhile a value is in memory three times: as it is, encoded, and decoded.
    #[must_use]
    pub fn read_back_all(mut self) -> Self {
        self.read_back = ReadBack::Everything;
        self
    }

    /// Applies only if the newest version has the manifest `digest`; otherwise it is a conflict.
    #[must_use]
    pub fn onto(mut self, digest: Digest) -> Self {
        self.onto = Some(Some(digest));
        self
    }

    /// Applies only if the name has no version; otherwise it is a conflict.
    #[must_use]
    pub fn first(mut self) -> Self {
        self.onto = Some(None);
        self
    }

    /// Annotates the version in the commit that writes it, so nobody sees it without; the newest version, if nothing is
    /// written because it has the same content.
    ///
    /// ```
    /// # fn example(larder: &larder_core::Larder, model: &dyn larder_core::Component) -> larder_core::Result<()> {
    /// use larder_core::{ApplyOptions, versions::AnnotationsChange};
    ///
    /// let change = AnnotationsChange::new().label("team", "cellar").metric("f1", 0.93);
    /// larder.apply_with("wine", model, &ApplyOptions::new().annotate(change))?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn annotate(mut self, change: AnnotationsChange) -> Self {
        self.annotations = change;
        self
    }

    /// Applies another component in the same commit, before this one, unless a version with its content is there.
    ///
    /// In a store that makes the changes of a commit one by one, such as a folder, a writer that dies may leave it alone.
    ///
    /// ```
    /// # fn example(larder: &larder_core::Larder, words: std::sync::Arc<dyn larder_core::Component>,
    /// #     model: &dyn larder_core::Component) -> larder_core::Result<()> {
    /// use larder_core::ApplyOptions;
    ///
    /// let options = ApplyOptions::new().beside("review/words".parse()?, words);
    /// larder.apply_with("review/model", model, &options)?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn beside(mut self, name: Identifier, component: Arc<dyn Component>) -> Self {
        self.beside.push((name, component));
        self
    }

    /// Adds a participant to this call.
    #[must_use]
    pub fn with(mut self, participant: Arc<dyn Participant>) -> Self {
        self.participants.push(participant);
        self
    }
}
