//! Components: what a larder keeps.

use std::any::{Any, type_name};
use std::fmt;

use serde::de::{DeserializeOwned, Error as _};

use crate::cache::CacheFolder;
use crate::hooks::Hooks;
use crate::model::{Model, Predict, Signature};
use crate::source::Source;
use crate::toolchain::Built;

/// A value that a larder keeps.
///
/// Implemented by `#[derive(Component)]`, which also gives the type its hand-written tag and tells
/// the registry of it. Fields are written into the manifest as JSON; what is large or what JSON
/// cannot hold exactly goes into an [`Artifact`](crate::Artifact) field.
///
/// A `Box<dyn Component>` inside another value is written adjacently tagged:
/// `{"type": "acme/wine", "fields": {…}}`.
#[typetag::serde(tag = "type", content = "fields")]
pub trait Component: Any + Send + Sync {
    /// The version of its type: [`ComponentType::VERSION`].
    fn type_version(&self) -> u32 {
        1
    }

    /// The component as a model, if it is one.
    fn as_model(&self) -> Option<&dyn Model> {
        None
    }

    /// The component's hooks, if its type says that it has any: `#[component(tag = "…", hooks)]`.
    fn as_hooks(&self) -> Option<&dyn Hooks> {
        None
    }

    /// The same hooks, mutably.
    fn as_hooks_mut(&mut self) -> Option<&mut dyn Hooks> {
        None
    }

    /// A clone of the component, if its type has hooks: `post_init` runs on it.
    fn clone_component(&self) -> Option<Box<dyn Component>> {
        None
    }

    /// Told, after it was loaded, the folder that [`Larder::with_cache`](crate::Larder::with_cache) named: it may
    /// keep there what it can make anew.
    fn set_cache(&mut self, cache: &CacheFolder) {
        let _ = cache;
    }
}

impl dyn Component {
    /// The tag of the component's type.
    pub fn type_tag(&self) -> &'static str {
        self.typetag_name()
    }
}

impl fmt::Debug for dyn Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Component({})", self.type_tag())
    }
}

/// A component type as it is known at compile time.
///
/// Implemented by `#[derive(Component)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no component",
    note = "add `#[derive(Serialize, Deserialize, Component)]` and `#[component(tag = \"acme/name\")]`; a \
            type from another crate goes into a field `Artifact<{Self}>` of a component of your own"
)]
pub trait ComponentType: Component + DeserializeOwned {
    /// The type's tag, written by hand and never changed.
    const TAG: &'static str;
    /// Its source text, if it is a code model.
    const SOURCE: Option<Source> = None;
    /// Whether each of its components is a [`Model`] with a signature of its own.
    const OWN_SIGNATURE: bool = false;
    /// Whether it has [`Hooks`].
    const HOOKS: bool = false;
    /// The version of the type's shape; it goes up when fields that older versions wrote no longer fit.
    const VERSION: u32 = 1;
    /// The tags that the type had before.
    const ALIASES: &'static [&'static str] = &[];

    /// Makes a value of fields that another `version` of the type wrote.
    ///
    /// # Errors
    /// What the fields lack; that there is no way from that version.
    fn migrate(
        version: u32,
        fields: &mut dyn erased_serde::Deserializer<'_>,
    ) -> Result<Self, erased_serde::Error> {
        let _ = fields;
        Err(no_migration(version, Self::VERSION))
    }
}

/// There is no way from the version of a type that wrote some fields to the one that is linked in.
pub(crate) fn no_migration(wrote: u32, known: u32) -> erased_serde::Error {
    erased_serde::Error::custom(if wrote > known {
        format!(
            "version {wrote} of the type wrote it, and version {known} is linked in: use a newer program"
        )
    } else {
        format!(
            "version {wrote} of the type wrote it, and version {known} has no way from there: \
             say `migrate_from({wrote} = \"…\")` in its `#[component(…)]`"
        )
    })
}

/// Reads the fields of a component.
pub type ReadComponent =
    fn(&mut dyn erased_serde::Deserializer<'_>) -> Result<Box<dyn Component>, erased_serde::Error>;
type MigrateComponent = fn(
    u32,
    &mut dyn erased_serde::Deserializer<'_>,
) -> Result<Box<dyn Component>, erased_serde::Error>;

/// What the registry knows of a component type.
#[derive(Clone)]
pub struct TypeEntry {
    pub(crate) tag: &'static str,
    pub(crate) rust_type: &'static str,
    pub(crate) version: u32,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) read: ReadComponent,
    pub(crate) migrate: MigrateComponent,
    pub(crate) signature: Option<fn() -> Signature>,
    pub(crate) own_signature: bool,
    pub(crate) hooks: bool,
    pub(crate) source: Option<Source>,
    /// Whether it is a class model.
    pub(crate) records_toolchain: bool,
    pub(crate) built: Built,
}

impl TypeEntry {
    /// The entry of a component type.
    pub fn of<T: ComponentType>() -> Self {
        Self {
            tag: T::TAG,
            rust_type: type_name::<T>(),
            version: T::VERSION,
            aliases: T::ALIASES,
            read: |deserializer| Ok(Box::new(erased_serde::deserialize::<T>(deserializer)?)),
            migrate: |version, fields| Ok(Box::new(T::migrate(version, fields)?)),
            signature: None,
            own_signature: T::OWN_SIGNATURE,
            hooks: T::HOOKS,
            source: T::SOURCE,
            records_toolchain: false,
            built: Built::UNKNOWN,
        }
    }

    /// The entry of a component type that is a model.
    /// An entry whose fields `read` reads, for crates that describe types by themselves.
    pub fn new(tag: &'static str, rust_type: &'static str, read: ReadComponent) -> Self {
        Self {
            tag,
            rust_type,
            version: 1,
            aliases: &[],
            read,
            migrate: |wrote, _| Err(no_migration(wrote, 1)),
            signature: None,
            own_signature: false,
            hooks: false,
            source: None,
            records_toolchain: false,
            built: Built::UNKNOWN,
        }
    }

    /// Adds the signature of a model.
    #[must_use]
    pub fn with_signature(self, signature: fn() -> Signature) -> Self {
        Self { signature: Some(signature), ..self }
    }

    /// Records with each version what built the program that applied it.
    #[must_use]
    pub fn with_toolchain(self) -> Self {
        Self { records_toolchain: true, ..self }
    }

    /// The entry of a model.
    pub fn of_model<T: ComponentType + Predict>() -> Self {
        Self { signature: Some(Signature::of::<T>), ..Self::of::<T>() }
    }

    /// The type's tag.
    pub fn tag(&self) -> &'static str {
        self.tag
    }

    /// The version of the type: [`ComponentType::VERSION`].
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The tags that it had before.
    pub fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    /// The Rust type, for people.
    pub fn rust_type(&self) -> &'static str {
        self.rust_type
    }

    /// Whether its components are models.
    pub fn is_model(&self) -> bool {
        self.own_signature || self.signature.is_some()
    }

    /// Whether its components have [`Hooks`].
    pub fn has_hooks(&self) -> bool {
        self.hooks
    }

    /// Whether its components are models whose signature is each one's own, not the type's.
    pub fn has_own_signatures(&self) -> bool {
        self.own_signature
    }

    /// What it takes and gives, if it is a model and all its components take and give the same.
    pub fn signature(&self) -> Option<Signature> {
        self.signature.map(|signature| signature())
    }

    /// Its source text as it is linked in, if it is a code model.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }
}

impl fmt::Debug for TypeEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Type({} is {})", self.tag, self.rust_type)
    }
}
