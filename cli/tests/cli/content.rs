//! `put` of content that is not what it is said to be.

use std::fs;
use std::path::Path;

use crate::test_dir::{PLAIN, TestDir, everywhere};

const SCRIPT: &[u8] = b"fn predict(x) { x }";

/// Content that is no model of any kind, and what it looks like.
const WRONG: [(&[u8], &str); 10] = [
    (b"", "it is empty"),
    (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "it is a Git LFS pointer, not the file itself; fetch the file with `git lfs pull`",
    ),
    (b"\x1f\x8b\x08\x00\x00", "compressed with gzip; decompress it first"),
    (b"PK\x03\x04\x14\x00", "it is a zip archive"),
    (b"\x28\xb5\x2f\xfd\x04\x00", "compressed with Zstandard"),
    (b"\xfd7zXZ\x00\x00", "compressed with xz"),
    (b"BZh91AY&SY", "compressed with bzip2"),
    (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "it is an HTML page"),
    (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "it is an XML document"),
    (&[0; 4096], "it begins with zeros"),
];

/// The models of each kind that this program can run.
fn models() -> Vec<(&'static str, Vec<u8>)> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests");
    let mut models = vec![("rhai", SCRIPT.to_vec())];
    if cfg!(feature = "onnx") {
        models.push(("onnx", fs::read(tests.join("fixtures/wine_linear.onnx")).unwrap()));
    }
    if cfg!(feature = "wasm") {
        models.push(("wasm", fs::read(tests.join("guests/linear.wasm")).unwrap()));
    }
    models
}

/// Asserts that a put is refused with `reason`, and leaves the versions and tags of `m` as they are.
fn refused(dir: &TestDir, words: &[&str], reason: &str) {
    let before = dir.plain(&["versions", "m", "--format", "json"]);
    let printed = dir.plain(&[&["put", "m"], words, &["--tag", "prod"]].concat());
    assert!(printed.starts_with("exit 5\n--- stderr\nerror: cannot "), "{words:?}: {printed}");
    assert!(printed.contains(reason), "{words:?}: {printed}");
    assert_eq!(dir.plain(&["versions", "m", "--format", "json"]), before, "{words:?}");
}

#[test]
fn content_that_contradicts_its_extension_is_refused_and_moves_no_tag() {
    everywhere(|dir| {
        for (extension, model) in models() {
            let file = &format!("model.{extension}");
            dir.write(file, &model);
            dir.plain(&["put", "m", file, "--tag", "prod"]);
            for (content, reason) in WRONG {
                dir.write(file, content);
                refused(dir, &[file], reason);
                // A new name is no reason to keep it.
                let printed = dir.plain(&["put", "other", file]);
                assert!(printed.starts_with("exit 5\n"), "{printed}");
                assert!(printed.contains("use `--as file` to store it"), "{printed}");
            }
            dir.write(&file.to_uppercase(), "\x1f\u{8b}");
            refused(dir, &[&file.to_uppercase()], "cannot read");
            dir.write(file, WRONG[1].0);
            let printed = dir.plain(&["put", "m", file, "--as", "file"]);
            assert!(printed.starts_with("exit 0\n--- stdout\nput m@"), "{printed}");
        }
        String::new()
    });
}

#[test]
fn content_that_contradicts_the_newest_version_is_refused_and_moves_no_tag() {
    everywhere(|dir| {
        fs::create_dir(dir.path("folder")).unwrap();
        dir.write("folder/a", "a");
        for (extension, model) in models() {
            dir.write(&format!("model.{extension}"), &model);
            dir.plain(&["put", "m", &format!("model.{extension}"), "--tag", "prod"]);
            for (content, reason) in WRONG {
                dir.write("model", content);
                refused(dir, &["model"], reason);
                refused(dir, &["model", "--dry-run"], reason);
            }
            dir.write("notes.csv", "1,2,3\n");
            refused(dir, &["notes.csv"], "and this is a plain file");
            refused(dir, &["folder"], "and this is a plain folder");
            // A model of another kind is a model.
            dir.write("script", "fn predict(x) { x + 1 }");
            let printed = dir.plain(&["put", "m", "script"]);
            assert!(printed.starts_with("exit 0\n--- stdout\nput m@"), "{printed}");
            let printed = dir.plain(&["put", "m", "notes.csv", "--as", "file"]);
            assert!(printed.starts_with("exit 0\n--- stdout\nput m@"), "{printed}");
            // From now on, files are what is expected.
            dir.write("notes.csv", "1,2,3,4\n");
            let printed = dir.plain(&["put", "m", "notes.csv"]);
            assert!(printed.starts_with("exit 0\n--- stdout\nput m@"), "{printed}");
        }
        String::new()
    });
}

