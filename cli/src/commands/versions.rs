//! `versions`: the versions of a name.

use larder::versions::TagInfo;
use larder::{Identifier, Larder, VersionInfo};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Lists the versions of a name, oldest first
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name, such as `wine/quality`
    #[arg(add = complete::names())]
    name: Qualified<Identifier>,
}

#[derive(Serialize)]
struct Versions<'a> {
    versions: Vec<Version<'a>>,
}

#[derive(Serialize)]
struct Version<'a> {
    #[serde(flatten)]
    info: &'a VersionInfo,
    tags: Vec<&'a TagInfo>,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let versions = larder.versions(&args.name)?;
    let tags = larder.tags().of(&args.name)?;
    let versions = versions.iter().map(|info| Version { info, tags: tags_of(info, &tags) });
    if output.is_json() {
        output.document(Versions { versions: versions.collect() })?;
    } else if output.is_quiet() {
        output.references(versions.map(|version| version.info))?;
    } else {
        let row = |Version { info, tags }: Version<'_>| {
            [
                text::version(info),
                tags.iter().map(|tag| tag.tag.as_str()).collect::<Vec<_>>().join(", "),
                info.type_tag.to_string(),
                text::size(info.size),
                output.time(info.created),
                info.digest.short(),
            ]
        };
        let rows: Vec<_> = versions.map(row).collect();
        output.table(["VERSION", "TAGS", "TYPE", "SIZE", "CREATED", "DIGEST"], rows)?;
    }
    Ok(())
}

fn tags_of<'a>(version: &VersionInfo, tags: &'a [TagInfo]) -> Vec<&'a TagInfo> {
    tags.iter().filter(|tag| tag.version == version.version).collect()
}
