//! Parameters and metrics of a run, as annotations of its versions.

use larder_core::store::Action;
use larder_core::versions::AnnotationsChange;
use larder_core::{Error, VersionInfo};
use larder_files::drafts::{Draft, DraftId, DraftKind, DraftVersion, LarderDrafts};
use larder_server::extend::{Context, Failure};

use super::drafts::own;
use super::names::{self, MODEL, PARAMETER, RUN};

/// The most parameters that become labels; the run keeps all.
const MOST_PARAMETERS: usize = 40;
/// The most metrics of a version.
const MOST_METRICS: usize = 64;

/// The drafts that a version is made of.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) run: Option<DraftId>,
    pub(super) model: Option<DraftId>,
}

impl Origin {
    fn parts(&self) -> impl Iterator<Item = (&DraftId, DraftKind)> {
        let run = self.run.iter().map(|id| (id, DraftKind::Run));
        run.chain(self.model.iter().map(|id| (id, DraftKind::Model)))
    }

    /// Records the version in its drafts, so that it gets what the run logs later.
    pub(super) fn remember(&self, context: &Context, info: &VersionInfo) -> Result<(), Failure> {
        let version = DraftVersion { name: info.identifier.clone(), version: info.version };
        for (id, _) in self.parts() {
            context.larder().drafts().change(id, |draft| {
                if !draft.versions.contains(&version) {
                    draft.versions.push(version.clone());
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Returns the annotations that a version gets from its run and its logged model. The model's own have precedence.
pub(super) fn annotated(context: &Context, origin: &Origin) -> Result<AnnotationsChange, Failure> {
    let mut change = AnnotationsChange::new();
    let mut logged = None::<Draft>;
    for (id, kind) in origin.parts() {
        let draft = own(context, id, kind)?;
        let label = if kind == DraftKind::Run { RUN } else { MODEL };
        change = change.label(label, id.as_str());
        match &mut logged {
            Some(logged) => {
                logged.parameters.extend(draft.parameters);
                logged.metrics.extend(draft.metrics);
            }
            None => logged = Some(draft),
        }
    }
    match logged {
        Some(logged) => Ok(with(change, &logged)),
        None => Ok(change),
    }
}

/// Adds the parameters and metrics of a draft that annotations can hold.
fn with(mut change: AnnotationsChange, draft: &Draft) -> AnnotationsChange {
    let labels = draft.parameters.iter().map(|(key, value)| (format!("{PARAMETER}{key}"), value));
    let fits = |key: &str, value: &str| AnnotationsChange::new().label(key, value).check().is_ok();
    for (key, value) in labels.filter(|(key, value)| fits(key, value)).take(MOST_PARAMETERS) {
        change = change.label(key, value);
    }
    let fits = |key: &str| AnnotationsChange::new().metric(key, 0.0).check().is_ok();
    for (key, metric) in draft.metrics.iter().filter(|(key, _)| fits(key)).take(MOST_METRICS) {
        change = change.metric(key, metric.value);
    }
    change
}

/// Passes what a draft logged on to the versions that were made of it. The draft keeps all; a version that is locked, removed
/// or full stays as it is.
pub(super) fn pass_on(context: &Context, draft: &Draft) -> Result<(), Failure> {
    if draft.versions.is_empty() {
        return Ok(());
    }
    let change = with(AnnotationsChange::new(), draft);
    for DraftVersion { name, version } in &draft.versions {
        if !context.may(Action::Annotate, &names::resource(name)) {
            continue;
        }
        super::permit(context, Action::Annotate, &names::resource(name))?;
        match context.larder().annotate(names::version(name, *version), &change) {
            Ok(_) | Err(Error::NotFound { .. } | Error::Removed { .. } | Error::Blocked { .. }) => {
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
