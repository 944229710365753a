//! The files of a larder's folder: which there may be, and in which order an archive has them.

use larder_core::Digest;
use larder_core::store::RecordKey;
use larder_store_fs::{key_at, record_path};

/// One file. An archive holds them in this order, each once.
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
    /// The path, seen from the folder.
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

    /// The file at `path`, if it is exactly the path of one. Nothing is normalised.
    pub(crate) fn at(path: &str) -> Option<Self> {
        let place = if path == MARKER {
            Self::Marker
        } else if let Some(blob) = path.strip_prefix("blobs/") {
            Self::Blob(Digest::from_hex(blob.split_once('/')?.1).ok()?)
        } else {
            Self::Record(key_at(path)?)
        };
        (place.path() == path).then_some(place)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_again_by_its_path() {
        let key = |text| EntryPath::Record(RecordKey::new(text).unwrap());
        let places = [
            EntryPath::Marker,
            EntryPath::Blob(Digest::of(b"a blob")),
            key("names/wine"),
            key("names/wine.json/price.json"),
            key("versions/a/b/@0000000001"),
        ];
        for place in places {
            assert_eq!(EntryPath::at(&place.path()), Some(place));
        }
    }

    #[test]
    fn no_other_path_is_a_file_of_a_larder() {
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
            assert_eq!(EntryPath::at(&other), None, "{other}");
        }
    }
}
