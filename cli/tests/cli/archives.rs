//! `export` and `import`.

use std::fs;

use insta::assert_snapshot;

use crate::test_dir::{PLAIN, everywhere};

#[test]
fn what_is_exported_comes_in_elsewhere() {
    let printed = everywhere(|dir| {
        dir.filled();
        dir.plain(&["export", "-o", "out.tar.zst"])
            + &dir.plain(&["import", "out.tar.zst", "--store", "sqlite:new.db"])
            + &dir.plain(&["list", "--store", "sqlite:new.db"])
            + &dir.plain(&["import", "out.tar.zst", "--store", "sqlite:new.db"])
            + &dir.plain(&["verify", "--store", "sqlite:new.db"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stderr
    wrote out.tar.zst: 3 versions, 5 blobs, 760 B
    exit 0
    --- stdout
    copied label@1 (b3:7e39801b4cf9, 100 B)
    copied wine/price@1 (b3:d9836dc820fe, 330 B)
    copied wine/price@2 (b3:7e6cc7296b5e, 330 B)
    copied wine/price:prod, which names wine/price@1
    --- stderr
    copied 3 versions, 5 blobs, 760 B
    exit 0
    --- stdout
    NAME        VERSION  TYPE           SIZE   CREATED               DIGEST
    label       v1       example/label  100 B  2027-01-15T08:00:00Z  b3:7e39801b4cf9
    wine/price  v2       example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e
    exit 0
    --- stdout
    present: label@1
    present: wine/price@1
    present: wine/price@2
    --- stderr
    copied 0 versions, 0 blobs, 0 B
    exit 0
    --- stderr
    verified 3 versions, 5 blobs, 760 B: no damage
    ");
}

#[test]
fn an_exported_folder_is_a_larder() {
    let printed = everywhere(|dir| {
        dir.filled();
        dir.plain(&["export", "label", "-o", "out"])
            + &dir.plain(&["list", "--store", "fs:out"])
            + &dir.plain(&["import", "out", "--store", "fs:new", "--dry-run"])
            + &dir.plain(&["list", "--store", "fs:new"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stderr
    wrote out: 1 version, 1 blob, 100 B
    exit 0
    --- stdout
    NAME   VERSION  TYPE           SIZE   CREATED               DIGEST
    label  v1       example/label  100 B  2027-01-15T08:00:00Z  b3:7e39801b4cf9
    exit 0
    --- stdout
    would copy label@1 (b3:7e39801b4cf9, 100 B)
    --- stderr
    would copy 1 version, 1 blob, 100 B
    exit 3
    --- stderr
    error: cannot open fs:new: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    ");
}

#[test]
fn export_and_import_as_json() {
    let printed = everywhere(|dir| {
        dir.filled();
        let export = ["export", "label", "-o", "out", "--as", "tar", "--format", "json"];
        dir.plain(&export) + &dir.plain(&["import", "out", "--store", "fs:new", "--format", "json"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {
      "schema": 1,
      "path": "out",
      "versions": 1,
      "blobs": 1,
      "bytes": 100
    }
    exit 0
    --- stdout
    {
      "schema": 1,
      "dry_run": false,
      "versions": [
        {
          "name": "label",
          "version": 1,
          "digest": "b3:7e39801b4cf9d56fe1e4dd9ff696520353cba7f3ca5eac3d8ec3907c70cde6a6",
          "type": "example/label",
          "size": 100,
          "created": "2027-01-15T08:00:00.123Z",
          "crate": "larder-cli [version]",
          "to": 1,
          "outcome": "copied"
        }
      ],
      "tags": [],
      "blobs": 1,
      "bytes": 100
    }
    "#);
}

#[test]
fn export_writes_over_nothing() {
    let printed = everywhere(|dir| {
        dir.filled().write("out.tar", "precious");
        let printed = dir.plain(&["export", "-o", "out.tar"])
            + &dir.plain(&["export", "cellar", "-o", "new.tar"]);
        assert_eq!(fs::read(dir.path("out.tar")).unwrap(), b"precious");
        assert!(!dir.path("new.tar").exists());
        printed
    });
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot export to out.tar: the path already exists; choose another path or remove it
    exit 3
    --- stderr
    error: cannot find cellar in this larder
    hint: `larder list` lists the names
    ");
}

#[test]
fn import_takes_nothing_that_is_no_export_and_makes_no_larder_for_it() {
    let printed = everywhere(|dir| {
        dir.write("noise", [b'?'; 2_000]);
        dir.filled().plain(&["export", "-o", "out.tar"]);
        let mut bytes = fs::read(dir.path("out.tar")).unwrap();
        bytes[1024 + 512 + 3] ^= 1;
        dir.write("damaged.tar", &bytes);
        let import = |args: &[&str]| dir.plain(&[&["import", "--store", "fs:new"], args].concat());
        import(&["noise"])
            + &import(&["damaged.tar"])
            + &import(&["nowhere.tar"])
            + &import(&["out.tar", "cellar"])
            + &import(&["out.tar", "--max-size", "1kB"])
            + &import(&["out.tar", "--max-size", "much"])
            + &dir.plain(&["list", "--store", "fs:new"])
    });
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot import noise: it is no archive of Larder: neither a `.tar` nor a `.tar.zst` that `export` wrote
    exit 4
    --- stderr
    error: cannot read the blob b3:50dd04420efa21a64ccfa8f8455a5414bf69c2509f5087cd1b2dff41dffc6ee7 in damaged.tar: it is corrupt (its digest is b3:f153ddfcebb5 instead of b3:50dd04420efa); restore it from a copy
    exit 1
    --- stderr
    error: cannot read nowhere.tar
      caused by: No such file or directory (os error 2)
    exit 3
    --- stderr
    error: cannot find cellar in this larder
    hint: `larder list` lists the names
    exit 5
    --- stderr
    error: cannot import out.tar: it has more than 1000 bytes; raise the size limit if you trust it
    exit 2
    --- stderr
    error: invalid value 'much' for '--max-size <SIZE>': write a size such as `812`, `64GiB` or `1.5GB`

    For more information, try '--help'.
    exit 3
    --- stderr
    error: cannot open fs:new: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    ");
}

#[test]
fn export_streams_to_standard_output() {
    let printed = everywhere(|dir| {
        let filled = dir.filled();
        let stream = |args: &[&str]| {
            let output = dir.command(PLAIN, args).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            (output.stdout, String::from_utf8(output.stderr).unwrap())
        };
        filled.plain(&["export", "-o", "file.tar"]);
        filled.plain(&["export", "-o", "file.tar.zst"]);
        let (tar, said) = stream(&["export", "-o", "-"]);
        assert_eq!(tar, fs::read(dir.path("file.tar")).unwrap());
        let (zst, _) = stream(&["export", "-o", "-", "--as", "tar.zst"]);
        assert_eq!(zst, fs::read(dir.path("file.tar.zst")).unwrap());
        let (json, _) = stream(&["export", "-o", "-", "--format", "json"]);
        assert_eq!(json, tar, "the archive is the output");
        assert!(!dir.path("-").exists());
        said + &dir.plain(&["export", "-o", "-", "--as", "folder"])
    });
    assert_snapshot!(printed, @"
    wrote 3 versions, 5 blobs, 760 B
    exit 2
    --- stderr
    error: cannot export to standard output: a folder is no stream
    hint: use `--as tar`
    ");
}

#[test]
fn export_makes_no_folder_of_the_name_of_another_archive() {
    let printed = everywhere(|dir| {
        dir.filled();
        let mut printed = String::new();
        for name in ["x.zip", "x.tar.gz", "x.TGZ", "x.7z", "x.zst", "x.db"] {
            printed += &dir.plain(&["export", "-o", name]);
            assert!(!dir.path(name).exists(), "{name}");
        }
        for (name, is_folder) in [("UPPER.TAR", false), ("models-1.2", true), ("x.d", true)] {
            printed += &dir.plain(&["export", "-o", name]);
            assert_eq!(dir.path(name).is_dir(), is_folder, "{name}");
        }
        printed + &dir.plain(&["export", "-o", "chosen.zip", "--as", "tar"])
    });
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot export to x.zip: there is no export to `.zip`; name a `.tar`, a `.tar.zst` or a folder, or choose the form
    exit 5
    --- stderr
    error: cannot export to x.tar.gz: there is no export to `.gz`; name a `.tar`, a `.tar.zst` or a folder, or choose the form
    exit 5
    --- stderr
    error: cannot export to x.TGZ: there is no export to `.tgz`; name a `.tar`, a `.tar.zst` or a folder, or choose the form
    exit 5
    --- stderr
    error: cannot export to x.7z: there is no export to `.7z`; name a `.tar`, a `.tar.zst` or a folder, or choose the form
    exit 5
    --- stderr
    error: cannot export to x.zst: there is no export to `.zst`; name a `.tar`, a `.tar.zst` or a folder, or choose the form
    exit 5
    --- stderr
    error: cannot export to x.db: there is no export to `.db`; name a `.tar`, a `.tar.zst` or a folder, or choose the form
    exit 0
    --- stderr
    wrote UPPER.TAR: 3 versions, 5 blobs, 760 B
    exit 0
    --- stderr
    wrote models-1.2: 3 versions, 5 blobs, 760 B
    exit 0
    --- stderr
    wrote x.d: 3 versions, 5 blobs, 760 B
    exit 0
    --- stderr
    wrote chosen.zip: 3 versions, 5 blobs, 760 B
    ");
}
