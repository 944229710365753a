//! Writing the artifacts of a component while its fields are encoded.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::mem;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use larder_records::Reference;

use super::blob_writes::BlobWrites;
use super::read_back::{Check, Kept};
use super::session::ApplySession;
use super::sink::Sink;
use super::uses::{Listed, Use};
use crate::artifact::StoredArtifact;
use crate::component::Component;
use crate::digest::Digest;
use crate::error::{BoxError, Error, Result};
use crate::guard::uses;
use crate::larder::ArtifactReader;
use crate::manifest::{ArtifactEntry, ChildEntry, MOST_NESTING};
use crate::name::Identifier;
use crate::progress::Meter;
use crate::serializer::Serializer;
use crate::store::Transaction;
use crate::store::{Change, StoreExt};

/// Bytes of small blobs that wait for the commit; more are written ahead of it.
const MOST_WAITING: usize = 8 << 20;

/// Writes the artifacts of one component while its fields are encoded.
pub(crate) struct ArtifactWriter {
    reader: Arc<ArtifactReader>,
    /// The session that encodes children.
    session: Rc<ApplySession>,
    /// The children, and their places in this list.
    children: RefCell<(Vec<ChildEntry>, HashMap<ChildEntry, usize>)>,
    /// Counts the bytes that are written.
    meter: Meter,
    /// The artifacts as they were encoded: inner ones before those that hold them.
    entries: RefCell<Vec<ArtifactEntry>>,
    places: RefCell<HashMap<(Digest, String), usize>>,
    /// Number of artifacts that are being encoded, each inside the one before it.
    open: Cell<usize>,
    /// The blobs that the version which the new one follows refers to as well.
    inherited: RefCell<HashSet<Digest>>,
    /// Small blobs, written by the commit.
    waiting: RefCell<Vec<Change>>,
    waiting_bytes: Cell<usize>,
    /// Large blobs, being made durable.
    blob_writes: RefCell<BlobWrites>,
    failure: RefCell<Option<Error>>,
}

impl ArtifactWriter {
    pub(crate) fn new(reader: ArtifactReader, meter: Meter, session: Rc<ApplySession>) -> Self {
        Self {
            reader: Arc::new(reader),
            session,
            children: RefCell::default(),
            meter,
            entries: RefCell::default(),
            places: RefCell::default(),
            open: Cell::new(0),
            inherited: RefCell::default(),
            waiting: RefCell::default(),
            waiting_bytes: Cell::new(0),
            blob_writes: RefCell::default(),
            failure: RefCell::default(),
        }
    }

