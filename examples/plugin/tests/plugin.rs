//! Tests of the plugin in programs with and without it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use larder_example_plugin::RoaringFile;
use larder_testkit::{Codec, all_serializer_laws};
use roaring::RoaringBitmap;

const WITH_PLUGIN: &str = env!("CARGO_BIN_EXE_larder-with-search");

/// The program without the plugin.
fn stock() -> PathBuf {
    let path =
        Path::new(WITH_PLUGIN).with_file_name(format!("larder{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "build it first: cargo build -p larder-cli --bin larder");
    path
}

/// A text file.
fn text() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../LICENSE-APACHE")
}

fn run(program: impl AsRef<Path>, folder: &Path, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(program.as_ref());
    command.args(args).current_dir(folder).env("LARDER_STORE", "search.db").env("NO_COLOR", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that fails does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn output_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn predicts_if_linked_and_reports_missing_type_if_not() {
    let folder = tempfile::tempdir().unwrap();
    let text = text();
    let index = ["search.db", "licence", text.to_str().unwrap()];
    let indexed = run(env!("CARGO_BIN_EXE_index"), folder.path(), &index, "");
    assert!(indexed.status.success(), "{}", output_text(&indexed));

    let question = r#""Irrevocable, worldwide""#;
    let answer = run(WITH_PLUGIN, folder.path(), &["predict", "licence"], question);
    assert!(answer.status.success(), "{}", output_text(&answer));
    let lines: Vec<String> = serde_json::from_slice(&answer.stdout).unwrap();
    let found: Vec<String> = std::fs::read_to_string(&text)
        .unwrap()
        .lines()
        .filter(|line| line.contains("irrevocable") && line.contains("worldwide"))
        .map(|line| line.trim().to_owned())
        .collect();
    assert_eq!(lines, found);
    assert_eq!(lines.len(), 2, "{lines:?}");

    let refused = run(stock(), folder.path(), &["predict", "licence"], question);
    assert_eq!(refused.status.code(), Some(6), "{}", output_text(&refused));
    let said = output_text(&refused);
    assert!(said.contains("`example/search`"), "{said}");
    assert!(said.contains("larder-example-plugin"), "{said}");

    let listed = run(stock(), folder.path(), &["serializers"], "");
    assert!(listed.status.success(), "{}", output_text(&listed));
    let said = output_text(&listed);
    let missing = said.lines().find(|line| line.starts_with("roaring-portable")).unwrap();
    assert!(missing.contains("licence@1"), "{said}");
    assert!(missing.contains("`examples/plugin`"), "{said}");

    let verified = run(stock(), folder.path(), &["verify"], "");
    assert!(verified.status.success(), "{}", output_text(&verified));
}

#[test]
fn serializer_obeys_the_laws() {
    let numbers: RoaringBitmap = (1..40).chain(70_000..70_400).chain([u32::MAX]).collect();
    all_serializer_laws(&Codec::of::<RoaringFile>(), &numbers, |a, b| a == b);
}
