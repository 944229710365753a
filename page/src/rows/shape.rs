//! The fields of a collection, its folds, how its rows are kept, and its indexes.

use askama::Template;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_collections::{Field, Layout};
use larder_core::Identifier;
use larder_core::store::Action;
use larder_server::extend::{Context, Failure, Guard, Route};
use larder_text::{clean, size};

use super::handles;
use super::models::Model;
use crate::frame::{Frame, render};
use crate::query::Parameters;
use crate::view::{Tabs, counted, plain};

pub(super) fn routes() -> Vec<Route> {
    let of_name = Guard::On(Action::Read, crate::paths::named);
    vec![Route::new(Method::GET, "/ui/schema/{*rest}", of_name, shape)]
}

struct Line {
    name: String,
    kind: String,
    is_key: bool,
    notes: String,
}

#[derive(Template)]
#[template(path = "schema.html")]
struct Shape {
    frame: Frame,
    tabs: Tabs,
    reference: String,
    fields: Vec<Line>,
    facts: Vec<(&'static str, String)>,
    indexes: Vec<Model>,
}

async fn shape(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let name: Identifier = rest.parse()?;
    let number = handles::number(Parameters::of(&request).get("version"))?;
    let (of, name_of) = (context.clone(), name.clone());
    let read = context.blocking(move || {
        let handle = handles::open(&of, &name_of)?;
        let version = handle.version(&of, number)?;
        // The state of an index is that of the newest version.
        let mut indexes = handle.models.index_status()?;
        indexes.retain(|it| handle.may_read(&of, "indexes", &it.name));
        let indexes = indexes.iter().map(|it| Model::new(&of, handle.name(), it)).collect();
        Ok((version, indexes))
    });
    let (version, indexes) = read.await?;
    let reference = version.info().reference().to_string();
    let key = version.key().map(|field| field.name.as_str());
    let tabs = Tabs::new(&context, &name, &reference, "schema");
    let screen = Shape {
        frame: Frame::new(&context, request.headers(), format!("Fields of {reference}"), SECTION)
            .await,
        tabs: tabs.on(&context, &version.info().type_tag, number),
        fields: version.schema().fields().iter().map(|field| line(field, key)).collect(),
        facts: facts(version.rows(), version.valid_permille(), version.layout(), key),
        reference,
        indexes,
    };
    render(&screen)
}

/// The entry of the navigation that the screens belong to.
pub(super) const SECTION: &str = "/ui/collections";

fn line(field: &Field, key: Option<&str>) -> Line {
    let mut notes = Vec::new();
    notes.extend(field.default.as_ref().map(|value| format!("default {value}")));
    notes.extend(field.media_type.clone());
    notes.extend(field.serializer.as_ref().map(|name| format!("by {name}")));
    notes.extend(
        (!field.aliases.is_empty()).then(|| format!("formerly {}", field.aliases.join(", "))),
    );
    let mut notes = plain(&notes.join("; "));
    if let Some((at, _)) = notes.char_indices().nth(500) {
        notes.truncate(at);
        notes.push('…');
    }
    Line {
        name: plain(&field.name),
        kind: plain(&format!("{}{}", field.kind, if field.nullable { "?" } else { "" })),
        is_key: key == Some(&field.name),
        notes,
    }
}

fn facts(rows: u64, valid: u16, layout: Layout, key: Option<&str>) -> Vec<(&'static str, String)> {
    let valid = f64::from(valid) / 10.0;
    let small = match layout.small_fragments {
        0 => String::new(),
        small => format!(", {small} of them small"),
    };
    vec![
        ("Rows", rows.to_string()),
        ("Key", clean(key.unwrap_or("none: rows are known by their ids")).into_owned()),
        ("Folds", format!("train {} %, valid {valid} %", 100.0 - valid)),
        ("Kept in", format!("{}{small}", counted(layout.fragments as usize, "fragment"))),
        ("Deleted rows that are still kept", layout.deleted_rows.to_string()),
        ("Size", size(layout.bytes)),
    ]
}
