//! Registered models: names.

use axum::http::StatusCode;
use larder_access::Resource;
use larder_core::extend::Records;
use larder_core::store::Action;
use larder_core::versions::RemoveOptions;
use larder_core::{Error, Identifier};
use larder_files::drafts::{About, LarderDrafts};
use larder_server::extend::{Context, Failure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::names;
use super::permit;
use super::view::{self, Version, model, no_model};
use super::wire::{Entry, Query, exists};

#[derive(Deserialize)]
pub(super) struct Create {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    tags: Vec<Entry>,
}

/// Reserves a name.
pub(super) fn create(context: &Context, request: Create) -> Result<Value, Failure> {
    let name = names::parse(&request.name)?;
    permit(context, Action::Write, &names::resource(&name))?;
    let larder = context.larder();
    let there = || {
        let name = names::written(&name);
        exists(format!("cannot create the registered model {name}: it exists"))
    };
    if larder.head(&name)?.is_some_and(|head| head.latest.is_some()) {
        return Err(there());
    }
    let mut about = About::new(larder.now());
    about.description = request.description.filter(|text| !text.is_empty());
    about.labels = request.tags.into_iter().map(|it| (it.key, it.value)).collect();
    match larder.drafts().reserve(&name, &about)? {
        true => found(context, &name),
        false => Err(there()),
    }
}

/// Answers with a registered model.
fn found(context: &Context, name: &Identifier) -> Result<Value, Failure> {
    let model = model(context.larder(), name)?.ok_or_else(|| no_model(name))?;
    Ok(json!({ "registered_model": model.json() }))
}

pub(super) fn get(context: &Context, query: Query) -> Result<Value, Failure> {
    let name = names::parse(query.need("name")?)?;
    context.authorize(Action::Read, &names::resource(&name))?;
    found(context, &name)
}

#[derive(Deserialize)]
pub(super) struct Update {
    name: String,
    #[serde(default)]
    description: Option<String>,
}

pub(super) fn update(context: &Context, request: Update) -> Result<Value, Failure> {
    let name = existing(context, &request.name)?;
    let text = request.description.filter(|text| !text.is_empty());
    context.larder().drafts().describe(&name, |about| about.description.clone_from(&text))?;
    found(context, &name)
}

/// Returns the name of a registered model whose description the principal may change.
fn existing(context: &Context, name: &str) -> Result<Identifier, Failure> {
    let name = names::parse(name)?;
    permit(context, Action::Annotate, &names::resource(&name))?;
    model(context.larder(), &name)?.ok_or_else(|| no_model(&name))?;
    Ok(name)
}

#[derive(Deserialize)]
pub(super) struct Rename {
    name: String,
}

/// A version is known by its name: it is never renamed.
pub(super) fn rename(context: &Context, request: Rename) -> Result<Value, Failure> {
    context.authorize(Action::Write, &names::resource(&names::parse(&request.name)?))?;
    let message = "cannot rename a registered model: names stay; register its versions under the \
                   other name";
    Err(Failure::new(StatusCode::BAD_REQUEST, "refused", message))
}

#[derive(Deserialize)]
pub(super) struct Named {
    name: String,
    #[serde(default)]
    stages: Vec<String>,
}

/// Removes a name with all versions, unless one of them has an alias.
pub(super) fn delete(context: &Context, request: Named) -> Result<Value, Failure> {
    let name = names::parse(&request.name)?;
    permit(context, Action::Write, &names::resource(&name))?;
    let larder = context.larder();
    let has_versions = match larder.remove_all(&name, &RemoveOptions::new()) {
        Ok(_) => true,
        Err(Error::NotFound { .. } | Error::Removed { .. }) => false,
        Err(error) => return Err(error.into()),
    };
    match larder.drafts().forget(&name)? || has_versions {
        true => Ok(json!({})),
        false => Err(no_model(&name)),
    }
}

#[derive(Deserialize)]
pub(super) struct SetTag {
    name: String,
    key: String,
    #[serde(default)]
    value: String,
}

pub(super) fn set_tag(context: &Context, request: SetTag) -> Result<Value, Failure> {
    let name = existing(context, &request.name)?;
    context.larder().drafts().describe(&name, |about| {
        about.labels.insert(request.key.clone(), request.value.clone());
    })?;
    Ok(json!({}))
}

#[derive(Deserialize)]
pub(super) struct DeleteTag {
    name: String,
    key: String,
}

pub(super) fn delete_tag(context: &Context, request: DeleteTag) -> Result<Value, Failure> {
    let name = existing(context, &request.name)?;
    context.larder().drafts().describe(&name, |about| {
        about.labels.remove(&request.key);
    })?;
    Ok(json!({}))
}

/// Returns the newest version. Stages, which MLflow has given up, are none here.
pub(super) fn latest(context: &Context, request: Named) -> Result<Value, Failure> {
    let name = names::parse(&request.name)?;
    context.authorize(Action::Read, &Resource::Name(name.clone()))?;
    let model = model(context.larder(), &name)?.ok_or_else(|| view::no_model(&name))?;
    let is_asked = request.stages.is_empty()
        || request.stages.iter().any(|stage| stage.eq_ignore_ascii_case("none"));
    let latest = model.latest.iter().filter(|_| is_asked).map(Version::json);
    Ok(json!({ "model_versions": latest.collect::<Vec<_>>() }))
}

pub(super) fn latest_by_query(context: &Context, query: Query) -> Result<Value, Failure> {
    let name = query.need("name")?.to_owned();
    let stages = query.all("stages").map(str::to_owned).collect();
    latest(context, Named { name, stages })
}
