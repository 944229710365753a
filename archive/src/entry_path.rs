//! Files of an export, and their order in an archive.

use larder_core::store::Digest;
use larder_core::store::RecordKey;
use larder_store_fs::{key_at, record_path};

/// A file of an export. An archive contains each once, in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EntryPath {
    /// `larder.json`.
    Marker,
    /// `blobs/1f/1f2e…`.
    Blob(Digest),
    /// `records/KEY.json`.
    Record(RecordKey),
}

const MARKER: &str = "larder.json";

impl EntryPath {
    /// Returns the path relative to the folder.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Marker => MARKER.to_owned(),
            Self::Blob(digest) => {
                let hex = digest.to_hex();
                format!("blobs/{}/{hex}", &hex[..2])
            }
            Self::Record(key) => record_path(key),
        }
    }

    /// Parses a path, without normalizing it.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let entry = if path == MARKER {
            Self::Marker
        } else if let Some(blob) = path.strip_prefix("blobs/") {
            Self::Blob(Digest::from_hex(blob.split_once('/')?.1).ok()?)
        } else {
            Self::Record(key_at(path)?)
        };
        (entry.path() == path).then_some(entry)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parses_its_own_paths() {
        let key = |text| EntryPath::Record(RecordKey::new(text).unwrap());
        let entries = [
            EntryPath::Marker,
            EntryPath::Blob(Digest::of(b"a blob")),
            key("names/wine"),
            key("names/wine.json/price.json"),
            key("versions/a/b/@0000000001"),
        ];
        for entry in entries {
            assert_eq!(EntryPath::parse(&entry.path()), Some(entry));
        }
    }

    #[test]
    fn rejects_other_paths() {
        let hex = Digest::of(b"a blob").to_hex();
        let others = [
            String::new(),
            "larder.json/".into(),
            "./larder.json".into(),
            "Larder.json".into(),
            "lock".into(),
            "tmp/x".into(),
            "blobs".into(),
            format!("blobs/{hex}"),
            format!("blobs/00/{hex}"),
            format!("blobs/{}/{}", &hex[..2], hex.to_uppercase()),
            format!("blobs/{}/{hex}/", &hex[..2]),
            "records/.json".into(),
            "records//names/wine.json".into(),
            "records/names//wine.json".into(),
            "records/names/../wine.json".into(),
            "records/names/Wine.json".into(),
            "records/names/wine".into(),
            "records/names/wine.json/price.json".into(),
            "records/names%/wine.json".into(),
            "/records/names/wine.json".into(),
        ];
        for other in others {
            assert_eq!(EntryPath::parse(&other), None, "{other}");
        }
    }
}
