//! What Larder's own crates bring, and what to say of what is not linked in.

use crate::error::{Error, Kind};

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
    (Kind::Store, "file", "fs"),
    (Kind::Store, "fs", "fs"),
    (Kind::Store, "sqlite", "sqlite"),
    (Kind::Store, "s3", "object"),
    (Kind::Store, "gs", "object"),
    (Kind::Store, "az", "object"),
    (Kind::Queue, "nats", "nats"),
    (Kind::Queue, "tls", "nats"),
    (Kind::Store, "postgres", "postgres"),
    (Kind::Store, "postgresql", "postgres"),
];

/// The error of what is not linked in, which says what would bring it.
pub(super) fn not_linked(
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

/// Whether a serializer of that name is Larder's own.
pub(crate) fn is_own(name: &str) -> bool {
    BROUGHT_BY.iter().any(|(kind, own, _)| *kind == Kind::Serializer && *own == name)
}
