//! The features of this crate by item.

use larder_core::store::ItemKind;

macro_rules! features {
    ($($feature:literal: $($kind:ident $name:literal),+;)+) => {
        const FEATURES: &[(ItemKind, &str, &str)] =
            &[$($((ItemKind::$kind, $name, $feature),)+)+];

        larder_core::hints!(&[$($((
            ItemKind::$kind,
            $name,
            concat!("enable the feature `", $feature, "` of the crate `larder`"),
        ),)+)+]);
    };
}

features! {
    "bincode": Serializer "bincode2-standard";
    "bytes": Serializer "bytes";
    "files": Serializer "file", Type "larder/files";
    "fs": Store "file", Store "fs";
    "http": Store "http", Store "https";
    "json": Serializer "json";
    "msgpack": Serializer "msgpack-named";
    "nats": Queue "nats", Queue "tls";
    "object": Store "az", Store "gs", Store "s3";
    "onnx": Type "larder/onnx";
    "postcard": Serializer "postcard1";
    "postgres": Store "postgres", Store "postgresql";
    "script": Type "larder/script";
    "sqlite": Store "sqlite";
    "tensors": Serializer "safetensors";
    "wasm": Type "larder/wasm", Type "larder/wasm-serializer";
}

/// Returns the feature of this crate that an item needs, enabled or not.
///
/// ```
/// assert_eq!(larder::features::feature_of(larder::store::ItemKind::Store, "s3"), Some("object"));
/// ```
pub fn feature_of(kind: ItemKind, name: &str) -> Option<&'static str> {
    let found = FEATURES.iter().find(|(of, item, _)| *of == kind && *item == name);
    found.map(|(_, _, feature)| *feature)
}
