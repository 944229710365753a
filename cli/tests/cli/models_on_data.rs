//! Models on collections: attach, outputs, index, like, status, detach.

use serde_json::Value;

use crate::test_dir::{TestDir, everywhere};

/// A script that sums, and fails for negative sums.
const SUM: &str = "fn predict(input) { let sum = 0.0; for x in input { sum += x; } \
    if sum < 0.0 { throw \"negative\"; } sum }";

const ROWS: &str = r#"{"id":1,"x":[1.0,2.5],"price":3,"name":"pear"}
{"id":2,"x":[0.5,0.25],"price":30,"name":"plum"}
{"id":3,"x":[9.0,1.0],"price":5,"name":null}
"#;

/// A shop with three rows, and the model `sum`.
fn shop(dir: &TestDir) {
    dir.write("sum.rhai", SUM);
    dir.write("rows.jsonl", ROWS);
    for command in [
        &["put", "sum", "sum.rhai"][..],
        &["tag", "sum", "prod"],
        &["collection", "insert", "shop/rows", "rows.jsonl", "--key", "id"],
    ] {
        ok(dir, command);
    }
}

/// What a command prints on stdout; it must succeed.
fn ok(dir: &TestDir, args: &[&str]) -> String {
    let said = dir.plain(args);
    let said = said.strip_prefix("exit 0\n").unwrap_or_else(|| panic!("{args:?}: {said}"));
    let printed = said.strip_prefix("--- stdout\n").unwrap_or_default();
    printed.split("--- stderr\n").next().unwrap().to_owned()
}

/// What a command says when it fails.
fn fails(dir: &TestDir, args: &[&str]) -> String {
    let said = dir.plain(args);
    assert!(!said.starts_with("exit 0"), "{args:?}: {said}");
    said
}

fn json(dir: &TestDir, args: &[&str]) -> Value {
    serde_json::from_str(&ok(dir, &[&["--format", "json"], args].concat())).unwrap()
}

fn attach(dir: &TestDir) {
    let args = [
        "collection",
        "attach",
        "shop/rows",
        "sum:prod",
        "--name",
        "total",
        "--key",
        "x",
        "--wait",
    ];
    let said = ok(dir, &args);
    assert!(said.starts_with("sum@1 is attached to shop/rows as total, and reads x"), "{said}");
}

#[test]
fn outputs_stand_beside_the_rows() {
    let printed = everywhere(|dir| {
        shop(dir);
        attach(dir);
        ok(dir, &["collection", "find", "shop/rows", "--format", "jsonl"])
    });
    let rows: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let totals: Vec<_> = rows.iter().map(|row| row["_outputs"]["total"].as_f64()).collect();
    assert_eq!(totals, [Some(3.5), Some(0.75), Some(10.0)]);
}

#[test]
fn rows_that_come_later_are_computed_by_a_worker_and_failures_alone_are_repeated() {
    let dir = TestDir::new("sqlite:larder.db");
    shop(&dir);
    attach(&dir);
    dir.write(
        "more.jsonl",
        "{\"id\":4,\"x\":[-2.0,1.0]}\n{\"id\":1,\"x\":[4.0,4.0],\"price\":3}\n",
    );
    ok(&dir, &["collection", "insert", "shop/rows", "more.jsonl", "--upsert"]);
    let state = &json(&dir, &["collection", "status", "shop/rows"])["listeners"][0];
    let counts = ["rows", "ok", "stale", "missing", "backlog", "behind", "jobs"];
    let counts: Vec<_> = counts.iter().map(|name| state[name].as_u64().unwrap()).collect();
    assert_eq!(counts, [4, 2, 1, 1, 2, 1, 1]);
    assert!(
        ok(&dir, &["show", "shop/rows"])
            .contains("listener  total: sum:prod reads x; 2 of 4 rows ok")
    );
    ok(&dir, &["work", "--drain"]);
    let outputs = json(&dir, &["collection", "outputs", "shop/rows", "total"]);
    let states: Vec<_> =
        outputs["outputs"].as_array().unwrap().iter().map(|row| &row["status"]).collect();
    assert_eq!(states, ["ok", "ok", "ok", "failed"]);
    assert!(outputs["outputs"][3]["error"].as_str().unwrap().contains("negative"));
    assert_eq!(outputs["outputs"][0]["output"], 8.0);

    // A new version under the tag makes all outputs stale, and a job computes them.
    dir.write("sum2.rhai", "fn predict(input) { 2.0 * input[0] }");
    ok(&dir, &["put", "sum", "sum2.rhai"]);
    ok(&dir, &["tag", "sum@2", "prod"]);
    let stale = ok(&dir, &["collection", "outputs", "shop/rows", "total", "--status", "stale"]);
    assert_eq!(stale.lines().count(), 5, "{stale}");
    ok(&dir, &["collection", "outputs", "shop/rows", "total", "--retry", "--wait"]);
    let find =
        ["collection", "find", "shop/rows", "--columns", "id,_outputs.total", "--format", "csv"];
    assert_eq!(ok(&dir, &find), "id,_outputs.total\n1,8.0\n2,1.0\n3,18.0\n4,-4.0\n");
    let said = ok(&dir, &["show", "sum@2"]);
    assert!(said.contains("used by  shop/rows.listeners/total@2"), "{said}");
}

