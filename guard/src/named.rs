//! Structs by the names of their fields.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

/// Wraps a deserializer: in a human-readable format, a struct is read from a map only, as its JSON Schema says. serde
/// would read it from a sequence of its fields too.
///
/// ```
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Point { x: f64, y: f64 }
///
/// let read = |text| Point::deserialize(larder_guard::named(&mut serde_json::Deserializer::from_str(text)));
/// assert_eq!(read(r#"{"x": 1, "y": 2}"#).unwrap().y, 2.0);
/// assert!(read("[1, 2]").is_err());
/// ```
pub fn named<'de, D: Deserializer<'de>>(inner: D) -> impl Deserializer<'de, Error = D::Error> {
    let named = inner.is_human_readable();
    Named { inner, named, is_struct: false }
}

/// A deserializer, seed, visitor or access.
struct Named<T> {
    inner: T,
    /// False for formats that write structs as sequences.
    named: bool,
    /// True for the visitor of a struct.
    is_struct: bool,
}

impl<T> Named<T> {
    fn wrap<U>(&self, inner: U) -> Named<U> {
        Named { inner, named: self.named, is_struct: false }
    }

    fn wrap_struct<U>(&self, inner: U) -> Named<U> {
        Named { inner, named: self.named, is_struct: self.named }
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Named<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = self.wrap(deserializer);
        self.inner.deserialize(deserializer)
    }
}

macro_rules! pass {
    ($($method:ident($($arg:ident: $type:ty),*),)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.wrap(visitor);
            self.inner.$method($($arg,)* visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Named<D> {
    type Error = D::Error;

    common_methods!(pass);
    pass! {
        deserialize_f32(),
        deserialize_string(),
        deserialize_byte_buf(),
        deserialize_option(),
        deserialize_tuple(len: usize),
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.wrap_struct(visitor);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident($($v:ident: $type:ty)?),)*) => {
        $(fn $method<E: Error>(self, $($v: $type)?) -> Result<V::Value, E> {
            self.inner.$method($($v)?)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Named<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_bool(v: bool),
        visit_i8(v: i8),
        visit_i16(v: i16),
        visit_i32(v: i32),
        visit_i64(v: i64),
        visit_i128(v: i128),
        visit_u8(v: u8),
        visit_u16(v: u16),
        visit_u32(v: u32),
        visit_u64(v: u64),
        visit_u128(v: u128),
        visit_f32(v: f32),
        visit_f64(v: f64),
        visit_char(v: char),
        visit_str(v: &str),
        visit_borrowed_str(v: &'de str),
        visit_string(v: String),
        visit_bytes(v: &[u8]),
        visit_borrowed_bytes(v: &'de [u8]),
        visit_byte_buf(v: Vec<u8>),
        visit_none(),
        visit_unit(),
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.wrap(deserializer);
        self.inner.visit_some(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        let deserializer = self.wrap(deserializer);
        self.inner.visit_newtype_struct(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        if self.is_struct {
            return Err(A::Error::invalid_type(Unexpected::Other("an array"), &self.inner));
        }
        let access = self.wrap(access);
        self.inner.visit_seq(access)
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.wrap(access);
        self.inner.visit_map(access)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.wrap(access);
        self.inner.visit_enum(access)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Named<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.wrap(seed);
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Named<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.wrap(seed);
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.wrap(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Named<A> {
    type Error = A::Error;
    type Variant = Named<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, Named { inner: variant, named: self.named, is_struct: false }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Named<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.wrap(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.wrap(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.wrap_struct(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}
