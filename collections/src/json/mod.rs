//! Values of fields as JSON, in both directions.

mod build;
mod ordered;
mod rows;
mod value;

pub use build::array_of;
pub(crate) use ordered::OrderedRow;
pub(crate) use rows::build;
pub use rows::infer;
pub use value::{JsonRow, row_of, value_of};
