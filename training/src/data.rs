//! Training data.

use larder_collections::{CollectionVersion, Filter, Fold, LarderCollections as _, RowBatch, Scan};
use larder_core::store::VersionNumber;
use larder_core::{Error, Identifier, Larder, Reference, Result, Selector};
use larder_listeners::{LarderListeners as _, PinnedCollection};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

/// The rows to train on, and how to go through them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingData {
    /// The collection.
    pub collection: Identifier,
    /// The version; that which is newest when the job starts, if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionNumber>,
    /// The condition on rows of both folds, as in a search. It may name the outputs of listeners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The fields to read, `_outputs.NAME` included; all stored ones if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
    /// The fold to train on, `train` or `valid`; the other one validates.
    pub fold: String,
    /// The seed of the order of rows.
    pub seed: u64,
    /// Rows of a batch.
    pub batch_rows: u32,
    /// Maximum number of times that all rows are read.
    pub epochs: u32,
    /// Epochs without a better objective after which training stops; none if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<u32>,
    /// Rows that have to change before a change of the collection trains again; one if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
}

impl TrainingData {
    /// Trains on the fold `train` of the newest version, once through all rows.
    pub fn new(collection: Identifier) -> Self {
        Self {
            collection,
            version: None,
            filter: None,
            fields: None,
            fold: "train".into(),
            seed: 0,
            batch_rows: 1_024,
            epochs: 1,
            patience: None,
            every: None,
        }
    }

    /// Trains on a version instead of the newest.
    #[must_use]
    pub fn version(self, version: VersionNumber) -> Self {
        Self { version: Some(version), ..self }
    }

    /// Trains on rows that match.
    #[must_use]
    pub fn filter(self, filter: impl Into<String>) -> Self {
        Self { filter: Some(filter.into()), ..self }
    }

    /// Reads these fields only.
    #[must_use]
    pub fn fields(self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { fields: Some(fields.into_iter().map(Into::into).collect()), ..self }
    }

    /// Sets the seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Sets the number of rows of a batch.
    #[must_use]
    pub fn batch_rows(self, rows: u32) -> Self {
        Self { batch_rows: rows, ..self }
    }

    /// Reads all rows up to `epochs` times, and stops after `patience` epochs without a better objective.
    #[must_use]
    pub fn epochs(self, epochs: u32, patience: Option<u32>) -> Self {
        Self { epochs, patience, ..self }
    }

    /// Trains again once this many rows were inserted, updated or deleted, if the component watches the collection: see
    /// [`Listeners::watch`](larder_listeners::Listeners::watch).
    #[must_use]
    pub fn every(self, rows: u64) -> Self {
        Self { every: Some(rows), ..self }
    }

    /// Returns the number of rows that changed from a version to the newest; `None` if that version was removed.
    pub(crate) fn changed_since(
        &self,
        larder: &Larder,
        version: VersionNumber,
    ) -> Result<Option<u64>> {
        let collection = larder.untyped_collection(self.collection.clone())?;
        let before = match collection.at(version) {
            Ok(before) => before,
            Err(Error::NotFound { .. } | Error::Removed { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let delta = collection.latest()?.delta(&before)?;
        let rows = delta.inserted.len() + delta.updated.len() + delta.deleted.len();
        Ok(Some(rows as u64))
    }

    pub(crate) fn open(&self, larder: &Larder) -> Result<CollectionVersion> {
        let collection = larder.untyped_collection(self.collection.clone())?;
        let version = match self.version {
            Some(version) => collection.at(version)?,
            None => collection.latest()?,
        };
        let mut scan = self.scan(self.fold()?.0)?;
        scan.columns = self.fields.clone();
        larder.listeners(self.collection.clone())?.version_for(&scan.into(), &version)
    }

    fn scan(&self, fold: Fold) -> Result<Scan> {
        let mut scan = Scan::new().fold(fold).batch_rows(self.batch_rows as usize);
        if let Some(filter) = &self.filter {
            scan = scan.filter(filter.parse::<Filter>()?);
        }
        Ok(scan)
    }

    pub(crate) fn fold(&self) -> Result<(Fold, Fold)> {
        Ok(match self.fold.parse()? {
            Fold::Train => (Fold::Train, Fold::Valid),
            Fold::Valid => (Fold::Valid, Fold::Train),
        })
    }

    /// Returns the ids of the rows to train on, in the order of an epoch.
    pub(crate) fn order(&self, version: &CollectionVersion, epoch: u32) -> Result<Vec<u64>> {
        let scan = self.scan(self.fold()?.0)?.columns(Vec::<String>::new());
        let mut ids = Vec::new();
        for batch in version.scan(&scan)? {
            ids.extend_from_slice(batch?.ids.values());
        }
        let seed = self.seed ^ u64::from(epoch).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        for at in (1..ids.len()).rev() {
            ids.swap(at, (random.next_u64() % (at as u64 + 1)) as usize);
        }
        Ok(ids)
    }

    /// Returns the batches of the other fold, in the order of rows.
    pub(crate) fn validation(
        &self,
        version: &CollectionVersion,
    ) -> Result<impl Iterator<Item = Result<RowBatch>>> {
        let mut scan = self.scan(self.fold()?.1)?;
        if let Some(fields) = &self.fields {
            scan = scan.columns(fields);
        }
        version.scan(&scan)
    }
}

/// The data that a component was trained on: the lineage of a model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrainedOn {
    /// The version of the collection, as a child: `used-by` of it lists the model.
    pub collection: PinnedCollection,
    /// The number of the version.
    pub version: VersionNumber,
    /// The condition on rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The fold that it was trained on.
    pub fold: String,
    /// The seed of the order of rows.
    pub seed: u64,
    /// The number of rows that it was trained on.
    pub rows: u64,
    /// The epochs that it took.
    pub epochs: u32,
    /// The id of the job.
    pub job: String,
}

impl TrainedOn {
    pub(crate) fn new(
        data: &TrainingData,
        version: &CollectionVersion,
        rows: u64,
        epochs: u32,
        job: String,
    ) -> Result<Self> {
        let number = version.info().version;
        let exact = Reference::new(data.collection.clone(), Selector::Version(number));
        Ok(Self {
            collection: PinnedCollection::to(exact)?,
            version: number,
            filter: data.filter.clone(),
            fold: data.fold.clone(),
            seed: data.seed,
            rows,
            epochs,
            job,
        })
    }
}

/// Returns an error of training data.
pub(crate) fn refused(data: &TrainingData, reason: impl Into<String>) -> Error {
    Error::Refused { action: format!("train on {}", data.collection), reason: reason.into() }
}
