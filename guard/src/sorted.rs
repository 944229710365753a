//! Maps in the order of their keys.
//!
//! serde hands over the entries of a map in the order of its iterator, which for a `HashMap` differs from run to run.
//! So the output of a map is held back until its end, and its entries are sorted there.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::io::{self, Write};
use std::mem;
use std::ops::Range;

use serde::ser::Serialize;

use crate::sort_key::SortKey;
use crate::{Guard, uses};

/// Writes the header of a sequence or map with that many elements.
pub type WriteLen = fn(usize, &mut Vec<u8>);

/// Output that is held back while a map is being encoded.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: RefCell<Vec<u8>>,
    /// Memory of maps that ended, for the next ones.
    spare: RefCell<Vec<(Vec<u8>, Vec<Entry>)>>,
    /// Number of open maps, and sequences of unknown length.
    open: Cell<usize>,
    /// True if something is or will be held back.
    busy: Cell<bool>,
    /// True if there is an [`Output`].
    sorts: Cell<bool>,
    /// Of formats whose serializer cannot write a header later: how to write one, for sequences and maps.
    pub(super) lengths: Cell<Option<(WriteLen, WriteLen)>>,
}

/// The output of an encoding; its maps are sorted. Made by [`Guard::output`].
pub struct Output<'g, W> {
    held: &'g Held,
    inner: W,
}

impl Held {
    /// Returns true if maps are sorted.
    pub(super) fn sorts(&self) -> bool {
        self.sorts.get()
    }

    /// Returns true if the header of a sequence of this length is written at its end.
    pub(super) fn rewrites(&self, len: Option<usize>) -> bool {
        len.is_none() && self.sorts() && self.lengths.get().is_some()
    }
}

impl<'g, W: Write> Output<'g, W> {
    pub(super) fn new(held: &'g Held, inner: W) -> Self {
        held.sorts.set(true);
        Self { held, inner }
    }

    #[inline(never)]
    fn write_busy(&mut self, buf: &[u8]) -> io::Result<()> {
        if self.held.open.get() > 0 {
            self.held.bytes.borrow_mut().extend_from_slice(buf);
            return Ok(());
        }
        self.pass_on()?;
        self.inner.write_all(buf)
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.held.busy.set(false);
        let bytes = mem::take(&mut *self.held.bytes.borrow_mut());
        self.inner.write_all(&bytes)
    }

    /// Writes what is held back. Returns the writer.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.pass_on()?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Output<'_, W> {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_all(buf)?;
        Ok(buf.len())
    }

    #[inline(always)]
    fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        if self.held.busy.get() {
            return self.write_busy(buf);
        }
        self.inner.write_all(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A map being encoded, or a sequence of unknown length.
pub(super) struct HeldBack {
    /// Where its header begins, and where its elements begin.
    header: usize,
    start: usize,
    /// Writes its header, if its length was unknown.
    write_len: Option<WriteLen>,
    /// The sort keys of all entries, one after the other.
    keys: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// Its sort key in `keys`.
    key: Range<usize>,
    /// Where it starts, where its value starts, and the uses before it.
    start: usize,
    value: usize,
    uses: usize,
}

/// Maximum bytes of sort keys whose memory is kept.
const MOST_SPARE: usize = 64 << 10;
/// A length that is replaced at the end.
const UNKNOWN: usize = u32::MAX as usize;

impl HeldBack {
    /// Opens a sequence or map by `open`, which is given its length.
    pub(super) fn open<C, E>(
        guard: &Guard,
        len: Option<usize>,
        of_lengths: impl FnOnce((WriteLen, WriteLen)) -> WriteLen,
        open: impl FnOnce(Option<usize>) -> Result<C, E>,
    ) -> Result<(Option<Self>, C), E> {
        let held = &guard.held;
        let write_len = match len {
            None => held.lengths.get().map(of_lengths),
            Some(_) => None,
        };
        held.open.set(held.open.get() + 1);
        held.busy.set(true);
        let header = held.bytes.borrow().len();
        let inner = open(if write_len.is_some() { Some(UNKNOWN) } else { len })?;
        let start = held.bytes.borrow().len();
        let (keys, entries) = held.spare.borrow_mut().pop().unwrap_or_default();
        Ok((Some(Self { header, start, write_len, keys, entries }), inner))
    }

    /// An entry of a map begins.
    pub(super) fn begin(&mut self, guard: &Guard) {
        let start = guard.held.bytes.borrow().len();
        self.entries.push(Entry { key: 0..0, start, value: start, uses: uses::count() });
    }

    /// The key of the entry was written.
    pub(super) fn key<T: Serialize + ?Sized>(&mut self, guard: &Guard, key: &T) {
        let Some(entry) = self.entries.last_mut() else { return };
        entry.value = guard.held.bytes.borrow().len();
        // A key that cannot be written so is placed by its bytes alone.
        let from = self.keys.len();
        if key.serialize(SortKey(&mut self.keys)).is_err() {
            self.keys.truncate(from);
        }
        entry.key = from..self.keys.len();
    }

    /// Sorts the entries, and corrects the header to `len` elements.
    pub(super) fn end(mut self, guard: &Guard, len: usize) {
        let held = &guard.held;
        self.close(guard, len);
        if self.keys.capacity() <= MOST_SPARE {
            self.keys.clear();
            self.entries.clear();
            held.spare.borrow_mut().push((self.keys, self.entries));
        }
    }

    fn close(&self, guard: &Guard, len: usize) {
        let held = &guard.held;
        held.open.set(held.open.get().saturating_sub(1));
        let mut bytes = held.bytes.borrow_mut();
        let json = guard.rules.json;
        let order = self.order(&bytes, json);
        if order.is_none() && self.write_len.is_none() {
            return;
        }
        let old = bytes.split_off(self.header);
        let part = |from: usize, to: usize| &old[from - self.header..to - self.header];
        match self.write_len {
            Some(write_len) => write_len(len, &mut bytes),
            None => bytes.extend_from_slice(part(self.header, self.start)),
        }
        let Some(order) = order else {
            bytes.extend_from_slice(&old[self.start - self.header..]);
            return;
        };
        let end = self.header + old.len();
        let next = |at: usize| self.entries.get(at + 1);
        for (place, &at) in order.iter().enumerate() {
            let entry = part(self.entries[at].start, next(at).map_or(end, |next| next.start));
            if json && place > 0 {
                bytes.push(b',');
            }
            bytes.extend_from_slice(without_comma(entry, json));
        }
        let count = uses::count();
        let of = |at: usize| self.entries[at].uses..next(at).map_or(count, |next| next.uses);
        uses::reorder(order.iter().map(|&at| of(at)));
    }

    /// Returns the order of the entries, unless they are sorted.
    fn order(&self, bytes: &[u8], json: bool) -> Option<Vec<usize>> {
        let encoded = |entry: &Entry| {
            without_comma(bytes.get(entry.start..entry.value).unwrap_or_default(), json)
        };
        let key = |entry: &Entry| self.keys.get(entry.key.clone()).unwrap_or_default();
        let compare = |a: &Entry, b: &Entry| match key(a).cmp(key(b)) {
            Ordering::Equal => encoded(a).cmp(encoded(b)),
            order => order,
        };
        if self.entries.is_sorted_by(|a, b| compare(a, b).is_le()) {
            return None;
        }
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_by(|&a, &b| compare(&self.entries[a], &self.entries[b]));
        Some(order)
    }
}

/// JSON has a comma before each entry but the first.
fn without_comma(entry: &[u8], json: bool) -> &[u8] {
    entry.strip_prefix(b",").filter(|_| json).unwrap_or(entry)
}
