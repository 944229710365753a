//! `--format json`: every command prints exactly one document, and errors are documents too.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::test_dir::{PLAIN, TestDir, linked};

/// A JSON value whose objects have no key twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = serde_json::Map::new();
        while let Some((key, Strict(value))) = map.next_entry::<String, Strict>()? {
            if values.insert(key.clone(), value).is_some() {
                return Err(A::Error::custom(format!("the key `{key}` is there twice")));
            }
        }
        Ok(values.into())
    }
}

/// The streams of a command: exit code, stdout and stderr.
fn streams(printed: &str) -> (i32, &str, &str) {
    let (code, rest) = printed.strip_prefix("exit ").unwrap().split_once('\n').unwrap();
    let (stdout, stderr) = match rest.split_once("--- stderr\n") {
        Some((stdout, stderr)) => (stdout, stderr),
        None => (rest, ""),
    };
    (code.parse().unwrap(), stdout.strip_prefix("--- stdout\n").unwrap_or(stdout), stderr)
}

fn document(text: &str, what: &str) -> Value {
    let parsed = serde_json::from_str::<Strict>(text);
    parsed.unwrap_or_else(|error| panic!("{what}: {error}\n{text}")).0
}

/// Runs the example program, and returns the only document on stdout.
fn answer(dir: &TestDir, words: &[&str], input: &str) -> Value {
    let what = words.join(" ");
    let command = dir.command(linked(), &[words, &["--format", "json"]].concat());
    let printed = dir.run(command, input.as_bytes());
    let (_, stdout, stderr) = streams(&printed);
    if !stderr.is_empty() {
        document(stderr, &what);
    }
    let answer = document(stdout, &what);
    if words.first() != Some(&"predict") {
        assert_eq!(answer["schema"], 1, "{what}");
    }
    answer
}

/// Commands in an order in which each has something to do, with the keys that each must print.
const COMMANDS: &[(&str, &[&str])] = &[
    ("list", &["versions"]),
    ("list --notes", &["versions"]),
    ("show wine/price", &["signature", "tags", "fields"]),
    ("show wine/price --tree", &["tree"]),
    ("versions wine/price", &["versions"]),
    ("diff wine/price@1 wine/price@2", &["same"]),
    ("predict wine/price -i bottle.json", &["price"]),
    ("put notes notes.txt --tag a --tag b", &["outcome", "tags", "created"]),
    ("put notes notes.txt", &["outcome", "tags"]),
    ("put notes notes.txt --dry-run", &["outcome", "tags", "dry_run"]),
    ("put notes - --name-as notes.txt", &["outcome"]),
    ("get notes -o copy.txt", &["path", "digest"]),
    ("tag notes@1 prod", &["tag", "version", "outcome"]),
    ("history notes:prod", &["moves"]),
    ("untag notes:prod", &["name", "tag"]),
    ("note notes --label a=b --metric m=1", &["labels", "outcome"]),
    ("lock notes", &["locked", "outcome"]),
    ("unlock notes", &["locked", "outcome"]),
    ("copy label fs:other", &["versions", "tags"]),
    ("copy wine/price fs:other --dry-run", &["versions", "tags"]),
    ("pull fs:other#label --store fs:third", &["versions"]),
    ("mirror fs:other fs:fourth", &["versions", "removed"]),
    ("export -o all.tar", &["path", "versions"]),
    ("import all.tar --store fs:fifth", &["versions"]),
    ("verify", &["findings"]),
    ("verify --repair-from fs:fifth", &["findings"]),
    ("remove wine/price@2", &["removed"]),
    ("restore --list wine/price", &["removed"]),
    ("restore wine/price@2", &["outcome", "version"]),
    ("gc", &["swept"]),
    ("gc --dry-run", &["dry_run"]),
    ("doctor", &["program", "findings"]),
    ("migrate --all", &["migrated"]),
    ("deploy wine/price --name it --canary wine/price@1", &["outcome", "name", "canary", "events"]),
    ("deployments", &["deployments"]),
    ("undeploy it", &["name"]),
    ("logout https://larder.example.com", &["outcome", "server"]),
    ("whoami", &["name"]),
    ("user add zoe", &["outcome", "user"]),
    ("user list", &["users"]),
    ("group add ml", &["outcome", "group"]),
    ("group list", &["groups"]),
    ("token create zoe", &["secret", "id"]),
    ("token list", &["tokens"]),
    ("grant add user:zoe viewer *", &["outcome", "role"]),
    ("grant list", &["grants"]),
    ("policy set rules.cedar", &["outcome", "number"]),
    ("policy show", &["number", "text", "created"]),
    ("policy test cases.json", &["passed", "failed"]),
    ("can zoe read label", &["allowed", "because"]),
    ("audit", &["entries"]),
    ("audit --verify", &["records"]),
    ("collection insert rows rows.jsonl --key id", &["outcome", "inserted", "rows", "name"]),
    ("collection find rows --limit 1", &["name", "version", "rows", "next"]),
    ("collection get rows 1", &["row"]),
    ("collection update rows --all --set id2=3", &["outcome", "updated"]),
    ("collection delta rows 1 2", &["from", "to", "inserted", "updated", "deleted"]),
    ("collection delete rows 2", &["outcome", "deleted"]),
    ("collection status rows", &["rows", "key", "fields", "fragments"]),
    ("collection compact rows --wait", &["outcome", "rows", "fragments"]),
    ("collection export rows rows.csv", &["path", "rows"]),
    ("collection create empty --field a:int64", &["outcome", "fields"]),
    ("jobs", &["jobs"]),
    ("jobs --watch", &["jobs"]),
    ("job forget --older-than 1h", &["forgotten"]),
    ("fire label print", &["event", "jobs"]),
    ("work --drain", &["jobs"]),
    ("group add ml", &["outcome", "group"]),
    ("user add ann", &["outcome", "user"]),
    ("user add shop --service --group ml", &["outcome", "user"]),
    ("user list", &["users"]),
    ("group join ml ann", &["outcome", "group", "user"]),
    ("group list", &["groups"]),
    ("grant add group:ml writer house/*", &["outcome", "subject", "role", "names"]),
    ("grant list", &["grants"]),
    ("token create ann --scope user:house/* --expires 1h", &["secret", "id", "owner", "expires"]),
    ("token list", &["tokens"]),
    ("can ann write house/price", &["allowed", "because"]),
    ("grant remove group:ml writer house/*", &["outcome", "subject"]),
    ("group leave ml ann", &["outcome", "group", "user"]),
    ("user remove ann", &["outcome", "user"]),
    ("audit", &["entries"]),
    ("audit --verify", &["records", "findings"]),
    ("types", &["types"]),
    ("serializers", &["serializers"]),
    ("cache info", &["path"]),
    ("cache clear", &["removed"]),
    ("completions bash", &["script"]),
    ("man pages", &["path"]),
    ("", &["version"]),
];

