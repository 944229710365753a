//! `larder.json`, which marks a folder as a larder.

use std::fs;
use std::io;
use std::path::Path;

use larder_store::Corruption;
use larder_store::files::{absent, describe};
use larder_store::{Error, Result};
use serde::Deserialize;

use crate::layout::{self, Layout};

/// The format of new folders, and the newest format that can be read.
const FORMAT: u64 = 1;

#[derive(Deserialize)]
struct Marker {
    larder: u64,
    store: String,
}

/// Returns the content of `larder.json` in a new folder.
pub fn marker() -> String {
    format!(r#"{{"larder":{FORMAT},"store":"fs"}}"#)
}

/// Checks that the folder is a larder of a known format. Makes an empty folder a larder.
pub(crate) fn check_or_create(layout: &Layout) -> Result<()> {
    let root = layout.root();
    let failed =
        |error: io::Error| Error::store(format!("open the folder {}", root.display()), error);
    let what = format!("the folder {}", root.display());
    match absent(fs::read(layout.marker())).map_err(failed)? {
        Some(json) => {
            let corrupt = |reason: String| Error::corrupt(&what, Corruption::Unreadable(reason));
            let marker: Marker = serde_json::from_slice(&json)
                .map_err(|error| corrupt(format!("cannot read its larder.json: {error}")))?;
            match marker {
                Marker { larder: FORMAT, store } if store == "fs" => Ok(()),
                Marker { larder, .. } if larder > FORMAT => {
                    Err(Error::NewerFormat { what, found: larder, known: FORMAT })
                }
                _ => Err(corrupt("its larder.json does not name an `fs` store".into())),
            }
        }
        None => {
            if let Some(other) = foreign_file(root).map_err(failed)? {
                return Err(Error::Refused {
                    action: format!("use {what} as a larder"),
                    reason: format!("it holds `{other}`; name an empty or a new folder"),
                });
            }
            layout.write(&layout.marker(), marker().as_bytes()).map_err(failed)
        }
    }
}

/// Returns the error of a larder's path that is not a folder.
pub(crate) fn no_folder(path: &Path) -> Error {
    let (place, found) = (path.display(), describe(path));
    let advice = match found.contains("SQLite") {
        true => format!("if that is a larder, write `sqlite:{place}`"),
        false => "name an empty or a new folder".to_owned(),
    };
    Error::Refused {
        action: format!("use {place} as a larder"),
        reason: format!("it is {found}; {advice}"),
    }
}

/// Returns the name of a file in the folder that does not belong to a larder.
fn foreign_file(root: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(root)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !layout::OWN.contains(&name.as_str()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
