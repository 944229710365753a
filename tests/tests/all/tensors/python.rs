//! Python's own library, run here, in both directions.

use std::fs;
use std::path::Path;

use larder::Serializer;
use larder::serializers::SafeTensors;
use larder_tests::python::{run, with_packages};

use super::{every_kind, same};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tensors/make.py");

#[test]
fn pythons_library_reads_what_larder_writes_and_larder_what_it_writes() {
    let folder = tempfile::tempdir().unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let python = with_packages(target, "python", &["safetensors==0.8.0", "numpy>=2,<3"]);
    let mut file = Vec::new();
    SafeTensors::encode(&every_kind(), &mut file).unwrap();
    fs::write(folder.path().join("larder.safetensors"), file).unwrap();
    run(&python, &[PROGRAM.as_ref(), "--check".as_ref(), folder.path().as_ref()]);

    run(&python, &[PROGRAM.as_ref(), folder.path().as_ref()]);
    let file = fs::read(folder.path().join("python.safetensors")).unwrap();
    let read = SafeTensors::decode(&file.into()).unwrap();
    assert!(same(&read, &every_kind()), "{read:?}");
}
