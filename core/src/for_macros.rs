//! Support for code that the macros generate; not part of the interface.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::component::{self, Component, ComponentType};
use crate::error::{BoxError, Error};

pub use crate::registry::{Hints, Linked, Trusted};
pub use erased_serde;
pub use inventory;
pub use larder_records::Built;
pub use serde;
pub use typetag;

/// Converts the error of a function model; an [`Error`] is kept.
pub fn failure(source: impl Into<BoxError>) -> Error {
    match source.into().downcast::<Error>() {
        Ok(error) => *error,
        Err(source) => Error::predict(source),
    }
}

/// Decodes the fields of an older version of a type, and migrates them.
pub fn migrate<Old: DeserializeOwned, New, Made: Migration<New>>(
    fields: &mut dyn erased_serde::Deserializer<'_>,
    migrate: impl FnOnce(Old) -> Made,
) -> Result<New, erased_serde::Error> {
    let old: Old = erased_serde::deserialize(fields)?;
    migrate(old).made().map_err(serde::de::Error::custom)
}

/// Returns the error for fields of a version without a migration.
pub fn no_migration<T: ComponentType>(wrote: u32) -> erased_serde::Error {
    component::no_migration(wrote, T::VERSION)
}

/// Return type of a migration to `New`.
#[diagnostic::on_unimplemented(
    message = "a migration to `{New}` cannot return `{Self}`",
    label = "expected `{New}` or `Result<{New}, E>`",
    note = "`migrate_from(1 = \"f\")` names a function `fn f(old: OldType) -> {New}` or `-> Result<{New}, E>`"
)]
pub trait Migration<New> {
    /// The value, or why there is none.
    fn made(self) -> Result<New, BoxError>;
}

impl<New: ComponentType> Migration<New> for New {
    fn made(self) -> Result<New, BoxError> {
        Ok(self)
    }
}

impl<New, E: Into<BoxError>> Migration<New> for Result<New, E> {
    fn made(self) -> Result<New, BoxError> {
        self.map_err(Into::into)
    }
}

/// Clones a component with hooks; its name is part of the compiler's message where `Clone` is missing.
pub fn hooks_require_clone<T: Component + Clone>(component: &T) -> Box<dyn Component> {
    Box::new(component.clone())
}

/// Checks at compile time that a type can be an argument.
pub const fn argument<T: Argument>() {}

/// Checks at compile time that a type can be an output.
pub const fn output<T: Output>() {}

/// Argument type of a model.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a model",
    label = "expected `Deserialize + JsonSchema + Send + 'static`",
    note = "add `#[derive(Deserialize, JsonSchema)]` and `#[schemars(crate = \"larder::schemars\")]` \
            (`use larder::prelude::*`)"
)]
pub trait Argument {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + JsonSchema + Send + 'static> Argument for T {}

/// Output type of a model.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the output of a model",
    label = "expected `Serialize + JsonSchema + Send + 'static`",
    note = "add `#[derive(Serialize, JsonSchema)]` and `#[schemars(crate = \"larder::schemars\")]` \
            (`use larder::prelude::*`)"
)]
pub trait Output {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + JsonSchema + Send + 'static> Output for T {}
