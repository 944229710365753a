//! The entries of the table of record kinds for jobs.
//!
//! A queue record, a log and a `made` record may outlive their job, or precede it: workers remove or ignore them.

use larder_core::record::{
    VersionRecord, known_version, misnamed, name_key, parts_of, read, version_key,
};
use larder_core::store::{Action, Record, RecordKey, RecordKind, RecordLink, VersionNumber, kind};
use larder_core::versions::JobId;
use larder_core::{Identifier, Result};

use super::{
    CRON, CronRecord, JOBS, JobRecord, LOGS, LogRecord, MADE, PublishedRecord, QUEUE, QueueRecord,
    cron_name_of, job_id_of, job_key, log_key, published_key,
};

kind!(
    RecordKind::new(
        "job",
        "jobs/NAME/@N/@ID",
        JOBS,
        |key| job_id_of(key).map(owner),
        |key, found| dependencies(key, found).map(drop),
    )
    .links(job_links)
    .access(Action::Read, Action::Run)
);

kind!(
    RecordKind::new(
        "queue",
        "queue/@ID-HEX",
        QUEUE,
        |key| {
            let rest = key.as_str().strip_prefix(QUEUE).unwrap_or_default();
            let is_hex = |hex: &str| {
                hex.len() == 12 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            };
            let is_line = rest.rsplit_once('-').is_some_and(|(id, hex)| {
                let name = Identifier::new("x").ok();
                is_hex(hex)
                    && name.is_some_and(|name| JobId::new(&name, VersionNumber::FIRST, id).is_ok())
            });
            if is_line { Ok(None) } else { Err(misnamed(key, "its key has no id of a job")) }
        },
        |key, found| read::<QueueRecord>(key, found).map(drop),
    )
    .links(|key, found| {
        let line: QueueRecord = read(key, found)?;
        Ok(vec![known_version(line.job.name(), line.job.version())?])
    })
    .needs(|key, found| {
        let line: QueueRecord = read(key, found)?;
        Ok(vec![(Action::Run, Some(line.job.name().clone()))])
    })
    .access(Action::Run, Action::Run)
);

kind!(
    RecordKind::new(
        "log",
        "logs/NAME/@N/@ID/@A-P",
        LOGS,
        |key| log_in(key).map(owner),
        |key, found| read::<LogRecord>(key, found).map(drop),
    )
    .links(|key, _| version_of(&log_in(key)?))
    .access(Action::Read, Action::Run)
);

kind!(
    RecordKind::new(
        "made",
        "made/NAME/@N/@ID/@K",
        MADE,
        |key| made_in(key).map(owner),
        |key, found| read::<PublishedRecord>(key, found).map(drop),
    )
    .links(|key, _| version_of(&made_in(key)?))
    .access(Action::Read, Action::Run)
);

kind!(
    RecordKind::new(
        "cron",
        "cron/NAME",
        CRON,
        |key| cron_name_of(key).map(Some),
        |key, found| read::<CronRecord>(key, found).map(drop),
    )
    .links(|key, _| {
        let target = name_key(&cron_name_of(key)?)?;
        let fault = format!("there is no record {target}");
        Ok(vec![RecordLink::present(target, fault).atomic_only()])
    })
    .access(Action::Read, Action::Run)
);

fn owner(id: JobId) -> Option<Identifier> {
    Some(id.name().clone())
}

/// The version of a job is there, removed or not: it is written first.
fn version_of(id: &JobId) -> Result<Vec<RecordLink>> {
    Ok(vec![known_version(id.name(), id.version())?])
}

/// Returns the jobs that a job depends on, by trigger.
fn dependencies(key: &RecordKey, found: &Record) -> Result<Vec<(String, JobId)>> {
    let id = job_id_of(key)?;
    let job: JobRecord = read(key, found)?;
    let sibling = |(trigger, needed): (String, String)| {
        let needed = id.sibling(&needed);
        Ok((trigger, needed.map_err(|_| misnamed(key, "it depends on what is no id of a job"))?))
    };
    job.depends_on.into_iter().map(sibling).collect()
}

/// The version of a job is there, of its type and digest, and the jobs it depends on: they are written first and removed
/// last.
fn job_links(key: &RecordKey, found: &Record) -> Result<Vec<RecordLink>> {
    let id = job_id_of(key)?;
    let job: JobRecord = read(key, found)?;
    let mut links = version_of(&id)?;
    let target = version_key(id.name(), id.version())?;
    links.push(RecordLink::new(target, move |key, found| {
        let version: VersionRecord = read(key, found?).ok()?;
        let is_same = version.manifest == job.manifest && version.type_tag == job.type_tag;
        (!is_same).then(|| format!("its `type` and `manifest` are not those of the record {key}"))
    }));
    for (trigger, needed) in dependencies(key, found)? {
        let fault = format!("it depends on the job {needed} of `{trigger}`, which is not there");
        links.push(RecordLink::present(job_key(&needed)?, fault));
    }
    Ok(links)
}

/// Parses `PREFIX/NAME/@N/@ID/@LAST`.
fn below_job<'a>(key: &'a RecordKey, prefix: &str) -> Option<(JobId, &'a str)> {
    let (name, rest) = parts_of(key, prefix).ok()?;
    let (number, rest) = rest.split_once("/@")?;
    let (id, last) = rest.split_once("/@")?;
    let number = VersionNumber::new(number.parse().ok()?)?;
    Some((JobId::new(&name, number, id).ok()?, last))
}

fn log_in(key: &RecordKey) -> Result<JobId> {
    let parse = || {
        let (id, last) = below_job(key, LOGS)?;
        let (attempt, part) = last.split_once('-')?;
        let canonical = log_key(&id, attempt.parse().ok()?, part.parse().ok()?).ok()?;
        (canonical == *key).then_some(id)
    };
    parse().ok_or_else(|| misnamed(key, "its key is no part of the log of a job"))
}

fn made_in(key: &RecordKey) -> Result<JobId> {
    let parse = || {
        let (id, last) = below_job(key, MADE)?;
        (published_key(&id, last.parse().ok()?).ok()? == *key).then_some(id)
    };
    parse().ok_or_else(|| misnamed(key, "its key is no version that a job published"))
}
