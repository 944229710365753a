//! Versions of collections that components refer to.

use larder_core::extend::Records as _;
use larder_core::{Component, Error, Identifier, Larder, Ref, Reference, Result};
use serde::{Deserialize, Serialize};

use larder_collections::{CollectionVersion, LarderCollections as _};

/// A version of a collection as a field of a component, for models that read the database.
///
/// It is pinned by content when the component is applied: `used-by` of the version lists the component, and it is not
/// removed as long as the component is there. In [`Hooks::setup`](larder_core::Hooks::setup), [`open`](Self::open) returns
/// the rows, which never change and cannot be written to.
///
/// ```
/// use larder_listeners::PinnedCollection;
/// use larder_core::{HookContext, HookResult};
///
/// fn setup(pinned: &PinnedCollection, context: &HookContext) -> HookResult {
///     let rows = pinned.open(&context.larder)?;
///     assert!(rows.rows() > 0);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PinnedCollection(Ref<dyn Component>);

impl PinnedCollection {
    /// Creates a reference to the version that is named when the component is applied.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn to(reference: impl TryInto<Reference, Error: Into<Error>>) -> Result<Self> {
        Ref::to(reference).map(Self)
    }

    /// Returns the name of the collection.
    pub fn name(&self) -> &Identifier {
        self.0.name()
    }

    /// Opens the version, for reading.
    ///
    /// # Errors
    /// [`Error::Refused`] if the component was not applied; [`Error::NotFound`]; [`Error::WrongType`] if it is no collection.
    pub fn open(&self, larder: &Larder) -> Result<CollectionVersion> {
        let digest = self.0.digest().ok_or_else(|| Error::Refused {
            action: format!("read {}", self.name()),
            reason:
                "the component that refers to it has not been applied, so it has no version yet"
                    .into(),
        })?;
        let exact: Reference = format!("{}@b3:{}", self.name(), digest.to_hex()).parse()?;
        let version = larder.find(&exact)?.version;
        larder.untyped_collection(self.name().clone())?.at(version)
    }
}
