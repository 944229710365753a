//! References: fields that are components of their own, with a name and versions.

use std::any::type_name;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::component::{Component, ComponentType};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::larder::{ArtifactReader, Larder, Ready};
use crate::manifest::ChildEntry;
use crate::name::Identifier;
use crate::record::VersionRecord;
use crate::reference::Reference;
use crate::scope;

/// A component that another one refers to: its child, with a name and versions of its own.
///
/// A child is applied with its parent, in one commit, under its own name. If the larder has it as it is, no new
/// version of it is written. The parent is pinned to it by its digest: when the child gets newer versions, the parent stays with
/// the one that it was applied with.
///
/// ```
/// # use larder_core::{Component, Ref, Result};
/// # fn see<Encoder: larder_core::ComponentType, Head: larder_core::ComponentType>(encoder: Encoder) -> Result<()> {
/// let with_value: Ref<Encoder> = Ref::new("text/encoder", encoder)?; // applied with its parent
/// let by_name: Ref<Head> = Ref::to("text/head:prod")?; // what the tag names when the parent is applied
/// let any: Ref<dyn Component> = Ref::to("text/head@3")?; // of whatever type
/// # Ok(())
/// # }
/// ```
///
/// After loading, the child is loaded when [`get`](Ref::get) is called first. A clone is the same reference. It stands in a
/// component's fields, at any depth, but not inside an artifact.
pub struct Ref<T: Child + ?Sized> {
    held: Arc<Held<T>>,
}

struct Held<T: Child + ?Sized> {
    name: Identifier,
    given: Given<T>,
    pinned: Mutex<Option<Pinned>>,
    /// Held while it is loaded, so that it happens once.
    loading: Mutex<()>,
    loaded: OnceLock<Ready<T>>,
}

enum Given<T: ?Sized> {
    /// A value that is to be applied with its parent.
    Value(Box<T>),
    /// What is in the larder that the parent is applied to.
    Version(Reference),
    /// What the parent was loaded with.
    Pin,
}

/// A child's manifest, and the larder that it is in.
#[derive(Clone)]
struct Pinned {
    manifest: Digest,
    shelf: Arc<ArtifactReader>,
}

/// What can be a child: every component type, and `dyn Component` for any of them.
pub trait Child: Component {
    /// Loads a version as a child.
    #[doc(hidden)]
    fn load_child(larder: &Larder, at: &ChildVersion) -> Result<Box<Self>>;

    /// The child as a component of any type.
    #[doc(hidden)]
    fn as_component(&self) -> &dyn Component;
}

/// A version that a component refers to.
#[doc(hidden)]
pub struct ChildVersion {
    pub(crate) name: Identifier,
    pub(crate) version: VersionRecord,
}

impl<T: ComponentType> Child for T {
    fn load_child(larder: &Larder, at: &ChildVersion) -> Result<Box<Self>> {
        let version = larder.resolve_record(&at.name, at.version.clone())?;
        Ok(Box::new(larder.decode_as(&version)?))
    }

    fn as_component(&self) -> &dyn Component {
        self
    }
}

impl Child for dyn Component {
    fn load_child(larder: &Larder, at: &ChildVersion) -> Result<Box<Self>> {
        larder.decode_component(&larder.resolve_record(&at.name, at.version.clone())?)
    }

    fn as_component(&self) -> &dyn Component {
        self
    }
}

impl<T: Child> Ref<T> {
    /// A child that is applied with its parent, under `name`.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn new(name: impl TryInto<Identifier, Error: Into<Error>>, component: T) -> Result<Self> {
        Self::from_box(name, Box::new(component))
    }
}

impl Ref<dyn Component> {
    /// A child of whatever type, which is applied with its parent, under `name`.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn any(
        name: impl TryInto<Identifier, Error: Into<Error>>,
        component: impl Component,
    ) -> Result<Self> {
        Self::from_box(name, Box::new(component))
    }
}

impl<T: Child + ?Sized> Ref<T> {
    /// A child that is applied with its parent, under `name`; it may be a `Box<dyn Component>`.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn from_box(
        name: impl TryInto<Identifier, Error: Into<Error>>,
        component: Box<T>,
    ) -> Result<Self> {
        Ok(Self::held(name.try_into().map_err(Into::into)?, Given::Value(component), None))
    }

    /// A child that is in the larder already: the version that `reference` means when the parent is applied.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn to(reference: impl TryInto<Reference, Error: Into<Error>>) -> Result<Self> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        Ok(Self::held(reference.identifier().clone(), Given::Version(reference), None))
    }

    fn held(name: Identifier, given: Given<T>, pinned: Option<Pinned>) -> Self {
        let (pinned, loading, loaded) = (Mutex::new(pinned), Mutex::default(), OnceLock::new());
        Self { held: Arc::new(Held { name, given, pinned, loading, loaded }) }
    }

    /// The child's name.
    pub fn name(&self) -> &Identifier {
        &self.held.name
    }

    /// The digest of the child's manifest, if the parent was loaded or applied.
    pub fn digest(&self) -> Option<Digest> {
        self.held.pinned().as_ref().map(|pinned| pinned.manifest)
    }

    /// The child: the value that was given, or the version that the parent is pinned to, loaded and checked on first
    /// use. It is not set up.
    ///
    /// # Errors
    /// [`Error::Removed`] if the version was removed; [`Error::Refused`] if the parent was not applied, and the child
    /// is not a value but a reference; as [`Larder::load`].
    pub fn get(&self) -> Result<&T> {
        match &self.held.given {
            Given::Value(component) => Ok(component),
            _ => Ok(self.held.loaded()?.peek()),
        }
    }

    /// The child as it is in the larder, set up: [`Hooks::setup`](crate::Hooks::setup) runs on first use.
    ///
    /// # Errors
    /// As [`get`](Ref::get), also for a value if the parent was not applied; [`Error::Hook`].
    pub fn ready(&self) -> Result<&T> {
        self.held.loaded()?.get()
    }
}

