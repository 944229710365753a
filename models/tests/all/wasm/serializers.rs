//! Serializers as WebAssembly.

use std::process::Command;

use larder_core::store::StoreExt;
use larder_core::{Artifact, Component, ComponentType, Error, Item, Larder, Registry};
use larder_models::{WasmError, WasmSerializer};
use larder_serializers::MsgPack;
use larder_store_fs as _;
use serde::{Deserialize, Serialize};

use super::guests::{COLUMN, TREE};

#[derive(Serialize, Deserialize)]
struct Weights {
    column: Artifact<Vec<f64>, MsgPack>,
}

#[typetag::serde(name = "test/weights")]
impl Component for Weights {}

impl ComponentType for Weights {
    const TAG: &'static str = "test/weights";
}

larder_core::link!(Item::component::<Weights>());

fn column() -> WasmSerializer {
    WasmSerializer::from_bytes("acme-column", COLUMN).unwrap()
}

/// A larder with the serializer registered, on the store of `like`.
fn knowing(serializer: WasmSerializer, like: &Larder) -> Larder {
    let mut registry = Registry::linked().unwrap();
    registry.register(Item::format(serializer)).unwrap();
    Larder::new(like.store().clone(), registry)
}

#[test]
fn decodes_blob_with_stored_serializer() {
    let plain = Registry::linked().unwrap().open("memory:").unwrap();
    let numbers = vec![1.5, -0.0, 1e300, f64::MIN_POSITIVE];
    let larder = knowing(column(), &plain);
    larder.apply("formats/acme-column", &column()).unwrap();
    let weights = Weights { column: Artifact::named("acme-column", numbers.clone()) };
    larder.apply("weights", &weights).unwrap();

    // The bytes are in the guest's format.
    let digest = weights.column.digest().unwrap();
    let blob = larder.store().get_blob(&digest).unwrap().unwrap();
    let expected: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    assert_eq!(blob, [b"COL1", &*expected].concat());

    // Without the serializer, the error names it; it can be loaded from the larder.
    let unread: Weights = plain.load("weights").unwrap();
    assert!(
        matches!(unread.column.get(), Err(Error::NotLinked { name, .. }) if name == "acme-column")
    );
    let kept: WasmSerializer = plain.load("formats/acme-column").unwrap();
    let read: Weights = knowing(kept, &plain).load("weights").unwrap();
    let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(read.column.get().unwrap()), bits(&numbers));
}

/// Runs itself as another process, which has only the folder.
#[test]
fn another_process_decodes_blob_with_stored_serializer() {
    const URL: &str = "LARDER_TEST_URL";
    let numbers = vec![0.1, 2.5, f64::MAX];
    if let Ok(url) = std::env::var(URL) {
        let larder = Registry::linked().unwrap().open(&*url).unwrap();
        let larder = knowing(larder.load("formats/acme-column").unwrap(), &larder);
        assert_eq!(*larder.load::<Weights>("weights").unwrap().column.get().unwrap(), numbers);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("fs:{}", folder.path().join("shelf").display());
    let larder = knowing(column(), &Registry::linked().unwrap().open(&*url).unwrap());
    larder.apply("formats/acme-column", &column()).unwrap();
    let weights = Weights { column: Artifact::named("acme-column", numbers) };
    larder.apply("weights", &weights).unwrap();
    let mut reader = Command::new(std::env::current_exe().unwrap());
    let this = "wasm::serializers::another_process_decodes_blob_with_stored_serializer";
    let read = reader.args(["--exact", this]).env(URL, url).output().unwrap();
    let output = String::from_utf8_lossy(&read.stdout);
    assert!(read.status.success() && output.contains("1 passed"), "{output}");
}

#[test]
fn returns_error_of_the_guest() {
    let larder = knowing(column(), &Registry::linked().unwrap().open("memory:").unwrap());
    #[derive(Serialize, Deserialize)]
    struct Text {
        text: Artifact<String, MsgPack>,
    }
    #[typetag::serde(name = "test/text")]
    impl Component for Text {}
    let error = larder
        .apply("text", &Text { text: Artifact::named("acme-column", "words".into()) })
        .unwrap_err();
    let Error::Encode { source, .. } = error else { panic!("{error:?}") };
    assert_eq!(words(&*source), "it is no array");
}

#[test]
fn rejects_foreign_bytes() {
    let format: &dyn larder_core::serializers::Format = &column();
    for (bytes, expected) in [
        (&b"COL2........"[..], "it is no column: it does not begin with COL1"),
        (b"COL", "it is no column: its length cannot be"),
    ] {
        let error = format.read::<Vec<f64>>(&bytes.to_vec().into()).unwrap_err();
        assert_eq!(words(&*error), expected);
    }
    assert!(format.read::<String>(&b"COL1".to_vec().into()).is_err(), "a column is no text");
}

#[test]
fn rejects_model_as_serializer() {
    match WasmSerializer::from_bytes("tree", TREE).unwrap_err() {
        WasmError::MissingExport { name } => assert_eq!(name, "`larder_encode`"),
        other => panic!("{other:?}"),
    }
}

/// The innermost message of an error.
fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(WasmError::Guest { message }) = error.downcast_ref() {
            return message.clone();
        }
        cause = error.source();
    }
    panic!("{error:?}")
}
