//! Deployments: what serves, how often it is asked and how long it takes.

use askama::Template;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_access::Resource;
use larder_core::store::{Action, Timestamp};
use larder_core::{Larder, VersionInfo};
use larder_server::extend::{Context, Failure, Guard, Route};
use larder_serving::{
    DeploymentInfo, DeploymentStatus, HistogramSnapshot, LarderDeployments, ModelMetrics,
    VersionStatus,
};
use larder_text::size;

use crate::frame::{Frame, render};
use crate::view::{When, plain};

/// The maximum number of events of a deployment, the newest.
const MOST_EVENTS: usize = 20;

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::new(Method::GET, "/ui/deployments", Guard::any(Action::Predict), deployments)]
}

/// A version that serves on this server.
struct Arm {
    reference: String,
    since: When,
    requests: u64,
    failures: u64,
    /// Requests a second.
    rate: String,
    p50: String,
    p99: String,
    memory: String,
}

struct Canary {
    reference: String,
    share: String,
    rules: String,
    arm: Option<Arm>,
    reason: Option<String>,
}

struct Event {
    at: When,
    event: String,
    version: String,
    by: String,
    reason: String,
}

struct Deployment {
    name: String,
    reference: String,
    changed: When,
    by: Option<String>,
    /// `serving`, `not ready` …
    state: &'static str,
    reason: Option<String>,
    /// The version that a server said it serves, if this one does not.
    elsewhere: Option<(String, When, bool)>,
    arm: Option<Arm>,
    canary: Option<Canary>,
    events: Vec<Event>,
}

#[derive(Template)]
#[template(path = "deployments.html")]
struct Screen {
    frame: Frame,
    is_local: bool,
    deployments: Vec<Deployment>,
    is_live: bool,
}

async fn deployments(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let larder = context.larder().clone();
    let read = context.blocking(move || Ok((larder.deployments()?, now(&larder))));
    let (mut infos, now) = read.await?;
    infos.retain(|info| context.may(Action::Predict, &Resource::Name(info.name.clone())));
    let statuses = context.deployments();
    let metrics = context.serving().pool().metrics();
    let deployment = |info: &DeploymentInfo| {
        let status = statuses.iter().find(|status| status.name == info.name);
        deployment(info, status, &metrics, now)
    };
    let is_local = context.is_local();
    render(&Screen {
        frame: Frame::new(&context, request.headers(), "Deployments", "/ui/deployments").await,
        is_local,
        deployments: infos.iter().map(deployment).collect(),
        is_live: !is_local && !infos.is_empty(),
    })
}

fn now(larder: &Larder) -> Timestamp {
    use larder_core::extend::Records;

    larder.now()
}

type Metrics = [(VersionInfo, std::sync::Arc<ModelMetrics>)];

fn deployment(
    info: &DeploymentInfo,
    status: Option<&DeploymentStatus>,
    metrics: &Metrics,
    now: Timestamp,
) -> Deployment {
    let serving = status.and_then(|status| status.serving.as_ref());
    let elsewhere = info.serving.as_ref().filter(|_| serving.is_none());
    let canary = info.canary.as_ref().map(|canary| {
        let here = status.and_then(|status| status.canary.as_ref());
        let p90 = canary.max_p90.map(|time| format!(", p90 up to {}", seconds(time.as_secs_f64())));
        Canary {
            reference: canary.reference.to_string(),
            share: format!("{:.0} %", 100.0 * canary.share),
            rules: format!(
                "judged every {} s from {} requests on: up to {} % failures{}",
                canary.interval.as_secs(),
                canary.min_requests,
                100.0 * canary.max_error_rate,
                p90.unwrap_or_default()
            ),
            arm: here.and_then(|it| it.version.as_ref()).map(|it| arm(it, metrics, now)),
            reason: here.and_then(|it| it.reason.as_deref()).map(plain),
        }
    });
    let events = info.events.iter().rev().take(MOST_EVENTS).map(|event| Event {
        at: When::new(event.at),
        event: event.event.to_string(),
        version: format!("{}@{}", event.name, event.version.get()),
        by: event.by.as_deref().map(plain).unwrap_or_default(),
        reason: event.reason.as_deref().map(plain).unwrap_or_default(),
    });
    Deployment {
        name: info.name.to_string(),
        reference: info.reference.to_string(),
        changed: When::new(info.changed),
        by: info.by.as_deref().map(plain),
        state: match (status, elsewhere) {
            (Some(status), _) if status.is_ready => "serving",
            (_, Some(serving)) if serving.is_alive(now) => "serving elsewhere",
            _ => "not ready",
        },
        reason: status.and_then(|it| it.reason.as_deref()).map(plain),
        elsewhere: elsewhere.map(|serving| {
            (serving.reference().to_string(), When::new(serving.seen), serving.is_alive(now))
        }),
        arm: serving.map(|it| arm(it, metrics, now)),
        canary,
        events: events.collect(),
    }
}

