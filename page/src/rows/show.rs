//! The rows of a version, page by page.

use askama::Template;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use larder_collections::{Cursor, Fold};
use larder_core::Identifier;
use larder_core::store::{Action, VersionNumber};
use larder_server::extend::{Context, Failure, Guard, Route};

use super::asked::{Asked, CHOICES, Faults, MOST_COLUMNS};
use super::handles;
use super::searches::{self, Index};
use super::table::{Table, outputs};
use crate::frame::{Frame, render_as};
use crate::query::Parameters;
use crate::view::{Tabs, When};

pub(super) fn routes() -> Vec<Route> {
    let of_name = Guard::On(Action::Read, crate::paths::named);
    vec![Route::new(Method::GET, "/ui/collection/{*rest}", of_name, rows)]
}

#[derive(Template)]
#[template(path = "rows.html")]
struct Rows {
    frame: Frame,
    tabs: Tabs,
    asked: Asked,
    faults: Faults,
    choices: [u64; 4],
    folds: [Fold; 2],
    /// The names of the fields, for the order.
    fields: Vec<String>,
    reference: String,
    written: When,
    count: u64,
    /// The newest version, if another is shown.
    newest: Option<String>,
    table: Table,
    left_out: usize,
    /// The indexes that take a text.
    searches: Vec<Index>,
    /// An index by whose vectors rows like one are found.
    like: Option<String>,
    first: Option<String>,
    next: Option<String>,
}

/// What is read of a collection for a page.
struct Read {
    version: larder_collections::CollectionVersion,
    newest: VersionNumber,
    table: Table,
    faults: Faults,
    indexes: Vec<Index>,
    next: Option<Cursor>,
}

async fn rows(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let name: Identifier = rest.parse()?;
    let asked = Asked::of(&Parameters::of(&request));
    let (of, what) = (context.clone(), (name.clone(), asked.clone()));
    let read = context.blocking(move || read(&of, &what.0, &what.1));
    let Read { version, newest, table, faults, indexes, next } = read.await?;
    let info = version.info();
    let is_newest = info.version == newest;
    let fields = version.schema().fields();
    let reference = info.reference().to_string();
    let tabs = Tabs::new(&context, &name, &reference, "rows");
    let tabs = tabs.on(&context, &info.type_tag, (!is_newest).then_some(info.version));
    let status = if faults.is_none() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let like = indexes.first().map(|index| index.info.name.clone());
    let (_, left_out) = asked.columns(version.schema());
    let screen = Rows {
        frame: Frame::new(&context, request.headers(), &*reference, "/ui/collections").await,
        tabs,
        faults,
        choices: CHOICES,
        folds: [Fold::Train, Fold::Valid],
        fields: fields
            .iter()
            .filter(|field| !field.kind.arrow().is_nested())
            .take(MOST_COLUMNS)
            .map(|field| field.name.clone())
            .collect(),
        written: When::new(info.created),
        count: version.rows(),
        newest: (!is_newest).then(|| newest.get().to_string()),
        reference,
        table,
        left_out,
        searches: indexes.into_iter().filter(|it| it.takes_text).collect(),
        like,
        first: (!asked.after.is_empty()).then(|| asked.url(&name, "")),
        next: next.map(|next| asked.url(&name, &next.to_string())),
        asked,
    };
    render_as(status, &screen)
}

fn read(context: &Context, name: &Identifier, asked: &Asked) -> Result<Read, Failure> {
    let handle = handles::open(context, name)?;
    let head = handle.version(context, None)?;
    let newest = head.info().version;
    let cursor = asked.cursor()?;
    // A place in a list says of which version it is.
    let number = cursor.as_ref().map(Cursor::version).or(asked.number()?);
    let version = match number {
        Some(number) if number != newest => handle.version(context, Some(number))?,
        _ => head,
    };
    let (find, faults) = asked.find(&version)?;
    if !faults.is_none() {
        let table = Table { columns: Vec::new(), rows: Vec::new(), has_scores: false };
        let (indexes, next) = (Vec::new(), None);
        return Ok(Read { version, newest, table, faults, indexes, next });
    }
    let start = cursor.unwrap_or_else(|| Cursor::start(&version, &find));
    let page = handle.rows.page(&find, Some(&start))?;
    // Outputs and indexes are those of the newest version.
    let (beside, indexes) = match version.info().version == newest {
        true => (
            outputs(context, &handle, page.rows.ids.values())?,
            searches::of(context, &handle, version.schema())?,
        ),
        false => (Vec::new(), Vec::new()),
    };
    let table = Table::new(&version, &page.rows, &beside, None)?;
    Ok(Read { version, newest, table, faults, indexes, next: page.next })
}
