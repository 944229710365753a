//! Completions, manual pages, colours and `--quiet`.

use std::fs;

use insta::assert_snapshot;

use crate::test_dir::{PLAIN, TestDir, everywhere};

/// Returns the completions of the shell fish after `words`.
fn offered(dir: &TestDir, words: &[&str]) -> String {
    let words: Vec<_> = ["--", "larder"].iter().chain(words).copied().collect();
    let mut command = dir.command(PLAIN, &words);
    command.env("LARDER_COMPLETE", "fish");
    dir.run(command, b"")
}

#[test]
fn names_tags_and_versions_are_completed_from_the_larder() {
    let printed = everywhere(|dir| {
        let dir = dir.filled();
        ["wi", "wine/price:", "wine/price@", "wine/price:p", "none/", "none@"]
            .map(|word| offered(dir, &["show", word]))
            .concat()
            + &offered(dir, &["versions", "l"])
            + &offered(dir, &["show", &format!("{}#wine/price:", dir.store)])
            + &offered(dir, &["show", "fs:nowhere#"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    wine/price
    exit 0
    --- stdout
    wine/price:prod
    wine/price:latest
    exit 0
    --- stdout
    wine/price@2
    wine/price@1
    exit 0
    --- stdout
    wine/price:prod
    exit 0
    exit 0
    exit 0
    --- stdout
    label
    exit 0
    --- stdout
    [store]#wine/price:prod
    [store]#wine/price:latest
    exit 0
    ");
}

#[test]
fn completing_where_no_larder_is_makes_none() {
    let dir = TestDir::new("fs:data_dir");
    assert_eq!(offered(&dir, &["show", "wi"]), "exit 0\n");
    assert_eq!(offered(&dir, &["show", "--store", "other.db", "wi"]), "exit 0\n");
    assert!(!dir.path("data_dir").exists() && !dir.path("other.db").exists());
}

#[test]
fn the_larder_that_the_command_names_is_the_one_that_is_asked() {
    let dir = TestDir::new("fs:data_dir");
    dir.filled();
    fs::rename(dir.path("data_dir"), dir.path("elsewhere")).unwrap();
    for said in [&["--store", "fs:elsewhere"][..], &["--store=fs:elsewhere"]] {
        let words = [&["show"], said, &["wine"]].concat();
        assert_eq!(offered(&dir, &words), "exit 0\n--- stdout\nwine/price\n");
    }
}

#[test]
fn each_place_is_offered_what_fits_there() {
    let printed = everywhere(|dir| {
        let dir = dir.filled();
        dir.plain(&["remove", "wine/price@2"]);
        dir.write("notes.txt", "dry");
        let words: [&[&str]; 12] = [
            &["untag", "wine/price:"],
            &["untag", ""],
            &["history", "wine"],
            &["restore", ""],
            &["restore", "wine/price@"],
            &["list", "--type", "example/"],
            &["list", "--tag", ""],
            &["list", "--sort", ""],
            &["put", "notes", "no"],
            &["import", "no"],
            &["get", "label", "-o", "no"],
            &["put", "notes", "notes.txt", "--tag", ""],
        ];
        words.map(|words| format!("> {}\n{}", words.join(" "), offered(dir, words))).concat()
    });
    assert_snapshot!(printed, @"
    > untag wine/price:
    exit 0
    --- stdout
    wine/price:prod
    > untag 
    exit 0
    --- stdout
    wine/price:prod
    > history wine
    exit 0
    --- stdout
    wine/price:prod
    > restore 
    exit 0
    --- stdout
    wine/price@2
    > restore wine/price@
    exit 0
    --- stdout
    wine/price@2
    > list --type example/
    exit 0
    --- stdout
    example/label
    example/price
    > list --tag 
    exit 0
    --- stdout
    prod
    > list --sort 
    exit 0
    --- stdout
    name
    version
    created
    size
    metrics.
    > put notes no
    exit 0
    --- stdout
    notes.txt
    > import no
    exit 0
    --- stdout
    notes.txt
    > get label -o no
    exit 0
    --- stdout
    notes.txt
    > put notes notes.txt --tag 
    exit 0
    --- stdout
    prod
    ");
}

#[test]
fn options_are_offered_only_for_a_word_that_begins_like_one() {
    let dir = TestDir::new("fs:data_dir");
    for words in [&["show", ""][..], &["predict", ""], &["list", ""], &["untag", ""], &[""]] {
        let printed = offered(&dir, words);
        let offered = printed.lines().skip_while(|line| *line != "--- stdout").skip(1);
        assert!(!offered.into_iter().any(|line| line.starts_with('-')), "{words:?}: {printed}");
    }
    assert!(offered(&dir, &["show", "--"]).contains("--schema"));
    assert!(offered(&dir, &["show", "-"]).contains("--tree"));
    // In bash the word is the one under the cursor.
    let bash = |words: &[&str], index: &str| {
        let words: Vec<_> = ["--", "larder"].iter().chain(words).copied().collect();
        let mut command = dir.command(PLAIN, &words);
        command.env("LARDER_COMPLETE", "bash").env("_CLAP_IFS", "\u{b}");
        command.env("_CLAP_COMPLETE_INDEX", index);
        dir.run(command, b"")
    };
    assert_eq!(bash(&["show", ""], "2"), "exit 0\n");
    assert!(bash(&["show", "--s"], "2").contains("--source"));
}

#[test]
fn completions_are_for_the_program_by_the_name_it_is_called() {
    let dir = TestDir::new("fs:data_dir");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let plain = dir.plain(&["completions", shell]);
        assert!(plain.starts_with("exit 0\n--- stdout\n"), "{plain}");
        assert!(plain.contains("LARDER_COMPLETE") && plain.contains("larder"), "{shell}: {plain}");
        let linked = dir.linked(&["completions", shell]);
        assert!(linked.contains("linked"), "{shell}: {linked}");
    }
    let unknown = dir.plain(&["completions", "tcsh"]);
    assert!(unknown.starts_with("exit 2\n"), "{unknown}");
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = TestDir::new("fs:data_dir");
    let printed = dir.plain(&["man", "pages"]);
    assert_eq!(printed, "exit 0\n--- stderr\nwrote manual pages to pages\n");
    for (page, says) in [("larder", "larder\\-predict"), ("larder-predict", "JSON Lines")] {
        let page = fs::read_to_string(dir.path("pages").join(format!("{page}.1"))).unwrap();
        assert!(page.contains(says), "{page}");
    }
    dir.write("file", "");
    let printed = dir.plain(&["man", "file/pages"]);
    assert!(
        printed.starts_with("exit 1\n--- stderr\nerror: cannot write manual pages"),
        "{printed}"
    );
}

#[test]
fn colours_are_printed_when_they_are_asked_for() {
    let printed =
        everywhere(|dir| dir.filled().plain(&["versions", "wine/price", "--color", "always"]));
    assert!(printed.contains("\u{1b}[32mprod"), "{printed:?}");
    let printed = everywhere(|dir| dir.filled().plain(&["versions", "wine/price"]));
    assert!(!printed.contains('\u{1b}'), "{printed:?}");
}

#[test]
fn quiet_prints_references_only_one_a_line() {
    let printed = everywhere(|dir| {
        let dir = dir.filled();
        dir.write("notes.txt", "dry");
        [
            &["list"][..],
            &["versions", "wine/price"],
            &["put", "notes", "notes.txt", "--tag", "new"],
            &["tag", "wine/price@2", "staging"],
            &["untag", "wine/price:staging"],
            &["remove", "label", "--all"],
            &["verify"],
        ]
        .map(|words| dir.plain(&[words, &["--quiet"]].concat()))
        .concat()
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    label@1
    wine/price@2
    exit 0
    --- stdout
    wine/price@1
    wine/price@2
    exit 0
    --- stdout
    notes@1
    exit 0
    --- stdout
    wine/price@2
    exit 0
    exit 0
    --- stdout
    label@1
    exit 0
    ");
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn quiet_is_as_quiet_with_the_keeper_s_commands() {
    let printed = everywhere(|dir| {
        let dir = dir.filled();
        dir.larder().tag("wine/price@2", "prod").unwrap();
        [
            &["show", "wine/price:prod"][..],
            &["history", "wine/price:prod"],
            &["note", "wine/price:prod", "--label", "team=wine"],
            &["lock", "wine/price:prod"],
            &["unlock", "wine/price:prod"],
            &["lock", "label"],
            &["unlock", "label"],
            &["search", "--label", "team=wine"],
            &["copy", "--all", "fs:copy"],
            &["copy", "--all", "fs:copy"],
            &["export", "-o", "all.tar"],
            &["import", "all.tar", "--store", "fs:imported"],
            &["remove", "wine/price@1"],
            &["restore", "--list", "wine/price"],
            &["restore", "wine/price@1"],
            &["gc"],
            &["migrate", "--all"],
            &["types"],
        ]
        .map(|words| {
            format!("> {}\n{}", words.join(" "), dir.plain(&[words, &["--quiet"]].concat()))
        })
        .concat()
    });
    assert_snapshot!(printed, @"
    > show wine/price:prod
    exit 0
    --- stdout
    wine/price@2
    > history wine/price:prod
    exit 0
    --- stdout
    wine/price@1
    wine/price@2
    > note wine/price:prod --label team=wine
    exit 0
    --- stdout
    wine/price:prod
    > lock wine/price:prod
    exit 0
    --- stdout
    wine/price@2
    > unlock wine/price:prod
    exit 0
    --- stdout
    wine/price@2
    > lock label
    exit 0
    --- stdout
    label
    > unlock label
    exit 0
    --- stdout
    label
    > search --label team=wine
    exit 0
    --- stdout
    wine/price@2
    > copy --all fs:copy
    exit 0
    --- stdout
    label@1
    wine/price@1
    wine/price@2
    > copy --all fs:copy
    exit 0
    > export -o all.tar
    exit 0
    > import all.tar --store fs:imported
    exit 0
    --- stdout
    label@1
    wine/price@1
    wine/price@2
    > remove wine/price@1
    exit 0
    --- stdout
    wine/price@1
    > restore --list wine/price
    exit 0
    --- stdout
    wine/price@1
    > restore wine/price@1
    exit 0
    --- stdout
    wine/price@1
    > gc
    exit 0
    > migrate --all
    exit 0
    > types
    exit 0
    --- stdout
    larder/checkpoint
    larder/collection
    larder/files
    larder/imputer
    larder/listener
    larder/neighbours
    larder/onnx
    larder/outputs
    larder/projection
    larder/script
    larder/serializer
    larder/wasm
    larder/wasm-serializer
    larder/watch
    ");
}

#[test]
fn quiet_names_the_versions_that_are_damaged() {
    let printed = everywhere(|dir| {
        let dir = dir.filled();
        let larder = dir.larder();
        let shown = larder.show("wine/price@1").unwrap();
        let gone: Vec<_> = shown.manifest.artifacts().iter().map(|entry| entry.digest).collect();
        larder.store().remove_blobs(&gone).unwrap();
        dir.plain(&["verify", "--quiet"])
    });
    assert_snapshot!(printed, @"
    exit 4
    --- stdout
    wine/price@1
    --- stderr
    error: found 1 fault in [store]
    hint: repair from another larder with `larder verify --repair-from URL`
    ");
}
