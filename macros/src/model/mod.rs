//! `#[objectmodel]` and `#[codemodel]`.

mod call;
mod options;
mod source;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Ident, ImplItem, ImplItemFn, Item, ItemFn, ItemImpl, LitStr, Path, Result,
    Type, Visibility, parse_quote_spanned, parse2,
};

use self::call::Call;
use self::options::Options;
use crate::component::{Registration, register};
use crate::evolution::Evolution;

/// Kind of model macro.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Stores the state.
    Object,
    /// Stores the state and the source text.
    Code,
}

pub(crate) fn expand(kind: Kind, options: TokenStream, tokens: TokenStream) -> TokenStream {
    let item = match parse2::<Item>(tokens.clone()) {
        Ok(item) => item,
        // Rustc reports the syntax error.
        Err(_) => return tokens,
    };
    let source = |larder: &Path| {
        (kind == Kind::Code).then(|| {
            let (file, text) = (source::file(&tokens), source::text(&tokens));
            quote!(#larder::versions::Source::rust(#file, #text))
        })
    };
    // Keeps the item on error, so that its users compile.
    match item {
        Item::Fn(mut item) => {
            let generated = Options::parse(options)
                .and_then(|options| function(&mut item, &options, source(&options.larder())));
            let generated = generated.unwrap_or_else(Error::into_compile_error);
            quote!(#item #generated)
        }
        Item::Impl(mut item) => {
            let generated = Options::parse(options)
                .and_then(|options| methods(&mut item, &options, source(&options.larder())));
            let generated = generated.unwrap_or_else(Error::into_compile_error);
            quote!(#item #generated)
        }
        item => {
            let error = Error::new_spanned(
                &item,
                "cannot make this item a model: expected a function or an `impl` block",
            )
            .into_compile_error();
            quote!(#item #error)
        }
    }
}

/// Generates the model type of a function and its input.
fn function(
    item: &mut ItemFn,
    options: &Options,
    source: Option<TokenStream>,
) -> Result<TokenStream> {
    let call = Call::of_function(&mut item.sig)?;
    if let Some(method) = &options.method {
        return Err(Error::new_spanned(method, "a function has no methods: remove `method`"));
    }
    if options.hooks {
        let message = "a function cannot have hooks: use a type with an `impl` block";
        return Err(Error::new_spanned(&item.sig.ident, message));
    }
    let larder = &options.larder();
    let (vis, name) = (&item.vis, &item.sig.ident);
    let tag = &options.tag_of_function(name)?;
    let cfgs: Vec<_> = item.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect();
    let doc = format!("The function `{name}` as a model.");
    let serde_path = path_text(quote!(#larder::__private::serde));

    let (field, value, source_fn) = match &source {
        None => (None, None, None),
        Some(source) => (
            Some(quote! {
                /// Source text at the time of `apply`.
                #vis source: #larder::versions::Source,
            }),
            Some(quote!(source: Self::source())),
            Some(source_fn(vis, larder, source)),
        ),
    };
    let model = Model {
        larder,
        name,
        tag,
        call: &call,
        cfgs: &cfgs,
        docs: docs(&item.attrs),
        options,
        source: source.as_ref(),
    };
    let (arguments, input) = (call.names(), local_input());
    let generated = model.expand(&quote!(#name(#(#input.#arguments),*)));
    Ok(quote! {
        #(#cfgs)*
        #[doc = #doc]
        #[allow(non_camel_case_types)]
        #[derive(
            ::core::fmt::Debug,
            ::core::clone::Clone,
            ::core::cmp::PartialEq,
            #larder::__private::serde::Serialize,
            #larder::__private::serde::Deserialize,
        )]
        #[serde(crate = #serde_path, deny_unknown_fields)]
        #vis struct #name {
            #field
        }

        #(#cfgs)*
        #[allow(dead_code)]
        impl #name {
            /// Returns the component.
            #vis fn model() -> Self {
                Self { #value }
            }

            #source_fn
        }

        #generated
    })
}

/// Generates the implementations for a type with a method that predicts.
fn methods(
    item: &mut ItemImpl,
    options: &Options,
    source: Option<TokenStream>,
) -> Result<TokenStream> {
    if let Some((_, path, _)) = &item.trait_ {
        return Err(Error::new_spanned(
            path,
            "expected an inherent `impl` block; for a type that implements `Predict`, write \
             `#[component(tag = \"…\", model)]`",
        ));
    }
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &item.generics,
            "a model type cannot be generic: a tag names one type",
        ));
    }
    let ty = &item.self_ty;
    let name = match &**ty {
        Type::Path(path) => path.path.get_ident().cloned(),
        _ => None,
    };
    let Some(name) = &name else {
        return Err(Error::new_spanned(ty, "expected the plain name of a type without parameters"));
    };
    let Some(tag) = &options.tag else {
        return Err(Error::new_spanned(
            ty,
            "missing type tag: add `tag = \"acme/name\"`, and never change it",
        ));
    };
    let method = find_method(&mut item.items, name, options.method.as_ref())?;
    let call = Call::of_method(&mut method.sig)?;

    let larder = &options.larder();
    let cfgs: Vec<_> = item.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect();
    let ImplItemFn { vis, attrs, sig, .. } = &*method;
    let model = Model {
        larder,
        name,
        tag,
        call: &call,
        cfgs: &cfgs,
        docs: docs(attrs),
        options,
        source: source.as_ref(),
    };
    let (arguments, input, method) = (call.names(), local_input(), &sig.ident);
    let generated = model.expand(&quote!(#name::#method(self #(, #input.#arguments)*)));
    let source = source.map(|source| {
        let source_fn = source_fn(vis, larder, &source);
        // Points a missing field at the type's name.
        let field = Ident::new("source", name.span());
        quote! {
            #(#cfgs)*
            #[allow(dead_code)]
            impl #name {
                #source_fn
            }

            #(#cfgs)*
            const _: fn(&#name) -> &#larder::versions::Source = |#name { #field: field, .. }| field;
        }
    });
    Ok(quote!(#generated #source))
}

fn find_method<'a>(
    items: &'a mut [ImplItem],
    of: &Ident,
    method: Option<&LitStr>,
) -> Result<&'a mut ImplItemFn> {
    let wanted = method.map_or_else(|| "call".to_owned(), LitStr::value);
    let mut names = Vec::new();
    for item in items {
        if let ImplItem::Fn(item) = item {
            let name = item.sig.ident.unraw();
            if name == wanted {
                return Ok(item);
            }
            names.push(format!("`{name}`"));
        }
    }
    let found = match &*names {
        [] => "it has none".to_owned(),
        names => format!("found {}", names.join(", ")),
    };
    Err(match method {
        Some(method) => {
            Error::new_spanned(method, format!("no method `{wanted}` in this block: {found}"))
        }
        None => Error::new_spanned(
            of,
            format!("no method `call` in this block: add `method = \"…\"`; {found}"),
        ),
    })
}

/// A model to generate code for.
struct Model<'a> {
    larder: &'a Path,
    name: &'a Ident,
    tag: &'a LitStr,
    call: &'a Call,
    cfgs: &'a [&'a Attribute],
    docs: Vec<&'a Attribute>,
    options: &'a Options,
    source: Option<&'a TokenStream>,
}

impl Model<'_> {
    /// Generates the input, `impl Predict` with the expression `call`, and the component.
    fn expand(&self, call: &TokenStream) -> TokenStream {
        let Self { larder, name, tag, cfgs, source, .. } = self;
        let Call { output, result, .. } = self.call;
        let input_name = format_ident!("__{}_input", name.unraw());
        let input = self.input(&input_name);
        let call = match result {
            Some(result) => {
                quote_spanned!(result.span()=> #call.map_err(#larder::__private::failure))
            }
            None => quote!(::core::result::Result::Ok(#call)),
        };
        let local = local_input();
        let fits_output = quote_spanned!(output.span()=> #larder::__private::output::<#output>());
        let num_workers = self.options.num_workers.as_ref().map(|number| {
            quote! {
                fn num_workers(&self) -> usize {
                    #number
                }
            }
        });
        let evolution = &Evolution::default();
        let ty = &parse_quote_spanned!(name.span()=> #name);
        let register = register(&Registration {
            larder,
            ty,
            tag,
            model: true,
            hooks: self.options.hooks,
            source: *source,
            evolution,
        });
        quote! {
            #(#cfgs)*
            const _: () = #fits_output;

            #input

            #(#cfgs)*
            const _: () = {
                impl #larder::Predict for #name {
                    type Input = #input_name;
                    type Output = #output;

                    #[allow(unused_variables)]
                    fn predict(&self, #local: #input_name) -> #larder::Result<#output> {
                        #call
                    }

                    #num_workers
                }

                #register
            };
        }
    }

    /// Generates the input struct and its conversion from a tuple.
    fn input(&self, input: &Ident) -> TokenStream {
        let Self { larder, cfgs, docs, .. } = self;
        let (serde, schemars) = (quote!(#larder::__private::serde), quote!(#larder::schemars));
        let (serde_path, schemars_path) = (path_text(serde.clone()), path_text(schemars.clone()));
        let title = self.name.unraw().to_string();
        let arguments = &self.call.arguments;
        let names: Vec<_> = self.call.names().collect();
        let types: Vec<_> = arguments.iter().map(|argument| &argument.ty).collect();
        let attrs = arguments.iter().map(|argument| &argument.attrs);
        let listed: Vec<_> = names.iter().map(|name| format!("`{}`", name.unraw())).collect();
        let expecting = match &*listed {
            [] => "an object without fields".to_owned(),
            names => format!("an object of {}", names.join(", ")),
        };
        let fits = types
            .iter()
            .map(|ty| quote_spanned!(ty.span()=> #larder::__private::argument::<#ty>()));
        quote! {
            #(#cfgs)*
            const _: () = { #(#fits;)* };

            #(#cfgs)*
            #(#docs)*
            #[doc(hidden)]
            // Public, as the model may be public.
            #[allow(non_camel_case_types, missing_docs, unreachable_pub, private_interfaces)]
            #[derive(#serde::Deserialize, #schemars::JsonSchema)]
            #[serde(crate = #serde_path, deny_unknown_fields, expecting = #expecting)]
            #[schemars(crate = #schemars_path, rename = #title)]
            pub struct #input {
                #(#(#attrs)* #names: #types,)*
            }

            #(#cfgs)*
            impl ::core::convert::From<(#(#types,)*)> for #input {
                fn from((#(#names,)*): (#(#types,)*)) -> Self {
                    Self { #(#names),* }
                }
            }
        }
    }
}

fn source_fn(vis: &Visibility, larder: &Path, source: &TokenStream) -> TokenStream {
    quote! {
        /// Returns the source text of the linked code.
        #vis fn source() -> #larder::versions::Source {
            #source
        }
    }
}

fn docs(attrs: &[Attribute]) -> Vec<&Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("doc")).collect()
}

/// Returns the name of the input, hygienic so that it shadows nothing.
fn local_input() -> Ident {
    Ident::new("input", Span::mixed_site())
}

/// Formats a path for the attributes of serde and schemars.
fn path_text(path: impl ToTokens) -> String {
    path.to_token_stream().to_string().replace(' ', "")
}
