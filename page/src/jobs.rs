//! Jobs, and the log of one.

use askama::Template;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_access::Resource;
use larder_core::store::{Action, JobStatus};
use larder_core::versions::JobId;
use larder_core::{Identifier, Result as LarderResult};
use larder_jobs::{JobInfo, JobLine, JobsQuery, LarderJobs};
use larder_server::extend::{Context, Failure, Guard, Rest, Route};
use larder_text::{clean, fold, pretty_json};

use crate::frame::{Frame, render};
use crate::query::Parameters;
use crate::view::{When, plain};

/// The maximum number of jobs that are read, and that are shown.
const MOST_READ: usize = 5_000;
const MOST_SHOWN: usize = 100;
/// The maximum number of lines of a log, the newest.
const MOST_LINES: usize = 1_000;

pub(crate) fn routes() -> Vec<Route> {
    let of_job = Guard::On(Action::Read, owner);
    vec![
        Route::new(Method::GET, "/ui/jobs", Guard::any(Action::Read), jobs),
        Route::new(Method::GET, "/ui/job/{*rest}", of_job, job),
    ]
}

/// Parses `NAME@VERSION/ID`.
fn parse(rest: Rest<'_>) -> Result<JobId, Failure> {
    Ok(rest.parse()?)
}

/// The name of a job; of a path that is no job, the name in it.
fn owner(rest: Rest<'_>) -> Result<Resource, Failure> {
    match parse(rest) {
        Ok(id) => Ok(Resource::Name(id.name().clone())),
        Err(failure) => crate::paths::named(rest).map_err(|_| failure),
    }
}

struct Row {
    id: String,
    version: String,
    trigger: String,
    event: String,
    status: &'static str,
    created: When,
    percent: Option<u32>,
    message: String,
}

impl Row {
    fn new(job: &JobInfo) -> Self {
        let message = job.message.as_deref().or(job.error.first().map(String::as_str));
        Self {
            id: job.id.to_string(),
            version: format!("{}@{}", job.name, job.version.get()),
            trigger: plain(&job.trigger),
            event: plain(&job.event),
            status: job.status.as_str(),
            created: When::new(job.created),
            percent: job.fraction.map(|fraction| (fraction.clamp(0.0, 1.0) * 100.0) as u32),
            message: plain(message.unwrap_or_default()),
        }
    }
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct Jobs {
    frame: Frame,
    name: String,
    status: String,
    statuses: Vec<&'static str>,
    rows: Vec<Row>,
    is_cut: bool,
    /// True while some job is not over: the page is read again by itself.
    is_live: bool,
}

async fn jobs(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let parameters = Parameters::of(&request);
    let (name, status) = (parameters.get("name").to_owned(), parameters.get("status").to_owned());
    let mut query = JobsQuery::new();
    if !name.is_empty() {
        query = query.name(name.parse::<Identifier>()?);
    }
    let known = JobStatus::ALL.into_iter().find(|it| it.as_str() == status);
    query = match (&*status, known) {
        ("unfinished", _) => query.status(JobStatus::Pending).status(JobStatus::Running),
        (_, Some(status)) => query.status(status),
        _ => query,
    };
    let of = context.clone();
    let read = context.blocking(move || {
        let jobs = of.larder().jobs();
        let mut found = jobs.list(&query).take(MOST_READ).collect::<LarderResult<Vec<_>>>()?;
        let is_cut = found.len() == MOST_READ;
        // Names that the user may not read are left out.
        found.retain(|job| of.may(Action::Read, &Resource::Name(job.name.clone())));
        found.sort_by(|one, other| other.created.cmp(&one.created).then(one.id.cmp(&other.id)));
        Ok((found, is_cut))
    });
    let (found, is_cut) = read.await?;
    render(&Jobs {
        frame: Frame::new(&context, request.headers(), "Jobs", "/ui/jobs").await,
        name,
        status,
        statuses: JobStatus::ALL.into_iter().map(JobStatus::as_str).collect(),
        rows: found.iter().take(MOST_SHOWN).map(Row::new).collect(),
        is_cut: is_cut || found.len() > MOST_SHOWN,
        is_live: found.iter().any(|job| !job.status.is_over()),
    })
}

struct Fact {
    name: &'static str,
    text: String,
    link: Option<String>,
}

struct Line {
    attempt: u32,
    at: String,
    text: String,
}

#[derive(Template)]
#[template(path = "job.html")]
struct Job {
    frame: Frame,
    row: Row,
    facts: Vec<Fact>,
    errors: Vec<String>,
    documents: Vec<(&'static str, String)>,
    lines: Vec<Line>,
    more_lines: usize,
    is_live: bool,
}

async fn job(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let id = parse(&rest)?;
    let larder = context.larder().clone();
    let read = context.blocking(move || {
        let jobs = larder.jobs();
        Ok((jobs.get(id.clone())?, jobs.log(id)?))
    });
    let (job, lines) = read.await?;
    let document = |text: &str| pretty_json(&fold(text).0);
    let documents = [("Payload", &job.payload), ("Output", &job.output)];
    let documents = documents.into_iter();
    let documents =
        documents.filter_map(|(name, json)| Some((name, document(json.as_ref()?.get()))));
    let line = |line: &JobLine| Line {
        attempt: line.attempt,
        at: larder_text::time(line.at),
        text: plain(&line.text),
    };
    let more_lines = lines.len().saturating_sub(MOST_LINES);
    render(&Job {
        frame: Frame::new(&context, request.headers(), format!("Job {}", job.id), "/ui/jobs").await,
        row: Row::new(&job),
        facts: facts(&job),
        errors: job.error.iter().map(|text| plain(text)).collect(),
        documents: documents.collect(),
        lines: lines.iter().skip(more_lines).map(line).collect(),
        more_lines,
        is_live: !job.status.is_over(),
    })
}

fn facts(job: &JobInfo) -> Vec<Fact> {
    let fact = |name, text: String| Fact { name, text, link: None };
    let version = format!("{}@{}", job.name, job.version.get());
    let mut facts = vec![
        Fact { name: "Version", link: Some(format!("/ui/version/{version}")), text: version },
        fact("Trigger", format!("{} on {}", clean(&job.trigger), clean(&job.event))),
        fact("Created", When::new(job.created).exact),
    ];
    let times =
        [("Started", job.started), ("Finished", job.finished), ("Not before", job.not_before)];
    facts.extend(times.into_iter().filter_map(|(name, at)| Some(fact(name, When::new(at?).exact))));
    let counts =
        [("Attempts", job.attempt), ("Failures", job.failures), ("Lost workers", job.losses)];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    facts.extend(counts.map(|(name, count)| fact(name, count.to_string())));
    for (trigger, needed) in &job.depends_on {
        let link = Some(format!("/ui/job/{needed}"));
        facts.push(Fact { name: "Depends on", text: plain(trigger), link });
    }
    facts
}
