//! Laws of serializers.
//!
//! Each law takes a [`Codec`], created from a static [`Serializer`], a pair of functions or a format, and a value that the
//! codec can encode.

pub mod hostile;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use larder_core::bytes::Bytes;
use larder_core::serializers::{DynSerializer, Format};
use larder_core::{BoxError, Serializer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::hostile::{Answer, attack};
use larder_core::store::with_causes;

type Encode<T> = dyn Fn(&T, &mut dyn Write) -> Result<(), BoxError> + Send + Sync;
type Decode<T> = dyn Fn(&Bytes) -> Result<T, BoxError> + Send + Sync;

/// Encodes a `T` to bytes and decodes it again.
pub struct Codec<T> {
    name: String,
    encode: Arc<Encode<T>>,
    decode: Arc<Decode<T>>,
}

impl<T: 'static> Codec<T> {
    /// Wraps a serializer known at compile time.
    pub fn of<S: Serializer<T>>() -> Self {
        Self { name: S::NAME.into(), encode: Arc::new(S::encode), decode: Arc::new(S::decode) }
    }

    /// Wraps a pair of functions registered at run time.
    pub fn pair(pair: impl DynSerializer) -> Self {
        let pair = Arc::new(pair);
        let decoder = Arc::clone(&pair);
        Self {
            name: pair.name().into(),
            encode: Arc::new(move |value, out| pair.encode(value, out)),
            decode: Arc::new(move |bytes| {
                let value = decoder.decode(bytes)?.downcast::<T>();
                value.map(|value| *value).map_err(|_| "the pair gave another type".into())
            }),
        }
    }

    /// Wraps a format used by name, independent of the type.
    pub fn format(format: impl Format) -> Self
    where
        T: Serialize + DeserializeOwned,
    {
        let format: Arc<dyn Format> = Arc::new(format);
        let decoder = Arc::clone(&format);
        Self {
            name: format.name().into(),
            encode: Arc::new(move |value, out| format.encode(value, out)),
            decode: Arc::new(move |bytes| decoder.read(bytes)),
        }
    }

    /// Returns the name recorded in manifests.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Encodes a value.
    ///
    /// # Errors
    /// Errors of the encoder.
    pub fn encode(&self, value: &T) -> Result<Bytes, BoxError> {
        let mut bytes = Vec::new();
        (self.encode)(value, &mut bytes)?;
        Ok(bytes.into())
    }

    /// Decodes a value.
    ///
    /// # Errors
    /// Errors of the decoder.
    pub fn decode(&self, bytes: &Bytes) -> Result<T, BoxError> {
        (self.decode)(bytes)
    }

    #[track_caller]
    fn encoded(&self, value: &T) -> Bytes {
        match self.encode(value) {
            Ok(bytes) => bytes,
            Err(error) => panic!("`{}` refuses the value: {}", self.name, with_causes(&*error)),
        }
    }

    #[track_caller]
    fn decoded(&self, bytes: &Bytes) -> T {
        match self.decode(bytes) {
            Ok(value) => value,
            Err(error) => panic!("`{}` refuses its own bytes: {}", self.name, with_causes(&*error)),
        }
    }
}

impl<T> Clone for Codec<T> {
    fn clone(&self) -> Self {
        let (encode, decode) = (Arc::clone(&self.encode), Arc::clone(&self.decode));
        Self { name: self.name.clone(), encode, decode }
    }
}

impl<T> fmt::Debug for Codec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Codec({})", self.name)
    }
}

/// Checks every law, with a value of some hundred bytes whose encoding marks its end, such as a struct or a
/// sequence.
///
/// # Panics
/// If a law is broken.
pub fn all_serializer_laws<T: 'static>(codec: &Codec<T>, value: &T, same: impl Fn(&T, &T) -> bool) {
    unframed_serializer_laws(codec, value, same);
    every_prefix_is_refused(codec, value);
    trailing_bytes_are_refused(codec, value);
}

/// Checks every law except those on the end of a value. For serializers that accept any bytes, such as plain bytes.
///
/// # Panics
/// If a law is broken.
pub fn unframed_serializer_laws<T: 'static>(
    codec: &Codec<T>,
    value: &T,
    same: impl Fn(&T, &T) -> bool,
) {
    its_name_can_be_recorded(codec);
    a_value_comes_back_by(codec, value, same);
    encoding_streams(codec, value);
    a_writers_error_is_passed_on(codec, value);
    hostile::mutated_bytes_do_no_harm(codec, value);
    hostile::forged_lengths_do_no_harm(codec, value);
    hostile::noise_does_no_harm(codec);
}

/// The name has 1 to 64 visible ASCII characters.
pub fn its_name_can_be_recorded<T>(codec: &Codec<T>) {
    let name = &codec.name;
    assert!(
        (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic()),
        "{name:?} cannot be recorded: choose a `NAME` of 1 to 64 visible ASCII characters, such as `acme-rle-1`"
    );
}

/// Advice if a value does not come back.
const EXACT: &str =
    "write all of the value, or refuse in `encode` what the bytes cannot hold exactly";

