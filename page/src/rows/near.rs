//! Search by meaning: the rows that are nearest to a text, or to a row.

use std::collections::HashMap;

use askama::Template;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use larder_access::Resource;
use larder_collections::Fold;
use larder_core::store::{Action, with_causes};
use larder_core::{Error, Identifier};
use larder_listeners::{IndexInfo, Like, SearchQuery, SearchResult};
use larder_server::extend::{Context, Failure, Guard, Route};
use larder_serving::{Input, Request as Job, ServeError};
use serde_json::Value;

use super::asked::Asked;
use super::handles::{self, Handle};
use super::searches::{self, Index};
use super::shape::SECTION;
use super::table::{Table, outputs};
use crate::frame::{Frame, render_as};
use crate::query::Parameters;
use crate::view::{Tabs, plain};

/// The number of rows that are found.
const FOUND: usize = 20;
/// The maximum number of bytes of a text.
const MOST_TEXT: usize = 16 << 10;

pub(super) fn routes() -> Vec<Route> {
    // The handler also asks for `predict` on the model that makes the vector.
    let of_name = Guard::On(Action::Read, crate::paths::named);
    vec![Route::new(Method::GET, "/ui/near/{*rest}", of_name, near)]
}

#[derive(Template)]
#[template(path = "near.html")]
struct Screen {
    frame: Frame,
    tabs: Tabs,
    name: String,
    text: String,
    row: Option<u64>,
    index: String,
    /// The filter and the fold, as in the form above rows.
    asked: Asked,
    folds: [Fold; 2],
    searches: Vec<Index>,
    /// Why the text, or the filter, cannot be used.
    error: Option<String>,
    filter_error: Option<String>,
    found: Option<Found>,
}

/// What was found.
struct Found {
    table: Table,
    measure: String,
    model: Option<String>,
    left_out: u64,
}

/// What a search needs to know of the collection.
struct Opened {
    handle: Handle,
    indexes: Vec<Index>,
    version: larder_core::VersionInfo,
}

async fn near(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let name: Identifier = rest.parse()?;
    let parameters = Parameters::of(&request);
    let text = parameters.get("text").to_owned();
    let row = match parameters.get("row") {
        "" => None,
        row => {
            Some(row.parse().map_err(|_| Failure::bad_request("cannot search: no row is named"))?)
        }
    };
    let asked = Asked::of(&parameters);
    let of = context.clone();
    let what = name.clone();
    let open = context.blocking(move || {
        let handle = handles::open(&of, &what)?;
        let version = handle.version(&of, None)?;
        let indexes = searches::of(&of, &handle, version.schema())?;
        Ok(Opened { handle, indexes, version: version.info().clone() })
    });
    let opened = open.await?;
    let index = chosen(&opened.indexes, parameters.get("index"), row.is_some())?;
    let mut screen = Screen {
        frame: Frame::new(&context, request.headers(), format!("Search {name}"), SECTION).await,
        tabs: Tabs::new(&context, &name, &name, "near").on(
            &context,
            &opened.version.type_tag,
            None,
        ),
        name: name.to_string(),
        row,
        index: index.name.clone(),
        folds: [Fold::Train, Fold::Valid],
        searches: opened.indexes.iter().filter(|it| it.takes_text).cloned().collect(),
        error: None,
        filter_error: asked.filter().err(),
        found: None,
        text,
        asked,
    };
    let mut status = StatusCode::OK;
    let is_asked = screen.row.is_some() || !screen.text.is_empty();
    if screen.filter_error.is_some() {
        status = StatusCode::BAD_REQUEST;
    } else if is_asked {
        match search(&context, &opened.handle, &index, &screen).await {
            Ok(found) => screen.found = Some(found),
            Err(Fault::Shown(fault, reason)) => {
                status = fault;
                screen.error = Some(plain(&reason));
            }
            Err(Fault::OfFilter(reason)) => {
                status = StatusCode::BAD_REQUEST;
                screen.filter_error = Some(plain(&reason));
            }
            Err(Fault::Other(failure)) => return Err(failure),
        }
    }
    render_as(status, &screen)
}

/// Returns the index that is asked for; without a name, the first that fits.
fn chosen(indexes: &[Index], name: &str, is_row: bool) -> Result<IndexInfo, Failure> {
    let found = match name {
        "" => indexes.iter().find(|index| index.takes_text || is_row).or(indexes.first()),
        name => indexes.iter().find(|index| index.info.name == name),
    };
    let missing = || Failure::not_found("cannot search: the collection has no such index");
    found.map(|index| index.info.clone()).ok_or_else(missing)
}

