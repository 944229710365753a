//! WebAssembly models.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;
mod cached;
mod checked;
mod guests;
mod hostile;
mod serializers;
mod stored;
