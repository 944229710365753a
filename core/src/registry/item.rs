//! Items of a registry, and their registration by linked-in crates.

use std::any::{Any, TypeId};
use std::sync::Arc;

use larder_records::Built;

use crate::component::{ComponentType, TypeEntry};
use crate::error::{Error, ItemKind, Result};
use crate::model::Predict;
use crate::participant::Participant;
use crate::serializer::{DynSerializer, Format, Serializer, StaticSerializer};
use crate::store::{Scheme, Store};
use crate::url::StoreUrl;

/// An item of a registry: a component type, serializer, store or extension.
pub struct Item(pub(super) ItemValue);

pub(super) enum ItemValue {
    Type(TypeEntry),
    Format(Arc<dyn Format>),
    Serializer { pair: Arc<dyn DynSerializer>, family: Family },
    Store(Scheme),
    Extension(Extension),
    Participant(Arc<dyn Participant>),
    Invalid(ItemKind, Error),
}

/// An item of a type defined above core.
pub(super) struct Extension {
    pub(super) kind: ItemKind,
    pub(super) name: String,
    description: String,
    pub(super) value: Box<dyn Any + Send + Sync>,
    pub(super) participant: Option<Arc<dyn Participant>>,
}

impl Extension {
    /// Describes it for the error of a duplicate name.
    pub(super) fn described(&self, origin: &str) -> String {
        match &*self.description {
            "" => origin.to_owned(),
            description => format!("{description} ({origin})"),
        }
    }
}

/// Serializers that may share a name: one static serializer, for different types.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Static(TypeId),
    Alone,
}

impl Item {
    /// A component type.
    pub fn component<T: ComponentType>() -> Self {
        Self(ItemValue::Type(TypeEntry::of::<T>()))
    }

    /// A component type that is a model.
    pub fn model<T: ComponentType + Predict>() -> Self {
        Self(ItemValue::Type(TypeEntry::of_model::<T>()))
    }

    /// A component type defined at run time.
    pub fn entry(entry: TypeEntry) -> Self {
        Self(ItemValue::Type(entry))
    }

    /// An item of a crate above core, such as a queue, found by kind, name and type of `value`.
    ///
    /// `description` is part of the error for a duplicate name.
    pub fn extension(
        kind: ItemKind,
        name: &str,
        description: String,
        value: impl Any + Send + Sync,
    ) -> Self {
        let (name, value) = (name.to_owned(), Box::new(value));
        let participant = None;
        Self(ItemValue::Extension(Extension { kind, name, description, value, participant }))
    }

    /// Adds the participant that an extension needs, unless the registry has one of its type.
    #[must_use]
    pub fn with_participant(mut self, participant: Arc<dyn Participant>) -> Self {
        if let ItemValue::Extension(extension) = &mut self.0 {
            extension.participant = Some(participant);
        }
        self
    }

    /// An item that could not be created: registering it fails with `error`.
    pub fn invalid(kind: ItemKind, error: Error) -> Self {
        Self(ItemValue::Invalid(kind, error))
    }

    /// A participant in every commit of every handle.
    pub fn participant(participant: Arc<dyn Participant>) -> Self {
        Self(ItemValue::Participant(participant))
    }

    /// A serializer for every serde type.
    pub fn format(format: impl Format) -> Self {
        Self(ItemValue::Format(Arc::new(format)))
    }