#[test]
fn every_command_prints_one_document_without_duplicate_keys() {
    for store in ["sqlite:larder.db", "fs:data_dir"] {
        let dir = TestDir::new(store);
        dir.filled().write("notes.txt", "dry");
        dir.write("rows.jsonl", "{\"id\": 1, \"id2\": 1}\n{\"id\": 2, \"id2\": 1}\n");
        dir.write("bottle.json", r#"{"age": 4, "points": 90}"#);
        dir.write("rules.cedar", r#"forbid(principal, action == Action::"write", resource);"#);
        let case = r#"[{"user": "zoe", "action": "write", "name": "label", "expect": "deny"}]"#;
        dir.write("cases.json", case);
        for (command, keys) in COMMANDS {
            let words: Vec<_> = command.split_whitespace().collect();
            let answer = answer(&dir, &words, "dry");
            for key in *keys {
                assert!(!answer[key].is_null(), "{command}: no `{key}` in {answer:#}");
            }
        }
    }
}

/// Commands that need a server or are one; `login.rs` is about them.
const OF_SERVERS: [&str; 3] = ["login", "serve", "ui"];

#[test]
fn every_command_is_walked() {
    let help = TestDir::new("fs:none").plain(&["--help"]);
    let known = help.lines().filter_map(|line| line.strip_prefix("  ")?.split("  ").next());
    let known: BTreeSet<_> = known
        .filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
        .filter(|word| *word != "help" && !OF_SERVERS.contains(word))
        .collect();
    let walked: BTreeSet<_> =
        COMMANDS.iter().filter_map(|(command, _)| command.split(' ').next()).collect();
    assert!(known.len() > 30, "{known:?}");
    assert_eq!(known.difference(&walked).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn errors_are_documents_on_stderr() {
    let dir = TestDir::new("sqlite:larder.db");
    dir.filled().write("model.onnx", "404: Not Found");
    let cases: [(&[&str], i32, &str); 7] = [
        (&["show", "wine/none"], 3, "cannot find wine/none"),
        (&["put", "m", "model.onnx"], 5, "cannot read the ONNX file"),
        (&["remove", "wine/price@1"], 5, "cannot remove wine/price@1"),
        (&["predict", "wine/none"], 3, "cannot find wine/none"),
        (&["list", "--bogus"], 2, "unexpected argument '--bogus' found"),
        (&["list", "--sort"], 2, "a value is required for '--sort <FIELD>'"),
        (&["list", "--store", "fs:nowhere"], 3, "cannot open fs:nowhere"),
    ];
    for (words, exit, message) in cases {
        if words[0] == "put" && !cfg!(feature = "onnx") {
            continue;
        }
        let command = dir.command(PLAIN, &[&["--format", "json"], words].concat());
        let printed = dir.run(command, b"");
        let (code, stdout, stderr) = streams(&printed);
        let error = &document(stderr, &words.join(" "))["error"];
        assert_eq!((code, stdout), (exit, ""), "{words:?}");
        assert_eq!(error["exit"], exit, "{words:?}");
        assert!(error["message"].as_str().unwrap().starts_with(message), "{error:#}");
    }
}

#[test]
fn one_thing_has_one_name_and_shape() {
    let dir = TestDir::new("fs:data_dir");
    dir.filled().write("notes.txt", "dry");
    let put = answer(&dir, &["put", "notes", "notes.txt", "--tag", "a", "--tag", "b"], "");
    let names = |tags: &Value| -> Vec<(String, u64)> {
        let tags = tags.as_array().unwrap().iter();
        let pair = |tag: &Value| {
            (tag["tag"].as_str().unwrap().to_owned(), tag["version"].as_u64().unwrap())
        };
        tags.map(pair).collect()
    };
    let expected = [("a".to_owned(), 1), ("b".to_owned(), 1)];
    assert_eq!(put["outcome"], "created");
    assert!(put["created"].is_string(), "the time of the version");
    assert_eq!(names(&put["tags"]), expected);
    assert_eq!(names(&answer(&dir, &["show", "notes"], "")["tags"]), expected);
    let versions = answer(&dir, &["versions", "notes"], "");
    assert_eq!(names(&versions["versions"][0]["tags"]), expected);
    let copied = answer(&dir, &["copy", "notes", "fs:other"], "");
    assert_eq!(names(&copied["tags"]), expected);
    let moves = answer(&dir, &["history", "notes:a"], "");
    assert_eq!(moves["moves"][0]["move"], 1);
}
