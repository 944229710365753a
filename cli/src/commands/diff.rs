//! `diff`: the differences between two versions.

use std::io;

use larder::maintenance::LarderMaintenance;
use larder::maintenance::diff::{Diff, FieldDiff, FieldValue, Overlap, Side};
use larder::{Larder, Registry, StoreUrl};
use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::open::{open, open_other};
use crate::output::Output;
use crate::qualified::IndependentReference;
use crate::text;

/// Shows the differences between two versions, by field and file
///
/// They may be in two larders: `larder diff wine s3://bucket/team#wine:prod`. Only manifests are read, so the types
/// need not be linked in. The exit code is 0 if the versions are the same, 1 if they differ, and 2 or more on an error.
/// `--quiet` prints nothing.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The old version: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "OLD", add = complete::references())]
    old: IndependentReference,
    /// The new version
    #[arg(value_name = "NEW", add = complete::references())]
    new: IndependentReference,
}

#[derive(Serialize)]
struct Document<'a> {
    same: bool,
    #[serde(flatten)]
    diff: &'a Diff,
}

pub(crate) fn run(
    args: &Args,
    default: impl Fn() -> larder::Result<StoreUrl>,
    registry: impl FnOnce() -> larder::Result<Registry>,
    output: &mut Output,
) -> Result<(), CommandError> {
    match print_differences(args, default, registry, output) {
        Ok(false) => Ok(()),
        Ok(true) => Err(CommandError::silent(Exit::Failure)),
        // 1 means that they differ.
        Err(error) => Err(error.or_worse_than_failure()),
    }
}

/// Prints the differences, and returns whether there are any.
fn print_differences(
    args: &Args,
    default: impl Fn() -> larder::Result<StoreUrl>,
    registry: impl FnOnce() -> larder::Result<Registry>,
    output: &mut Output,
) -> Result<bool, CommandError> {
    let url = |at: &IndependentReference| at.store().cloned().map_or_else(&default, Ok);
    let (old, new) = (url(&args.old)?, url(&args.new)?);
    let larder = open(&old, registry()?)?;
    let diff = if old == new {
        larder.diff(&args.old, &args.new)?
    } else {
        let other = Larder::new(open_other(&new, &larder)?, Registry::new());
        larder.diff_with(&args.old, &other, &args.new)?
    };
    if output.is_json() {
        output.document(Document { same: diff.is_same(), diff: &diff })?;
    } else if !output.is_quiet() {
        print(&diff, output)?;
    }
    output.flush()?;
    Ok(!diff.is_same())
}

/// Prints a line for each difference, and a summary.
pub(crate) fn print(diff: &Diff, output: &mut Output) -> io::Result<()> {
    if let Some(old) = &diff.old {
        if diff.is_same() {
            let (old, new) = (old.reference(), diff.new.reference());
            output.say(format_args!("{old} and {new} are the same"));
            return Ok(());
        }
        let types = [old, &diff.new].map(type_of);
        if types[0] != types[1] {
            output.line(&format!("type  {} -> {}", types[0], types[1]))?;
        }
    }
    output.columns(diff.changes().map(row).collect())?;
    let counts = &diff.counts;
    let left_out = counts.differing() - diff.changes().count() as u64;
    if left_out > 0 {
        output.say(format_args!("and {left_out} more"));
    }
    if counts.differing() == 0 {
        output.say("the fields are the same, but their JSON differs");
    }
    let summary = [
        (counts.changed, "changed"),
        (counts.added, "added"),
        (counts.removed, "removed"),
        (counts.same, "the same"),
    ];
    let summary = summary.iter().filter(|(count, _)| *count > 0);
    let summary: Vec<_> = summary.map(|(count, what)| format!("{count} {what}")).collect();
    output.say(format_args!("{}{}", summary.join(", "), shared(diff.bytes, diff.old.as_ref())));
    Ok(())
}

fn type_of(side: &Side) -> String {
    match side.type_version {
        1 => side.type_tag.to_string(),
        version => format!("{}, version {version}", side.type_tag),
    }
}

fn shared(bytes: Overlap, old: Option<&Side>) -> String {
    let Overlap { both, old: before, new, .. } = bytes;
    match old {
        Some(_) if both + before + new > 0 => format!(
            "; artifacts: {} in both, {} only in old, {} only in new",
            text::size(both),
            text::size(before),
            text::size(new)
        ),
        _ => String::new(),
    }
}

fn row(field: &FieldDiff) -> [String; 3] {
    let path = match field.path.as_str() {
        "" => ".".into(),
        path => text::clean(path).into_owned(),
    };
    let values: Vec<_> = [&field.old, &field.new].into_iter().flatten().map(value).collect();
    let mut values = values.join(" -> ");
    if let Some(shared) = field.shared {
        values += &format!(", {} shared", text::size(shared));
    }
    if field.reordered {
        values += " (the same items in another order)";
    }
    [field.state.as_str().into(), path, values]
}

fn value(value: &FieldValue) -> String {
    match value {
        FieldValue::Json(json) => text::clean(json).into_owned(),
        FieldValue::Artifact { digest, size, serializer, held } => {
            let held = match held {
                0 => String::new(),
                held => format!(" + {} nested", text::size(*held)),
            };
            format!("{} ({}, {}{held})", digest.short(), text::clean(serializer), text::size(*size))
        }
        FieldValue::File { digest, size, executable } => {
            let executable = if *executable { ", executable" } else { "" };
            format!("{} ({}{executable})", digest.short(), text::size(*size))
        }
        FieldValue::Folder => "an empty folder".into(),
        _ => String::new(),
    }
}
