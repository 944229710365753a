//! The job of a training component.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use larder_collections::{CollectionVersion, RowBatch};
use larder_core::versions::AnnotationsChange;
use larder_core::{BoxError, Error, Result, VersionInfo};
use larder_core::{ComponentType, Reference};
use larder_jobs::{Event, JobContext, PublishOptions, Trigger};
use larder_listeners::Changed;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::data::{TrainedOn, TrainingData, refused};

/// Time after which the state of training is kept.
const INTERVAL: Duration = Duration::from_secs(10);
/// Batches that are read ahead.
const PREFETCH: usize = 2;

/// The metric that tells which epoch is best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// Less is better.
    Minimize(&'static str),
    /// More is better.
    Maximize(&'static str),
}

impl Objective {
    fn name(self) -> &'static str {
        match self {
            Self::Minimize(name) | Self::Maximize(name) => name,
        }
    }

    fn is_better(self, new: f64, old: f64) -> bool {
        match self {
            Self::Minimize(_) => new < old,
            Self::Maximize(_) => new > old,
        }
    }
}

/// Metrics by name.
pub type Metrics = BTreeMap<String, f64>;

/// A component that is trained on a collection by a job.
///
/// The job reads batches of one version of the collection: its fold, shuffled by the seed, some read ahead. After each epoch
/// it validates on the other fold, and keeps the state of the best epoch. A job that was interrupted goes on where its state
/// was last kept. At the end it publishes one version, with [`TrainedOn`] in its fields and the metrics as annotations.
///
/// [`triggers`] makes the jobs: `train` runs when an untrained component is applied, and on the event `retrain`. With
/// [`Listeners::watch`](larder_listeners::Listeners::watch), new rows fire that event; fewer than
/// [`every`](TrainingData::every) train nothing.
pub trait Train: ComponentType {
    /// The state between batches. It is stored as MessagePack.
    type State: Serialize + DeserializeOwned;

    /// Returns the rows to train on.
    fn data(&self) -> &TrainingData;

    /// Returns true if there is nothing to train yet.
    fn is_trained(&self) -> bool;

    /// Returns what it was trained on; by default nothing is known, and each change of the collection trains again.
    fn trained_on(&self) -> Option<&TrainedOn> {
        None
    }

    /// Returns the state before the first batch.
    ///
    /// # Errors
    /// Any error fails the job.
    fn begin(&self, version: &CollectionVersion) -> Result<Self::State, BoxError>;

    /// Learns from a batch.
    ///
    /// # Errors
    /// Any error fails the job.
    fn learn(&self, state: &mut Self::State, batch: &RowBatch) -> Result<(), BoxError>;

    /// Ends an epoch: for components that learn from all rows at once.
    ///
    /// # Errors
    /// Any error fails the job.
    fn end_epoch(&self, state: &mut Self::State) -> Result<(), BoxError> {
        let _ = state;
        Ok(())
    }

    /// Returns the metrics of a state on rows that it has not learnt from.
    ///
    /// # Errors
    /// Any error fails the job.
    fn validate(
        &self,
        state: &Self::State,
        rows: &mut dyn Iterator<Item = Result<RowBatch>>,
    ) -> Result<Metrics, BoxError>;

    /// Returns the metric that tells which epoch is best.
    fn objective(&self, state: &Self::State) -> Objective;

    /// Returns the trained component.
    ///
    /// # Errors
    /// Any error fails the job.
    fn finish(&self, state: Self::State, trained_on: TrainedOn) -> Result<Self, BoxError>;
}

/// The result of a training job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrainReport {
    /// The version that it published; the one that was there, if too few rows had changed.
    pub version: String,
    /// The number of rows that it was trained on.
    pub rows: u64,
    /// The epochs that were run.
    pub epochs: u32,
    /// The metrics of the best epoch.
    pub metrics: Metrics,
}