#[test]
fn an_index_finds_what_is_near() {
    let printed = everywhere(|dir| {
        shop(dir);
        ok(dir, &["collection", "index", "shop/rows", "x", "--measure", "l2"]);
        dir.write("more.jsonl", "{\"id\":4,\"x\":[1.0,2.0],\"price\":9}\n");
        ok(dir, &["collection", "insert", "shop/rows", "more.jsonl"]);
        let like = ["collection", "like", "shop/rows", "x", "[1, 2]", "-n", "2", "--format", "csv"];
        let all = ok(dir, &like);
        let cheap = ok(dir, &[&like[..], &["--where", "price < 4"]].concat());
        let indexed = ok(dir, &[&like[..], &["--indexed-only"]].concat());
        format!("{all}{cheap}{indexed}")
    });
    let ids: Vec<_> = printed.lines().filter_map(|line| line.split(',').nth(1)).collect();
    assert_eq!(ids, ["id", "4", "1", "id", "1", "id", "1", "2"], "{printed}");
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let dir = TestDir::new("fs:data_dir");
    shop(&dir);
    ok(&dir, &["collection", "index", "shop/rows", "x"]);
    let attach = |model: &str, key: &str, name: &str| {
        fails(&dir, &["collection", "attach", "shop/rows", model, "--key", key, "--name", name])
    };
    assert!(attach("sum", "name", "a").contains("the model cannot take `name`"));
    assert!(attach("sum", "nam", "a").contains("did you mean `name`?"));
    assert!(attach("none", "x", "a").contains("cannot find none"));
    self::attach(&dir);
    assert!(attach("sum", "_outputs.total", "total").contains("in a cycle: `total` reads `total`"));
    assert!(attach("sum", "_outputs.tota", "b").contains("it has total"));
    let like = |vector: &str| fails(&dir, &["collection", "like", "shop/rows", "x", vector]);
    assert!(like("[1]").contains("the vector has 1 numbers, and the index 2"));
    assert!(like("[NaN, 1]").contains("finite numbers"));
    assert!(like("[\"NaN\", 1]").contains("the vector has a NaN"));
    assert!(like("pear").contains("give a vector"));
    assert!(fails(&dir, &["collection", "index", "shop/rows", "name"]).contains("it is text"));
    assert!(fails(&dir, &["collection", "outputs", "shop/none"]).contains("cannot find shop/none"));
    ok(&dir, &["collection", "detach", "shop/rows", "total"]);
    assert!(
        fails(&dir, &["collection", "detach", "shop/rows", "total"]).contains("no such listener")
    );
    ok(&dir, &["collection", "detach", "shop/rows", "x", "--index"]);
    let verified = dir.plain(&["verify"]);
    assert!(verified.contains("no damage"), "{verified}");
}

