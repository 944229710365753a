//! `show`: details of a version.

use std::io;

use larder::extend::TypeEntry;
use larder::extend::manifest::ArtifactEntry;
use larder::store::Timestamp;
use larder::versions::Selector;
use larder::versions::{Annotations, ChildInfo, Difference, Source, TagInfo, VersionDetails};
use larder::{Larder, Reference, Registry, Signature, VersionInfo};
use larder_text::{describe, fold};
use serde::Serialize;
use serde_json::value::RawValue;

#[cfg(feature = "collections")]
use super::collection::shown;
use super::{note, tree};
use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Shows the details of a version: type, tags, fields and artifacts
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    /// Print the signature as JSON Schemas
    #[arg(long)]
    schema: bool,
    /// Print only the source text of a script or `#[codemodel]`
    #[arg(long)]
    source: bool,
    /// Print only the tree of the versions that it uses
    #[arg(long, conflicts_with = "source")]
    tree: bool,
}

#[derive(Serialize)]
struct Page<'a> {
    #[serde(flatten)]
    version: &'a VersionInfo,
    type_version: u32,
    linked: bool,
    rust_type: Option<&'static str>,
    tags: &'a [TagInfo],
    #[serde(flatten)]
    notes: &'a Annotations,
    name_locked: Option<Timestamp>,
    fields: &'a RawValue,
    artifacts: Vec<Artifact<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    uses: Vec<ChildInfo>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    used_by: Vec<String>,
    #[cfg(feature = "collections")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    listeners: Vec<larder::collections::ListenerStatus>,
    signature: Option<Signature>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    differences: &'a [Difference],
}

#[derive(Serialize)]
struct Artifact<'a> {
    #[serde(flatten)]
    entry: &'a ArtifactEntry,
    linked: bool,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let shown = larder.show(&args.reference)?;
    if args.source {
        return print_source(&shown, larder.registry(), output);
    }
    if args.tree {
        return tree::print(&shown.version, larder, output);
    }
    if output.is_quiet() {
        return Ok(output.references([&shown.version])?);
    }
    let mut page = page(&shown, larder.registry())?;
    page.signature = signature(&shown, larder);
    let pin = shown.version.reference();
    page.uses = larder.uses(pin.clone())?;
    let users = larder.used_by(pin)?;
    page.used_by = users.iter().map(|version| version.reference().to_string()).collect();
    #[cfg(feature = "collections")]
    {
        page.listeners = shown::statuses(&shown.version, larder)?;
    }
    if output.is_json() {
        output.document(page)?
    } else {
        print(&page, args.schema, output)?
    }
    Ok(())
}

fn page<'a>(shown: &'a VersionDetails, registry: &Registry) -> io::Result<Page<'a>> {
    let entry = linked_type(shown, registry);
    let serializers: Vec<_> = registry.serializers().map(|known| known.name).collect();
    let artifact = |entry: &'a ArtifactEntry| Artifact {
        entry,
        linked: serializers.contains(&entry.serializer),
    };
    Ok(Page {
        version: &shown.version,
        type_version: shown.manifest.type_version(),
        linked: entry.is_some(),
        rust_type: entry.map(TypeEntry::rust_type),
        tags: &shown.tags,
        notes: &shown.annotations,
        name_locked: shown.name_locked,
        fields: serde_json::from_str(shown.manifest.fields())?,
        artifacts: shown.manifest.artifacts().iter().map(artifact).collect(),
        uses: Vec::new(),
        used_by: Vec::new(),
        #[cfg(feature = "collections")]
        listeners: Vec::new(),
        signature: None,
        differences: &shown.differences,
    })
}

/// The signature of the type, or of the model itself.
fn signature(shown: &VersionDetails, larder: &Larder) -> Option<Signature> {
    let entry = linked_type(shown, larder.registry())?;
    if !entry.has_own_signatures() {
        return entry.signature();
    }
    // Damaged versions are shown as far as possible.
    let component = larder.load_component(shown.version.reference()).ok()?;
    let signature = component.as_model().map(|model| model.signature());
    signature.filter(|signature| *signature != Signature::default())
}

fn linked_type<'a>(shown: &VersionDetails, registry: &'a Registry) -> Option<&'a TypeEntry> {
    registry.find(shown.manifest.type_tag().as_str())
}

#[derive(Serialize)]
struct Sources<'a> {
    source: &'a Source,
    /// The source that runs here.
    linked_source: Option<&'a Source>,
}

