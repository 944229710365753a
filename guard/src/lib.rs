//! Limits on what is encoded and decoded, for every serde format alike.
//!
//! A [`Guard`] stands between a value and a format. Whatever the format itself checks, the guard
//! bounds the depth of nesting (growing the stack as needed, so that the bound holds on a small
//! thread too) and the number of elements (so that a forged length of elements without bytes cannot
//! spin), refuses what the format would change silently, and knows the path of what failed.
//!
//! Formats use it in one line each way:
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

mod de;
mod key;
mod ser;

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer};

/// Any error, as a format or a value made it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What a guard allows.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Rules {
    /// How deep values may nest. An option, a newtype and an enum variant count as levels too.
    pub depth: usize,
    /// Whether to refuse what JSON cannot hold exactly: NaN, infinities, 128-bit integers and map
    /// keys that are not text.
    pub json: bool,
    /// Whether to refuse `Some(None)` and `Some(())`, for formats that read both back as `None`.
    pub flat_options: bool,
    /// Whether to refuse a stored field that the type does not know, which would be dropped.
    pub strict: bool,
}

impl Rules {
    /// JSON: exact, and shallow enough for every JSON reader.
    pub const JSON: Self = Self { depth: 120, json: true, flat_options: true, strict: true };
    /// Self-describing binary formats that write an option as its value or nil.
    pub const SELF_DESCRIBING: Self =
        Self { depth: 512, json: false, flat_options: true, strict: true };
    /// Formats that write every option with a mark of its own.
    pub const BINARY: Self = Self { depth: 512, json: false, flat_options: false, strict: true };
    /// Inputs of a model: limited in depth, open to unknown fields as serde is.
    pub const INPUT: Self = Self { depth: 120, json: false, flat_options: false, strict: false };
}

/// Elements without bytes of their own that an encoding may hold beyond its number of bytes.
const FREE_ELEMENTS: u64 = 65_536;
/// Levels that any stack has room for. Bulk data lies above, and pays for no look at the stack.
const SHALLOW: usize = 8;
/// Bytes of stack that must be left for one level more, or for the shallow ones.
const RED_ZONE: usize = 256 * 1024;
/// How much longer than the first a text is that quotes it more than once.
const QUOTED: usize = 64;
/// The longest text of an error that is handed on as it is.
const LONG_ERROR: usize = 1024;
/// Bytes of stack added at a time.
const STACK_SEGMENT: usize = 2 * 1024 * 1024;

/// Watches one encoding or one decoding.
#[derive(Debug)]
pub struct Guard {
    rules: Rules,
    elements: Cell<u64>,
    most_elements: u64,
    refusal: RefCell<Option<Refusal>>,
    /// The way to what failed, innermost first, gathered while the error travels outwards.
    path: RefCell<Vec<Segment>>,
    /// The map key that is being read.
    key: RefCell<String>,
    /// What the innermost level said of an error.
    first_error: RefCell<Option<String>>,
}

/// Why a guard stopped an encoding or a decoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nested deeper than the limit: too deep, or a cycle.
    Depth(usize),
    /// More elements than bytes could hold.
    Elements,
    /// A number that JSON cannot hold exactly: `NaN`, `infinity`, a 128-bit integer.
    Number(&'static str),
    /// A map key that is not text.
    Key,
    /// `Some(None)` or `Some(())`.
    NestedOption,
    /// A stored field that the type does not know.
    UnknownField,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth(limit) => write!(f, "nested deeper than {limit} levels, or a cycle"),
            Self::Elements => f.write_str("more elements than its bytes could hold"),
            Self::Number(kind) => write!(f, "{kind}, which JSON cannot hold exactly"),
            Self::Key => f.write_str("a map key that is not text, which JSON cannot hold exactly"),
            Self::NestedOption => {
                f.write_str("`Some(None)` or `Some(())`, which this format reads back as `None`")
            }
            Self::UnknownField => f.write_str("a stored field that the type no longer has"),
        }
    }
}

