//! Limits for encoding and decoding with any serde format.
//!
//! A [`Guard`] wraps a value, serializer, seed or deserializer. Independent of the format, it
//! - bounds the nesting depth, growing the stack as needed;
//! - bounds the number of elements, so a forged length of zero-sized elements cannot loop;
//! - rejects values that the format would change silently;
//! - refuses or corrects lengths that are declared wrongly;
//! - records the path of the value that failed;
//! - sorts the entries of maps by their keys, if the output is the guard's.
//!
//! ```
//! use larder_guard::{Guard, Rules};
//!
//! let guard = Guard::new(Rules::BINARY);
//! let json = serde_json::to_vec(&guard.value(&[1, 2, 3])).unwrap();
//! let mut source = serde_json::Deserializer::from_slice(&json);
//! let back: Vec<u8> = guard.read(&mut source).unwrap();
//! assert_eq!(back, [1, 2, 3]);
//! ```

// First, because a macro is known below its definition only.
#[macro_use]
mod methods;

mod access;
mod block;
mod collected;
mod compare;
mod compound;
mod counts;
mod de;
mod entry_key;
mod error;
mod flat;
mod key;
mod named;
mod plain;
mod ser;
mod sort_key;
mod sorted;
mod stack;
mod unpacked;
pub mod uses;
mod vectors;
pub mod words;

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer};

pub use compare::compare;
pub use counts::Counts;
pub use error::{GuardError, Refusal};
pub use named::named;
pub use sorted::{Output, WriteLen};

/// A boxed error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Limits of a [`Guard`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Rules {
    /// Maximum nesting depth. Options, newtypes and enum variants count as levels.
    pub depth: usize,
    /// Rejects what JSON cannot represent exactly: NaN, infinities, 128-bit integers and map keys
    /// other than text, integers, booleans and characters.
    pub json: bool,
    /// Rejects `Some(None)` and `Some(())`, for formats that decode both as `None`.
    pub flat_options: bool,
    /// Rejects encoded fields that are unknown to the type, instead of dropping them.
    pub strict: bool,
    /// Human-readable formats write NaN and infinities as [`words`], and read them where a float is requested.
    pub words: bool,
    /// Which declared lengths the format stores.
    pub counts: Counts,
}

impl Rules {
    /// JSON, shallow enough for any JSON parser.
    pub const JSON: Self = Self {
        depth: 120,
        json: true,
        flat_options: true,
        strict: true,
        words: false,
        counts: Counts::None,
    };
    /// Output in JSON, with NaN and infinities as [`words`].
    pub const OUTPUT: Self = Self { words: true, ..Self::JSON };
    /// Self-describing binary formats that encode an option as its value or nil.
    pub const SELF_DESCRIBING: Self =
        Self { depth: 512, json: false, counts: Counts::All, ..Self::JSON };
    /// Formats without field names, which encode an option with a discriminant.
    pub const BINARY: Self =
        Self { flat_options: false, counts: Counts::Sequences, ..Self::SELF_DESCRIBING };
    /// Untrusted input: limited in depth, unknown fields are ignored.
    pub const INPUT: Self =
        Self { json: false, flat_options: false, strict: false, words: true, ..Self::JSON };
}

/// Number of zero-sized elements allowed beyond the number of encoded bytes.
const EXTRA_ELEMENTS: u64 = 65_536;
/// Extra length, in bytes, by which an error that repeats its cause is recognized.
const REPEATED_LEN: usize = 64;
/// Maximum length, in bytes, of an error message that is passed on unchanged.
const MAX_ERROR_LEN: usize = 1024;

/// Limits and path tracking for one encoding or decoding.
///
/// ```
/// use larder_guard::{Guard, Rules};
///
/// let guard = Guard::new(Rules::BINARY);
/// let json = serde_json::to_vec(&guard.value(&[1, 2, 3])).unwrap();
/// let mut source = serde_json::Deserializer::from_slice(&json);
/// let back: Vec<u8> = guard.read(&mut source).unwrap();
/// assert_eq!(back, [1, 2, 3]);
/// ```
#[derive(Debug)]
pub struct Guard {
    rules: Rules,
    elements: Cell<u64>,
    max_elements: u64,
    refusal: RefCell<Option<Refusal>>,
    /// Path of the failed value, innermost segment first.
    path: RefCell<Vec<Segment>>,
    /// The map key being decoded.
    key: RefCell<String>,
    /// The message of the innermost error.
    first_error: RefCell<Option<String>>,
    corrections: counts::Corrections,
    /// Output of the maps being encoded.
    held: sorted::Held,
    room: stack::Room,
    flat: flat::FlatTypes,
    /// The newtype struct that the format takes for an extension value.
    extension: Option<&'static str>,
}

#[derive(Debug, Clone)]
enum Segment {
    Field(&'static str),
    Key(String),
    Index(usize),
    Variant(&'static str),
}

impl Guard {
    /// Creates a guard for one encoding.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            elements: Cell::new(0),
            max_elements: u64::MAX,
            refusal: RefCell::default(),
            path: RefCell::default(),
            key: RefCell::default(),
            first_error: RefCell::default(),
            corrections: counts::Corrections::default(),
            held: sorted::Held::default(),
            room: stack::Room::default(),
            flat: flat::FlatTypes::default(),
            extension: None,
        }
    }

    /// Creates a guard for decoding `len` bytes.
    pub fn for_bytes(rules: Rules, len: usize) -> Self {
        Self { max_elements: len as u64 + EXTRA_ELEMENTS, ..Self::new(rules) }
    }

