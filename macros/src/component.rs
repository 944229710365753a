//! `#[derive(Component)]`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::meta::ParseNestedMeta;
use syn::{DeriveInput, Error, Ident, LitStr, Path, Result, Token, parse_quote};

use crate::evolution::Evolution;

/// Options of `#[component(…)]`.
#[derive(Default)]
struct Options {
    tag: Option<LitStr>,
    model: bool,
    hooks: bool,
    evolution: Evolution,
    larder: Option<Path>,
}

impl Options {
    fn of(input: &DeriveInput) -> Result<Self> {
        let mut options = Self::default();
        for attribute in
            input.attrs.iter().filter(|attribute| attribute.path().is_ident("component"))
        {
            attribute.parse_nested_meta(|meta| options.read(&meta))?;
        }
        Ok(options)
    }

    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("tag") {
            if self.tag.is_some() {
                return Err(meta.error("duplicate option `tag`"));
            }
            let tag: LitStr = meta.value()?.parse()?;
            check_tag(&tag)?;
            self.tag = Some(tag);
        } else if meta.path.is_ident("model") {
            flag(meta, "model", &mut self.model)?;
        } else if meta.path.is_ident("hooks") {
            flag(meta, "hooks", &mut self.hooks)?;
        } else if self.evolution.read(meta)? {
            // `version`, `migrate_from` or `alias`
        } else if meta.path.is_ident("crate") {
            if self.larder.is_some() {
                return Err(meta.error("duplicate option `crate`"));
            }
            self.larder = Some(meta.value()?.call(Path::parse_mod_style)?);
        } else if meta.path.is_ident("num_workers") {
            return Err(meta.error(
                "unknown option `num_workers`: implement `fn num_workers(&self) -> usize` in `impl Predict`",
            ));
        } else if meta.path.is_ident("method") {
            return Err(meta.error(
                "unknown option `method`: remove this derive and write \
                 `#[objectmodel(tag = \"…\", method = \"…\")] impl MyType { … }`",
            ));
        } else {
            return Err(meta.error(
                "unknown option: expected `tag = \"…\"`, `model`, `hooks`, `version = 2`, \
                 `migrate_from(1 = \"…\")`, `alias = \"…\"` or `crate = …`",
            ));
        }
        Ok(())
    }
}

/// Parses an option without a value.
pub(crate) fn flag(meta: &ParseNestedMeta<'_>, name: &str, on: &mut bool) -> Result<()> {
    if *on {
        return Err(meta.error(format!("duplicate option `{name}`")));
    }
    if meta.input.peek(Token![=]) {
        return Err(meta.error(format!("`{name}` takes no value")));
    }
    *on = true;
    Ok(())
}

/// Validates a tag by the rules of `larder_core::store::TypeTag`.
pub(crate) fn check_tag(tag: &LitStr) -> Result<()> {
    let text = tag.value();
    let part = |part: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        part.bytes().next().is_some_and(plain)
            && part.bytes().all(|b| plain(b) || b"._-".contains(&b))
            && !part.contains("..")
    };
    if text.len() <= 200 && text.split('/').all(part) {
        return Ok(());
    }
    Err(Error::new(
        tag.span(),
        "invalid type tag: expected segments of a-z 0-9 . _ - joined by `/`, each starting with a letter \
         or digit, such as \"acme/wine\"",
    ))
}

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let options = Options::of(input)?;
    let name = &input.ident;
    let Some(tag) = options.tag else {
        return Err(Error::new(
            name.span(),
            "missing type tag: add `#[component(tag = \"acme/name\")]`, and never change it",
        ));
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "a component type cannot be generic: a tag names one type",
        ));
    }
    let larder = options.larder.unwrap_or_else(|| parse_quote!(::larder));
    options.evolution.check(&tag)?;
    let registration = Registration {
        larder: &larder,
        name,
        tag: &tag,
        model: options.model,
        hooks: options.hooks,
        source: None,
        evolution: &options.evolution,
    };
    Ok(register(&registration))
}

/// Input for the `Component` implementation and registration of a type.
pub(crate) struct Registration<'a> {
    pub(crate) larder: &'a Path,
    pub(crate) name: &'a Ident,
    pub(crate) tag: &'a LitStr,
    pub(crate) model: bool,
    /// True if the type implements `Hooks`.
    pub(crate) hooks: bool,
    /// The current source text of a code model.
    pub(crate) source: Option<&'a TokenStream>,
    pub(crate) evolution: &'a Evolution,
}

pub(crate) fn register(registration: &Registration<'_>) -> TokenStream {
    let Registration { larder, name, tag, model, hooks, source, evolution } = registration;
    let (item, as_model) = if *model {
        let as_model = quote! {
            fn as_model(&self) -> ::core::option::Option<&dyn #larder::Model> {
                ::core::option::Option::Some(self)
            }
        };
        (quote!(model), as_model)
    } else {
        (quote!(component), TokenStream::new())
    };
    let (as_hooks, has_hooks) = hooks.then(|| as_hooks(larder, name)).unzip();
    let source = source.map(|source| {
        quote! {
            const SOURCE: ::core::option::Option<#larder::versions::Source> =
                ::core::option::Option::Some(#source);
        }
    });
    let type_version = evolution.component_items();
    let evolution = evolution.type_items(larder);
    quote! {
        const _: () = {
            use #larder::__private::typetag;

            #[typetag::serde(name = #tag)]
            impl #larder::Component for #name {
                #type_version
                #as_model
                #as_hooks
            }

            impl #larder::ComponentType for #name {
                const TAG: &'static str = #tag;
                #has_hooks
                #source
                #evolution
            }

            #larder::link!(#larder::Item::#item::<#name>());
        };
    }
}

/// Returns the methods that give access to `impl Hooks`, and the constant that declares it.
fn as_hooks(larder: &Path, name: &Ident) -> (TokenStream, TokenStream) {
    // Points a missing implementation at the user's type.
    let this = quote_spanned!(name.span().resolved_at(Span::call_site())=> self);
    let as_hooks = quote! {
        fn as_hooks(&self) -> ::core::option::Option<&dyn #larder::Hooks> {
            ::core::option::Option::Some(#this)
        }

        fn as_hooks_mut(&mut self) -> ::core::option::Option<&mut dyn #larder::Hooks> {
            ::core::option::Option::Some(#this)
        }

        fn clone_component(&self) -> ::core::option::Option<::std::boxed::Box<dyn #larder::Component>> {
            ::core::option::Option::Some(#larder::__private::hooks_require_clone(#this))
        }
    };
    (
        as_hooks,
        quote!(
            const HOOKS: bool = true;
        ),
    )
}
