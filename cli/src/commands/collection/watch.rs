//! `collection watch` and `unwatch`: components whose triggers run when rows change.

use larder::collections::LarderListeners;
use larder::store::EventName;
use larder::{Identifier, Larder, Reference};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::complete;
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;

/// Runs the triggers of a component whenever rows of a collection change, such as those that train a model again
///
/// The commit of each version of the collection creates the jobs; `larder work` runs them. The payload of the event names
/// the version.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The collection
    #[arg(value_name = "COLLECTION", add = complete::names())]
    collection: Qualified<Identifier>,
    /// The component
    #[arg(value_name = "NAME", add = complete::names())]
    component: Identifier,
    /// The event on which its triggers run
    #[arg(long, value_name = "EVENT", default_value = "retrain")]
    event: EventName,
}

/// Ends a watch
#[derive(clap::Args)]
pub(crate) struct UnwatchArgs {
    /// The collection
    #[arg(value_name = "COLLECTION", add = complete::names())]
    collection: Qualified<Identifier>,
    /// The last part of the component's name
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(Serialize)]
struct Document<'a> {
    outcome: Outcome,
    collection: &'a Identifier,
    component: &'a Identifier,
    event: &'a EventName,
    watch: String,
}

#[derive(Serialize)]
struct Ended<'a> {
    collection: &'a Identifier,
    name: &'a str,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let Args { collection, component, event } = args;
    // A collection that is not there is reported before the component.
    super::collection(larder, collection)?.latest()?;
    let listeners = larder.listeners(&**collection)?;
    let applied = listeners.watch(component.clone(), event.clone())?;
    let version = applied.version();
    let outcome = Outcome::changed(applied.is_created());
    if output.is_json() {
        let watch = Reference::from(version.identifier.clone()).to_string();
        return Ok(output.document(Document { outcome, collection, component, event, watch })?);
    }
    if output.is_quiet() {
        return Ok(output.references([version])?);
    }
    let done = if applied.is_created() { "" } else { "unchanged: " };
    Ok(output.line(&format!(
        "{done}{component} watches {}: new versions fire its event {event}",
        &**collection
    ))?)
}

pub(crate) fn unwatch(
    args: &UnwatchArgs,
    larder: &Larder,
    output: &mut Output,
) -> Result<(), CommandError> {
    larder.listeners(&*args.collection)?.unwatch(&args.name)?;
    let (collection, name) = (&*args.collection, &*args.name);
    if output.is_json() {
        return Ok(output.document(Ended { collection, name })?);
    }
    output.say(format_args!("{name} no longer watches {collection}"));
    Ok(())
}