    /// Keeps the error, and returns its text for serde.
    pub(crate) fn fail(&self, error: Error) -> String {
        let text = error.to_string();
        self.failure.borrow_mut().get_or_insert(error);
        text
    }

    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.failure.take()
    }

    /// Waits until all large blobs are durable. Returns the entries for the manifest in the order of `uses`, and the
    /// blobs that the commit writes.
    pub(crate) fn finish(
        &self,
        uses: &[usize],
    ) -> Result<(Vec<ArtifactEntry>, Vec<ChildEntry>, Vec<Change>)> {
        self.blob_writes.borrow_mut().finish()?;
        let (entries, children) = (self.entries.take(), self.children.take().0);
        // Artifacts in memory refer to the entries as they were encoded.
        self.reader.set_entries(&entries, &children);
        let (entries, children) = Listed::in_order(uses, &entries, &children);
        Ok((entries, children, self.waiting.take()))
    }

    /// Returns the large blobs that are being made durable; [`finish`](Self::finish) does not wait for them then.
    pub(crate) fn take_blob_writes(&self) -> BlobWrites {
        self.blob_writes.take()
    }

    pub(crate) fn reader(&self) -> &Arc<ArtifactReader> {
        &self.reader
    }

    /// Encodes a child; `place` is its address.
    pub(crate) fn pack_child(
        &self,
        place: usize,
        name: &Identifier,
        component: &dyn Component,
    ) -> Result<ChildEntry> {
        let child = ApplySession::encode_child(&self.session, place, name, component)?;
        self.list_child(&child)?;
        Ok(child)
    }

    /// Refers to a stored child; `false` if it is not there.
    pub(crate) fn pin(&self, child: &ChildEntry) -> Result<bool> {
        let there = self.session.larder().find_child(child)?.is_some();
        if there {
            self.list_child(child)?;
        }
        Ok(there)
    }

    /// Refers to the version that a reference resolves to.
    pub(crate) fn pin_reference(&self, reference: &Reference) -> Result<ChildEntry> {
        let version = self.session.larder().find(reference)?;
        if !version.status.is_ready() {
            return Err(Error::Refused {
                action: format!("refer to {reference}"),
                reason: format!("its status is `{}`", version.status),
            });
        }
        let name = reference.identifier().clone();
        let child = ChildEntry { name, manifest: version.manifest };
        self.list_child(&child)?;
        Ok(child)
    }

    fn list_child(&self, child: &ChildEntry) -> Result<()> {
        if self.open.get() > 0 {
            return Err(Error::Refused {
                action: format!("refer to {} inside an artifact", child.name),
                reason: "references are listed without reading artifacts; hold it in a field beside the \
                         artifact"
                    .into(),
            });
        }
        let (children, places) = &mut *self.children.borrow_mut();
        let place = *places.entry(child.clone()).or_insert_with(|| {
            children.push(child.clone());
            children.len() - 1
        });
        Use::Child(place).add();
        Ok(())
    }

    /// Lists an entry once, and adds it to the enclosing artifact.
    fn list(&self, entry: ArtifactEntry) -> usize {
        let mut entries = self.entries.borrow_mut();
        let place = *self.places.borrow_mut().entry(entry.key()).or_insert_with(|| {
            entries.push(entry);
            entries.len() - 1
        });
        Use::Artifact(place).add();
        place
    }

    /// Runs `inside` as the encoding of one artifact. Returns the places of the artifacts inside it.
    fn opened<R>(&self, inside: impl FnOnce() -> Result<R>) -> Result<(R, Vec<usize>)> {
        if self.open.get() >= MOST_NESTING {
            return Err(encode_error(
                "artifacts lie in artifacts deeper than 32 levels, or in a cycle".into(),
            ));
        }
        self.open.set(self.open.get() + 1);
        let (result, uses) = uses::collect(inside);
        self.open.set(self.open.get() - 1);
        Ok((result?, Use::artifacts(&uses)))
    }

    /// Lists a stored artifact and those inside it; from another store the bytes are copied.
    pub(crate) fn adopt(&self, StoredArtifact { entry, reader }: &StoredArtifact) -> Result<()> {
        self.adopt_entry(entry, reader)
    }

    fn adopt_entry(&self, entry: &ArtifactEntry, reader: &ArtifactReader) -> Result<()> {
        if let Some(&place) = self.places.borrow().get(&entry.key()) {
            Use::Artifact(place).add();
            return Ok(());
        }
        let ((), holds) = self.opened(|| {
            if self.inherits(reader) {
                self.inherited.borrow_mut().insert(entry.digest);
            } else if self.is_dry_run() {
                reader.look(entry)?;
            } else if !self.reader.store().has_blob(&entry.digest)? {
                let bytes = reader.fetch(entry)?;
                let mut sink = self.sink();
                sink.write_all(&bytes).map_err(|error| sink.explain(error))?;
                self.settle(sink)?;
            }
            entry
                .holds
                .iter()
                .try_for_each(|&held| self.adopt_entry(reader.entry_at(held)?, reader))
        })?;
        self.list(ArtifactEntry { holds, ..entry.clone() });
        Ok(())
    }

    /// Returns whether the artifacts of `reader` are those of the version that the new one follows, in the same store.
    fn inherits(&self, reader: &ArtifactReader) -> bool {
        let base = self.session.larder().options().onto.flatten();
        base.is_some()
            && base.as_ref() == reader.manifest()
            && Arc::ptr_eq(reader.store(), self.reader.store())
    }

    /// Returns the blobs that the version which the new one follows refers to as well.
    pub(super) fn take_inherited(&self) -> HashSet<Digest> {
        self.inherited.take()
    }

    /// Encodes a value into a blob.
    pub(crate) fn pack<T: 'static, S: Serializer<T>>(
        &self,
        name: &str,
        value: &T,
    ) -> Result<StoredArtifact> {
        self.reader.check_serializer::<T, S>(name, || "write an artifact".to_owned())?;
        let check = Check::of::<T, S>(name, self.session.larder().options().read_back);
        let (((digest, size), kept), holds) = self.opened(|| {
            let mut sink = self.sink();
            sink.kept = check.keep();
            let encoded = self.reader.encode_with::<T, S>(name, value, &mut sink)?;
            encoded.map_err(|error| sink.explain(error))?;
            let kept = sink.kept.take();
            Ok((self.settle(sink)?, kept))
        })?;
        let entry = ArtifactEntry { digest, size, serializer: name.to_owned(), holds };
        if let Some(bytes) = kept.map(Kept::into_bytes) {
            let reader = self.reader_of(&entry);
            check.run::<T, S>(&reader, &entry, value, &bytes).map_err(encode_error)?;
        }
        self.list(entry.clone());
        Ok(StoredArtifact { entry, reader: Arc::clone(&self.reader) })
    }

    /// Returns a reader of the artifacts that `entry` holds.
    fn reader_of(&self, entry: &ArtifactEntry) -> Arc<ArtifactReader> {
        if entry.holds.is_empty() {
            return Arc::clone(&self.reader);
        }
        let entries = self.entries.borrow();
        let held: Vec<_> =
            entry.holds.iter().filter_map(|&held| entries.get(held)).cloned().collect();
        let reader = ArtifactReader::new(self.session.larder(), self.reader.version().to_owned());
        reader.set_entries(&held, &[]);
        Arc::new(reader)
    }

    /// Returns true if nothing is written.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.reader.is_dry_run()
    }

    fn sink(&self) -> Sink<'_> {
        Sink::new(&**self.reader.store(), &self.meter, !self.is_dry_run())
    }

    fn settle(&self, sink: Sink<'_>) -> Result<(Digest, u64)> {
        let Sink { hasher, size, buffer, writer, keeps, .. } = sink;
        let digest = Digest::from_bytes(*hasher.finalize().as_bytes());
        match writer {
            _ if !keeps => {}
            Some(writer) => self.blob_writes.borrow_mut().keep(writer, digest)?,
            None => {
                self.waiting_bytes.set(self.waiting_bytes.get() + buffer.len());
                self.waiting
                    .borrow_mut()
                    .push(Change::PutBlob { digest, bytes: Bytes::from(buffer) });
                if self.waiting_bytes.get() > MOST_WAITING {
                    self.waiting_bytes.set(0);
                    let blobs = mem::take(&mut *self.waiting.borrow_mut());
                    let mut tx = Transaction::new(&**self.reader.store());
                    tx.extend(blobs);
                    tx.commit_unconditional()?;
                }
            }
        }
        Ok((digest, size))
    }
}

/// Name of an artifact whose field is not known yet.
pub(super) const AN_ARTIFACT: &str = "an artifact";

pub(super) fn encode_error(source: BoxError) -> Error {
    Error::Encode { what: AN_ARTIFACT.into(), source }
}
