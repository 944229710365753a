//! The engine that keeps rows in fragments, which are artifacts of ordinary versions.

mod commit;
mod delta;
mod engine;
mod lookup;
mod merge;
mod prepare;
mod scan;
mod version;
mod write;

pub use engine::FragmentEngine;
pub use version::FragmentVersion;
