//! Protocols of other systems on a server of Larder: [`larder_server`] answers them once this crate is linked.
//!
//! | feature | clients |
//! | --- | --- |
//! | `mlflow` | MLflow's, as a tracking server and a registry of models |
//! | | those of the Open Inference Protocol over HTTP, such as Triton's, and of MLflow's scoring server |
//! | `grpc` | those of the Open Inference Protocol over gRPC, such as Triton's |
//! | `hub` | Hugging Face Hub's: `huggingface_hub`, `@huggingface/hub`, `hf-hub` |
//!
//! Routes and errors are those of the server: every route states its action and resource.

#![forbid(unsafe_code)]

#[cfg(feature = "grpc")]
mod grpc;
#[cfg(feature = "hub")]
mod hub;
mod inference;
#[cfg(feature = "mlflow")]
mod mlflow_registry;
mod scoring;
#[cfg(any(feature = "hub", feature = "mlflow"))]
mod trees;
