//! The list of names, with the filters of `larder list`.

use askama::Template;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use larder_access::Resource;
use larder_core::store::{Action, TagName, TypeTag};
use larder_core::{Error, Identifier, Larder, Result};
use larder_search::{Filter, LarderSearch, Query, SearchHit, Sort};
use larder_server::extend::{Context, Failure, Guard, Route};

use crate::frame::{Frame, render, render_as, see};
use crate::query::{Parameters, url};
use crate::view::VersionRow;

/// Versions on a page.
const PAGE: usize = 50;
/// Orders, with their names.
const ORDERS: [(&str, &str); 4] =
    [("name", "name"), ("created", "created"), ("size", "size"), ("version", "version")];

pub(crate) fn routes() -> Vec<Route> {
    let home = |_: Context, _: String, _: Request| async { see("/ui") };
    vec![
        Route::new(Method::GET, "/", Guard::Public, home),
        Route::new(Method::GET, "/ui", Guard::any(Action::Read), list),
    ]
}

/// The filters of a list, as they were typed.
#[derive(Debug, Clone)]
struct Asked {
    names: String,
    type_tag: String,
    tag: String,
    label: String,
    filter: String,
    sort: String,
    all: bool,
    reverse: bool,
    /// The version after which the page begins, in the order of names.
    after: String,
    /// The number of versions before the page, in other orders.
    skip: usize,
}

impl Asked {
    fn of(parameters: &Parameters) -> Self {
        let text = |name| parameters.get(name).to_owned();
        Self {
            names: text("names"),
            type_tag: text("type"),
            tag: text("tag"),
            label: text("label"),
            filter: text("where"),
            sort: text("sort"),
            all: !text("all").is_empty(),
            reverse: !text("reverse").is_empty(),
            after: text("after"),
            skip: text("skip").parse().unwrap_or_default(),
        }
    }

    /// True if the list is in the order of names, which is read page by page.
    fn is_by_name(&self) -> bool {
        matches!(&*self.sort, "" | "name") && !self.reverse
    }

    fn is_filtered(&self) -> bool {
        [&self.type_tag, &self.tag, &self.label, &self.filter].iter().any(|it| !it.is_empty())
            || self.all
            || !self.is_by_name()
    }

    fn query(&self) -> Result<Query> {
        let mut query = Query::new();
        if !self.names.is_empty() {
            // Text without wildcards may stand anywhere in the name.
            let names = self.names.to_ascii_lowercase();
            let glob = match names.contains(['*', '?']) {
                true => names,
                false => format!("*{names}*"),
            };
            query = query.names(glob);
        }
        if !self.type_tag.is_empty() {
            query = query.filter(Filter::has_type(&self.type_tag.parse::<TypeTag>()?));
        }
        if !self.tag.is_empty() {
            query = query.filter(Filter::has_tag(&TagName::new(&self.tag)?));
        }
        query = match self.label.split_once('=') {
            Some((name, value)) => query.filter(Filter::label_is(name, value)),
            None if self.label.is_empty() => query,
            None => query.filter(Filter::has_label(&self.label)),
        };
        if !self.filter.is_empty() {
            query = query.filter(self.filter.parse()?);
        }
        if self.is_all() {
            query = query.all_versions();
        }
        if !self.sort.is_empty() {
            query = query.sort(self.sort.parse::<Sort>()?);
        }
        if let Some((name, _)) = self.cursor()? {
            query = query.starting_at(name);
        }
        Ok(if self.reverse { query.reverse() } else { query })
    }

    /// A tag may be of an older version, as in `larder list`.
    fn is_all(&self) -> bool {
        self.all || !self.tag.is_empty()
    }

    /// The version after which the page begins.
    fn cursor(&self) -> Result<Option<(Identifier, u64)>> {
        if self.after.is_empty() || !self.is_by_name() {
            return Ok(None);
        }
        let invalid = || Error::invalid("place in a list", &self.after, "it is no version");
        let (name, number) = self.after.split_once('@').ok_or_else(invalid)?;
        Ok(Some((name.parse()?, number.parse().map_err(|_| invalid())?)))
    }

    fn url(&self, after: &str, skip: usize) -> String {
        let flag = |is_set: bool| if is_set { "1" } else { "" };
        let skip = if skip > 0 { skip.to_string() } else { String::new() };
        let parameters = [
            ("names", &*self.names),
            ("type", &self.type_tag),
            ("tag", &self.tag),
            ("label", &self.label),
            ("where", &self.filter),
            ("sort", &self.sort),
            ("all", flag(self.all)),
            ("reverse", flag(self.reverse)),
            ("after", after),
            ("skip", &skip),
        ];
        url("/ui", &parameters)
    }
}

#[derive(Template)]
#[template(path = "list.html")]
struct List {
    frame: Frame,
    asked: Asked,
    orders: [(&'static str, &'static str); 4],
    /// Why the filters cannot be used.
    error: Option<String>,
    /// Records that cannot be read.
    faults: Vec<String>,
    versions: Vec<VersionRow>,
    first: Option<String>,
    next: Option<String>,
}

async fn list(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let asked = Asked::of(&Parameters::of(&request));
    let frame = Frame::new(&context, request.headers(), "Names", "/ui").await;
    let mut screen = List {
        frame,
        orders: ORDERS,
        error: None,
        faults: Vec::new(),
        versions: Vec::new(),
        first: (asked.skip > 0 || !asked.after.is_empty()).then(|| asked.url("", 0)),
        next: None,
        asked,
    };
    let query = match screen.asked.query() {
        Ok(query) => query,
        Err(error) => {
            screen.error = Some(error.to_string());
            return render_as(StatusCode::BAD_REQUEST, &screen);
        }
    };
    let (asked, of) = (screen.asked.clone(), context.clone());
    let page = context.blocking(move || Ok(read(&of, of.larder(), &query, &asked)?));
    let (hits, faults, is_more) = page.await?;
    screen.faults = faults;
    screen.next = hits.last().filter(|_| is_more).map(|last| match screen.asked.is_by_name() {
        true => {
            let version = &last.version;
            let place = format!("{}@{}", version.identifier, version.version.get());
            screen.asked.url(&place, 0)
        }
        false => screen.asked.url("", screen.asked.skip + hits.len()),
    });
    screen.versions = hits.iter().map(|hit| VersionRow::new(&hit.version, &[])).collect();
    render(&screen)
}

/// Reads a page of the versions that the user may read, and whether more follow.
fn read(
    context: &Context,
    larder: &Larder,
    query: &Query,
    asked: &Asked,
) -> Result<(Vec<SearchHit>, Vec<String>, bool)> {
    let cursor = asked.cursor()?;
    let (mut hits, mut faults) = (Vec::new(), Vec::new());
    let mut left = if asked.is_by_name() { 0 } else { asked.skip };
    for found in larder.search(query)? {
        let hit = match found {
            Ok(hit) => hit,
            Err(error) => {
                if faults.len() < PAGE {
                    faults.push(error.to_string());
                }
                continue;
            }
        };
        let name = &hit.version.identifier;
        let is_before = |(after, number): &(Identifier, u64)| {
            (name, hit.version.version.get()) <= (after, *number)
                || (!asked.is_all() && name == after)
        };
        if cursor.as_ref().is_some_and(is_before)
            || !context.may(Action::Read, &Resource::Name(name.clone()))
        {
            continue;
        }
        if left > 0 {
            left -= 1;
            continue;
        }
        if hits.len() == PAGE {
            return Ok((hits, faults, true));
        }
        hits.push(hit);
    }
    Ok((hits, faults, false))
}
