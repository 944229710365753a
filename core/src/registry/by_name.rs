//! Serializers by their names, for values whose own serializer is another one.

use std::any::{TypeId, type_name};
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;

use super::hints::not_linked;
use super::{Entry, Origin, Registry, SerializerInfo};
use crate::error::{BoxError, ItemKind, Result};
use crate::serializer::{DynSerializer, Serializer, not_served};

impl Registry {
    pub(super) fn find_serializer(&self, name: &str, needed_by: &str) -> Result<&(Entry, Origin)> {
        match self.serializers.get(name) {
            Some(found) => Ok(found),
            None => Err(not_linked(
                ItemKind::Serializer,
                name,
                needed_by,
                None,
                self.serializers.keys(),
            )),
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
                value.map(|value| *value).map_err(|_| not_served(pair))
            }),
        })
    }
}

pub(super) fn info(name: &str, entry: &Entry, origin: &str) -> SerializerInfo {
    let (types, traits) = match entry {
        Entry::Format(format) => (Vec::new(), Some(format.traits())),
        Entry::Pairs(_, pairs) => (pairs.iter().map(|pair| pair.type_name()).collect(), None),
    };
    SerializerInfo { name: name.to_owned(), origin: origin.to_owned(), types, traits }
}

pub(crate) fn find_pair<'a, T: 'static>(
    name: &str,
    pairs: &'a [Arc<dyn DynSerializer>],
) -> Result<&'a dyn DynSerializer, BoxError> {
    let served = |pair: &&Arc<dyn DynSerializer>| pair.value_type() == TypeId::of::<T>();
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
