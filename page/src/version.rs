//! A version: everything that is known of it.

use askama::Template;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_access::Resource;
use larder_core::extend::TypeEntry;
use larder_core::store::{Action, TypeTag};
use larder_core::versions::VersionDetails;
use larder_core::{Identifier, Larder, Reference, Signature, VersionInfo};
use larder_server::extend::{Context, Failure, Guard, Route};
use larder_text::{clean, describe, fold, pretty_json, size};
use serde_json::Value;

use crate::frame::{Frame, render};
use crate::snippets::{Snippet, snippets};
use crate::tensors::{self, Tensor, Tensors};
use crate::view::{Tabs, When, collection_of, plain};

/// The maximum number of characters of JSON or source text on the page.
const MOST_TEXT: usize = 60_000;
/// The maximum number of artifacts and of related versions that are listed.
const MOST_LISTED: usize = 200;

pub(crate) fn routes() -> Vec<Route> {
    let of_version = Guard::On(Action::Read, crate::paths::referred);
    vec![Route::new(Method::GET, "/ui/version/{*rest}", of_version, version)]
}

/// A heading and its text.
struct Fact {
    name: &'static str,
    text: String,
    /// Where it leads, if it does.
    link: Option<String>,
    is_code: bool,
}

struct Artifact {
    digest: String,
    size: String,
    serializer: String,
    is_linked: bool,
}

struct Source {
    language: String,
    file: String,
    text: String,
    /// The source that runs here is another.
    differs: bool,
}

/// A version that is related.
pub(crate) struct Related {
    pub(crate) name: String,
    /// `None` if it was removed.
    pub(crate) link: Option<String>,
    pub(crate) type_tag: String,
}

