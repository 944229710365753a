//! The commands, one file each.

pub(crate) mod access;
pub(crate) mod cache;
#[cfg(feature = "collections")]
pub(crate) mod collection;
pub(crate) mod completions;
pub(crate) mod copy;
#[cfg(feature = "serving")]
pub(crate) mod deploy;
#[cfg(feature = "serving")]
pub(crate) mod deployments;
pub(crate) mod diff;
pub(crate) mod doctor;
mod examples;
#[cfg(feature = "archive")]
pub(crate) mod export;
pub(crate) mod fire;
pub(crate) mod gc;
pub(crate) mod get;
pub(crate) mod history;
#[cfg(feature = "archive")]
pub(crate) mod import;
pub(crate) mod job;
mod job_args;
pub(crate) mod jobs;
pub(crate) mod list;
pub(crate) mod lock;
#[cfg(feature = "http")]
pub(crate) mod login;
pub(crate) mod man;
pub(crate) mod migrate;
pub(crate) mod mirror;
pub(crate) mod note;
#[cfg(feature = "oidc")]
mod oidc_args;
mod onnx_args;
pub(crate) mod predict;
pub(crate) mod put;
pub(crate) mod remove;
pub(crate) mod restore;
pub(crate) mod serializers;
#[cfg(feature = "server")]
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod tag;
mod tree;
pub(crate) mod types;
#[cfg(feature = "server")]
pub(crate) mod ui;
pub(crate) mod verify;
pub(crate) mod versions;
pub(crate) mod welcome;
pub(crate) mod whoami;
#[cfg(not(all(
    feature = "archive",
    feature = "cedar",
    feature = "collections",
    feature = "http",
    feature = "server",
    feature = "serving"
)))]
pub(crate) mod without_feature;
pub(crate) mod work;
