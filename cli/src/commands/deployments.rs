//! `deployments`: what is deployed, and what serves.

use larder::serving::{DeploymentInfo, EventKind, LarderDeployments};
use larder::store::Timestamp;
use larder::{Identifier, Larder};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Lists the deployments, and the version that each serves
///
/// With a name, also what happened to it, and why.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this deployment, with its history
    #[arg(value_name = "NAME", add = complete::deployments())]
    name: Option<Qualified<Identifier>>,
}

#[derive(Serialize)]
struct Document<'a> {
    deployments: &'a [DeploymentInfo],
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let deployments = match &args.name {
        Some(name) => vec![larder.deployment(&**name)?],
        None => larder.deployments()?,
    };
    if output.is_json() {
        return Ok(output.document(Document { deployments: &deployments })?);
    }
    if output.is_quiet() {
        return Ok(deployments.iter().try_for_each(|it| output.line(it.name.as_str()))?);
    }
    let now = Timestamp::new(std::time::SystemTime::now());
    let row = |it: &DeploymentInfo| {
        let serving = it.serving.as_ref();
        let canary = it.canary.as_ref();
        [
            it.name.to_string(),
            it.reference.to_string(),
            serving.map_or_else(|| "-".into(), |serving| serving.reference().to_string()),
            serving.map_or_else(|| "-".into(), |serving| output.time(serving.since)),
            canary.map_or_else(
                || "-".into(),
                |canary| format!("{} {}", text::percent(canary.share), canary.reference),
            ),
            state(it, now),
        ]
    };
    let rows: Vec<_> = deployments.iter().map(row).collect();
    output.table(["NAME", "REFERENCE", "SERVES", "SINCE", "CANARY", "STATE"], rows)?;
    let Some(deployment) = deployments.first().filter(|_| args.name.is_some()) else {
        return Ok(());
    };
    output.line("")?;
    let events = deployment.events.iter().map(|event| {
        [
            output.time(event.at),
            event.event.to_string(),
            format!("{}@{}", event.name, event.version.get()),
            event.by.clone().unwrap_or_default(),
            text::clean(event.reason.as_deref().unwrap_or_default()).into_owned(),
        ]
    });
    let events: Vec<_> = events.collect();
    Ok(output.table(["WHEN", "EVENT", "VERSION", "BY", "REASON"], events)?)
}

/// The state, and the reason if it does not serve.
fn state(deployment: &DeploymentInfo, now: Timestamp) -> String {
    let failure = deployment
        .events
        .last()
        .filter(|event| matches!(event.event, EventKind::Refused | EventKind::Failed));
    let serves = match &deployment.serving {
        Some(serving) if serving.is_alive(now) => "serves",
        Some(_) => "no server",
        None => "waits for a server",
    };
    match failure {
        None => serves.into(),
        Some(failure) => {
            let reason = failure.reason.as_deref().unwrap_or_default();
            let version = format!("{}@{}", failure.name, failure.version.get());
            format!("{serves}; {version} {}: {}", failure.event, text::clean(reason))
        }
    }
}