#[test]
fn rows_are_found_by_outputs_and_their_status() {
    let printed = everywhere(|dir| {
        shop(dir);
        attach(dir);
        dir.write("more.jsonl", "{\"id\":4,\"x\":[-2.0,1.0],\"price\":4}\n");
        ok(dir, &["collection", "insert", "shop/rows", "more.jsonl"]);
        let find = |args: &[&str]| {
            let find = ["collection", "find", "shop/rows", "--format", "csv", "--columns", "id"];
            ok(dir, &[&find, args].concat()).replace('\n', " ")
        };
        let mut said = find(&["--where", "_outputs.total > 3 and price < 5"]);
        said += &find(&["--where", "_status.total = 'missing'"]);
        ok(dir, &["work", "--drain"]);
        said += &find(&["--where", "_status.total = 'failed' or _outputs.total < 1"]);
        said += &find(&["--order", "-_outputs.total"]);
        said
    });
    assert_eq!(printed, "id 1 id 4 id 2 4 id 3 1 2 4 ");

    let dir = TestDir::new("sqlite:larder.db");
    shop(&dir);
    attach(&dir);
    fn find<'a>(args: &[&'a str]) -> Vec<&'a str> {
        [&["collection", "find", "shop/rows"], args].concat()
    }
    let by_total = ["--order", "_outputs.total", "--limit", "2", "--columns", "id,_status.total"];
    let page = json(&dir, &find(&by_total));
    assert_eq!(page["rows"][0], serde_json::json!({"id": 2, "_status.total": "ok"}));
    let next = page["next"].as_str().unwrap().to_owned();
    let page = json(&dir, &find(&[&by_total[..], &["--after", &next]].concat()));
    assert_eq!(page["rows"], serde_json::json!([{"id": 3, "_status.total": "ok"}]));
    assert_eq!(ok(&dir, &find(&["--where", "_outputs.total > 3", "--count"])), "2\n");
    let said = fails(&dir, &find(&["--where", "_outputs.totl > 3"]));
    assert!(said.contains("did you mean `_outputs.total`"), "{said}");
    ok(&dir, &["collection", "export", "shop/rows", "out.csv", "--where", "_outputs.total > 9"]);
    let exported = std::fs::read_to_string(dir.path("out.csv")).unwrap();
    assert_eq!(exported.lines().count(), 2, "{exported}");
    let set = ["--set", "price=1", "--where", "_outputs.total < 1"];
    let said = ok(&dir, &[&["collection", "update", "shop/rows"], &set[..]].concat());
    assert!(said.starts_with("changed 1 row"), "{said}");
    assert_eq!(ok(&dir, &find(&["--where", "price = 1 and id = 2", "--count"])), "1\n");
    let spoilt = ["collection", "update", "shop/rows", "--all", "--set", "_outputs.total=1"];
    assert!(fails(&dir, &spoilt).contains("no such field"), "outputs are not set by hand");
    let said = ok(&dir, &["collection", "delete", "shop/rows", "--where", "_outputs.total > 9"]);
    assert!(said.contains("deleted 1 row"), "{said}");
    assert_eq!(ok(&dir, &find(&["--count"])), "2\n");
}

#[test]
fn a_file_is_compared_with_the_bytes_of_rows() {
    let dir = TestDir::new("sqlite:larder.db");
    // A script gets bytes as texts, in Base64.
    dir.write(
        "look.rhai",
        "fn predict(input) { [input.len * 1.0, if input[0] == 'y' { 1.0 } else { 0.0 }] }",
    );
    dir.write("rows.jsonl", "{\"id\":1,\"photo\":\"AQI=\"}\n{\"id\":2,\"photo\":\"yAE=\"}\n");
    let create = ["collection", "create", "shop/photos", "--field", "id:int64", "--key", "id"];
    ok(&dir, &[&create[..], &["--field", "photo:bytes"]].concat());
    ok(&dir, &["put", "look", "look.rhai"]);
    ok(&dir, &["collection", "insert", "shop/photos", "rows.jsonl"]);
    let attach = ["collection", "attach", "shop/photos", "look", "--key", "photo", "--wait"];
    let said = ok(&dir, &attach);
    assert!(said.contains("look is attached") || said.contains("look@1 is attached"), "{said}");
    ok(&dir, &["collection", "index", "shop/photos", "look", "--measure", "l2"]);
    std::fs::write(dir.path("photo.png"), [200, 2]).unwrap();
    let like = ["collection", "like", "shop/photos", "look", "-n", "1"];
    let found = json(&dir, &[&like[..], &["--file", "photo.png"]].concat());
    assert_eq!(found["rows"][0]["id"], 2, "{found}");
    let said = fails(&dir, &[&like[..], &["--file", "none.png"]].concat());
    assert!(said.contains("none.png"), "{said}");
}