    /// A serializer for one type. A serializer may be registered for several.
    pub fn serializer<T: 'static, S: Serializer<T>>() -> Self {
        let pair = Arc::new(StaticSerializer::<T, S>::new());
        Self(ItemValue::Serializer { pair, family: Family::Static(TypeId::of::<S>()) })
    }

    /// A serializer for one type, with its own name.
    pub fn pair(pair: impl DynSerializer) -> Self {
        Self(ItemValue::Serializer { pair: Arc::new(pair), family: Family::Alone })
    }

    /// A store, by the scheme of its URLs.
    ///
    /// `open` must refuse unknown options with [`StoreUrl::allow_options`]. See `docs/writing-a-store.md`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use larder_core::{Item, Registry};
    /// use larder_core::store::MemoryStore;
    ///
    /// let store = MemoryStore::new(); // shared by every `scratch:`
    /// let mut registry = Registry::linked()?;
    /// registry.register(Item::store("scratch", move |url| {
    ///     url.allow_options(&[])?;
    ///     Ok(Arc::new(store.clone()))
    /// }))?;
    /// let larder = registry.open("scratch:")?;
    /// assert_eq!(larder.list().count(), 0);
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    pub fn store(
        scheme: &str,
        open: impl Fn(&StoreUrl) -> Result<Arc<dyn Store>> + Send + Sync + 'static,
    ) -> Self {
        Scheme::new(scheme, open).into()
    }

    /// Adds a check whether a larder exists at a URL, which must not create one.
    ///
    /// Read-only callers use it before `open`. It returns `true` for a place with other content, so that `open` returns
    /// the error.
    #[must_use]
    pub fn probed(
        mut self,
        is_there: impl Fn(&StoreUrl) -> Result<bool> + Send + Sync + 'static,
    ) -> Self {
        if let ItemValue::Store(scheme) = self.0 {
            self.0 = ItemValue::Store(scheme.probed(is_there));
        }
        self
    }

    pub(super) fn was_built(&mut self, built: Built) {
        if let ItemValue::Type(entry) = &mut self.0 {
            entry.built = built;
        }
    }

    pub(super) fn sort_key(&self) -> (u8, String) {
        match &self.0 {
            ItemValue::Type(entry) => (0, entry.tag.to_owned()),
            ItemValue::Format(format) => (1, format.name().to_owned()),
            ItemValue::Serializer { pair, .. } => {
                (2, format!("{} {}", pair.name(), pair.type_name()))
            }
            ItemValue::Store(scheme) => (3, scheme.name().to_owned()),
            ItemValue::Extension(extension) => (4 + extension.kind as u8, extension.name.clone()),
            ItemValue::Participant(participant) => (3, format!("{participant:?}")),
            ItemValue::Invalid(kind, _) => (4 + *kind as u8, String::new()),
        }
    }
}

impl From<Scheme> for Item {
    fn from(scheme: Scheme) -> Self {
        Self(ItemValue::Store(scheme))
    }
}

/// An item of a linked-in crate; created by [`link!`](crate::link).
#[doc(hidden)]
pub struct Linked {
    pub krate: &'static str,
    pub version: &'static str,
    pub built: Built,
    pub item: fn() -> Item,
}

inventory::collect!(Linked);

/// Registers an [`Item`] of the calling crate with [`Registry::linked`](crate::Registry::linked).
///
/// `#[derive(Component)]` does it for component types.
///
/// A crate that is only listed in `Cargo.toml` and never named in the program is not linked in: write `use plugin as _;`.
///
/// ```
/// use larder_core::{BoxError, Item, Registry, Serializer};
/// use larder_core::bytes::Bytes;
///
/// struct Celsius(f32);
/// struct CelsiusBytes;
///
/// impl Serializer<Celsius> for CelsiusBytes {
///     const NAME: &'static str = "celsius-le";
///     fn encode(value: &Celsius, out: &mut dyn std::io::Write) -> Result<(), BoxError> {
///         Ok(out.write_all(&value.0.to_le_bytes())?)
///     }
///     fn decode(bytes: &Bytes) -> Result<Celsius, BoxError> {
///         Ok(Celsius(f32::from_le_bytes(bytes[..].try_into()?)))
///     }
/// }
///
/// larder_core::link!(Item::serializer::<Celsius, CelsiusBytes>());
///
/// let registry = Registry::linked()?;
/// assert!(registry.serializers().any(|serializer| serializer.name == "celsius-le"));
/// # Ok::<(), larder_core::Error>(())
/// ```
#[macro_export]
macro_rules! link {
    ($item:expr) => {
        $crate::link!($item, $crate::__private::Built::UNKNOWN);
    };
    ($item:expr, $built:expr) => {
        const _: () = {
            use $crate::__private::inventory;
            inventory::submit! {
                $crate::__private::Linked {
                    krate: env!("CARGO_PKG_NAME"),
                    version: env!("CARGO_PKG_VERSION"),
                    built: $built,
                    item: || $item,
                }
            }
        };
    };
}
