//! Larders as folders and single files, to hand on and to take in.
//!
//! An export is a folder larder, which people and tools can read, or that folder as one `.tar` or `.tar.zst`.
//! The same versions are the same bytes. [`open`] takes either, from anyone: what is not exactly an export is
//! refused before anything is copied out of it.
//!
//! ```
//! use larder_archive::{Form, Limits, export, open};
//! use larder_core::{CopyOptions, Registry};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("shelf.tar.zst");
//! let (here, there) = (Registry::linked()?.open("memory:")?, Registry::linked()?.open("memory:")?);
//!
//! export(&here, Selection::All, false, &path, Form::of(&path))?;
//! let archive = open(&path, &Limits::default())?;
//! archive.larder().maintenance().copy(Selection::All, &there, &CopyOptions::new())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod export;
mod folder;
mod header;
mod limits;
mod open;
mod place;
mod unpack;

pub use export::{Exported, Form, export, write};
pub use limits::Limits;
pub use open::{Archive, open, open_in};