/// A decoded value equals the encoded one, also after a second round trip.
pub fn a_value_comes_back<T: PartialEq + fmt::Debug + 'static>(codec: &Codec<T>, value: &T) {
    let back = codec.decoded(&codec.encoded(value));
    assert_eq!(&back, value, "what `{}` gives back; {EXACT}", codec.name);
    let again = codec.decoded(&codec.encoded(&back));
    assert_eq!(&again, value, "what `{}` gives back the second time; {EXACT}", codec.name);
}

/// A decoded value is the same as the encoded one, compared by `same`. For types without equality, and for floats.
pub fn a_value_comes_back_by<T: 'static>(
    codec: &Codec<T>,
    value: &T,
    same: impl Fn(&T, &T) -> bool,
) {
    assert!(
        same(value, value),
        "`same` says of the value that it is not itself: compare by bits, or take a value without NaN"
    );
    let back = codec.decoded(&codec.encoded(value));
    assert!(same(&back, value), "`{}` gives another value back; {EXACT}", codec.name);
    let again = codec.decoded(&codec.encoded(&back));
    assert!(
        same(&again, value),
        "`{}` gives another value back the second time; {EXACT}",
        codec.name
    );
}

/// The encoder works with a writer that takes one byte at a time and is interrupted now and then.
pub fn encoding_streams<T: 'static>(codec: &Codec<T>, value: &T) {
    /// Takes one byte at a time.
    #[derive(Default)]
    struct Narrow {
        bytes: Vec<u8>,
        calls: usize,
    }
    impl Write for Narrow {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            if self.calls.is_multiple_of(7) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let taken = buf.len().min(1);
            self.bytes.extend_from_slice(&buf[..taken]);
            Ok(taken)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut out = Narrow::default();
    if let Err(error) = (codec.encode)(value, &mut out) {
        panic!(
            "`{}` cannot write a byte at a time: {}; write with `write_all`, which goes on where `write` stops",
            codec.name,
            with_causes(&*error)
        );
    }
    // Only the length is compared, because a hash map is written in another order each time.
    assert_eq!(
        out.bytes.len(),
        codec.encoded(value).len(),
        "bytes written one at a time by `{}`; write with `write_all`, which goes on where `write` stops",
        codec.name
    );
    codec.decoded(&out.bytes.into());
}

/// If the writer fails after any number of bytes, the encoder returns an error with that cause.
pub fn a_writers_error_is_passed_on<T: 'static>(codec: &Codec<T>, value: &T) {
    const CAUSE: &str = "the disk of this law is full";
    /// Takes a limited number of bytes.
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            let taken = buf.len().min(self.0);
            if taken == 0 && !buf.is_empty() {
                return Err(io::Error::other(CAUSE));
            }
            self.0 -= taken;
            Ok(taken)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let len = codec.encoded(value).len();
    for room in (0..len).step_by((len / 100).max(1)) {
        match (codec.encode)(value, &mut Full(room)) {
            Ok(()) => panic!(
                "`{}` wrote {len} bytes where {room} had room; return the errors of `out`, and flush a buffer of yours",
                codec.name
            ),
            Err(error) => {
                let message = with_causes(&*error);
                assert!(
                    message.contains(CAUSE),
                    "the error of `{}` lacks the cause: {message}; return the error of `out`, or wrap it as the source",
                    codec.name
                );
            }
        }
    }
}

/// Truncated bytes are refused.
pub fn every_prefix_is_refused<T: 'static>(codec: &Codec<T>, value: &T) {
    let whole = codec.encoded(value);
    let answer = Answer::Error(
        "make the decoder see that bytes are missing, for example by a length in front; if any bytes are a value, as in \
         plain bytes or text, run `unframed_serializer_laws`",
    );
    attack(codec, "cutting short", answer, whole.len(), move |end| whole[..end].to_vec());
}

/// Bytes after the value are refused.
pub fn trailing_bytes_are_refused<T: 'static>(codec: &Codec<T>, value: &T) {
    let bytes = codec.encoded(value);
    let mut endings: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    // JSON allows white space after a value.
    endings.retain(|ending| !ending[0].is_ascii_whitespace());
    endings.extend([bytes.to_vec(), vec![0; 100], vec![0xff; 100], b" x".to_vec()]);
    let answer = Answer::Error(
        "make the decoder check that no bytes are left; if any bytes are a value, as in plain bytes or text, run \
         `unframed_serializer_laws`",
    );
    attack(codec, "bytes after the value", answer, endings.len(), move |number| {
        [&bytes[..], &endings[number]].concat()
    });
}

/// A decoded model makes the same predictions as the encoded one.
///
/// This finds skipped fields, which comparing fields does not.
pub fn it_predicts_the_same_after_reload<T: 'static, I, O: PartialEq + fmt::Debug>(
    codec: &Codec<T>,
    model: &T,
    predict: impl Fn(&T, &I) -> O,
    inputs: &[I],
) {
    assert!(!inputs.is_empty(), "this law needs at least one input");
    let back = codec.decoded(&codec.encoded(model));
    for (at, input) in inputs.iter().enumerate() {
        let expected = predict(model, input);
        assert_eq!(predict(&back, input), expected, "`{}`, input {at}", codec.name);
    }
}