#[derive(Template)]
#[template(path = "version.html")]
struct Version {
    frame: Frame,
    tabs: Tabs,
    reference: String,
    status: Option<String>,
    description: Option<String>,
    facts: Vec<Fact>,
    tags: Vec<(String, bool)>,
    labels: Vec<(String, String)>,
    metrics: Vec<(String, f64)>,
    signature: Option<String>,
    schemas: Vec<(&'static str, String)>,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    tensors: Tensors,
    manifest: String,
    is_folded: bool,
    artifacts: Vec<Artifact>,
    more_artifacts: usize,
    source: Option<Source>,
    uses: Vec<Related>,
    used_by: Vec<Related>,
    snippets: Vec<Snippet>,
}

/// The data of a version that the page shows.
struct Read {
    shown: VersionDetails,
    signature: Option<Signature>,
    tensors: Tensors,
    uses: Vec<Related>,
    used_by: Vec<Related>,
}

async fn version(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let reference: Reference = rest.parse()?;
    let of = context.clone();
    let read = context.blocking(move || read(&of, of.larder(), &reference)).await?;
    let registry = context.larder().registry();
    let Read { shown, signature, tensors, uses, used_by } = read;
    let VersionDetails { version, manifest, annotations, .. } = &shown;
    let entry = registry.find(manifest.type_tag().as_str());
    let fields: Value = serde_json::from_str(manifest.fields()).unwrap_or_default();
    let schemas = signature.as_ref().map(|it| (it.input.as_value(), it.output.as_value()));
    let line = describe(version.type_tag.as_str(), &fields, schemas);
    let (folded, is_folded) = fold(manifest.fields());
    let mut manifest_text = pretty_json(&folded);
    let is_cut = cut(&mut manifest_text);
    let serializers: Vec<String> = registry.serializers().map(|known| known.name).collect();
    let artifact = |entry: &larder_core::manifest::ArtifactEntry| Artifact {
        digest: entry.digest.to_string(),
        size: size(entry.size),
        serializer: plain(&entry.serializer),
        is_linked: serializers.contains(&entry.serializer),
    };
    let source = manifest.source().map(|source| {
        let linked = entry.and_then(TypeEntry::source);
        let mut text = lines(&source.text);
        cut(&mut text);
        Source {
            language: plain(&source.language),
            file: plain(&source.file),
            text,
            differs: linked.is_some_and(|linked| linked.text != source.text),
        }
    });
    let pin = version.reference();
    let is_model = signature.is_some();
    let screen = Version {
        frame: Frame::new(&context, request.headers(), pin.to_string(), "/ui").await,
        tabs: Tabs::new(&context, &version.identifier, &pin, "version").on(
            &context,
            &version.type_tag,
            Some(version.version),
        ),
        reference: pin.to_string(),
        status: (!version.status.is_ready()).then(|| version.status.to_string()),
        description: annotations.description.as_deref().map(lines),
        facts: facts(&shown, entry),
        tags: shown.tags.iter().map(|tag| (tag.tag.to_string(), tag.protected)).collect(),
        labels: annotations.labels.iter().map(|(key, it)| (key.clone(), plain(it))).collect(),
        metrics: annotations.metrics.clone().into_iter().collect(),
        signature: line.map(|line| plain(&line)),
        schemas: schemas.map(|(input, output)| json(input, output)).unwrap_or_default(),
        inputs: ports(version, &fields, "inputs"),
        outputs: ports(version, &fields, "outputs"),
        tensors,
        manifest: manifest_text,
        is_folded: is_folded || is_cut,
        artifacts: manifest.artifacts().iter().take(MOST_LISTED).map(artifact).collect(),
        more_artifacts: manifest.artifacts().len().saturating_sub(MOST_LISTED),
        source,
        uses,
        used_by,
        snippets: snippets(&context, request.headers(), &pin, &version.type_tag, entry, is_model),
    };
    render(&screen)
}

fn read(context: &Context, larder: &Larder, reference: &Reference) -> Result<Read, Failure> {
    let shown = larder.show(reference.clone())?;
    let pin = shown.version.reference();
    let uses = larder.uses(pin.clone())?.into_iter().take(MOST_LISTED).map(|child| {
        let version = child.version.map(|version| format!("{}@{}", child.name, version.get()));
        let may = context.may(Action::Read, &Resource::Name(child.name.clone()));
        Related {
            name: version.clone().unwrap_or_else(|| format!("{} (removed)", child.name)),
            link: version
                .filter(|_| may)
                .map(|version| link(&child.name, &version, child.type_tag.as_ref())),
            type_tag: child.type_tag.map(|tag| tag.to_string()).unwrap_or_default(),
        }
    });
    let uses = uses.collect();
    let used_by = larder.used_by(pin)?.into_iter();
    // Names that the user may not read are left out.
    let used_by =
        used_by.filter(|user| context.may(Action::Read, &Resource::Name(user.identifier.clone())));
    let used_by = used_by.take(MOST_LISTED).map(|user| Related {
        name: user.reference().to_string(),
        link: Some(link(&user.identifier, &user.reference().to_string(), Some(&user.type_tag))),
        type_tag: user.type_tag.to_string(),
    });
    let used_by = used_by.collect();
    let signature = signature(context, &shown);
    let tensors = tensors::of(larder, shown.manifest.artifacts());
    Ok(Read { shown, signature, tensors, uses, used_by })
}

/// The screen of a related version: of a collection its rows, of a listener the models of its collection.
fn link(name: &Identifier, reference: &str, type_tag: Option<&TypeTag>) -> String {
    let collection = type_tag.and_then(|tag| collection_of(name, tag.as_str()));
    match (collection, reference.rsplit_once('@')) {
        (Some(of), Some((_, number))) if of == *name => {
            format!("/ui/collection/{of}?version={number}")
        }
        (Some(of), _) => format!("/ui/listeners/{of}"),
        _ => format!("/ui/version/{reference}"),
    }
}

/// The signature of the type, or of the model itself. A damaged version is shown as far as possible.
fn signature(context: &Context, shown: &VersionDetails) -> Option<Signature> {
    let entry = context.larder().registry().find(shown.manifest.type_tag().as_str())?;
    if !entry.has_own_signatures() {
        return entry.signature();
    }
    // The pool keeps models within its memory, and what was asked for twice is loaded once.
    let model = context.serving().model(&shown.version.reference()).ok()?;
    Some(model.signature()).filter(|signature| *signature != Signature::default())
}

fn facts(shown: &VersionDetails, entry: Option<&TypeEntry>) -> Vec<Fact> {
    let VersionInfo { type_tag, digest, created, origin, toolchain, job, failure, .. } =
        &shown.version;
    let fact = |name, text: String| Fact { name, text: plain(&text), link: None, is_code: false };
    let code = |name, text: String| Fact { name, text, link: None, is_code: true };
    let type_version = match shown.manifest.type_version() {
        1 => String::new(),
        version => format!(", version {version}"),
    };
    let linked = match entry.map(TypeEntry::rust_type) {
        Some(rust_type) => format!(" (linked in as {rust_type})"),
        None => " (not linked in)".to_owned(),
    };
    let created = When::new(*created);
    let mut facts = vec![
        fact("Type", format!("{type_tag}{type_version}{linked}")),
        fact("Created", format!("{} ({})", created.exact, created.age)),
        fact("Size", size(shown.version.size)),
        code("Digest", digest.to_string()),
        fact("Crate", origin.clone().unwrap_or_else(|| "unknown".into())),
    ];
    if let Some(failure) = failure {
        facts.push(fact("Failure", failure.clone()));
    }
    if let Some(job) = job {
        let link = Some(format!("/ui/job/{job}"));
        facts.push(Fact { name: "Published by", text: job.to_string(), link, is_code: true });
    }
    if let Some(toolchain) = toolchain {
        facts.push(fact("Compiler", format!("{} for {}", toolchain.rustc, toolchain.target)));
        if let Some(features) = toolchain.features.as_ref().filter(|it| !it.is_empty()) {
            facts.push(fact("Features", features.join(", ")));
        }
        if let Some(lockfile) = &toolchain.lockfile {
            facts.push(code("Lock file", lockfile.to_string()));
        }
    }
    for difference in &shown.differences {
        facts.push(fact("Differs here", difference.to_string()));
    }
    let locked = shown.annotations.locked.or(shown.name_locked);
    if let Some(since) = locked {
        facts.push(fact("Locked", format!("since {}", When::new(since).exact)));
    }
    facts
}

fn ports(version: &VersionInfo, fields: &Value, side: &str) -> Vec<Tensor> {
    match version.type_tag.as_str() {
        "larder/onnx" => tensors::ports(fields, side),
        _ => Vec::new(),
    }
}

/// The schemas, for people.
fn json(input: &Value, output: &Value) -> Vec<(&'static str, String)> {
    let text = |schema: &Value| {
        let mut text = pretty_json(&schema.to_string());
        cut(&mut text);
        text
    };
    let sides = [("Input", input), ("Output", output)];
    // `true` allows everything, and tells nothing.
    sides.into_iter().filter(|(_, it)| it.is_object()).map(|(side, it)| (side, text(it))).collect()
}

/// Shortens a text that is too long, and returns whether it was.
fn cut(text: &mut String) -> bool {
    match text.char_indices().nth(MOST_TEXT) {
        Some((at, _)) => {
            text.truncate(at);
            text.push('…');
            true
        }
        None => false,
    }
}

/// Source text without characters that hide or turn others.
fn lines(text: &str) -> String {
    let line = |line: &str| line.split('\t').map(clean).collect::<Vec<_>>().join("\t");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
