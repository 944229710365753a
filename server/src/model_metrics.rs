//! The metrics of models, as `larder_model_…`.

use std::fmt;

use larder_serving::{HistogramSnapshot, ModelMetrics, Outcome, Serving};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// Reads the counters of the models that were loaded.
#[derive(Debug)]
pub(crate) struct ModelCollector(pub(crate) Serving);

type Labels = [(&'static str, String); 2];

impl Collector for ModelCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let models = self.0.pool().metrics();
        let models = models.iter().map(|(version, metrics)| {
            let name = version.identifier.to_string();
            let labels = [("model", name), ("version", version.version.get().to_string())];
            (labels, &**metrics)
        });
        let models: Vec<(Labels, &ModelMetrics)> = models.collect();

        let help = "Requests for predictions, by how they ended";
        let mut family =
            describe(&mut encoder, "larder_model_requests", help, None, MetricType::Counter)?;
        for (labels, metrics) in &models {
            for outcome in Outcome::ALL {
                let [model, version] = labels.clone();
                let labels = [model, version, ("code", outcome.name().to_owned())];
                count(family.encode_family(&labels)?, metrics.requests(outcome))?;
            }
        }
        let help = "Rows predicted";
        let mut family =
            describe(&mut encoder, "larder_model_inferences", help, None, MetricType::Counter)?;
        for (labels, metrics) in &models {
            count(family.encode_family(labels)?, metrics.rows())?;
        }
        let seconds = Some(&Unit::Seconds);
        for (name, help, unit, of) in [
            (
                "larder_model_request_duration",
                "From the arrival of a request to its answer",
                seconds,
                (|metrics| metrics.duration().snapshot()) as fn(&ModelMetrics) -> _,
            ),
            (
                "larder_model_queue",
                "The time that requests waited for a worker",
                seconds,
                |metrics| metrics.queue_time().snapshot(),
            ),
            (
                "larder_model_batch_size",
                "Requests answered by one call of the model",
                None,
                |metrics| metrics.batch_size().snapshot(),
            ),
        ] {
            let mut family = describe(&mut encoder, name, help, unit, MetricType::Histogram)?;
            for (labels, metrics) in &models {
                histogram(family.encode_family(labels)?, &of(metrics))?;
            }
        }
        let help = "The bytes of the model in memory";
        let mut family =
            describe(&mut encoder, "larder_model_loaded_bytes", help, None, MetricType::Gauge)?;
        for (labels, metrics) in &models {
            family.encode_family(labels)?.encode_gauge(&(metrics.loaded_bytes() as i64))?;
        }
        let help = "The time that loading the model took, of all loads together";
        let mut family =
            describe(&mut encoder, "larder_model_load", help, seconds, MetricType::Gauge)?;
        for (labels, metrics) in &models {
            family.encode_family(labels)?.encode_gauge(&metrics.loads().1)?;
        }
        Ok(())
    }
}

fn describe<'s>(
    encoder: &'s mut DescriptorEncoder<'_>,
    name: &'static str,
    help: &str,
    unit: Option<&'s Unit>,
    kind: MetricType,
) -> Result<MetricEncoder<'s>, fmt::Error> {
    encoder.encode_descriptor(name, help, unit, kind)
}

fn count(mut encoder: MetricEncoder<'_>, value: u64) -> fmt::Result {
    encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
}

/// The encoder adds the counts of buckets up; a snapshot has done so.
fn histogram(mut encoder: MetricEncoder<'_>, snapshot: &HistogramSnapshot) -> fmt::Result {
    let mut below = 0;
    let mut buckets = Vec::with_capacity(snapshot.buckets.len() + 1);
    for (bound, count) in &snapshot.buckets {
        buckets.push((*bound, count - below));
        below = *count;
    }
    buckets.push((f64::MAX, snapshot.count - below));
    encoder.encode_histogram::<NoLabelSet>(snapshot.sum, snapshot.count, &buckets, None)
}