fn arm(status: &VersionStatus, metrics: &Metrics, now: Timestamp) -> Arm {
    let version = &status.version;
    let of_version = metrics
        .iter()
        .find(|(it, _)| (&it.identifier, it.version) == (&version.identifier, version.version));
    let duration = of_version.map(|(_, metrics)| metrics.duration().snapshot());
    let quantile = |share: f64| {
        let time = duration.as_ref().and_then(|snapshot| quantile(snapshot, share));
        time.map_or_else(|| "–".into(), seconds)
    };
    let age = now.as_system_time().duration_since(status.since.as_system_time());
    let age = age.unwrap_or_default().as_secs_f64().max(1.0);
    Arm {
        reference: version.reference().to_string(),
        since: When::new(status.since),
        requests: status.requests,
        failures: status.failures,
        rate: format!("{:.2}", status.requests as f64 / age),
        p50: quantile(0.5),
        p99: quantile(0.99),
        memory: size(of_version.map_or(0, |(_, metrics)| metrics.loaded_bytes())),
    }
}

/// The value below which a share of the values lies, as far as the buckets say.
fn quantile(snapshot: &HistogramSnapshot, share: f64) -> Option<f64> {
    let wanted = (share * snapshot.count as f64).ceil().max(1.0) as u64;
    let (mut low, mut below) = (0.0, 0);
    for (bound, count) in &snapshot.buckets {
        if *count >= wanted {
            let within = (wanted - below) as f64 / (count - below).max(1) as f64;
            return Some(low + (bound - low) * within);
        }
        (low, below) = (*bound, *count);
    }
    // Above the last bound; nothing without values.
    (snapshot.count > 0).then_some(low)
}

/// A time in a fitting unit.
fn seconds(time: f64) -> String {
    match time {
        time if time < 1e-3 => format!("{:.0} µs", time * 1e6),
        time if time < 1.0 => format!("{:.1} ms", time * 1e3),
        time => format!("{time:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let snapshot = HistogramSnapshot {
            buckets: vec![(0.001, 50), (0.01, 99), (0.1, 100)],
            count: 100,
            sum: 1.0,
        };
        for (share, expected) in [(0.5, 0.001), (0.99, 0.01), (1.0, 0.1)] {
            let found = quantile(&snapshot, share);
            assert!(
                found.is_some_and(|found| (found - expected).abs() < 1e-9),
                "{share}: {found:?}"
            );
        }
        let none = HistogramSnapshot { buckets: vec![(0.1, 0)], count: 0, sum: 0.0 };
        assert_eq!(quantile(&none, 0.5), None);
        let beyond = HistogramSnapshot { buckets: vec![(0.1, 0)], count: 3, sum: 9.0 };
        assert_eq!(quantile(&beyond, 0.5), Some(0.1));
        assert_eq!(
            (seconds(0.0005), seconds(0.0123), seconds(2.0)),
            ("500 µs".into(), "12.3 ms".into(), "2.00 s".into())
        );
    }
}
