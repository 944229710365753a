//! The job of a listener: it handles changes, and fills what is missing.

use std::sync::Arc;

use larder_core::extend::Records as _;
use larder_core::{ApplyOptions, Error, Identifier, Larder, Model, Ref, Result, VersionInfo};
use larder_jobs::JobContext;
use serde::{Deserialize, Serialize};

use super::filler::Filler;
use super::listener::{Listener, Work};
use super::outputs::ModelVersion;
use super::predict::InputForm;
use super::source::Source;

/// Maximum number of times that other writers of the outputs may be faster.
const MOST_CONFLICTS: usize = 100;

/// The payload of the event `fill`.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Request {
    /// Rows that failed are tried again.
    pub(super) retry: bool,
}

/// The result of a listener's job.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FillReport {
    /// Rows whose output was computed.
    pub computed: u64,
    /// Rows of these that failed.
    pub failed: u64,
    /// Rows that were up to date.
    pub unchanged: u64,
    /// Rows whose output was dropped with them.
    pub dropped: u64,
    /// Rows that are still missing: the limit was reached, or the job was cancelled.
    pub left: u64,
}

/// Runs the job.
pub(super) fn run(job: &JobContext) -> Result<FillReport> {
    let request: Option<Request> = job.payload()?;
    let mut report = FillReport::default();
    for _ in 0..MOST_CONFLICTS {
        match once(job, request.unwrap_or_default(), &mut report) {
            Err(Error::Conflict { .. }) => {}
            done => return done.map(|()| report),
        }
    }
    Err(Error::Conflict { what: job.id().name().to_string() })
}

/// Loads the newest version of a listener, if it was not removed.
pub(super) fn newest(larder: &Larder, name: &Identifier) -> Result<Option<Listener>> {
    match larder.load::<Listener>(name.clone()) {
        Ok(listener) => Ok(Some(listener)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn once(job: &JobContext, request: Request, report: &mut FillReport) -> Result<()> {
    let larder = job.larder();
    let Some(listener) = newest(larder, job.id().name())? else { return Ok(()) };
    if listener.paused {
        job.log("paused");
        return Ok(());
    }
    // Outputs first: rows must not be older than those that the outputs have seen.
    let stored = super::stored_outputs(larder, &listener.outputs()?)?;
    let Some(source) = Source::open(larder, &listener)? else { return Ok(()) };
    let listener = followed(larder, listener, &source)?;
    let model = match &listener.work {
        Work::Model { version, .. } => Some(load(larder, version, &listener)?),
        Work::Index { .. } => None,
    };
    let mut filler = Filler::new(job, &listener, &source, model, stored, report)?;
    filler.handle_changes(request)?;
    filler.fill()?;
    filler.flush(true)
}

/// Loads the model of a listener.
fn load(larder: &Larder, version: &ModelVersion, listener: &Listener) -> Result<Arc<dyn Model>> {
    larder.load_model(version.reference()?).map_err(|error| match error {
        Error::NotFound { .. } | Error::Removed { .. } => Error::Refused {
            action: format!("run the listener `{}` of {}", listener.name, listener.collection),
            reason: format!("its model {version} was removed; attach another, or restore it"),
        },
        error => error,
    })
}

/// Returns the listener with the version that its reference names now.
fn followed(larder: &Larder, listener: Listener, source: &Source) -> Result<Listener> {
    let Work::Model { reference, follow: true, version, .. } = &listener.work else {
        return Ok(listener);
    };
    let found = match larder.find(reference) {
        Ok(found) => VersionInfo::new(reference.identifier(), &found),
        Err(Error::NotFound { .. }) => {
            return Err(Error::Refused {
                action: format!("run the listener `{}` of {}", listener.name, listener.collection),
                reason: format!("its model {reference} was removed; attach another, or restore it"),
            });
        }
        Err(error) => return Err(error),
    };
    if found.digest == version.digest {
        return Ok(listener);
    }
    let next = with_model(larder, &listener, &found, source)?;
    larder.apply_with(next.identifier()?, &next, &ApplyOptions::new().triggers(false))?;
    Ok(next)
}

/// Returns the listener with another version of its model, which has to take the same fields.
pub(super) fn with_model(
    larder: &Larder,
    listener: &Listener,
    found: &VersionInfo,
    source: &Source,
) -> Result<Listener> {
    let Work::Model { reference, follow, .. } = &listener.work else { return Ok(listener.clone()) };
    let version = ModelVersion {
        name: found.identifier.clone(),
        version: found.version.get(),
        digest: found.digest,
    };
    let signature = larder.load_model(version.reference()?)?.signature();
    let fields = source.fields(larder, listener)?;
    let form = InputForm::of(&signature, &fields).map_err(|reason| Error::Refused {
        action: format!("attach {} to {}", found.reference(), listener.collection),
        reason: format!("the model {reason}"),
    })?;
    let work = Work::Model {
        reference: reference.clone(),
        follow: *follow,
        model: Ref::to(version.reference()?)?,
        version,
        form,
    };
    Ok(Listener { work, ..listener.clone() })
}
