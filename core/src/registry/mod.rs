//! The registry: what is linked in, by name.

mod by_name;
mod hints;
mod item;

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use by_name::find_pair;
use by_name::info;
pub(crate) use hints::is_trusted;
use hints::not_linked;
pub use hints::{Hints, Trusted};
pub use item::{Built, Item, Linked};
use item::{Extension, Family, ItemValue};

use crate::component::TypeEntry;
use crate::error::{Error, ItemKind, Result};
use crate::participant::Participant;
use crate::serializer::{DynSerializer, Format, FormatTraits};
use crate::store::{Composite, LinkedScheme, Scheme, Store, refuse_half};
use crate::toolchain::Toolchain;
use crate::url::StoreUrl;

/// Maps type tags, serializer names and URL schemes to code.
#[derive(Default)]
pub struct Registry {
    types: BTreeMap<&'static str, (TypeEntry, Origin)>,
    /// From the tags that types had before to those they have.
    aliases: BTreeMap<&'static str, &'static str>,
    serializers: BTreeMap<String, (Entry, Origin)>,
    stores: BTreeMap<String, (Scheme, Origin)>,
    /// What crates above core registered, by kind and name.
    extensions: BTreeMap<(ItemKind, String), (Extension, Origin)>,
    participants: Vec<Arc<dyn Participant>>,
    compared: Mutex<BTreeSet<(String, TypeId)>>,
}

/// Where an item comes from, for people: a crate and its version, or a place in the source.
type Origin = String;

enum Entry {
    Format(Arc<dyn Format>),
    Pairs(Family, Vec<Arc<dyn DynSerializer>>),
}

/// What a registry knows of a serializer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SerializerInfo {
    /// The name recorded in manifests.
    pub name: String,
    /// Where it comes from.
    pub origin: String,
    /// The types it serves; empty for a format, which serves every serde type.
    pub types: Vec<&'static str>,
    /// What it can bear, if it is a format.
    pub traits: Option<FormatTraits>,
}

impl Registry {
    /// A registry that holds nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A registry of all that the linked crates bring.
    ///
    /// # Errors
    /// [`Error::Duplicate`] if two of them share a name.
    pub fn linked() -> Result<Self> {
        let mut items: Vec<(Item, Origin)> = inventory::iter::<Linked>()
            .map(|linked| {
                let mut item = (linked.item)();
                item.was_built(linked.built);
                (item, format!("{} {}", linked.krate, linked.version))
            })
            .collect();
        items.extend(inventory::iter::<LinkedScheme>().map(|linked| {
            let origin = format!("{} {}", linked.krate, linked.version);
            ((linked.scheme)().into(), origin)
        }));
        // The order of linking differs from build to build.
        items.sort_by_cached_key(|(item, origin)| (item.sort_key(), origin.clone()));
        let mut registry = Self::new();
        for (item, origin) in items {
            registry.add(item, origin)?;
        }
        Ok(registry)
    }

    /// Adds an item at run time.
    ///
    /// # Errors
    /// [`Error::Duplicate`] if the name is taken.
    #[track_caller]
    pub fn register(&mut self, item: Item) -> Result<()> {
        self.add(item, Location::caller().to_string())
    }

    fn add(&mut self, Item(item): Item, origin: Origin) -> Result<()> {
        match item {
            ItemValue::Type(entry) => {
                for tag in [entry.tag].iter().chain(entry.aliases) {
                    let tag = crate::name::TypeTag::new(tag)?;
                    if let Some((first, first_origin)) = self.linked_type(tag.as_str()) {
                        return Err(Error::Duplicate {
                            kind: ItemKind::Type,
                            name: tag.to_string(),
                            first: format!("`{}` ({first_origin})", first.rust_type),
                            second: format!("`{}` ({origin})", entry.rust_type),
                        });
                    }
                }
                self.aliases.extend(entry.aliases.iter().map(|&alias| (alias, entry.tag)));
                self.types.insert(entry.tag, (entry, origin));
            }
            ItemValue::Format(format) => {
                let name = format.name().to_owned();
                self.add_serializer(name, Entry::Format(format), origin)?;
            }
            ItemValue::Serializer { pair, family } => {
                let name = pair.name().to_owned();
                if let Some((Entry::Pairs(known, pairs), _)) = self.serializers.get_mut(&name)
                    && family != Family::Alone
                    && *known == family
                    && pairs.iter().all(|known| known.value_type() != pair.value_type())
                {
                    pairs.push(pair);
                    return Ok(());
                }
                self.add_serializer(name, Entry::Pairs(family, vec![pair]), origin)?;
            }
            ItemValue::Store(scheme) => {
                let name = scheme.name().to_owned();
                add_scheme(&mut self.stores, ItemKind::Store, name, (scheme, origin))?;
            }
            ItemValue::Extension(extension) => {
                let key = (extension.kind, extension.name.clone());
                if let Some((first, first_origin)) = self.extensions.get(&key) {
                    return Err(Error::Duplicate {
                        kind: extension.kind,
                        first: first.described(first_origin),
                        second: extension.described(&origin),
                        name: extension.name,
                    });
                }
                self.extensions.insert(key, (extension, origin));
            }
            ItemValue::Participant(participant) => self.participants.push(participant),
            ItemValue::Invalid(_, error) => return Err(error),
        }
        Ok(())
    }

