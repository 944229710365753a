//! Garbage collection: what goes, what stays, and what happens when others write meanwhile.

mod beside_processes;
pub(crate) mod exclusive;
mod rules;
mod scripted;
mod steps;
