//! Searches for registered models and for versions.

use std::cmp::Reverse;

use larder_core::store::Action;
use larder_core::{Error, Identifier};
use larder_server::extend::{Context, Failure};
use serde_json::{Value, json};

use super::filter::Filter;
use super::names;
use super::view::{Model, Version, milliseconds, model};
use super::wire::Query;
use crate::trees::names_after;

/// The number of registered models of an answer, unless the client says another.
const MODELS: usize = 100;
/// The most registered models of an answer.
const MOST_MODELS: usize = 1_000;
/// The most versions of an answer.
const MOST_VERSIONS: usize = 10_000;

/// Returns the order that is asked for: the field, and whether the greatest is first.
fn order(query: &Query, known: &[&str]) -> Result<Option<(String, bool)>, Failure> {
    let Some(text) = query.get("order_by") else { return Ok(None) };
    let mut parts = text.split_whitespace();
    let field = parts.next().unwrap_or_default();
    let direction = parts.next().unwrap_or("ASC").to_ascii_uppercase();
    let is_known = known.contains(&field) && ["ASC", "DESC"].contains(&direction.as_str());
    match is_known && query.all("order_by").count() == 1 {
        true => Ok(Some((field.to_owned(), direction == "DESC"))),
        false => Err(Failure::bad_request(format!(
            "cannot search: the order is one of {}, with ASC or DESC",
            known.join(", ")
        ))),
    }
}

fn limit(query: &Query, default: usize, most: usize) -> Result<usize, Failure> {
    match query.get("max_results") {
        None => Ok(default),
        Some(text) => {
            let number = text.parse().ok().filter(|number| (1..=most).contains(number));
            number.ok_or_else(|| {
                Failure::bad_request(format!("cannot search: `max_results` is from 1 to {most}"))
            })
        }
    }
}

/// Finds registered models. Without an order they are sorted by name, and found page by page.
pub(super) fn models(context: &Context, query: Query) -> Result<Value, Failure> {
    let filter = Filter::parse(query.get("filter").unwrap_or_default(), &["name"])?;
    let order = order(&query, &["name", "timestamp", "last_updated_timestamp"])?;
    let most = limit(&query, MODELS, MOST_MODELS)?;
    let by_name = order.as_ref().is_none_or(|(field, is_reverse)| field == "name" && !is_reverse);
    let after = query.get("page_token").map(names::parse).transpose()?;
    let larder = context.larder();
    let mut found: Vec<Model> = Vec::new();
    let keep = if by_name { most + 1 } else { MOST_MODELS + 1 };
    names_after(context, after.as_ref(), |name| {
        let Some(model) = model(larder, &name)? else { return Ok(true) };
        let written = names::written(&name);
        let labels = model.about.as_ref().map(|about| &about.labels);
        if filter.matches(|_| written.clone(), |key| labels?.get(key).cloned()) {
            found.push(model);
        }
        Ok(found.len() < keep)
    })?;
    if !by_name {
        if found.len() > MOST_MODELS {
            return Err(Failure::bad_request(
                "cannot sort so many models: search by name, which is answered in pages",
            ));
        }
        let is_reverse = order.as_ref().is_some_and(|(_, is_reverse)| *is_reverse);
        match order.as_ref().map(|(field, _)| field.as_str()) {
            Some("name") => {}
            _ => found.sort_by_key(Model::updated),
        }
        if is_reverse {
            found.reverse();
        }
        found.truncate(most);
    }
    let next = (found.len() > most).then(|| {
        found.truncate(most);
        found.last().map(|model| names::written(&model.name))
    });
    Ok(json!({
        "registered_models": found.iter().map(Model::json).collect::<Vec<_>>(),
        "next_page_token": next.flatten(),
    }))
}

/// Finds versions, newest first unless another order is asked for.
pub(super) fn versions(context: &Context, query: Query) -> Result<Value, Failure> {
    let fields = ["name", "run_id", "source_path", "version_number"];
    let filter = Filter::parse(query.get("filter").unwrap_or_default(), &fields)?;
    let order = order(&query, &["name", "version_number", "creation_timestamp"])?;
    let most = limit(&query, MOST_VERSIONS, MOST_VERSIONS)?;
    let skipped: usize = match query.get("page_token") {
        None => 0,
        Some(text) => text
            .parse()
            .map_err(|_| Failure::bad_request("cannot search: the page is none of a search"))?,
    };
    let mut found = Vec::new();
    match filter.equal("name") {
        Some(name) => {
            let name = names::parse(name)?;
            context.authorize(Action::Read, &names::resource(&name))?;
            collect(context, &name, &filter, &mut found)?;
        }
        None => names_after(context, None, |name| {
            collect(context, &name, &filter, &mut found)?;
            match found.len() > MOST_VERSIONS {
                true => {
                    Err(Failure::bad_request("cannot search: say which name, there are too many"))
                }
                false => Ok(true),
            }
        })?,
    }
    let (field, is_reverse) = order.unwrap_or_else(|| ("creation_timestamp".into(), true));
    match field.as_str() {
        "name" => found.sort_by(|a, b| a.info.identifier.cmp(&b.info.identifier)),
        "version_number" => found.sort_by_key(|version| version.info.version),
        _ => found.sort_by_key(|version| {
            (
                milliseconds(version.info.created),
                Reverse(version.info.identifier.clone()),
                version.info.version,
            )
        }),
    }
    if is_reverse {
        found.reverse();
    }
    let is_more = found.len() > skipped.saturating_add(most);
    let page = found.iter().skip(skipped).take(most).map(Version::json);
    let page: Vec<Value> = page.collect();
    let next = is_more.then(|| (skipped + most).to_string());
    Ok(json!({ "model_versions": page, "next_page_token": next }))
}

/// Adds the versions of a name that the filter lets pass.
fn collect(
    context: &Context,
    name: &Identifier,
    filter: &Filter,
    found: &mut Vec<Version>,
) -> Result<(), Failure> {
    let larder = context.larder();
    let versions = match larder.versions(name) {
        Ok(versions) => versions,
        Err(Error::NotFound { .. } | Error::Removed { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let tags = larder.tags().of(name)?;
    for info in versions {
        let version = Version::read(larder, info, &tags)?;
        let field = |field: &str| match field {
            "name" => names::written(name),
            "run_id" => version.label(names::RUN).unwrap_or_default().to_owned(),
            "version_number" => version.info.version.get().to_string(),
            _ => version.label(names::SOURCE).unwrap_or_default().to_owned(),
        };
        let tag = |key: &str| {
            version.tags().find(|(known, _)| *known == key).map(|(_, value)| value.clone())
        };
        if filter.matches(field, tag) {
            found.push(version);
        }
    }
    Ok(())
}
