//! Terminals and pipes: nothing from a store acts on a terminal, nothing panics when nobody reads.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use insta::assert_snapshot;

use crate::components::Label;
use crate::test_dir::{PLAIN, TestDir, everywhere};

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let printed = everywhere(|dir| {
        let title = "\u{1b}[2J\u{9b}31m\r\u{7f}\u{202e}\u{0}Größe".to_owned();
        dir.apply("label", &Label { title, years: vec![] });
        let printed =
            dir.plain(&["show", "label"]) + &dir.plain(&["show", "label", "--format=json"]);
        assert!(!printed.contains(|c: char| c.is_control() && c != '\n'), "{printed:?}");
        assert!(!printed.contains('\u{202e}'), "{printed:?}");
        printed
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    name     label
    version  v1
    tags     none
    type     example/label (not linked in)
    crate    larder-cli [version]
    created  2027-01-15T08:00:00Z
    size     116 B
    digest   b3:6751f0819f597be3be0ec6d2fe586282db477f71866afdbddabdd6c0349c6c7a

    fields:
    {
      "title": "\u001b[2J\u009b31m\r\u007f\u202e\u0000Größe",
      "years": []
    }
    exit 0
    --- stdout
    {
      "schema": 1,
      "name": "label",
      "version": 1,
      "digest": "b3:6751f0819f597be3be0ec6d2fe586282db477f71866afdbddabdd6c0349c6c7a",
      "type": "example/label",
      "size": 116,
      "created": "2027-01-15T08:00:00.123Z",
      "crate": "larder-cli [version]",
      "type_version": 1,
      "linked": false,
      "rust_type": null,
      "tags": [],
      "description": null,
      "labels": {},
      "metrics": {},
      "locked": null,
      "name_locked": null,
      "fields": {
        "title": "\u001b[2J\u009b31m\r\u007f\u202e\u0000Größe",
        "years": []
      },
      "artifacts": [],
      "signature": null
    }
    "#);
}

#[test]
fn a_record_that_somebody_wrote_does_not_act_on_the_terminal() {
    let dir = TestDir::new("fs:data_dir");
    dir.apply("label", &Label { title: "Riesling".into(), years: vec![] });
    let record = dir.path("data_dir/records/names/label.json");
    let json = fs::read_to_string(&record).unwrap();
    let origin = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    assert!(json.contains(origin), "{json}");
    fs::write(record, json.replace(origin, "\\u001b]0;owned\\u0007")).unwrap();
    let printed = dir.plain(&["show", "label"]);
    assert!(printed.contains("\ncrate    \\u{1b}]0;owned\\u{7}\n"), "{printed:?}");
}

#[test]
fn escaped_fields_are_still_the_same_fields() {
    everywhere(|dir| {
        let title = "\u{1b}\u{9b}\u{202e}\\\"".to_owned();
        dir.apply("label", &Label { title: title.clone(), years: vec![7] });
        let printed = dir.plain(&["show", "label", "--format=json"]);
        let json = printed.strip_prefix("exit 0\n--- stdout\n").unwrap();
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(json["fields"], serde_json::json!({"title": title, "years": [7]}));
        printed
    });
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let dir = TestDir::new("fs:data_dir");
    // More than a pipe holds, so that the program must notice.
    let title = "long ".repeat(100_000);
    dir.apply("label", &Label { title, years: vec![] });
    let mut child = dir.command(PLAIN, &["show", "label", "--format=json"]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    drop(stdout);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(stderr, "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn errors_end_with_their_code_even_if_nobody_reads_them() {
    let dir = TestDir::new("fs:data_dir");
    let mut child = dir.command(PLAIN, &["list"]);
    let mut child = child.stdin(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn colour_is_for_those_who_ask_for_it() {
    let dir = TestDir::new("fs:data_dir");
    let mut command = dir.command(PLAIN, &["list"]);
    command.env_remove("NO_COLOR");
    let piped = dir.run(command, b"");
    assert_eq!(piped, dir.plain(&["list"]), "a pipe is no terminal");

    let mut command = dir.command(PLAIN, &["list"]);
    command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1");
    let coloured = dir.run(command, b"");
    assert!(coloured.contains("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m"), "{coloured:?}");
}
