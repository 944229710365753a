//! The registry: what is linked in, by name.

mod item;

use std::any::{TypeId, type_name};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

pub use item::{Built, Item, Linked};
use item::{Family, OpenStore, Thing};

use crate::component::TypeEntry;
use crate::error::{BoxError, Error, Kind, Result};
use crate::jobs::TriggerTable;
use crate::larder::{Larder, Toolchain};
use crate::serializer::{AnyPair, Format, Serializer, Traits};
use crate::store::composite::refuse_half;
use crate::store::{Composite, Store};
use crate::url::StoreUrl;

/// Maps type tags, serializer names and URL schemes to code.
#[derive(Default)]
pub struct Registry {
    types: BTreeMap<&'static str, (TypeEntry, Origin)>,
    /// From the tags that types had before to those they have.
    aliases: BTreeMap<&'static str, &'static str>,
    serializers: BTreeMap<String, (Entry, Origin)>,
    stores: BTreeMap<String, (OpenStore, Origin)>,
    /// By the tags of their types.
    triggers: BTreeMap<&'static str, (TriggerTable, Origin)>,
    compared: Mutex<BTreeSet<(String, TypeId)>>,
}

/// Where an item comes from, for people: a crate and its version, or a place in the source.
type Origin = String;

enum Entry {
    Format(Arc<dyn Format>),
    Pairs(Family, Vec<Arc<dyn AnyPair>>),
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
    pub traits: Option<Traits>,
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
            Thing::Type(entry) => {
                for tag in [entry.tag].iter().chain(entry.aliases) {
                    let tag = crate::TypeTag::new(tag)?;
                    if let Some((first, first_origin)) = self.linked_type(tag.as_str()) {
                        return Err(Error::Duplicate {
                            kind: Kind::Type,
                            name: tag.to_string(),
                            first: format!("`{}` ({first_origin})", first.rust_type),
                            second: format!("`{}` ({origin})", entry.rust_type),
                        });
                    }
                }
                self.aliases.extend(entry.aliases.iter().map(|&alias| (alias, entry.tag)));
                self.types.insert(entry.tag, (entry, origin));
            }
            Thing::Format(format) => {
                let name = format.name().to_owned();
                self.add_serializer(name, Entry::Format(format), origin)?;
            }
            Thing::Pair { pair, family } => {
                let name = pair.name().to_owned();
                if let Some((Entry::Pairs(known, pairs), _)) = self.serializers.get_mut(&name)
                    && family != Family::Alone
                    && *known == family
                    && pairs.iter().all(|known| known.type_id() != pair.type_id())
                {
                    pairs.push(pair);
                    return Ok(());
                }
                self.add_serializer(name, Entry::Pairs(family, vec![pair]), origin)?;
            }
            Thing::Store { scheme, open } => {
                if let Some((_, first)) = self.stores.get(&scheme) {
                    return Err(Error::Duplicate {
                        kind: Kind::Store,
                        name: scheme,
                        first: first.clone(),
                        second: origin,
                    });
                }
                self.stores.insert(scheme, (open, origin));
            }
            Thing::Triggers(table) => {
                let table = table?;
                if let Some((first, first_origin)) = self.triggers.get(table.type_tag()) {
                    let told = |table: &TriggerTable, origin: &str| {
                        format!("those of `{}` ({origin})", table.rust_type())
                    };
                    return Err(Error::Duplicate {
                        kind: Kind::Trigger,
                        name: table.type_tag().to_owned(),
                        first: told(first, first_origin),
                        second: told(&table, &origin),
                    });
                }
                self.triggers.insert(table.type_tag(), (table, origin));
            }
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
                kind: Kind::Serializer,
                first: format!("{first} ({first_origin})"),
                second: format!("{entry} ({origin})"),
                name,
            });
        }
        self.serializers.insert(name, (entry, origin));
        Ok(())
    }

    /// Opens the larder at `url`, and gives it this registry.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a URL that cannot be, [`Error::NotLinked`] for a scheme that no linked
    /// crate serves, and whatever the store says.
    pub fn open(self, url: impl TryInto<StoreUrl, Error: Into<Error>>) -> Result<Larder> {
        let store = self.open_store(&url.try_into().map_err(Into::into)?)?;
        Ok(Larder::new(store, self))
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
        match self.stores.get(url.scheme()) {
            Some((open, _)) => open(url),
            None => Err(not_linked(
                Kind::Store,
                url.scheme(),
                &url.to_string(),
                None,
                self.stores.keys(),
            )),
        }
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
        let tag = self.aliases.get(tag).copied().unwrap_or(tag);
        self.types.get(tag)
    }

    /// The triggers of the component type that has this tag, or had it before.
    pub fn triggers_of(&self, tag: &str) -> Option<&TriggerTable> {
        let tag = self.aliases.get(tag).copied().unwrap_or(tag);
        self.triggers.get(tag).map(|(table, _)| table)
    }

    /// The names of the triggers of a type.
    pub(crate) fn names_of_triggers(&self, tag: &str) -> Vec<String> {
        let entries = self.triggers_of(tag).map_or(&[][..], TriggerTable::entries);
        entries.iter().map(|entry| entry.name().to_owned()).collect()
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
    pub(crate) fn pairs(&self, name: &str) -> &[Arc<dyn AnyPair>] {
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
    pub(crate) fn find_type(
        &self,
        tag: &str,
        needed_by: &str,
        origin: Option<&str>,
    ) -> Result<&TypeEntry> {
        match self.find(tag) {
            Some(entry) => Ok(entry),
            None => Err(not_linked(Kind::Type, tag, needed_by, origin, self.types.keys())),
        }
    }

    pub(crate) fn origin_of_type(&self, tag: &str) -> Option<&str> {
        self.linked_type(tag).map(|(_, origin)| origin.as_str())
    }

    /// What built the class model with this tag, if it is one.
    pub(crate) fn toolchain_of(&self, tag: &str) -> Option<Toolchain> {
        self.find(tag).filter(|entry| entry.class).and_then(|entry| Toolchain::of(entry.built))
    }

    fn find_serializer(&self, name: &str, needed_by: &str) -> Result<&(Entry, Origin)> {
        match self.serializers.get(name) {
            Some(found) => Ok(found),
            None => {
                Err(not_linked(Kind::Serializer, name, needed_by, None, self.serializers.keys()))
            }
        }
    }

    /// Writes `value` by the serializer called `name`, which is not `S`.
    pub(crate) fn encode<T: 'static, S: Serializer<T>>(
        &self,
        name: &str,
        value: &T,
        out: &mut dyn Write,
    ) -> Result<Result<(), BoxError>> {
        Ok(match &self.find_serializer(name, "the artifact")?.0 {
            Entry::Format(format) => {
                S::encode_by(&**format, value, out).unwrap_or_else(|| Err(not_serde::<T>(name)))
            }
            Entry::Pairs(_, pairs) => {
                find_pair::<T>(name, pairs).and_then(|pair| pair.encode(value, out))
            }
        })
    }

    /// Reads a `T` by the serializer called `name`, which is not `S`.
    pub(crate) fn decode<T: 'static, S: Serializer<T>>(
        &self,
        name: &str,
        bytes: &Bytes,
        needed_by: &str,
    ) -> Result<Result<T, BoxError>> {
        Ok(match &self.find_serializer(name, needed_by)?.0 {
            Entry::Format(format) => {
                S::decode_by(&**format, bytes).unwrap_or_else(|| Err(not_serde::<T>(name)))
            }
            Entry::Pairs(_, pairs) => find_pair::<T>(name, pairs).and_then(|pair| {
                let value = pair.decode(bytes)?.downcast::<T>();
                value.map(|value| *value).map_err(|_| crate::serializer::not_served(pair))
            }),
        })
    }
}

