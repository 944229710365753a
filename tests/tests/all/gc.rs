//! Garbage collection: what goes, what stays, and what happens when others write meanwhile.

mod beside_processes;
mod rules;
mod scripted;
mod steps;