/// Returns the triggers of a training component: `train`, when it is applied without being trained, and on `retrain`.
pub fn triggers<T: Train>() -> Vec<Trigger<T>> {
    let mut train = Trigger::with_output("train", run::<T>)
        .on(Event::Apply)
        .requires("untrained", |component: &T| !component.is_trained())
        .retries(2);
    // A trained component is trained again on request.
    let mut retrain = Trigger::with_output("retrain", run::<T>).retries(2);
    if let Ok(event) = Event::custom("retrain") {
        retrain = retrain.on(event);
    }
    train = train.timeout(Duration::from_secs(7 * 24 * 3_600));
    vec![train, retrain]
}

/// Trains a component in a job, and publishes it.
///
/// # Errors
/// [`Error::Refused`] if there is nothing to train on; the errors of the component and of the store.
pub fn run<T: Train>(component: &T, job: &JobContext) -> Result<TrainReport, BoxError> {
    let data = component.data();
    let mut checkpoint = Checkpoint::load(job)?;
    if checkpoint.is_none()
        && let Some(report) = up_to_date::<T>(data, job)?
    {
        return Ok(report);
    }
    let number = checkpoint.as_ref().map(|checkpoint| checkpoint.version);
    let version =
        TrainingData { version: number.or(data.version), ..data.clone() }.open(job.larder())?;
    let mut run = Run::new(component, job, version, checkpoint.take())?;
    run.epochs()?;
    let published = run.publish()?;
    Checkpoint::remove(job);
    Ok(published)
}

/// Returns the report of a job that a change of the collection created, if too few rows have changed.
fn up_to_date<T: Train>(
    data: &TrainingData,
    job: &JobContext,
) -> Result<Option<TrainReport>, BoxError> {
    if job.payload::<Changed>().is_err() {
        return Ok(None);
    }
    // An earlier job may have published a version that knows the rows.
    let newest: T = job.larder().load(job.id().name().clone())?;
    let Some(on) = newest.trained_on() else { return Ok(None) };
    let Some(rows) = data.changed_since(job.larder(), on.version)? else { return Ok(None) };
    let every = data.every.unwrap_or(1).max(1);
    if rows >= every {
        return Ok(None);
    }
    job.log(format!("{rows} rows have changed since the training, and {every} train again"));
    let version = job.larder().show(job.id().name().clone())?.version.reference().to_string();
    Ok(Some(TrainReport { version, rows: on.rows, epochs: 0, metrics: Metrics::new() }))
}

struct Run<'a, T: Train> {
    component: &'a T,
    job: &'a JobContext,
    version: CollectionVersion,
    state: T::State,
    at: Checkpoint,
    kept: Instant,
}

