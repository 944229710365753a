//! Positions of deleted rows.

use std::io::Write;

use bytes::Bytes;
use larder_core::{BoxError, Item, Result, Serializer};

/// The positions of deleted rows in a fragment, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(Vec<u32>);

impl Positions {
    /// Creates the positions from any order, each once.
    pub fn new(mut positions: Vec<u32>) -> Self {
        positions.sort_unstable();
        positions.dedup();
        Self(positions)
    }

    /// Returns them, ascending.
    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }

    /// Returns true if `position` is one of them.
    pub fn contains(&self, position: u32) -> bool {
        self.0.binary_search(&position).is_ok()
    }

    /// Returns these and `others`.
    pub(crate) fn with(&self, others: &[u32]) -> Self {
        Self::new(self.0.iter().chain(others).copied().collect())
    }
}

/// The serializer of [`Positions`], `positions-u32` in manifests: each as 4 bytes, little-endian, ascending.
#[derive(Debug, Clone, Copy)]
pub struct PositionBytes;

impl Serializer<Positions> for PositionBytes {
    const NAME: &'static str = "positions-u32";

    fn encode(value: &Positions, out: &mut dyn Write) -> Result<(), BoxError> {
        let bytes: Vec<u8> = value.0.iter().flat_map(|position| position.to_le_bytes()).collect();
        Ok(out.write_all(&bytes)?)
    }

    fn decode(bytes: &Bytes) -> Result<Positions, BoxError> {
        let (all, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err("its length is not a multiple of 4".into());
        }
        let positions: Vec<u32> = all.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        if !positions.is_sorted_by(|one, two| one < two) {
            return Err("the positions do not ascend".into());
        }
        Ok(Positions(positions))
    }

    fn sample() -> Option<Positions> {
        Some(Positions(vec![0, 7, 300, 70_000]))
    }
}

larder_core::link!(Item::serializer::<Positions, PositionBytes>());
