//! Export and import of larders as folders and archives.
//!
//! An export is a larder in a folder, or that folder as a `.tar` or `.tar.zst`. The same versions give the same bytes.
//! [`open`] accepts untrusted exports: it validates everything before anything is copied.
//!
//! ```
//! use larder_archive::{Form, Limits, export, open};
//! use larder_core::{Registry, Selection};
//! use larder_maintenance::{CopyOptions, LarderMaintenance};
//! # use larder::prelude::*;
//! # #[derive(Serialize, Deserialize, Component)]
//! # #[component(tag = "doc/limit")]
//! # struct Limit(f64);
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("larder.tar.zst");
//! let source = Registry::linked()?.open("memory:")?;
//! let target = Registry::linked()?.open("memory:")?;
//!
//! source.apply("wine/limit", &Limit(0.7))?;
//! export(&source, Selection::All, false, &path, Form::of(&path)?)?;
//! let archive = open(&path, &Limits::default())?;
//! archive.larder().maintenance().copy(Selection::All, &target, &CopyOptions::new())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod entry_path;
mod export;
mod folder;
mod header;
mod limits;
mod open;
mod unpack;

pub use export::{Exported, Form, export, write};
pub use limits::Limits;
pub use open::{Archive, open, open_in};
