//! Batches, split into requests of bounded size.

use bytes::{BufMut, BytesMut};
use larder_store::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Called, encode};

/// Maximum number of inputs of one request.
const MAX_ROWS: usize = 1_000;
/// Number of bytes after which a request ends. One input may be larger.
const MAX_BYTES: usize = 1 << 20;
/// The beginning and the end of a request.
const HEAD: &[u8] = b"{\"inputs\":[";
const TAIL: &[u8] = b"]}";

#[derive(Deserialize)]
struct Outputs<O> {
    outputs: Vec<O>,
}

/// Predicts from all inputs.
pub(super) fn predict<I, O>(called: &Called, inputs: &[I]) -> Result<Vec<O>>
where
    I: Serialize,
    O: DeserializeOwned,
{
    let mut outputs = Vec::with_capacity(inputs.len());
    let (mut body, mut rows) = (BytesMut::from(HEAD), 0);
    for (at, input) in inputs.iter().enumerate() {
        if rows > 0 {
            body.put_u8(b',');
        }
        body.extend_from_slice(&encode(input)?);
        rows += 1;
        if rows < MAX_ROWS && body.len() < MAX_BYTES && at + 1 < inputs.len() {
            continue;
        }
        body.extend_from_slice(TAIL);
        let full = std::mem::replace(&mut body, BytesMut::from(HEAD)).freeze();
        let answer: Outputs<O> = called.post(full)?;
        if answer.outputs.len() != rows {
            let found = answer.outputs.len();
            let action = format!("predict with {} at {}", called.reference, called.shown);
            return Err(Error::store(action, format!("it has {found} outputs for {rows} inputs")));
        }
        outputs.extend(answer.outputs);
        rows = 0;
    }
    Ok(outputs)
}
