//! Drafts of the principal, and the places where files are.

use std::sync::Arc;

use larder_access::Resource;
use larder_core::extend::Records;
use larder_core::record::VersionRecord;
use larder_core::store::{Action, TreePath, VersionNumber};
use larder_core::{Identifier, Reference};
use larder_files::TreeListing;
use larder_files::drafts::{Draft, DraftId, DraftKind, LarderDrafts};
use larder_server::extend::{Context, Failure};

use super::names;
use crate::trees;

/// The experiment of runs that name none, and its id.
pub(super) const DEFAULT: (&str, &str) = ("Default", "0");
/// The most bytes of the name of an experiment: its id is in paths.
const MOST_EXPERIMENT: usize = 100;

/// Parses the id of a run or of a logged model.
pub(super) fn id(text: &str) -> Result<DraftId, Failure> {
    Ok(DraftId::new(text)?)
}

/// Creates the id of a draft.
pub(super) fn new_id(kind: DraftKind) -> Result<DraftId, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::internal(error.to_string()))?;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    match kind {
        DraftKind::Run => id(&hex),
        DraftKind::Model => id(&format!("m-{hex}")),
    }
}

/// Returns the name of the principal.
pub(super) fn principal(context: &Context) -> Option<String> {
    context.principal().map(|principal| principal.name.to_string())
}

/// Checks that a draft is the principal's. Administrators may see all.
pub(super) fn check_owner(context: &Context, draft: &Draft) -> Result<(), Failure> {
    match draft.by == principal(context) {
        true => Ok(()),
        false => context.authorize(Action::Administer, &Resource::Larder),
    }
}

/// Returns a draft of the principal.
pub(super) fn own(context: &Context, id: &DraftId, kind: DraftKind) -> Result<Draft, Failure> {
    let found = context.larder().drafts().get(id)?.filter(|draft| draft.kind == kind);
    let draft = found.ok_or_else(|| missing(kind))?;
    check_owner(context, &draft)?;
    Ok(draft)
}

/// Changes a draft of the principal.
pub(super) fn change(
    context: &Context,
    id: &DraftId,
    kind: DraftKind,
    mut change: impl FnMut(&mut Draft),
) -> Result<Draft, Failure> {
    own(context, id, kind)?;
    let changed = context.larder().drafts().change(id, |draft| {
        change(draft);
        Ok(())
    })?;
    changed.ok_or_else(|| missing(kind))
}

pub(super) fn missing(kind: DraftKind) -> Failure {
    Failure::not_found(match kind {
        DraftKind::Run => "cannot find the run: there is none with this id",
        DraftKind::Model => "cannot find the logged model: there is none with this id",
    })
}

/// Returns the id of an experiment, which follows from its name.
pub(super) fn experiment_id(name: &str) -> String {
    match name == DEFAULT.0 {
        true => DEFAULT.1.to_owned(),
        false => name.bytes().fold("e".to_owned(), |id, byte| id + &format!("{byte:02x}")),
    }
}

