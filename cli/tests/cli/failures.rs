//! Command lines and larders that end in an error.

use insta::assert_snapshot;

use crate::kitchen::{Kitchen, PLAIN, everywhere};

#[test]
fn a_larder_that_is_not_there_is_not_made() {
    let told = everywhere(|kitchen| {
        let commands: [&[&str]; 6] = [
            &["list"],
            &["show", "a"],
            &["versions", "a"],
            &["predict", "a"],
            &["verify"],
            &["remove", "a@1"],
        ];
        let told = commands.map(|args| kitchen.linked(args));
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
        assert_eq!(std::fs::read_dir(kitchen.path(".")).unwrap().count(), 0);
        told[0].clone()
    });
    assert_snapshot!(told, @r#"
    exit 3
    --- stderr
    error: there is no larder at [store]
    hint: apply something first, or name another larder with `--store URL`
    "#);
}

#[test]
fn an_empty_folder_or_file_is_not_made_a_larder() {
    let kitchen = Kitchen::new("fs:shelf");
    kitchen.write("empty.db", "");
    std::fs::create_dir(kitchen.path("shelf")).unwrap();
    let told = kitchen.plain(&["list"]) + &kitchen.plain(&["list", "--store", "empty.db"]);
    assert_eq!(std::fs::read_dir(kitchen.path("shelf")).unwrap().count(), 0);
    assert_eq!(std::fs::metadata(kitchen.path("empty.db")).unwrap().len(), 0);
    assert_snapshot!(told, @r#"
    exit 3
    --- stderr
    error: there is no larder at [store]
    hint: apply something first, or name another larder with `--store URL`
    exit 3
    --- stderr
    error: there is no larder at sqlite:empty.db
    hint: apply something first, or name another larder with `--store URL`
    "#);
}

#[test]
fn the_larder_is_larder_db_unless_told_otherwise() {
    let kitchen = Kitchen::new("sqlite:larder.db");
    let mut command = kitchen.stocked().command(PLAIN, &["versions", "label"]);
    command.env_remove("LARDER_STORE");
    let by_default = kitchen.told(command, b"");
    assert!(by_default.starts_with("exit 0\n"), "{by_default}");
    assert_eq!(by_default, kitchen.plain(&["versions", "label"]));

    let mut command = kitchen.command(PLAIN, &["versions", "label", "--store", "larder.db"]);
    command.env("LARDER_STORE", "fs:elsewhere");
    assert_eq!(kitchen.told(command, b""), by_default, "the option goes before the environment");
}

#[test]
fn a_file_that_is_no_larder_is_left_alone() {
    let kitchen = Kitchen::new("fs:shelf");
    kitchen.write("letter.db", "Dear Sir or Madam, ".repeat(99));
    std::fs::create_dir(kitchen.path("shelf")).unwrap();
    kitchen.write("shelf/letter.txt", "Dear Sir or Madam");
    let told = kitchen.plain(&["list"]) + &kitchen.plain(&["list", "--store", "letter.db"]);
    assert_eq!(std::fs::read_dir(kitchen.path("shelf")).unwrap().count(), 1);
    assert_snapshot!(told, @"
    exit 5
    --- stderr
    error: cannot use the folder [place] as a larder: it holds `letter.txt`; name an empty or a new folder
    exit 4
    --- stderr
    error: cannot read the file letter.db: it is corrupt (it is not an SQLite database); restore it from a copy
    ");
}

#[test]
fn a_store_url_that_cannot_be_is_refused() {
    let kitchen = Kitchen::new("fs:shelf");
    let urls =
        ["", "fs:", "ftp:server/larder", "s3:bucket/larder", "fs:shelf?speed=11", "memory:here"];
    kitchen.larder();
    let told = urls.map(|url| kitchen.plain(&["list", "--store", url])).concat();
    assert_snapshot!(told, @r#"
    exit 2
    --- stderr
    error: cannot use "" as a store URL: it is empty; give a path or a URL such as `sqlite:larder.db`
    exit 2
    --- stderr
    error: cannot use "fs:" as a store URL: a path is missing after the scheme
    exit 6
    --- stderr
    error: cannot use ftp:server/larder: the store scheme `ftp` is not linked in (linked in: az, file, fs, gs, memory, postgres, postgresql, s3, sqlite); link in the crate that has it (`use … as _;`)
    exit 2
    --- stderr
    error: cannot use "s3:bucket/larder" as a store URL: a bucket is missing: `s3://bucket/prefix`
    exit 2
    --- stderr
    error: cannot use "[store]" as a store URL: the option `speed` is unknown; there are none
    exit 2
    --- stderr
    error: cannot use "memory:here" as a store URL: a store in memory has no place: write `memory:`
    "#);
}

#[test]
fn what_is_not_there_ends_with_3_and_near_names() {
    let told = everywhere(|kitchen| {
        kitchen.stocked();
        let references =
            ["price", "wine/price@3", "wine/price:staging", "wine/price@b3:0000", "zz"];
        references.map(|reference| kitchen.plain(&["show", reference])).concat()
            + &kitchen.plain(&["versions", "lable"])
    });
    assert_snapshot!(told, @"
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
    hint: `list` prints the names that are there
    exit 3
    --- stderr
    error: cannot find lable in this larder; did you mean label?
    ");
}

#[test]
fn a_reference_that_cannot_be_ends_with_2() {
    let told = everywhere(|kitchen| {
        kitchen.stocked();
        let references = ["../etc/passwd", "Wine", "label:Latest", "label@0", "label@b3:xyz"];
        let shown = references.map(|reference| kitchen.plain(&["show", reference])).concat();
        let versions = kitchen.plain(&["versions", "label:prod"]);
        shown + &versions + &kitchen.plain(&["rm", "label@x"])
    });
    assert_snapshot!(told, @r#"
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
    let told = everywhere(|kitchen| {
        let lines: [&[&str]; 4] =
            [&["lst"], &["show"], &["list", "--format", "xml"], &["predict", "a", "--batch"]];
        lines.map(|line| kitchen.plain(line)).concat()
    });
    assert_snapshot!(told, @r#"
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
