//! `export`: writing versions to a folder or a file.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use larder::Larder;
use larder::archive::{self, Exported, Form};
use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::Output;
use crate::qualified::{self, Qualified};
use crate::text;

/// Writes versions and their tags to a folder or a file, for `import`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The versions: `name`, `name:tag`, `name@7` or `name@b3:1f2e`; all if none is given
    #[arg(value_name = "REF", add = complete::references())]
    references: Vec<Qualified>,
    /// The path, which must not exist; `-` for standard output
    #[arg(long, short, value_name = "PATH")]
    output: PathBuf,
    /// The form; by default chosen by the extension: `.tar`, `.tar.zst`, or a folder
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<As>,
    /// Export all versions of the names
    #[arg(long)]
    all_versions: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum As {
    /// A folder, which is a larder
    Folder,
    /// A tar file
    Tar,
    /// A compressed tar file
    #[value(name = "tar.zst")]
    TarZst,
}

#[derive(Serialize)]
struct Document<'a> {
    path: String,
    #[serde(flatten)]
    exported: &'a Exported,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let is_stdout = args.output == Path::new("-");
    let form = match args.form {
        Some(As::Folder) if is_stdout => {
            let message = "cannot export to standard output: a folder is no stream";
            return Err(CommandError::new(Exit::Usage, message).with_hint("use `--as tar`"));
        }
        Some(As::Folder) => Form::Folder,
        Some(As::Tar) => Form::Tar,
        Some(As::TarZst) => Form::TarZst,
        None if is_stdout => Form::Tar,
        None => Form::of(&args.output)?,
    };
    let (references, all) = (qualified::plain(&args.references), args.all_versions);
    let selection = qualified::selection(&references);
    if is_stdout {
        let exported = archive::write(larder, selection, all, form, output.writer())?;
        output.say(format!("wrote {}", summary(&exported)));
        return Ok(());
    }
    let exported = archive::export(larder, selection, all, &args.output, form)?;
    let path = args.output.display().to_string();
    if output.is_json() {
        return Ok(output.document(Document { path, exported: &exported })?);
    }
    output.say(format!("wrote {path}: {}", summary(&exported)));
    Ok(())
}

fn summary(exported: &Exported) -> String {
    format!(
        "{}, {}, {}",
        text::count(exported.versions, "version"),
        text::count(exported.blobs, "blob"),
        text::size(exported.bytes)
    )
}
