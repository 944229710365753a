//! The registry of linked-in items, by name.

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
use item::{Extension, Family, ItemValue};
pub use item::{Item, Linked};
use larder_records::Toolchain;

use crate::component::TypeEntry;
use crate::error::{Error, ItemKind, Result};
use crate::manifest::is_serializer_name;
use crate::participant::Participant;
use crate::serializer::{DynSerializer, Format, FormatTraits};
use crate::store::{Composite, Deferred, LinkedScheme, RecordKind, Scheme, Store, refuse_half};
use crate::url::StoreUrl;

/// Maps type tags, serializer names and URL schemes to code.
#[derive(Default)]
pub struct Registry {
    types: BTreeMap<&'static str, (TypeEntry, Origin)>,
    /// Current tags by former tags.
    aliases: BTreeMap<&'static str, &'static str>,
    serializers: BTreeMap<String, (Entry, Origin)>,
    stores: BTreeMap<String, (Scheme, Origin)>,
    /// Items of crates above core, by kind and name.
    extensions: BTreeMap<(ItemKind, String), (Extension, Origin)>,
    participants: BTreeMap<TypeId, Arc<dyn Participant>>,
    compared: Mutex<BTreeSet<(String, TypeId)>>,
}

/// The origin of an item, for messages: a crate and its version, or a source location.
type Origin = String;

enum Entry {
    Format(Arc<dyn Format>),
    Pairs(Family, Vec<Arc<dyn DynSerializer>>),
}

/// A serializer in a registry.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SerializerInfo {
    /// The name recorded in manifests.
    pub name: String,
    /// Its crate and version, or its source location.
    pub origin: String,
    /// The types it serves; empty for a format, which serves every serde type.
    pub types: Vec<&'static str>,
    /// Its properties, if it is a format.
    pub traits: Option<FormatTraits>,
}

