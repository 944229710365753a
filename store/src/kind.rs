//! The table of record kinds.
//!
//! Each kind of record is one entry, registered by [`kind!`](crate::kind!) in the crate that writes the records. Whatever
//! walks records, such as verification and copying, walks the table: a new kind is one entry.

mod linked;
mod rules;

use std::fmt;

use crate::digest::Digest;
use crate::error::{Corruption, Error, Result};
use crate::key::RecordKey;
use crate::name::{Identifier, VersionNumber};
use crate::store::Record;
use crate::time::Timestamp;

pub use rules::{Need, ReplaceRule, WriterNeeds};

/// One kind of record: an entry of the table.
#[derive(Clone, Copy)]
pub struct RecordKind {
    name: &'static str,
    shape: &'static str,
    prefix: &'static str,
    owner: fn(&RecordKey) -> Result<Option<Identifier>>,
    check: fn(&RecordKey, &Record) -> Result<()>,
    links: fn(&RecordKey, &Record) -> Result<Vec<RecordLink>>,
    roots: Option<ListRoots>,
    copy: CopyRule,
    access: Access,
    needs: Option<WriterNeeds>,
    replaces: ReplaceRule,
}

/// The rule by which records of a kind are copied to another larder.
#[derive(Debug, Clone, Copy)]
pub enum CopyRule {
    /// The copy writes its own: numbers may change.
    Rebuilt,
    /// Copied byte by byte with its version, to the key of the version's number in the target.
    WithVersion(fn(&Identifier, VersionNumber) -> Result<RecordKey>),
    /// Left out.
    Omitted,
}

/// Lists the manifests that a record keeps from being collected.
pub type ListRoots = fn(&RecordKey, &Record) -> Result<Vec<BlobRoot>>;

/// A manifest that a record keeps from being collected, with its artifacts and its children at any depth.
#[derive(Debug, Clone)]
pub struct BlobRoot {
    /// The digest of the manifest.
    pub manifest: Digest,
    /// The manifest in errors, such as `the manifest of wine@1`.
    pub what: String,
    /// The time of removal, in the record of a removed version: it keeps its blobs for a grace period.
    pub removed: Option<Timestamp>,
    /// True if nothing is lost when the manifest is corrupt; otherwise nothing can be collected then.
    pub is_optional: bool,
}

/// An action on a larder, for access control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Action {
    /// Load and list versions.
    Read,
    /// Ask a model for predictions.
    Predict,
    /// Apply, remove and restore versions.
    Write,
    /// Set, move and remove tags.
    Tag,
    /// Change annotations and locks.
    Annotate,
    /// Create and run jobs.
    Run,
    /// Create, change and remove deployments.
    Deploy,
    /// Collect garbage and join stores.
    Maintain,
    /// Change users, groups, tokens, grants and policies.
    Administer,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::Predict,
        Self::Write,
        Self::Tag,
        Self::Annotate,
        Self::Run,
        Self::Deploy,
        Self::Maintain,
        Self::Administer,
    ];

    /// The name, such as `read`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Predict => "predict",
            Self::Write => "write",
            Self::Tag => "tag",
            Self::Annotate => "annotate",
            Self::Run => "run",
            Self::Deploy => "deploy",
            Self::Maintain => "maintain",
            Self::Administer => "administer",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Action {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|action| action.as_str() == text);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid("action", text, format!("the actions are {known}"))
        })
    }
}

/// The actions that read and write records of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Required to read a record.
    pub read: Action,
    /// Required to write a record.
    pub write: Action,
    /// Required to remove a record.
    pub remove: Action,
}

impl Access {
    const fn new(read: Action, write: Action) -> Self {
        Self { read, write, remove: write }
    }
}

impl RecordKind {
    /// Creates a kind that is not copied and keeps no blobs.
    ///
    /// `shape` describes the key, such as `tags/NAME/@TAG`; every key starts with `prefix`. `owner` parses a key and returns
    /// the identifier it belongs to, if any; it fails for a key that is not in its canonical form. `check` reads a record
    /// by itself: JSON, format, limits, and what its key repeats.
    pub const fn new(
        name: &'static str,
        shape: &'static str,
        prefix: &'static str,
        owner: fn(&RecordKey) -> Result<Option<Identifier>>,
        check: fn(&RecordKey, &Record) -> Result<()>,
    ) -> Self {
        Self {
            name,
            shape,
            prefix,
            owner,
            check,
            links: |_, _| Ok(Vec::new()),
            roots: None,
            copy: CopyRule::Omitted,
            access: Access::new(Action::Read, Action::Write),
            needs: None,
            replaces: |_, _, _| None,
        }
    }

    /// Sets the function that lists what a sound record requires of other records.
    #[must_use]
    pub const fn links(
        mut self,
        links: fn(&RecordKey, &Record) -> Result<Vec<RecordLink>>,
    ) -> Self {
        self.links = links;
        self
    }

