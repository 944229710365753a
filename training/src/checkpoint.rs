//! The state of a training job, kept so that another attempt goes on with it.

use std::collections::BTreeMap;

use larder_core::store::VersionNumber;
use larder_core::versions::RemoveOptions;
use larder_core::{
    ApplyOptions, Artifact, BoxError, Component, ComponentType, Error, Identifier, Item, Result,
};
use larder_jobs::JobContext;
use larder_serializers::MsgPack;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The state of a training job, `larder/checkpoint`, under `NAME.checkpoint`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Checkpoint {
    job: String,
    /// The version of the collection.
    pub(crate) version: VersionNumber,
    /// Finished epochs.
    pub(crate) epoch: u32,
    /// Rows of the next epoch that were learnt from.
    pub(crate) row: u64,
    /// Rows of an epoch.
    pub(crate) rows: u64,
    /// Epochs since the best.
    pub(crate) without_better: u32,
    /// The metrics of the best epoch.
    pub(crate) best: BTreeMap<String, f64>,
    state: Artifact<Vec<u8>, MsgPack>,
    best_state: Artifact<Vec<u8>, MsgPack>,
}

fn name_of(job: &JobContext) -> Result<Identifier> {
    format!("{}.checkpoint", job.id().name()).parse()
}

fn encode(state: &impl Serialize) -> Result<Vec<u8>, BoxError> {
    Ok(rmp_serde::to_vec_named(state)?)
}

fn decode<S: DeserializeOwned>(bytes: &[u8]) -> Result<S, BoxError> {
    Ok(rmp_serde::from_slice(bytes)?)
}

impl Checkpoint {
    pub(crate) fn new(job: &JobContext, version: VersionNumber) -> Self {
        Self {
            job: job.id().to_string(),
            version,
            epoch: 0,
            row: 0,
            rows: 0,
            without_better: 0,
            best: BTreeMap::new(),
            state: Artifact::new(Vec::new()),
            best_state: Artifact::new(Vec::new()),
        }
    }

    /// Loads what an earlier attempt of the job kept.
    pub(crate) fn load(job: &JobContext) -> Result<Option<Self>> {
        match job.larder().load::<Self>(name_of(job)?) {
            Ok(found) => Ok(Some(found).filter(|found| found.job == job.id().to_string())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn state<S: DeserializeOwned>(&self) -> Result<S, BoxError> {
        decode(self.state.get()?)
    }

    pub(crate) fn best_state<S: DeserializeOwned>(&self) -> Result<S, BoxError> {
        decode(self.best_state.get()?)
    }

    pub(crate) fn keep_best(&mut self, state: &impl Serialize) -> Result<(), BoxError> {
        self.best_state = Artifact::new(encode(state)?);
        Ok(())
    }

    /// Writes the state, and removes the one before.
    pub(crate) fn keep(
        &mut self,
        job: &JobContext,
        state: &impl Serialize,
    ) -> Result<(), BoxError> {
        self.state = Artifact::new(encode(state)?);
        let name = name_of(job)?;
        let options = ApplyOptions::new().triggers(false).read_back(false);
        let applied = job.larder().apply_with(name.clone(), self, &options)?;
        let newest = applied.version().version;
        let before = newest.previous().map(|number| {
            larder_core::Reference::new(name, larder_core::Selector::Version(number))
        });
        if let Some(before) = before {
            // One that is gone already, or locked, is left as it is.
            let _ = job.larder().remove_with(before, &RemoveOptions::new().triggers(false));
        }
        Ok(())
    }

    /// Removes what was kept.
    pub(crate) fn remove(job: &JobContext) {
        let options = RemoveOptions::new().triggers(false);
        // What stays is ignored: it names its job.
        let _ = name_of(job).and_then(|name| job.larder().remove_all(name, &options));
    }
}

#[typetag::serde(name = "larder/checkpoint")]
impl Component for Checkpoint {}

impl ComponentType for Checkpoint {
    const TAG: &'static str = "larder/checkpoint";
}

larder_core::link!(Item::component::<Checkpoint>());