    fn add_serializer(&mut self, name: String, entry: Entry, origin: Origin) -> Result<()> {
        if name.is_empty() || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_graphic()) {
            let reason = "a serializer's name has 1 to 64 visible ASCII characters";
            return Err(Error::invalid("serializer name", &name, reason));
        }
        if let Some((first, first_origin)) = self.serializers.get(&name) {
            return Err(Error::Duplicate {
                kind: ItemKind::Serializer,
                first: format!("{first} ({first_origin})"),
                second: format!("{entry} ({origin})"),
                name,
            });
        }
        self.serializers.insert(name, (entry, origin));
        Ok(())
    }

    /// Opens the store at `url`.
    ///
    /// Every URL may have the option `blobs`, another URL, with `%26` for `&` and `%23` for `#` in it: its blobs are there.
    /// See [`Composite`].
    ///
    /// # Errors
    /// As [`Registry::open`], and as [`Composite::new`].
    pub fn open_store(&self, url: &StoreUrl) -> Result<Arc<dyn Store>> {
        let (url, blobs) = url.split_off("blobs");
        // An error in either URL is told before anything is made.
        let blobs = blobs.map(|blobs| StoreUrl::decode(&blobs)?.parse::<StoreUrl>()).transpose()?;
        let store = self.open_alone(&url)?;
        let Some(blobs) = blobs else {
            refuse_half(&*store)?;
            return Ok(store);
        };
        Ok(Arc::new(Composite::new(store, self.open_alone(&blobs)?)?))
    }

    fn open_alone(&self, url: &StoreUrl) -> Result<Arc<dyn Store>> {
        serving(&self.stores, ItemKind::Store, url)?.open(url)
    }

    /// Opens the store at `url`, if there [is](Registry::is_there) a larder: for whoever only wants to read.
    ///
    /// # Errors
    /// As [`Registry::open_store`].
    pub fn find_store(&self, url: &StoreUrl) -> Result<Option<Arc<dyn Store>>> {
        self.is_there(url)?.then(|| self.open_store(url)).transpose()
    }

    /// Whether there is a larder at `url`, as far as its store can tell without making one; one that cannot tell says
    /// that there is.
    ///
    /// # Errors
    /// As [`Registry::open`].
    pub fn is_there(&self, url: &StoreUrl) -> Result<bool> {
        let (url, _) = url.split_off("blobs");
        serving(&self.stores, ItemKind::Store, &url)?.probe(&url)
    }

    /// The component types, in the order of their tags, each with where it comes from.
    pub fn types(&self) -> impl Iterator<Item = (&TypeEntry, &str)> {
        self.types.values().map(|(entry, origin)| (entry, origin.as_str()))
    }

    /// The component type that has this tag, or had it before.
    pub fn find(&self, tag: &str) -> Option<&TypeEntry> {
        self.linked_type(tag).map(|(entry, _)| entry)
    }

    fn linked_type(&self, tag: &str) -> Option<&(TypeEntry, Origin)> {
        self.types.get(self.current_tag(tag))
    }

    /// The tag that a type has now: `tag`, or the one that replaced it.
    pub fn current_tag<'a>(&self, tag: &'a str) -> &'a str {
        self.aliases.get(tag).copied().unwrap_or(tag)
    }

    /// What a crate above registered under `name`, by [`Item::extension`].
    pub fn extension<T: Any>(&self, kind: ItemKind, name: &str) -> Option<&T> {
        let (extension, _) = self.extensions.get(&(kind, name.to_owned()))?;
        extension.value.downcast_ref()
    }

    /// What a crate above registered under `name`.
    ///
    /// # Errors
    /// [`Error::NotLinked`], which lists the names that are known.
    pub fn find_extension<T: Any>(
        &self,
        kind: ItemKind,
        name: &str,
        needed_by: &str,
    ) -> Result<&T> {
        let known = self.extensions.keys().filter(|(known, _)| *known == kind);
        self.extension(kind, name)
            .ok_or_else(|| not_linked(kind, name, needed_by, None, known.map(|(_, name)| name)))
    }

    /// The participants that every handle has.
    pub(crate) fn participants(&self) -> impl Iterator<Item = Arc<dyn Participant>> {
        self.participants.iter().cloned()
    }

    /// The serializers, in the order of their names.
    pub fn serializers(&self) -> impl Iterator<Item = SerializerInfo> {
        self.serializers.iter().map(|(name, (entry, origin))| info(name, entry, origin))
    }

    /// The serializer called `name`.
    pub(crate) fn serializer(&self, name: &str, needed_by: &str) -> Result<SerializerInfo> {
        let (entry, origin) = self.find_serializer(name, needed_by)?;
        Ok(info(name, entry, origin))
    }

    /// The pairs of the serializer called `name`; none if it is a format or unknown.
    pub(crate) fn pairs(&self, name: &str) -> &[Arc<dyn DynSerializer>] {
        match self.serializers.get(name) {
            Some((Entry::Pairs(_, pairs), _)) => pairs,
            _ => &[],
        }
    }

    /// The names of serializers that were compared with the larder's records, each with the type that it
    /// is for. They are compared once.
    pub(crate) fn compared(&self) -> MutexGuard<'_, BTreeSet<(String, TypeId)>> {
        self.compared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The URL schemes of the stores, in order, each with where it comes from.
    pub fn schemes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.stores.iter().map(|(scheme, (_, origin))| (scheme.as_str(), origin.as_str()))
    }

    /// The component type with this tag; `origin` is the crate that the manifest's writer had it from.
    ///
    /// # Errors
    /// [`Error::NotLinked`].
    pub fn find_type(
        &self,
        tag: &str,
        needed_by: &str,
        origin: Option<&str>,
    ) -> Result<&TypeEntry> {
        match self.find(tag) {
            Some(entry) => Ok(entry),
            None => Err(not_linked(ItemKind::Type, tag, needed_by, origin, self.types.keys())),
        }
    }

    pub(crate) fn origin_of_type(&self, tag: &str) -> Option<&str> {
        self.linked_type(tag).map(|(_, origin)| origin.as_str())
    }

    /// What built the class model with this tag, if it is one.
    pub(crate) fn toolchain_of(&self, tag: &str) -> Option<Toolchain> {
        self.find(tag)
            .filter(|entry| entry.records_toolchain)
            .and_then(|entry| Toolchain::of(entry.built))
    }
}

