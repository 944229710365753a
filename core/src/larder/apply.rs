//! `apply`: from a component to a version.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::nest::{ApplySession, PendingComponent};
use super::pack::AN_ARTIFACT;
use super::{ApplyOptions, ArtifactReader, ArtifactWriter, Larder, VersionInfo};
use crate::component::Component;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::guard::{Guard, Refusal, Rules};
use crate::manifest::{ArtifactEntry, ChildEntry, Manifest};
use crate::name::{Identifier, TypeTag};
use crate::scope;
use crate::store::Change;

/// A commit that took longer than this, from looking at the collectors' records on, is looked after: well
/// below the least grace period.
pub const QUICK: Duration = Duration::from_millis(300);

/// What [`Larder::apply`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It wrote a new version.
    Created(VersionInfo),
    /// The newest version is the same to the last byte; nothing was written.
    Unchanged(VersionInfo),
}

impl Applied {
    /// The version, new or old.
    pub fn version(&self) -> &VersionInfo {
        match self {
            Self::Created(version) | Self::Unchanged(version) => version,
        }
    }

    /// Whether a new version was written.
    pub fn is_created(&self) -> bool {
        matches!(self, Self::Created(_))
    }
}

/// A component as bytes, all but written.
pub(super) struct EncodedComponent {
    pub(super) type_tag: TypeTag,
    pub(super) artifacts: Vec<ArtifactEntry>,
    pub(super) children: Vec<ChildEntry>,
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) manifest: Bytes,
    /// The manifest and the small artifacts.
    pub(super) blobs: Vec<Change>,
    /// The manifest of the newest version, if it must be this one for the new one to be written.
    pub(super) onto: Option<Digest>,
    /// Whether its type has hooks: its version is ready only when `on_create` was run.
    pub(super) hooks: bool,
    /// What was packed with it because it refers to it, children before those that refer to them.
    pub(super) nested: Vec<PendingComponent>,
}

impl EncodedComponent {
    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    /// The blobs that a version of it needs.
    pub(super) fn digests(&self) -> Vec<Digest> {
        let artifacts = self.artifacts.iter().map(|entry| entry.digest);
        artifacts.chain([self.digest]).collect()
    }
}