    /// Sets how its records are copied.
    #[must_use]
    pub const fn copied(mut self, rule: CopyRule) -> Self {
        self.copy = rule;
        self
    }

    /// Sets the function that lists the manifests that a record keeps from being collected.
    #[must_use]
    pub const fn roots(mut self, roots: ListRoots) -> Self {
        self.roots = Some(roots);
        self
    }

    /// Sets the actions that read and write its records.
    #[must_use]
    pub const fn access(mut self, read: Action, write: Action) -> Self {
        self.access = Access::new(read, write);
        self
    }

    /// The name, such as `tag`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The shape of the keys, such as `tags/NAME/@TAG`.
    pub fn shape(&self) -> &'static str {
        self.shape
    }

    /// The beginning of all keys.
    pub fn prefix(&self) -> &'static str {
        self.prefix
    }

    /// The rule by which its records are copied.
    pub fn copy_rule(&self) -> CopyRule {
        self.copy
    }

    /// The actions that read and write its records.
    pub fn access_rule(&self) -> Access {
        self.access
    }

    /// Parses a key, and returns the identifier that the record belongs to, if any.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a key of another shape.
    pub fn owner(&self, key: &RecordKey) -> Result<Option<Identifier>> {
        (self.owner)(key)
    }

    /// Checks a record by itself, key included.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::NewerFormat`].
    pub fn check(&self, key: &RecordKey, record: &Record) -> Result<()> {
        self.owner(key)?;
        (self.check)(key, record)
    }

    /// Lists what a sound record requires of other records.
    ///
    /// # Errors
    /// As [`check`](RecordKind::check).
    pub fn links_of(&self, key: &RecordKey, record: &Record) -> Result<Vec<RecordLink>> {
        (self.links)(key, record)
    }

    /// The function that lists the manifests that a record keeps from being collected, for kinds that keep any. Nothing
    /// can be collected when it fails.
    pub fn list_roots(&self) -> Option<ListRoots> {
        self.roots
    }
}

impl fmt::Debug for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordKind({})", self.name)
    }
}

/// Returns the error of a record whose key is not valid.
pub fn foreign(key: &RecordKey, reason: &str) -> Error {
    Error::corrupt(format!("the record {key}"), Corruption::Unreadable(reason.into()))
}

type Fault = dyn Fn(&RecordKey, Option<&Record>) -> Option<String>;

/// A requirement of a record on another record.
pub struct RecordLink {
    target: RecordKey,
    fault: Box<Fault>,
    atomic_only: bool,
}

impl RecordLink {
    /// Creates a requirement. `fault` reads the record at `target`, `None` if there is none, and returns what is wrong with
    /// the link; it returns `None` for a record that cannot be read, which is a fault of its own.
    pub fn new(
        target: RecordKey,
        fault: impl Fn(&RecordKey, Option<&Record>) -> Option<String> + 'static,
    ) -> Self {
        Self { target, fault: Box::new(fault), atomic_only: false }
    }

    /// Requires that there is a record at `target`; `fault` says what is wrong without it.
    pub fn present(target: RecordKey, fault: String) -> Self {
        Self::new(target, move |_, found| match found {
            Some(_) => None,
            None => Some(fault.clone()),
        })
    }

    /// Limits the requirement to stores with atomic commits: elsewhere a crash may leave it unmet.
    #[must_use]
    pub fn atomic_only(mut self) -> Self {
        self.atomic_only = true;
        self
    }

    /// The key of the other record.
    pub fn target(&self) -> &RecordKey {
        &self.target
    }

    /// True if it holds only in stores with atomic commits.
    pub fn is_atomic_only(&self) -> bool {
        self.atomic_only
    }

    /// Returns what is wrong, given the record at [`target`](RecordLink::target).
    pub fn fault(&self, found: Option<&Record>) -> Option<String> {
        (self.fault)(&self.target, found)
    }
}

impl fmt::Debug for RecordLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordLink({})", self.target)
    }
}

/// A kind that a crate registers by being linked in; made by [`kind!`](crate::kind).
#[doc(hidden)]
#[derive(Debug)]
pub struct LinkedKind(pub RecordKind);

inventory::collect!(LinkedKind);

/// Registers a [`RecordKind`], a constant expression, in the table of every program that links the calling crate.
///
/// ```
/// use larder_store::{Record, RecordKey, RecordKind, Result, kind};
///
/// fn check(_: &RecordKey, _: &Record) -> Result<()> {
///     Ok(())
/// }
///
/// kind!(RecordKind::new("memo", "memos/@N", "memos/", |_| Ok(None), check));
/// assert!(RecordKind::all().iter().any(|kind| kind.name() == "memo"));
/// ```
#[macro_export]
macro_rules! kind {
    ($kind:expr) => {
        const _: () = {
            use $crate::inventory;
            inventory::submit! {
                $crate::LinkedKind($kind)
            }
        };
    };
}
