//! The engine: reads, creates and compacts versions.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use larder_core::extend::{LarderExt as _, Records, StoredArtifact};
use larder_core::store::{Backoff, VersionNumber};
use larder_core::{
    Applied, ApplyOptions, Artifact, Component, Error, Identifier, Larder, Reference, Result,
    Selector, VersionInfo,
};

use super::commit::BegunWrite;
use super::prepare::Prepared;
use super::version::FragmentVersion;
use super::write::{NewFragment, Uploads};
use super::{lookup, merge};
use crate::engine::{Compacted, Engine, EngineVersion, NewCollection, PendingWrite, Write};
use crate::fragment::{Data, Deleted, Fragment, FragmentCache, Positions, Rows};
use crate::snapshot::Snapshot;

/// Maximum time of trying again while other writers are first.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// Keeps the rows of a collection as fragments, which are artifacts of ordinary versions.
pub struct FragmentEngine {
    pub(super) larder: Larder,
    pub(super) name: Identifier,
    cache: FragmentCache,
    /// The newest version that this engine has seen.
    head: Mutex<Option<FragmentVersion>>,
    /// True once versions could not be committed together, because of the store or of listeners: it is not tried again.
    writes_alone: AtomicBool,
}

impl FragmentEngine {
    /// Creates the engine of the collection `name`.
    pub fn new(larder: &Larder, name: Identifier) -> Self {
        let (cache, head) = (FragmentCache::default(), Mutex::default());
        Self { larder: larder.clone(), name, cache, head, writes_alone: AtomicBool::new(false) }
    }

    pub(super) fn latest(&self) -> Result<Option<FragmentVersion>> {
        let record = Records::head(&self.larder, &self.name)?.and_then(|head| head.latest);
        let Some(record) = record else { return Ok(None) };
        if let Some(known) = self.known()
            && known.info().digest == record.manifest
            && known.info().version == record.version
        {
            return Ok(Some(known));
        }
        let version = self.open(VersionInfo::new(&self.name, &record))?;
        self.remember(&version);
        Ok(Some(version))
    }

    /// Returns the newest version that this engine has seen, which may not be the newest one.
    pub(super) fn known(&self) -> Option<FragmentVersion> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn writes_alone(&self) -> bool {
        self.writes_alone.load(Ordering::Relaxed)
    }

    fn open(&self, info: VersionInfo) -> Result<FragmentVersion> {
        let snapshot: Snapshot = self.larder.load(info.reference())?;
        Ok(FragmentVersion::new(info, snapshot, self.cache.clone()))
    }