impl Larder {
    /// Keeps `component` as a new version of `name`.
    ///
    /// If the newest version is the same, nothing is written. An `Ok` survives a loss of power. When many
    /// apply to one name at once, each gets a version of its own.
    ///
    /// If its type has [`Hooks`](crate::Hooks), `post_init` runs on a copy, which is what is kept, and `on_create` after
    /// the commit. A version whose `on_create` failed or was cut short stays, and `latest` does not name it; if the same is
    /// applied again, `on_create` is run again for it.
    ///
    /// What it refers to by a [`Ref`](crate::Ref) is kept in the same commit, each under its own name; what is there already
    /// is not written again.
    ///
    /// # Errors
    /// [`Error::Hook`] for a hook;
    /// [`Error::InvalidName`] for the name; [`Error::Lossy`] for a field that JSON cannot hold;
    /// [`Error::Encode`] for an artifact that its serializer refuses; [`Error::Refused`] if the name is
    /// locked; [`Error::Conflict`] if other writers were faster again and again; [`Error::Store`].
    pub fn apply(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        component: &dyn Component,
    ) -> Result<Applied> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        self.apply_now(&name, component)
    }

    /// Keeps `component` as a new version of `name`, as `options` say.
    ///
    /// # Errors
    /// As [`apply`](Larder::apply).
    pub fn apply_with(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        component: &dyn Component,
        options: &ApplyOptions,
    ) -> Result<Applied> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        self.with_options(options).apply_now(&name, component)
    }

    fn apply_now(&self, name: &Identifier, component: &dyn Component) -> Result<Applied> {
        let copy = match component.as_hooks() {
            Some(_) => Some(self.prepared(name, component)?),
            None => None,
        };
        let onto = self.options().onto;
        self.commit_component(name, copy.as_deref().unwrap_or(component), onto)
    }

    /// Encodes fields of the type `type_tag`, and what they refer to.
    pub(super) fn pack(
        &self,
        name: &Identifier,
        type_tag: &str,
        type_version: u32,
        fields: &(impl erased_serde::Serialize + ?Sized),
    ) -> Result<EncodedComponent> {
        let nest = ApplySession::new(self, name);
        let packed = self.pack_fields(&nest, name, (type_tag, type_version), fields)?;
        Ok(EncodedComponent { nested: nest.take(), ..packed })
    }

    /// Encodes a component that others refer to, or that is applied itself.
    pub(super) fn pack_in(
        &self,
        nest: &Rc<ApplySession>,
        name: &Identifier,
        component: &dyn Component,
    ) -> Result<EncodedComponent> {
        let type_of = (component.type_tag(), component.type_version());
        let packed = self.pack_fields(nest, name, type_of, component)?;
        Ok(EncodedComponent { hooks: component.as_hooks().is_some(), ..packed })
    }

    fn pack_fields(
        &self,
        nest: &Rc<ApplySession>,
        name: &Identifier,
        (type_tag, type_version): (&str, u32),
        fields: &(impl erased_serde::Serialize + ?Sized),
    ) -> Result<EncodedComponent> {
        let what = format!("{name} (a `{type_tag}`)");
        let shelf = ArtifactReader::new(self, what.clone());
        let task = if self.options().dry_run { "digesting" } else { "storing" };
        let meter = self.watcher.begin(task, None);
        let packer = Rc::new(ArtifactWriter::new(shelf, meter, Rc::clone(nest)));
        let guard = Guard::new(Rules::JSON);
        let mut json = Vec::new();
        let encoded = scope::with_writer(&packer, || {
            let mut serializer = serde_json::Serializer::new(&mut json);
            erased_serde::serialize(fields, guard.serializer(&mut serializer))
        });
        if let Err(error) = encoded {
            let refusal = guard.error(error);
            return Err(match packer.take_failure() {
                Some(Error::Encode { what: inner, source }) if inner == AN_ARTIFACT => {
                    Error::Encode {
                        what: format!("the artifact `{}` of {what}", refusal.path()),
                        source,
                    }
                }
                Some(failure) => failure,
                None => refused(what, refusal),
            });
        }
        let unfit = |source| Error::Encode { what: what.clone(), source };
        let fields = String::from_utf8(json).map_err(|error| unfit(error.into()))?;
        let fields = RawValue::from_string(fields).map_err(|error| unfit(error.into()))?;
        let (artifacts, children, mut blobs) = packer.finish()?;
        let type_tag = TypeTag::new(type_tag)?;
        let type_of = (type_tag.clone(), type_version);
        let manifest = Manifest::new(type_of, fields, artifacts.clone(), children.clone());
        let manifest = manifest.to_json()?;
        let digest = Digest::of(&manifest);
        let size = manifest.len() as u64 + artifacts.iter().map(|entry| entry.size).sum::<u64>();
        blobs.push(Change::PutBlob { digest, bytes: manifest.clone() });
        let (onto, hooks, nested) = (None, false, Vec::new());
        Ok(EncodedComponent {
            type_tag,
            artifacts,
            children,
            digest,
            size,
            manifest,
            blobs,
            onto,
            hooks,
            nested,
        })
    }
}

/// The error of a guard that refused a manifest's fields, or of the type's own `Serialize`.
pub(super) fn refused(what: String, error: crate::guard::GuardError) -> Error {
    match error.refusal() {
        Some(Refusal::Number(_) | Refusal::Key | Refusal::NestedOption | Refusal::Depth(_)) => {
            let (path, reason) = error.into_parts();
            Error::Lossy {
                what,
                path,
                reason: reason.to_string(),
                advice: "Hold it in an `Artifact`, whose serializer can",
            }
        }
        _ => Error::Encode { what, source: error.into() },
    }
}