#[test]
fn a_file_is_refused_where_the_newest_version_is_of_another_crate_s_type() {
    everywhere(|dir| {
        dir.filled().write("price.bin", [1, 2, 3]);
        let printed = dir.plain(&["put", "wine/price", "price.bin", "--tag", "prod"]);
        assert!(printed.starts_with("exit 5\n"), "{printed}");
        assert!(printed.contains("wine/price@2 is of the type `example/price`"), "{printed}");
        let named = dir.plain(&["show", "wine/price:prod", "--quiet"]);
        assert_eq!(named, "exit 0\n--- stdout\nwine/price@1\n");
        dir.class_model();
        let printed = dir.plain(&["put", "years", "price.bin"]);
        assert!(printed.contains("years@1 is of the type `example/years`"), "{printed}");
        String::new()
    });
}

#[test]
fn a_model_that_is_cut_short_is_refused() {
    everywhere(|dir| {
        for (extension, model) in models() {
            if extension == "rhai" {
                continue;
            }
            let file = &format!("model.{extension}");
            dir.write(file, &model);
            dir.plain(&["put", "m", file, "--tag", "prod"]);
            for part in 1..8 {
                dir.write(file, &model[..model.len() * part / 8]);
                refused(dir, &[file], "cannot read");
                dir.write("download", &model[..model.len() * part / 8]);
                let printed = dir.plain(&["put", "m", "download"]);
                assert!(printed.starts_with("exit 5\n"), "{part} of 8 of {file}: {printed}");
            }
        }
        dir.write("cut.rhai", "fn predict(x) {\n  let y = x;\n");
        let printed = dir.plain(&["put", "s", "cut.rhai"]);
        assert!(printed.starts_with("exit 5\n") && printed.contains("line 3"), "{printed}");
        dir.write("helper.rhai", "fn scale(x) { 2 * x }");
        let printed = dir.plain(&["put", "s", "helper.rhai"]);
        assert!(printed.contains("does not define `fn predict(input)`"), "{printed}");
        String::new()
    });
}

#[test]
fn a_model_under_the_name_of_another_kind_is_refused() {
    everywhere(|dir| {
        dir.write("model.onnx", SCRIPT);
        let printed = dir.plain(&["put", "m", "model.onnx"]);
        assert!(printed.starts_with("exit 5\n"), "{printed}");
        assert!(
            printed.contains("named like an ONNX model, but is a script; rename it"),
            "{printed}"
        );
        let printed = dir.plain(&["put", "m", "model.onnx", "--as", "script"]);
        assert!(printed.starts_with("exit 0\n"), "{printed}");
        String::new()
    });
}

#[test]
fn a_folder_with_a_pointer_is_refused() {
    everywhere(|dir| {
        fs::create_dir_all(dir.path("bert/weights")).unwrap();
        dir.write("bert/config.json", "{}");
        dir.write("bert/weights/0.safetensors", WRONG[1].0);
        let printed = dir.plain(&["put", "bert", "bert", "--tag", "prod"]);
        assert!(printed.starts_with("exit 5\n"), "{printed}");
        assert!(
            printed.contains("its file weights/0.safetensors cannot be right: it is a Git LFS"),
            "{printed}"
        );
        let printed = dir.plain(&["put", "bert", "bert", "--as", "file"]);
        assert!(printed.starts_with("exit 0\n"), "{printed}");
        dir.write("pointer.txt", WRONG[1].0);
        let printed = dir.plain(&["put", "pointer", "pointer.txt"]);
        assert!(printed.starts_with("exit 5\n") && printed.contains("git lfs pull"), "{printed}");
        String::new()
    });
}

#[test]
fn stdin_is_put_under_a_file_name() {
    everywhere(|dir| {
        let put = |words: &[&str], input: &[u8]| {
            dir.run(dir.command(PLAIN, &[&["put", "m", "-"], words].concat()), input)
        };
        let printed = put(&["--name-as", "model.rhai", "--tag", "a", "--tag", "b"], SCRIPT);
        assert!(printed.contains("put m@1") && printed.contains(", script)"), "{printed}");
        assert!(printed.contains("m:a is m@1\nm:b is m@1"), "{printed}");
        let printed = put(&["--name-as", "model.rhai"], b"\x1f\x8b\x08");
        let expected = "error: cannot read the script model.rhai: not a script: it is compressed";
        assert!(printed.contains(expected), "no temporary path is printed: {printed}");
        let printed = put(&["--name-as", "notes.txt", "--as", "file"], b"dry");
        assert!(printed.starts_with("exit 0\n"), "{printed}");
        assert_eq!(dir.plain(&["get", "m", "-o", "-"]), "exit 0\n--- stdout\ndry");
        dir.plain(&["get", "m", "-o", "notes.txt"]);
        for (words, reason) in [
            (&[][..], "it has no file name"),
            (&["--name-as", "../evil"], "cannot use \"../evil\""),
            (&["--name-as", "a/b"], "write a name alone"),
        ] {
            let printed = put(words, b"x");
            assert!(printed.starts_with("exit 2\n") && printed.contains(reason), "{printed}");
        }
        let printed = dir.plain(&["put", "m", "notes.txt", "--name-as", "x.txt"]);
        assert!(printed.starts_with("exit 2\n"), "{printed}");
        String::new()
    });
}
