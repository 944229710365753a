//! The derive macros of [Larder](https://docs.rs/larder). Use them through the crate `larder`.

mod component;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a plain struct or enum a `Component`.
///
/// The type implements `Serialize` and `Deserialize` as well.
///
/// | attribute | meaning |
/// | --- | --- |
/// | `#[component(tag = "acme/wine")]` | the type's tag: written by hand, never changed; required |
/// | `#[component(tag = "…", model)]` | the type implements `Predict`, so that it loads as a model |
/// | `#[component(tag = "…", crate = path)]` | where the crate `larder` is, if not at `::larder` |
#[proc_macro_derive(Component, attributes(component))]
pub fn derive_component(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    component::derive(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
