//! `collection`: rows in and out.

use insta::assert_snapshot;

use crate::test_dir::{TestDir, everywhere};

const ROWS: &str = r#"{"id": 1, "name": "pear", "price": 3.5, "x": [0.5, 1.0]}
{"id": 2, "name": "fig", "price": null, "x": [1.5, 2.0]}
{"id": 3, "name": "plum", "price": 12, "x": [2.5, 3.0]}
"#;

fn shop(dir: &TestDir) -> String {
    dir.write("rows.jsonl", ROWS);
    dir.plain(&["collection", "insert", "shop/rows", "rows.jsonl", "--key", "id"])
}

#[test]
fn rows_are_inserted_found_changed_and_compared() {
    let printed = everywhere(|dir| {
        let collection = |args: &[&str]| dir.plain(&[&["collection"], args].concat());
        shop(dir)
            + &collection(&["find", "shop/rows", "--where", "price < 10", "--limit", "20"])
            + &collection(&[
                "find",
                "shop/rows",
                "--limit",
                "1",
                "--format",
                "json",
                "--columns",
                "id,name",
            ])
            + &collection(&["find", "shop/rows", "--format", "jsonl"])
            + &collection(&["find", "shop/rows", "--format", "csv", "--order", "-price"])
            + &collection(&["find", "shop/rows", "--count"])
            + &collection(&["get", "shop/rows", "2"])
            + &collection(&["update", "shop/rows", "--where", "id = 2", "--set", "price=7.5"])
            + &collection(&["delete", "shop/rows", "1"])
            + &collection(&["delta", "shop/rows", "1", "3"])
            + &collection(&["compact", "shop/rows", "--wait"])
            + &collection(&["status", "shop/rows"])
    });
    assert_snapshot!(printed);
}

#[test]
fn rows_that_do_not_fit_are_named_or_left_out() {
    let printed = everywhere(|dir| {
        let collection = |args: &[&str]| dir.plain(&[&["collection"], args].concat());
        let made = shop(dir);
        dir.write(
            "bad.jsonl",
            "{\"id\": 4, \"name\": \"kiwi\"}\n{\"id\": 5, \"price\": \"cheap\"}\n{\"id\": 3}\n{\"id\": 6, \"x\": [1.0]}\n",
        );
        let refused = collection(&["insert", "shop/rows", "bad.jsonl"]);
        let skipped =
            collection(&["insert", "shop/rows", "bad.jsonl", "--skip-bad", "rejects.jsonl"]);
        let rejects = std::fs::read_to_string(dir.path("rejects.jsonl")).unwrap();
        let unknown = collection(&["find", "shop/rows", "--where", "prise < 3"]);
        let twice = collection(&["insert", "shop/rows", "rows.jsonl"]);
        let upsert = collection(&["insert", "shop/rows", "rows.jsonl", "--upsert"]);
        made + &refused + &skipped + &rejects + &unknown + &twice + &upsert
    });
    assert_snapshot!(printed);
}

#[test]
fn files_of_every_format_hold_the_same_rows() {
    let printed = everywhere(|dir| {
        let collection = |args: &[&str]| dir.plain(&[&["collection"], args].concat());
        shop(dir);
        let mut counts = String::new();
        for format in ["csv", "jsonl", "parquet", "arrow"] {
            let (file, name) = (format!("out.{format}"), format!("copy/{format}"));
            collection(&["export", "shop/rows", &file]);
            collection(&["insert", &name, &file, "--key", "id"]);
            counts +=
                &collection(&["find", &name, "--format", "jsonl", "--columns", "id,name,price"]);
        }
        counts
            + &collection(&[
                "create",
                "shop/empty",
                "--field",
                "a:int64",
                "--field",
                "v:vector<3>?",
                "--key",
                "a",
            ])
    });
    assert_snapshot!(printed);
}
