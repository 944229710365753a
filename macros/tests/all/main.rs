//! The integration tests, as one program. `trybuild` builds the files of `tests/ui` each by itself.
#![allow(missing_docs, clippy::unwrap_used)]

mod component;
mod evolution;
