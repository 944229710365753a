//! Experiments and runs: what a training program logs.

use std::time::{Duration, SystemTime};

use larder_core::extend::Records;
use larder_core::store::Timestamp;
use larder_files::drafts::{Draft, DraftId, DraftKind, DraftMetric, DraftStatus, LarderDrafts};
use larder_server::extend::{Context, Failure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::annotate::pass_on;
use super::drafts::{self, change, experiment_id, new_id, own};
use super::view::milliseconds;
use super::wire::{Entry, Query, entries, whole};

/// The tag by which MLflow names a run.
const RUN_NAME: &str = "mlflow.runName";

/// An experiment is a name that runs carry: every name is one.
pub(super) fn experiment(_: &Context, query: Query) -> Result<Value, Failure> {
    Ok(shown(&drafts::experiment_name(query.need("experiment_id")?)?))
}

pub(super) fn experiment_by_name(_: &Context, query: Query) -> Result<Value, Failure> {
    let name = query.need("experiment_name")?;
    drafts::check_experiment(name)?;
    Ok(shown(name))
}

fn shown(name: &str) -> Value {
    let id = experiment_id(name);
    json!({ "experiment": {
        "experiment_id": id,
        "name": name,
        "artifact_location": format!("mlflow-artifacts:/{id}"),
        "lifecycle_stage": "active",
    } })
}

#[derive(Deserialize)]
pub(super) struct CreateExperiment {
    name: String,
}

pub(super) fn create_experiment(_: &Context, request: CreateExperiment) -> Result<Value, Failure> {
    drafts::check_experiment(&request.name)?;
    Ok(json!({ "experiment_id": experiment_id(&request.name) }))
}

#[derive(Deserialize)]
pub(super) struct Create {
    #[serde(default)]
    experiment_id: String,
    #[serde(default)]
    run_name: Option<String>,
    #[serde(default)]
    tags: Vec<Entry>,
}

pub(super) fn create(context: &Context, request: Create) -> Result<Value, Failure> {
    let experiment = drafts::experiment_name(&request.experiment_id)?;
    let id = new_id(DraftKind::Run)?;
    let tagged = request.tags.iter().find(|tag| tag.key == RUN_NAME).map(|tag| &tag.value);
    let named = request.run_name.as_ref().or(tagged).filter(|name| !name.is_empty());
    let name = named.cloned().unwrap_or_else(|| format!("run-{}", &id.as_str()[..8]));
    let at = context.larder().now();
    let mut draft = Draft::new(DraftKind::Run, &name, &experiment, at);
    draft.by = drafts::principal(context);
    draft.labels = request.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    draft.labels.insert(RUN_NAME.to_owned(), name);
    context.larder().drafts().create(&id, &draft)?;
    Ok(json!({ "run": run(&id, &draft) }))
}

/// A run as MLflow writes it.
fn run(id: &DraftId, draft: &Draft) -> Value {
    let metrics: Vec<Value> =
        draft.metrics.iter().map(|(key, metric)| shown_metric(key, metric)).collect();
    let outputs: Vec<Value> =
        draft.models.iter().map(|id| json!({ "model_id": id.as_str(), "step": 0 })).collect();
    json!({
        "info": info(id, draft),
        "data": {
            "metrics": metrics,
            "params": entries(&draft.parameters),
            "tags": entries(&draft.labels),
        },
        "inputs": {},
        "outputs": { "model_outputs": outputs },
    })
}

pub(super) fn shown_metric(key: &str, metric: &DraftMetric) -> Value {
    json!({
        "key": key,
        "value": metric.value,
        "timestamp": milliseconds(metric.at),
        "step": metric.step,
    })
}

fn info(id: &DraftId, draft: &Draft) -> Value {
    let experiment = experiment_id(&draft.experiment);
    let status = match draft.status {
        DraftStatus::Open => "RUNNING",
        DraftStatus::Done => "FINISHED",
        DraftStatus::Failed => "FAILED",
        DraftStatus::Killed => "KILLED",
    };
    json!({
        "run_id": id.as_str(),
        "run_uuid": id.as_str(),
        "run_name": draft.name,
        "experiment_id": experiment,
        "user_id": draft.by.clone().unwrap_or_default(),
        "status": status,
        "start_time": milliseconds(draft.created),
        "end_time": draft.ended.map(milliseconds),
        "artifact_uri": format!("mlflow-artifacts:/{experiment}/{id}/artifacts"),
        "lifecycle_stage": "active",
    })
}

/// A request about a run. MLflow states its id twice, for old servers.
#[derive(Deserialize)]
pub(super) struct About {
    #[serde(default)]
    run_id: String,
    #[serde(default)]
    run_uuid: String,
}

impl About {
    fn id(&self) -> Result<DraftId, Failure> {
        match self.run_id.as_str() {
            "" => drafts::id(&self.run_uuid),
            id => drafts::id(id),
        }
    }
}

fn asked(query: &Query) -> Result<DraftId, Failure> {
    drafts::id(query.get("run_id").or(query.get("run_uuid")).unwrap_or_default())
}

pub(super) fn get(context: &Context, query: Query) -> Result<Value, Failure> {
    let id = asked(&query)?;
    let draft = own(context, &id, DraftKind::Run)?;
    Ok(json!({ "run": run(&id, &draft) }))
}

#[derive(Deserialize)]
pub(super) struct Update {
    #[serde(flatten)]
    about: About,
    #[serde(default)]
    status: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    end_time: Option<i64>,
    #[serde(default)]
    run_name: Option<String>,
}

pub(super) fn update(context: &Context, request: Update) -> Result<Value, Failure> {
    let status = match request.status.as_deref() {
        None => None,
        Some("RUNNING" | "SCHEDULED") => Some(DraftStatus::Open),
        Some("FINISHED") => Some(DraftStatus::Done),
        Some("FAILED") => Some(DraftStatus::Failed),
        Some("KILLED") => Some(DraftStatus::Killed),
        Some(_) => {
            return Err(Failure::bad_request("cannot update the run: there is no such status"));
        }
    };
    let id = request.about.id()?;
    let ended = request.end_time.map(time);
    let draft = change(context, &id, DraftKind::Run, |draft| {
        draft.status = status.unwrap_or(draft.status);
        draft.ended = ended.or(draft.ended);
        if let Some(name) = request.run_name.as_ref().filter(|name| !name.is_empty()) {
            draft.name.clone_from(name);
            draft.labels.insert(RUN_NAME.to_owned(), name.clone());
        }
    })?;
    Ok(json!({ "run_info": info(&id, &draft) }))
}

/// A time that a client states in milliseconds.
fn time(milliseconds: i64) -> Timestamp {
    let since = Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
    // Beyond the year 9999 there is no text of it.
    let since = since.min(Duration::from_secs(253_402_300_799));
    Timestamp::new(SystemTime::UNIX_EPOCH + since)
}

/// Removes a run for good.
pub(super) fn delete(context: &Context, request: About) -> Result<Value, Failure> {
    let id = request.id()?;
    own(context, &id, DraftKind::Run)?;
    context.larder().drafts().remove(&id)?;
    Ok(json!({}))
}

#[derive(Deserialize)]
pub(super) struct Keyed {
    #[serde(flatten)]
    about: About,
    key: String,
    #[serde(default)]
    value: String,
}

pub(super) fn log_parameter(context: &Context, request: Keyed) -> Result<Value, Failure> {
    let Keyed { about, key, value } = request;
    log(context, &about.id()?, vec![Entry { key, value }], Vec::new(), Vec::new())
}

pub(super) fn set_tag(context: &Context, request: Keyed) -> Result<Value, Failure> {
    let Keyed { about, key, value } = request;
    log(context, &about.id()?, Vec::new(), vec![Entry { key, value }], Vec::new())
}

pub(super) fn delete_tag(context: &Context, request: Keyed) -> Result<Value, Failure> {
    change(context, &request.about.id()?, DraftKind::Run, |draft| {
        draft.labels.remove(&request.key);
    })?;
    Ok(json!({}))
}

/// A metric that is logged.
#[derive(Deserialize)]
pub(super) struct Metric {
    key: String,
    value: f64,
    #[serde(default, deserialize_with = "whole")]
    timestamp: Option<i64>,
    #[serde(default, deserialize_with = "whole")]
    step: Option<i64>,
    #[serde(default)]
    model_id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LogMetric {
    #[serde(flatten)]
    about: About,
    #[serde(flatten)]
    metric: Metric,
}

pub(super) fn log_metric(context: &Context, request: LogMetric) -> Result<Value, Failure> {
    log(context, &request.about.id()?, Vec::new(), Vec::new(), vec![request.metric])
}

#[derive(Deserialize)]
pub(super) struct Batch {
    #[serde(flatten)]
    about: About,
    #[serde(default)]
    params: Vec<Entry>,
    #[serde(default)]
    tags: Vec<Entry>,
    #[serde(default)]
    metrics: Vec<Metric>,
}

pub(super) fn log_batch(context: &Context, request: Batch) -> Result<Value, Failure> {
    log(context, &request.about.id()?, request.params, request.tags, request.metrics)
}

fn log(
    context: &Context,
    id: &DraftId,
    params: Vec<Entry>,
    tags: Vec<Entry>,
    metrics: Vec<Metric>,
) -> Result<Value, Failure> {
    if metrics.iter().any(|metric| !metric.value.is_finite()) {
        return Err(Failure::bad_request("cannot log the metric: its value is no finite number"));
    }
    let add = |draft: &mut Draft, metrics: &mut dyn Iterator<Item = &Metric>| {
        for Metric { key, value, timestamp, step, .. } in metrics {
            let (at, step) = (time(timestamp.unwrap_or_default()), step.unwrap_or_default());
            let is_newest = |old: &DraftMetric| (old.step, old.at) <= (step, at);
            if draft.metrics.get(key).is_none_or(is_newest) {
                draft.metrics.insert(key.clone(), DraftMetric { value: *value, step, at });
            }
        }
    };
    let draft = change(context, id, DraftKind::Run, |draft| {
        draft.parameters.extend(params.iter().map(|it| (it.key.clone(), it.value.clone())));
        draft.labels.extend(tags.iter().map(|it| (it.key.clone(), it.value.clone())));
        add(draft, &mut metrics.iter());
    })?;
    let mut models: Vec<&str> = metrics
        .iter()
        .filter_map(|it| it.model_id.as_deref())
        .filter(|id| !id.is_empty())
        .collect();
    models.sort_unstable();
    models.dedup();
    for model in models {
        let of_model = |it: &&Metric| it.model_id.as_deref() == Some(model);
        change(context, &drafts::id(model)?, DraftKind::Model, |draft| {
            add(draft, &mut metrics.iter().filter(of_model));
        })?;
    }
    if !params.is_empty() || !metrics.is_empty() {
        pass_on(context, &draft)?;
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
pub(super) struct Outputs {
    #[serde(flatten)]
    about: About,
    #[serde(default)]
    models: Vec<Output>,
}

#[derive(Deserialize)]
struct Output {
    model_id: String,
}

/// Records the models that a run wrote.
pub(super) fn outputs(context: &Context, request: Outputs) -> Result<Value, Failure> {
    let models = request.models.iter().map(|model| drafts::id(&model.model_id));
    let models = models.collect::<Result<Vec<_>, _>>()?;
    change(context, &request.about.id()?, DraftKind::Run, |draft| {
        for model in &models {
            if !draft.models.contains(model) {
                draft.models.push(model.clone());
            }
        }
    })?;
    Ok(json!({}))
}

/// Returns the newest value of a metric: a run keeps no others.
pub(super) fn history(context: &Context, query: Query) -> Result<Value, Failure> {
    let draft = own(context, &asked(&query)?, DraftKind::Run)?;
    let key = query.need("metric_key")?;
    let metrics: Vec<Value> =
        draft.metrics.get(key).iter().map(|metric| shown_metric(key, metric)).collect();
    Ok(json!({ "metrics": metrics }))
}
