//! A faulty store or serializer breaks a law. Each fault here occurred in practice.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use larder_core::bytes::Bytes;
use larder_core::store::{
    Blob, BlobWriter, Capabilities, Change, Committed, Expected, Record, RecordKey, Store,
};
use larder_core::store::{Digest, MemoryStore};
use larder_core::{BoxError, Result, Serializer};
use larder_testkit::{Codec, all_serializer_laws, all_store_laws};

/// Returns the message of the panic of `laws`.
#[track_caller]
fn broken(laws: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(laws)).expect_err("no law was broken");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Lists only the first 1,000 records.
    FirstPage,
    /// Orders keys by their parts, like a folder tree.
    ByParts,
    /// Checks preconditions, and then writes without a lock.
    CheckThenPut,
    /// Leaves out missing records.
    LeavesOut,
    /// Claims to be atomic, and is not.
    NotAtomic,
}

#[derive(Debug)]
struct Faulty(MemoryStore, Fault);

impl Store for Faulty {
    fn url(&self) -> String {
        self.0.url()
    }
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        self.0.write_blob()
    }
    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        self.0.read_blobs(digests)
    }
    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        self.0.stat_blobs(digests)
    }
    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        self.0.list_blobs(after, limit)
    }
    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        self.0.remove_blobs(digests)
    }
    fn remove_unfinished(&self, older_than: Duration) -> Result<(u64, u64)> {
        self.0.remove_unfinished(older_than)
    }
    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        let mut found = self.0.get_records(keys)?;
        if self.1 == Fault::LeavesOut && keys.len() > 1 {
            found.retain(Option::is_some);
        }
        Ok(found)
    }
    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        let mut all = self.0.list_records(prefix, None, usize::MAX)?;
        if self.1 == Fault::FirstPage {
            all.truncate(1_000);
        }
        if self.1 == Fault::ByParts {
            all.sort_by_key(|(key, _)| {
                key.as_str().split('/').map(str::to_owned).collect::<Vec<_>>()
            });
        }
        let start = match after {
            Some(after) if self.1 == Fault::ByParts => {
                all.iter().position(|(key, _)| key == after).map_or(0, |at| at + 1)
            }
            Some(after) => all.iter().take_while(|(key, _)| key <= after).count(),
            None => 0,
        };
        Ok(all.into_iter().skip(start).take(limit).collect())
    }
    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        let Self(store, fault) = self;
        match fault {
            Fault::NotAtomic => {
                for (at, change) in changes.iter().enumerate() {
                    if store.commit(std::slice::from_ref(change))? != Committed::All {
                        return Ok(Committed::Conflict { at, made: 0 });
                    }
                }
                Ok(Committed::All)
            }
            Fault::CheckThenPut => {
                let mut changes = changes.to_vec();
                for (at, change) in changes.iter_mut().enumerate() {
                    if let Change::PutRecord { key, expected, .. }
                    | Change::RemoveRecord { key, expected } = change
                    {
                        let now = store.get_records(std::slice::from_ref(key))?.remove(0);
                        if !expected.is_met_by(now.as_ref().map(|record| &record.revision)) {
                            return Ok(Committed::Conflict { at, made: 0 });
                        }
                        *expected = Expected::Anything;
                    }
                }
                std::thread::sleep(Duration::from_micros(50));
                store.commit(&changes)
            }
            _ => store.commit(changes),
        }
    }
}

fn laws(fault: Fault) {
    let store = MemoryStore::new();
    all_store_laws(&|| Arc::new(Faulty(store.clone(), fault)) as Arc<dyn Store>);
}

#[test]
fn a_store_without_a_fault_breaks_no_law() {
    laws(Fault::None);
}

#[test]
fn a_store_that_lists_the_first_thousand_breaks_a_law() {
    let said = broken(|| laws(Fault::FirstPage));
    assert!(said.starts_with("1,100 records"), "{said}");
}

#[test]
fn a_store_that_lists_as_folders_are_walked_breaks_a_law() {
    let said = broken(|| laws(Fault::ByParts));
    assert!(said.contains("is listed before"), "{said}");
}

#[test]
fn a_store_that_checks_and_then_puts_breaks_a_law() {
    let said = broken(|| laws(Fault::CheckThenPut));
    assert!(said.contains("steps that were not lost"), "{said}");
}

#[test]
fn a_store_that_leaves_out_what_is_missing_breaks_a_law() {
    let said = broken(|| laws(Fault::LeavesOut));
    assert!(said.contains("records in the order asked"), "{said}");
}

#[test]
fn a_store_that_is_not_atomic_and_says_so_breaks_a_law() {
    let said = broken(|| laws(Fault::NotAtomic));
    assert!(said.contains("of a commit that was not made exists"), "{said}");
}

/// A count followed by bytes, with one numbered fault.
struct Counted<const FAULT: u8>;

impl<const FAULT: u8> Serializer<Vec<u8>> for Counted<FAULT> {
    const NAME: &'static str = "counted";

    fn encode(value: &Vec<u8>, out: &mut dyn Write) -> Result<(), BoxError> {
        let whole = [&[value.len() as u8][..], value].concat();
        match FAULT {
            1 => drop(out.write(&whole)?),
            2 => drop(out.write_all(&whole)),
            _ => out.write_all(&whole)?,
        }
        Ok(())
    }

    fn decode(bytes: &Bytes) -> Result<Vec<u8>, BoxError> {
        let (count, rest) = bytes.split_first().ok_or("it is empty")?;
        let count = usize::from(*count);
        match FAULT {
            3 => Ok(rest[..count].to_vec()),
            4 => Ok(rest.get(..count).ok_or("it is cut short")?.to_vec()),
            5 => Ok(rest.to_vec()),
            6 => Ok(rest.iter().rev().copied().collect()),
            _ if rest.len() == count => Ok(rest.to_vec()),
            _ => Err("its count differs from the number of bytes".into()),
        }
    }
}

fn serializer_laws<const FAULT: u8>() {
    let value = (0..100).collect();
    all_serializer_laws(&Codec::of::<Counted<FAULT>>(), &value, PartialEq::eq);
}

#[test]
fn a_serializer_without_a_fault_breaks_no_law() {
    serializer_laws::<0>();
}

#[test]
fn serializers_with_a_fault_break_a_law() {
    let said = [
        (broken(serializer_laws::<1>), "bytes written one at a time", "write with `write_all`"),
        (broken(serializer_laws::<2>), "had room", "return the errors of `out`"),
        (broken(serializer_laws::<3>), "did not bear attack", "check each length against"),
        (
            broken(serializer_laws::<4>),
            "by bytes after the value: it was read as a value",
            "run `unframed_serializer_laws`",
        ),
        (
            broken(serializer_laws::<5>),
            "by cutting short: it was read as a value",
            "run `unframed_serializer_laws`",
        ),
        (broken(serializer_laws::<6>), "gives another value back", "refuse in `encode`"),
    ];
    for (said, expected, advice) in said {
        assert!(said.contains(expected), "{said:?} tells of {expected:?}");
        assert!(said.contains(advice), "{said:?} says what to do: {advice:?}");
    }
}