impl<'a, T: Train> Run<'a, T> {
    fn new(
        component: &'a T,
        job: &'a JobContext,
        version: CollectionVersion,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Self, BoxError> {
        let (state, at) = match checkpoint {
            Some(at) => {
                job.log(format!("goes on in epoch {} at row {}", at.epoch + 1, at.row));
                (at.state()?, at)
            }
            None => (component.begin(&version)?, Checkpoint::new(job, version.info().version)),
        };
        Ok(Self { component, job, version, state, at, kept: Instant::now() })
    }

    fn epochs(&mut self) -> Result<(), BoxError> {
        let data = self.component.data();
        while self.at.epoch < data.epochs.max(1) {
            if data.patience.is_some_and(|patience| self.at.without_better >= patience) {
                self.job.log(format!("stopped after epoch {}: no better since", self.at.epoch));
                break;
            }
            self.epoch()?;
        }
        Ok(())
    }

    fn epoch(&mut self) -> Result<(), BoxError> {
        let data = self.component.data();
        let order = data.order(&self.version, self.at.epoch)?;
        if order.is_empty() {
            return Err(refused(data, "no row of the fold matches").into());
        }
        self.at.rows = order.len() as u64;
        let done = usize::try_from(self.at.row).unwrap_or(usize::MAX).min(order.len());
        let rest = &order[done..];
        let size = data.batch_rows.max(1) as usize;
        let version = self.version.clone();
        thread::scope(|scope| -> Result<(), BoxError> {
            let (sender, receiver) = mpsc::sync_channel(PREFETCH);
            let read = move || {
                for ids in rest.chunks(size) {
                    let batch = version.take(ids, data.fields.as_deref());
                    // The reader stops with the training.
                    if sender.send(batch).is_err() {
                        return;
                    }
                }
            };
            thread::Builder::new().name("larder-prefetch".into()).spawn_scoped(scope, read)?;
            for batch in receiver {
                let batch = batch?;
                self.component.learn(&mut self.state, &batch)?;
                self.at.row += batch.ids.len() as u64;
                self.report(order.len())?;
            }
            Ok(())
        })?;
        self.component.end_epoch(&mut self.state)?;
        self.judge()?;
        (self.at.epoch, self.at.row) = (self.at.epoch + 1, 0);
        self.keep()
    }

    /// Reports progress, and keeps the state from time to time.
    fn report(&mut self, rows: usize) -> Result<(), BoxError> {
        if self.job.is_cancelled() {
            self.keep()?;
            return Err(format!("{} was cancelled", self.job.id()).into());
        }
        let epochs = f64::from(self.component.data().epochs.max(1));
        let part = self.at.row as f64 / rows.max(1) as f64;
        let message = format!("epoch {}: {} of {rows} rows", self.at.epoch + 1, self.at.row);
        self.job.progress((f64::from(self.at.epoch) + part) / epochs, message);
        if self.kept.elapsed() >= INTERVAL { self.keep() } else { Ok(()) }
    }

    /// Validates an epoch, and keeps its state if it is the best.
    fn judge(&mut self) -> Result<(), BoxError> {
        let mut rows = self.component.data().validation(&self.version)?;
        let metrics = self.component.validate(&self.state, &mut rows)?;
        let objective = self.component.objective(&self.state);
        let shown: Vec<_> =
            metrics.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        self.job.log(format!("epoch {}: {}", self.at.epoch + 1, shown.join(", ")));
        let value = metrics.get(objective.name()).copied();
        let value =
            value.ok_or_else(|| format!("the metric `{}` was not computed", objective.name()))?;
        let best = self.at.best.get(objective.name());
        if best.is_none_or(|best| objective.is_better(value, *best)) {
            self.at.best = metrics;
            self.at.without_better = 0;
            self.at.keep_best(&self.state)?;
        } else {
            self.at.without_better += 1;
        }
        Ok(())
    }

    fn keep(&mut self) -> Result<(), BoxError> {
        self.at.keep(self.job, &self.state)?;
        self.kept = Instant::now();
        Ok(())
    }

    fn publish(self) -> Result<TrainReport, BoxError> {
        let Self { component, job, version, at, .. } = self;
        let id = job.id().to_string();
        let trained_on = TrainedOn::new(component.data(), &version, at.rows, at.epoch, id)?;
        let trained = component.finish(at.best_state()?, trained_on)?;
        // Listeners that follow the model take part in the commit; `train` skips what is trained.
        let options = PublishOptions::new().triggers(true);
        let published: VersionInfo = job.publish_with(&trained, options)?.version().clone();
        let mut change = AnnotationsChange::new();
        for (name, value) in at.best.iter().filter(|(_, value)| value.is_finite()) {
            change = change.metric(name.clone(), *value);
        }
        let reference: Reference = published.reference();
        job.larder().annotate(reference.clone(), &change)?;
        Ok(TrainReport {
            version: reference.to_string(),
            rows: at.rows,
            epochs: at.epoch,
            metrics: at.best,
        })
    }
}

/// Returns the error of a component that is not trained.
pub(crate) fn untrained(what: &str) -> Error {
    Error::predict(format!("the {what} is not trained yet; wait for its job"))
}