    /// Wraps the output of an encoding: the entries of maps are sorted by their keys.
    ///
    /// All output of the format must go to it, and the encoding must end in [`Output::finish`]. A map is held in memory
    /// until its end.
    pub fn output<W: std::io::Write>(&self, inner: W) -> Output<'_, W> {
        Output::new(&self.held, inner)
    }

    /// Says how the format writes the header of a sequence and of a map, for a format whose serializer keeps those of
    /// unknown length in a buffer of its own.
    #[must_use]
    pub fn with_lengths(self, sequence: WriteLen, map: WriteLen) -> Self {
        self.held.lengths.set(Some((sequence, map)));
        self
    }

    /// Writes long runs of numbers as extension values, and reads such values as sequences.
    ///
    /// The format has extension values of a type and bytes: it writes one for a newtype struct of that name, which holds a
    /// pair of both, and reads one as a newtype struct. [`format.md`](https://docs.rs/larder) has their layout.
    #[must_use]
    pub fn with_extension(self, newtype_struct: &'static str) -> Self {
        Self { extension: Some(newtype_struct), ..self }
    }

    /// Wraps a value to be encoded.
    pub fn value<'a, T: serde::Serialize + ?Sized>(
        &'a self,
        value: &'a T,
    ) -> impl serde::Serialize + 'a {
        ser::GuardedValue::top(self, value)
    }

    /// Wraps a serializer.
    pub fn serializer<S: serde::Serializer>(
        &self,
        inner: S,
    ) -> impl serde::Serializer<Ok = S::Ok, Error = S::Error> {
        ser::wrap(self, inner)
    }

    /// Wraps a seed.
    pub fn seed<'de, S: DeserializeSeed<'de>>(
        &self,
        seed: S,
    ) -> impl DeserializeSeed<'de, Value = S::Value> {
        de::Seed::top(self, seed)
    }

    /// Wraps a deserializer.
    pub fn deserializer<'de, D: Deserializer<'de>>(
        &self,
        inner: D,
    ) -> impl Deserializer<'de, Error = D::Error> {
        de::wrap(self, inner)
    }

    /// Decodes one value from `deserializer`.
    ///
    /// # Errors
    /// The format's error; [`Guard::error`] adds the path and the guard's reason.
    pub fn read<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        &self,
        deserializer: D,
    ) -> Result<T, D::Error> {
        self.seed(std::marker::PhantomData).deserialize(deserializer)
    }

    /// Ends an encoding of `len` bytes.
    ///
    /// # Errors
    /// [`Refusal::Elements`] if a guard [for `len` bytes](Guard::for_bytes) would reject the number of elements.
    pub fn finish(&self, len: u64) -> Result<(), GuardError> {
        if self.elements.get() <= len.saturating_add(EXTRA_ELEMENTS) {
            return Ok(());
        }
        Err(GuardError { path: String::new(), refusal: Some(Refusal::Elements), source: None })
    }

    /// Adds the path and the guard's reason to an error of the format.
    pub fn error(&self, source: impl Into<BoxError>) -> GuardError {
        let refusal = self.refusal.borrow().clone();
        let mut source: BoxError = source.into();
        // Formats may repeat an inner error at each level: the innermost message is the clearest.
        if let Some(first) = self.first_error.take()
            && source.to_string().len() > first.len() + REPEATED_LEN
        {
            source = first.into();
        }
        GuardError {
            path: self.path(),
            // The format's error repeats the guard's reason as text.
            source: refusal.is_none().then_some(source),
            refusal,
        }
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for segment in self.path.borrow().iter().rev() {
            let name = match segment {
                Segment::Index(index) => {
                    path.push_str(&format!("[{index}]"));
                    continue;
                }
                Segment::Field(name) | Segment::Variant(name) => name,
                Segment::Key(name) => name.as_str(),
            };
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
        }
        path
    }

    fn refuse(&self, refusal: Refusal) -> String {
        let text = refusal.to_string();
        self.refusal.borrow_mut().get_or_insert(refusal);
        text
    }

    /// Adds a segment to the path if `result` is an error.
    #[inline]
    fn at<T, E>(&self, result: Result<T, E>, segment: impl FnOnce() -> Segment) -> Result<T, E> {
        if result.is_err() {
            self.push(segment);
        }
        result
    }

    #[cold]
    fn push(&self, segment: impl FnOnce() -> Segment) {
        self.path.borrow_mut().push(segment());
    }

    #[inline]
    fn count_elements(&self, more: u64) -> bool {
        let elements = self.elements.get() + more;
        self.elements.set(elements);
        elements <= self.max_elements
    }

    /// Runs one level, growing the stack if little is left.
    ///
    /// Shortens long errors: some formats quote the inner error at each level, doubling its length.
    #[inline]
    fn level<T, E: fmt::Display>(
        &self,
        shortened: fn(&'static str) -> E,
        run: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        match self.room.with(run) {
            Ok(value) => Ok(value),
            Err(error) => Err(self.remember(error, shortened)),
        }
    }

    /// Adds a segment to the path of a value that needed no level.
    #[cold]
    #[inline(never)]
    fn failed<E: serde::de::Error>(&self, error: E, segment: impl FnOnce() -> Segment) -> E {
        let error = self.remember(error, E::custom);
        self.push(segment);
        error
    }

    #[cold]
    fn remember<E: fmt::Display>(&self, error: E, shortened: fn(&'static str) -> E) -> E {
        let text = error.to_string();
        let mut first = self.first_error.borrow_mut();
        if text.len() > MAX_ERROR_LEN && first.is_some() {
            return shortened("invalid inner value");
        }
        first.get_or_insert(text);
        error
    }
}
