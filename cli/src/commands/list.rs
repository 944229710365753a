//! `list`: lists and searches.

use std::io;

use larder::search::{Filter, LarderSearch, Query, SearchHit, Sort};
use larder::store::{TagName, TypeTag};
use larder::versions::Annotations;
use larder::{Larder, VersionInfo};
use serde::Serialize;

use super::note;
use crate::command_error::CommandError;
use crate::complete;
use crate::output::Output;
use crate::text;

/// Lists the newest version of every name, or searches
///
/// A FILTER compares fields with values: `metrics.accuracy > 0.9 and labels.team = "wine"`. The fields name, type, tag,
/// description and labels.NAME have the operators `=`, `!=` and `like`; version, metrics.NAME, size, age and created have
/// `=`, `!=`, `<`, `<=`, `>` and `>=`; `has FIELD` tests presence, as does `has locked`. Combine them with `and`, `or`,
/// `not` and parentheses.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only matching names: `*` matches any characters, `?` one
    #[arg(value_name = "GLOB", add = complete::names())]
    names: Option<String>,
    /// Only versions of this type
    #[arg(long = "type", value_name = "TYPE", add = complete::types())]
    type_tag: Option<TypeTag>,
    /// Only versions with this tag, newest or not
    #[arg(long, add = complete::tags())]
    tag: Option<TagName>,
    /// Only versions with this label, or this value of it
    #[arg(long = "label", value_name = "NAME[=VALUE]")]
    labels: Vec<String>,
    /// Only versions that match, such as 'metrics.accuracy > 0.9 and age < 7d'
    #[arg(long = "where", value_name = "FILTER")]
    filter: Option<Filter>,
    /// All versions of the names, not only the newest
    #[arg(long)]
    all: bool,
    /// Sort by name, version, created, size or metrics.NAME
    #[arg(long, value_name = "FIELD", add = complete::sort_fields())]
    sort: Option<Sort>,
    /// Reverse the order
    #[arg(long)]
    reverse: bool,
    /// The maximum number of versions
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// The page to print, from 1, with --limit versions each
    #[arg(long, value_name = "NUMBER", requires = "limit", default_value_t = 1, value_parser = page)]
    page: usize,
    /// Also print labels and metrics
    #[arg(long)]
    notes: bool,
}

fn page(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "page numbers start at 1".to_owned())
}

impl Args {
    fn query(&self) -> Query {
        let mut query = Query::new().sort(self.sort.clone().unwrap_or_default());
        if let Some(names) = &self.names {
            query = query.names(names.as_str());
        }
        let labels = self.labels.iter().map(|label| match label.split_once('=') {
            Some((name, value)) => Filter::label_is(name, value),
            None => Filter::has_label(label),
        });
        let filters = self.type_tag.as_ref().map(Filter::has_type).into_iter();
        let filters = filters.chain(self.tag.as_ref().map(Filter::has_tag)).chain(labels);
        query = filters.chain(self.filter.clone()).fold(query, Query::filter);
        if self.all || self.tag.is_some() {
            query = query.all_versions();
        }
        if self.notes {
            query = query.with_notes();
        }
        if self.reverse { query.reverse() } else { query }
    }

    fn is_filtered(&self) -> bool {
        let filtered = self.names.is_some() || self.type_tag.is_some() || self.tag.is_some();
        filtered || self.filter.is_some() || !self.labels.is_empty() || self.limit.is_some()
    }
}

#[derive(Serialize)]
struct Document<'a> {
    versions: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    version: &'a VersionInfo,
    #[serde(flatten)]
    notes: Option<&'a Annotations>,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let mut versions = Vec::new();
    let mut failure = None;
    let limit = args.limit.unwrap_or(usize::MAX);
    let found = larder.search(&args.query())?;
    // A damaged name does not hide the others.
    let sound = found.filter_map(|found| match found {
        Ok(found) => Some(found),
        Err(error) => {
            failure.get_or_insert(error);
            None
        }
    });
    versions.extend(sound.skip(limit.saturating_mul(args.page - 1)).take(limit));
    let printed = print(args, &versions, larder, output);
    // A failure takes precedence over a closed stdout.
    match failure {
        None => Ok(printed?),
        Some(error) => Err(error.into()),
    }
}

fn print(args: &Args, found: &[SearchHit], larder: &Larder, output: &mut Output) -> io::Result<()> {
    if output.is_json() {
        let lines = found.iter().map(|SearchHit { version, annotations: notes, .. }| Line {
            version,
            notes: notes.as_ref().filter(|_| args.notes),
        });
        return output.document(Document { versions: lines.collect() });
    }
    if output.is_quiet() {
        return output.references(found.iter().map(|found| &found.version));
    }
    if found.is_empty() {
        let what = if args.is_filtered() { "no matches in" } else { "no versions in" };
        output.say(format!("{what} {}", larder.store().url()));
        return Ok(());
    }
    let row = |SearchHit { version, .. }: &SearchHit| {
        [
            version.identifier.to_string(),
            text::version(version),
            version.type_tag.to_string(),
            text::size(version.size),
            output.time(version.created),
            version.digest.short(),
        ]
    };
    let heading = ["NAME", "VERSION", "TYPE", "SIZE", "CREATED", "DIGEST"];
    if !args.notes {
        let rows: Vec<_> = found.iter().map(row).collect();
        return output.table(heading, rows);
    }
    let [name, version, type_tag, size, created, digest] = heading;
    let with_notes = |found: &SearchHit| {
        let [name, version, type_tag, size, created, digest] = row(found);
        let (labels, metrics) = match &found.annotations {
            Some(notes) => (note::entries(&notes.labels), note::entries(&notes.metrics)),
            None => Default::default(),
        };
        [name, version, type_tag, size, created, digest, labels, metrics]
    };
    let rows: Vec<_> = found.iter().map(with_notes).collect();
    output.table([name, version, type_tag, size, created, digest, "LABELS", "METRICS"], rows)
}
