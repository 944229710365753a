//! A writer that gives a garbage collector work.
#![allow(clippy::print_stdout)]

use larder::maintenance::LarderMaintenance;
use std::error::Error;
use std::time::{Duration, Instant};

use larder::bytes::Bytes;
use larder::serializers::RawBytes;
use larder::{Artifact, Error as LarderError, Identifier, Larder, VersionInfo};

use crate::Parcel;

/// All writers share some contents, a few at a time, and come back to them just when a grace period of a second is
/// over, first for what was removed and then for what was condemned.
const CONTENTS: u64 = 25;
const TURN: Duration = Duration::from_millis(900);
const TURNS: u64 = 4;
/// Maximum number of versions per writer.
const MOST_KEPT: usize = 3;

/// Applies, removes and restores for so long; says what it has in the end.
///
/// # Errors
/// Whatever the larder says, but for a restoration that came too late.
pub fn run(larder: &Larder, seed: u64, seconds: u64) -> Result<(), Box<dyn Error>> {
    let name = Identifier::new(&format!("churn/{seed}"))?;
    let (mut kept, mut removed) = (Vec::<VersionInfo>::new(), Vec::<VersionInfo>::new());
    let (mut applied, mut restored, mut refused) = (0, 0, 0);
    let mut random = seed;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        // A linear congruential generator; its upper bits are random enough.
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = random >> 33;
        let turn = (begun.elapsed().as_millis() / TURN.as_millis()) as u64 % TURNS;
        let content = number % CONTENTS + turn * CONTENTS;
        if number.is_multiple_of(5) && !removed.is_empty() {
            let version =
                removed.remove(if number.is_multiple_of(2) { 0 } else { removed.len() - 1 });
            match larder.maintenance().restore(version.reference()) {
                Ok(version) => {
                    restored += 1;
                    kept.push(version);
                }
                Err(LarderError::Blocked { .. }) => refused += 1,
                Err(error) => return Err(error.into()),
            }
        } else {
            let version = larder.apply(&name, &parcel(content))?.version().clone();
            applied += 1;
            kept.retain(|other| *other != version);
            kept.push(version);
        }
        while kept.len() > MOST_KEPT {
            let version = kept.remove(0);
            larder.remove(version.reference())?;
            removed.push(version);
        }
    }
    for version in &kept {
        println!("kept {} {}", version.reference(), version.digest);
    }
    println!("done {applied} {restored} {refused}");
    Ok(())
}

/// Small contents travel in the commit; every fifth is large and written before it.
fn parcel(number: u64) -> Parcel {
    let size = if number.is_multiple_of(5) { 100_000 } else { 500 };
    let content = Bytes::from(vec![number as u8; size]);
    Parcel { round: number, content: Artifact::<Bytes, RawBytes>::new(content) }
}
