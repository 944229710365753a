//! Files and URLs that need a feature which the program was built without.

use std::fs;
use std::path::Path;

use crate::test_dir::everywhere;

#[cfg(not(feature = "onnx"))]
#[test]
fn an_onnx_file_names_its_feature() {
    everywhere(|dir| {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures");
        dir.write("digits.onnx", fs::read(fixtures.join("digits_mlp.onnx")).unwrap());
        let printed = dir.plain(&["put", "digits", "digits.onnx"]);
        assert!(printed.starts_with("exit 6\n"), "{printed}");
        assert!(printed.contains("built without the feature `onnx`"), "{printed}");
        assert!(printed.contains("cargo install larder-cli --features onnx"), "{printed}");
        let printed = dir.plain(&["put", "digits", "digits.onnx", "--as", "file"]);
        assert!(printed.starts_with("exit 0\n"), "{printed}");
        String::new()
    });
}

#[cfg(not(any(feature = "nats", feature = "object", feature = "postgres")))]
#[test]
fn urls_name_their_feature() {
    everywhere(|dir| {
        for (url, feature) in [("s3://bucket/x", "object"), ("postgres://host/x", "postgres")] {
            let printed = dir.plain(&["list", "--store", url]);
            assert!(printed.starts_with("exit 6\n"), "{printed}");
            let hint = format!("cargo install larder-cli --features {feature}");
            assert!(printed.contains(&hint), "{printed}");
        }
        let printed = dir.filled().plain(&["work", "--drain", "--queue", "nats://host:4222"]);
        assert!(printed.contains("cargo install larder-cli --features nats"), "{printed}");
        String::new()
    });
}
