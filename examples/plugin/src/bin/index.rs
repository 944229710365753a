//! Applies an index of text files: `index STORE NAME FILE…`. Without arguments it indexes this crate's README.

use std::error::Error;
use std::fs;

use larder::Serializer as _;
use larder_example_plugin::{RoaringFile, Search};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() {
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        arguments = ["search.db", "docs/index", readme].map(str::to_owned).into();
    }
    let [store, name, files @ ..] = &arguments[..] else {
        return Err("usage: index STORE NAME FILE…".into());
    };
    let mut lines = Vec::new();
    for file in files {
        let text = fs::read_to_string(file)?;
        lines.extend(text.lines().map(|line| line.trim().to_owned()));
    }
    let larder = larder::open(store)?;
    larder.serializers().apply(RoaringFile::NAME)?; // records where to get the serializer
    larder.apply(name, &Search::new(lines))?;
    Ok(())
}
