//! Links in the fields of a manifest, recognised by their look.
//!
//! A type knows which of its values are links. Whoever reads fields without the type knows them by their keys, so writers
//! refuse any other value of that look: see "Links" in `docs/format.md`.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::digest::Digest;
use crate::name::Identifier;

/// A link in the fields of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Link {
    /// `{"$artifact": DIGEST, "serializer": NAME}`
    Artifact {
        /// The digest of the blob.
        digest: Digest,
        /// The serializer that wrote it.
        serializer: String,
    },
    /// `{"$component": NAME, "manifest": DIGEST}`
    Child {
        /// The name of the child.
        name: Identifier,
        /// The digest of its manifest.
        manifest: Digest,
    },
}

impl Link {
    /// Returns the link that an object of exactly these two entries is, in either order.
    pub fn of(one: (&str, &str), other: (&str, &str)) -> Option<Self> {
        let in_order = |(first, first_text): (&str, &str), (second, second_text): (&str, &str)| {
            Some(match (first, second) {
                ("$artifact", "serializer") => Self::Artifact {
                    digest: first_text.parse().ok()?,
                    serializer: second_text.to_owned(),
                },
                ("$component", "manifest") => Self::Child {
                    name: Identifier::new(first_text).ok()?,
                    manifest: second_text.parse().ok()?,
                },
                _ => return None,
            })
        };
        in_order(one, other).or_else(|| in_order(other, one))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Artifact { digest, .. } => f.write_str(&digest.short()),
            Self::Child { name, manifest } => write!(f, "{name} ({})", manifest.short()),
        }
    }
}

/// Passes each link in `json` to `found`, with its path, in the order of the text. Anything of that look is a link.
///
/// # Errors
/// For text that is no JSON, or nested deeper than 127 levels.
pub fn for_each_link(json: &str, found: &mut dyn FnMut(&str, Link)) -> serde_json::Result<()> {
    // Most fields have no link.
    if !json.contains("$artifact") && !json.contains("$component") && !json.contains("\\u") {
        return Ok(());
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    Value { path: &mut String::new(), found }.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// A value of any kind; its text, if it is text.
struct Value<'a> {
    path: &'a mut String,
    found: &'a mut dyn FnMut(&str, Link),
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let end = self.path.len();
        for index in 0_usize.. {
            let _ = write!(self.path, "[{index}]");
            let more = items.next_element_seed(Value { path: self.path, found: self.found })?;
            self.path.truncate(end);
            if more.is_none() {
                break;
            }
        }
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let end = self.path.len();
        let (mut count, mut texts) = (0_usize, Vec::new());
        while let Some(key) = entries.next_key_seed(Value { path: self.path, found: self.found })? {
            let key = key.ok_or_else(|| A::Error::custom("a key is no text"))?;
            self.path.push_str(if end == 0 { "" } else { "." });
            self.path.push_str(&key);
            let text = entries.next_value_seed(Value { path: self.path, found: self.found })?;
            self.path.truncate(end);
            count += 1;
            if count <= 2 {
                texts.extend(text.map(|text| (key, text)));
            }
        }
        if let (2, [one, other]) = (count, &texts[..])
            && let Some(link) = Link::of((&one.0, &one.1), (&other.0, &other.1))
        {
            (self.found)(self.path, link);
        }
        Ok(None)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn found(json: &str) -> Vec<(String, Link)> {
        let mut all = Vec::new();
        for_each_link(json, &mut |path, link| all.push((path.to_owned(), link))).unwrap();
        all
    }

    #[test]
    fn links_are_found_at_any_depth_in_any_order_and_however_they_are_spelt() {
        let digest = Digest::of(b"a blob");
        let artifact = Link::Artifact { digest, serializer: "json".into() };
        let child = Link::Child { name: Identifier::new("a/b").unwrap(), manifest: digest };
        let json = format!(
            r#"{{"a":{{"$artifact":"{digest}","serializer":"json"}},"b":[1,{{"serializer":"json","\u0024artifact":"{digest}"}}],
            "c":{{"d":{{"$component":"a/b","manifest":"{digest}"}}}}}}"#
        );
        let expected = [("a", &artifact), ("b[1]", &artifact), ("c.d", &child)];
        assert_eq!(found(&json), expected.map(|(path, link)| (path.to_owned(), link.clone())));
    }

    #[test]
    fn what_has_other_keys_or_values_is_no_link() {
        let digest = Digest::of(b"a blob");
        let others = [
            format!(r#"{{"$artifact":"{digest}"}}"#),
            format!(r#"{{"$artifact":"{digest}","serializer":"json","size":1}}"#),
            format!(r#"{{"$artifact":"{digest}","serializer":null}}"#),
            format!(r#"{{"$artifact":{{"content":"{digest}"}},"serializer":"json"}}"#),
            format!(r#"{{"$artifact":"{}","serializer":"json"}}"#, digest.to_hex()),
            format!(r#"{{"$component":"A b","manifest":"{digest}"}}"#),
            format!(r#"{{"$component":"a","serializer":"{digest}"}}"#),
            format!(r#"["$artifact","{digest}","serializer","json"]"#),
        ];
        for other in others {
            assert_eq!(found(&other), [], "{other}");
        }
        assert!(for_each_link("{\"$artifact\":", &mut |_, _| ()).is_err());
    }
}
