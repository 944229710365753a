//! Values of fields as JSON, in both directions.

mod build;
mod rows;
mod value;

pub(crate) use build::array_of;
pub(crate) use rows::{build, infer};
pub use value::{JsonRow, row_of, value_of};
