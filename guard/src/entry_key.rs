//! Decoding: the key of an entry, kept for the path of an error.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};

/// A key that was read. It becomes text only if its value fails.
#[derive(Default)]
pub(super) struct EntryKey<'de> {
    form: Form<'de>,
    owned: String,
}

#[derive(Clone, Copy, Default)]
enum Form<'de> {
    #[default]
    Owned,
    Text(&'de str),
    Unsigned(u64),
    Signed(i64),
}

impl<'de> EntryKey<'de> {
    pub(super) fn into_text(self) -> String {
        match self.form {
            Form::Owned => self.owned,
            Form::Text(text) => text.to_owned(),
            Form::Unsigned(number) => number.to_string(),
            Form::Signed(number) => number.to_string(),
        }
    }

    /// Keeps the text that another seed has recorded.
    pub(super) fn swap(&mut self, text: &mut String) {
        self.form = Form::Owned;
        std::mem::swap(&mut self.owned, text);
    }

    fn set_owned(&mut self, text: impl fmt::Display) {
        use fmt::Write;
        self.form = Form::Owned;
        self.owned.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.owned, "{text}");
    }

    #[inline]
    fn set(&mut self, form: Form<'de>) {
        self.form = form;
    }
}

/// The seed of a key that holds no other values, or a deserializer or visitor that it leads to.
pub(super) struct KeySeed<'k, 'de, T> {
    pub(super) inner: T,
    pub(super) key: &'k mut EntryKey<'de>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for KeySeed<'_, 'de, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(KeySeed { inner: deserializer, key: self.key })
    }
}

macro_rules! wrap {
    ($($method:ident($($arg:ident: $type:ty),*),)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($arg,)* KeySeed { inner: visitor, key: self.key })
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for KeySeed<'_, 'de, D> {
    type Error = D::Error;

    wrap! {
        deserialize_any(),
        deserialize_bool(),
        deserialize_i8(),
        deserialize_i16(),
        deserialize_i32(),
        deserialize_i64(),
        deserialize_i128(),
        deserialize_u8(),
        deserialize_u16(),
        deserialize_u32(),
        deserialize_u64(),
        deserialize_u128(),
        deserialize_f32(),
        deserialize_f64(),
        deserialize_char(),
        deserialize_str(),
        deserialize_bytes(),
        deserialize_option(),
        deserialize_unit(),
        deserialize_unit_struct(name: &'static str),
        deserialize_newtype_struct(name: &'static str),
        deserialize_seq(),
        deserialize_tuple(len: usize),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_map(),
        deserialize_struct(name: &'static str, fields: &'static [&'static str]),
        deserialize_enum(name: &'static str, variants: &'static [&'static str]),
        deserialize_identifier(),
        deserialize_ignored_any(),
    }

    // See the guarded deserializer.
    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident($v:ident: $type:ty) $set:ident $key:expr;)*) => {
        $(#[inline]
        fn $method<E: serde::de::Error>(self, $v: $type) -> Result<V::Value, E> {
            self.key.$set($key);
            self.inner.$method($v)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for KeySeed<'_, 'de, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_borrowed_str(v: &'de str) set Form::Text(v);
        visit_str(v: &str) set_owned v;
        visit_string(v: String) set_owned &v;
        visit_char(v: char) set_owned v;
        visit_bool(v: bool) set_owned v;
        visit_u8(v: u8) set Form::Unsigned(v.into());
        visit_u16(v: u16) set Form::Unsigned(v.into());
        visit_u32(v: u32) set Form::Unsigned(v.into());
        visit_u64(v: u64) set Form::Unsigned(v);
        visit_u128(v: u128) set_owned v;
        visit_i8(v: i8) set Form::Signed(v.into());
        visit_i16(v: i16) set Form::Signed(v.into());
        visit_i32(v: i32) set Form::Signed(v.into());
        visit_i64(v: i64) set Form::Signed(v);
        visit_i128(v: i128) set_owned v;
        visit_f32(v: f32) set_owned v;
        visit_f64(v: f64) set_owned v;
        visit_bytes(v: &[u8]) set_owned "";
        visit_borrowed_bytes(v: &'de [u8]) set_owned "";
        visit_byte_buf(v: Vec<u8>) set_owned "";
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(access)
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(access)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(access)
    }
}
