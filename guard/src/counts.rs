//! Declared and written lengths of sequences, maps and structs.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use super::{Guard, Refusal, Rules};

/// Which declared lengths a format stores.
///
/// A `Serialize` that writes more or fewer elements than it declares would make unreadable bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// None, as in JSON: what is written counts.
    None,
    /// Those of sequences, tuples, maps and structs, as in MessagePack.
    All,
    /// Those of sequences and maps. Tuples and structs are read by position, so no field may be left out.
    Sequences,
}

/// Kind of a compound value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A sequence or map, whose length varies.
    Sequence,
    /// A tuple or struct.
    Fixed,
}

/// The lengths to write in place of wrong ones, by the number of the compound value in order of encoding.
#[derive(Debug, Default)]
pub(crate) enum Corrections {
    /// A wrong length is refused.
    #[default]
    None,
    /// A wrong length is accepted and recorded.
    Recorded(Recorder),
    /// A wrong length is corrected.
    Known(Recorder),
}

#[derive(Debug, Default)]
pub(crate) struct Recorder {
    opened: Cell<usize>,
    written: RefCell<HashMap<usize, usize>>,
}

/// The length of a compound value while it is encoded.
#[derive(Clone, Copy)]
pub(crate) struct Length {
    /// `None` if any number may be written.
    declared: Option<usize>,
    kind: Kind,
    /// Its number, if corrections are recorded or known.
    number: usize,
}

impl Guard {
    /// Creates a guard that accepts wrong lengths where the format can hold the right ones.
    ///
    /// Encode the value with it to nowhere, then encode it with the guard that [`corrected`](Self::corrected) returns.
    pub fn counting(rules: Rules) -> Self {
        Self { corrections: Corrections::Recorded(Recorder::default()), ..Self::new(rules) }
    }

    /// Returns a guard for encoding the same value again, with the right lengths.
    pub fn corrected(self) -> Self {
        let recorder = match self.corrections {
            Corrections::Recorded(recorder) => recorder,
            _ => Recorder::default(),
        };
        recorder.opened.set(0);
        Self { corrections: Corrections::Known(recorder), ..Self::new(self.rules) }
    }

    /// Returns true if lengths go to the format as they are declared.
    #[inline]
    pub(crate) fn declares_lengths(&self) -> bool {
        self.rules.counts != Counts::None && matches!(self.corrections, Corrections::None)
    }

    /// Returns the length to declare to the format, and what to compare with it at the end.
    #[inline]
    pub(crate) fn open(&self, kind: Kind, declared: Option<usize>) -> (Option<usize>, Length) {
        if self.declares_lengths() {
            return (declared, Length { declared, kind, number: 0 });
        }
        self.open_corrected(kind, declared)
    }

    #[cold]
    fn open_corrected(&self, kind: Kind, declared: Option<usize>) -> (Option<usize>, Length) {
        if self.rules.counts == Counts::None {
            // Such formats only ask whether there are elements.
            let declared = declared.filter(|_| kind == Kind::Fixed).map(|len| len.max(1));
            return (declared, Length { declared: None, kind, number: 0 });
        }
        let (declared, number) = match &self.corrections {
            Corrections::None => (declared, 0),
            Corrections::Recorded(recorder) => (declared, recorder.next()),
            Corrections::Known(recorder) => {
                let number = recorder.next();
                let known = recorder.written.borrow().get(&number).copied();
                (declared.map(|declared| known.unwrap_or(declared)), number)
            }
        };
        (declared, Length { declared, kind, number })
    }

    /// Compares the length with the number of elements that were written.
    #[inline]
    pub(crate) fn close(&self, length: Length, written: usize) -> Result<(), Refusal> {
        match length.declared {
            Some(declared) if declared != written => self.close_wrong(length, declared, written),
            _ => Ok(()),
        }
    }

    #[cold]
    fn close_wrong(&self, length: Length, declared: usize, written: usize) -> Result<(), Refusal> {
        if let Corrections::Recorded(recorder) = &self.corrections
            && (self.rules.counts == Counts::All || length.kind == Kind::Sequence)
        {
            recorder.written.borrow_mut().insert(length.number, written);
            return Ok(());
        }
        Err(Refusal::Count { declared, written })
    }
}

impl Recorder {
    fn next(&self) -> usize {
        self.opened.replace(self.opened.get() + 1)
    }
}
