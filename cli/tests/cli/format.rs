//! Models that carry their code, as format 1 kept them: they predict for ever.

use std::fs;
use std::path::Path;

use crate::test_dir::{PLAIN, TestDir};

/// A copy of the fixture: SQLite writes beside a file that it reads.
fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn models_of_format_1_predict_as_they_did() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/format-1-models");
    for store in ["sqlite:sqlite.db", "fs:folder"] {
        let dir = TestDir::new(store);
        copy(&fixture, &dir.path("."));
        let predicted = |name: &str, input: &str| {
            let printed = dir.run(dir.command(PLAIN, &["predict", name]), input.as_bytes());
            printed
                .strip_prefix("exit 0\n--- stdout\n")
                .unwrap_or_else(|| panic!("{printed}"))
                .to_owned()
        };
        let house = r#"{"area": 3.0, "rooms": 4.0}"#;
        assert_eq!(predicted("kept/price", house), "8.0\n");
        let flower = predicted("kept/tree", "[5.1, 3.5, 1.4, 0.2]");
        assert!(flower.starts_with(r#"{"species":"setosa""#), "{flower}");
        let wine = "[13.58, 2.58, 2.69, 24.5, 105, 1.55, 0.84, 0.39, 1.54, 8.66, 0.74, 1.8, 750]";
        let wine = predicted("kept/linear", wine);
        assert!(wine.starts_with(r#"{"label":2,"probabilities":[0.0043"#), "{wine}");
        assert_eq!(dir.plain(&["verify", "--quiet"]), "exit 0\n");
    }
}