/// Adds what opens the URLs of a scheme, if nothing does yet.
fn add_scheme<T>(
    known: &mut BTreeMap<String, (T, Origin)>,
    kind: ItemKind,
    scheme: String,
    (open, origin): (T, Origin),
) -> Result<()> {
    if let Some((_, first)) = known.get(&scheme) {
        return Err(Error::Duplicate { kind, name: scheme, first: first.clone(), second: origin });
    }
    known.insert(scheme, (open, origin));
    Ok(())
}

/// What opens the URLs of a scheme.
fn serving<'a, T>(
    known: &'a BTreeMap<String, (T, Origin)>,
    kind: ItemKind,
    url: &StoreUrl,
) -> Result<&'a T> {
    match known.get(url.scheme()) {
        Some((open, _)) => Ok(open),
        None => Err(not_linked(kind, url.scheme(), &url.to_string(), None, known.keys())),
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(_) => f.write_str("a format"),
            Self::Pairs(_, pairs) => {
                let types: Vec<_> = pairs.iter().map(|pair| pair.type_name()).collect();
                write!(f, "a pair for {}", types.join(", "))
            }
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("types", &self.types.keys())
            .field("serializers", &self.serializers.keys())
            .field("stores", &self.stores.keys())
            .field("extensions", &self.extensions.keys())
            .finish()
    }
}
