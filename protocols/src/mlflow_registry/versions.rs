//! Versions of registered models, and their aliases.

use larder_access::Resource;
use larder_core::extend::Records;
use larder_core::store::{Action, VersionNumber};
use larder_core::versions::AnnotationsChange;
use larder_core::{ApplyOptions, Identifier, Reference, Selector};
use larder_server::extend::{Context, Failure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::annotate::{Origin, annotated};
use super::names;
use super::permit;
use super::view::Version;
use super::wire::{Entry, Query};
use super::{drafts, flavors};
use crate::trees;

#[derive(Deserialize)]
pub(super) struct Create {
    name: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    run_id: Option<String>,
    #[serde(default)]
    model_id: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    tags: Vec<Entry>,
}

/// Makes a version of the files of a logged model, of a run, or of another version. The source is looked up here and nowhere
/// else.
pub(super) fn create(context: &Context, request: Create) -> Result<Value, Failure> {
    let name = names::parse(&request.name)?;
    permit(context, Action::Write, &names::resource(&name))?;
    permit(context, Action::Annotate, &names::resource(&name))?;
    for tag in &request.tags {
        names::check_label(&tag.key)?;
    }
    let larder = context.larder();
    let model = request.model_id.as_deref().filter(|id| !id.is_empty());
    let run = request.run_id.as_deref().filter(|id| !id.is_empty());
    let found = drafts::source(context, &request.source, model)?;
    let mut origin = Origin { run: found.run.clone(), model: found.model.clone() };
    if origin.run.is_none()
        && let Some(run) = run
    {
        origin.run = Some(drafts::id(run)?);
    }
    let what = format!("the files of {}", request.name);
    let tree = found.files.to_tree(larder, &what)?;
    let mut change = annotated(context, &origin)?;
    let source = match request.source.len() <= 1_000 {
        true => request.source,
        false => String::new(),
    };
    if !source.is_empty() {
        change = change.label(names::SOURCE, source);
    }
    for (key, value) in flavors::labels(larder, &found.files)? {
        change = change.label(key, value);
    }
    if let Some(text) = request.description.filter(|text| !text.is_empty()) {
        change = change.description(text);
    }
    for tag in request.tags {
        change = change.label(tag.key, tag.value);
    }
    let applied = larder.apply_with(&name, &tree, &ApplyOptions::new().annotate(change))?;
    let info = applied.version().clone();
    origin.remember(context, &info)?;
    let version = Version::find(larder, &name, info.version)?;
    Ok(json!({ "model_version": version.json() }))
}

/// The version in a request.
struct Which {
    name: Identifier,
    number: VersionNumber,
}

impl Which {
    fn parse(name: &str, version: &str) -> Result<Self, Failure> {
        Ok(Self { name: names::parse(name)?, number: names::number(version)? })
    }

    fn of(query: &Query) -> Result<Self, Failure> {
        Self::parse(query.need("name")?, query.need("version")?)
    }

    fn reference(&self) -> Reference {
        names::version(&self.name, self.number)
    }
}

pub(super) fn get(context: &Context, query: Query) -> Result<Value, Failure> {
    let which = Which::of(&query)?;
    context.authorize(Action::Read, &names::resource(&which.name))?;
    let version = Version::find(context.larder(), &which.name, which.number)?;
    Ok(json!({ "model_version": version.json() }))
}

/// Returns where the files of a version are: on this server, also for clients whose runs are on another.
pub(super) fn download_uri(context: &Context, query: Query) -> Result<Value, Failure> {
    let which = Which::of(&query)?;
    context.authorize(Action::Read, &names::resource(&which.name))?;
    let larder = context.larder();
    let version = Version::find(larder, &which.name, which.number)?;
    if trees::listing(context, &which.name, &version.info.digest)?.is_none() {
        return Err(Failure::bad_request(
            "cannot download the version: it is no folder of files; use a client of Larder",
        ));
    }
    let path = super::artifacts::path_of(&version.info);
    Ok(json!({ "artifact_uri": format!("{}{path}", query.own_url) }))
}

#[derive(Deserialize)]
pub(super) struct Update {
    name: String,
    version: String,
    #[serde(default)]
    description: Option<String>,
}

pub(super) fn update(context: &Context, request: Update) -> Result<Value, Failure> {
    let which = Which::parse(&request.name, &request.version)?;
    let change = match request.description.filter(|text| !text.is_empty()) {
        Some(text) => AnnotationsChange::new().description(text),
        None => AnnotationsChange::new().remove_description(),
    };
    annotate(context, &which, &change)?;
    let version = Version::find(context.larder(), &which.name, which.number)?;
    Ok(json!({ "model_version": version.json() }))
}

fn annotate(context: &Context, which: &Which, change: &AnnotationsChange) -> Result<(), Failure> {
    permit(context, Action::Annotate, &names::resource(&which.name))?;
    context.larder().annotate(which.reference(), change)?;
    Ok(())
}

#[derive(Deserialize)]
pub(super) struct Numbered {
    name: String,
    version: String,
}

/// Removes a version, unless an alias names it.
pub(super) fn delete(context: &Context, request: Numbered) -> Result<Value, Failure> {
    let which = Which::parse(&request.name, &request.version)?;
    permit(context, Action::Write, &names::resource(&which.name))?;
    context.larder().remove(which.reference())?;
    Ok(json!({}))
}

#[derive(Deserialize)]
pub(super) struct SetTag {
    name: String,
    version: String,
    key: String,
    #[serde(default)]
    value: String,
}

pub(super) fn set_tag(context: &Context, request: SetTag) -> Result<Value, Failure> {
    names::check_label(&request.key)?;
    let which = Which::parse(&request.name, &request.version)?;
    let change = AnnotationsChange::new().label(request.key, request.value);
    annotate(context, &which, &change)?;
    Ok(json!({}))
}

#[derive(Deserialize)]
pub(super) struct DeleteTag {
    name: String,
    version: String,
    key: String,
}

pub(super) fn delete_tag(context: &Context, request: DeleteTag) -> Result<Value, Failure> {
    names::check_label(&request.key)?;
    let which = Which::parse(&request.name, &request.version)?;
    annotate(context, &which, &AnnotationsChange::new().remove_label(request.key))?;
    Ok(json!({}))
}

/// Returns the version that an alias names.
pub(super) fn by_alias(context: &Context, query: Query) -> Result<Value, Failure> {
    let name = names::parse(query.need("name")?)?;
    let tag = names::alias(query.need("alias")?)?;
    context.authorize(Action::Read, &Resource::Tag(name.clone(), tag.clone()))?;
    let larder = context.larder();
    let record = larder.find(&Reference::new(name.clone(), Selector::Tag(tag)))?;
    let version = Version::find(larder, &name, record.version)?;
    Ok(json!({ "model_version": version.json() }))
}

#[derive(Deserialize)]
pub(super) struct SetAlias {
    name: String,
    alias: String,
    version: String,
}

pub(super) fn set_alias(context: &Context, request: SetAlias) -> Result<Value, Failure> {
    let which = Which::parse(&request.name, &request.version)?;
    let tag = names::alias(&request.alias)?;
    permit(context, Action::Tag, &Resource::Tag(which.name.clone(), tag.clone()))?;
    context.authored().tag(which.reference(), tag)?;
    Ok(json!({}))
}

#[derive(Deserialize)]
pub(super) struct DeleteAlias {
    name: String,
    alias: String,
}

pub(super) fn delete_alias(context: &Context, request: DeleteAlias) -> Result<Value, Failure> {
    let name = names::parse(&request.name)?;
    let tag = names::alias(&request.alias)?;
    permit(context, Action::Tag, &Resource::Tag(name.clone(), tag.clone()))?;
    context.authored().untag(name, tag)?;
    Ok(json!({}))
}