fn info(name: &str, entry: &Entry, origin: &str) -> SerializerInfo {
    let (types, traits) = match entry {
        Entry::Format(format) => (Vec::new(), Some(format.traits())),
        Entry::Pairs(_, pairs) => (pairs.iter().map(|pair| pair.type_name()).collect(), None),
    };
    SerializerInfo { name: name.to_owned(), origin: origin.to_owned(), types, traits }
}

/// Whether a serializer of that name is Larder's own.
pub(crate) fn is_own(name: &str) -> bool {
    BROUGHT_BY.iter().any(|(kind, own, _)| *kind == Kind::Serializer && *own == name)
}

pub(crate) fn find_pair<'a, T: 'static>(
    name: &str,
    pairs: &'a [Arc<dyn AnyPair>],
) -> Result<&'a dyn AnyPair, BoxError> {
    let served = |pair: &&Arc<dyn AnyPair>| AnyPair::type_id(&***pair) == TypeId::of::<T>();
    match pairs.iter().find(served) {
        Some(pair) => Ok(&**pair),
        None => {
            let types: Vec<_> = pairs.iter().map(|pair| pair.type_name()).collect();
            let (wanted, types) = (type_name::<T>(), types.join(", "));
            Err(format!("the serializer `{name}` serves {types}, not `{wanted}`").into())
        }
    }
}

fn not_serde<T>(name: &str) -> BoxError {
    format!(
        "`{name}` is a serde format, and the field's own serializer reaches `{}` without serde",
        type_name::<T>()
    )
    .into()
}

/// The names that Larder's own crates bring, and how.
const BROUGHT_BY: &[(Kind, &str, &str)] = &[
    (Kind::Serializer, "json", "json"),
    (Kind::Serializer, "msgpack-named", "msgpack"),
    (Kind::Serializer, "bincode2-standard", "bincode"),
    (Kind::Serializer, "postcard1", "postcard"),
    (Kind::Serializer, "bytes", "bytes"),
    (Kind::Serializer, "safetensors", "tensors"),
    (Kind::Serializer, "file", "files"),
    (Kind::Type, "larder/files", "files"),
    (Kind::Type, "larder/onnx", "onnx"),
    (Kind::Type, "larder/script", "script"),
    (Kind::Type, "larder/wasm", "wasm"),
    (Kind::Type, "larder/wasm-serializer", "wasm"),
    (Kind::Store, "fs", "fs"),
    (Kind::Store, "sqlite", "sqlite"),
    (Kind::Store, "s3", "object"),
    (Kind::Store, "gs", "object"),
    (Kind::Store, "az", "object"),
    (Kind::Store, "postgres", "postgres"),
    (Kind::Store, "postgresql", "postgres"),
];

fn not_linked(
    kind: Kind,
    name: &str,
    needed_by: &str,
    origin: Option<&str>,
    known: impl Iterator<Item = impl ToString>,
) -> Error {
    let brought = BROUGHT_BY.iter().find(|(k, n, _)| *k == kind && *n == name);
    let hint = match (brought, origin) {
        (Some((_, _, feature)), _) => {
            format!("the feature `{feature}` of the crate `larder` brings it")
        }
        (None, Some(origin)) => {
            format!("it was applied from the crate {origin}: link that crate in (`use … as _;`)")
        }
        (None, None) => "link in the crate that brings it (`use … as _;`)".to_owned(),
    };
    Error::NotLinked {
        kind,
        name: name.to_owned(),
        needed_by: needed_by.to_owned(),
        hint,
        known: known.map(|name| name.to_string()).collect(),
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
            .finish()
    }
}
