//! Where the bytes of an artifact go while they are encoded: its digest, and memory or the store.

use std::io::{self, Write};
use std::thread;

use super::artifact_writer::encode_error;
use super::read_back::Kept;
use crate::error::{BoxError, Error};
use crate::progress::Meter;
use crate::store::{BlobWriter, Store};

/// Bytes that are digested and written at a time; they fit the processor's cache.
const STEP: usize = 256 << 10;
/// Minimum bytes for digesting on another thread than writing.
const SPLIT: usize = 4 << 20;

/// Digests its input, and buffers it while small or streams it to the store. In a dry run it only digests.
pub(super) struct Sink<'a> {
    store: &'a dyn Store,
    meter: &'a Meter,
    pub(super) keeps: bool,
    inline: usize,
    pub(super) hasher: blake3::Hasher,
    pub(super) size: u64,
    pub(super) buffer: Vec<u8>,
    pub(super) writer: Option<Box<dyn BlobWriter>>,
    failure: Option<Error>,
    /// The bytes to read back.
    pub(super) kept: Option<Kept>,
}

impl<'a> Sink<'a> {
    pub(super) fn new(store: &'a dyn Store, meter: &'a Meter, keeps: bool) -> Self {
        Self {
            store,
            meter,
            keeps,
            inline: store.capabilities().inline_blob,
            hasher: blake3::Hasher::new(),
            size: 0,
            buffer: Vec::new(),
            writer: None,
            failure: None,
            kept: None,
        }
    }

    /// Returns the sink's own failure if there is one, else `error`.
    pub(super) fn explain(&mut self, error: impl Into<BoxError>) -> Error {
        self.failure.take().unwrap_or_else(|| encode_error(error.into()))
    }

    fn fail(&mut self, error: Error) -> io::Error {
        let told = io::Error::other(error.to_string());
        self.failure.get_or_insert(error);
        told
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let step = if buf.len() < SPLIT { &buf[..buf.len().min(STEP)] } else { buf };
        if self.keeps && self.writer.is_none() && self.buffer.len() + step.len() > self.inline {
            let opened = self.store.write_blob();
            let mut writer = opened.map_err(|error| self.fail(error))?;
            let written = writer.write_all(&self.buffer);
            written.map_err(|error| self.fail(write_error(self.store, error)))?;
            self.buffer = Vec::new();
            self.writer = Some(writer);
        }
        match &mut self.writer {
            Some(writer) => {
                let written = write_and_digest(&mut **writer, &mut self.hasher, step);
                written.map_err(|error| self.fail(write_error(self.store, error)))?;
            }
            None => {
                if self.keeps {
                    self.buffer.extend_from_slice(step);
                }
                self.hasher.update(step);
            }
        }
        Kept::add(&mut self.kept, step);
        self.size += step.len() as u64;
        self.meter.add(step.len() as u64);
        Ok(step.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_and_digest(
    writer: &mut dyn BlobWriter,
    hasher: &mut blake3::Hasher,
    bytes: &[u8],
) -> io::Result<()> {
    if bytes.len() < SPLIT {
        hasher.update(bytes);
        return writer.write_all(bytes);
    }
    let (digesting, written) = thread::scope(|scope| {
        let digest = || {
            hasher.update(bytes);
        };
        let digesting = thread::Builder::new().spawn_scoped(scope, digest).is_ok();
        (digesting, writer.write_all(bytes))
    });
    if !digesting {
        // No thread could be spawned.
        hasher.update(bytes);
    }
    written
}

fn write_error(store: &dyn Store, error: io::Error) -> Error {
    Error::store(format!("write a blob to {}", store.url()), error)
}
