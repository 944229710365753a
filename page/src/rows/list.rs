//! The collections of a larder.

use askama::Template;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_access::Resource;
use larder_collections::Snapshot;
use larder_core::store::{Action, TypeTag};
use larder_core::{ComponentType, Identifier, Result as LarderResult, VersionInfo};
use larder_search::{Filter, LarderSearch, Query};
use larder_server::extend::{Context, Failure, Guard, Route};
use larder_text::size;

use super::{handles, known};
use crate::frame::{Frame, render};
use crate::query::{Parameters, url};
use crate::view::{When, plain};

/// Collections on a page.
const PAGE: usize = 50;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::new(Method::GET, "/ui/collections", Guard::any(Action::Read), list)]
}

/// Returns the type tag of collections.
pub(super) fn type_tag() -> LarderResult<TypeTag> {
    Snapshot::TAG.parse()
}

struct Row {
    name: String,
    version: String,
    written: When,
    /// What is in it, or why it cannot be read.
    content: Result<Content, String>,
}

struct Content {
    rows: String,
    fields: String,
    size: String,
}

#[derive(Template)]
#[template(path = "collections.html")]
struct List {
    frame: Frame,
    names: String,
    rows: Vec<Row>,
    faults: Vec<String>,
    first: Option<String>,
    next: Option<String>,
}

async fn list(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let parameters = Parameters::of(&request);
    let (names, after) = (parameters.get("names").to_owned(), parameters.get("after"));
    let after = match after {
        "" => None,
        after => Some(after.parse::<Identifier>()?),
    };
    let (of, asked, start) = (context.clone(), names.clone(), after.clone());
    let read = context.blocking(move || read(&of, &asked, start));
    let (rows, faults, is_more) = read.await?;
    let at = |after: &str| url("/ui/collections", &[("names", &names), ("after", after)]);
    let next = rows.last().filter(|_| is_more).map(|last| at(&last.name));
    let first = after.map(|_| at(""));
    let frame = Frame::new(&context, request.headers(), "Collections", "/ui/collections").await;
    render(&List { frame, rows, faults, first, next, names })
}

/// Reads a page of the collections that the user may read, and whether more follow.
fn read(
    context: &Context,
    names: &str,
    after: Option<Identifier>,
) -> Result<(Vec<Row>, Vec<String>, bool), Failure> {
    let mut query = Query::new().filter(Filter::has_type(&type_tag()?));
    if !names.is_empty() {
        let names = names.to_ascii_lowercase();
        query = query.names(match names.contains(['*', '?']) {
            true => names,
            false => format!("*{names}*"),
        });
    }
    if let Some(after) = &after {
        query = query.starting_at(after.clone());
    }
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for found in context.larder().search(&query)? {
        let version = match found {
            Ok(hit) => hit.version,
            Err(error) => {
                if faults.len() < PAGE {
                    faults.push(plain(&error.to_string()));
                }
                continue;
            }
        };
        let name = &version.identifier;
        if after.as_ref().is_some_and(|after| name <= after)
            || !context.may(Action::Read, &Resource::Name(name.clone()))
        {
            continue;
        }
        if rows.len() == PAGE {
            return Ok((rows, faults, true));
        }
        known::found(context, name);
        rows.push(row(context, &version));
    }
    Ok((rows, faults, false))
}

fn row(context: &Context, version: &VersionInfo) -> Row {
    let collection = handles::unkept(context, &version.identifier);
    let content = collection.at(version.version).map(|it| Content {
        rows: it.rows().to_string(),
        fields: it.schema().fields().len().to_string(),
        size: size(it.layout().bytes),
    });
    Row {
        name: version.identifier.to_string(),
        version: version.version.get().to_string(),
        written: When::new(version.created),
        content: content.map_err(|error| plain(&error.to_string())),
    }
}