#[derive(Debug, Clone)]
enum Segment {
    Field(&'static str),
    Key(String),
    Index(usize),
    Variant(&'static str),
}

/// Why an encoding or a decoding under a guard failed, and where.
#[derive(Debug, thiserror::Error)]
pub struct GuardError {
    path: String,
    refusal: Option<Refusal>,
    #[source]
    source: Option<BoxError>,
}

impl GuardError {
    /// Where it failed, such as `layers[3].bias`; empty at the top.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where it failed, and why without where.
    pub fn into_parts(self) -> (String, BoxError) {
        let reason = match (self.refusal, self.source) {
            (Some(refusal), _) => refusal.into(),
            (None, Some(source)) => source,
            (None, None) => "the serializer refused it".into(),
        };
        (self.path, reason)
    }

    /// The guard's own reason, if it was the guard that stopped.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }
}

impl fmt::Display for GuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.refusal, self.path.as_str()) {
            (Some(refusal), "") => write!(f, "{refusal}"),
            (Some(refusal), path) => write!(f, "{refusal}, at `{path}`"),
            (None, "") => f.write_str("the serializer refused it"),
            (None, path) => write!(f, "the serializer refused it at `{path}`"),
        }
    }
}

impl Guard {
    /// A guard for one encoding.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            elements: Cell::new(0),
            most_elements: u64::MAX,
            refusal: RefCell::default(),
            path: RefCell::default(),
            key: RefCell::default(),
            first_error: RefCell::default(),
        }
    }

    /// A guard for one decoding of `len` bytes.
    pub fn for_bytes(rules: Rules, len: usize) -> Self {
        Self { most_elements: len as u64 + FREE_ELEMENTS, ..Self::new(rules) }
    }

    /// The value as the format is to see it.
    pub fn value<'a, T: serde::Serialize + ?Sized>(
        &'a self,
        value: &'a T,
    ) -> impl serde::Serialize + 'a {
        ser::Guarded::top(self, value)
    }

    /// The serializer as a value is to see it.
    pub fn serializer<S: serde::Serializer>(
        &self,
        inner: S,
    ) -> impl serde::Serializer<Ok = S::Ok, Error = S::Error> {
        ser::around(self, inner)
    }

    /// The seed as the format is to see it.
    pub fn seed<'de, S: DeserializeSeed<'de>>(
        &self,
        seed: S,
    ) -> impl DeserializeSeed<'de, Value = S::Value> {
        de::Seed::top(self, seed)
    }

    /// The deserializer as a value is to see it.
    pub fn deserializer<'de, D: Deserializer<'de>>(
        &self,
        inner: D,
    ) -> impl Deserializer<'de, Error = D::Error> {
        de::around(self, inner)
    }

    /// Reads one value from `deserializer`.
    ///
    /// # Errors
    /// What the format says; [`Guard::error`] adds the path and the guard's reason.
    pub fn read<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        &self,
        deserializer: D,
    ) -> Result<T, D::Error> {
        self.seed(std::marker::PhantomData).deserialize(deserializer)
    }

    /// Ends an encoding that wrote `len` bytes.
    ///
    /// # Errors
    /// Refuses what a guard for so many bytes would refuse to read.
    pub fn finish(&self, len: u64) -> Result<(), GuardError> {
        if self.elements.get() <= len.saturating_add(FREE_ELEMENTS) {
            return Ok(());
        }
        Err(GuardError { path: String::new(), refusal: Some(Refusal::Elements), source: None })
    }

    /// The format's error, with what the guard knows of it.
    pub fn error(&self, source: impl Into<BoxError>) -> GuardError {
        let refusal = self.refusal.borrow().clone();
        let mut source: BoxError = source.into();
        // A text that was quoted from level to level is clearest where it was said first.
        if let Some(first) = self.first_error.take()
            && source.to_string().len() > first.len() + QUOTED
        {
            source = first.into();
        }
        GuardError {
            path: self.path(),
            // The guard's own reason came through the format as text: it is not said twice.
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

    /// Adds a step of the path if `result` is an error.
    fn at<T, E>(&self, result: Result<T, E>, segment: impl FnOnce() -> Segment) -> Result<T, E> {
        if result.is_err() {
            self.path.borrow_mut().push(segment());
        }
        result
    }

    fn count_element(&self) -> bool {
        let elements = self.elements.get() + 1;
        self.elements.set(elements);
        elements <= self.most_elements
    }

    /// Runs one level, on more stack where what is left could run short.
    ///
    /// An error is kept short: some formats quote the error of an inner level at each level around it,
    /// which doubles its text each time.
    fn level<T, E: fmt::Display>(
        &self,
        depth: usize,
        shortened: fn(&'static str) -> E,
        run: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let result =
            if depth < SHALLOW { run() } else { stacker::maybe_grow(RED_ZONE, STACK_SEGMENT, run) };
        result.map_err(|error| {
            let text = error.to_string();
            let mut first = self.first_error.borrow_mut();
            if text.len() > LONG_ERROR && first.is_some() {
                return shortened("an inner value was refused");
            }
            first.get_or_insert(text);
            error
        })
    }
}
