//! The metrics of a name over its versions: a plot of each, and a table.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_core::store::Action;
use larder_core::{Identifier, Result as LarderResult};
use larder_search::{LarderSearch, Query, SearchHit};
use larder_server::extend::{Context, Failure, Guard, Route};

use crate::frame::{Frame, render};
use crate::plot::{HEIGHT, Plot, WIDTH};
use crate::view::{Tabs, plain};

/// The maximum number of versions that are plotted, the newest.
const MOST_PLOTTED: usize = 500;
/// The maximum number of versions in the table, the newest.
const MOST_ROWS: usize = 30;

pub(crate) fn routes() -> Vec<Route> {
    let of_name = Guard::On(Action::Read, crate::paths::named);
    vec![Route::new(Method::GET, "/ui/metrics/{*rest}", of_name, metrics)]
}

struct Row {
    reference: String,
    number: String,
    values: Vec<String>,
}

#[derive(Template)]
#[template(path = "metrics.html")]
struct Screen {
    frame: Frame,
    tabs: Tabs,
    plots: Vec<Plot>,
    width: f64,
    height: f64,
    metrics: Vec<String>,
    labels: Vec<String>,
    rows: Vec<Row>,
}

async fn metrics(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let name: Identifier = rest.parse()?;
    let (of, larder) = (name.clone(), context.larder().clone());
    let read = context.blocking(move || {
        // An unknown name is an error, not an empty page.
        larder.versions(&of)?;
        let query = Query::new().names(of.as_str()).all_versions().with_notes();
        let hits: LarderResult<Vec<SearchHit>> = larder.search(&query)?.collect();
        Ok(hits?)
    });
    let hits = read.await?;
    let hits = &hits[hits.len().saturating_sub(MOST_PLOTTED)..];
    let mut series: BTreeMap<&str, Vec<(u64, f64)>> = BTreeMap::new();
    let mut labels = BTreeSet::new();
    for hit in hits {
        let Some(notes) = &hit.annotations else { continue };
        for (metric, value) in &notes.metrics {
            series.entry(metric).or_default().push((hit.version.version.get(), *value));
        }
        labels.extend(notes.labels.keys().map(String::as_str));
    }
    let row = |hit: &SearchHit| {
        let notes = hit.annotations.as_ref();
        let metric = |name: &&str| notes.and_then(|it| it.metrics.get(*name)).map(f64::to_string);
        let label = |name: &&str| notes.and_then(|it| it.labels.get(*name)).map(|it| plain(it));
        let values = series.keys().map(metric).chain(labels.iter().map(label));
        Row {
            reference: hit.version.reference().to_string(),
            number: hit.version.version.get().to_string(),
            values: values.map(Option::unwrap_or_default).collect(),
        }
    };
    let mut tabs = Tabs::new(&context, &name, &name, "metrics");
    if let Some(newest) = hits.last() {
        tabs = tabs.on(&context, &newest.version.type_tag, None);
    }
    let screen = Screen {
        frame: Frame::new(&context, request.headers(), format!("Metrics of {name}"), "/ui").await,
        tabs,
        plots: series.iter().filter_map(|(name, values)| Plot::new(name, values)).collect(),
        width: WIDTH,
        height: HEIGHT,
        metrics: series.keys().map(|&it| it.to_owned()).collect(),
        labels: labels.iter().map(|&it| it.to_owned()).collect(),
        rows: hits.iter().rev().take(MOST_ROWS).map(row).collect(),
    };
    render(&screen)
}