/// A search that failed.
enum Fault {
    /// The user's own input is wrong, or the model: beside the text.
    Shown(StatusCode, String),
    /// Beside the filter.
    OfFilter(String),
    Other(Failure),
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

async fn search(
    context: &Context,
    handle: &Handle,
    index: &IndexInfo,
    screen: &Screen,
) -> Result<Found, Fault> {
    let (like, model) = match screen.row {
        Some(row) => (Like::Row(row), None),
        None => {
            let vector = vector(context, handle, index, &screen.text).await?;
            (Like::Vector(vector), index.model.clone())
        }
    };
    let shown = model.as_ref().map(ToString::to_string);
    let mut query = SearchQuery::new(like, FOUND);
    if let Some(model) = model {
        query = query.made_by(model);
    }
    if let Ok(Some(filter)) = screen.asked.filter() {
        query = query.filter(filter);
    }
    if let Some(fold) = screen.asked.fold()? {
        query = query.fold(fold);
    }
    let (of, handle, name) = (context.clone(), handle.clone(), index.name.clone());
    let read = context.blocking(move || match handle.models.search(&name, &query) {
        Ok(result) => {
            let table = table(&of, &handle, &result)?;
            Ok(Ok((table, result)))
        }
        Err(Error::InvalidName { what, text, reason }) => {
            let error = Error::InvalidName { what, text, reason };
            Ok(Err(Fault::OfFilter(error.to_string())))
        }
        Err(error @ Error::Refused { .. }) => {
            Ok(Err(Fault::Shown(StatusCode::CONFLICT, error.to_string())))
        }
        Err(error) => Err(error.into()),
    });
    let (table, result) = read.await??;
    Ok(Found {
        table,
        measure: result.measure.to_string(),
        model: shown,
        left_out: result.left_out,
    })
}

/// Returns the vector of a text, by the model of an index.
async fn vector(
    context: &Context,
    handle: &Handle,
    index: &IndexInfo,
    text: &str,
) -> Result<Vec<f32>, Fault> {
    let refused = |reason: &str| Fault::Shown(StatusCode::UNPROCESSABLE_ENTITY, reason.to_owned());
    let Some(model) = &index.model else {
        return Err(refused("cannot search for a text: the index has no model that reads one"));
    };
    context.authorize(Action::Predict, &Resource::Name(model.name.clone()))?;
    if text.len() > MOST_TEXT {
        return Err(refused("cannot search: the text is too long"));
    }
    let reference = model.reference().map_err(Failure::from)?;
    let (of, handle, index) = (context.clone(), handle.clone(), index.clone());
    let value = Value::from(text);
    let load = context.blocking(move || {
        let input = handle.models.input_of(&index, &value)?;
        Ok((of.serving().model(&reference)?, input))
    });
    let (model, input) = load.await?;
    let job = Job::new(Input::Json(input.to_string())).within(context.deadline());
    let answer = match context.serving().request(&model, job).await {
        Ok(answer) => answer,
        Err(ServeError::Model(error @ (Error::Input { .. } | Error::Predict { .. }))) => {
            return Err(refused(&with_causes(&error)));
        }
        Err(error) => return Err(Fault::Other(error.into())),
    };
    let numbers = serde_json::from_slice(&answer.output.into_bytes());
    numbers.map_err(|_| refused("cannot search: the output of the model is no vector of numbers"))
}

/// Reads the rows that were found, the nearest first.
fn table(context: &Context, handle: &Handle, result: &SearchResult) -> Result<Table, Failure> {
    let ids: Vec<u64> = result.found.iter().map(|found| found.row).collect();
    let scores: HashMap<u64, f32> = result.found.iter().map(|it| (it.row, it.score)).collect();
    let version = handle.version(context, None)?;
    let columns: Vec<String> = {
        let fields = version.schema().fields().iter().map(|field| field.name.clone());
        fields.take(super::asked::MOST_COLUMNS).collect()
    };
    let batch = version.take(&ids, Some(&columns))?;
    let beside = outputs(context, handle, batch.ids.values())?;
    Table::new(&version, &batch, &beside, Some(&scores))
}
