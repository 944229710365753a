//! Models on collections.

pub mod nearest;
