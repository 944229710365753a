//! What Larder's own crates bring, and what to say of what is not linked in.

use crate::error::{Error, ItemKind};

/// The names that Larder's own crates bring, and how.
const BROUGHT_BY: &[(ItemKind, &str, &str)] = &[
    (ItemKind::Serializer, "json", "json"),
    (ItemKind::Serializer, "msgpack-named", "msgpack"),
    (ItemKind::Serializer, "bincode2-standard", "bincode"),
    (ItemKind::Serializer, "postcard1", "postcard"),
    (ItemKind::Serializer, "bytes", "bytes"),
    (ItemKind::Serializer, "safetensors", "tensors"),
    (ItemKind::Serializer, "file", "files"),
    (ItemKind::Type, "larder/files", "files"),
    (ItemKind::Type, "larder/onnx", "onnx"),
    (ItemKind::Type, "larder/script", "script"),
    (ItemKind::Type, "larder/wasm", "wasm"),
    (ItemKind::Type, "larder/wasm-serializer", "wasm"),
    (ItemKind::Store, "file", "fs"),
    (ItemKind::Store, "fs", "fs"),
    (ItemKind::Store, "sqlite", "sqlite"),
    (ItemKind::Store, "s3", "object"),
    (ItemKind::Store, "gs", "object"),
    (ItemKind::Store, "az", "object"),
    (ItemKind::Queue, "nats", "nats"),
    (ItemKind::Queue, "tls", "nats"),
    (ItemKind::Store, "postgres", "postgres"),
    (ItemKind::Store, "postgresql", "postgres"),
];

/// The error of what is not linked in, which says what would bring it.
pub(super) fn not_linked(
    kind: ItemKind,
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
    BROUGHT_BY.iter().any(|(kind, own, _)| *kind == ItemKind::Serializer && *own == name)
}
