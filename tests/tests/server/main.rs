//! Tests of a larder behind a server, as one program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

mod broken;
mod certificate;
mod clocks;
mod endpoint;
mod everything;
mod fake;
mod hostile_client;
mod hostile_server;
mod killed;
mod large;
mod laws;
mod page;
#[cfg(feature = "servers")]
mod page_in_browser;
mod permissions;
mod policies;
mod served;
mod sharing;
mod tokens;
mod traces;

use larder::bytes::Bytes;
use larder::maintenance::LarderMaintenance;
use larder::serializers::RawBytes;
use larder::store::{RecordKind, kind};
use larder::{Artifact, Larder, Selection};
use larder_tests::Parcel;

// The laws write records of their own.
kind!(RecordKind::new("law", "laws/NAME", "laws/", |_| Ok(None), |_, _| Ok(())));

fn parcel(round: u64, content: Vec<u8>) -> Parcel {
    Parcel { round, content: Artifact::<Bytes, RawBytes>::new(content.into()) }
}

/// Bytes of which no two parts are alike.
fn noise(len: usize) -> Vec<u8> {
    (0..len as u32 / 4).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn assert_whole(larder: &Larder) {
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
}
