//! What a registry can hold, and how a crate announces it.

use std::any::{Any, TypeId};
use std::sync::Arc;

use crate::component::{ComponentType, TypeEntry};
use crate::error::{Error, ItemKind, Result};
use crate::model::Predict;
use crate::participant::Participant;
use crate::serializer::{DynSerializer, Format, Serializer, StaticSerializer};
use crate::store::{Scheme, Store};
use crate::toolchain::Built;
use crate::url::StoreUrl;

/// One thing that a registry can hold.
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

/// An item whose type only a crate above knows.
pub(super) struct Extension {
    pub(super) kind: ItemKind,
    pub(super) name: String,
    description: String,
    pub(super) value: Box<dyn Any + Send + Sync>,
}

impl Extension {
    /// For the error of two items with one name.
    pub(super) fn described(&self, origin: &str) -> String {
        match &*self.description {
            "" => origin.to_owned(),
            description => format!("{description} ({origin})"),
        }
    }
}

/// Which pairs may share a name: those of one static serializer, for different types.
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

    /// A component type that a crate above describes by itself.
    pub fn entry(entry: TypeEntry) -> Self {
        Self(ItemValue::Type(entry))
    }

    /// An item of a crate above, such as a queue: `value` is found again by kind, name and type.
    ///
    /// `description` tells two items of one name apart in an error.
    pub fn extension(
        kind: ItemKind,
        name: &str,
        description: String,
        value: impl Any + Send + Sync,
    ) -> Self {
        let (name, value) = (name.to_owned(), Box::new(value));
        Self(ItemValue::Extension(Extension { kind, name, description, value }))
    }

    /// An item that could not be built: the registry fails with `error`.
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

    /// A pair of an encoder and a decoder for one type, under a name of its own.
    pub fn pair(pair: impl DynSerializer) -> Self {
        Self(ItemValue::Serializer { pair: Arc::new(pair), family: Family::Alone })
    }

    /// A store, by the scheme of its URLs.
    ///
    /// `open` refuses the options that it does not know, by [`StoreUrl::allow_options`]. How to write a store:
    /// `docs/writing-a-store.md`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use larder_core::{Item, Registry};
    /// use larder_core::store::MemoryStore;
    ///
    /// let shelf = MemoryStore::new(); // one that every `shelf:` shares
    /// let mut registry = Registry::linked()?;
    /// registry.register(Item::store("shelf", move |url| {
    ///     url.allow_options(&[])?;
    ///     Ok(Arc::new(shelf.clone()))
    /// }))?;
    /// let larder = registry.open("shelf:")?;
    /// assert_eq!(larder.list().count(), 0);
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    pub fn store(
        scheme: &str,
        open: impl Fn(&StoreUrl) -> Result<Arc<dyn Store>> + Send + Sync + 'static,
    ) -> Self {
        Scheme::new(scheme, open).into()
    }

    /// A store that can tell whether there is a larder at a URL, without making one.
    ///
    /// What `is_there` says decides for those who only want to read, such as most commands of `larder`. It says `true`
    /// of a place that holds something else: to refuse it, with the reason, is for `open`.
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

/// Something that a crate brings by being linked in; made by [`link!`](crate::link).
#[doc(hidden)]
pub struct Linked {
    pub krate: &'static str,
    pub version: &'static str,
    pub built: Built,
    pub item: fn() -> Item,
}

inventory::collect!(Linked);

/// Tells [`Registry::linked`](crate::Registry::linked) of an [`Item`] that the calling crate brings.
///
/// `#[derive(Component)]` does it for component types.
///
/// A crate that is only listed in `Cargo.toml` and never named in the program is not linked, and
/// brings nothing: write `use plugin as _;`.
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
