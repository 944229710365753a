#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;
use std::io::Write;

use larder::bytes::Bytes;
use larder::prelude::*;
use larder::{BoxError, Error, Item, Serializer};
use roaring::RoaringBitmap;

/// Serializer of sets of integers to the portable
/// [Roaring format](https://github.com/RoaringBitmap/RoaringFormatSpec).
#[derive(Debug)]
pub struct RoaringFile;

impl Serializer<RoaringBitmap> for RoaringFile {
    const NAME: &'static str = "roaring-portable";
    const NOTE: Option<&'static str> = Some("`examples/plugin` in the sources of Larder");

    fn encode(value: &RoaringBitmap, out: &mut dyn Write) -> Result<(), BoxError> {
        Ok(value.serialize_into(out)?)
    }

    fn decode(bytes: &Bytes) -> Result<RoaringBitmap, BoxError> {
        let mut rest = &bytes[..];
        let value = RoaringBitmap::deserialize_from(&mut rest)?;
        if rest.is_empty() { Ok(value) } else { Err("trailing bytes after the set".into()) }
    }

    fn sample() -> Option<RoaringBitmap> {
        // Covers each kind of container of the format.
        Some([1, 2, 3].into_iter().chain(70_000..80_000).chain([u32::MAX]).collect())
    }
}

larder::link!(Item::serializer::<RoaringBitmap, RoaringFile>());

/// Finds the lines that contain all words of a query.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "example/search", model)]
pub struct Search {
    /// The lines, in MessagePack.
    lines: Artifact<Vec<String>>,
    /// Line numbers by word; each set is a blob, read on first use.
    words: BTreeMap<String, Artifact<RoaringBitmap, RoaringFile>>,
}

impl Search {
    /// Builds an index of `lines`.
    pub fn new(lines: Vec<String>) -> Self {
        let mut words: BTreeMap<String, RoaringBitmap> = BTreeMap::new();
        for (number, line) in (0..).zip(&lines) {
            for word in words_of(line) {
                words.entry(word).or_default().insert(number);
            }
        }
        let words = words.into_iter().map(|(word, numbers)| (word, numbers.into())).collect();
        Self { lines: lines.into(), words }
    }
}

impl Predict for Search {
    type Input = String;
    type Output = Vec<String>;

    fn predict(&self, query: String) -> larder::Result<Vec<String>> {
        let mut found: Option<RoaringBitmap> = None;
        for word in words_of(&query) {
            let Some(numbers) = self.words.get(&word) else { return Ok(Vec::new()) };
            let numbers = numbers.get()?;
            found = Some(found.map_or_else(|| numbers.clone(), |found| found & numbers));
        }
        let found = found.ok_or_else(|| Error::predict("the query has no words"))?;
        let lines = self.lines.get()?;
        Ok(found.iter().filter_map(|number| lines.get(number as usize)).cloned().collect())
    }
}

fn words_of(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}
