//! The buffer that formats write to.

use std::cell::Cell;
use std::io::{self, Write};

/// Size of the buffer, in bytes.
const SIZE: usize = 64 << 10;
/// Maximum bytes that are held back at the beginning, so that encoding can start again.
const HELD: usize = 8 << 20;

/// Buffers what a format writes, and holds the beginning back.
pub(crate) struct Buffer<'a> {
    out: &'a mut dyn Write,
    bytes: Vec<u8>,
    /// Number of bytes that were written out.
    written: &'a Cell<u64>,
}

impl<'a> Buffer<'a> {
    /// Creates a buffer that counts in `written` what it writes out.
    pub(crate) fn new(out: &'a mut dyn Write, written: &'a Cell<u64>) -> Self {
        Self { out, bytes: Vec::with_capacity(SIZE), written }
    }

    /// Returns the count of what was written out.
    pub(crate) fn written(&self) -> &'a Cell<u64> {
        self.written
    }

    /// Writes out the rest.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.write_out()
    }

    fn write_out(&mut self) -> io::Result<()> {
        for piece in self.bytes.chunks(SIZE) {
            self.out.write_all(piece)?;
        }
        self.written.set(self.written.get() + self.bytes.len() as u64);
        self.bytes.clear();
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn write_full(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.written.get() == 0 && self.bytes.len() + bytes.len() <= HELD {
            self.bytes.extend_from_slice(bytes);
            return Ok(());
        }
        self.write_out()?;
        self.bytes.shrink_to(SIZE);
        if bytes.len() <= self.bytes.capacity() {
            self.bytes.extend_from_slice(bytes);
            return Ok(());
        }
        self.out.write_all(bytes)?;
        self.written.set(self.written.get() + bytes.len() as u64);
        Ok(())
    }
}

impl Write for Buffer<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    #[inline(always)]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > self.bytes.capacity() - self.bytes.len() {
            return self.write_full(bytes);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