fn print_source(
    shown: &VersionDetails,
    registry: &Registry,
    output: &mut Output,
) -> Result<(), CommandError> {
    let Some(source) = &shown.manifest.source() else {
        let VersionInfo { identifier, version, .. } = &shown.version;
        let what = Reference::new(identifier.clone(), Selector::Version(*version));
        return Err(CommandError::new(
            Exit::Failure,
            format!("cannot show the source of {what}: it has none"),
        )
        .with_hint("only scripts and `#[codemodel]` components have source text"));
    };
    let linked_source = linked_type(shown, registry).and_then(TypeEntry::source);
    if output.is_json() {
        return Ok(output.document(Sources { source, linked_source })?);
    }
    for line in source.text.lines() {
        let line: Vec<_> = line.split('\t').map(text::clean).collect();
        output.line(&line.join("\t"))?;
    }
    if linked_source.is_some_and(|linked| linked.text != source.text) {
        output.say(format_args!(
            "the linked source differs, and is what runs; `--format json` prints both"
        ));
    }
    Ok(())
}

fn print(page: &Page<'_>, schema: bool, output: &mut Output) -> io::Result<()> {
    let Page { version, .. } = page;
    let linked = match page.rust_type {
        Some(rust_type) => format!("linked in as {rust_type}"),
        None => "not linked in".to_owned(),
    };
    let type_version = match page.type_version {
        1 => String::new(),
        version => format!(", version {version}"),
    };
    let tag = |tag: &TagInfo| match tag.protected {
        true => format!("{} (protected)", tag.tag),
        false => tag.tag.to_string(),
    };
    let tags: Vec<_> = page.tags.iter().map(tag).collect();
    let mut rows = vec![
        ("name", version.identifier.to_string()),
        ("version", version.version.to_string()),
        ("tags", if tags.is_empty() { "none".into() } else { tags.join(", ") }),
        ("type", format!("{}{type_version} ({linked})", version.type_tag)),
        ("crate", version.origin.clone().unwrap_or_else(|| "unknown".into())),
        ("created", text::time(version.created)),
        ("size", text::size(version.size)),
        ("digest", version.digest.to_string()),
    ];
    if !version.status.is_ready() {
        let failure = version.failure.as_deref().map(|failure| format!(": {failure}"));
        rows.push(("status", format!("{}{}", version.status, failure.unwrap_or_default())));
    }
    if let Some(toolchain) = &version.toolchain {
        rows.push(("rustc", toolchain.rustc.clone()));
        rows.push(("target", toolchain.target.clone()));
        if let Some(features) = &toolchain.features {
            let none = features.is_empty().then(|| "none".to_owned());
            rows.push(("features", none.unwrap_or_else(|| features.join(", "))));
        }
        if let Some(lockfile) = &toolchain.lockfile {
            rows.push(("lockfile", lockfile.to_string()));
        }
    }
    if !page.uses.is_empty() {
        rows.push(("uses", some_of(page.uses.iter().map(tree::describe))));
    }
    if !page.used_by.is_empty() {
        rows.push(("used by", some_of(page.used_by.iter().cloned())));
    }
    #[cfg(feature = "collections")]
    {
        rows.extend(shown::trained_on(page.fields.get()).map(|on| ("trained on", on)));
        rows.extend(page.listeners.iter().map(shown::line));
    }
    for difference in page.differences {
        rows.push(("differs", difference.to_string()));
    }
    let mut rows: Vec<_> = rows.into_iter().map(|(key, value)| [key.to_owned(), value]).collect();
    rows.extend(note::rows(page.notes));
    if let Some(since) = page.name_locked {
        rows.push(["locked".into(), format!("with its name, since {}", text::time(since))]);
    }
    output.columns(rows)?;
    output.line("\nfields:")?;
    let (fields, folded) = fold(page.fields.get());
    output.line(&text::pretty_json(&fields))?;
    if folded {
        output.line("(folded; `--format json` prints everything)")?;
    }
    if !page.artifacts.is_empty() {
        output.line("\nartifacts:")?;
        let rows: Vec<_> = page.artifacts.iter().map(Artifact::row).collect();
        output.columns(rows)?;
    }
    if !schema {
        let fields = serde_json::from_str(page.fields.get()).unwrap_or_default();
        let signature = page.signature.as_ref();
        let signature = signature.map(|it| (it.input.as_value(), it.output.as_value()));
        if let Some(line) = describe(version.type_tag.as_str(), &fields, signature) {
            output.line(&format!("\nsignature:\n{}", text::clean(&line)))?;
        }
    } else if let Some(signature) = &page.signature {
        output.line("\nsignature:")?;
        for (side, schema) in [("input ", &signature.input), ("output", &signature.output)] {
            let json = serde_json::to_string(schema)?;
            output.line(&format!("{side}  {}", text::clean_json(&json)))?;
        }
    }
    Ok(())
}

/// Formats the first few, and the number of others.
fn some_of(names: impl ExactSizeIterator<Item = String>) -> String {
    const MOST: usize = 5;
    let more = names.len().saturating_sub(MOST);
    let named: Vec<_> = names.take(MOST).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

impl Artifact<'_> {
    fn row(&self) -> [String; 3] {
        let ArtifactEntry { digest, size, serializer, .. } = self.entry;
        let linked = if self.linked { "" } else { " (not linked in)" };
        [digest.to_string(), text::size(*size), format!("{serializer}{linked}")]
    }
}
