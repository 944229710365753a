//! The buffer that formats write to.

use std::io::{self, Write};

/// Size of the buffer, in bytes.
const SIZE: usize = 64 << 10;
/// Maximum bytes that are held back at the beginning, so that encoding can start again.
const HELD: usize = 8 << 20;

/// Buffers what a format writes, and holds the beginning back.
pub(crate) struct Buffer<'a> {
    out: &'a mut dyn Write,
    bytes: Vec<u8>,
    /// Number of bytes at which the buffer is written out.
    full: usize,
    /// True if some bytes were written out.
    began: bool,
}

impl<'a> Buffer<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, bytes: Vec::new(), full: HELD, began: false }
    }

    /// Forgets all bytes; `false` if some were written out.
    pub(crate) fn restart(&mut self) -> bool {
        self.bytes.clear();
        !self.began
    }

    /// Writes out the rest.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.write_out()
    }

    fn write_out(&mut self) -> io::Result<()> {
        for piece in self.bytes.chunks(SIZE) {
            self.out.write_all(piece)?;
        }
        self.began = true;
        self.bytes.clear();
        Ok(())
    }

    #[cold]
    fn write_full(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_out()?;
        if self.full == HELD {
            self.full = SIZE;
            self.bytes = Vec::with_capacity(SIZE);
        }
        if bytes.len() < SIZE {
            self.bytes.extend_from_slice(bytes);
            return Ok(());
        }
        self.out.write_all(bytes)
    }
}

impl Write for Buffer<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.bytes.len() + bytes.len() > self.full {
            return self.write_full(bytes);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
