//! Flipped bits, forged files and Parquet bombs.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_buffer::OffsetBuffer;
use larder_collections::arrow_array::{
    Array, ArrayRef, Int64Array, ListArray, RecordBatch, StringArray,
};
use larder_collections::arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema};
use larder_collections::formats::{FileFormat, Input, RowWriter};
use larder_collections::{Insert, LarderCollections, Scan};
use larder_core::{Error, Larder, Registry};
use larder_store_fs as _;

fn open(folder: &Path) -> Larder {
    Registry::linked().unwrap().open(format!("fs:{}", folder.display()).as_str()).unwrap()
}

fn batch(from: i64, rows: i64) -> RecordBatch {
    let schema = ArrowSchema::new(vec![ArrowField::new("id", DataType::Int64, false)]);
    let ids = Int64Array::from_iter_values(from..from + rows);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids)]).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn a_flipped_bit_is_named_and_other_fragments_are_readable() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("larder");
    let rows = open(&place).untyped_collection("rows").unwrap();
    // Three fragments, none of them small.
    for from in [0, 20_000, 40_000] {
        rows.insert(&batch(from, 20_000)).unwrap();
    }
    let arrow = |path: &&PathBuf| fs::read(path).unwrap().starts_with(b"ARROW1");
    let all = files(&place);
    let middle = all.iter().filter(arrow).find(|path| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(8).any(|window| window == 30_000i64.to_le_bytes())
    });
    let middle = middle.unwrap();
    let mut bytes = fs::read(middle).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    let mut writable = fs::metadata(middle).unwrap().permissions();
    #[allow(clippy::permissions_set_readonly_false, reason = "a file of this test")]
    writable.set_readonly(false);
    fs::set_permissions(middle, writable).unwrap();
    fs::write(middle, bytes).unwrap();

    let rows = open(&place).untyped_collection("rows").unwrap();
    let (mut sound, mut errors) = (0, Vec::new());
    for batch in rows.latest().unwrap().scan(&Scan::new()).unwrap() {
        match batch {
            Ok(batch) => sound += batch.ids.len(),
            Err(error) => errors.push(error),
        }
    }
    assert_eq!((sound, errors.len()), (40_000, 1));
    let text = errors[0].to_string();
    assert!(matches!(errors[0], Error::Corrupt { .. }));
    assert!(
        text.contains("fragment 2 of rows@3") && text.contains("rows 20000 to 39999"),
        "{text}"
    );
    let first = rows.latest().unwrap().take(&[5, 45_000], None).unwrap();
    assert_eq!(first.ids.len(), 2);
    assert!(rows.latest().unwrap().take(&[25_000], None).is_err());
}

fn parquet(folder: &Path, batches: &[RecordBatch]) -> PathBuf {
    let path = folder.join("file.parquet");
    let out = fs::File::create(&path).unwrap();
    let mut writer = RowWriter::new(out, FileFormat::Parquet, &batches[0].schema()).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    path
}

#[test]
fn a_parquet_bomb_is_refused_and_an_ordinary_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let larder = Registry::linked().unwrap().open("memory:").unwrap();
    let rows = larder.untyped_collection("bomb").unwrap();
    // One long text in a dictionary, and rows that refer to it: 1.5 GB in memory.
    let text = "x".repeat(128 << 10);
    let schema = Arc::new(ArrowSchema::new(vec![ArrowField::new(
        "text",
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        false,
    )]));
    let keys = larder_collections::arrow_array::Int32Array::from(vec![0; 12_000]);
    let values: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let column = larder_collections::arrow_array::DictionaryArray::new(keys, values);
    let bomb = RecordBatch::try_new(schema, vec![Arc::new(column)]).unwrap();
    let path = parquet(folder.path(), &[bomb]);
    assert!(fs::metadata(&path).unwrap().len() < 1 << 20);
    let error =
        rows.insert_file(Input::File(&path), FileFormat::Parquet, Insert::new()).unwrap_err();
    assert!(error.to_string().contains("bomb") || error.to_string().contains("bytes"), "{error}");
    assert!(rows.head().unwrap().is_none(), "nothing was written");

    // A row of ten million equal items.
    let item = Arc::new(ArrowField::new("item", DataType::Int64, false));
    let items: ArrayRef = Arc::new(Int64Array::from(vec![7; 10_000_000]));
    let list = ListArray::new(item, OffsetBuffer::from_lengths([10_000_000]), items, None);
    let schema = ArrowField::new("list", list.data_type().clone(), false);
    let schema = Arc::new(ArrowSchema::new(vec![schema]));
    let bomb = RecordBatch::try_new(schema, vec![Arc::new(list)]).unwrap();
    let path = parquet(folder.path(), &[bomb]);
    let error =
        rows.insert_file(Input::File(&path), FileFormat::Parquet, Insert::new()).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");

    let path = parquet(folder.path(), &[batch(0, 50_000), batch(50_000, 50_000)]);
    let insert = Insert::new().key("id");
    let inserted = rows.insert_file(Input::File(&path), FileFormat::Parquet, insert).unwrap();
    assert_eq!(inserted.inserted, 100_000);
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 40..end - 8].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let error =
        rows.insert_file(Input::File(&path), FileFormat::Parquet, Insert::new()).unwrap_err();
    assert!(error.to_string().contains("not a sound parquet file"), "{error}");
}
