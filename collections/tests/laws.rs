//! The engine of fragments keeps the laws of engines.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use larder_collections::{Engine, FragmentEngine};
use larder_core::Registry;
use larder_store_fs as _;
use larder_testkit::all_engine_laws;

fn keeps_the_laws(url: &str) {
    let larder = Registry::linked().unwrap().open(url).unwrap();
    all_engine_laws(&|name| {
        Arc::new(FragmentEngine::new(&larder, name.parse().unwrap())) as Arc<dyn Engine>
    });
}

#[test]
fn in_memory() {
    keeps_the_laws("memory:");
}

#[test]
fn in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    keeps_the_laws(&format!("fs:{}", folder.path().display()));
}
