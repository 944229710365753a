//! Rust types of fields, and the schemas of Rust types.

mod encoded;
mod media;
mod trace;
mod vector;

pub use encoded::Encoded;
pub use media::Media;
pub(crate) use trace::schema_of;
pub use vector::Vector;
