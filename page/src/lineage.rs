//! Lineage: what a version is made of, what is made of it, and the jobs between them.

use std::collections::HashMap;

use askama::Template;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_access::Resource;
use larder_core::extend::Records;
use larder_core::store::Action;
use larder_core::versions::JobId;
use larder_core::{Identifier, Larder, Reference, VersionInfo};
use larder_server::extend::{Context, Failure, Guard, Route};

use crate::frame::{Frame, render};
use crate::graph::{Node, Picture, draw};
use crate::view::Tabs;

/// The maximum distance from the version.
const MOST_STEPS: i32 = 3;
/// The maximum number of boxes.
const MOST_NODES: usize = 60;

pub(crate) fn routes() -> Vec<Route> {
    let of_version = Guard::On(Action::Read, crate::paths::referred);
    vec![Route::new(Method::GET, "/ui/lineage/{*rest}", of_version, lineage)]
}

#[derive(Template)]
#[template(path = "lineage.html")]
struct Screen {
    frame: Frame,
    tabs: Tabs,
    reference: String,
    picture: Picture,
    /// The edges in words: what is used, and by what.
    edges: Vec<(Node, Node)>,
    is_cut: bool,
}

/// The graph while it is read.
#[derive(Default)]
struct Graph {
    nodes: Vec<Node>,
    /// From what is used to what uses it.
    edges: Vec<(usize, usize)>,
    places: HashMap<String, usize>,
    is_cut: bool,
}

impl Graph {
    /// Adds a node, unless it is there, and returns its place and whether it is new; `None` if there are too many.
    fn add(&mut self, node: Node) -> Option<(usize, bool)> {
        if let Some(place) = self.places.get(&node.title) {
            return Some((*place, false));
        }
        if self.nodes.len() >= MOST_NODES {
            self.is_cut = true;
            return None;
        }
        self.places.insert(node.title.clone(), self.nodes.len());
        self.nodes.push(node);
        Some((self.nodes.len() - 1, true))
    }
}

async fn lineage(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let reference: Reference = rest.parse()?;
    let of = context.clone();
    let read = context.blocking(move || {
        let version = of.larder().show(reference)?.version;
        let graph = read(&of, of.larder(), &version)?;
        Ok((version, graph))
    });
    let (version, graph) = read.await?;
    let pin = version.reference();
    let Graph { nodes, edges, is_cut, .. } = graph;
    let pairs = edges
        .iter()
        .filter_map(|(used, user)| Some((nodes.get(*used)?.clone(), nodes.get(*user)?.clone())));
    let pairs = pairs.collect();
    render(&Screen {
        frame: Frame::new(&context, request.headers(), format!("Lineage of {pin}"), "/ui").await,
        tabs: Tabs::new(&context, &version.identifier, &pin, "lineage").on(
            &context,
            &version.type_tag,
            Some(version.version),
        ),
        reference: pin.to_string(),
        picture: draw(&nodes, &edges),
        edges: pairs,
        is_cut,
    })
}

fn read(context: &Context, larder: &Larder, version: &VersionInfo) -> larder_core::Result<Graph> {
    let mut graph = Graph::default();
    let may = |name: &Identifier| context.may(Action::Read, &Resource::Name(name.clone()));
    graph.add(of_version(version, 0, "self"));
    published(&mut graph, larder, version, 0, &may)?;
    // What its jobs published.
    for other in larder.versions(version.identifier.clone())? {
        let is_of = |job: &&JobId| job.version() == version.version;
        if let Some(job) = other.job.as_ref().filter(is_of) {
            let of_job = graph.add(of_job(job, 1));
            let of_version = graph.add(of_version(&other, 2, "version"));
            if let (Some((job, is_new)), Some((published, _))) = (of_job, of_version) {
                if is_new {
                    graph.edges.push((0, job));
                }
                graph.edges.push((job, published));
            }
        }
    }
    // What it is made of.
    let mut open = vec![(0, version.reference(), 0)];
    while let Some((user, reference, column)) = open.pop() {
        for child in larder.uses(reference)? {
            let reference = child.version.map(|it| format!("{}@{}", child.name, it.get()));
            let is_readable = may(&child.name);
            let title = reference.clone().unwrap_or_else(|| format!("{} (removed)", child.name));
            let node = Node {
                column: column - 1,
                link: reference.as_ref().filter(|_| is_readable).map(|it| link(it)),
                text: child.type_tag.map(|tag| tag.to_string()).unwrap_or_default(),
                title,
                kind: "version",
            };
            let Some((place, is_new)) = graph.add(node) else { break };
            graph.edges.push((place, user));
            if let Some(reference) = reference.filter(|_| is_new && is_readable) {
                match column - 1 > -MOST_STEPS {
                    true => open.push((place, reference.parse()?, column - 1)),
                    false => graph.is_cut = true,
                }
            }
        }
    }
    // What is made of it. Names that the user may not read are left out.
    let mut open = vec![(0, version.reference(), 0)];
    while let Some((used, reference, column)) = open.pop() {
        for user in larder.used_by(reference)?.into_iter().filter(|it| may(&it.identifier)) {
            let node = of_version(&user, column + 1, "version");
            let Some((place, is_new)) = graph.add(node) else { break };
            graph.edges.push((used, place));
            if is_new {
                published(&mut graph, larder, &user, column + 1, &may)?;
                match column + 1 < MOST_STEPS {
                    true => open.push((place, user.reference(), column + 1)),
                    false => graph.is_cut = true,
                }
            }
        }
    }
    Ok(graph)
}

/// Adds the job that published a version, and the version that the job is of.
fn published(
    graph: &mut Graph,
    larder: &Larder,
    version: &VersionInfo,
    column: i32,
    may: &impl Fn(&Identifier) -> bool,
) -> larder_core::Result<()> {
    let Some(job) = version.job.as_ref().filter(|job| may(job.name())) else { return Ok(()) };
    let own = graph.places.get(&version.reference().to_string()).copied();
    let (Some(own), Some((place, is_new))) = (own, graph.add(of_job(job, column - 1))) else {
        return Ok(());
    };
    graph.edges.push((place, own));
    let source = larder.version(job.name(), job.version())?;
    if let Some(source) = source.filter(|source| is_new && source.removed.is_none()) {
        let source = VersionInfo::new(job.name(), &source);
        if let Some((source, _)) = graph.add(of_version(&source, column - 2, "version")) {
            graph.edges.push((source, place));
        }
    }
    Ok(())
}

fn of_job(job: &JobId, column: i32) -> Node {
    Node {
        column,
        title: job.to_string(),
        text: "job".into(),
        link: Some(format!("/ui/job/{job}")),
        kind: "job",
    }
}

fn of_version(version: &VersionInfo, column: i32, kind: &'static str) -> Node {
    let reference = version.reference().to_string();
    Node {
        column,
        link: Some(link(&reference)),
        title: reference,
        text: version.type_tag.to_string(),
        kind,
    }
}

fn link(reference: &str) -> String {
    format!("/ui/lineage/{reference}")
}
