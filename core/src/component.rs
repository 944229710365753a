//! Components: the values in a larder.

use std::any::{Any, type_name};
use std::fmt;

use larder_records::{Built, Source};
use serde::de::{DeserializeOwned, Error as _};

use crate::cache::CacheFolder;
use crate::hooks::Hooks;
use crate::model::{Model, Predict, Signature};

/// A value that can be applied to a larder.
///
/// Implemented by `#[derive(Component)]`, which also sets the type tag and registers the type. Fields are written into
/// the manifest as JSON; large values, and values that JSON cannot hold exactly, go into
/// [`Artifact`](crate::Artifact) fields.
///
/// A `Box<dyn Component>` inside another value is written adjacently tagged:
/// `{"type": "acme/wine", "fields": {…}}`.
#[typetag::serde(tag = "type", content = "fields")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a component",
    note = "add `#[derive(Serialize, Deserialize, Component)]` and `#[component(tag = \"acme/name\")]`; for a \
            type of another crate, add a field `Artifact<{Self}>` to a component of your own"
)]
pub trait Component: Any + Send + Sync {
    /// Returns the version of its type: [`ComponentType::VERSION`].
    fn type_version(&self) -> u32 {
        1
    }

    /// Returns the component as a model, if it is one.
    fn as_model(&self) -> Option<&dyn Model> {
        None
    }

    /// Returns the component's hooks, if its type has the option `hooks`.
    fn as_hooks(&self) -> Option<&dyn Hooks> {
        None
    }

    /// Returns the component's hooks for `post_init`.
    fn as_hooks_mut(&mut self) -> Option<&mut dyn Hooks> {
        None
    }

    /// Clones the component, if its type has hooks; `apply` runs `post_init` on the clone.
    fn clone_component(&self) -> Option<Box<dyn Component>> {
        None
    }

    /// Sets the folder for files that can be created again, after the component is loaded.
    ///
    /// See [`Larder::with_cache`](crate::Larder::with_cache).
    fn set_cache(&mut self, cache: &CacheFolder) {
        let _ = cache;
    }
}

impl dyn Component {
    /// Returns the tag of the component's type.
    pub fn type_tag(&self) -> &'static str {
        self.typetag_name()
    }
}

impl fmt::Debug for dyn Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Component({})", self.type_tag())
    }
}

/// A component type, known at compile time.
///
/// Implemented by `#[derive(Component)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a component",
    note = "add `#[derive(Serialize, Deserialize, Component)]` and `#[component(tag = \"acme/name\")]`; for a \
            type of another crate, add a field `Artifact<{Self}>` to a component of your own"
)]
pub trait ComponentType: Component + DeserializeOwned {
    /// The type tag, which never changes.
    const TAG: &'static str;
    /// Its source text, if it is a code model.
    const SOURCE: Option<Source> = None;
    /// True if signatures differ between components of the type.
    const OWN_SIGNATURE: bool = false;
    /// True if it has [`Hooks`].
    const HOOKS: bool = false;
    /// The version of the type's fields; incremented when older fields no longer fit.
    const VERSION: u32 = 1;
    /// Former type tags.
    const ALIASES: &'static [&'static str] = &[];

    /// Converts fields that another `version` of the type wrote.
    ///
    /// # Errors
    /// The fields do not fit, or there is no migration from that version.
    fn migrate(
        version: u32,
        fields: &mut dyn erased_serde::Deserializer<'_>,
    ) -> Result<Self, erased_serde::Error> {
        let _ = fields;
        Err(no_migration(version, Self::VERSION))
    }
}

/// The error for fields of a version without a migration.
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

/// Decodes the fields of a component.
pub type ReadComponent =
    fn(&mut dyn erased_serde::Deserializer<'_>) -> Result<Box<dyn Component>, erased_serde::Error>;
type MigrateComponent = fn(
    u32,
    &mut dyn erased_serde::Deserializer<'_>,
) -> Result<Box<dyn Component>, erased_serde::Error>;

/// A component type in the registry.
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
    /// Returns true for a class model.
    pub(crate) records_toolchain: bool,
    pub(crate) built: Built,
}

impl TypeEntry {
    /// Creates the entry of a component type.
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

    /// Creates an entry whose fields `read` decodes, for crates that define types at run time.
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

    /// Records the toolchain of the program with each version.
    #[must_use]
    pub fn with_toolchain(self) -> Self {
        Self { records_toolchain: true, ..self }
    }

    /// Creates the entry of a model.
    pub fn of_model<T: ComponentType + Predict>() -> Self {
        Self { signature: Some(Signature::of::<T>), ..Self::of::<T>() }
    }

    /// Returns the type tag.
    pub fn tag(&self) -> &'static str {
        self.tag
    }

    /// Returns the version of the type: [`ComponentType::VERSION`].
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Returns former type tags.
    pub fn aliases(&self) -> &'static [&'static str] {
        self.aliases
    }

    /// Returns the name of the Rust type, for messages.
    pub fn rust_type(&self) -> &'static str {
        self.rust_type
    }

    /// Returns whether its components are models.
    pub fn is_model(&self) -> bool {
        self.own_signature || self.signature.is_some()
    }

    /// Returns whether its components have [`Hooks`].
    pub fn has_hooks(&self) -> bool {
        self.hooks
    }

    /// Returns whether signatures differ between its components.
    pub fn has_own_signatures(&self) -> bool {
        self.own_signature
    }

    /// Returns the signature, if it is a model and all its components have the same.
    pub fn signature(&self) -> Option<Signature> {
        self.signature.map(|signature| signature())
    }

    /// Returns the linked-in source text, if it is a code model.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }
}

impl fmt::Debug for TypeEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Type({} is {})", self.tag, self.rust_type)
    }
}