impl<T: Child + ?Sized> Held<T> {
    fn pinned(&self) -> MutexGuard<'_, Option<Pinned>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn loaded(&self) -> Result<&Ready<T>> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Pinned { manifest, shelf }) = self.pinned().clone() else {
            return Err(Error::Refused {
                action: format!("use {}", self.name),
                reason:
                    "the component that refers to it has not been applied, so it has no version yet"
                        .into(),
            });
        };
        if self.loaded.get().is_none() {
            let child = ChildEntry { name: self.name.clone(), manifest };
            let larder = shelf.whole();
            let version = larder.child_version(&child, shelf.version())?;
            let at = ChildVersion { name: self.name.clone(), version };
            let component = T::load_child(&larder, &at)?;
            // The lock is held, so nobody else sets it meanwhile.
            let _ = self.loaded.set(Ready::of(&larder, &at, component));
        }
        self.loaded
            .get()
            .ok_or_else(|| Error::internal(format!("{} was loaded and is not", self.name)))
    }

    /// What stands in the parent's fields; a value is packed as well.
    fn pack(self: &Arc<Self>) -> Result<Option<Link>> {
        let Some(packer) = scope::packer() else { return Ok(None) };
        let child = match &self.given {
            Given::Value(component) => {
                packer.pack_child(Arc::as_ptr(self).addr(), &self.name, component.as_component())
            }
            Given::Version(reference) => packer.pin_reference(reference),
            Given::Pin => {
                let pinned = self.pinned().clone();
                let Some(Pinned { manifest, .. }) = pinned else {
                    return Err(Error::internal(format!(
                        "the reference to {} has no pin",
                        self.name
                    )));
                };
                let child = ChildEntry { name: self.name.clone(), manifest };
                match packer.pin(&child)? {
                    true => Ok(child),
                    // It is of another larder, and goes where its parent goes.
                    false => {
                        let component = self.loaded()?.peek().as_component();
                        packer.pack_child(Arc::as_ptr(self).addr(), &self.name, component)
                    }
                }
            }
        }?;
        if !matches!(self.given, Given::Pin) && !packer.is_dry_run() {
            let shelf = Arc::clone(packer.shelf());
            *self.pinned() = Some(Pinned { manifest: child.manifest, shelf });
        }
        Ok(Some(Link { name: child.name, manifest: child.manifest }))
    }
}

/// What stands in a manifest's fields in the place of a reference.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    #[serde(rename = "$component")]
    name: Identifier,
    manifest: Digest,
}

impl<T: Child + ?Sized> Serialize for Ref<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(copying) = scope::copying_now() {
            let manifest = copying.lend(Arc::clone(&self.held));
            return Link { name: self.held.name.clone(), manifest }.serialize(serializer);
        }
        let packed = self.held.pack().map_err(|error| match scope::packer() {
            Some(packer) => S::Error::custom(packer.fail(error)),
            None => S::Error::custom(error),
        })?;
        match packed {
            Some(link) => link.serialize(serializer),
            None => Err(S::Error::custom(
                "a reference to a component can only be applied to a larder, with what refers to it",
            )),
        }
    }
}

impl<'de, T: Child + ?Sized> Deserialize<'de> for Ref<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if let Some(copying) = scope::copying_now() {
            let link = Link::deserialize(deserializer)?;
            let held = copying.borrow(&link.manifest).ok_or_else(|| {
                D::Error::custom("it was a reference to another type when it was written")
            })?;
            return Ok(Self { held });
        }
        let Some(shelf) = scope::shelf() else {
            return Err(D::Error::custom(
                "a reference to a component can only be loaded from a larder",
            ));
        };
        let Link { name, manifest } = Link::deserialize(deserializer)?;
        let child = ChildEntry { name, manifest };
        shelf.check_child(&child).map_err(D::Error::custom)?;
        Ok(Self::held(child.name, Given::Pin, Some(Pinned { manifest, shelf })))
    }
}

impl<T: Child + ?Sized> Clone for Ref<T> {
    fn clone(&self) -> Self {
        Self { held: Arc::clone(&self.held) }
    }
}

impl<T: Child + ?Sized> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.digest().map_or_else(|| "not applied".into(), |digest| digest.short());
        write!(f, "Ref<{}>({}, {digest})", type_name::<T>(), self.held.name)
    }
}
