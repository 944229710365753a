//! `put` and `get`.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;

use crate::test_dir::{TestDir, everywhere};

/// A dir with a folder and a file, and no larder yet.
fn with_files(dir: &TestDir) -> &TestDir {
    for folder in ["net/left", "net/right", "net/empty"] {
        fs::create_dir_all(dir.path(folder)).unwrap();
    }
    dir.write("net/left/w.bin", "left");
    dir.write("net/right/w.bin", vec![7; 100_000]);
    dir.write("index.ann", "near\n");
    dir
}

/// `put` says when, by the clock; what it says beside that is the same every time.
fn timeless(printed: String) -> String {
    let line = |line: &str| match line.split_once("\"created\": \"") {
        Some((start, _)) => format!("{start}\"created\": \"[time]\",\n"),
        None => format!("{line}\n"),
    };
    printed.lines().map(line).collect()
}

#[test]
fn put_makes_the_larder_and_get_brings_the_same_back() {
    let printed = everywhere(|dir| {
        let printed = with_files(dir).plain(&["put", "wine/net", "net", "--tag", "prod"])
            + &dir.plain(&["put", "wine/net", "net"])
            + &dir.plain(&["put", "wine/index", "index.ann", "--format", "json"])
            + &dir.plain(&["get", "wine/net:prod", "-o", "copy"])
            + &dir.plain(&["get", "wine/index", "-o", "-"]);
        assert_eq!(fs::read(dir.path("copy/left/w.bin")).unwrap(), b"left");
        assert_eq!(fs::read(dir.path("copy/right/w.bin")).unwrap(), vec![7; 100_000]);
        assert!(dir.path("copy/empty").is_dir());
        timeless(printed)
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    put wine/net@1 (b3:0536b91044d2, 98.3 KiB)
    wine/net:prod is wine/net@1
    exit 0
    --- stdout
    unchanged: wine/net@1 (b3:0536b91044d2, 98.3 KiB)
    exit 0
    --- stdout
    {
      "schema": 1,
      "outcome": "created",
      "tags": [],
      "name": "wine/index",
      "version": 1,
      "digest": "b3:fc5f010481256ae248a72160af627fe294d2133a1852d222a7f270c306654119",
      "type": "larder/files",
      "size": 356,
      "created": "[time]",
      "crate": "larder-files [version]"
    }
    exit 0
    --- stderr
    wrote copy
    exit 0
    --- stdout
    near
    "#);
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn get_gives_models_back_as_the_files_that_they_were() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests");
    let script = b"fn predict(input) { input + 1 }".to_vec();
    let models = [
        ("model.onnx", fs::read(fixtures.join("fixtures/wine_linear.onnx")).unwrap()),
        ("model.wasm", fs::read(fixtures.join("guests/linear.wasm")).unwrap()),
        ("model.rhai", script),
    ];
    everywhere(|dir| {
        for (file, bytes) in &models {
            dir.write(file, bytes);
            let put = dir.plain(&["put", "model", file]);
            assert!(put.contains("put model@"), "{put}");
            let got = dir.plain(&["get", "model", "-o", "back", "--force"]);
            assert_eq!(got, "exit 0\n--- stderr\nwrote back\n", "{file}");
            assert_eq!(fs::read(dir.path("back")).unwrap(), *bytes, "{file}");
        }
        String::new()
    });
}

#[test]
fn get_overwrites_nothing_unless_it_is_forced() {
    let printed = everywhere(|dir| {
        with_files(dir).plain(&["put", "wine/net", "net"]);
        dir.plain(&["put", "wine/index", "index.ann"]);
        dir.write("mine", "mine");
        let printed = dir.plain(&["get", "wine/index", "-o", "mine"]);
        assert_eq!(fs::read(dir.path("mine")).unwrap(), b"mine");
        let printed = printed + &dir.plain(&["get", "wine/net", "-o", "mine", "--force"]);
        assert_eq!(fs::read(dir.path("mine")).unwrap(), b"mine");
        let printed = printed + &dir.plain(&["get", "wine/index", "-o", "mine", "--force"]);
        assert_eq!(fs::read(dir.path("mine")).unwrap(), b"near\n");
        dir.write("net/left/new", "new");
        let printed = printed + &dir.plain(&["get", "wine/net", "-o", "net", "--force"]);
        assert!(!dir.path("net/left/new").exists(), "the folder is replaced as a whole");
        printed
    });
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot write to mine: something is there already
    hint: use `--force` to replace it
    exit 5
    --- stderr
    error: cannot write to mine: it is a file, and the replacement is a folder
    exit 0
    --- stderr
    wrote mine
    exit 0
    --- stderr
    wrote net
    ");
}

#[test]
fn what_cannot_be_put_or_got_is_an_error_and_makes_no_larder() {
    let printed = everywhere(|dir| {
        with_files(dir);
        let printed = dir.plain(&["put", "wine/net", "nowhere"])
            + &dir.plain(&["put", "../net", "net"])
            + &dir.plain(&["put", "wine/net", "net", "--tag", "LATEST"])
            + &dir.plain(&["get", "wine/net", "-o", "copy"]);
        let place = dir.store.split_once(':').unwrap().1;
        assert!(!dir.path(place).exists(), "there is no larder");
        dir.filled().plain(&["put", "wine/net", "net"]);
        printed
            + &dir.plain(&["get", "wine/net", "-o", "-"])
            + &dir.plain(&["get", "wine/price", "-o", "copy"])
            + &dir.plain(&["get", "wine/net:prod", "-o", "copy"])
    });
    assert_snapshot!(printed, @r#"
    exit 1
    --- stderr
    error: cannot look at nowhere
      caused by: No such file or directory (os error 2)
    exit 2
    --- stderr
    error: invalid value '../net' for '<NAME>': cannot use "../net" as an identifier: each part begins with one of a-z 0-9

    For more information, try '--help'.
    exit 2
    --- stderr
    error: invalid value 'LATEST' for '--tag <TAG>': cannot use "LATEST" as a tag: `latest` is reserved: it always means the newest version

    For more information, try '--help'.
    exit 3
    --- stderr
    error: cannot open [store]: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    exit 2
    --- stderr
    error: cannot write wine/net to stdout: it is a folder
    hint: use `-o FOLDER`
    exit 1
    --- stderr
    error: cannot get wine/price@2: its type `example/price` is not a file, a folder or a model in a file
    hint: `larder show REF` prints its fields
    exit 3
    --- stderr
    error: cannot find wine/net:prod in this larder; did you mean wine/net@1?
    "#);
}

#[cfg(unix)]
#[test]
fn a_link_is_refused_and_the_executable_bit_comes_back() {
    use std::os::unix::fs::PermissionsExt;
    let printed = everywhere(|dir| {
        let script = with_files(dir).path("index.ann");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let printed = dir.plain(&["put", "script", "index.ann"])
            + &dir.plain(&["get", "script", "-o", "copy"]);
        let mode = fs::metadata(dir.path("copy")).unwrap().permissions().mode();
        assert_eq!(mode & 0o700, 0o700);
        std::os::unix::fs::symlink("/etc/passwd", dir.path("net/odd")).unwrap();
        printed + &dir.plain(&["put", "wine/net", "net"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    put script@1 (b3:120ad6fbcf03, 355 B)
    exit 0
    --- stderr
    wrote copy
    exit 5
    --- stderr
    error: cannot read net/odd: it is a link; name its target, or replace it with a copy
    hint: use `--as file` to store it as a plain file
    ");
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn a_class_model_predicts_and_tells_what_it_was_made_with() {
    let printed = everywhere(|dir| {
        dir.class_model().linked(&["show", "years"])
            + &dir.fed(&["predict", "years"], "\"Merlot\"")
            + &dir.plain(&["show", "years"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    name      years
    version   v1
    tags      none
    type      example/years (linked in as linked::components::Years)
    crate     larder-cli [version]
    created   2027-01-15T08:00:00Z
    size      437 B
    digest    b3:56c6d3ba3ab0a5f92038e4fb227e692eba57d03f9c3bd8d39bb3130fa921a266
    rustc     1.2.3
    target    here-unknown
    features  [features]
    lockfile  [Cargo.lock]
    differs   rustc was 1.2.3, and is [rustc] here
    differs   target was here-unknown, and is [target] here

    fields:
    {
      "artifacts": {
        "list": {
          "kind": "file",
          "files": {
            "years.csv": {
              "content": {
                "$artifact": "b3:e76362894fe8ca48907f2908b2460495f26aba9daa5a4875772b08684e9ab8da",
                "serializer": "file"
              },
              "executable": false
            }
          },
          "empty": []
        }
      },
      "requirements": [
        "a list of years"
      ]
    }

    artifacts:
    b3:e76362894fe8ca48907f2908b2460495f26aba9daa5a4875772b08684e9ab8da  26 B  file

    signature:
    string → uint16
    exit 0
    --- stdout
    2021
    --- stderr
    warning: years was built differently: rustc was 1.2.3, and is [rustc] here
    warning: years was built differently: target was here-unknown, and is [target] here
    exit 0
    --- stdout
    name      years
    version   v1
    tags      none
    type      example/years (not linked in)
    crate     larder-cli [version]
    created   2027-01-15T08:00:00Z
    size      437 B
    digest    b3:56c6d3ba3ab0a5f92038e4fb227e692eba57d03f9c3bd8d39bb3130fa921a266
    rustc     1.2.3
    target    here-unknown
    features  [features]
    lockfile  [Cargo.lock]
    differs   rustc was 1.2.3, and is [rustc] here
    differs   target was here-unknown, and is [target] here

    fields:
    {
      "artifacts": {
        "list": {
          "kind": "file",
          "files": {
            "years.csv": {
              "content": {
                "$artifact": "b3:e76362894fe8ca48907f2908b2460495f26aba9daa5a4875772b08684e9ab8da",
                "serializer": "file"
              },
              "executable": false
            }
          },
          "empty": []
        }
      },
      "requirements": [
        "a list of years"
      ]
    }

    artifacts:
    b3:e76362894fe8ca48907f2908b2460495f26aba9daa5a4875772b08684e9ab8da  26 B  file
    "#);
}
