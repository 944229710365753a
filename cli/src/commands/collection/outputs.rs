//! `collection outputs`: the outputs of listeners, and their state.

use larder::collections::{LarderCollections, LarderListeners, ListenerStatus, OutputRow};
use larder::{Identifier, Larder};
use serde::Serialize;

use super::attach;
use crate::command_error::CommandError;
use crate::commands::job_args::JobArgs;
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Lists the outputs of a listener with their status, or the listeners of a collection
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The collection
    #[arg(value_name = "COLLECTION", add = complete::names())]
    collection: Qualified<Identifier>,
    /// The name of the outputs; without it, the listeners are listed
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Only rows of this status
    #[arg(long, value_name = "STATUS", value_parser = ["ok", "failed", "stale", "missing", "empty"])]
    status: Vec<String>,
    /// Maximum number of rows
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// First compute what is missing
    #[arg(long, requires = "name")]
    fill: bool,
    /// First try the rows again that failed, and compute what is missing
    #[arg(long, requires = "name")]
    retry: bool,
    #[command(flatten)]
    jobs: JobArgs,
}

#[derive(Serialize)]
struct Listed<'a> {
    collection: &'a Identifier,
    listeners: &'a [ListenerStatus],
}

#[derive(Serialize)]
struct Rows<'a> {
    collection: &'a Identifier,
    name: &'a str,
    outputs: Vec<OutputRow>,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let larder = args.jobs.of(larder, output)?;
    let listeners = larder.listeners(&*args.collection)?;
    let Some(name) = &args.name else {
        larder.untyped_collection(&*args.collection)?.latest()?;
        let all = listeners.status()?;
        if output.is_json() {
            return Ok(output.document(Listed { collection: &args.collection, listeners: &all })?);
        }
        return print(&all, output);
    };
    if args.fill || args.retry {
        let fired = listeners.fill(name, args.retry)?;
        args.jobs.wait(&larder, &fired)?;
        if !args.jobs.wait {
            output.say("a job was created; `larder work` runs it, or `--wait`");
        }
    } else if args.jobs.wait {
        args.jobs.wait(&larder, &listeners.fill(name, false)?)?;
    }
    let limit = args.limit.unwrap_or(u64::MAX);
    let mut rows = Vec::new();
    let is_json = output.is_json();
    let is_text = !is_json && !output.is_quiet();
    let mut count = 0;
    listeners.for_each_output::<CommandError>(name, |row| {
        if count >= limit {
            return Ok(false);
        }
        if !args.status.is_empty() && !args.status.iter().any(|it| it == row.status.as_str()) {
            return Ok(true);
        }
        count += 1;
        match (is_json, is_text) {
            (true, _) | (_, true) => rows.push(row),
            // With `--quiet`, one output a line.
            _ => output.line(&text::clean_json(&row.output.to_string()))?,
        }
        Ok(true)
    })?;
    if is_json {
        let collection = &*args.collection;
        return Ok(output.document(Rows { collection, name, outputs: rows })?);
    }
    if is_text {
        let line = |row: &OutputRow| {
            [
                row.row.to_string(),
                row.key.as_ref().map(cell).unwrap_or_default(),
                row.status.to_string(),
                cell(&row.output),
                row.model.clone().unwrap_or_default(),
                text::clean(row.error.as_deref().unwrap_or_default()).into_owned(),
            ]
        };
        output
            .table(["ROW", "KEY", "STATUS", "OUTPUT", "MODEL", "ERROR"], rows.iter().map(line))?;
    }
    let status = listeners.status()?.into_iter().find(|status| status.name == *name);
    if let Some(status) = status {
        attach::report(&status, &args.collection, output);
    }
    Ok(())
}

/// A value in a table.
pub(super) fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text::clean(text).into_owned(),
        value => text::clean_json(&value.to_string()).into_owned(),
    }
}

/// Prints the state of listeners.
pub(super) fn print(all: &[ListenerStatus], output: &mut Output) -> Result<(), CommandError> {
    if output.is_quiet() {
        return Ok(all.iter().try_for_each(|it| output.line(&it.name))?);
    }
    let row = |it: &ListenerStatus| {
        [
            it.name.clone(),
            it.model.clone().unwrap_or_default(),
            text::clean(&it.key.join(", ")).into_owned(),
            it.output.clone().unwrap_or_else(|| "-".into()),
            format!("{} of {}", it.ok, it.rows),
            it.failed.to_string(),
            it.backlog.to_string(),
            text::percent(it.coverage),
            state(it),
        ]
    };
    let heading =
        ["NAME", "MODEL", "KEY", "OUTPUT", "OK", "FAILED", "BACKLOG", "COVERAGE", "STATE"];
    Ok(output.table(heading, all.iter().map(row))?)
}

/// Says in a few words what a listener does.
pub(super) fn state(status: &ListenerStatus) -> String {
    if let Some(error) = &status.error {
        return text::clean(error).into_owned();
    }
    if status.paused {
        return "paused".into();
    }
    match (status.backlog, status.behind) {
        (0, 0) => "up to date".into(),
        (_, 0) => "filling".into(),
        (_, behind) => {
            let lag = status.lag.map(|lag| format!(", {} s", lag.round())).unwrap_or_default();
            format!("{} behind{lag}", text::count(behind, "version"))
        }
    }
}