/// Returns the name of an experiment.
pub(super) fn experiment_name(id: &str) -> Result<String, Failure> {
    if matches!(id, "" | "0") {
        return Ok(DEFAULT.0.to_owned());
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let name = id.strip_prefix('e').and_then(|hex| {
        let bytes: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(byte).collect();
        String::from_utf8(bytes?).ok()
    });
    let name = name.filter(|name| !name.is_empty() && experiment_id(name) == id);
    name.ok_or_else(|| Failure::not_found("cannot find the experiment: its id is of none"))
}

/// Checks the name of an experiment.
pub(super) fn check_experiment(name: &str) -> Result<(), Failure> {
    match (1..=MOST_EXPERIMENT).contains(&name.len()) {
        true => Ok(()),
        false => {
            Err(Failure::bad_request("cannot use the experiment: its name has 1 to 100 bytes"))
        }
    }
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In a draft.
    Draft(DraftKind, DraftId),
    /// In a version.
    Version(Identifier, VersionNumber),
}

/// Parses `EXPERIMENT/models/ID/artifacts/PATH`, `EXPERIMENT/RUN/artifacts/PATH` or `versions/NAME/N/PATH`.
pub(super) fn place(path: &str) -> Result<(Place, Option<TreePath>), Failure> {
    let none = || Failure::not_found("cannot find the file: there is no such place");
    let parts: Vec<&str> = path.trim_matches('/').splitn(5, '/').collect();
    let (place, taken) = match parts[..] {
        ["versions", name, number, ..] => {
            (Place::Version(names::parse(name)?, names::number(number)?), 3)
        }
        [_, "models", model, "artifacts", ..] => {
            (Place::Draft(DraftKind::Model, id(model).map_err(|_| none())?), 4)
        }
        [_, run, "artifacts", ..] => {
            (Place::Draft(DraftKind::Run, id(run).map_err(|_| none())?), 3)
        }
        _ => return Err(none()),
    };
    let rest = parts[taken..].join("/");
    let inside = (!rest.is_empty()).then(|| TreePath::new(&rest)).transpose()?;
    Ok((place, inside))
}

impl Place {
    /// Returns the files of it, if the principal may read them.
    pub(super) fn files(&self, context: &Context) -> Result<Arc<TreeListing>, Failure> {
        let larder = context.larder();
        match self {
            Self::Draft(kind, id) => {
                let draft = own(context, id, *kind)?;
                Ok(Arc::new(larder.drafts().files(id, &draft)?))
            }
            Self::Version(name, number) => {
                context.authorize(Action::Read, &names::resource(name))?;
                let record = larder.find(&names::version(name, *number))?;
                version_files(context, name, &record)
            }
        }
    }
}

fn version_files(
    context: &Context,
    name: &Identifier,
    record: &VersionRecord,
) -> Result<Arc<TreeListing>, Failure> {
    let files = trees::listing(context, name, &record.manifest)?;
    files.ok_or_else(|| Failure::bad_request("cannot read the version: it is no folder of files"))
}

/// The source of a version.
pub(super) struct Source {
    pub(super) files: TreeListing,
    pub(super) run: Option<DraftId>,
    pub(super) model: Option<DraftId>,
}

/// Finds the files to be registered: of a logged model, or of a source in this larder.
pub(super) fn source(
    context: &Context,
    source: &str,
    model: Option<&str>,
) -> Result<Source, Failure> {
    let from_uri = source.strip_prefix("models:/").filter(|id| id.starts_with("m-"));
    let (files, run, model) = if let Some(model) = model.or(from_uri) {
        let model = id(model)?;
        let draft = own(context, &model, DraftKind::Model)?;
        let files = context.larder().drafts().files(&model, &draft)?;
        (files, draft.run, Some(model))
    } else if let Some(reference) = source.strip_prefix("models:/") {
        let reference = reference_of(reference)?;
        context.authorize(Action::Read, &Resource::of(&reference))?;
        let record = context.larder().find(&reference)?;
        ((*version_files(context, reference.identifier(), &record)?).clone(), None, None)
    } else {
        let path = match source.strip_prefix("runs:/") {
            Some(rest) => {
                let (run, inside) = rest.split_once('/').unwrap_or((rest, ""));
                format!("0/{run}/artifacts/{inside}")
            }
            None => source.strip_prefix("mlflow-artifacts:/").unwrap_or_default().to_owned(),
        };
        let outside = || {
            Failure::bad_request(
                "cannot register the model: its source is not in this larder, and no other is followed",
            )
        };
        let (place, inside) = place(&path).map_err(|_| outside())?;
        let files = place.files(context)?;
        let files = below(&files, inside.as_ref());
        match place {
            Place::Draft(DraftKind::Run, id) => (files, Some(id), None),
            Place::Draft(DraftKind::Model, id) => {
                let run = own(context, &id, DraftKind::Model)?.run;
                (files, run, Some(id))
            }
            Place::Version(..) => (files, None, None),
        }
    };
    match files.files.is_empty() {
        true => Err(Failure::bad_request("cannot register the model: it has no files")),
        false => Ok(Source { files, run, model }),
    }
}

/// Parses `NAME/N`, `NAME/latest` or `NAME@ALIAS`.
fn reference_of(text: &str) -> Result<Reference, Failure> {
    let (name, selector) = match text.split_once('@') {
        Some((name, alias)) => (name, format!(":{}", names::alias(alias)?)),
        None => match text.rsplit_once('/') {
            Some((name, "latest")) => (name, String::new()),
            Some((name, number)) => (name, format!("@{}", names::number(number)?.get())),
            None => return Err(Failure::bad_request("cannot find the version: it has no number")),
        },
    };
    Ok(format!("{}{selector}", names::parse(name)?).parse()?)
}

/// Returns the files below a folder, by their paths in it.
pub(super) fn below(listing: &TreeListing, folder: Option<&TreePath>) -> TreeListing {
    let Some(folder) = folder else { return listing.clone() };
    let inside = |path: &TreePath| {
        let rest = path.as_str().strip_prefix(folder.as_str())?.strip_prefix('/')?;
        TreePath::new(rest).ok()
    };
    let files =
        listing.files.iter().filter_map(|(path, file)| Some((inside(path)?, *file))).collect();
    TreeListing { files }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn experiments_have_the_ids_that_follow_from_their_names() {
        for name in ["Default", "MLflow Quickstart", "größer", "e"] {
            assert_eq!(experiment_name(&experiment_id(name)).unwrap(), name);
        }
        assert_eq!(experiment_id("Default"), "0");
        for other in ["1", "e", "e4", "eff", "e44656661756c74", "E41", "e4g", "x"] {
            assert!(experiment_name(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_place_has_no_way_out() {
        let run = "0".repeat(32);
        let (at, inside) = place(&format!("0/{run}/artifacts/a/b.txt")).unwrap();
        assert_eq!(at, Place::Draft(DraftKind::Run, id(&run).unwrap()));
        assert_eq!(inside.unwrap().as_str(), "a/b.txt");
        let (at, inside) = place("1/models/m-1/artifacts").unwrap();
        assert_eq!((at, inside), (Place::Draft(DraftKind::Model, id("m-1").unwrap()), None));
        let (at, inside) = place("versions/a~b/7/MLmodel").unwrap();
        assert!(matches!(at, Place::Version(name, _) if name.as_str() == "a/b"));
        assert_eq!(inside.unwrap().as_str(), "MLmodel");
        for bad in [
            "",
            "/",
            "x",
            "0/models",
            "0/models/m-1",
            "0/models/m-1/other/x",
            "versions/a/0/x",
            "versions/A/1/x",
            "versions/a/1/../x",
            "0/run/artifacts/../../x",
            "0/../artifacts/x",
            "0/run/artifacts/a//b",
            "0/run/artifacts/./b",
            "0/run/artifacts/a\\b",
        ] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
