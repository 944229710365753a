//! `verify`: whether stored bytes are what was written.

use std::io;

use larder::{Checked, Larder, Reference};

use crate::command_error::{CommandError, Exit};
use crate::output::Output;
use crate::text;

/// Reads versions to the last byte and lists what is damaged; exit code 4 if anything is
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The versions: `name`, `name:tag`, `name@7` or `name@b3:1f2e`; every version if there is none
    #[arg(value_name = "REF")]
    references: Vec<Reference>,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let checked = larder.verify(&args.references)?;
    let printed = print(&checked, output);
    match checked.findings.len() as u64 {
        0 => Ok(printed?),
        // Faults count for more than a reader that has gone away.
        faults => {
            let (faults, url) = (text::count(faults, "fault"), larder.store().url());
            Err(CommandError::new(Exit::Corrupt, format!("{faults} in {url}"))
                .with_hint("restore what is damaged from a copy"))
        }
    }
}

fn print(checked: &Checked, output: &mut Output) -> io::Result<()> {
    if output.is_json() {
        return output.document(checked);
    }
    if !checked.findings.is_empty() {
        output.table(
            ["WHAT", "BLOB", "FAULT"],
            checked.findings.iter().map(|finding| {
                let blob = finding.digest.map_or_else(|| "-".into(), |digest| digest.short());
                [finding.what.clone(), blob, finding.fault.clone()]
            }),
        )?;
    }
    let sound = if checked.findings.is_empty() { ": all sound" } else { "" };
    output.say(format!(
        "read {}, {}, {}{sound}",
        text::count(checked.versions, "version"),
        text::count(checked.blobs, "blob"),
        text::size(checked.bytes)
    ));
    Ok(())
}
