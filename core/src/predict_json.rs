//! JSON in and out of a model, of known types and of unknown ones.

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::{Error, Result};
use crate::guard::{Guard, Rules, named, words};

/// Stack that must be left for the quick way in: serde_json stops at 128 levels.
const ROOM: usize = 512 * 1024;
/// Stack that is added where less is left.
const MORE_STACK: usize = 4 * 1024 * 1024;

/// Reads an input whose type is known, to the end of the text.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    // The guard costs more than the reading, and only an error needs what it knows.
    let read = || {
        let mut source = serde_json::Deserializer::from_str(text);
        let value = T::deserialize(named(&mut source)).ok()?;
        source.end().ok().map(|()| value)
    };
    let again = || read_guarded(words::quoted(text).as_deref().unwrap_or(text));
    stacker::maybe_grow(ROOM, MORE_STACK, read).map_or_else(again, Ok)
}

fn read_guarded<T: DeserializeOwned>(text: &str) -> Result<T> {
    let guard = Guard::new(Rules::INPUT);
    let mut source = serde_json::Deserializer::from_str(text);
    let value = guard.read(named(&mut source)).and_then(|value| source.end().map(|()| value));
    value.map_err(|error| {
        let (path, source) = guard.error(error).into_parts();
        Error::Input { path, source }
    })
}

/// Returns the error of the parser, if an input was refused that is not JSON at all.
pub(crate) fn malformed(text: &str, error: Error) -> Error {
    let quoted = words::quoted(text);
    let parse = || serde_json::from_str::<IgnoredAny>(quoted.as_deref().unwrap_or(text)).err();
    match error {
        Error::Input { path, source } => match parse() {
            // The parser stops at nested values that a model may read.
            Some(error) if !error.to_string().starts_with("recursion limit") => {
                Error::Input { path: String::new(), source: error.into() }
            }
            _ => Error::Input { path, source },
        },
        error => error,
    }
}

/// Writes an output whose type is known.
pub(crate) fn write<T: Serialize>(value: &T) -> Result<String> {
    let guard = Guard::new(Rules::OUTPUT);
    let mut output = Vec::with_capacity(128);
    guard
        .value(value)
        .serialize(&mut serde_json::Serializer::new(&mut output))
        .map_err(|error| unwritable(guard.error(error)))?;
    text(output)
}

/// The same through a model that takes any format.
pub(crate) fn through(
    rules: Rules,
    input: &str,
    predict: impl FnOnce(
        &mut dyn erased_serde::Deserializer<'_>,
        &mut dyn erased_serde::Serializer,
    ) -> Result<()>,
) -> Result<String> {
    let mut output = Vec::new();
    let guard = Guard::new(rules);
    let mut source = serde_json::Deserializer::from_str(input);
    let mut sink = serde_json::Serializer::new(&mut output);
    predict(
        &mut <dyn erased_serde::Deserializer<'_>>::erase(&mut source),
        &mut <dyn erased_serde::Serializer>::erase(guard.serializer(&mut sink)),
    )
    .map_err(|error| match error {
        Error::Encode { source, .. } => unwritable(guard.error(source)),
        other => other,
    })?;
    source.end().map_err(|error| Error::Input { path: String::new(), source: error.into() })?;
    text(output)
}

fn text(output: Vec<u8>) -> Result<String> {
    String::from_utf8(output).map_err(unwritable)
}

fn unwritable(source: impl Into<crate::BoxError>) -> Error {
    Error::Encode { what: "the model's output".into(), source: source.into() }
}
