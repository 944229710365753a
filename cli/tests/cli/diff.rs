//! `diff`, and `put --dry-run`, which prints the same.

use std::fs;

use insta::assert_snapshot;

use crate::kitchen::everywhere;

#[test]
fn diff_prints_what_differs_and_ends_with_1() {
    let told = everywhere(|kitchen| {
        kitchen.stocked().plain(&["diff", "wine/price@1", "wine/price"])
            + &kitchen.plain(&["diff", "label", "wine/price:prod"])
    });
    assert_snapshot!(told, @"");
}

#[test]
fn diff_of_what_is_the_same_ends_with_0() {
    let told = everywhere(|kitchen| {
        kitchen.stocked().plain(&["diff", "wine/price@1", "wine/price:prod"])
            + &kitchen.plain(&["diff", "--quiet", "wine/price@1", "wine/price:prod"])
            + &kitchen.plain(&["diff", "--quiet", "wine/price@1", "wine/price"])
    });
    assert_snapshot!(told, @"");
}

#[test]
fn diff_prints_one_json_document() {
    let told = everywhere(|kitchen| {
        let stocked = kitchen.stocked();
        stocked.plain(&["diff", "wine/price@1", "wine/price", "--format", "json"])
    });
    assert_snapshot!(told, @"");
}

#[test]
fn what_keeps_diff_from_an_answer_never_ends_with_1() {
    let told = everywhere(|kitchen| {
        let missing = kitchen.plain(&["diff", "a", "b"]);
        kitchen.stocked();
        let bytes = fs::read_dir(kitchen.path(".")).unwrap().count();
        assert!(bytes > 0);
        missing + &kitchen.plain(&["diff", "label", "labels"]) + &kitchen.plain(&["diff", "label"])
    });
    assert_snapshot!(told, @"");
    let told = everywhere(|kitchen| {
        let mut command = kitchen.command(crate::kitchen::PLAIN, &["diff", "a", "b"]);
        command.env("LARDER_STORE", "sqlite:notes.txt");
        kitchen.write("notes.txt", "no larder, but a text that is long enough to be looked at");
        let told = kitchen.told(command, b"");
        told.lines().next().unwrap().to_owned()
    });
    assert_snapshot!(told, @"");
}

#[test]
fn put_dry_run_prints_the_plan_and_makes_no_larder() {
    let told = everywhere(|kitchen| {
        fs::create_dir_all(kitchen.path("notes/old")).unwrap();
        kitchen.write("notes/a.txt", "apples");
        kitchen.write("notes/old/b.txt", "pears");
        let first = kitchen.plain(&["put", "notes", "notes", "--dry-run", "--tag", "prod"]);
        let place = kitchen.store.split_once(':').unwrap().1;
        assert!(!kitchen.path(place).exists(), "a dry run made a larder");
        let put = kitchen.plain(&["put", "notes", "notes"]);
        let same = kitchen.plain(&["put", "notes", "notes", "--dry-run"]);
        kitchen.write("notes/a.txt", "apples and \u{1b}[31mplums");
        fs::remove_file(kitchen.path("notes/old/b.txt")).unwrap();
        let second = kitchen.plain(&["put", "notes", "notes", "--dry-run"]);
        let quiet = kitchen.plain(&["put", "notes", "notes", "--dry-run", "--quiet"]);
        let list = kitchen.plain(&["list", "--quiet"]);
        [first, put, same, second, quiet, list].concat()
    });
    assert_snapshot!(told, @"");
}

#[test]
fn put_dry_run_of_a_model_prints_one_json_document() {
    let told = everywhere(|kitchen| {
        kitchen.write("half.rhai", "fn predict(x) { x / 2.0 }");
        kitchen.plain(&["put", "half", "half.rhai", "--dry-run", "--format", "json"])
    });
    assert_snapshot!(told, @"");
}
