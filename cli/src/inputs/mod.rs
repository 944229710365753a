//! Inputs of models in files that are not JSON: NumPy's arrays and tables.

mod npy;
mod npz;
mod table;

use std::path::Path;

use larder::Model;

use crate::command_error::{CommandError, Exit};

/// Maximum size of an input in JSON, and of a file inside an archive, in bytes.
const MAX_BYTES: usize = 1 << 30;

/// The format of a file, by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Npy,
    Npz,
    Csv,
}

impl Format {
    pub(crate) fn of(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("npy") => Self::Npy,
            Some("npz") => Self::Npz,
            Some("csv") => Self::Csv,
            _ => Self::Json,
        }
    }
}

/// Predicts for a file that is not JSON.
pub(crate) fn predict(
    model: &dyn Model,
    format: Format,
    name: &str,
    bytes: &[u8],
) -> Result<String, CommandError> {
    let failed = |reason: String| {
        CommandError::new(Exit::Failure, reason).context(format!("cannot read {name}"))
    };
    Ok(match format {
        Format::Json | Format::Npy => model.predict_json(&npy::to_json(bytes).map_err(failed)?)?,
        Format::Npz => model.predict_json(&npz::to_json(bytes).map_err(failed)?)?,
        Format::Csv => {
            let rows = table::to_json(bytes, &model.signature().input).map_err(failed)?;
            model.predict_batch_json(&rows)?
        }
    })
}
