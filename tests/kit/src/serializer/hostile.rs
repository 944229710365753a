//! Laws of decoding hostile bytes.
//!
//! Attacks run on a thread with a small stack and a time limit. Decoding may return a value or an error; it must not
//! panic, loop forever or overflow the stack.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder_core::bytes::Bytes;

use super::Codec;
use crate::random::Random;
use crate::within_limits;

/// Number of mutations of a value.
const MUTATIONS: usize = 3_000;
/// Time limit for all attacks of one law.
const TIME: Duration = Duration::from_secs(60);

/// The allowed answers to an attack.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Answer {
    /// A value or an error.
    Any,
    /// An error; what to do if it is a value.
    Error(&'static str),
}

/// Decodes `count` attacks. Panics with the number of the first one that does harm.
#[track_caller]
pub(super) fn attack<T: 'static>(
    codec: &Codec<T>,
    kind: &'static str,
    answer: Answer,
    count: usize,
    bytes: impl Fn(usize) -> Vec<u8> + Send + 'static,
) {
    let current = Arc::new(AtomicUsize::new(0));
    let (codec, at) = (codec.clone(), Arc::clone(&current));
    let name = codec.name.clone();
    let run = move || {
        for number in 0..count {
            at.store(number, Ordering::Relaxed);
            let bytes = Bytes::from(bytes(number));
            let read = codec.decode(&bytes).is_ok();
            if let Answer::Error(advice) = answer {
                assert!(!read, "it was read as a value; {advice}");
            }
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| within_limits(TIME, run)));
    if let Err(panic) = outcome {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        let number = current.load(Ordering::Relaxed);
        let advice = match answer {
            Answer::Any => {
                "; a decoder returns an error for any bytes: check each length against the bytes that are left, before \
                 memory is allocated or bytes are taken"
            }
            Answer::Error(_) => "",
        };
        panic!("`{name}` did not bear attack {number} of {count} by {kind}: {text}{advice}");
    }
}

/// Decoding survives bytes of a value that were flipped, cut, inserted, duplicated or replaced, each from a fixed seed.
pub fn mutated_bytes_do_no_harm<T: 'static>(codec: &Codec<T>, value: &T) {
    let whole = codec.encoded(value);
    attack(codec, "mutation", Answer::Any, MUTATIONS, move |seed| {
        let mut random = Random::new(seed as u64);
        let mut bytes = whole.to_vec();
        for _ in 0..=random.below(6) {
            let at = random.below(bytes.len());
            match random.below(7) {
                0 | 1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
                2 if at < bytes.len() => bytes[at] = random.byte(),
                3 => bytes.truncate(at),
                4 => bytes.insert(at, random.byte()),
                5 => {
                    let end = bytes.len().min(at + random.below(40));
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
                _ => drop(bytes.drain(at..bytes.len().min(at + random.below(9)))),
            }
        }
        bytes
    });
}

/// Encodings of a length beyond all memory in common formats.
const LENGTHS: [&[u8]; 14] = [
    &[0xff; 8],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], // i64::MAX, little endian
    &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // i64::MAX, big endian
    &[0xff; 4],
    &[0, 0, 0, 0, 0, 1, 0, 0], // 2^40, little endian
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], // LEB128
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x20], // 2^40 in LEB128
    &[253, 0, 0, 0, 0, 0, 1, 0, 0], // 2^40 in bincode 2
    &[252, 0xff, 0xff, 0xff, 0xff], // 2^32 in bincode 2
    &[0xdd, 0xff, 0xff, 0xff, 0xff], // MessagePack: array
    &[0xdf, 0xff, 0xff, 0xff, 0xff], // map
    &[0xdb, 0xff, 0xff, 0xff, 0xff], // text
    &[0xc6, 0xff, 0xff, 0xff, 0xff], // bytes
    &[0xc9, 0xff, 0xff, 0xff, 0xff, 0x01], // extension
];

/// Decoding survives a length beyond all memory at every position of a value.
pub fn forged_lengths_do_no_harm<T: 'static>(codec: &Codec<T>, value: &T) {
    let whole = codec.encoded(value);
    let places = whole.len().min(300) + 1;
    attack(codec, "forged length", Answer::Any, places * LENGTHS.len() * 2, move |number| {
        let (place, kind) = (number / LENGTHS.len() / 2, number / 2 % LENGTHS.len());
        let length = LENGTHS[kind];
        // Once replacing bytes, once inserted between them.
        let over = if number % 2 == 0 { whole.len().min(place + length.len()) } else { place };
        [&whole[..place], length, &whole[over..]].concat()
    });
}

/// Decoding survives bytes that were never a value: each byte alone, repeated bytes, and random bytes.
pub fn noise_does_no_harm<T: 'static>(codec: &Codec<T>) {
    const LENS: [usize; 4] = [1, 16, 1_000, 200_000];
    attack(codec, "one byte again and again", Answer::Any, 256 * LENS.len(), |number| {
        vec![(number / LENS.len()) as u8; LENS[number % LENS.len()]]
    });
    attack(codec, "noise", Answer::Any, 1_000, |seed| {
        let mut random = Random::new(seed as u64);
        let len = random.below(400);
        random.bytes(len)
    });
}
