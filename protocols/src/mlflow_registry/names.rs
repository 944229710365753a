//! Names on both sides: `house~price` for MLflow is `house/price` here.

use larder_access::Resource;
use larder_core::store::{TagName, VersionNumber};
use larder_core::{Identifier, Reference, Selector};
use larder_server::extend::Failure;

/// The prefix of labels that keep what MLflow says of a version.
pub(super) const OWN: &str = "mlflow/";
/// The prefix of labels that are parameters of the run.
pub(super) const PARAMETER: &str = "param/";
/// The label of the source that the client stated.
pub(super) const SOURCE: &str = "mlflow/source";
/// The label of the run.
pub(super) const RUN: &str = "mlflow/run";
/// The label of the logged model.
pub(super) const MODEL: &str = "mlflow/model";
/// The label of the model's flavours.
pub(super) const FLAVORS: &str = "mlflow/flavors";
/// The label of the format of the model's file, such as `skops`.
pub(super) const FORMAT: &str = "mlflow/format";

/// Parses the name of a registered model.
pub(super) fn parse(name: &str) -> Result<Identifier, Failure> {
    Ok(Identifier::new(&name.replace('~', "/"))?)
}

/// Returns a name as MLflow writes it.
pub(super) fn written(name: &Identifier) -> String {
    name.as_str().replace('/', "~")
}

/// Parses the number of a version.
pub(super) fn number(text: &str) -> Result<VersionNumber, Failure> {
    let number = text.parse().ok().and_then(VersionNumber::new);
    number.ok_or_else(|| Failure::bad_request("cannot find the version: its number is 1, 2, 3 …"))
}

/// Parses an alias.
pub(super) fn alias(text: &str) -> Result<TagName, Failure> {
    Ok(TagName::new(text)?)
}

/// Returns the reference to a version.
pub(super) fn version(name: &Identifier, number: VersionNumber) -> Reference {
    Reference::new(name.clone(), Selector::Version(number))
}

pub(super) fn resource(name: &Identifier) -> Resource {
    Resource::Name(name.clone())
}

/// Refuses the name of a tag that would be taken for what the server keeps in labels.
pub(super) fn check_label(key: &str) -> Result<(), Failure> {
    match key.starts_with(OWN) || key.starts_with(PARAMETER) {
        true => Err(Failure::bad_request(
            "cannot set the tag: `mlflow/` and `param/` begin labels that the server writes",
        )),
        false => Ok(()),
    }
}