    fn remember(&self, version: &FragmentVersion) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(version.clone());
    }

    /// Applies a snapshot on `base`; `None` if another writer was first.
    pub(super) fn apply(
        &self,
        snapshot: Snapshot,
        base: Option<&FragmentVersion>,
        new: &[NewFragment],
    ) -> Result<Option<FragmentVersion>> {
        let options = ApplyOptions::new().read_back(false);
        let options = match base {
            Some(base) => options.onto(base.info().digest),
            None => options.first(),
        };
        match self.larder.apply_with(self.name.clone(), &snapshot, &options) {
            Ok(Applied::Created(info)) => Ok(Some(self.written(snapshot, new, info))),
            // Another writer wrote exactly the same: its rows are not these.
            Ok(Applied::Unchanged(_)) | Err(Error::Conflict { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Applies snapshots, each on the one before, in one commit; `None` if another writer was first, or it is not possible.
    pub(super) fn apply_in_a_row(
        &self,
        new: Vec<(Snapshot, Vec<NewFragment>)>,
        base: &FragmentVersion,
    ) -> Result<Option<Vec<FragmentVersion>>> {
        let options = ApplyOptions::new().read_back(false).onto(base.info().digest);
        let snapshots: Vec<_> =
            new.iter().map(|(snapshot, _)| snapshot as &dyn Component).collect();
        let infos = match self.larder.apply_in_a_row(&self.name, &snapshots, &options) {
            Ok(Some(infos)) => infos,
            Ok(None) => {
                self.writes_alone.store(true, Ordering::Relaxed);
                return Ok(None);
            }
            Err(Error::Conflict { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let new = new.into_iter().zip(infos);
        let versions =
            new.map(|((snapshot, fragments), info)| self.written(snapshot, &fragments, info));
        Ok(Some(versions.collect()))
    }

    /// Returns a version that was written.
    fn written(
        &self,
        snapshot: Snapshot,
        new: &[NewFragment],
        info: VersionInfo,
    ) -> FragmentVersion {
        for NewFragment { fragment, batch } in new {
            if let (Some(batch), Some(digest)) = (batch, fragment.data.digest()) {
                self.cache.keep(digest, batch, fragment.size());
            }
        }
        let snapshot = self.without_values(snapshot, &info);
        let version = FragmentVersion::new(info, snapshot, self.cache.clone());
        self.remember(&version);
        version
    }

    /// Returns the snapshot of a stored version, without copies of its data in memory.
    fn without_values(&self, mut snapshot: Snapshot, version: &VersionInfo) -> Snapshot {
        let mut first: Option<StoredArtifact> = None;
        for Fragment { data, .. } in &mut snapshot.fragments {
            if let Some(stored) = data.stored() {
                let first =
                    first.get_or_insert_with(|| stored.clone().of_version(&self.larder, version));
                *data = Data::File(stored.beside(first).into_artifact());
            } else if let Data::Inline(rows) = data {
                *data = Data::Inline(rows.clone().without_large_batch());
            }
        }
        snapshot
    }
}

impl FragmentEngine {
    /// Changes the snapshot of `head`, or of one that follows it, as a write does, and merges what the rules say.
    pub(super) fn merged(
        &self,
        snapshot: &mut Snapshot,
        head: Option<&FragmentVersion>,
        write: &Prepared,
        uploads: &mut Uploads<'_>,
    ) -> Result<Vec<NewFragment>> {
        let fragments = self.applied(snapshot, head, write)?;
        let loader = self.loader(head);
        let key_at = snapshot.key_at();
        let fragments = merge::tidy(fragments, &snapshot.schema, key_at, &loader, uploads)?;
        snapshot.fragments = fragments.iter().map(|it| it.fragment.clone()).collect();
        snapshot.rows = snapshot.fragments.iter().map(Fragment::live).sum();
        Ok(fragments)
    }

    /// Returns the fragments of `head` with a write applied.
    fn applied(
        &self,
        snapshot: &mut Snapshot,
        head: Option<&FragmentVersion>,
        prepared: &Prepared,
    ) -> Result<Vec<NewFragment>> {
        let mut fragments: Vec<NewFragment> = snapshot.fragments.iter().map(Into::into).collect();
        let edited: Vec<u64> = prepared.updated.iter().chain(&prepared.deleted).copied().collect();
        if let (Some(head), false) = (head, edited.is_empty()) {
            let places = lookup::places(head, &edited)?;
            let found: HashSet<u64> = places.iter().map(|(at, _)| edited[*at]).collect();
            if let Some(id) = prepared.updated.iter().find(|id| !found.contains(id)) {
                return Err(Error::Refused {
                    action: format!("update row {id} of {}", self.name),
                    reason: "there is no such row".into(),
                });
            }
            let mut by_fragment: HashMap<usize, Vec<u32>> = HashMap::new();
            for (_, (fragment, row)) in places {
                by_fragment.entry(fragment).or_default().push(row);
            }
            for (at, rows) in by_fragment {
                let fragment = &mut fragments[at].fragment;
                let positions = match &fragment.deleted {
                    Some(deleted) => deleted.positions.get()?.with(&rows),
                    None => Positions::new(rows),
                };
                let rows = positions.as_slice().len() as u64;
                fragment.deleted = Some(Deleted { rows, positions: Artifact::new(positions) });
            }
        }
        let write = snapshot.writes + 1;
        for new in prepared.inserts.iter().chain(&prepared.updates) {
            let mut new = new.clone();
            (new.fragment.first_write, new.fragment.last_write) = (write, write);
            fragments.push(new);
        }
        let inserted = fragments.len() - prepared.inserts.len() - prepared.updates.len();
        for NewFragment { fragment, .. } in
            &mut fragments[inserted..inserted + prepared.inserts.len()]
        {
            (fragment.first_id, fragment.last_id) =
                (snapshot.next_id, snapshot.next_id + fragment.rows - 1);
            snapshot.next_id += fragment.rows;
        }
        snapshot.writes = write;
        Ok(fragments)
    }

    pub(super) fn loader<'a>(
        &'a self,
        head: Option<&'a FragmentVersion>,
    ) -> impl Fn(&Fragment) -> Result<Rows> + 'a {
        move |fragment| {
            fragment.load(&self.cache, || {
                let version = head
                    .map_or_else(|| self.name.to_string(), |it| it.info().reference().to_string());
                let digest = fragment
                    .data
                    .digest()
                    .map_or_else(String::new, |it| format!(" {}", it.short()));
                format!(
                    "the fragment{digest} of {version}, which holds rows {} to {}",
                    fragment.first_id, fragment.last_id
                )
            })
        }
    }
}

impl Engine for FragmentEngine {
    fn name(&self) -> &Identifier {
        &self.name
    }

    fn head(&self) -> Result<Option<Arc<dyn EngineVersion>>> {
        Ok(self.latest()?.map(|version| Arc::new(version) as Arc<dyn EngineVersion>))
    }

    fn seen(&self) -> Option<Arc<dyn EngineVersion>> {
        self.known().map(|version| Arc::new(version) as Arc<dyn EngineVersion>)
    }

    fn at(&self, version: VersionNumber) -> Result<Arc<dyn EngineVersion>> {
        let reference = Reference::new(self.name.clone(), Selector::Version(version));
        let record = Records::find(&self.larder, &reference)?;
        Ok(Arc::new(self.open(VersionInfo::new(&self.name, &record))?))
    }

    fn create(&self, new: NewCollection, first: Write<'_>) -> Result<Arc<dyn EngineVersion>> {
        let snapshot = Snapshot::empty(new.schema, new.key, new.valid_permille)?;
        Box::new(BegunWrite::new(self, None, snapshot, first)?).commit()
    }

    fn begin<'a>(
        &'a self,
        base: &Arc<dyn EngineVersion>,
        write: Write<'_>,
    ) -> Result<Box<dyn PendingWrite + 'a>> {
        let Some(base) = base.as_any().downcast_ref::<FragmentVersion>() else {
            return Err(Error::internal(
                "a write is based on a version of another engine".to_owned(),
            ));
        };
        Ok(Box::new(BegunWrite::new(self, Some(base), base.snapshot().clone(), write)?))
    }

    fn compact(&self, most: usize) -> Result<Compacted> {
        let (begun, mut backoff) = (Instant::now(), Backoff::default());
        loop {
            let Some(head) = self.latest()? else {
                return Err(Records::not_found(&self.larder, &Reference::from(self.name.clone())));
            };
            let mut snapshot = head.snapshot().clone();
            let fragments = snapshot.fragments.iter().map(Into::into).collect();
            let key_at = snapshot.key_at();
            let mut uploads = Uploads::new(&self.larder, &self.name);
            let loader = self.loader(Some(&head));
            let merged =
                merge::compact(fragments, most, &snapshot.schema, key_at, &loader, &mut uploads)?;
            let Some((fragments, left)) = merged else {
                return Ok(Compacted { version: Arc::new(head.clone()), left: 0 });
            };
            snapshot.fragments = fragments.iter().map(|it| it.fragment.clone()).collect();
            uploads.finish()?;
            if let Some(version) = self.apply(snapshot, Some(&head), &[])? {
                return Ok(Compacted { version: Arc::new(version), left });
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::Conflict { what: self.name.to_string() });
            }
            backoff.pause();
        }
    }
}

impl fmt::Debug for FragmentEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FragmentEngine({})", self.name)
    }
}
