//! A name: its versions, its tags and where they were.

use askama::Template;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_access::Resource;
use larder_core::store::Action;
use larder_core::versions::{TagInfo, TagMove};
use larder_core::{Identifier, VersionInfo};
use larder_server::extend::{Context, Failure, Guard, Route};

use crate::frame::{Frame, render};
use crate::query::{Parameters, url};
use crate::view::{Tabs, VersionRow, When, counted, plain};

/// Versions on a page.
const PAGE: usize = 50;
/// Moves of a tag that are shown.
const MOVES: usize = 20;

pub(crate) fn routes() -> Vec<Route> {
    let of_name = Guard::On(Action::Read, crate::paths::named);
    vec![Route::new(Method::GET, "/ui/name/{*rest}", of_name, name)]
}

struct Tag {
    name: String,
    version: String,
    moved: When,
    by: Option<String>,
    is_protected: bool,
    may_change: bool,
    moves: Vec<Move>,
}

struct Move {
    number: u64,
    /// `None` if the tag was removed.
    version: Option<String>,
    moved: When,
    by: Option<String>,
}

/// The permissions of the user on the name, with reasons.
struct Permission {
    action: &'static str,
    is_allowed: bool,
    because: String,
}

#[derive(Template)]
#[template(path = "name.html")]
struct Name {
    frame: Frame,
    tabs: Tabs,
    count: String,
    is_locked: bool,
    versions: Vec<VersionRow>,
    newer: Option<String>,
    older: Option<String>,
    /// The numbers that can be chosen in forms, newest first.
    numbers: Vec<String>,
    tags: Vec<Tag>,
    may_tag: bool,
    permissions: Vec<Permission>,
}

struct Read {
    versions: Vec<VersionInfo>,
    tags: Vec<(TagInfo, Vec<TagMove>)>,
    is_locked: bool,
}

async fn name(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let name: Identifier = rest.parse()?;
    let before: Option<u64> = Parameters::of(&request).get("before").parse().ok();
    let (of, larder) = (name.clone(), context.larder().clone());
    let read = context.blocking(move || {
        use larder_core::extend::Records;

        let larder = &larder;
        let mut versions = larder.versions(&of)?;
        versions.reverse();
        let with_moves = |tag: TagInfo| {
            let mut moves = larder.tags().history(&of, &tag.tag)?;
            moves.reverse();
            moves.truncate(MOVES);
            Ok((tag, moves))
        };
        let tags = larder.tags().of(&of)?.into_iter().map(with_moves);
        let tags = tags.collect::<larder_core::Result<_>>()?;
        let is_locked = larder.head(&of)?.is_some_and(|head| head.locked.is_some());
        Ok(Read { versions, tags, is_locked })
    });
    let Read { versions, tags, is_locked } = read.await?;
    let infos: Vec<TagInfo> = tags.iter().map(|(tag, _)| tag.clone()).collect();
    let start = before.map_or(0, |before| {
        versions.iter().position(|it| it.version.get() < before).unwrap_or(versions.len())
    });
    let end = (start + PAGE).min(versions.len());
    let shown = versions.get(start..end).unwrap_or_default();
    let path = format!("/ui/name/{name}");
    let at = |before: u64| url(&path, &[("before", &before.to_string())]);
    let older = shown.last().filter(|_| end < versions.len());
    let older = older.map(|last| at(last.version.get()));
    let newer = (start > 0).then(|| match start <= PAGE {
        true => path.clone(),
        false => at(versions[start - PAGE].version.get() + 1),
    });
    let tag = |(tag, moves): (TagInfo, Vec<TagMove>)| Tag {
        may_change: context.may(Action::Tag, &Resource::Tag(name.clone(), tag.tag.clone())),
        name: tag.tag.to_string(),
        version: tag.version.get().to_string(),
        moved: When::new(tag.moved),
        by: tag.by.as_deref().map(plain),
        is_protected: tag.protected,
        moves: moves.into_iter().map(moved).collect(),
    };
    let mut tabs = Tabs::new(&context, &name, &name, "name");
    if let Some(newest) = versions.first() {
        tabs = tabs.on(&context, &newest.type_tag, None);
    }
    let screen = Name {
        frame: Frame::new(&context, request.headers(), name.to_string(), "/ui").await,
        tabs,
        count: counted(versions.len(), "version"),
        is_locked,
        versions: shown.iter().map(|version| VersionRow::new(version, &infos)).collect(),
        newer,
        older,
        numbers: versions.iter().take(500).map(|it| it.version.get().to_string()).collect(),
        tags: tags.into_iter().map(tag).collect(),
        may_tag: context.may(Action::Tag, &Resource::Name(name.clone())),
        permissions: permissions(&context, &name),
    };
    render(&screen)
}

fn moved(line: TagMove) -> Move {
    Move {
        number: line.number,
        version: line.version.map(|version| version.get().to_string()),
        moved: When::new(line.moved),
        by: line.by.as_deref().map(plain),
    }
}

/// The permissions of the user on a name; empty on a server without authentication.
fn permissions(context: &Context, name: &Identifier) -> Vec<Permission> {
    if context.principal().is_none() {
        return Vec::new();
    }
    let resource = Resource::Name(name.clone());
    let permission = |action: Action| {
        let decision = context.decide(action, &resource);
        Permission {
            action: action.as_str(),
            is_allowed: decision.is_allowed(),
            because: decision.because().to_owned(),
        }
    };
    Action::ALL.into_iter().map(permission).collect()
}
