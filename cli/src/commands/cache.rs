//! `cache`: the local cache of remote blobs.

use std::path::Path;

use larder::store::BlobCount;
use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::output::Output;
use crate::text;

/// Shows or empties the local cache of remote blobs
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Shows its path and size
    Info,
    /// Removes everything from it
    Clear,
}

#[derive(Serialize)]
struct Info<'a> {
    path: &'a Path,
    limit: u64,
    blobs: BlobCount,
}

#[derive(Serialize)]
struct Cleared {
    removed: BlobCount,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Result<(), CommandError> {
    let cache = larder::cache::user_blob_cache()?.ok_or_else(|| {
        CommandError::new(Exit::Failure, "cannot find the cache folder of this user")
            .with_hint("set `XDG_CACHE_HOME` or `HOME`")
    })?;
    let describe = |amount: BlobCount| {
        format!("{}, {}", text::count(amount.count, "blob"), text::size(amount.bytes))
    };
    match args.action {
        Action::Info => {
            let (path, limit, blobs) = (cache.root(), cache.limit(), cache.amount()?);
            if output.is_json() {
                return Ok(output.document(Info { path, limit, blobs })?);
            }
            let rows = [
                ("path", path.display().to_string()),
                ("holds", describe(blobs)),
                ("limit", text::size(limit)),
            ];
            output.columns(rows.map(|(key, value)| [key.to_owned(), value]).into())?;
        }
        Action::Clear => {
            let removed = cache.clear()?;
            if output.is_json() {
                return Ok(output.document(Cleared { removed })?);
            }
            output.say(format!("removed {}", describe(removed)));
        }
    }
    Ok(())
}
