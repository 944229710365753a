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
    Type, Visibility, parse2,
};

use self::call::Call;
use self::options::Options;
use crate::component::{Registration, register};
use crate::evolution::Evolution;

/// What of the model is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its state.
    Object,
    /// Its state and its source text.
    Code,
}

pub(crate) fn expand(kind: Kind, options: TokenStream, tokens: TokenStream) -> TokenStream {
    let item = match parse2::<Item>(tokens.clone()) {
        Ok(item) => item,
        // Rustc says what is wrong with it.
        Err(_) => return tokens,
    };
    let source = |larder: &Path| {
        (kind == Kind::Code).then(|| {
            let (file, text) = (source::file(&tokens), source::text(&tokens));
            quote!(#larder::versions::Source::rust(#file, #text))
        })
    };
    // The item stays, whatever is wrong, so that its users are not called wrong too.
    match item {
        Item::Fn(mut item) => {
            let beside = Options::parse(options)
                .and_then(|options| function(&mut item, &options, source(&options.larder())));
            let beside = beside.unwrap_or_else(Error::into_compile_error);
            quote!(#item #beside)
        }
        Item::Impl(mut item) => {
            let beside = Options::parse(options)
                .and_then(|options| methods(&mut item, &options, source(&options.larder())));
            let beside = beside.unwrap_or_else(Error::into_compile_error);
            quote!(#item #beside)
        }
        item => {
            let error = Error::new_spanned(
                &item,
                "a model is a function, or an `impl` block with a method that predicts",
            )
            .into_compile_error();
            quote!(#item #error)
        }
    }
}

/// The component beside a function: a type of its name, and its input.
fn function(
    item: &mut ItemFn,
    options: &Options,
    source: Option<TokenStream>,
) -> Result<TokenStream> {
    let call = Call::of_function(&mut item.sig)?;
    if let Some(method) = &options.method {
        return Err(Error::new_spanned(method, "a function has no methods"));
    }
    if options.hooks {
        let message = "a function has no hooks: they are a type's, whose `impl` block is a model";
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
                /// The source text that it was applied with.
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
    let beside = model.beside(&quote!(#name(#(#input.#arguments),*)));
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
            /// The component.
            #vis fn model() -> Self {
                Self { #value }
            }

            #source_fn
        }

        #beside
    })
}

/// The component that a type becomes by one of its methods.
fn methods(
    item: &mut ItemImpl,
    options: &Options,
    source: Option<TokenStream>,
) -> Result<TokenStream> {
    if let Some((_, path, _)) = &item.trait_ {
        return Err(Error::new_spanned(
            path,
            "it goes on an `impl` block of the type's own methods; a type that implements `Predict` \
             says `#[component(tag = \"…\", model)]`",
        ));
    }
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &item.generics,
            "a model has no parameters: one tag names one type",
        ));
    }
    let ty = &item.self_ty;
    let name = match &**ty {
        Type::Path(path) => path.path.get_ident().cloned(),
        _ => None,
    };
    let Some(name) = &name else {
        return Err(Error::new_spanned(ty, "a model is a type without parameters, by its name"));
    };
    let Some(tag) = &options.tag else {
        return Err(Error::new_spanned(
            ty,
            "the type needs a tag, written by hand and never changed: tag = \"acme/name\"",
        ));
    };
    let method = chosen(&mut item.items, name, options.method.as_ref())?;
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
    let beside = model.beside(&quote!(#name::#method(self #(, #input.#arguments)*)));
    let source = source.map(|source| {
        let source_fn = source_fn(vis, larder, &source);
        // A type without the field is told so where it is named.
        let field = Ident::new("source", name.span());
        quote! {
            #(#cfgs)*
            #[allow(dead_code)]
            impl #name {
                #source_fn
            }

            #(#cfgs)*
            const _: fn(&#name) -> &#larder::versions::Source = |#name { #field: kept, .. }| kept;
        }
    });
    Ok(quote!(#beside #source))
}

fn chosen<'a>(
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
    let there = match &*names {
        [] => "there are no methods in this block".to_owned(),
        [only] => format!("there is {only}"),
        names => format!("there are {}", names.join(", ")),
    };
    Err(match method {
        Some(method) => {
            Error::new_spanned(method, format!("no method `{wanted}` in this block; {there}"))
        }
        None => Error::new_spanned(
            of,
            format!("no method `call` in this block: choose one by `method = \"…\"`; {there}"),
        ),
    })
}

/// What stands beside a function or a type.
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
    /// The input, `Predict` by `call`, and the component.
    fn beside(&self, call: &TokenStream) -> TokenStream {
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
        let register = register(&Registration {
            larder,
            name,
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

    /// The arguments as a struct, and the way into it from a tuple.
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
            // Public as far as the model may be; nobody can name it.
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
        /// Its source text, as it is linked in.
        #vis fn source() -> #larder::versions::Source {
            #source
        }
    }
}

fn docs(attrs: &[Attribute]) -> Vec<&Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("doc")).collect()
}

/// The name of what `predict` is given; it hides nothing of the user's own.
fn local_input() -> Ident {
    Ident::new("input", Span::mixed_site())
}

/// A path as serde's and schemars' attributes take it.
fn path_text(path: impl ToTokens) -> String {
    path.to_token_stream().to_string().replace(' ', "")
}
