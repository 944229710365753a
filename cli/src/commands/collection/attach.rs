//! `collection attach`, `detach` and `drop-index`: models on the rows of a collection.

use larder::collections::{AttachOptions, LarderListeners, ListenerStatus};
use larder::jobs::WaitTarget;
use larder::{Identifier, Larder};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::commands::job_args::JobArgs;
use crate::complete;
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;
use crate::text;

/// Attaches a model to fields: jobs compute its outputs for all rows
///
/// The outputs stand beside the rows, as `_outputs.NAME`. Rows that are inserted or updated later get theirs by jobs too;
/// `larder work` runs them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The collection
    #[arg(value_name = "COLLECTION", add = complete::names())]
    collection: Qualified<Identifier>,
    /// The model: `name` or `name:tag` is followed, `name@7` stays
    #[arg(value_name = "REF", add = complete::references())]
    reference: larder::Reference,
    /// The name of the outputs; by default the last part of the model's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The field that the model reads; several, with commas, become an object; `*` is the whole row, `_outputs.NAME` the
    /// outputs of another listener
    #[arg(long, value_name = "FIELD", value_delimiter = ',', required = true)]
    key: Vec<String>,
    /// Stay with the version that REF names now
    #[arg(long)]
    pin: bool,
    /// Predict only where this field is null; the outputs stand in for it
    #[arg(long, value_name = "FIELD")]
    fills: Option<String>,
    /// Stop once this many rows have an output; attach again without it to go on
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Do not run it until it is attached again
    #[arg(long)]
    paused: bool,
    #[command(flatten)]
    jobs: JobArgs,
}

/// Detaches a model, and removes its outputs
#[derive(clap::Args)]
pub(crate) struct DetachArgs {
    /// The collection
    #[arg(value_name = "COLLECTION", add = complete::names())]
    collection: Qualified<Identifier>,
    /// The name of the outputs, or of the index
    #[arg(value_name = "NAME")]
    name: String,
    /// Drop the index of that name
    #[arg(long)]
    index: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    outcome: Outcome,
    collection: &'a Identifier,
    listener: String,
    #[serde(flatten)]
    status: Option<&'a ListenerStatus>,
}

#[derive(Serialize)]
struct Detached<'a> {
    collection: &'a Identifier,
    name: &'a str,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let larder = args.jobs.of(larder, output)?;
    let listeners = larder.listeners(&*args.collection)?;
    let mut options = AttachOptions::new().pin(args.pin || is_exact(&args.reference));
    options = options.paused(args.paused);
    if let Some(name) = &args.name {
        options = options.name(name);
    }
    if let Some(field) = &args.fills {
        options = options.fills(field);
    }
    if let Some(limit) = args.limit {
        options = options.limit(limit);
    }
    let key: Vec<&str> = args.key.iter().map(|field| field.trim()).collect();
    let attached = listeners.attach(args.reference.clone(), &key, &options)?;
    let is_new = attached.applied.is_created();
    // What is still missing of an unchanged listener needs a job of its own.
    let jobs: WaitTarget = match is_new || args.paused {
        true => (&attached.applied).into(),
        false => (&listeners.fill(&attached.name, false)?).into(),
    };
    args.jobs.wait(&larder, jobs)?;
    let status = listeners.status()?.into_iter().find(|status| status.name == attached.name);
    let version = attached.applied.version();
    if output.is_json() {
        return Ok(output.document(Document {
            outcome: if is_new { Outcome::Created } else { Outcome::Unchanged },
            collection: &args.collection,
            listener: version.reference().to_string(),
            status: status.as_ref(),
        })?);
    }
    if output.is_quiet() {
        return Ok(output.references([version])?);
    }
    let done = if is_new { "" } else { "unchanged: " };
    let model = attached.model.as_ref().map(ToString::to_string).unwrap_or_default();
    let (collection, name, key) = (&*args.collection, &attached.name, attached.key.join(", "));
    output.line(&format!(
        "{done}{model} is attached to {collection} as {name}, and reads {}",
        text::clean(&key)
    ))?;
    if let Some(status) = status {
        report(&status, &args.collection, output);
    }
    Ok(())
}

/// Returns whether a reference names one version for ever.
fn is_exact(reference: &larder::Reference) -> bool {
    use larder::versions::Selector;
    matches!(reference.selector(), Selector::Version(_) | Selector::Digest(_))
}

/// Says how many rows are done.
pub(super) fn report(status: &ListenerStatus, collection: &Identifier, output: &mut Output) {
    let mut parts = vec![format!("{} of {} ok", status.ok, text::count(status.rows, "row"))];
    let counts = [
        (status.failed, "failed"),
        (status.empty, "without input"),
        (status.stale, "stale"),
        (status.missing, "missing"),
    ];
    parts.extend(counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
    output.say(parts.join(", "));
    if status.failed > 0 && status.measure.is_none() {
        let name = &status.name;
        output.say(format_args!(
            "hint: `larder collection outputs {collection} {name} --status failed` says why; `--retry` tries again"
        ));
    }
}

pub(crate) fn detach(
    args: &DetachArgs,
    larder: &Larder,
    output: &mut Output,
) -> Result<(), CommandError> {
    let listeners = larder.listeners(&*args.collection)?;
    match args.index {
        true => listeners.drop_index(&args.name)?,
        false => listeners.detach(&args.name)?,
    }
    let (collection, name) = (&*args.collection, &*args.name);
    if output.is_json() {
        return Ok(output.document(Detached { collection, name })?);
    }
    let what = if args.index { "dropped the index" } else { "detached" };
    output.say(format_args!("{what} {name} from {collection}; `larder gc` frees what it used"));
    Ok(())
}
