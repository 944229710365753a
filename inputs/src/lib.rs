//! Inputs of models in files that are not JSON: NumPy's arrays, and tables.
//!
//! ```
//! use larder_inputs::{Format, Input, read};
//!
//! let schema = serde_json::json!({ "type": "object", "properties": { "area": { "type": "number" } } }).try_into().unwrap();
//! let read = read(Format::Csv, b"area\n120\n80\n", &schema).unwrap();
//! assert_eq!(read, Input::Rows(r#"[{"area":120},{"area":80}]"#.into()));
//! assert_eq!(Format::of("arrays.npz".as_ref()), Format::Npz);
//! ```

#![forbid(unsafe_code)]

mod npy;
mod npz;
mod table;

use std::path::Path;

use schemars::Schema;

/// Maximum size of an input in JSON, and of a file inside an archive, in bytes.
const MAX_BYTES: usize = 1 << 30;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// One array of NumPy.
    Npy,
    /// Arrays of NumPy by name.
    Npz,
    /// A table with a header: a row for each input.
    Csv,
}

impl Format {
    /// Returns the format by the extension of a path; JSON for an unknown one.
    pub fn of(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("npy") => Self::Npy,
            Some("npz") => Self::Npz,
            Some("csv") => Self::Csv,
            _ => Self::Json,
        }
    }
}

/// The content of a file, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// One input.
    One(String),
    /// An array of inputs.
    Rows(String),
}

/// Converts a file to JSON. `schema` is that of the model's input, by which the columns of a table are matched.
///
/// # Errors
/// A text that says why the file cannot be read.
pub fn read(format: Format, bytes: &[u8], schema: &Schema) -> Result<Input, String> {
    match format {
        Format::Json => std::str::from_utf8(bytes)
            .map(|json| Input::One(json.to_owned()))
            .map_err(|error| error.to_string()),
        Format::Npy => npy::to_json(bytes).map(Input::One),
        Format::Npz => npz::to_json(bytes).map(Input::One),
        Format::Csv => table::to_json(bytes, schema).map(Input::Rows),
    }
}
