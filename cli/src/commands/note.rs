//! `note`: annotations of versions.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;

use larder::Larder;
use larder::versions::{Annotations, AnnotationsChange};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::complete;
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;
use crate::text;

/// Changes and prints the description, labels and metrics of a version
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    #[command(flatten)]
    set: NoteArgs,
    /// Remove this label
    #[arg(long, value_name = "NAME")]
    remove_label: Vec<String>,
    /// Remove this metric
    #[arg(long, value_name = "NAME")]
    remove_metric: Vec<String>,
}

/// Notes to set.
#[derive(clap::Args)]
pub(crate) struct NoteArgs {
    /// The description; an empty text removes it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A label, such as team=wine
    #[arg(long = "label", value_name = "NAME=TEXT", value_parser = label)]
    labels: Vec<(String, String)>,
    /// A metric, such as accuracy=0.93
    #[arg(long = "metric", value_name = "NAME=NUMBER", value_parser = metric)]
    metrics: Vec<(String, f64)>,
}

fn label(text: &str) -> Result<(String, String), String> {
    let entry = text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    entry.ok_or_else(|| "write NAME=TEXT".to_owned())
}

fn metric(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=NUMBER")?;
    let value = value.parse().map_err(|_| format!("`{value}` is not a number"))?;
    Ok((name.to_owned(), value))
}

impl NoteArgs {
    pub(crate) fn change(&self) -> AnnotationsChange {
        let mut change = AnnotationsChange::new();
        match self.description.as_deref() {
            None => {}
            Some("") => change = change.remove_description(),
            Some(text) => change = change.description(text),
        }
        for (name, value) in &self.labels {
            change = change.label(name, value);
        }
        for (name, value) in &self.metrics {
            change = change.metric(name, *value);
        }
        change
    }
}

#[derive(Serialize)]
struct Document<'a> {
    reference: String,
    outcome: Outcome,
    #[serde(flatten)]
    notes: &'a Annotations,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let change = args.remove_label.iter().fold(args.set.change(), AnnotationsChange::remove_label);
    let change = args.remove_metric.iter().fold(change, AnnotationsChange::remove_metric);
    let before = larder.annotations(&args.reference)?;
    let notes = match change.is_empty() {
        true => before.clone(),
        false => larder.annotate(&args.reference, &change)?,
    };
    let changed = notes != before;
    if output.is_json() {
        let (reference, outcome) = (args.reference.to_string(), Outcome::changed(changed));
        return Ok(output.document(Document { reference, outcome, notes: &notes })?);
    }
    if output.is_quiet() {
        return Ok(output.line(&args.reference.to_string())?);
    }
    let labels = args.remove_label.iter().filter(|name| !before.labels.contains_key(*name));
    let metrics = args.remove_metric.iter().filter(|name| !before.metrics.contains_key(*name));
    let missing = labels.map(|name| ("label", name));
    for (what, name) in missing.chain(metrics.map(|name| ("metric", name))) {
        output.say(format_args!("unchanged: {} has no {what} `{name}`", args.reference));
    }
    let is_removal = args.remove_label.len() + args.remove_metric.len() > 0;
    if !changed && !change.is_empty() && !is_removal {
        output.say(format_args!("unchanged: {} has these notes already", args.reference));
    }
    Ok(print(args, &notes, output)?)
}

fn print(args: &Args, notes: &Annotations, output: &mut Output) -> io::Result<()> {
    let rows = rows(notes);
    if rows.is_empty() {
        output.say(format!("{} has no notes", args.reference));
    }
    output.columns(rows)
}

/// The rows of a table of notes.
pub(crate) fn rows(notes: &Annotations) -> Vec<[String; 2]> {
    let rows = [
        ("description", notes.description.clone().unwrap_or_default()),
        ("labels", entries(&notes.labels)),
        ("metrics", entries(&notes.metrics)),
        (
            "locked",
            notes.locked.map(|time| format!("since {}", text::time(time))).unwrap_or_default(),
        ),
    ];
    let rows = rows.into_iter().filter(|(_, value)| !value.is_empty());
    rows.map(|(key, value)| [key.to_owned(), value]).collect()
}

/// `team=wine, stage=draft`.
pub(crate) fn entries(entries: &BTreeMap<String, impl Display>) -> String {
    let entries: Vec<_> = entries.iter().map(|(name, value)| format!("{name}={value}")).collect();
    entries.join(", ")
}
