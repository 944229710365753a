//! Lists of repositories.

use axum::Json;
use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use larder_core::extend::Records;
use larder_core::{ComponentType, Identifier, VersionInfo};
use larder_files::Tree;
use larder_server::extend::{Context, Failure, value};
use serde_json::Value;
use url::form_urlencoded;

use super::info::summary;
use crate::trees::names_after;

/// The number of repositories of an answer, unless the client says another.
const USUAL: usize = 100;
/// The most repositories of an answer.
const MOST: usize = 1_000;

/// The conditions of a list.
#[derive(Debug, Default)]
struct Wanted {
    search: String,
    author: Option<String>,
    tags: Vec<String>,
    limit: usize,
    after: Option<Identifier>,
}

impl Wanted {
    fn parse(query: &str) -> Result<Self, Failure> {
        let mut wanted = Self { limit: USUAL, ..Self::default() };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "search" => wanted.search = value.to_lowercase(),
                "author" => wanted.author = Some(value.into_owned()),
                "filter" => wanted.tags.extend(value.split(',').map(str::to_owned)),
                "pipeline_tag" => wanted.tags.push(format!("pipeline_tag:{value}")),
                "cursor" => wanted.after = Some(Identifier::new(&value)?),
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| *limit > 0);
                    let none = || Failure::bad_request("cannot list models: `limit` is 1 or more");
                    wanted.limit = limit.map(|limit: usize| limit.min(MOST)).ok_or_else(none)?;
                }
                "sort" if value != "id" => {
                    return Err(Failure::bad_request(
                        "cannot list models: they are sorted by name, which is `id`",
                    ));
                }
                // The rest says which fields to leave out, or is about what only the Hub knows.
                _ => {}
            }
        }
        Ok(wanted)
    }

    fn is(&self, name: &Identifier) -> bool {
        let author = name.as_str().rsplit_once('/').map(|(author, _)| author);
        // Clients know no names of three parts.
        name.as_str().split('/').count() <= 2
            && name.as_str().contains(&self.search)
            && self.author.as_deref().is_none_or(|wanted| author == Some(wanted))
    }
}

/// Lists the names whose newest version is a folder of files, sorted, page by page.
pub(super) async fn list(
    context: Context,
    _: String,
    request: Request,
) -> Result<Response, Failure> {
    let wanted = Wanted::parse(request.uri().query().unwrap_or_default())?;
    let query: Vec<(String, String)> =
        form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
            .filter(|(key, _)| key != "cursor")
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
    let work = context.clone();
    let found = context.blocking(move || {
        let (mut found, mut next) = (Vec::<Value>::new(), None);
        let mut last = None;
        names_after(&work, wanted.after.as_ref(), |name| {
            if !wanted.is(&name) {
                return Ok(true);
            }
            let latest = work.larder().head(&name)?.and_then(|head| head.latest);
            let Some(record) = latest.filter(|it| it.type_tag.as_str() == Tree::TAG) else {
                return Ok(true);
            };
            let shown = summary(&work, &name, &VersionInfo::new(&name, &record))?;
            let has = |tag: &String| {
                shown["tags"].as_array().is_some_and(|tags| tags.iter().any(|it| it == tag))
            };
            if !wanted.tags.iter().all(has) {
                return Ok(true);
            }
            if found.len() == wanted.limit {
                next = last.take();
                return Ok(false);
            }
            found.push(shown);
            last = Some(name);
            Ok(true)
        })?;
        Ok((found, next))
    });
    let (found, next) = found.await?;
    let mut response = Json(found).into_response();
    if let Some(next) = next {
        let mut query =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        if !query.is_empty() {
            query.push('&');
        }
        let url = context.url(request.headers());
        let link = format!("<{url}/api/models?{query}cursor={next}>; rel=\"next\"");
        response.headers_mut().insert(header::LINK, value(&link)?);
    }
    Ok(response)
}
