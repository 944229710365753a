//! `list`: what a larder holds.

use std::io;

use larder::search::{Filter, Query, SearchHit, Sort};
use larder::store::{TagName, TypeTag};
use larder::versions::Annotations;
use larder::{Larder, VersionInfo};
use serde::Serialize;

use super::note;
use crate::command_error::CommandError;
use crate::output::Output;
use crate::text;

/// Lists every name with its newest version, or what is searched for
///
/// A FILTER compares fields with values: `metrics.accuracy > 0.9 and labels.team = "wine"`. Fields are name, type,
/// tag, description, labels.NAME (`=`, `!=`, `like`), version, metrics.NAME, size, age, created (`=`, `!=`, `<`, `<=`,
/// `>`, `>=`); `has FIELD`, also `has locked`; joined by `and`, `or`, `not` and parentheses.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only names that match: `*` stands for any characters, `?` for one
    #[arg(value_name = "GLOB")]
    names: Option<String>,
    /// Only versions of this type
    #[arg(long = "type", value_name = "TYPE")]
    type_tag: Option<TypeTag>,
    /// Only versions that this tag names, newest or not
    #[arg(long)]
    tag: Option<TagName>,
    /// Only versions with this label, and this value of it
    #[arg(long = "label", value_name = "NAME[=VALUE]")]
    labels: Vec<String>,
    /// Only versions that pass, such as 'metrics.accuracy > 0.9 and age < 7d'
    #[arg(long = "where", value_name = "FILTER")]
    filter: Option<Filter>,
    /// Every version of the names, not only the newest
    #[arg(long)]
    all: bool,
    /// By name, version, created, size or metrics.NAME
    #[arg(long, value_name = "FIELD")]
    sort: Option<Sort>,
    /// The other way around
    #[arg(long)]
    reverse: bool,
    /// So many at most
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// The first, second … of the pages that --limit makes
    #[arg(long, value_name = "NUMBER", requires = "limit", default_value_t = 1, value_parser = page)]
    page: usize,
    /// Print labels and metrics too
    #[arg(long)]
    notes: bool,
}

fn page(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "pages are counted from 1".to_owned())
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

    fn asks_for_some(&self) -> bool {
        let filtered = self.names.is_some() || self.type_tag.is_some() || self.tag.is_some();
        filtered || self.filter.is_some() || !self.labels.is_empty() || self.limit.is_some()
    }
}

#[derive(Serialize)]
struct Listed<'a> {
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
    // One damaged name does not hide the others.
    let sound = found.filter_map(|found| match found {
        Ok(found) => Some(found),
        Err(error) => {
            failure.get_or_insert(error);
            None
        }
    });
    versions.extend(sound.skip(limit.saturating_mul(args.page - 1)).take(limit));
    let printed = print(args, &versions, larder, output);
    // A failure counts for more than a reader that has gone away.
    match failure {
        None => Ok(printed?),
        Some(error) => Err(error.into()),
    }
}

fn print(args: &Args, found: &[SearchHit], larder: &Larder, output: &mut Output) -> io::Result<()> {
    if output.is_json() {
        let lines = found.iter().map(|SearchHit { version, notes, .. }| Line {
            version,
            notes: notes.as_ref().filter(|_| args.notes),
        });
        return output.document(Listed { versions: lines.collect() });
    }
    if output.is_quiet() {
        return output.references(found.iter().map(|found| &found.version));
    }
    if found.is_empty() {
        let what = if args.asks_for_some() { "nothing matches in" } else { "nothing to list in" };
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
        let (labels, metrics) = match &found.notes {
            Some(notes) => (note::entries(&notes.labels), note::entries(&notes.metrics)),
            None => Default::default(),
        };
        [name, version, type_tag, size, created, digest, labels, metrics]
    };
    let rows: Vec<_> = found.iter().map(with_notes).collect();
    output.table([name, version, type_tag, size, created, digest, "LABELS", "METRICS"], rows)
}
