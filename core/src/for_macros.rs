//! What the code of the macros needs; no part of the interface.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{BoxError, Error};

pub use crate::registry::Linked;
pub use inventory;
pub use serde;
pub use typetag;

/// What a function that is a model failed with; an [`Error`] stays what it is.
pub fn failure(source: impl Into<BoxError>) -> Error {
    match source.into().downcast::<Error>() {
        Ok(error) => *error,
        Err(source) => Error::predict(source),
    }
}

/// Fails to compile where a type cannot be an argument.
pub const fn argument<T: Argument>() {}

/// Fails to compile where a type cannot be what a model gives.
pub const fn output<T: Output>() {}

/// What a model can take.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a model",
    label = "it needs `Deserialize` and `JsonSchema`, and owns what it holds",
    note = "add `#[derive(Deserialize, JsonSchema)]` and `#[schemars(crate = \"larder::schemars\")]` \
            (`use larder::prelude::*`)"
)]
pub trait Argument {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + JsonSchema + Send + 'static> Argument for T {}

/// What a model can give.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be what a model gives",
    label = "it needs `Serialize` and `JsonSchema`, and owns what it holds",
    note = "add `#[derive(Serialize, JsonSchema)]` and `#[schemars(crate = \"larder::schemars\")]` \
            (`use larder::prelude::*`)"
)]
pub trait Output {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + JsonSchema + Send + 'static> Output for T {}
