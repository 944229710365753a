//! The differences between two versions.

use askama::Template;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_access::Resource;
use larder_core::store::Action;
use larder_core::versions::Annotations;
use larder_core::{Identifier, Larder, Reference};
use larder_maintenance::LarderMaintenance;
use larder_maintenance::diff::{Diff, FieldDiff, FieldValue};
use larder_server::extend::{Context, Failure, Guard, Route};
use larder_text::{clean, size};

use crate::frame::{Frame, render};
use crate::query::Parameters;
use crate::view::{Tabs, plain};

/// The maximum number of lines.
const MOST_LINES: usize = 500;

pub(crate) fn routes() -> Vec<Route> {
    // Another name in the parameters is asked for by the handler.
    let of_name = Guard::On(Action::Read, crate::paths::named);
    vec![Route::new(Method::GET, "/ui/diff/{*rest}", of_name, diff)]
}

struct Line {
    state: &'static str,
    path: String,
    old: String,
    new: String,
    note: String,
}

#[derive(Template)]
#[template(path = "diff.html")]
struct Screen {
    frame: Frame,
    tabs: Tabs,
    old: String,
    new: String,
    is_same: bool,
    types: Option<(String, String)>,
    lines: Vec<Line>,
    left_out: u64,
    summary: Vec<(u64, &'static str)>,
    shared: [String; 3],
    notes: Vec<Line>,
}

async fn diff(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let name: Identifier = rest.parse()?;
    let parameters = Parameters::of(&request);
    let [old, new] = ["old", "new"].map(|side| reference(&name, parameters.get(side)));
    let (old, new) = (old?, new?);
    for side in [&old, &new] {
        context.authorize(Action::Read, &Resource::of(side))?;
    }
    let larder = context.larder().clone();
    let read = context.blocking(move || {
        let diff = larder.diff(old.clone(), new.clone())?;
        let notes = notes(&larder, &old, &new)?;
        Ok((diff, notes))
    });
    let (diff, notes) = read.await?;
    let title = [diff.old.as_ref(), Some(&diff.new)].into_iter().flatten();
    let title: Vec<String> = title.map(|it| it.reference().to_string()).collect();
    let frame = Frame::new(&context, request.headers(), title.join(" and "), "/ui").await;
    render(&screen(&context, frame, &name, &diff, notes))
}

/// A number or a tag of the name, or any reference.
fn reference(name: &Identifier, text: &str) -> Result<Reference, Failure> {
    if text.is_empty() {
        return Err(Failure::bad_request("cannot compare: choose two versions"));
    }
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    Ok(match is_number {
        true => format!("{name}@{text}").parse()?,
        false => text.parse()?,
    })
}

fn screen(
    context: &Context,
    frame: Frame,
    name: &Identifier,
    diff: &Diff,
    notes: Vec<Line>,
) -> Screen {
    let old = diff.old.as_ref().map(|old| old.reference().to_string()).unwrap_or_default();
    let new = diff.new.reference().to_string();
    let typed = |tag: &dyn ToString, version: u32| match version {
        1 => tag.to_string(),
        version => format!("{}, version {version}", tag.to_string()),
    };
    let types = diff.old.as_ref().map(|it| typed(&it.type_tag, it.type_version));
    let types = types.map(|old| (old, typed(&diff.new.type_tag, diff.new.type_version)));
    let lines: Vec<Line> = diff.changes().take(MOST_LINES).map(line).collect();
    let counts = &diff.counts;
    let summary = [
        (counts.changed, "changed"),
        (counts.added, "added"),
        (counts.removed, "removed"),
        (counts.same, "the same"),
    ];
    Screen {
        frame,
        tabs: Tabs::new(context, name, name, "diff").on(context, &diff.new.type_tag, None),
        old,
        new,
        is_same: diff.is_same(),
        types: types.filter(|(old, new)| old != new),
        left_out: counts.differing().saturating_sub(lines.len() as u64),
        lines,
        summary: summary.into_iter().filter(|(count, _)| *count > 0).collect(),
        shared: [diff.bytes.both, diff.bytes.old, diff.bytes.new].map(size),
        notes,
    }
}

fn line(field: &FieldDiff) -> Line {
    let path = if field.path.is_empty() { "." } else { &field.path };
    let mut note = String::new();
    if let Some(shared) = field.shared {
        note = format!("{} shared", size(shared));
    }
    if field.reordered {
        note = "the same items in another order".into();
    }
    let side = |side: &Option<FieldValue>| side.as_ref().map(value).unwrap_or_default();
    Line {
        state: field.state.as_str(),
        path: plain(path),
        old: side(&field.old),
        new: side(&field.new),
        note,
    }
}

fn value(value: &FieldValue) -> String {
    match value {
        FieldValue::Json(json) => plain(json),
        FieldValue::Artifact { digest, size: bytes, serializer, held } => {
            let held = if *held > 0 { format!(" + {} nested", size(*held)) } else { String::new() };
            format!("{} ({}, {}{held})", digest.short(), clean(serializer), size(*bytes))
        }
        FieldValue::File { digest, size: bytes, executable } => {
            let executable = if *executable { ", executable" } else { "" };
            format!("{} ({}{executable})", digest.short(), size(*bytes))
        }
        FieldValue::Folder => "an empty folder".into(),
        _ => String::new(),
    }
}

/// The differences of the annotations, which are no part of the versions.
fn notes(larder: &Larder, old: &Reference, new: &Reference) -> larder_core::Result<Vec<Line>> {
    let (old, new) = (larder.annotations(old.clone())?, larder.annotations(new.clone())?);
    let entries = |notes: &Annotations| {
        let mut all = std::collections::BTreeMap::new();
        all.extend(notes.description.clone().map(|text| ("description".to_owned(), text)));
        all.extend(notes.labels.iter().map(|(key, value)| (format!("label {key}"), value.clone())));
        let metrics = notes.metrics.iter();
        all.extend(metrics.map(|(key, value)| (format!("metric {key}"), value.to_string())));
        all
    };
    let (old, new) = (entries(&old), entries(&new));
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let line = |key: &String| {
        let (before, after) = (old.get(key), new.get(key));
        let state = match (before, after) {
            (None, _) => "added",
            (_, None) => "removed",
            (before, after) if before == after => return None,
            _ => "changed",
        };
        let text = |side: Option<&String>| side.map(|text| plain(text));
        Some(Line {
            state,
            path: key.clone(),
            old: text(before).unwrap_or_default(),
            new: text(after).unwrap_or_default(),
            note: String::new(),
        })
    };
    Ok(keys.into_iter().filter_map(line).collect())
}
