//! References: fields that are components with their own name and versions.

use std::any::type_name;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use larder_records::Reference;
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
use crate::scope;

/// A reference to a child: a component with its own name and versions.
///
/// A child is applied with its parent, in one commit, under its own name. An unchanged child gets no new version. The
/// parent is pinned to the child's digest: newer versions of the child do not affect it.
///
/// ```
/// # use larder_core::{Component, Ref, Result};
/// # fn see<Encoder: larder_core::ComponentType, Head: larder_core::ComponentType>(encoder: Encoder) -> Result<()> {
/// let with_value: Ref<Encoder> = Ref::new("text/encoder", encoder)?; // applied with its parent
/// let by_name: Ref<Head> = Ref::to("text/head:prod")?; // resolved when the parent is applied
/// let any: Ref<dyn Component> = Ref::to("text/head@3")?; // of any type
/// # Ok(())
/// # }
/// ```
///
/// A loaded parent loads the child on the first [`get`](Ref::get). Clones are the same reference. A `Ref` may be at any
/// depth of a component's fields, but not inside an artifact.
pub struct Ref<T: Child + ?Sized> {
    state: Arc<State<T>>,
}

struct State<T: Child + ?Sized> {
    name: Identifier,
    target: Target<T>,
    pinned: Mutex<Option<Pinned>>,
    /// Locked while it is loaded, so that it happens once.
    loading: Mutex<()>,
    loaded: OnceLock<Ready<T>>,
}

enum Target<T: ?Sized> {
    /// A value that is applied with its parent.
    Value(Box<T>),
    /// A version in the larder that the parent is applied to.
    Version(Reference),
    /// The version that the parent was loaded with.
    Pin,
}

/// A child's manifest, and its larder.
#[derive(Clone)]
struct Pinned {
    manifest: Digest,
    reader: Arc<ArtifactReader>,
}

/// Types of children: every component type, and `dyn Component`.
pub trait Child: Component {
    /// Loads a child.
    #[doc(hidden)]
    fn load_child(larder: &Larder, at: &ChildVersion) -> Result<Box<Self>>;

    /// Returns the child as a component of any type.
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
    /// Creates a reference to a child of any type, which is applied with its parent, under `name`.
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
    /// Creates a reference to a boxed child, which is applied with its parent, under `name`.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn from_box(
        name: impl TryInto<Identifier, Error: Into<Error>>,
        component: Box<T>,
    ) -> Result<Self> {
        Ok(Self::from_parts(name.try_into().map_err(Into::into)?, Target::Value(component), None))
    }

    /// Creates a reference to an existing version, resolved when the parent is applied.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn to(reference: impl TryInto<Reference, Error: Into<Error>>) -> Result<Self> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        Ok(Self::from_parts(reference.identifier().clone(), Target::Version(reference), None))
    }

    fn from_parts(name: Identifier, target: Target<T>, pinned: Option<Pinned>) -> Self {
        let (pinned, loading, loaded) = (Mutex::new(pinned), Mutex::default(), OnceLock::new());
        Self { state: Arc::new(State { name, target, pinned, loading, loaded }) }
    }

    /// Returns the child's name.
    pub fn name(&self) -> &Identifier {
        &self.state.name
    }

    /// Returns the digest of the child's manifest, if the parent was loaded or applied.
    pub fn digest(&self) -> Option<Digest> {
        self.state.pinned().as_ref().map(|pinned| pinned.manifest)
    }

    /// Returns the child, without setup: the value, or the pinned version, loaded on first use.
    ///
    /// # Errors
    /// [`Error::Removed`] if the version was removed; [`Error::Refused`] if the parent of an existing version was not
    /// applied; as [`Larder::load`].
    pub fn get(&self) -> Result<&T> {
        match &self.state.target {
            Target::Value(component) => Ok(component),
            _ => Ok(self.state.loaded()?.peek()),
        }
    }

    /// Returns the stored child after [`Hooks::setup`](crate::Hooks::setup), which runs on first use.
    ///
    /// # Errors
    /// As [`get`](Ref::get), also for a value if the parent was not applied; [`Error::Hook`].
    pub fn ready(&self) -> Result<&T> {
        self.state.loaded()?.get()
    }
}

