//! The versions of a collection, and what each changed.

use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_collections::CollectionVersion;
use larder_core::store::Action;
use larder_core::versions::TagInfo;
use larder_core::{Identifier, Result as LarderResult, VersionInfo};
use larder_server::extend::{Context, Failure, Guard, Route};

use super::handles::{self, Handle};
use super::shape::SECTION;
use crate::frame::{Frame, render};
use crate::query::{Parameters, url};
use crate::view::{Tabs, When, counted, plain};

/// Versions on a page.
const PAGE: usize = 20;
/// The time after which changes are no longer counted: a version that moved all rows has to be read.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Vec<Route> {
    let of_name = Guard::On(Action::Read, crate::paths::named);
    vec![Route::new(Method::GET, "/ui/changes/{*rest}", of_name, changes)]
}

/// Numbers of rows that changed.
struct Counts {
    inserted: usize,
    updated: usize,
    deleted: usize,
    rows: u64,
    /// The fields differ from those before.
    is_other_schema: bool,
}

struct Row {
    number: String,
    tags: Vec<String>,
    created: When,
    /// `None` if there was no time to count.
    counts: Option<Result<Counts, String>>,
    /// The version before, to compare with.
    before: Option<String>,
}

#[derive(Template)]
#[template(path = "changes.html")]
struct Screen {
    frame: Frame,
    tabs: Tabs,
    count: String,
    rows: Vec<Row>,
    newest: Option<String>,
    older: Option<String>,
}

async fn changes(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let name: Identifier = rest.parse()?;
    let before: Option<u64> = Parameters::of(&request).get("before").parse().ok();
    let (of, what) = (context.clone(), name.clone());
    let read = context.blocking(move || {
        let handle = handles::open(&of, &what)?;
        let head = handle.version(&of, None)?.info().clone();
        let mut versions = handle.rows.versions()?;
        versions.reverse();
        let count = versions.len();
        versions.retain(|it| before.is_none_or(|before| it.version.get() < before));
        let tags = of.larder().tags().of(&what)?;
        let is_more = versions.len() > PAGE;
        // The one after the page is what its last version changed.
        versions.truncate(PAGE + 1);
        let rows = rows(&handle, &versions, &tags);
        Ok((head, count, rows, is_more))
    });
    let (head, count, rows, is_more) = read.await?;
    let path = format!("/ui/changes/{name}");
    let older = rows.last().filter(|_| is_more).map(|row| url(&path, &[("before", &row.number)]));
    let tabs = Tabs::new(&context, &name, &name, "changes");
    let title = format!("Changes of {name}");
    render(&Screen {
        frame: Frame::new(&context, request.headers(), title, SECTION).await,
        tabs: tabs.on(&context, &head.type_tag, None),
        count: counted(count, "version"),
        rows,
        newest: before.map(|_| path),
        older,
    })
}

fn rows(handle: &Handle, versions: &[VersionInfo], tags: &[TagInfo]) -> Vec<Row> {
    let began = Instant::now();
    let mut newer: Option<CollectionVersion> = None;
    let row = |(at, info): (usize, &VersionInfo)| {
        let before = versions.get(at + 1);
        let counts = (began.elapsed() < PATIENCE).then(|| {
            // Each version is opened once: it is the one before of the row above.
            let this = match newer.take() {
                Some(this) => this,
                None => handle.rows.at(info.version)?,
            };
            let older = before.map(|before| handle.rows.at(before.version)).transpose()?;
            let counts = count(&this, older.as_ref());
            newer = older;
            counts
        });
        Row {
            number: info.version.get().to_string(),
            tags: tags
                .iter()
                .filter(|tag| tag.version == info.version)
                .map(|tag| tag.tag.to_string())
                .collect(),
            created: When::new(info.created),
            counts: counts.map(|it| it.map_err(|error| plain(&error.to_string()))),
            before: before.map(|before| before.version.get().to_string()),
        }
    };
    versions.iter().enumerate().take(PAGE).map(row).collect()
}

fn count(this: &CollectionVersion, before: Option<&CollectionVersion>) -> LarderResult<Counts> {
    let rows = this.rows();
    let Some(before) = before else {
        let inserted = usize::try_from(rows).unwrap_or(usize::MAX);
        return Ok(Counts { inserted, updated: 0, deleted: 0, rows, is_other_schema: false });
    };
    let delta = this.delta(before)?;
    Ok(Counts {
        inserted: delta.inserted.len(),
        updated: delta.updated.len(),
        deleted: delta.deleted.len(),
        rows,
        is_other_schema: this.schema() != before.schema(),
    })
}
