//! `deploy` and `undeploy`: what servers serve.

use std::time::Duration;

use larder::serving::{
    CanaryOptions, DeployOptions, DeployOutcome, DeploymentInfo, LarderDeployments,
};
use larder::{Identifier, Larder};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::complete;
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;
use crate::text;

/// Deploys a model: every server of the larder serves it under a name
///
/// A tag, or a name alone, is followed: when it names another version, servers load it, check its signature and warm it up
/// before it takes over. A number or a digest is pinned. To deploy the same again changes nothing.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    /// The name of the deployment; the version's name by default
    #[arg(long, add = complete::deployments())]
    name: Option<Identifier>,
    /// Let a version whose signature differs from the one that serves take over
    #[arg(long)]
    allow_signature_change: bool,
    /// A version that gets a share of the requests, and then takes over or is given up by the rules below
    #[arg(long, value_name = "REF", add = complete::references())]
    canary: Option<Qualified>,
    /// The canary's share of the requests, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, requires = "canary")]
    share: f64,
    /// Time before the canary is judged
    #[arg(
        long, value_name = "TIME", default_value = "60s", value_parser = text::parse_duration,
        requires = "canary"
    )]
    interval: Duration,
    /// Requests to the canary, on one server, before it is judged
    #[arg(long, value_name = "NUMBER", default_value_t = 50, requires = "canary")]
    min_requests: u64,
    /// The share of the canary's requests that may fail, from 0 to 1; bad inputs do not count
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, requires = "canary")]
    max_error_rate: f64,
    /// Time within which the canary must answer 90 % of its requests
    #[arg(
        long, value_name = "TIME", value_parser = text::parse_duration, requires = "canary"
    )]
    max_p90: Option<Duration>,
    /// Wait until a server serves it; fail if a server refuses it
    #[arg(long)]
    wait: bool,
    /// Time to wait at most
    #[arg(
        long, value_name = "TIME", default_value = "60s", value_parser = text::parse_duration,
        requires = "wait"
    )]
    timeout: Duration,
}

/// Ends a deployment: servers no longer serve it
#[derive(clap::Args)]
pub(crate) struct UndeployArgs {
    /// The name of the deployment
    #[arg(value_name = "NAME", add = complete::deployments())]
    name: Qualified<Identifier>,
}

#[derive(Serialize)]
struct Document<'a> {
    outcome: Outcome,
    #[serde(flatten)]
    deployment: &'a DeploymentInfo,
}

#[derive(Serialize)]
struct Undeployed<'a> {
    name: &'a Identifier,
}

impl Args {
    fn options(&self) -> DeployOptions {
        let mut options = DeployOptions::new().allow_signature_change(self.allow_signature_change);
        if let Some(name) = &self.name {
            options = options.name(name.clone());
        }
        let Some(canary) = &self.canary else { return options };
        let mut canary = CanaryOptions::new(larder::Reference::clone(canary))
            .share(self.share)
            .interval(self.interval)
            .min_requests(self.min_requests)
            .max_error_rate(self.max_error_rate);
        if let Some(time) = self.max_p90 {
            canary = canary.max_p90(time);
        }
        options.canary(canary)
    }
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let deployed = larder.deploy(&args.reference, &args.options())?;
    let mut deployment = deployed.deployment;
    if args.wait {
        deployment = larder.wait_deployed(&deployment.name, args.timeout)?;
    }
    let (outcome, before) = match deployed.outcome {
        DeployOutcome::Created => (Outcome::Created, ""),
        DeployOutcome::Changed => (Outcome::Changed, ""),
        DeployOutcome::Unchanged => (Outcome::Unchanged, "unchanged: "),
    };
    if output.is_json() {
        return Ok(output.document(Document { outcome, deployment: &deployment })?);
    }
    let DeploymentInfo { name, reference, .. } = &deployment;
    if output.is_quiet() {
        return Ok(output.line(name.as_str())?);
    }
    output.line(&format!("{before}{name} is to serve {reference}"))?;
    if let Some(canary) = &deployment.canary {
        let share = text::percent(canary.share);
        output.line(&format!("{share} of its requests go to {}", canary.reference))?;
    }
    if let Some(serving) = deployment.serving.as_ref().filter(|_| args.wait) {
        let digest = serving.digest.short();
        output.line(&format!("{name} serves {} ({digest})", serving.reference()))?;
    }
    Ok(())
}

pub(crate) fn undeploy(
    args: &UndeployArgs,
    larder: &Larder,
    output: &mut Output,
) -> Result<(), CommandError> {
    let name: &Identifier = &args.name;
    if !larder.undeploy(name)? {
        // The error that names similar ones.
        larder.deployment(name)?;
    }
    if output.is_json() {
        return Ok(output.document(Undeployed { name })?);
    }
    output.say(format_args!("undeployed {name}"));
    Ok(())
}
