//! `larder.json`: what a folder is.

use std::fs;
use std::io;
use std::path::Path;

use larder_core::files::absent;
use larder_core::{Error, Corruption, Result};
use serde::Deserialize;

use crate::layout::{self, Layout};

/// The layout of folders that this Larder writes, and the newest that it reads.
const FORMAT: u64 = 1;

#[derive(Deserialize)]
struct Marker {
    larder: u64,
    store: String,
}

/// What stands in the `larder.json` of a folder that this Larder makes.
pub fn marker() -> String {
    format!(r#"{{"larder":{FORMAT},"store":"fs"}}"#)
}

/// Makes sure that the folder is a larder that this Larder can use, or makes it one if it is empty.
pub(crate) fn check_or_create(layout: &Layout) -> Result<()> {
    let root = layout.root();
    let failed =
        |error: io::Error| Error::store(format!("open the folder {}", root.display()), error);
    let what = format!("the folder {}", root.display());
    match absent(fs::read(layout.marker())).map_err(failed)? {
        Some(json) => {
            let corrupt = |reason: String| Error::corrupt(&what, Corruption::Unreadable(reason));
            let marker: Marker = serde_json::from_slice(&json)
                .map_err(|error| corrupt(format!("its larder.json cannot be read: {error}")))?;
            match marker {
                Marker { larder: FORMAT, store } if store == "fs" => Ok(()),
                Marker { larder, .. } if larder > FORMAT => {
                    Err(Error::NewerFormat { what, found: larder, known: FORMAT })
                }
                _ => Err(corrupt("its larder.json does not name an `fs` store".into())),
            }
        }
        None => {
            if let Some(other) = stranger(root).map_err(failed)? {
                return Err(Error::Refused {
                    action: format!("use {what} as a larder"),
                    reason: format!(
                        "it holds `{other}`; name an empty or a new folder"
                    ),
                });
            }
            layout.write(&layout.marker(), marker().as_bytes()).map_err(failed)
        }
    }
}

/// A file in the folder that is none of Larder's.
fn stranger(root: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(root)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !layout::OWN.contains(&name.as_str()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
