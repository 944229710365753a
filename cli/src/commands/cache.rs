//! `cache`: the blobs of remote larders that are kept on this machine.

use std::path::Path;

use larder::store::BlobCount;
use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::output::Output;
use crate::text;

/// Shows or empties the cache: blobs of remote larders that are kept on this machine
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Shows where it is, and how much it holds
    Info,
    /// Removes all that it holds; it fills again by being used
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
        CommandError::new(Exit::Failure, "there is no cache folder for this user")
            .with_hint("`XDG_CACHE_HOME` or `HOME` says where it is")
    })?;
    let told = |amount: BlobCount| {
        format!("{}, {}", text::count(amount.count, "blob"), text::size(amount.bytes))
    };
    match args.what {
        What::Info => {
            let (path, limit, blobs) = (cache.root(), cache.limit(), cache.amount()?);
            if output.is_json() {
                return Ok(output.document(Info { path, limit, blobs })?);
            }
            let rows = [
                ("path", path.display().to_string()),
                ("holds", told(blobs)),
                ("limit", text::size(limit)),
            ];
            output.columns(rows.map(|(key, value)| [key.to_owned(), value]).into())?;
        }
        What::Clear => {
            let removed = cache.clear()?;
            if output.is_json() {
                return Ok(output.document(Cleared { removed })?);
            }
            output.say(format!("removed {}", told(removed)));
        }
    }
    Ok(())
}