impl<T: Child + ?Sized> State<T> {
    fn pinned(&self) -> MutexGuard<'_, Option<Pinned>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn loaded(&self) -> Result<&Ready<T>> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded);
        }
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Pinned { manifest, reader }) = self.pinned().clone() else {
            return Err(Error::Refused {
                action: format!("use {}", self.name),
                reason:
                    "the component that refers to it has not been applied, so it has no version yet"
                        .into(),
            });
        };
        if self.loaded.get().is_none() {
            let child = ChildEntry { name: self.name.clone(), manifest };
            let larder = reader.whole();
            let version = larder.child_version(&child, reader.version())?;
            let at = ChildVersion { name: self.name.clone(), version };
            let component = T::load_child(&larder, &at)?;
            // Cannot fail: the lock is held.
            let _ = self.loaded.set(Ready::of(&larder, &at, component));
        }
        self.loaded
            .get()
            .ok_or_else(|| Error::internal(format!("{} was loaded and is not", self.name)))
    }

    /// Returns the link for the parent's fields; encodes a value.
    fn link(self: &Arc<Self>) -> Result<Option<Link>> {
        if scope::compared().is_some() {
            let link =
                |pinned: &Pinned| Link { name: self.name.clone(), manifest: pinned.manifest };
            return Ok(self.pinned().as_ref().map(link));
        }
        let Some(writer) = scope::writer() else { return Ok(None) };
        let child = match &self.target {
            Target::Value(component) => {
                writer.pack_child(Arc::as_ptr(self).addr(), &self.name, component.as_component())
            }
            Target::Version(reference) => writer.pin_reference(reference),
            Target::Pin => {
                let pinned = self.pinned().clone();
                let Some(Pinned { manifest, .. }) = pinned else {
                    return Err(Error::internal(format!(
                        "the reference to {} has no pin",
                        self.name
                    )));
                };
                let child = ChildEntry { name: self.name.clone(), manifest };
                match writer.pin(&child)? {
                    true => Ok(child),
                    // It comes from another larder, and is applied with its parent.
                    false => {
                        let component = self.loaded()?.peek().as_component();
                        writer.pack_child(Arc::as_ptr(self).addr(), &self.name, component)
                    }
                }
            }
        }?;
        if !matches!(self.target, Target::Pin) && !writer.is_dry_run() {
            let reader = Arc::clone(writer.reader());
            *self.pinned() = Some(Pinned { manifest: child.manifest, reader });
        }
        Ok(Some(Link { name: child.name, manifest: child.manifest }))
    }
}

/// A reference in a manifest's fields.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    #[serde(rename = "$component")]
    name: Identifier,
    manifest: Digest,
}

impl<T: Child + ?Sized> Serialize for Ref<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let link = self.state.link().map_err(|error| match scope::writer() {
            Some(writer) => S::Error::custom(writer.fail(error)),
            None => S::Error::custom(error),
        })?;
        match link {
            Some(link) => link.serialize(serializer),
            None => Err(S::Error::custom(
                "a reference to a component can only be applied to a larder, with what refers to it",
            )),
        }
    }
}

impl<'de, T: Child + ?Sized> Deserialize<'de> for Ref<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(reader) = scope::reader() else {
            return Err(D::Error::custom(
                "a reference to a component can only be loaded from a larder",
            ));
        };
        let Link { name, manifest } = Link::deserialize(deserializer)?;
        let child = ChildEntry { name, manifest };
        reader.check_child(&child).map_err(D::Error::custom)?;
        Ok(Self::from_parts(child.name, Target::Pin, Some(Pinned { manifest, reader })))
    }
}

impl<T: Child + ?Sized> Clone for Ref<T> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state) }
    }
}

impl<T: Child + ?Sized> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.digest().map_or_else(|| "not applied".into(), |digest| digest.short());
        write!(f, "Ref<{}>({}, {digest})", type_name::<T>(), self.state.name)
    }
}
