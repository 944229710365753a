//! JSON Lines.

use std::io::BufRead;

use larder_core::{Error, Result};
use serde_json::{Map, Value};

use crate::InputRow;

/// Maximum bytes of a line.
const MOST_LINE: u64 = 256 << 20;

/// Returns the rows of lines of JSON; of one JSON array, if the input begins with `[`.
pub(super) fn rows<'a>(
    mut input: Box<dyn BufRead + 'a>,
    name: String,
) -> Result<Box<dyn Iterator<Item = Result<InputRow>> + 'a>> {
    let failed = move |error| Error::store(format!("read {name}"), error);
    let mut line = Vec::new();
    // Skips blank lines, which are ignored, to the first character.
    loop {
        let start = input.fill_buf().map_err(&failed)?;
        let blank = start.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let is_end = start.is_empty() || blank < start.len();
        input.consume(blank);
        if is_end {
            break;
        }
    }
    if input.fill_buf().map_err(&failed)?.starts_with(b"[") {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes).map_err(&failed)?;
        let all: Vec<Value> = serde_json::from_slice(&bytes).map_err(|error| Error::Refused {
            action: "read rows of a JSON array".into(),
            reason: error.to_string(),
        })?;
        let rows = all.into_iter().map(|value| {
            Ok(match value {
                Value::Object(row) => InputRow::Row(row),
                other => {
                    InputRow::Bad { text: other.to_string(), reason: "it is not an object".into() }
                }
            })
        });
        return Ok(Box::new(rows));
    }
    let mut done = false;
    Ok(Box::new(std::iter::from_fn(move || {
        while !done {
            line.clear();
            match std::io::Read::take(&mut input, MOST_LINE).read_until(b'\n', &mut line) {
                Ok(0) => done = true,
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) => {
                    let bytes = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii();
                    return Some(Ok(match serde_json::from_slice::<Map<String, Value>>(bytes) {
                        Ok(row) => InputRow::Row(row),
                        Err(error) => InputRow::Bad {
                            text: String::from_utf8_lossy(bytes).into_owned(),
                            reason: format!("it is not a JSON object: {error}"),
                        },
                    }));
                }
                Err(error) => {
                    done = true;
                    return Some(Err(failed(error)));
                }
            }
        }
        None
    })))
}
