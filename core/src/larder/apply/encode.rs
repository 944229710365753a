//! Encoding: from a component to a manifest and blobs.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::artifact_writer::{AN_ARTIFACT, ArtifactWriter};
use super::read_back::{ReadBack, read_fields_back};
use super::session::{ApplySession, PendingComponent};
use crate::component::Component;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::guard::{Guard, Refusal, Rules, uses};
use crate::larder::{ArtifactReader, Larder};
use crate::manifest::{ArtifactEntry, ChildEntry, Manifest};
use crate::name::{Identifier, TypeTag};
use crate::scope;
use crate::store::Change;

/// An encoded component; its large blobs are stored.
pub(super) struct EncodedComponent {
    pub(super) type_tag: TypeTag,
    pub(super) artifacts: Vec<ArtifactEntry>,
    pub(super) children: Vec<ChildEntry>,
    /// The blobs that the version which it follows, by [`ApplyOptions::onto`](super::ApplyOptions::onto), refers to as well.
    pub(super) inherited: HashSet<Digest>,
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) manifest: Bytes,
    /// The manifest and the small artifacts.
    pub(super) blobs: Vec<Change>,
    /// True if its type has hooks: the version becomes ready when `on_create` has run.
    pub(super) hooks: bool,
    /// The components behind its references, children before parents; then the versions that precede it.
    pub(super) children_encoded: Vec<PendingComponent>,
}

impl EncodedComponent {
    /// Returns the digests of all blobs of its version.
    pub(super) fn digests(&self) -> Vec<Digest> {
        let artifacts = self.artifacts.iter().map(|entry| entry.digest);
        artifacts.chain([self.digest]).collect()
    }

    /// Returns the digests of the blobs that no version refers to for certain.
    ///
    /// A collector leaves the others alone, as long as the version that the new one follows is the newest one. An isolated
    /// commit checks that, and no other one takes effect until it is done; in other stores, the version may be removed between
    /// its changes.
    pub(super) fn claimed(&self, is_isolated: bool) -> Vec<Digest> {
        let mut digests = self.digests();
        digests.retain(|digest| !(is_isolated && self.inherited.contains(digest)));
        digests
    }
}

impl Larder {
    /// Encodes a component, its children, and what is applied beside it.
    pub(super) fn encode(
        &self,
        name: &Identifier,
        component: &dyn Component,
    ) -> Result<EncodedComponent> {
        let session = ApplySession::new(self, name);
        for (name, beside) in &self.options().beside {
            let place = Arc::as_ptr(beside).addr();
            ApplySession::encode_child(&session, place, name, &**beside)?;
        }
        let encoded = self.encode_in(&session, name, component)?;
        Ok(EncodedComponent { children_encoded: session.take(), ..encoded })
    }

    /// Encodes components as versions that follow each other, and their children.
    pub(super) fn encode_in_a_row(
        &self,
        name: &Identifier,
        components: &[&dyn Component],
    ) -> Result<EncodedComponent> {
        let session = ApplySession::new(self, name);
        let encode = |component: &&dyn Component| self.encode_in(&session, name, *component);
        let mut encoded = components.iter().map(encode).collect::<Result<Vec<_>>>()?;
        let Some(last) = encoded.pop() else {
            return Err(Error::internal(format!("there is nothing to apply as {name}")));
        };
        let preceding = encoded.into_iter().map(|encoded| PendingComponent {
            name: name.clone(),
            encoded,
            component: None,
            jobs: Vec::new(),
        });
        let children_encoded = session.take().into_iter().chain(preceding).collect();
        Ok(EncodedComponent { children_encoded, ..last })
    }

    /// Encodes fields of the type `type_tag` without a component, and their children.
    pub(super) fn encode_value(
        &self,
        name: &Identifier,
        type_tag: &str,
        fields: &(impl erased_serde::Serialize + ?Sized),
    ) -> Result<EncodedComponent> {
        let session = ApplySession::new(self, name);
        let encoded = self.encode_fields(&session, name, (type_tag, 1), fields)?;
        Ok(EncodedComponent { children_encoded: session.take(), ..encoded })
    }

    /// Encodes a component within a session.
    pub(super) fn encode_in(
        &self,
        session: &Rc<ApplySession>,
        name: &Identifier,
        component: &dyn Component,
    ) -> Result<EncodedComponent> {
        let type_of = (component.type_tag(), component.type_version());
        let encoded = self.encode_fields(session, name, type_of, component)?;
        Ok(EncodedComponent { hooks: component.as_hooks().is_some(), ..encoded })
    }

    fn encode_fields(
        &self,
        session: &Rc<ApplySession>,
        name: &Identifier,
        (type_tag, type_version): (&str, u32),
        fields: &(impl erased_serde::Serialize + ?Sized),
    ) -> Result<EncodedComponent> {
        let what = format!("{name} (a `{type_tag}`)");
        let reader = ArtifactReader::new(self, what.clone());
        let task = if self.options().dry_run { "digesting" } else { "storing" };
        let meter = self.watcher.begin(task, None);
        let writer = Rc::new(ArtifactWriter::new(reader, meter, Rc::clone(session)));
        let guard = Guard::new(Rules::JSON);
        let mut json = Vec::new();
        let mut out = guard.output(&mut json);
        let (encoded, uses) = uses::collect(|| {
            scope::with_writer(&writer, || {
                let mut serializer = serde_json::Serializer::new(&mut out);
                erased_serde::serialize(fields, guard.serializer(&mut serializer))
            })
        });
        let encoded = encoded.and_then(|()| out.finish().map_err(serde_json::Error::io));
        if let Err(error) = encoded {
            let refusal = guard.error(error);
            return Err(match writer.take_failure() {
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
        let (artifacts, children, mut blobs) = writer.finish(&uses)?;
        if self.options().read_back != ReadBack::Nothing
            && let Some(entry) = self.registry.find(type_tag)
            && entry.version() == type_version
        {
            read_fields_back(&what, entry, writer.reader(), fields.get())?;
        }
        let type_tag = TypeTag::new(type_tag)?;
        let type_of = (type_tag.clone(), type_version);
        let manifest = Manifest::new(type_of, fields, artifacts.clone(), children.clone());
        if let Some((path, _)) = manifest.unlisted_links(&what)?.pop() {
            return Err(Error::Lossy {
                what,
                path,
                reason: "an object of just these two keys is a link, and this value is none".into(),
                advice: "Rename a key, or hold it in an `Artifact`",
            });
        }
        let manifest = manifest.to_json()?;
        let digest = Digest::of(&manifest);
        writer.reader().set_manifest(digest);
        let size = manifest.len() as u64 + artifacts.iter().map(|entry| entry.size).sum::<u64>();
        blobs.push(Change::PutBlob { digest, bytes: manifest.clone() });
        let (hooks, children_encoded) = (false, Vec::new());
        Ok(EncodedComponent {
            type_tag,
            artifacts,
            children,
            inherited: writer.take_inherited(),
            digest,
            size,
            manifest,
            blobs,
            hooks,
            children_encoded,
        })
    }
}

/// Converts a guard's refusal of fields, or an error of the type's `Serialize`.
pub(in crate::larder) fn refused(what: String, error: crate::guard::GuardError) -> Error {
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
