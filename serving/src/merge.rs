//! Merging requests of one JSON input each to one batch, and splitting its answer.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::job::Job;
use crate::loaded::LoadedModel;
use crate::request::{Input, Output};

/// Runs requests of one model, merged if there are several.
///
/// If the merged batch fails, each request runs alone: a bad input costs its own request.
pub(crate) fn run(model: &LoadedModel, jobs: &[Arc<Job>]) {
    let now = Instant::now();
    for job in jobs {
        model.metrics().waited(now - job.arrived);
    }
    if jobs.len() > 1 && run_merged(model, jobs) {
        return;
    }
    for job in jobs {
        run_alone(model, job);
    }
}

fn run_alone(model: &LoadedModel, job: &Job) {
    let started = Instant::now();
    if job.is_late(started) {
        return job.finish_late();
    }
    if !job.is_waited_for() {
        return;
    }
    model.metrics().ran(1);
    let result = model.run(&job.input);
    model.pace.ran_alone(started.elapsed());
    job.finish(result);
}

/// Returns false if nothing was answered.
fn run_merged(model: &LoadedModel, jobs: &[Arc<Job>]) -> bool {
    let started = Instant::now();
    let Some(batch) = merged(jobs) else { return false };
    let Ok(answer) = model.call(|model| model.predict_batch_json(&batch)) else { return false };
    let Some(rows) = split(&answer, jobs.len()) else { return false };
    model.metrics().ran(jobs.len());
    model.metrics().predicted(jobs.len() as u64);
    model.pace.ran_merged(jobs.len(), started.elapsed());
    for (job, row) in jobs.iter().zip(rows) {
        job.finish(Ok(Output::Json(row.get().to_owned())));
    }
    true
}

/// Returns the inputs as one array, if each is exactly one value: `1], [2` must not reach beyond its place.
fn merged(jobs: &[Arc<Job>]) -> Option<String> {
    let texts = jobs.iter().map(|job| match &job.input {
        Input::Json(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => Some(&**text),
        _ => None,
    });
    array(texts.collect::<Option<Vec<_>>>()?)
}

fn array(texts: Vec<&str>) -> Option<String> {
    let size = texts.iter().map(|text| text.len() + 1).sum::<usize>() + 2;
    let mut batch = String::with_capacity(size);
    for (at, text) in texts.iter().enumerate() {
        let before = if at == 0 { '[' } else { ',' };
        write!(batch, "{before}{text}").ok()?;
    }
    batch.push(']');
    Some(batch)
}

/// Returns the rows of an answer, if they are as many as were asked for.
fn split(answer: &str, rows: usize) -> Option<Vec<&RawValue>> {
    let found: Vec<&RawValue> = serde_json::from_str(answer).ok()?;
    (found.len() == rows).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_split_where_they_were_merged() -> Result<(), String> {
        let batch = array(vec!["1", "[2,3]", "{\"a\": \",]\"}"]).ok_or("no batch")?;
        assert_eq!(batch, "[1,[2,3],{\"a\": \",]\"}]");
        let rows = split(&batch, 3).ok_or("no rows")?;
        assert_eq!(rows.iter().map(|row| row.get()).collect::<Vec<_>>()[2], "{\"a\": \",]\"}");
        assert!(split(&batch, 2).is_none());
        assert!(split("[1,2", 2).is_none());
        Ok(())
    }
}