#[test]
fn a_compaction_is_a_job() {
    let dir = TestDir::new("sqlite:larder.db");
    shop(&dir);
    // Small rows would be in the manifest, with nothing to merge.
    let insert = |id: u32| {
        let name = "kiwi ".repeat(1_000);
        dir.write("more.jsonl", format!("{{\"id\":{id},\"name\":\"{name}\",\"x\":[1.0,2.0]}}\n"));
        ok(&dir, &["collection", "insert", "shop/rows", "more.jsonl"]);
    };
    insert(4);
    let created = ok(&dir, &["collection", "compact", "shop/rows"]);
    assert!(created.contains("shop/rows@2/") && created.contains("pending"), "{created}");
    assert_eq!(json(&dir, &["collection", "status", "shop/rows"])["fragments"], 2);
    ok(&dir, &["work", "--drain"]);
    assert_eq!(json(&dir, &["collection", "status", "shop/rows"])["fragments"], 1);
    let jobs = ok(&dir, &["jobs", "shop/rows"]);
    assert!(jobs.contains("compact") && jobs.contains("succeeded"), "{jobs}");
    let said = ok(&dir, &["collection", "compact", "shop/rows", "--wait"]);
    assert_eq!(said, "unchanged: shop/rows@3 has 1 fragment\n");
    insert(5);
    let said = ok(&dir, &["collection", "compact", "shop/rows", "--wait"]);
    assert!(said.contains("shop/rows@5 has 1 fragment, of 2 before"), "{said}");
}

#[test]
#[cfg_attr(not(feature = "training"), ignore = "needs the feature `training`")]
fn a_field_is_imputed_and_new_rows_train_the_model_again() {
    let dir = TestDir::new("sqlite:larder.db");
    let rows = |ids: std::ops::Range<u32>| -> String {
        let row = |id: u32| {
            let price = match id % 5 {
                0 => "null".to_owned(),
                _ => (2.0 * f64::from(id % 17) + 1.0).to_string(),
            };
            format!("{{\"id\":{id},\"stock\":{},\"price\":{price}}}\n", id % 17)
        };
        ids.map(row).collect()
    };
    dir.write("rows.jsonl", rows(0..300));
    ok(&dir, &["collection", "insert", "shop/rows", "rows.jsonl", "--key", "id"]);
    let impute = |field: &str, from: &str, more: &[&str]| {
        let args =
            ["collection", "impute", "shop/rows", field, "--name", "shop/price", "--from", from];
        dir.plain(&[&args, more].concat())
    };
    assert!(impute("prise", "stock", &[]).contains("did you mean `price`"));
    assert!(impute("price", "stok", &[]).contains("did you mean `stock`"));
    assert!(impute("price", "stock", &["--where", "stock <"]).contains("at column 8"));
    let said = impute("price", "stock", &["--every", "50", "--wait"]);
    assert!(said.contains("shop/price@2 imputes price of shop/rows, trained on 2"), "{said}");
    let metric = |name: &str| -> f64 {
        let line = said.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    assert!(metric("rmse") < 0.2 * metric("baseline_rmse"), "{said}");
    assert!(ok(&dir, &["show", "shop/price@2"]).contains("shop/rows@1, fold train"));

    let status = ok(&dir, &["collection", "status", "shop/rows"]);
    assert!(status.contains("shop/price") && status.contains("retrain"), "{status}");
    let trained = || {
        ok(&dir, &["work", "--drain"]);
        json(&dir, &["show", "shop/price"])["version"].as_u64()
    };
    dir.write("more.jsonl", rows(300..340));
    ok(&dir, &["collection", "insert", "shop/rows", "more.jsonl"]);
    assert_eq!(trained(), Some(2), "40 rows are too few");
    dir.write("more.jsonl", rows(340..360));
    ok(&dir, &["collection", "insert", "shop/rows", "more.jsonl"]);
    assert_eq!(trained(), Some(3));
    assert!(ok(&dir, &["show", "shop/price"]).contains("shop/rows@3, fold train"));

    ok(&dir, &["collection", "unwatch", "shop/rows", "price"]);
    let said = fails(&dir, &["collection", "unwatch", "shop/rows", "price"]);
    assert!(said.contains("cannot find shop/rows.watches/price"), "{said}");
    let watched = ok(&dir, &["collection", "watch", "shop/rows", "shop/price"]);
    assert!(watched.starts_with("shop/price watches shop/rows: "), "{watched}");
    let again = ok(&dir, &["collection", "watch", "shop/rows", "shop/price"]);
    assert!(again.starts_with("unchanged: "), "{again}");
    let said = fails(&dir, &["collection", "watch", "shop/rows", "shop/price", "--event", "none"]);
    assert!(said.contains("its triggers run on `retrain`"), "{said}");
}
