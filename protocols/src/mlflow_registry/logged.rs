//! Logged models: files that may become a version.

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_core::extend::Records;
use larder_files::drafts::{Draft, DraftId, DraftKind, DraftMetric, DraftStatus, LarderDrafts};
use larder_server::extend::{Context, Failure, Guard, Route};
use serde::Deserialize;
use serde_json::{Value, json};

use super::drafts::{self, change, check_owner, experiment_id, new_id, own};
use super::filter::Filter;
use super::runs::shown_metric;
use super::view::milliseconds;
use super::wire::{Entry, answer, entries, read, whole};

/// The most models of an answer.
const MOST: usize = 1_000;

/// The routes that have the id in the path.
pub(super) fn routes(guard: Guard) -> Vec<Route> {
    const ONE: &str = "/api/2.0/mlflow/logged-models/{id}";
    const TAGS: &str = "/api/2.0/mlflow/logged-models/{id}/tags";
    const TAG: &str = "/api/2.0/mlflow/logged-models/{id}/tags/{*rest}";
    vec![
        Route::new(Method::GET, ONE, guard, get),
        Route::new(Method::PATCH, ONE, guard, finish),
        Route::new(Method::DELETE, ONE, guard, delete),
        Route::new(Method::PATCH, TAGS, guard, set_tags),
        Route::new(Method::DELETE, TAG, guard, delete_tag),
    ]
}

#[derive(Deserialize)]
pub(super) struct Create {
    #[serde(default)]
    experiment_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    source_run_id: Option<String>,
    #[serde(default)]
    params: Vec<Entry>,
    #[serde(default)]
    tags: Vec<Entry>,
}

pub(super) fn create(context: &Context, request: Create) -> Result<Value, Failure> {
    let experiment = drafts::experiment_name(&request.experiment_id)?;
    let id = new_id(DraftKind::Model)?;
    let at = context.larder().now();
    let name = if request.name.is_empty() { "model" } else { &request.name };
    let mut draft = Draft::new(DraftKind::Model, name, &experiment, at);
    draft.by = drafts::principal(context);
    if let Some(run) = request.source_run_id.filter(|run| !run.is_empty()) {
        let run = drafts::id(&run)?;
        own(context, &run, DraftKind::Run)?;
        draft.run = Some(run);
    }
    draft.parameters = request.params.into_iter().map(|it| (it.key, it.value)).collect();
    draft.labels = request.tags.into_iter().map(|it| (it.key, it.value)).collect();
    context.larder().drafts().create(&id, &draft)?;
    Ok(json!({ "model": model(&id, &draft) }))
}

/// A logged model as MLflow writes it.
fn model(id: &DraftId, draft: &Draft) -> Value {
    let experiment = experiment_id(&draft.experiment);
    let status = match draft.status {
        DraftStatus::Open => "LOGGED_MODEL_PENDING",
        DraftStatus::Done => "LOGGED_MODEL_READY",
        DraftStatus::Failed | DraftStatus::Killed => "LOGGED_MODEL_UPLOAD_FAILED",
    };
    let run = draft.run.as_ref().map(|run| run.as_str().to_owned());
    let metric = |(key, metric): (&String, &DraftMetric)| {
        let mut shown = shown_metric(key, metric);
        shown["model_id"] = id.as_str().into();
        shown["run_id"] = run.clone().unwrap_or_default().into();
        shown
    };
    json!({
        "info": {
            "model_id": id.as_str(),
            "experiment_id": experiment,
            "name": draft.name,
            "creation_timestamp_ms": milliseconds(draft.created),
            "last_updated_timestamp_ms": milliseconds(draft.changed),
            "artifact_uri": format!("mlflow-artifacts:/{experiment}/models/{id}/artifacts"),
            "status": status,
            "source_run_id": run,
            "tags": entries(&draft.labels),
        },
        "data": {
            "params": entries(&draft.parameters),
            "metrics": draft.metrics.iter().map(metric).collect::<Vec<_>>(),
        },
    })
}

async fn get(context: Context, id: String, _: Request) -> Result<Response, Failure> {
    answer(&context, move |context| {
        let id = drafts::id(&id)?;
        Ok(json!({ "model": model(&id, &own(context, &id, DraftKind::Model)?) }))
    })
    .await
}

#[derive(Deserialize)]
struct Finish {
    status: String,
}

async fn finish(context: Context, id: String, request: Request) -> Result<Response, Failure> {
    let Finish { status } = read(&context, request).await?;
    let status = match status.as_str() {
        "LOGGED_MODEL_PENDING" => DraftStatus::Open,
        "LOGGED_MODEL_READY" => DraftStatus::Done,
        "LOGGED_MODEL_UPLOAD_FAILED" => DraftStatus::Failed,
        _ => return Err(Failure::bad_request("cannot update the model: there is no such status")),
    };
    answer(&context, move |context| {
        let id = drafts::id(&id)?;
        let draft = change(context, &id, DraftKind::Model, |draft| draft.status = status)?;
        Ok(json!({ "model": model(&id, &draft) }))
    })
    .await
}

async fn delete(context: Context, id: String, _: Request) -> Result<Response, Failure> {
    answer(&context, move |context| {
        let id = drafts::id(&id)?;
        own(context, &id, DraftKind::Model)?;
        context.larder().drafts().remove(&id)?;
        Ok(json!({}))
    })
    .await
}

#[derive(Deserialize)]
struct SetTags {
    #[serde(default)]
    tags: Vec<Entry>,
}

async fn set_tags(context: Context, id: String, request: Request) -> Result<Response, Failure> {
    let SetTags { tags } = read(&context, request).await?;
    answer(&context, move |context| {
        change(context, &drafts::id(&id)?, DraftKind::Model, |draft| {
            draft.labels.extend(tags.iter().map(|it| (it.key.clone(), it.value.clone())));
        })?;
        Ok(json!({}))
    })
    .await
}

async fn delete_tag(context: Context, rest: String, _: Request) -> Result<Response, Failure> {
    answer(&context, move |context| {
        let (id, key) = rest.split_once('/').unwrap_or((&rest, ""));
        change(context, &drafts::id(id)?, DraftKind::Model, |draft| {
            draft.labels.remove(key);
        })?;
        Ok(json!({}))
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    experiment_ids: Vec<String>,
    #[serde(default)]
    filter: String,
    #[serde(default, deserialize_with = "whole")]
    max_results: Option<i64>,
}

/// Finds logged models of the principal, newest first.
pub(super) fn search(context: &Context, request: Search) -> Result<Value, Failure> {
    let filter = Filter::parse(&request.filter, &["name", "source_run_id", "model_id"])?;
    let most = request.max_results.and_then(|it| usize::try_from(it).ok()).unwrap_or(100);
    let mut found = Vec::new();
    for draft in context.larder().drafts().list() {
        let (id, draft) = draft?;
        let experiment = experiment_id(&draft.experiment);
        let is_asked =
            request.experiment_ids.is_empty() || request.experiment_ids.contains(&experiment);
        let field = |field: &str| match field {
            "name" => draft.name.clone(),
            "model_id" => id.to_string(),
            _ => draft.run.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        let is_own =
            || draft.by == drafts::principal(context) || check_owner(context, &draft).is_ok();
        if draft.kind == DraftKind::Model
            && is_asked
            && filter.matches(field, |key| draft.labels.get(key).cloned())
            && is_own()
        {
            found.push((draft.created, model(&id, &draft)));
        }
    }
    found.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
    found.truncate(most.clamp(1, MOST));
    let models: Vec<Value> = found.into_iter().map(|(_, model)| model).collect();
    Ok(json!({ "models": models }))
}
