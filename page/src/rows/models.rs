//! The models of a collection: those that listen to it, and those that learnt from it.

use askama::Template;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_access::Resource;
use larder_core::store::Action;
use larder_core::{Identifier, Reference};
use larder_listeners::ListenerStatus;
use larder_server::extend::{Context, Failure, Guard, Route};

use super::handles::{self, Handle};
use super::shape::SECTION;
use crate::frame::{Frame, render};
use crate::view::{Tabs, counted, plain};

/// The maximum number of versions, the newest, of which it is shown who learnt from them.
const MOST_VERSIONS: usize = 50;
/// The maximum number of models that learnt from them.
const MOST_MODELS: usize = 200;

pub(super) fn routes() -> Vec<Route> {
    let of_name = Guard::On(Action::Read, crate::paths::named);
    vec![Route::new(Method::GET, "/ui/listeners/{*rest}", of_name, models)]
}

/// A listener or an index, and its state.
pub(super) struct Model {
    pub(super) name: String,
    /// The screen of its component.
    pub(super) link: String,
    /// Its jobs.
    pub(super) jobs: String,
    pub(super) reads: String,
    /// The model, and where it is shown, if the user may read it.
    pub(super) model: Option<(String, Option<String>)>,
    /// The measure of an index, and the length of its vectors.
    pub(super) measure: String,
    pub(super) output: String,
    pub(super) ok: String,
    pub(super) failed: u64,
    pub(super) backlog: u64,
    /// In percent.
    pub(super) coverage: String,
    pub(super) state: String,
    pub(super) look: &'static str,
    /// Why its last job failed.
    pub(super) error: Option<String>,
}

impl Model {
    pub(super) fn new(context: &Context, collection: &Identifier, it: &ListenerStatus) -> Self {
        let folder = if it.measure.is_some() { "indexes" } else { "listeners" };
        let full = format!("{collection}.{folder}/{}", it.name);
        let measure = it.measure.map(|measure| match it.width {
            Some(width) => format!("{measure} of {width} numbers"),
            None => measure.to_string(),
        });
        let (state, look) = state(it);
        Self {
            link: format!("/ui/name/{full}"),
            jobs: format!("/ui/jobs?name={full}"),
            name: it.name.clone(),
            reads: plain(&it.key.join(", ")),
            model: it.model.as_ref().map(|model| (model.clone(), link(context, model))),
            measure: measure.unwrap_or_default(),
            output: plain(it.output.as_deref().unwrap_or("none yet")),
            ok: format!("{} of {}", it.ok, it.rows),
            failed: it.failed,
            backlog: it.backlog,
            coverage: format!("{:.1} %", (it.coverage * 1e3).floor() / 10.0),
            state,
            look,
            error: it.error.as_deref().map(plain),
        }
    }
}

/// Where a version is shown, if the user may read it.
fn link(context: &Context, reference: &str) -> Option<String> {
    let parsed: Reference = reference.parse().ok()?;
    let name = Resource::Name(parsed.identifier().clone());
    context.may(Action::Read, &name).then(|| format!("/ui/version/{reference}"))
}

/// What a listener does, and how that looks.
fn state(it: &ListenerStatus) -> (String, &'static str) {
    if it.error.is_some() {
        return ("its last job failed".into(), "bad");
    }
    if it.paused {
        return ("paused".into(), "");
    }
    match (it.backlog, it.behind) {
        (0, 0) => ("up to date".into(), "good"),
        (_, 0) => ("filling".into(), "warn"),
        (_, behind) => {
            let lag = it.lag.map(|lag| format!(", {} s", lag.round())).unwrap_or_default();
            (format!("{} behind{lag}", counted(behind as usize, "version")), "warn")
        }
    }
}

/// A model that learnt from a version.
struct Learnt {
    model: String,
    link: String,
    type_tag: String,
    /// The number of the version that it learnt from.
    version: String,
}

#[derive(Template)]
#[template(path = "models.html")]
struct Screen {
    frame: Frame,
    tabs: Tabs,
    listeners: Vec<Model>,
    indexes: Vec<Model>,
    learnt: Vec<Learnt>,
    is_cut: bool,
    is_live: bool,
}

async fn models(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let name: Identifier = rest.parse()?;
    let (of, what) = (context.clone(), name.clone());
    let read = context.blocking(move || {
        let handle = handles::open(&of, &what)?;
        let version = handle.version(&of, None)?;
        let shown = |folder, all: Vec<ListenerStatus>| {
            let all = all.into_iter().filter(|it| handle.may_read(&of, folder, &it.name));
            all.collect::<Vec<_>>()
        };
        let listeners = shown("listeners", handle.models.status()?);
        let indexes = shown("indexes", handle.models.index_status()?);
        let (learnt, is_cut) = learnt(&of, &handle)?;
        Ok((version, listeners, indexes, learnt, is_cut))
    });
    let (version, listeners, indexes, learnt, is_cut) = read.await?;
    let rows = |all: &[ListenerStatus]| {
        all.iter().map(|it| Model::new(&context, &name, it)).collect::<Vec<_>>()
    };
    let tabs = Tabs::new(&context, &name, &name, "listeners");
    let title = format!("Models of {name}");
    render(&Screen {
        frame: Frame::new(&context, request.headers(), title, SECTION).await,
        tabs: tabs.on(&context, &version.info().type_tag, None),
        is_live: listeners.iter().chain(&indexes).any(|it| it.jobs > 0),
        listeners: rows(&listeners),
        indexes: rows(&indexes),
        learnt,
        is_cut,
    })
}

/// Returns what learnt from the newest versions, as far as the user may read it, and whether there may be more.
fn learnt(context: &Context, handle: &Handle) -> Result<(Vec<Learnt>, bool), Failure> {
    let (mut versions, mut learnt) = (handle.rows.versions()?, Vec::new());
    versions.reverse();
    for version in versions.iter().take(MOST_VERSIONS) {
        let users = context.larder().used_by(version.reference())?.into_iter();
        let may = |name: &Identifier| context.may(Action::Read, &Resource::Name(name.clone()));
        for user in users.filter(|user| may(&user.identifier)) {
            let model = user.reference().to_string();
            learnt.push(Learnt {
                link: format!("/ui/version/{model}"),
                model,
                type_tag: user.type_tag.to_string(),
                version: version.version.get().to_string(),
            });
            if learnt.len() == MOST_MODELS {
                return Ok((learnt, true));
            }
        }
    }
    Ok((learnt, versions.len() > MOST_VERSIONS))
}