impl Registry {
    /// Creates an empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a registry of all linked-in items.
    ///
    /// # Errors
    /// [`Error::Duplicate`] if two items share a name, or two kinds of records a key.
    pub fn linked() -> Result<Self> {
        RecordKind::check_linked()?;
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
        items.into_iter().try_for_each(|(item, origin)| registry.add(item, origin))?;
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
                if let Some(participant) = extension.participant.clone() {
                    self.add_participant(participant);
                }
                self.extensions.insert(key, (extension, origin));
            }
            ItemValue::Participant(participant) => self.add_participant(participant),
            ItemValue::Invalid(_, error) => return Err(error),
        }
        Ok(())
    }

    /// Adds a participant, unless there is one of its type.
    fn add_participant(&mut self, participant: Arc<dyn Participant>) {
        self.participants.entry(participant.as_ref().type_id()).or_insert(participant);
    }

    fn add_serializer(&mut self, name: String, entry: Entry, origin: Origin) -> Result<()> {
        if !is_serializer_name(&name) {
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
    /// The option `blobs` of any URL is the URL of another store for the blobs, with `&` and `#` written as `%26` and `%23`.
    /// See [`Composite`].
    ///
    /// # Errors
    /// As [`Registry::open`], and as [`Composite::new`].
    pub fn open_store(&self, url: &StoreUrl) -> Result<Arc<dyn Store>> {
        self.opener(url)?()
    }

    /// Opens the store at `url` if there is one, and otherwise when it is first written to: work that turns out to be
    /// impossible leaves no empty larder behind.
    ///
    /// # Errors
    /// As [`Registry::open_store`]; the errors of creating it are those of the first write.
    pub fn open_store_to_write(&self, url: &StoreUrl) -> Result<Arc<dyn Store>> {
        match self.is_there(url)? {
            true => self.open_store(url),
            false => Ok(Arc::new(Deferred::new(url.to_string(), Box::new(self.opener(url)?)))),
        }
    }

    /// Returns the function that opens the store at `url`. Both of its URLs are checked before.
    fn opener(
        &self,
        url: &StoreUrl,
    ) -> Result<impl Fn() -> Result<Arc<dyn Store>> + Send + Sync + 'static> {
        let (url, blobs) = url.split_off("blobs");
        let scheme = |url: &StoreUrl| serving(&self.stores, ItemKind::Store, url).cloned();
        let blobs = match blobs {
            Some(blobs) => {
                let url: StoreUrl = StoreUrl::decode(&blobs)?.parse()?;
                Some((scheme(&url)?, url))
            }
            None => None,
        };
        let records = scheme(&url)?;
        Ok(move || {
            let store = records.open(&url)?;
            let Some((scheme, url)) = &blobs else {
                refuse_half(&*store)?;
                return Ok(store);
            };
            Ok(Arc::new(Composite::new(store, scheme.open(url)?)?) as Arc<dyn Store>)
        })
    }

    /// Opens the store at `url` if a larder [exists](Registry::is_there) there.
    ///
    /// # Errors
    /// As [`Registry::open_store`].
    pub fn find_store(&self, url: &StoreUrl) -> Result<Option<Arc<dyn Store>>> {
        self.is_there(url)?.then(|| self.open_store(url)).transpose()
    }

    /// Returns whether a larder exists at `url`; `true` if its store cannot tell without creating one.
    ///
    /// # Errors
    /// As [`Registry::open`].
    pub fn is_there(&self, url: &StoreUrl) -> Result<bool> {
        let (url, _) = url.split_off("blobs");
        serving(&self.stores, ItemKind::Store, &url)?.probe(&url)
    }

    /// Returns the component types with their origins, sorted by tag.
    pub fn types(&self) -> impl Iterator<Item = (&TypeEntry, &str)> {
        self.types.values().map(|(entry, origin)| (entry, origin.as_str()))
    }

    /// Returns the component type with this current or former tag.
    pub fn find(&self, tag: &str) -> Option<&TypeEntry> {
        self.linked_type(tag).map(|(entry, _)| entry)
    }

    fn linked_type(&self, tag: &str) -> Option<&(TypeEntry, Origin)> {
        self.types.get(self.current_tag(tag))
    }

    /// Returns the current tag for a current or former `tag`.
    pub fn current_tag<'a>(&self, tag: &'a str) -> &'a str {
        self.aliases.get(tag).copied().unwrap_or(tag)
    }

    /// Returns the [`Item::extension`] registered under `name`.
    pub fn extension<T: Any>(&self, kind: ItemKind, name: &str) -> Option<&T> {
        let (extension, _) = self.extensions.get(&(kind, name.to_owned()))?;
        extension.value.downcast_ref()
    }

    /// Returns the [`Item::extension`] registered under `name`, or an error.
    ///
    /// # Errors
    /// [`Error::NotLinked`], with the known names.
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

    /// Returns the participants of every handle.
    pub(crate) fn participants(&self) -> impl Iterator<Item = Arc<dyn Participant>> {
        self.participants.values().cloned()
    }

    /// Returns the serializers, sorted by name.
    pub fn serializers(&self) -> impl Iterator<Item = SerializerInfo> {
        self.serializers.iter().map(|(name, (entry, origin))| info(name, entry, origin))
    }

    /// Returns the serializer `name`.
    pub(crate) fn serializer(&self, name: &str, needed_by: &str) -> Result<SerializerInfo> {
        let (entry, origin) = self.find_serializer(name, needed_by)?;
        Ok(info(name, entry, origin))
    }

    /// Returns the typed serializers under `name`; none if it is a format or unknown.
    pub(crate) fn pairs(&self, name: &str) -> &[Arc<dyn DynSerializer>] {
        match self.serializers.get(name) {
            Some((Entry::Pairs(_, pairs), _)) => pairs,
            _ => &[],
        }
    }

    /// Returns the serializers, by name and type, that were already compared with the larder's records.
    pub(crate) fn compared(&self) -> MutexGuard<'_, BTreeSet<(String, TypeId)>> {
        self.compared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the URL schemes of the stores with their origins, sorted.
    pub fn schemes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.stores.iter().map(|(scheme, (_, origin))| (scheme.as_str(), origin.as_str()))
    }

    /// Returns the component type with this tag; `origin` is the crate that the manifest names.
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

    /// Returns the toolchain to record for the class model with this tag, if it is one.
    pub(crate) fn toolchain_of(&self, tag: &str) -> Option<Toolchain> {
        let entry = self.find(tag).filter(|entry| entry.records_toolchain)?;
        Toolchain::of(entry.built)
    }
}

/// Adds a scheme, unless it is known.
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

/// Returns the entry of a URL's scheme.
fn serving<'a, T>(
    known: &'a BTreeMap<String, (T, Origin)>,
    kind: ItemKind,
    url: &StoreUrl,
) -> Result<&'a T> {
    match known.get(url.scheme()) {
        Some((open, _)) => Ok(open),
        None if url.may_be_credentials() => Err(url.refused("it begins with no known scheme")),
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
