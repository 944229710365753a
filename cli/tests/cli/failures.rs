//! Command lines and larders that end in an error.

use insta::assert_snapshot;

use crate::test_dir::{PLAIN, TestDir, everywhere};

#[test]
fn a_larder_that_is_not_there_is_not_made() {
    let printed = everywhere(|dir| {
        let commands: [&[&str]; 6] = [
            &["list"],
            &["show", "a"],
            &["versions", "a"],
            &["predict", "a"],
            &["verify"],
            &["remove", "a@1"],
        ];
        let printed = commands.map(|args| dir.linked(args));
        assert!(printed.iter().all(|one| *one == printed[0]), "{printed:?}");
        assert_eq!(std::fs::read_dir(dir.path(".")).unwrap().count(), 0);
        printed[0].clone()
    });
    assert_snapshot!(printed, @"
    exit 3
    --- stderr
    error: cannot open [store]: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    ");
}

#[test]
fn an_empty_folder_or_file_is_not_made_a_larder() {
    let dir = TestDir::new("fs:data_dir");
    dir.write("empty.db", "");
    std::fs::create_dir(dir.path("data_dir")).unwrap();
    let printed = dir.plain(&["list"]) + &dir.plain(&["list", "--store", "empty.db"]);
    assert_eq!(std::fs::read_dir(dir.path("data_dir")).unwrap().count(), 0);
    assert_eq!(std::fs::metadata(dir.path("empty.db")).unwrap().len(), 0);
    assert_snapshot!(printed, @"
    exit 3
    --- stderr
    error: cannot open [store]: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    exit 3
    --- stderr
    error: cannot open sqlite:empty.db: there is no larder, only an empty file
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    ");
}

#[test]
fn the_larder_is_larder_db_unless_told_otherwise() {
    let dir = TestDir::new("sqlite:larder.db");
    let mut command = dir.filled().command(PLAIN, &["versions", "label"]);
    command.env_remove("LARDER_STORE");
    let by_default = dir.run(command, b"");
    assert!(by_default.starts_with("exit 0\n"), "{by_default}");
    assert_eq!(by_default, dir.plain(&["versions", "label"]));

    let mut command = dir.command(PLAIN, &["versions", "label", "--store", "larder.db"]);
    command.env("LARDER_STORE", "fs:elsewhere");
    assert_eq!(dir.run(command, b""), by_default, "the option goes before the environment");
}

#[test]
fn a_file_that_is_no_larder_is_left_alone() {
    let dir = TestDir::new("fs:data_dir");
    dir.write("letter.db", "Dear Sir or Madam, ".repeat(99));
    std::fs::create_dir(dir.path("data_dir")).unwrap();
    dir.write("data_dir/letter.txt", "Dear Sir or Madam");
    let printed = dir.plain(&["list"]) + &dir.plain(&["list", "--store", "letter.db"]);
    assert_eq!(std::fs::read_dir(dir.path("data_dir")).unwrap().count(), 1);
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot use the folder [place] as a larder: it holds `letter.txt`; name an empty or a new folder
    exit 5
    --- stderr
    error: cannot use letter.db as a larder: it is a `.db` file of text, and no SQLite database; name another file, or, if it was a larder, restore it from a copy
    ");
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn a_store_url_that_cannot_be_is_refused() {
    let dir = TestDir::new("fs:data_dir");
    let urls =
        ["", "fs:", "ftp:server/larder", "s3:bucket/larder", "fs:data_dir?speed=11", "memory:here"];
    dir.larder();
    let printed = urls.map(|url| dir.plain(&["list", "--store", url])).concat();
    assert_snapshot!(printed, @r#"
    exit 2
    --- stderr
    error: cannot use "" as a store URL: empty; write a path or a URL such as `sqlite:larder.db`
    exit 2
    --- stderr
    error: cannot use "fs:" as a store URL: a path is missing after the scheme
    exit 6
    --- stderr
    error: cannot use ftp:server/larder: this program has no store scheme `ftp`; it has az:, file:, fs:, gs:, http:, https:, memory:, postgres:, postgresql:, s3:, sqlite:
    exit 2
    --- stderr
    error: cannot use "s3:bucket/larder" as a store URL: a bucket is missing: `s3://bucket/prefix`
    exit 2
    --- stderr
    error: cannot use "[store]" as a store URL: unknown option `speed`; this store has no options
    exit 2
    --- stderr
    error: cannot use "memory:here" as a store URL: a store in memory has no place: write `memory:`
    "#);
}

#[test]
fn what_is_not_there_ends_with_3_and_near_names() {
    let printed = everywhere(|dir| {
        dir.filled();
        let references =
            ["price", "wine/price@3", "wine/price:staging", "wine/price@b3:0000", "zz"];
        references.map(|reference| dir.plain(&["show", reference])).concat()
            + &dir.plain(&["versions", "lable"])
    });
    assert_snapshot!(printed, @"
    exit 3
    --- stderr
    error: cannot find price in this larder; did you mean wine/price?
    exit 3
    --- stderr
    error: cannot find wine/price@3 in this larder; did you mean wine/price:prod or wine/price@2?
    exit 3
    --- stderr
    error: cannot find wine/price:staging in this larder; did you mean wine/price:prod or wine/price@2?
    exit 3
    --- stderr
    error: cannot find wine/price@b3:0000 in this larder; did you mean wine/price:prod or wine/price@2?
    exit 3
    --- stderr
    error: cannot find zz in this larder
    hint: `larder list` lists the names
    exit 3
    --- stderr
    error: cannot find lable in this larder; did you mean label?
    ");
}

#[test]
fn a_reference_that_cannot_be_ends_with_2() {
    let printed = everywhere(|dir| {
        dir.filled();
        let references = ["../etc/passwd", "Wine", "label:Latest", "label@0", "label@b3:xyz"];
        let shown = references.map(|reference| dir.plain(&["show", reference])).concat();
        let versions = dir.plain(&["versions", "label:prod"]);
        shown + &versions + &dir.plain(&["rm", "label@x"])
    });
    assert_snapshot!(printed, @r#"
    exit 2
    --- stderr
    error: invalid value '../etc/passwd' for '<REF>': cannot use "../etc/passwd" as an identifier: each part begins with one of a-z 0-9

    For more information, try '--help'.
    exit 2
    --- stderr
    error: invalid value 'Wine' for '<REF>': cannot use "Wine" as an identifier: each part begins with one of a-z 0-9

    For more information, try '--help'.
    exit 2
    --- stderr
    error: invalid value 'label:Latest' for '<REF>': cannot use "Latest" as a tag: `latest` is reserved: it always means the newest version

    For more information, try '--help'.
    exit 2
    --- stderr
    error: invalid value 'label@0' for '<REF>': cannot use "label@0" as a reference: after `@` comes a version number from 1, or `b3:` and a digest

    For more information, try '--help'.
    exit 2
    --- stderr
    error: invalid value 'label@b3:xyz' for '<REF>': cannot use "label@b3:xyz" as a reference: after `@b3:` come 4 to 64 lower-case hexadecimal digits

    For more information, try '--help'.
    exit 2
    --- stderr
    error: invalid value 'label:prod' for '<NAME>': cannot use "label:prod" as an identifier: only a-z 0-9 . _ - are allowed, with `/` between parts

    For more information, try '--help'.
    exit 2
    --- stderr
    error: cannot use "label@x" as a reference: after `@` comes a version number from 1, or `b3:` and a digest
    "#);
}

#[test]
fn a_command_line_that_cannot_be_ends_with_2() {
    let printed = everywhere(|dir| {
        let lines: [&[&str]; 4] =
            [&["lst"], &["show"], &["list", "--format", "xml"], &["predict", "a", "--batch"]];
        lines.map(|line| dir.plain(line)).concat()
    });
    assert_snapshot!(printed, @r#"
    exit 2
    --- stderr
    error: unrecognized subcommand 'lst'

      tip: some similar subcommands exist: 'ls', 'list'

    Usage: larder [OPTIONS] [COMMAND]

    For more information, try '--help'.
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      <REF>

    Usage: larder show --store <URL> <REF>

    For more information, try '--help'.
    exit 2
    --- stderr
    error: invalid value 'xml' for '--format <FORMAT>'
      [possible values: text, json]

    For more information, try '--help'.
    exit 2
    --- stderr
    error: unexpected argument '--batch' found

      tip: to pass '--batch' as a value, use '-- --batch'

    Usage: larder predict <REF>

    For more information, try '--help'.
    "#);
}

#[test]
fn a_file_of_another_kind_is_named_and_nothing_is_made() {
    let dir = TestDir::new("fs:data_dir");
    dir.write("notes.txt", "Dear Sir or Madam");
    dir.write("model.onnx", b"\x08\x07\x12\x04\xff\xfe\0\0");
    dir.write("empty", "");
    dir.write("empty.db", "");
    dir.write("folder.tar", [&[0; 257][..], b"ustar"].concat());
    std::fs::create_dir(dir.path("folder.db")).unwrap();
    dir.write("folder.db/x", "");
    let larder = dir.path("larder");
    larder::open(&format!("sqlite:{}", larder.display())).unwrap();
    blank_database(&dir.path("blank.db"));
    let list = |dir: &TestDir| {
        let mut names: Vec<_> = std::fs::read_dir(dir.path("."))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), entry.metadata().unwrap().len()))
            .collect();
        names.sort();
        names
    };
    let before = list(&dir);
    let printed = [
        "notes.txt",
        "model.onnx",
        "sqlite:model.onnx",
        "empty",
        "empty.db",
        "folder.tar",
        "folder.db",
        "larder",
        "blank.db",
    ]
    .map(|file| dir.plain(&["list", "--store", file]))
    .concat();
    assert_eq!(list(&dir), before);
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot use notes.txt as a larder: it is a `.txt` file of text; name an empty or a new folder
    exit 5
    --- stderr
    error: cannot use model.onnx as a larder: it is a `.onnx` file of 8 bytes in another format; name an empty or a new folder
    exit 5
    --- stderr
    error: cannot use model.onnx as a larder: it is a `.onnx` file of 8 bytes in another format, and no SQLite database; name another file, or, if it was a larder, restore it from a copy
    exit 3
    --- stderr
    error: cannot open fs:empty: there is no larder, only an empty file
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    exit 3
    --- stderr
    error: cannot open sqlite:empty.db: there is no larder, only an empty file
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    exit 5
    --- stderr
    error: cannot use folder.tar as a larder: it is a tar archive; an archive of a larder must be imported; name an empty or a new folder
    exit 5
    --- stderr
    error: cannot use folder.db as a larder: it is a folder, and no SQLite database; if that is a larder, write `fs:folder.db`
    exit 5
    --- stderr
    error: cannot use larder as a larder: it is an SQLite database; if that is a larder, write `sqlite:larder`
    exit 3
    --- stderr
    error: cannot open sqlite:blank.db: there is no larder, only an SQLite database
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    ");
}

/// A database with a page and no table.
fn blank_database(path: &std::path::Path) {
    let mut header = [0; 512];
    let set = |header: &mut [u8; 512], at: usize, bytes: &[u8]| {
        header[at..at + bytes.len()].copy_from_slice(bytes)
    };
    set(&mut header, 0, b"SQLite format 3\0");
    // Page size 512, no reserved bytes, payload fractions, one page, encoding UTF-8.
    set(&mut header, 16, &[2, 0, 1, 1, 0, 64, 32, 32, 0, 0, 0, 1, 0, 0, 0, 1]);
    set(&mut header, 44, &[0, 0, 0, 4]);
    set(&mut header, 56, &[0, 0, 0, 1]);
    set(&mut header, 92, &[0, 0, 0, 1, 0, 0x2e, 0x7f, 0]);
    // An empty leaf of the schema.
    set(&mut header, 100, &[13, 0, 0, 0, 0, 2, 0, 0]);
    std::fs::write(path, header).unwrap();
}
